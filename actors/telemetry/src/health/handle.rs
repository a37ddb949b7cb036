//! The handle by which doors ask and the runtime tells.

use std::collections::BTreeSet;
use std::sync::{Arc, Mutex, MutexGuard};
use std::time::Duration;

use triarch_supervision::metrics::Gauge;
use triarch_supervision::prelude::*;
use triarch_supervision::sync::lock;

use super::report::{Cause, Reason, Report, State};

/// A gauge that tells of something that is not as it should be.
#[derive(Clone, Debug)]
pub struct Sign {
    /// What that is.
    pub cause: Cause,
    /// Whom it concerns.
    pub subject: String,
    /// Where it is shown.
    pub gauge: Arc<Gauge>,
    /// What is shown while it is so.
    pub shows: f64,
}

/// How old the last beat of the heart may be before the runtime counts as stuck.
pub const BEAT_AGE_MAX: Duration = Duration::from_secs(5);

/// How the runtime is, readable without asking anybody. Cheap to clone; outlives the incarnations of who writes it.
#[derive(Clone, Debug)]
pub struct Health(Arc<Shared>);

#[derive(Debug)]
struct Shared {
    rooms: BTreeSet<String>,
    signs: Vec<Sign>,
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
        Self::with_signs(rooms, Vec::new())
    }

    /// The same, where these signs count too.
    pub fn with_signs(rooms: &[&str], signs: Vec<Sign>) -> Self {
        Self(Arc::new(Shared {
            rooms: rooms.iter().map(|room| (*room).to_owned()).collect(),
            signs,
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
                .chain(self.signed());
            return Report::new(known.report.state, reasons.collect());
        };
        let cause = if said == State::Stopped {
            Cause::Stopped
        } else {
            Cause::Draining
        };
        // Who is down is so since all are to stop, and comes back with the next runtime alone.
        let others = known
            .report
            .reasons
            .iter()
            .filter(|reason| !reason.cause.is_of_a_stop());
        let mut reasons: Vec<_> = others.cloned().collect();
        reasons.push(Reason::new(cause, "root"));
        Report::new(said, reasons)
    }

    fn signed(&self) -> impl Iterator<Item = Reason> {
        let shown = self.0.signs.iter().filter(|sign| sign.gauge.get() == Some(sign.shows));
        shown.map(|sign| Reason::new(sign.cause, &sign.subject))
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
        lock(&self.0.known)
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
    fn while_the_runtime_stops_nobody_is_told_that_its_teams_were_stopped_by_hand() {
        let health = Health::new(&["bus"]);
        let seen = [
            (Cause::TeamStopped, "crew"),
            (Cause::TeamDown, "others"),
            (Cause::RoomDown, "bus"),
            (Cause::Quarantined, "crew/a"),
        ];
        let seen = seen.map(|(cause, subject)| Reason::new(cause, subject));
        health.publish(Report::new(State::Ready, seen.to_vec()));
        health.drain();
        let told = health.report().reasons.into_iter();
        assert_eq!(
            told.map(|reason| reason.cause).collect::<Vec<_>>(),
            [Cause::Draining, Cause::Quarantined]
        );
    }

    fn sign(cause: Cause, gauge: &Arc<Gauge>, shows: f64) -> Sign {
        Sign {
            cause,
            subject: "work".to_owned(),
            gauge: Arc::clone(gauge),
            shows,
        }
    }

    #[test]
    fn a_drain_of_tasks_is_told_and_the_runtime_stays_ready() {
        let drained = Arc::new(Gauge::default());
        let health = Health::with_signs(&["work"], vec![sign(Cause::TasksDrained, &drained, 1.0)]);
        health.publish(Report::new(State::Ready, vec![]));
        for (shown, reasons) in [(0.0, 0), (1.0, 1), (0.0, 0)] {
            drained.set(shown);
            let report = health.report();
            assert_eq!((report.is_ready, report.reasons.len()), (true, reasons), "{report:?}");
        }
    }

    #[test]
    fn a_room_whose_journal_takes_no_records_takes_no_work() {
        let takes = Arc::new(Gauge::default());
        let health = Health::with_signs(&["bus", "work"], vec![sign(Cause::JournalClosed, &takes, 0.0)]);
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
