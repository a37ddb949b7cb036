//! Times as people write them: of the clock, or how long ago.

use std::fmt;
use std::ops::RangeInclusive;
use std::str::FromStr;
use std::time::{SystemTime, UNIX_EPOCH};

use serde::de::Error as _;
use serde::{Deserialize, Deserializer, Serialize, Serializer};
use triarch_memory::{Clock, StoreTime};
use triarch_teams::Span;

use super::super::seen::millis;

/// A time.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum When {
    /// By the clock of the world.
    At(SystemTime),
    /// So long before now.
    Ago(Span),
}

impl When {
    /// As a time of the world, of which it is `now`.
    pub(in crate::operations) fn seen_from(self, now: SystemTime) -> SystemTime {
        match self {
            Self::At(time) => time,
            Self::Ago(Span(ago)) => now.checked_sub(ago).map_or(UNIX_EPOCH, |time| time.max(UNIX_EPOCH)),
        }
    }

    fn by(self, clock: &Clock) -> StoreTime {
        match self {
            Self::At(time) => clock.time_of(time),
            Self::Ago(Span(time)) => StoreTime::from_millis(clock.now().as_millis().saturating_sub(millis(time))),
        }
    }
}

/// From the one to the other, both included; nothing where neither is said.
pub(super) fn between(after: Option<When>, before: Option<When>, clock: &Clock) -> Option<RangeInclusive<StoreTime>> {
    if after.is_none() && before.is_none() {
        return None;
    }
    let after = after.map_or_else(StoreTime::default, |when| when.by(clock));
    let before = before.map_or(StoreTime::from_millis(u64::MAX), |when| when.by(clock));
    Some(after..=before)
}

impl FromStr for When {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let ago = text.parse().map(Self::Ago);
        ago.or_else(|_| humantime::parse_rfc3339_weak(text).map(Self::At))
            .map_err(|_| {
                format!("{text:?} is no time; write it in UTC, as in 2026-11-22T08:00:00Z, or as 1h for an hour ago")
            })
    }
}

impl fmt::Display for When {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::At(time) => humantime::format_rfc3339_millis(*time).fmt(f),
            Self::Ago(span) => span.fmt(f),
        }
    }
}

impl Serialize for When {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for When {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        String::deserialize(deserializer)?.parse().map_err(D::Error::custom)
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    #[test]
    fn a_time_is_of_the_clock_or_so_long_ago_and_is_written_as_it_is_read() {
        let clock = Clock::by_hand();
        clock.set(StoreTime::from_millis(7_200_000));
        let of = |text: &str| text.parse::<When>().unwrap().by(&clock).as_millis();
        assert_eq!(of("1h"), 3_600_000);
        assert_eq!(of("9h"), 0, "before all");
        assert_eq!(of("1970-01-01T01:00:00Z"), 3_600_000);
        for when in [
            When::Ago(Span(Duration::from_mins(90))),
            When::At(UNIX_EPOCH + Duration::from_millis(1_500)),
        ] {
            assert_eq!(when.to_string().parse(), Ok(when));
        }
        assert!("soon".parse::<When>().unwrap_err().contains("1h for an hour ago"));
    }

    #[test]
    fn what_is_so_long_ago_is_seen_from_now_and_not_before_the_world_began() {
        let now = UNIX_EPOCH + Duration::from_hours(2);
        let seen = |text: &str| text.parse::<When>().unwrap().seen_from(now);
        assert_eq!(seen("1h"), UNIX_EPOCH + Duration::from_hours(1));
        assert_eq!(seen("3h"), UNIX_EPOCH);
        assert_eq!(seen("1970-01-01T00:00:05Z"), UNIX_EPOCH + Duration::from_secs(5));
    }

    #[test]
    fn what_is_not_said_bounds_nothing() {
        let clock = Clock::by_hand();
        clock.set(StoreTime::from_millis(100));
        let ago = |millis| Some(When::Ago(Span(Duration::from_millis(millis))));
        assert_eq!(between(None, None, &clock), None);
        let after = between(ago(40), None, &clock).unwrap();
        assert!(after.contains(&StoreTime::from_millis(60)) && !after.contains(&StoreTime::from_millis(59)));
        let before = between(None, ago(40), &clock).unwrap();
        assert!(before.contains(&StoreTime::from_millis(60)) && !before.contains(&StoreTime::from_millis(61)));
    }
}
