//! When the next posts of an even stream are due: a machine that is told what time it is.

use std::time::Duration;

use triarch_supervision::clock::Moment;

/// Posts in a million seconds, so that a rate is a whole number and nothing drifts.
const RATE_SCALE: u64 = 1_000_000;
const NANOS_PER_SECOND: u128 = 1_000_000_000;

/// An even stream since a beginning.
#[derive(Clone, Debug)]
pub(super) struct Pace {
    begun: Moment,
    /// Posts in a million seconds; not 0.
    rate: u64,
    burst: u64,
    /// How many fell due before now.
    fallen_due: u64,
}

/// What has fallen due.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Due {
    /// To be sent now.
    pub(super) now: u64,
    /// Too many to be made up for.
    pub(super) skipped: u64,
}

impl Pace {
    /// `rate` posts in a second, of which at most `burst` are sent at once where it is late.
    pub(super) fn new(rate: f64, burst: u64, begun: Moment) -> Self {
        Self {
            begun,
            rate: scaled(rate).max(1),
            burst,
            fallen_due: 0,
        }
    }

    /// What has fallen due since the last call.
    pub(super) fn due(&mut self, now: Moment) -> Due {
        let total = self.total_by(now);
        let gained = total.saturating_sub(self.fallen_due);
        self.fallen_due = self.fallen_due.max(total);
        let sent = gained.min(self.burst);
        Due {
            now: sent,
            skipped: gained - sent,
        }
    }

    /// When the next one falls due.
    pub(super) fn next(&self) -> Moment {
        let nanos = (u128::from(self.fallen_due) + 1) * NANOS_PER_SECOND * u128::from(RATE_SCALE);
        let nanos = nanos.div_ceil(u128::from(self.rate));
        self.begun + Duration::from_nanos(u64::try_from(nanos).unwrap_or(u64::MAX))
    }

    fn total_by(&self, now: Moment) -> u64 {
        let scaled = now.since(self.begun).as_nanos() * u128::from(self.rate);
        u64::try_from(scaled / (NANOS_PER_SECOND * u128::from(RATE_SCALE))).unwrap_or(u64::MAX)
    }
}

#[expect(
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    clippy::cast_precision_loss,
    reason = "a rate was checked to lie far within these bounds"
)]
fn scaled(rate: f64) -> u64 {
    (rate * RATE_SCALE as f64).round() as u64
}

#[cfg(test)]
mod tests {
    use super::*;

    const BEGUN: Moment = Moment::from_nanos(1_000_000);

    fn after(nanos: u64) -> Moment {
        BEGUN + Duration::from_nanos(nanos)
    }

    #[test]
    fn a_post_is_due_at_its_moment_and_not_before() {
        for rate in [0.001, 0.3, 1.0, 3.0, 7.77, 1000.0, 99_999.9] {
            let mut pace = Pace::new(rate, 1, BEGUN);
            for number in 0..1000 {
                let next = pace.next();
                let early = pace.due(next - Duration::from_nanos(1));
                assert_eq!(early, Due::default(), "{rate}: {number}");
                assert_eq!(pace.due(next), Due { now: 1, skipped: 0 }, "{rate}: {number}");
            }
        }
    }

    #[test]
    fn looks_at_odd_times_do_not_make_it_drift() {
        let mut pace = Pace::new(1000.0, 100, BEGUN);
        let sent: u64 = (1..=10_000).map(|look| pace.due(after(look * 1_234_567)).now).sum();
        assert_eq!(sent, 12_345);
    }

    #[test]
    fn what_is_late_beyond_the_burst_is_skipped_and_the_stream_goes_on_evenly() {
        let mut pace = Pace::new(10.0, 3, BEGUN);
        assert_eq!(pace.due(after(1_000_000_000)), Due { now: 3, skipped: 7 });
        assert_eq!(pace.next(), after(1_100_000_000));
    }

    #[test]
    fn a_clock_that_stands_still_makes_nothing_due() {
        let mut pace = Pace::new(10.0, 3, BEGUN);
        pace.due(after(200_000_000));
        assert_eq!(pace.due(after(100_000_000)), Due::default());
        assert_eq!(pace.next(), after(300_000_000));
    }
}
