//! Times as lines and people write them.

use std::fmt;
use std::str::FromStr;
use std::time::{Duration, UNIX_EPOCH};

use serde::de::{Error, Visitor};
use serde::{Deserialize, Deserializer, Serialize, Serializer};
use triarch_bus::Timestamp;
use triarch_teams::Span;

use super::super::memory::when::When;
use crate::wall_clock::wall_clock;

/// A time by the clock of the world, as people write it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Time(pub(crate) Timestamp);

/// As a time is shown.
pub(super) fn written(time: Timestamp) -> String {
    let at = UNIX_EPOCH + Duration::from_micros(time.0);
    humantime::format_rfc3339_micros(at).to_string()
}

impl FromStr for Time {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let time = text.parse::<When>()?.seen_from(wall_clock());
        let since = time.duration_since(UNIX_EPOCH);
        let micros = since.map(|since| u64::try_from(since.as_micros()).unwrap_or(u64::MAX));
        micros
            .map(|micros| Self(Timestamp(micros)))
            .map_err(|_| format!("{text:?} is before all time; write a later one"))
    }
}

impl Serialize for Time {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(&written(self.0))
    }
}

impl<'de> Deserialize<'de> for Time {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        String::deserialize(deserializer)?.parse().map_err(D::Error::custom)
    }
}

/// A length of time as `"30s"`, or as so many milliseconds.
pub(super) fn span<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<Span>, D::Error> {
    deserializer.deserialize_any(SpanOrNumber)
}

struct SpanOrNumber;

impl Visitor<'_> for SpanOrNumber {
    type Value = Option<Span>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a length of time, as in \"30s\", or a number of milliseconds")
    }

    fn visit_u64<E: Error>(self, number: u64) -> Result<Option<Span>, E> {
        Ok(Some(Span(Duration::from_millis(number))))
    }

    fn visit_str<E: Error>(self, text: &str) -> Result<Option<Span>, E> {
        text.parse().map(Some).map_err(E::custom)
    }

    fn visit_unit<E: Error>(self) -> Result<Option<Span>, E> {
        Ok(None)
    }
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;

    #[test]
    fn a_time_is_read_as_it_is_written_or_as_so_long_ago_and_nothing_else() {
        let time: Time = "2026-11-22T08:00:00.25Z".parse().unwrap();
        assert_eq!(written(time.0), "2026-11-22T08:00:00.250000Z");
        assert_eq!(serde_json::from_value::<Time>(json!(time)).unwrap(), time);
        let ago = |text: &str| text.parse::<Time>().unwrap().0.0;
        let (two_hours, one) = (ago("2h"), ago("1h"));
        assert!((3_600_000_000..3_700_000_000).contains(&(one - two_hours)));
        for text in ["yesterday", "2026-11-22", ""] {
            let told = text.parse::<Time>().unwrap_err();
            assert!(
                told.ends_with("is no time; write it in UTC, as in 2026-11-22T08:00:00Z, or as 1h for an hour ago"),
                "{told}"
            );
        }
        assert!("1969-12-31T23:59:59Z".parse::<Time>().is_err());
    }

    #[test]
    fn a_length_of_time_is_a_text_or_milliseconds() {
        let read = |value: Value| span(value).map_err(|error| error.to_string());
        assert_eq!(read(json!("2s")).unwrap(), Some(Span(Duration::from_secs(2))));
        assert_eq!(read(json!(1500)).unwrap(), Some(Span(Duration::from_millis(1500))));
        assert_eq!(read(json!(null)).unwrap(), None);
        let told = read(json!("soon")).unwrap_err();
        assert_eq!(
            told,
            "\"soon\" is no length of time; write it as in \"250ms\" or \"5s\""
        );
        for wrong in [json!(-1), json!(true)] {
            let told = read(wrong).unwrap_err();
            assert!(
                told.contains("a length of time, as in \"30s\", or a number of milliseconds"),
                "{told}"
            );
        }
    }
}
