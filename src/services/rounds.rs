//! What programs and agents of own kinds have subscribed to: a round for each. It is known beside the courier, and outlives its lives.
//!
//! ```text
//!   agent ─▶ sheaf ─▶ pattern, group, name ─▶ round ◀─number─▶ vacant: nobody makes it yet, or any more
//!                └──▶ name ────┘
//! ```
//!
//! Whoever begins or ends one looks at that one alone, however many there are.

use std::collections::{BTreeMap, HashMap};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use tokio::sync::{Notify, watch};
use triarch_bus::{Bus, Listener, Subscribe, SubscriptionId, Terms};
use triarch_teams::PostOffice;

use super::bus::{Manner, Wish};
use super::sheaf::Sheaf;
use crate::operations::{Code, Trouble};

/// So many subscriptions one program may have.
const SUBSCRIPTIONS_MAX: usize = 10_000;

/// What programs have subscribed to.
#[derive(Clone)]
pub(crate) struct Rounds(Arc<Shared>);

struct Shared {
    bus: Bus,
    office: Arc<PostOffice>,
    book: Mutex<Book>,
    /// Rung when there is a round that nobody makes.
    new: Notify,
}

#[derive(Default)]
struct Book {
    by_agent: HashMap<Arc<str>, Sheaf<String, Round>>,
    /// Those that nobody makes, by their numbers. What comes for them waits with their listeners.
    vacant: BTreeMap<u64, Vacant>,
    next: u64,
}

/// One subscription of a program.
struct Round {
    number: u64,
    id: SubscriptionId,
    manner: Manner,
    /// Dropped when it is over, while the book is held.
    _goes_on: watch::Sender<()>,
}

/// A round that nobody makes: what the courier needs to make it.
pub(super) struct Vacant {
    pub(super) number: u64,
    pub(super) listener: Listener,
    pub(super) agent: Arc<str>,
    pub(super) terms: Terms,
    /// Fails once the round is over.
    pub(super) goes_on: watch::Receiver<()>,
}

impl Rounds {
    pub(crate) fn new(bus: Bus, office: Arc<PostOffice>) -> Self {
        Self(Arc::new(Shared {
            bus,
            office,
            book: Mutex::default(),
            new: Notify::new(),
        }))
    }

    fn book(&self) -> MutexGuard<'_, Book> {
        self.0.book.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Begins a round, in the place of one for the same pattern and group, which goes on where this cannot begin. One that is
    /// the same goes on as it is.
    pub(super) fn begin(&self, agent: &Arc<str>, wish: Wish, what: Subscribe) -> Result<(), Trouble> {
        let terms = wish.terms()?;
        let (aim, manner) = wish.parted();
        let mut book = self.book();
        let Book { by_agent, vacant, next } = &mut *book;
        let sheaf = by_agent.entry(Arc::clone(agent)).or_default();
        if sheaf.get(&aim).is_some_and(|round| round.manner == manner) {
            return Ok(());
        }
        if sheaf.len() >= SUBSCRIPTIONS_MAX && !sheaf.has_in_the_place_of(&aim) {
            return Err(too_many());
        }
        let listener = self.0.bus.listen(what)?;
        let (number, id) = (*next, listener.subscription());
        *next += 1;
        let (goes_on, receiver) = watch::channel(());
        let round = Round {
            number,
            id,
            manner,
            _goes_on: goes_on,
        };
        if let Some(before) = sheaf.put(aim, round) {
            vacant.remove(&before.number);
            // Under a name it is the same subscription, which goes on.
            if before.id != id {
                self.0.bus.unsubscribe(before.id);
            }
        }
        let agent = Arc::clone(agent);
        vacant.insert(
            number,
            Vacant {
                number,
                listener,
                agent,
                terms,
                goes_on: receiver,
            },
        );
        self.0.new.notify_one();
        Ok(())
    }

    /// Ends the rounds of that pattern; returns how many there were.
    pub(super) fn end(&self, agent: &Arc<str>, pattern: &str) -> usize {
        let mut book = self.book();
        let Some(sheaf) = book.by_agent.get_mut(agent) else {
            return 0;
        };
        let over = sheaf.take_all_of(&pattern.to_owned());
        let count = over.len();
        self.end_each(&mut book, over);
        count
    }

    /// Ends all rounds to an agent, at once: its next life begins others.
    pub(crate) fn end_all(&self, agent: &Arc<str>) {
        self.end_all_of_the_gone(agent, || true);
    }

    /// The same where it `is_gone`. One that has taken its place is in the tree before it begins any, so those stay.
    pub(super) fn end_all_of_the_gone(&self, agent: &Arc<str>, is_gone: impl FnOnce() -> bool) {
        let mut book = self.book();
        if is_gone()
            && let Some(sheaf) = book.by_agent.remove(agent)
        {
            self.end_each(&mut book, sheaf.into_all());
        }
    }

    fn end_each(&self, book: &mut Book, over: impl IntoIterator<Item = Round>) {
        for round in over {
            self.0.bus.unsubscribe(round.id);
            book.vacant.remove(&round.number);
        }
    }

    // ---- for the courier ----

    /// One that nobody makes.
    pub(super) fn next_vacant(&self) -> Option<Vacant> {
        self.book().vacant.pop_first().map(|(_, vacant)| vacant)
    }

    /// Nobody makes it any more. One that is over ends here.
    pub(super) fn give_back(&self, vacant: Vacant) {
        let mut book = self.book();
        if vacant.goes_on.has_changed().is_ok() {
            book.vacant.insert(vacant.number, vacant);
            self.0.new.notify_one();
        }
    }

    /// Returns once there may be one that nobody makes.
    pub(super) async fn wait_for_vacant(&self) {
        self.0.new.notified().await;
    }

    /// Those of the life of the courier before wait for this one.
    pub(super) fn ring(&self) {
        self.0.new.notify_one();
    }

    pub(super) fn bus(&self) -> &Bus {
        &self.0.bus
    }

    pub(super) fn office(&self) -> &Arc<PostOffice> {
        &self.0.office
    }
}

fn too_many() -> Trouble {
    let message = format!("it has {SUBSCRIPTIONS_MAX} subscriptions, which is the most a program may have");
    let remedy =
        "subscribe to a broader pattern, such as `plant.**` for all below `plant`, or end some by `unsubscribe`";
    Trouble::new(Code::Refused, message, remedy)
}

#[cfg(test)]
#[path = "rounds_test.rs"]
mod tests;
