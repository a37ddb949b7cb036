//! Amounts of bytes as people write them.

use std::borrow::Cow;
use std::fmt;

use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::de::Error as _;
use serde::{Deserialize, Deserializer, Serialize, Serializer};

/// The units that are known, the largest first.
const UNITS: [(&str, u64); 4] = [("GiB", 1 << 30), ("MiB", 1 << 20), ("KiB", 1 << 10), ("B", 1)];

/// An amount of bytes, written as in `"512MiB"`, `"64KiB"` or `"1000B"`.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Size(pub u64);

impl Size {
    /// The number of bytes, or as many as this machine can count.
    pub fn bytes(self) -> usize {
        usize::try_from(self.0).unwrap_or(usize::MAX)
    }

    fn read(text: &str) -> Option<Self> {
        let (unit, factor) = UNITS.iter().find(|(unit, _)| text.ends_with(unit))?;
        let number: u64 = text.strip_suffix(unit)?.trim_end().parse().ok()?;
        number.checked_mul(*factor).map(Self)
    }
}

impl fmt::Display for Size {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let whole = UNITS
            .iter()
            .find(|(_, factor)| self.0.is_multiple_of(*factor) && self.0 > 0);
        let (unit, factor) = whole.unwrap_or(&("B", 1));
        write!(f, "{}{unit}", self.0 / factor)
    }
}

impl fmt::Debug for Size {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{self}")
    }
}

impl Serialize for Size {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for Size {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = String::deserialize(deserializer)?;
        Self::read(&text).ok_or_else(|| {
            D::Error::custom(format!(
                "{text:?} is no amount of bytes; write it as in \"512MiB\", \"64KiB\" or \"1000B\""
            ))
        })
    }
}

impl JsonSchema for Size {
    fn schema_name() -> Cow<'static, str> {
        "Size".into()
    }

    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        json_schema!({
            "type": "string",
            "description": "An amount of bytes, as in 512MiB, 64KiB or 1000B.",
        })
    }
}

/// For a setting that is a plain number of bytes: `#[serde(with = "triarch_teams::as_size")]` has it read and written as a [`Size`].
pub mod as_size {
    use serde::de::Error as _;
    use serde::{Deserialize, Deserializer, Serialize, Serializer};

    use super::Size;

    /// Writes it.
    pub fn serialize<N: Copy + TryInto<u64>, S: Serializer>(bytes: &N, serializer: S) -> Result<S::Ok, S::Error> {
        Size((*bytes).try_into().unwrap_or(u64::MAX)).serialize(serializer)
    }

    /// Reads it.
    pub fn deserialize<'de, N: TryFrom<u64>, D: Deserializer<'de>>(deserializer: D) -> Result<N, D::Error> {
        let Size(bytes) = Size::deserialize(deserializer)?;
        N::try_from(bytes)
            .map_err(|_| D::Error::custom(format!("{} are more than this machine can count", Size(bytes))))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_size_is_read_as_people_write_it_and_written_so() {
        for (text, bytes) in [("512MiB", 512 << 20), ("1 GiB", 1 << 30), ("0B", 0), ("1500B", 1_500)] {
            let size: Size = serde_json::from_value(text.into()).unwrap();
            assert_eq!(size.0, bytes, "{text}");
            let written = serde_json::to_value(size).unwrap();
            assert_eq!(serde_json::from_value::<Size>(written).unwrap(), size);
        }
        assert_eq!(Size(1 << 20).to_string(), "1MiB");
    }

    #[test]
    fn what_is_no_size_says_how_to_write_one() {
        for text in ["", "MiB", "-1B", "512", "512MB", "99999999999GiB"] {
            let error = serde_json::from_value::<Size>(text.into()).unwrap_err().to_string();
            assert!(
                error.ends_with("write it as in \"512MiB\", \"64KiB\" or \"1000B\""),
                "{error}"
            );
        }
    }
}
