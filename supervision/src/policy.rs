//! What a child and a supervisor declare about restarts and shutdown, in OTP's words.

use std::time::Duration;

use serde::Serialize;

/// When a child that ended is started again.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Restart {
    /// Always.
    #[default]
    Permanent,
    /// Only when it failed.
    Transient,
    /// Never; its specification goes with it.
    Temporary,
}

/// How a child is made to end.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Shutdown {
    /// It is killed at once.
    BrutalKill,
    /// It is asked, then killed when the time is over, which is more than 0.
    Within(Duration),
    /// It is asked and waited for without limit; the default of supervisors.
    Infinity,
}

impl Default for Shutdown {
    fn default() -> Self {
        Self::Within(Duration::from_secs(5))
    }
}

/// How long an agent that ends unasked may take for its `stop`, in milliseconds. Every agent holds one, so it is small.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct StopLimit(u32);

impl StopLimit {
    const NONE: u32 = u32::MAX;

    pub(crate) fn time(self) -> Option<Duration> {
        (self.0 != Self::NONE).then(|| Duration::from_millis(self.0.into()))
    }
}

impl Default for StopLimit {
    fn default() -> Self {
        Self::from(Shutdown::default())
    }
}

impl From<Shutdown> for StopLimit {
    fn from(shutdown: Shutdown) -> Self {
        match shutdown {
            Shutdown::Within(limit) => {
                let millis = limit.as_nanos().div_ceil(1_000_000);
                Self(u32::try_from(millis).unwrap_or(Self::NONE))
            }
            Shutdown::Infinity => Self(Self::NONE),
            // It says how to end one from outside, and nothing of how long an end of its own may take.
            Shutdown::BrutalKill => Self::default(),
        }
    }
}

/// Which children restart when one of them ends.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Strategy {
    /// That one.
    #[default]
    OneForOne,
    /// All of them.
    OneForAll,
    /// That one and those started after it.
    RestForOne,
    /// That one; children are many, alike, and come and go at run time (a dynamic supervisor).
    SimpleOneForOne,
}

/// Whether the end of significant children ends their supervisor.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum AutoShutdown {
    /// Not at all.
    #[default]
    Never,
    /// When one of them ends by itself.
    AnySignificant,
    /// When the last of them ends by itself.
    AllSignificant,
}

/// In which manner the static children of a supervisor start.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum StartOrder {
    /// Left to right, each finished before the next.
    #[default]
    InOrder,
    /// All at once.
    Parallel,
}

/// In which manner children stop where several of them do.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum StopOrder {
    /// Right to left, each gone before the next is asked; those of a dynamic supervisor that ends all at once.
    #[default]
    InOrder,
    /// All at once.
    Parallel,
}

/// What happens to a child whose restart would exceed the supervisor's intensity.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum OnLimit {
    /// The supervisor gives up and passes the failure to its parent.
    #[default]
    Escalate,
    /// The child stays down, visible, until somebody retries it; its siblings go on.
    Quarantine,
}

/// How many restarts a supervisor bears within a sliding period.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize)]
pub struct Intensity {
    /// How many restarts are allowed.
    pub restarts: u32,
    /// Within which time.
    pub period: Duration,
}

impl Intensity {
    /// `restarts` within `period`.
    pub const fn new(restarts: u32, period: Duration) -> Self {
        Self { restarts, period }
    }
}

impl Default for Intensity {
    /// OTP's default: one restart within five seconds.
    fn default() -> Self {
        Self::new(1, Duration::from_secs(5))
    }
}

/// How long a child waits before its next restart.
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
pub struct Backoff {
    /// The wait before the first restart of a run of failures.
    pub first: Duration,
    /// By what each further wait grows.
    pub factor: f64,
    /// The longest wait.
    pub max: Duration,
    /// The share of a wait that chance may add or take: 0 to 1.
    pub jitter: f64,
    /// After running this long without a failure, the next failure counts as the first.
    pub reset_after: Duration,
}

impl Backoff {
    /// No wait at all: OTP's behaviour, and the default.
    pub const fn none() -> Self {
        Self {
            first: Duration::ZERO,
            factor: 1.0,
            max: Duration::ZERO,
            jitter: 0.0,
            reset_after: Duration::ZERO,
        }
    }

    /// Waits that double from `first` to at most `max`, with a fifth of chance, reset after a quiet `max`.
    pub const fn exponential(first: Duration, max: Duration) -> Self {
        Self {
            first,
            factor: 2.0,
            max,
            jitter: 0.2,
            reset_after: max,
        }
    }

