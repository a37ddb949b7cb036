//! What may be the name of a namespace, and what a key.

use std::borrow::Borrow;
use std::fmt;
use std::sync::Arc;

use serde::de::{Deserializer, Visitor};
use serde::{Deserialize, Serialize, Serializer};
use triarch_supervision::name::Name;

use crate::error::Error;

/// The longest key, in bytes.
pub const KEY_LENGTH_MAX: usize = 512;

/// The name of a namespace: `[a-z0-9][a-z0-9_-]{0,62}`.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Namespace(Arc<str>);

/// A key within its namespace: text of 1 to 512 bytes without control characters.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Key(Arc<str>);

impl Namespace {
    /// The namespace of that name.
    pub fn new(name: &str) -> Result<Self, Error> {
        Name::new(name).map_err(|fault| Error::Namespace {
            name: name.to_owned(),
            fault: fault.to_string(),
        })?;
        Ok(Self(name.into()))
    }

    /// As text.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl Key {
    /// What comes before every key, and is none.
    pub(crate) fn lowest() -> Self {
        Self("".into())
    }

    /// The key of that text.
    pub fn new(text: &str) -> Result<Self, Error> {
        let fault = match text {
            "" => "it is empty",
            long if long.len() > KEY_LENGTH_MAX => "it has more than 512 bytes",
            odd if has_control(odd) => "it has a control character",
            _ => return Ok(Self(text.into())),
        };
        Err(Error::Key {
            key: text.chars().take(64).collect(),
            fault,
        })
    }

    /// As text.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl Borrow<str> for Namespace {
    fn borrow(&self) -> &str {
        &self.0
    }
}

impl Borrow<str> for Key {
    fn borrow(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for Namespace {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl fmt::Display for Key {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// Whether a text has a control character; most texts are told by their bytes.
fn has_control(text: &str) -> bool {
    text.bytes().any(|byte| byte.is_ascii_control()) || (!text.is_ascii() && text.chars().any(char::is_control))
}

impl Serialize for Namespace {
    fn serialize<S: Serializer>(&self, to: S) -> Result<S::Ok, S::Error> {
        to.serialize_str(self.as_str())
    }
}

impl Serialize for Key {
    fn serialize<S: Serializer>(&self, to: S) -> Result<S::Ok, S::Error> {
        to.serialize_str(self.as_str())
    }
}

impl<'de> Deserialize<'de> for Namespace {
    fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        from.deserialize_str(Checked("the name of a namespace", Self::new))
    }
}

impl<'de> Deserialize<'de> for Key {
    fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        from.deserialize_str(Checked("a key", Key::new))
    }
}

/// Reads text where it stands, so that what is made of it is all that is allocated: a start reads a million keys.
struct Checked<T>(&'static str, fn(&str) -> Result<T, Error>);

impl<T> Visitor<'_> for Checked<T> {
    type Value = T;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.0)
    }

    fn visit_str<E: serde::de::Error>(self, text: &str) -> Result<T, E> {
        (self.1)(text).map_err(E::custom)
    }
}

impl From<Namespace> for String {
    fn from(name: Namespace) -> Self {
        name.as_str().to_owned()
    }
}

impl From<Key> for String {
    fn from(key: Key) -> Self {
        key.as_str().to_owned()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_namespace_is_named_as_everybody_is() {
        assert_eq!(Namespace::new("notes-1").unwrap().as_str(), "notes-1");
        for name in ["", "Notes", "../a", "a b", "a/b"] {
            assert!(Namespace::new(name).is_err(), "{name}");
        }
    }

    #[test]
    fn a_key_is_short_text_without_control_characters() {
        assert_eq!(Key::new("plans/2026 α").unwrap().as_str(), "plans/2026 α");
        for key in ["", "a\nb", "\0", &"x".repeat(KEY_LENGTH_MAX + 1)] {
            assert!(Key::new(key).is_err(), "{key:?}");
        }
        assert!(Key::new(&"x".repeat(KEY_LENGTH_MAX)).is_ok());
    }
}
