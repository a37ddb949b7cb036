//! Time as the machines see it: a number that enters as an argument.

use std::fmt;
use std::ops::{Add, Sub};
use std::sync::OnceLock;
use std::time::Duration;

#[cfg(all(target_os = "linux", any(test, not(feature = "testing"))))]
mod coarse;

/// A moment on the monotonic clock, in nanoseconds since the process first looked at it.
///
/// In a world with a paused clock it is the paused clock's time.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, serde::Serialize)]
#[serde(transparent)]
pub struct Moment(u64);

/// Moments begin one day after zero, so that a test may look back.
const HEAD_START: Duration = Duration::from_hours(24);

impl Moment {
    /// Now, by tokio's clock where one runs, so that paused time is honoured.
    pub fn now() -> Self {
        Self::from_instant(tokio::time::Instant::now())
    }

    /// Now, or some milliseconds ago, for a quarter of the cost; never ahead. Where time may be paused it is the time that is.
    #[inline]
    pub(crate) fn lately() -> Self {
        #[cfg(all(target_os = "linux", not(feature = "testing")))]
        return coarse::moment();
        #[cfg(not(all(target_os = "linux", not(feature = "testing"))))]
        Self::now()
    }

    /// The present as far as it matters to who waits for `limit` from now on, and when that is over: never too early, and up to
    /// a fiftieth of the limit late.
    pub(crate) fn with_end(limit: Duration) -> (Self, Self) {
        #[cfg(all(target_os = "linux", not(feature = "testing")))]
        if let Some(lately) = coarse::with_end(limit) {
            return lately;
        }
        let now = Self::now();
        (now, now + limit)
    }

    /// From a count of nanoseconds.
    pub const fn from_nanos(nanos: u64) -> Self {
        Self(nanos)
    }

    /// As a count of nanoseconds.
    pub const fn as_nanos(self) -> u64 {
        self.0
    }

    /// The time since `earlier`; zero where that lies ahead.
    pub const fn since(self, earlier: Self) -> Duration {
        Duration::from_nanos(self.0.saturating_sub(earlier.0))
    }

    /// The next moment that all come to who count by this period.
    #[must_use]
    pub fn next_step(self, period: Duration) -> Self {
        let period = nanos(period).max(1);
        Self(self.0.saturating_add(period - self.0 % period))
    }

    pub(crate) fn from_instant(instant: tokio::time::Instant) -> Self {
        let since = instant.into_std().saturating_duration_since(base());
        Self(nanos(since))
    }

    /// As an instant of tokio's clock, to sleep until.
    pub fn instant(self) -> tokio::time::Instant {
        tokio::time::Instant::from_std(base() + Duration::from_nanos(self.0))
    }
}

#[cfg(feature = "testing")]
thread_local! {
    static ZERO: std::cell::Cell<Option<std::time::Instant>> = const { std::cell::Cell::new(None) };
}

/// For as long as it lives, this thread's moments begin anew, so that one run's are the next one's too.
#[cfg(feature = "testing")]
#[derive(Debug)]
pub(crate) struct OwnZero(Option<std::time::Instant>);

#[cfg(feature = "testing")]
impl OwnZero {
    /// Moments begin at `start`.
    pub(crate) fn begin(start: tokio::time::Instant) -> Self {
        Self(ZERO.replace(start.into_std().checked_sub(HEAD_START)))
    }
}

#[cfg(feature = "testing")]
impl Drop for OwnZero {
    fn drop(&mut self) {
        ZERO.set(self.0);
    }
}

fn base() -> std::time::Instant {
    static BASE: OnceLock<std::time::Instant> = OnceLock::new();
    #[cfg(feature = "testing")]
    if let Some(zero) = ZERO.get() {
        return zero;
    }
    *BASE.get_or_init(|| {
        let now = std::time::Instant::now();
        now.checked_sub(HEAD_START).unwrap_or(now)
    })
}

fn nanos(duration: Duration) -> u64 {
    u64::try_from(duration.as_nanos()).unwrap_or(u64::MAX)
}

/// As [`Moment::instant`], for what takes an instant of tokio's clock.
impl From<Moment> for tokio::time::Instant {
    fn from(moment: Moment) -> Self {
        moment.instant()
    }
}

impl Add<Duration> for Moment {
    type Output = Self;

    fn add(self, duration: Duration) -> Self {
        Self(self.0.saturating_add(nanos(duration)))
    }
}

impl Sub<Duration> for Moment {
    type Output = Self;

    fn sub(self, duration: Duration) -> Self {
        Self(self.0.saturating_sub(nanos(duration)))
    }
}

impl fmt::Display for Moment {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:?}", Duration::from_nanos(self.0))
    }
}

/// Chance, as a machine sees it: the caller brings it.
pub trait Chance {
    /// A number in 0..1.
    fn unit(&mut self) -> f64;
}

/// A small generator (`SplitMix64`) that a seed determines wholly; for jitter and simulation, not for secrets.
#[derive(Clone, Debug)]
pub struct Seeded(u64);

impl Seeded {
    /// The generator of `seed`.
    pub const fn new(seed: u64) -> Self {
        Self(seed)
    }

    /// The next 64 bits.
    pub fn next_u64(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let mut mixed = self.0;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        mixed ^ (mixed >> 31)
    }

    /// A number in `0..bound`; 0 where the bound is 0.
    pub fn below(&mut self, bound: u64) -> u64 {
        if bound == 0 { 0 } else { self.next_u64() % bound }
    }
}

impl Chance for Seeded {
    fn unit(&mut self) -> f64 {
        #[expect(clippy::cast_precision_loss, reason = "53 bits are what a double holds")]
        let (numerator, denominator) = ((self.next_u64() >> 11) as f64, (1u64 << 53) as f64);
        numerator / denominator
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_moment_and_its_instant_are_the_same_time() {
        let now = Moment::now();
        assert_eq!(Moment::from_instant(now.instant()), now);
        assert_eq!(tokio::time::Instant::from(now), now.instant());
    }

    #[test]
    fn the_next_step_is_the_same_for_all_within_a_period_and_never_the_present() {
        let step = |nanos| {
            Moment::from_nanos(nanos)
                .next_step(Duration::from_nanos(100))
                .as_nanos()
        };
        assert_eq!([200, 201, 299, 300].map(step), [300, 300, 300, 400]);
        assert_eq!(Moment::from_nanos(7).next_step(Duration::ZERO), Moment::from_nanos(8));
        assert_eq!(
            Moment::from_nanos(u64::MAX).next_step(Duration::MAX),
            Moment::from_nanos(u64::MAX)
        );
    }

    #[test]
    fn moments_never_wrap() {
        assert_eq!(
            Moment::from_nanos(u64::MAX) + Duration::MAX,
            Moment::from_nanos(u64::MAX)
        );
        assert_eq!(Moment::default() - Duration::from_secs(1), Moment::default());
        assert_eq!(Moment::default().since(Moment::now()), Duration::ZERO);
    }

    #[test]
    fn a_seed_determines_its_numbers() {
        let draw = |seed| {
            (0..5)
                .map({
                    let mut seeded = Seeded::new(seed);
                    move |_| seeded.next_u64()
                })
                .collect::<Vec<_>>()
        };
        assert_eq!(draw(7), draw(7));
        assert_ne!(draw(7), draw(8));
        assert!(
            (0..1000)
                .scan(Seeded::new(1), |seeded, _| Some(seeded.unit()))
                .all(|unit| (0.0..1.0).contains(&unit))
        );
    }
}
