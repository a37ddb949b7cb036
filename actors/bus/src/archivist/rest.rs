//! When a journal that does not open is tried again. A machine.

use std::time::Duration;

use triarch_supervision::clock::Moment;

/// The first rest, and the longest.
const RESTS: (Duration, Duration) = (Duration::from_millis(100), Duration::from_secs(1));

/// Each rest is twice as long as the one before, and begins when a try has ended: whoever waits is answered between two of them,
/// however long each takes.
#[derive(Debug)]
pub(super) struct Rest {
    until: Option<Moment>,
    next: Duration,
}

impl Default for Rest {
    fn default() -> Self {
        Self {
            until: None,
            next: RESTS.0,
        }
    }
}

impl Rest {
    pub(super) fn is_over(&self, now: Moment) -> bool {
        self.until.is_none_or(|until| until <= now)
    }

    /// A try has ended in vain.
    pub(super) fn begin(&mut self, now: Moment) {
        self.until = Some(now + self.next);
        self.next = (self.next * 2).min(RESTS.1);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_rest_is_twice_as_long_as_the_one_before_up_to_the_longest() {
        let (mut rest, mut now) = (Rest::default(), Moment::from_nanos(0));
        assert!(rest.is_over(now));
        for millis in [100, 200, 400, 800, 1000, 1000] {
            rest.begin(now);
            now = now + Duration::from_millis(millis - 1);
            assert!(!rest.is_over(now), "{millis}");
            now = now + Duration::from_millis(1);
            assert!(rest.is_over(now), "{millis}");
        }
    }
}
