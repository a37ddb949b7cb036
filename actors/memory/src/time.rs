//! The store's own time, which only runs forwards and which no clock's jump moves.
//!
//! ```text
//!   last anchor ──────────── down ───────────── open                          now
//!   (store time, wall,       by the machine's    │ base                        │
//!    machine's uptime)       uptime, or by the   ├──── the monotonic clock ────┤
//!                            wall clock if it    │
//!                            was rebooted
//! ```

use std::ops::Add;
use std::sync::atomic::{AtomicBool, AtomicI64, AtomicU64, Ordering};
use std::time::{Duration, SystemTime};

use serde::{Deserialize, Serialize};
use triarch_supervision::clock::Moment;

/// A point of the store's own time, in milliseconds.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct StoreTime(u64);

impl StoreTime {
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
}

impl Add<Duration> for StoreTime {
    type Output = Self;

    fn add(self, more: Duration) -> Self {
        Self(self.0.saturating_add(millis(more)))
    }
}

fn millis(time: Duration) -> u64 {
    u64::try_from(time.as_millis()).unwrap_or(u64::MAX)
}

/// What the machine's clocks say at one instant.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Reading {
    /// Milliseconds since the Unix epoch, by a clock that people and networks set.
    pub wall: u64,
    /// Milliseconds since the machine started.
    pub uptime: u64,
    /// Which start of the machine that was; empty where it does not tell.
    pub boot: String,
}

/// The store's time beside the machine's clocks, as it is written down for the next life.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Anchor {
    /// The store's time.
    pub time: StoreTime,
    /// What the clocks said.
    pub reading: Reading,
}

impl Anchor {
    /// What time it is in the store when the clocks say `now`. By the machine's uptime where it still runs, so that no
    /// jump of the wall clock counts; else by the wall clock, which then nobody can check, and never backwards.
    pub fn time_at(&self, now: &Reading) -> StoreTime {
        let is_same_boot = !now.boot.is_empty() && now.boot == self.reading.boot;
        let passed = if is_same_boot {
            now.uptime.saturating_sub(self.reading.uptime)
        } else {
            now.wall.saturating_sub(self.reading.wall)
        };
        StoreTime(self.time.0.saturating_add(passed))
    }
}

/// Tells the store's time.
#[derive(Debug)]
pub struct Clock {
    /// The store's time at `opened`, where the monotonic clock drives it; by hand it is `coarse` alone.
    is_by_hand: bool,
    has_begun: AtomicBool,
    begun: AtomicU64,
    base: AtomicU64,
    opened: AtomicU64,
    /// The last time anybody asked: for what need not be exact.
    coarse: AtomicU64,
    /// The wall clock less the store's time, in milliseconds.
    offset: AtomicI64,
}

impl Clock {
    /// Driven by the monotonic clock.
    pub fn running() -> Self {
        Self {
            is_by_hand: false,
            has_begun: AtomicBool::new(false),
            begun: AtomicU64::new(0),
            base: AtomicU64::new(0),
            opened: AtomicU64::new(Moment::now().as_nanos()),
            coarse: AtomicU64::new(0),
            offset: AtomicI64::new(0),
        }
    }

    /// Driven by [`Clock::set`] alone.
    pub fn by_hand() -> Self {
        Self {
            is_by_hand: true,
            has_begun: AtomicBool::new(false),
            begun: AtomicU64::new(0),
            base: AtomicU64::new(0),
            opened: AtomicU64::new(0),
            coarse: AtomicU64::new(0),
            offset: AtomicI64::new(0),
        }
    }

    /// Begins at `time`, the first time this is called; afterwards it goes on as it is, whatever the clocks say.
    pub(crate) fn begin(&self, time: StoreTime) {
        if !self.has_begun.swap(true, Ordering::Relaxed) {
            self.begun.store(time.0, Ordering::Relaxed);
            self.set(time);
        }
    }

    /// When this life began; what was read before that nobody has written down.
    pub(crate) fn begun(&self) -> StoreTime {
        StoreTime(self.begun.load(Ordering::Relaxed))
    }

    /// It is `time` now, unless it is later already.
    pub fn set(&self, time: StoreTime) {
        self.base.fetch_max(time.0, Ordering::Relaxed);
        if !self.is_by_hand {
            self.opened.store(Moment::now().as_nanos(), Ordering::Relaxed);
        }
        self.coarse.fetch_max(time.0, Ordering::Relaxed);
    }

