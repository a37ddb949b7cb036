//! Who is connected through one door, and who has to go when it is full.

use std::collections::BTreeMap;
use std::fmt;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};

use tokio::sync::Notify;
use triarch_supervision::clock::Moment;
use triarch_supervision::sync::lock;

use crate::metrics::{Metrics, Refusal};
use crate::patience::{Limits, Patience};

/// How many guests a door keeps, as it is changed while it stands open.
#[derive(Clone, Debug)]
pub(crate) struct Bound(Arc<AtomicUsize>);

impl Bound {
    pub(crate) fn new(most: usize) -> Self {
        Self(Arc::new(AtomicUsize::new(most)))
    }

    pub(crate) fn set(&self, most: usize) {
        self.0.store(most, Ordering::Relaxed);
    }

    fn get(&self) -> usize {
        self.0.load(Ordering::Relaxed)
    }

    /// How many of them may stay for as long as somebody else does: the others are for questions that wait for nobody.
    fn staying(&self) -> usize {
        let most = self.get();
        (most - most.div_ceil(KEPT)).max(1)
    }
}

/// One place of so many is kept for those who do not stay.
const KEPT: usize = 8;

/// The guests of one door.
#[derive(Clone, Debug)]
pub(crate) struct Guests(Arc<Shared>);

#[derive(Debug)]
struct Shared {
    most: Bound,
    limits: Limits,
    metrics: Metrics,
    book: Mutex<Book>,
}

#[derive(Debug, Default)]
struct Book {
    /// How many ever came; also the number of the last one.
    came: u64,
    present: BTreeMap<u64, Arc<Visit>>,
}

/// What a connection and its door both see.
#[derive(Debug)]
struct Visit {
    patience: Mutex<Patience>,
    leave: Notify,
}

/// Why a connection has lasted long enough.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Outstayed {
    /// Somebody else wants its place.
    Wanted,
    /// It was too slow.
    Slow,
}

/// The place that a connection has, for what is done for it.
#[derive(Clone, Debug)]
pub(crate) struct Place {
    visit: Arc<Visit>,
    door: Arc<Shared>,
}

impl Place {
    /// From now on it is kept for as long as somebody else takes; whether there is one for that.
    pub(crate) fn stays(&self) -> bool {
        let book = lock(&self.door.book);
        let staying = book.present.values().filter(|visit| lock(&visit.patience).is_staying());
        let is_free = staying.count() < self.door.most.staying();
        if is_free {
            lock(&self.visit.patience).stays(Moment::now());
        } else {
            self.door.metrics.refused(Refusal::Full);
        }
        is_free
    }
}

/// One connection, for as long as it lasts.
#[derive(Debug)]
pub(crate) struct Guest {
    pub(crate) number: u64,
    visit: Arc<Visit>,
    door: Arc<Shared>,
}

impl Guests {
    pub(crate) fn new(most: Bound, limits: Limits, metrics: Metrics) -> Self {
        Self(Arc::new(Shared {
            most,
            limits,
            metrics,
            book: Mutex::default(),
        }))
    }

    pub(crate) fn metrics(&self) -> &Metrics {
        &self.0.metrics
    }

    /// Lets one more in. Where the door is full, the one that has kept it waiting longest has to go; `None` where all
    /// of them are being served.
    pub(crate) fn admit(&self) -> Option<Guest> {
        let mut book = lock(&self.0.book);
        // More than one is too many where fewer are let in than there were.
        while book.present.len() >= self.0.most.get() {
            self.0.metrics.refused(Refusal::Full);
            let number = book.longest_waiting()?;
            // It is struck off at once, so that the next newcomer moves somebody else.
            if let Some(visit) = book.present.remove(&number) {
                visit.leave.notify_one();
            }
        }
        book.came += 1;
        let number = book.came;
        let visit = Arc::new(Visit {
            patience: Mutex::new(Patience::new(self.0.limits, Moment::now())),
            leave: Notify::new(),
        });
        book.present.insert(number, Arc::clone(&visit));
        self.0.metrics.connections().add(1.0);
        Some(Guest {
            number,
            visit,
            door: Arc::clone(&self.0),
        })
    }
}

impl Book {
    fn longest_waiting(&self) -> Option<u64> {
        let waiting = self
            .present
            .iter()
            .filter_map(|(number, visit)| Some((lock(&visit.patience).idle_since()?, *number)));
        waiting.min().map(|(_, number)| number)
    }
}

