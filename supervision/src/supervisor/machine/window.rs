//! Restart intensity: how many restarts a supervisor bears within a sliding period.

use std::collections::VecDeque;
use std::time::Duration;

use crate::clock::Moment;
use crate::policy::Intensity;

/// The restarts of the last period, oldest first; never more of them than the intensity allows. Of whom each was, is
/// told by `K`: the machine knows its children by key, and who counts what it decides knows them by name.
#[derive(Clone, Debug)]
pub(crate) struct Window<K> {
    intensity: Intensity,
    restarts: VecDeque<(Moment, K)>,
}

impl<K: PartialEq> Window<K> {
    pub(crate) fn new(intensity: Intensity) -> Self {
        Self {
            intensity,
            restarts: VecDeque::new(),
        }
    }

    /// Counts a restart of `key`, unless that makes one too many.
    pub(crate) fn admit(&mut self, key: K, now: Moment) -> bool {
        let outdated = self.outdated(now);
        self.restarts.drain(..outdated);
        let admitted = self.restarts.len() < self.allowed();
        if admitted {
            self.restarts.push_back((now, key));
        }
        admitted
    }

    /// Forgets the restarts of `key`, so that its siblings are not punished for them.
    pub(crate) fn forgive(&mut self, key: &K) {
        self.restarts.retain(|(_, restarted)| restarted != key);
    }

    /// Restarts within the period that ends now, and how many are allowed.
    pub(crate) fn used(&self, now: Moment) -> (u32, u32) {
        let used = self.restarts.len() - self.outdated(now);
        (u32::try_from(used).unwrap_or(u32::MAX), self.intensity.restarts)
    }

    /// The time within which restarts count.
    pub(crate) fn period(&self) -> Duration {
        self.intensity.period
    }

    /// How many restarts lie before the period. One exactly a period ago still counts, as in OTP, where a
    /// restart stays in the list while `R >= Now - Period`.
    fn outdated(&self, now: Moment) -> usize {
        let begin = now - self.intensity.period;
        // Most often there are none: what lies far apart in memory is looked at only where some may be.
        if self.restarts.front().is_none_or(|(oldest, _)| *oldest >= begin) {
            return 0;
        }
        self.restarts.partition_point(|(at, _)| *at < begin)
    }

    /// Another intensity from `now` on. Of the restarts of the period that ends now the newest count, as many as may
    /// matter.
    pub(crate) fn adjust(&mut self, intensity: Intensity, now: Moment) {
        let outdated = self.outdated(now);
        self.restarts.drain(..outdated);
        self.intensity = intensity;
        let beyond = self.restarts.len().saturating_sub(self.allowed());
        self.restarts.drain(..beyond);
    }

    /// Forgets all restarts: whoever bears them begins anew.
    pub(crate) fn clear(&mut self) {
        self.restarts.clear();
    }

    fn allowed(&self) -> usize {
        usize::try_from(self.intensity.restarts).unwrap_or(usize::MAX)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::supervisor::machine::ChildKey;

    const PERIOD: Duration = Duration::from_secs(5);
    const NANO: Duration = Duration::from_nanos(1);
    const LEFT: ChildKey = ChildKey(1);
    const RIGHT: ChildKey = ChildKey(2);

    fn start() -> Moment {
        Moment::from_nanos(1_000_000_000_000)
    }

    #[test]
    fn a_restart_beyond_the_allowed_number_is_refused() {
        let mut window = Window::new(Intensity::new(2, PERIOD));
        assert!(window.admit(LEFT, start()));
        assert!(window.admit(LEFT, start()));
        assert!(!window.admit(LEFT, start()));
        assert_eq!(window.used(start()), (2, 2));
    }

    #[test]
    fn a_restart_exactly_a_period_ago_still_counts_and_one_nanosecond_older_does_not() {
        let mut window = Window::new(Intensity::new(1, PERIOD));
        assert!(window.admit(LEFT, start()));
        assert!(!window.clone().admit(LEFT, start() + PERIOD));
        assert!(window.admit(LEFT, start() + PERIOD + NANO));
    }

    #[test]
    fn no_restart_is_allowed_where_none_is() {
        let mut window = Window::new(Intensity::new(0, PERIOD));
        assert!(!window.admit(LEFT, start()));
    }

    #[test]
    fn the_window_slides_instead_of_starting_afresh() {
        let mut window = Window::new(Intensity::new(2, PERIOD));
        assert!(window.admit(LEFT, start()));
        assert!(window.admit(LEFT, start() + PERIOD / 2));
        let later = start() + PERIOD + NANO;
        assert_eq!(window.used(later), (1, 2));
        assert!(window.admit(LEFT, later));
        assert!(!window.admit(LEFT, later));
    }

    #[test]
    fn forgiving_one_child_leaves_the_restarts_of_its_siblings() {
        let mut window = Window::new(Intensity::new(3, PERIOD));
        assert!(window.admit(LEFT, start()) && window.admit(RIGHT, start()) && window.admit(LEFT, start()));
        window.forgive(&LEFT);
        assert_eq!(window.used(start()), (1, 3));
    }

    #[test]
    fn restarts_that_were_count_under_another_intensity() {
        let mut window = Window::new(Intensity::new(3, PERIOD));
        assert!(window.admit(LEFT, start()) && window.admit(RIGHT, start() + NANO));
        window.adjust(Intensity::new(1, PERIOD), start() + NANO);
        assert_eq!(window.used(start() + NANO), (1, 1));
        assert!(
            !window.admit(LEFT, start() + PERIOD),
            "the newest of them is still in its period"
        );
        assert!(window.admit(LEFT, start() + PERIOD + 2 * NANO));
        window.adjust(Intensity::new(2, PERIOD), start() + PERIOD + 2 * NANO);
        assert!(window.admit(LEFT, start() + PERIOD + 2 * NANO));
    }

    #[test]
    fn the_window_keeps_no_more_than_it_needs() {
        let mut window = Window::new(Intensity::new(3, PERIOD));
        for second in 0..10_000 {
            window.admit(LEFT, start() + Duration::from_secs(second));
        }
        assert!(window.restarts.len() <= 3);
    }
}