    /// Now.
    pub fn now(&self) -> StoreTime {
        if self.is_by_hand {
            return self.coarse();
        }
        self.at(Moment::now())
    }

    /// What time it is at `moment`, for whoever has looked at the clock already.
    pub(crate) fn at(&self, moment: Moment) -> StoreTime {
        if self.is_by_hand {
            return self.coarse();
        }
        let opened = Moment::from_nanos(self.opened.load(Ordering::Relaxed));
        let now = StoreTime(self.base.load(Ordering::Relaxed)) + moment.since(opened);
        if self.coarse.load(Ordering::Relaxed) < now.0 {
            self.coarse.fetch_max(now.0, Ordering::Relaxed);
        }
        now
    }

    /// The last time anybody asked, which takes no look at a clock.
    pub fn coarse(&self) -> StoreTime {
        StoreTime(self.coarse.load(Ordering::Relaxed))
    }

    /// The wall clock was read as `wall` just now.
    pub fn tell_wall(&self, wall: u64) {
        let now = i64::try_from(self.now().0).unwrap_or(i64::MAX);
        let wall = i64::try_from(wall).unwrap_or(i64::MAX);
        self.offset.store(wall.saturating_sub(now), Ordering::Relaxed);
    }

    /// What people call `time`, by the wall clock as it is set now.
    pub fn wall(&self, time: StoreTime) -> SystemTime {
        let millis = time.0.saturating_add_signed(self.offset.load(Ordering::Relaxed));
        SystemTime::UNIX_EPOCH + Duration::from_millis(millis)
    }

    /// What the store calls `wall`, where that lies in its time at all.
    pub fn time_of(&self, wall: SystemTime) -> StoreTime {
        let since = wall.duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default();
        let offset = self.offset.load(Ordering::Relaxed);
        StoreTime(millis(since).saturating_add_signed(offset.saturating_neg()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const HOUR: u64 = 3_600_000;
    const TEN_YEARS: u64 = 87_600 * HOUR;

    fn reading(wall: u64, uptime: u64, boot: &str) -> Reading {
        Reading {
            wall,
            uptime,
            boot: boot.to_owned(),
        }
    }

    #[test]
    fn a_jump_of_the_wall_clock_while_the_store_is_down_moves_nothing() {
        let anchor = Anchor {
            time: StoreTime(1_000),
            reading: reading(TEN_YEARS * 2, 500, "a"),
        };
        for wall in [TEN_YEARS, TEN_YEARS * 2 + HOUR, TEN_YEARS * 3] {
            assert_eq!(anchor.time_at(&reading(wall, 700, "a")), StoreTime(1_200), "{wall}");
        }
    }

    #[test]
    fn after_a_reboot_the_wall_clock_counts_and_never_backwards() {
        let anchor = Anchor {
            time: StoreTime(1_000),
            reading: reading(5 * HOUR, 9_000, "a"),
        };
        assert_eq!(anchor.time_at(&reading(6 * HOUR, 10, "b")), StoreTime(1_000 + HOUR));
        assert_eq!(anchor.time_at(&reading(4 * HOUR, 10, "b")), StoreTime(1_000));
        assert_eq!(anchor.time_at(&reading(6 * HOUR, 10, "")), StoreTime(1_000 + HOUR));
    }

    #[test]
    fn what_people_see_follows_the_wall_clock_and_what_the_store_counts_does_not() {
        let clock = Clock::by_hand();
        clock.set(StoreTime(5_000));
        clock.tell_wall(1_000_000);
        assert_eq!(
            clock.wall(StoreTime(4_000)),
            SystemTime::UNIX_EPOCH + Duration::from_secs(999)
        );
        clock.tell_wall(TEN_YEARS);
        assert_eq!(clock.now(), StoreTime(5_000));
        let shown = clock.wall(StoreTime(4_000));
        assert_eq!(shown, SystemTime::UNIX_EPOCH + Duration::from_millis(TEN_YEARS - 1_000));
        assert_eq!(clock.time_of(shown), StoreTime(4_000));
    }

    #[test]
    fn a_clock_by_hand_goes_forwards_only() {
        let clock = Clock::by_hand();
        clock.set(StoreTime(10));
        clock.set(StoreTime(7));
        assert_eq!(clock.now(), StoreTime(10));
    }
}