impl Guest {
    /// Notes what has happened on the connection.
    pub(crate) fn note(&self, what: impl FnOnce(&mut Patience, Moment)) {
        what(&mut lock(&self.visit.patience), Moment::now());
    }

    /// It has asked something. `false` where its place was given away before: then nothing may be begun for it.
    pub(crate) fn asks(&self) -> bool {
        let book = lock(&self.door.book);
        let is_present = book.present.contains_key(&self.number);
        if is_present {
            lock(&self.visit.patience).asked(Moment::now());
        }
        is_present
    }

    pub(crate) fn place(&self) -> Place {
        Place {
            visit: Arc::clone(&self.visit),
            door: Arc::clone(&self.door),
        }
    }

    pub(crate) fn metrics(&self) -> &Metrics {
        &self.door.metrics
    }

    /// Whether it has asked and was not answered yet.
    pub(crate) fn is_being_served(&self) -> bool {
        lock(&self.visit.patience).idle_since().is_none()
    }

    /// Waits until the connection has lasted long enough: it was too slow, or its place is needed.
    pub(crate) async fn outstayed(&self) -> Outstayed {
        loop {
            let deadline = lock(&self.visit.patience).deadline();
            // While it is served its deadline may come back at any time.
            let look_again = deadline.unwrap_or_else(|| Moment::now() + self.door.limits.listening);
            tokio::select! {
                () = self.visit.leave.notified() => return Outstayed::Wanted,
                () = tokio::time::sleep_until(look_again.instant()) => {}
            }
            if lock(&self.visit.patience)
                .deadline()
                .is_some_and(|deadline| deadline <= Moment::now())
            {
                self.door.metrics.refused(Refusal::Slow);
                return Outstayed::Slow;
            }
        }
    }
}

impl Drop for Guest {
    fn drop(&mut self) {
        lock(&self.door.book).present.remove(&self.number);
        self.door.metrics.connections().add(-1.0);
    }
}

/// What came through a door on its way to the agent that serves it: taken once.
pub(crate) struct Arrival<S>(Arc<Mutex<Option<(S, Guest)>>>);

impl<S> Clone for Arrival<S> {
    fn clone(&self) -> Self {
        Self(Arc::clone(&self.0))
    }
}

impl<S> fmt::Debug for Arrival<S> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Arrival").finish_non_exhaustive()
    }
}

impl<S> Arrival<S> {
    pub(crate) fn new(stream: S, guest: Guest) -> Self {
        Self(Arc::new(Mutex::new(Some((stream, guest)))))
    }

    pub(crate) fn take(&self) -> Option<(S, Guest)> {
        lock(&self.0).take()
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use triarch_supervision::metrics::{Catalogue, Instruments, families};
    use triarch_telemetry::{Exposition, Health};

    use super::*;
    use crate::metrics::{Door, GATEWAY};

    const LIMITS: Limits = Limits {
        listening: Duration::from_mins(1),
        waiting: Duration::from_mins(1),
    };

    fn door(most: usize) -> Guests {
        let own = [families::SUPERVISION, families::MAILBOX, families::AGENT, GATEWAY];
        let sections: Vec<_> = own.into_iter().chain(triarch_telemetry::metrics::SECTIONS).collect();
        let instruments = Instruments::new(Catalogue::new(&sections).unwrap());
        let exposition = Exposition::new(instruments.clone(), Health::new(&["gateway"]), "0.0.0").unwrap();
        let metrics = Metrics::new(&instruments, &exposition, Door::Socket).unwrap();
        Guests::new(Bound::new(most), LIMITS, metrics)
    }

    #[test]
    fn for_one_whose_place_was_given_away_nothing_is_begun_and_one_that_is_served_keeps_it() {
        let door = door(1);
        let first = door.admit().unwrap();
        let second = door.admit().unwrap();
        assert!(!first.asks(), "its request came too late");
        assert!(second.asks());
        assert!(door.admit().is_none(), "it is being served until its answer is written");
        second.note(Patience::answered);
        assert!(door.admit().is_some());
    }

    #[test]
    fn some_places_are_never_given_to_those_who_stay() {
        for (most, staying) in [(1, 1), (2, 1), (8, 7), (64, 56), (100, 87)] {
            assert_eq!(Bound::new(most).staying(), staying, "{most}");
        }
        let door = door(2);
        let (first, second) = (door.admit().unwrap(), door.admit().unwrap());
        assert!(first.asks() && second.asks());
        assert!(first.place().stays());
        assert!(!second.place().stays());
        first.note(Patience::answered);
        assert!(second.place().stays());
    }
}
