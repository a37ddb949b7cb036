//! The kernel's note of the time: a quarter of the cost of a look at the clock, and up to a tick behind it.

use std::sync::OnceLock;
use std::time::Duration;

use rustix::time::{ClockId, Timespec, clock_getres, clock_gettime};

use super::{Moment, nanos};

/// How often both clocks are looked at to find what lies between them; the closest two looks count.
const LOOKS: u32 = 8;

/// A limit of so many ticks may be over by one.
const TICKS_OF_LONG: u64 = 50;

/// What is to be known of the kernel's clock to read it.
#[derive(Clone, Copy, Debug)]
struct Known {
    /// What it would have said when moments began.
    beginning: u64,
    /// How far the note may be behind.
    tick: u64,
}

/// What the note says, as a moment that is never later than the present.
pub(super) fn moment() -> Moment {
    known().moment()
}

/// The same and when `limit` is over from then on, at the latest a tick after it is; none where that would be late for it.
pub(super) fn with_end(limit: Duration) -> Option<(Moment, Moment)> {
    let (known, limit) = (known(), nanos(limit));
    let (now, is_long) = (known.moment(), limit >= known.tick * TICKS_OF_LONG);
    is_long.then_some((now, Moment(now.0.saturating_add(known.tick).saturating_add(limit))))
}

impl Known {
    fn moment(self) -> Moment {
        Moment(on(ClockId::MonotonicCoarse).wrapping_sub(self.beginning))
    }

    fn found() -> Self {
        let looks = (0..LOOKS).map(|_| {
            let before = Moment::now();
            let beginning = on(ClockId::Monotonic).wrapping_sub(before.0);
            (Moment::now().since(before), beginning)
        });
        Self {
            beginning: looks.min().map_or(0, |(_, beginning)| beginning),
            tick: count(clock_getres(ClockId::MonotonicCoarse)),
        }
    }
}

fn known() -> Known {
    static KNOWN: OnceLock<Known> = OnceLock::new();
    *KNOWN.get_or_init(Known::found)
}

fn on(clock: ClockId) -> u64 {
    count(clock_gettime(clock))
}

fn count(time: Timespec) -> u64 {
    let [seconds, nanos] = [time.tv_sec, time.tv_nsec].map(|part| u64::try_from(part).unwrap_or_default());
    seconds.wrapping_mul(1_000_000_000).wrapping_add(nanos)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_note_is_never_ahead_and_catches_up_with_each_moment() {
        for _ in 0..3 {
            let begun = Moment::now();
            while moment() < begun {
                assert!(moment() <= Moment::now());
            }
        }
        assert!(moment() <= Moment::now());
    }

    #[test]
    fn a_limit_is_never_over_too_early_and_a_short_one_not_late() {
        let tick = known().tick;
        assert!((100_000..50_000_000).contains(&tick), "{tick}");
        let long = Duration::from_nanos(TICKS_OF_LONG * tick);
        assert_eq!(with_end(long.saturating_sub(Duration::from_nanos(1))), None);
        for _ in 0..1000 {
            let before = Moment::now();
            let (now, end) = with_end(long).unwrap();
            let after = Moment::now();
            assert!(now <= after && end <= after + long + Duration::from_nanos(tick));
            // A host that takes the processor away holds its note up too.
            assert!(end >= before + long - Duration::from_millis(200), "{before} {end}");
        }
        assert_eq!(with_end(Duration::MAX).unwrap().1, Moment(u64::MAX));
    }
}
