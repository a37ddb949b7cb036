//! Time as tasks have it: it goes on while the runtime is down, and no jump of the wall clock moves it while it runs.
//!
//! ```text
//!            life 1                 down              life 2
//!  ├──────────────────────────┤·············├─────────────────────
//!  0   monotonic clock        │    away     │   monotonic clock
//!                       last record      resumed
//! ```

use std::ops::Add;
use std::time::Duration;

use serde::{Deserialize, Serialize};
use triarch_supervision::clock::Moment;

/// A time, in milliseconds since the first task could be submitted.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct TaskTime(u64);

impl TaskTime {
    /// Later than all others.
    pub const NEVER: Self = Self(u64::MAX);

    /// From a count of milliseconds.
    pub const fn from_millis(millis: u64) -> Self {
        Self(millis)
    }

    /// As a count of milliseconds.
    pub const fn as_millis(self) -> u64 {
        self.0
    }

    /// The time since `earlier`; zero where that lies ahead.
    pub const fn since(self, earlier: Self) -> Duration {
        Duration::from_millis(self.0.saturating_sub(earlier.0))
    }

    /// Whether it ever comes.
    pub(crate) fn comes(self) -> bool {
        self != Self::NEVER
    }
}

/// Begun milliseconds count whole, so that nothing falls due before its time.
pub(crate) fn millis(duration: Duration) -> u64 {
    u64::try_from(duration.as_nanos().div_ceil(1_000_000)).unwrap_or(u64::MAX)
}

impl Add<Duration> for TaskTime {
    type Output = Self;

    fn add(self, duration: Duration) -> Self {
        Self(self.0.saturating_add(millis(duration)))
    }
}

/// What turns moments of one life of the runtime into times of tasks.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Timepiece {
    began: TaskTime,
    moment: Moment,
}

impl Timepiece {
    /// `moment` is `began`.
    pub(crate) const fn new(began: TaskTime, moment: Moment) -> Self {
        Self { began, moment }
    }

    /// What time it is at `now`.
    pub(crate) fn at(&self, now: Moment) -> TaskTime {
        let since = u64::try_from(now.since(self.moment).as_millis()).unwrap_or(u64::MAX);
        TaskTime(self.began.0.saturating_add(since))
    }

    /// The first moment at which it is `time`.
    pub(crate) fn moment_of(&self, time: TaskTime) -> Moment {
        self.moment + time.since(self.began)
    }
}

/// What the clocks outside show at one time; the one thing by which the next life knows how long nobody was there.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Sight {
    /// The wall clock, in milliseconds since the Unix epoch.
    pub wall_millis: u64,
    /// The machine's own clock, where it has one that goes on through sleep.
    pub boot: Option<Boot>,
}

/// The clock of a machine since it was started.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Boot {
    /// Which start of the machine.
    pub id: u128,
    /// For how long it has run.
    pub millis: u64,
}

impl Sight {
    /// How long before `self` `earlier` was seen: by the machine's own clock where it did not start anew in between,
    /// else by the wall clock, and never less than nothing.
    pub fn since(&self, earlier: &Self) -> Duration {
        let millis = match (self.boot, earlier.boot) {
            (Some(now), Some(then)) if now.id == then.id => now.millis.saturating_sub(then.millis),
            _ => self.wall_millis.saturating_sub(earlier.wall_millis),
        };
        Duration::from_millis(millis)
    }
}

/// What the clocks outside showed at a time of tasks.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Anchor {
    /// The time of tasks.
    pub at: TaskTime,
    /// What was seen then.
    pub sight: Sight,
}

impl Anchor {
    /// What time it is when the clocks show `now`.
    pub fn time_of(&self, now: &Sight) -> TaskTime {
        self.at + now.since(&self.sight)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const TEN_YEARS: u64 = 10 * 365 * 24 * 3_600_000;

    fn sight(wall_millis: u64, boot: Option<(u128, u64)>) -> Sight {
        let boot = boot.map(|(id, millis)| Boot { id, millis });
        Sight { wall_millis, boot }
    }

    #[test]
    fn a_timepiece_goes_with_the_monotonic_clock() {
        let moment = Moment::from_nanos(5_000_000_000);
        let piece = Timepiece::new(TaskTime::from_millis(70), moment);
        assert_eq!(piece.at(moment), TaskTime::from_millis(70));
        assert_eq!(
            piece.at(moment + Duration::from_micros(1_999)),
            TaskTime::from_millis(71)
        );
        assert_eq!(
            piece.at(Moment::default()),
            TaskTime::from_millis(70),
            "it never goes back"
        );
        let due = TaskTime::from_millis(100);
        assert_eq!(piece.at(piece.moment_of(due)), due);
    }

    #[test]
    fn nothing_falls_due_before_its_time_and_nothing_wraps() {
        let time = TaskTime::from_millis(10);
        assert_eq!(time + Duration::from_micros(1), TaskTime::from_millis(11));
        assert_eq!(time + Duration::MAX, TaskTime::NEVER);
        assert_eq!(time.since(TaskTime::NEVER), Duration::ZERO);
    }

    #[test]
    fn jumps_of_the_wall_clock_do_not_count_while_the_machine_runs() {
        let before = sight(TEN_YEARS * 2, Some((1, 1_000)));
        for wall in [TEN_YEARS, TEN_YEARS * 2, TEN_YEARS * 3] {
            let after = sight(wall, Some((1, 4_000)));
            assert_eq!(after.since(&before), Duration::from_secs(3));
        }
    }

    #[test]
    fn after_a_start_of_the_machine_the_wall_clock_counts_and_never_backwards() {
        let before = sight(50_000, Some((1, 1_000)));
        assert_eq!(sight(53_000, Some((2, 10))).since(&before), Duration::from_secs(3));
        assert_eq!(sight(40_000, Some((2, 10))).since(&before), Duration::ZERO);
        assert_eq!(sight(51_000, None).since(&before), Duration::from_secs(1));
        let anchor = Anchor {
            at: TaskTime::from_millis(7),
            sight: before,
        };
        assert_eq!(anchor.time_of(&sight(53_000, None)), TaskTime::from_millis(3_007));
    }
}