    /// The wait before the `attempt`-th restart in a row (from 1); `chance` is in 0..1.
    pub fn delay(&self, attempt: u32, chance: f64) -> Duration {
        if self.first.is_zero() {
            return Duration::ZERO;
        }
        let exponent = i32::try_from(attempt.saturating_sub(1)).unwrap_or(i32::MAX);
        let grown = self.first.as_secs_f64() * self.factor.powi(exponent);
        let capped = grown.min(self.max.as_secs_f64());
        let spread = 1.0 + self.jitter * (2.0 * chance - 1.0);
        // A maximum near the longest time there is may be rounded beyond it.
        Duration::try_from_secs_f64((capped * spread).max(0.0)).map_or(self.max, |delay| delay.min(self.max))
    }
}

impl Default for Backoff {
    fn default() -> Self {
        Self::none()
    }
}

/// What a child specification says of its life.
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
#[non_exhaustive]
pub struct ChildPolicy {
    /// When it is started again.
    pub restart: Restart,
    /// How it is made to end.
    pub shutdown: Shutdown,
    /// Whether its end counts for the supervisor's auto-shutdown.
    pub significant: bool,
    /// What happens when it fails too often.
    pub on_limit: OnLimit,
    /// The waits between its restarts; the supervisor's where none is given.
    pub backoff: Option<Backoff>,
    /// How long its `start` may take; `None` is without limit.
    pub start_within: Option<Duration>,
    /// Whether whoever is left of it is asked to stop when it is, and not once it is gone.
    pub stops_along: bool,
}

/// The default limit of a child's `start`.
pub const START_WITHIN: Duration = Duration::from_secs(30);

impl Default for ChildPolicy {
    fn default() -> Self {
        Self {
            restart: Restart::default(),
            shutdown: Shutdown::default(),
            significant: false,
            on_limit: OnLimit::default(),
            backoff: None,
            start_within: Some(START_WITHIN),
            stops_along: false,
        }
    }
}

/// What a supervisor declares.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize)]
#[non_exhaustive]
pub struct SupervisorPolicy {
    /// Which children restart together.
    pub strategy: Strategy,
    /// How many restarts it bears.
    pub intensity: Intensity,
    /// The waits between restarts of one child.
    pub backoff: Backoff,
    /// Whether significant children end it.
    pub auto_shutdown: AutoShutdown,
    /// How its static children start.
    pub start_order: StartOrder,
    /// How its children stop.
    pub stop_order: StopOrder,
}

#[cfg(test)]
mod tests {
    use super::*;

    const SECOND: Duration = Duration::from_secs(1);

    #[test]
    fn waits_grow_by_the_factor_up_to_the_maximum() {
        let backoff = Backoff {
            jitter: 0.0,
            ..Backoff::exponential(SECOND, 5 * SECOND)
        };
        let waits: Vec<_> = (1..=5).map(|attempt| backoff.delay(attempt, 0.5).as_secs()).collect();
        assert_eq!(waits, [1, 2, 4, 5, 5]);
        assert_eq!(backoff.delay(u32::MAX, 0.5), 5 * SECOND);
    }

    #[test]
    fn chance_moves_a_wait_by_its_share_and_never_beyond_the_maximum() {
        let backoff = Backoff::exponential(SECOND, 10 * SECOND);
        assert_eq!(backoff.delay(1, 0.0), Duration::from_millis(800));
        assert_eq!(backoff.delay(1, 1.0), Duration::from_millis(1200));
        assert_eq!(backoff.delay(30, 1.0), 10 * SECOND);
    }

    #[test]
    fn the_longest_wait_there_is_may_be_asked_for() {
        let backoff = Backoff::exponential(Duration::MAX, Duration::MAX);
        assert!(backoff.delay(1, 0.0) > SECOND);
        assert_eq!([0.5, 1.0].map(|chance| backoff.delay(1, chance)), [Duration::MAX; 2]);
        let steep = Backoff {
            factor: f64::MAX,
            ..Backoff::exponential(SECOND, Duration::MAX)
        };
        assert_eq!(steep.delay(9, 1.0), Duration::MAX);
    }

    #[test]
    fn none_never_waits() {
        assert!((1..100).all(|attempt| Backoff::none().delay(attempt, 0.9).is_zero()));
    }
}
