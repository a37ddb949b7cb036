//! A time of the day, each day once: a machine that is told what the wall clock says.

use std::time::Duration;

const DAY: Duration = Duration::from_hours(24);

/// How long it is waited at most before the wall clock is looked at again: it may have been set.
const LOOK_AFTER_MAX: Duration = Duration::from_mins(1);

/// When the next day's time comes. Times are those since the epoch, in UTC.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Daily {
    time_of_day: Duration,
    next: Duration,
}

/// The time that `"HH:MM"` is after midnight.
pub(super) fn time_of_day(text: &str) -> Option<Duration> {
    let (hours, minutes) = text.split_once(':')?;
    let number = |digits: &str, bound: u64| {
        let is_pair = digits.len() == 2 && digits.bytes().all(|byte| byte.is_ascii_digit());
        digits.parse().ok().filter(|number| is_pair && *number < bound)
    };
    Some(Duration::from_hours(number(hours, 24)?) + Duration::from_mins(number(minutes, 60)?))
}

impl Daily {
    /// The first time is the next one after `now`.
    pub(super) fn new(time_of_day: Duration, now: Duration) -> Self {
        let next = following(time_of_day, now);
        Self { time_of_day, next }
    }

    /// Whether its time has come; days that passed unseen are not made up for.
    pub(super) fn is_due(&mut self, now: Duration) -> bool {
        let is_due = now >= self.next;
        // A clock that was set back would otherwise leave it waiting for days.
        if is_due || self.next > now + DAY {
            self.next = following(self.time_of_day, now);
        }
        is_due
    }

    /// How long to wait before it is to be asked again.
    pub(super) fn look_after(&self, now: Duration) -> Duration {
        self.next.saturating_sub(now).min(LOOK_AFTER_MAX)
    }
}

fn following(time_of_day: Duration, now: Duration) -> Duration {
    let midnight = Duration::from_secs(now.as_secs() / DAY.as_secs() * DAY.as_secs());
    let today = midnight + time_of_day;
    if today > now { today } else { today + DAY }
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOON: Duration = Duration::from_hours(12);

    fn before(time: Duration, by: Duration) -> Duration {
        time.saturating_sub(by)
    }

    #[test]
    fn a_time_of_day_is_two_pairs_of_digits() {
        assert_eq!(time_of_day("00:00"), Some(Duration::ZERO));
        assert_eq!(time_of_day("23:59"), Some(before(DAY, Duration::from_mins(1))));
        for text in ["", "7:30", "07:3", "24:00", "07:60", "+7:30", "07.30", "07:30:00"] {
            assert_eq!(time_of_day(text), None, "{text}");
        }
    }

    #[test]
    fn it_is_due_once_a_day() {
        let mut daily = Daily::new(NOON, Duration::ZERO);
        assert!(!daily.is_due(before(NOON, Duration::from_nanos(1))));
        assert!(daily.is_due(NOON));
        assert!(!daily.is_due(NOON));
        assert!(!daily.is_due(before(NOON + DAY, Duration::from_nanos(1))));
        assert!(daily.is_due(NOON + DAY));
    }

    #[test]
    fn one_that_begins_at_its_time_waits_for_the_next_day() {
        assert_eq!(Daily::new(NOON, NOON).next, NOON + DAY);
    }

    #[test]
    fn days_that_passed_unseen_are_not_made_up_for() {
        let mut daily = Daily::new(NOON, Duration::ZERO);
        assert!(daily.is_due(NOON + 9 * DAY));
        assert!(!daily.is_due(NOON + 9 * DAY));
        assert_eq!(daily.next, NOON + 10 * DAY);
    }

    #[test]
    fn a_clock_that_was_set_back_does_not_silence_it_for_days() {
        let mut daily = Daily::new(NOON, 9 * DAY);
        assert!(!daily.is_due(2 * DAY));
        assert!(daily.is_due(2 * DAY + NOON));
    }

    #[test]
    fn the_clock_is_looked_at_each_minute_and_at_the_time_itself() {
        let daily = Daily::new(NOON, Duration::ZERO);
        assert_eq!(daily.look_after(Duration::ZERO), LOOK_AFTER_MAX);
        let soon = Duration::from_secs(5);
        assert_eq!(daily.look_after(before(NOON, soon)), soon);
        assert_eq!(daily.look_after(NOON + DAY), Duration::ZERO);
    }
}
