//! The handle by which doors ask and the runtime tells.

use std::collections::BTreeSet;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use triarch_supervision::metrics::Gauge;
use triarch_supervision::prelude::*;

use super::report::{Cause, Reason, Report, State};

/// How old the last beat of the heart may be before the runtime counts as stuck.
pub const BEAT_AGE_MAX: Duration = Duration::from_secs(5);

/// How the runtime is, readable without asking anybody. Cheap to clone; outlives the incarnations of who writes it.
#[derive(Clone, Debug)]
pub struct Health(Arc<Shared>);

#[derive(Debug)]
struct Shared {
    rooms: BTreeSet<String>,
    /// What says of rooms whether their journals take records.
    journals: Vec<(String, Arc<Gauge>)>,
    known: Mutex<Known>,
}

#[derive(Debug, Default)]
struct Known {
    report: Report,
    /// What the runtime said itself, which goes before what is seen.
    said: Option<State>,
    last_beat: Option<Moment>,
}

impl Health {
    /// Of a runtime that does not work without the supervisors named `rooms`; all others are teams.
    pub fn new(rooms: &[&str]) -> Self {
        Self::with_journals(rooms, Vec::new())
    }

    /// The same, where these rooms take nothing while their gauges show 0.
    pub fn with_journals(rooms: &[&str], journals: Vec<(String, Arc<Gauge>)>) -> Self {
        Self(Arc::new(Shared {
            rooms: rooms.iter().map(|room| (*room).to_owned()).collect(),
            journals,
            known: Mutex::default(),
        }))
    }

    /// From now on the runtime takes no more work: it was asked to stop.
    pub fn drain(&self) {
        self.known().said = Some(State::Draining);
    }

    /// The tree has ended.
    pub fn stopped(&self) {
        self.known().said = Some(State::Stopped);
    }

    /// Whether ready work runs: the heart beats ten times a second, and the last beat is no older than
    /// [`BEAT_AGE_MAX`].
    pub fn is_live(&self) -> bool {
        let last = self.known().last_beat;
        last.is_some_and(|last| Moment::now().since(last) <= BEAT_AGE_MAX)
    }

    /// Whether it takes work, and why not.
    pub fn report(&self) -> Report {
        let known = self.known();
        let Some(said) = known.said else {
            // Until the first survey nothing is known, which is no readiness.
            let starting = (known.report == Report::default()).then(|| Reason::new(Cause::Starting, "root"));
            let reasons = known
                .report
                .reasons
                .iter()
                .cloned()
                .chain(starting)
                .chain(self.closed());
            return Report::new(known.report.state, reasons.collect());
        };
        let cause = if said == State::Stopped {
            Cause::Stopped
        } else {
            Cause::Draining
        };
        let mut reasons = known.report.reasons.clone();
        reasons.push(Reason::new(cause, "root"));
        Report::new(said, reasons)
    }

    fn closed(&self) -> impl Iterator<Item = Reason> {
        let closed = self.0.journals.iter().filter(|(_, takes)| takes.get() == Some(0.0));
        closed.map(|(room, _)| Reason::new(Cause::JournalClosed, room))
    }

    pub(crate) fn beat(&self) {
        self.known().last_beat = Some(Moment::now());
    }

    pub(super) fn rooms(&self) -> BTreeSet<String> {
        self.0.rooms.clone()
    }

    pub(super) fn publish(&self, report: Report) {
        self.known().report = report;
    }

    fn known(&self) -> MutexGuard<'_, Known> {
        self.0.known.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn who_knows_nothing_is_neither_live_nor_ready() {
        let health = Health::new(&["bus"]);
        assert!(!health.is_live());
        let report = health.report();
        assert_eq!((report.state, report.is_ready), (State::Starting, false));
        assert_eq!(report.reasons[0].cause, Cause::Starting);
    }

    #[test]
    fn what_the_runtime_says_goes_before_what_is_seen() {
        let health = Health::new(&[]);
        health.publish(Report::new(State::Ready, vec![]));
        assert!(health.report().is_ready);
        health.drain();
        let report = health.report();
        assert_eq!((report.state, report.is_ready), (State::Draining, false));
        assert_eq!(report.reasons[0].cause, Cause::Draining);
        health.stopped();
        assert_eq!(health.report().state, State::Stopped);
    }

    #[test]
    fn a_room_whose_journal_takes_no_records_takes_no_work() {
        let takes = Arc::new(Gauge::default());
        let health = Health::with_journals(&["bus", "work"], vec![("work".to_owned(), Arc::clone(&takes))]);
        health.publish(Report::new(State::Ready, vec![]));
        assert!(health.report().is_ready, "where nothing was opened nothing is closed");
        takes.set(0.0);
        let report = health.report();
        assert!(!report.is_ready);
        let closed: Vec<_> = report
            .reasons
            .iter()
            .map(|reason| (reason.cause, &*reason.subject))
            .collect();
        assert_eq!(closed, [(Cause::JournalClosed, "work")]);
        takes.set(1.0);
        assert!(health.report().is_ready);
    }

    #[tokio::test(start_paused = true)]
    async fn a_heart_that_stands_still_is_not_live() {
        let health = Health::new(&[]);
        health.beat();
        assert!(health.is_live());
        tokio::time::advance(BEAT_AGE_MAX).await;
        assert!(health.is_live());
        tokio::time::advance(Duration::from_millis(1)).await;
        assert!(!health.is_live());
    }
}
