//! Lengths of time as people write them.

use std::borrow::Cow;
use std::fmt;
use std::str::FromStr;
use std::time::Duration;

use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::de::Error as _;
use serde::{Deserialize, Deserializer, Serialize, Serializer};

/// A length of time, written as in `"250ms"`, `"5s"` or `"1h 30m"`.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Span(pub Duration);

impl fmt::Display for Span {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        humantime::format_duration(self.0).fmt(f)
    }
}

impl fmt::Debug for Span {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{self}")
    }
}

/// That a text is no length of time.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{0:?} is no length of time; write it as in \"250ms\" or \"5s\"")]
pub struct NoSpan(String);

impl FromStr for Span {
    type Err = NoSpan;

    fn from_str(text: &str) -> Result<Self, NoSpan> {
        let read = humantime::parse_duration(text);
        read.map(Self).map_err(|_| NoSpan(text.to_owned()))
    }
}

impl Serialize for Span {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for Span {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        String::deserialize(deserializer)?.parse().map_err(D::Error::custom)
    }
}

impl JsonSchema for Span {
    fn schema_name() -> Cow<'static, str> {
        "Span".into()
    }

    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        json_schema!({
            "type": "string",
            "format": "span",
            "description": "A length of time, as in 250ms, 5s or 1h 30m.",
        })
    }
}

/// For a setting that is a plain time: `#[serde(with = "triarch_teams::as_span")]` has it read and written as a [`Span`].
pub mod as_span {
    use std::time::Duration;

    use serde::{Deserialize, Deserializer, Serialize, Serializer};

    use super::Span;

    /// Writes it.
    pub fn serialize<S: Serializer>(time: &Duration, serializer: S) -> Result<S::Ok, S::Error> {
        Span(*time).serialize(serializer)
    }

    /// Reads it.
    pub fn deserialize<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Duration, D::Error> {
        Span::deserialize(deserializer).map(|Span(time)| time)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_span_is_read_as_people_write_it_and_written_so() {
        let span: Span = serde_json::from_str(r#""1h 30m""#).unwrap();
        assert_eq!(span.0, Duration::from_mins(90));
        assert_eq!(serde_json::to_string(&span).unwrap(), r#""1h 30m""#);
    }

    #[test]
    fn what_is_no_length_of_time_says_how_to_write_one() {
        assert_eq!("250ms".parse(), Ok(Span(Duration::from_millis(250))));
        let told = "soon".parse::<Span>().unwrap_err().to_string();
        assert_eq!(told, r#""soon" is no length of time; write it as in "250ms" or "5s""#);
        let error = serde_json::from_str::<Span>(r#""soon""#).unwrap_err().to_string();
        assert!(
            error.starts_with(r#""soon" is no length of time; write it as in "250ms" or "5s""#),
            "{error}"
        );
    }
}
