//! What may be the name of a namespace, and what a key.

use std::borrow::Borrow;
use std::fmt;
use std::sync::Arc;

use serde::{Deserialize, Serialize};
use triarch_supervision::name::Name;

use crate::error::Error;

/// The longest key, in bytes.
pub const KEY_LENGTH_MAX: usize = 512;

/// The name of a namespace: `[a-z0-9][a-z0-9_-]{0,62}`.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Namespace(Arc<str>);

/// A key within its namespace: text of 1 to 512 bytes without control characters.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
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
            odd if odd.chars().any(char::is_control) => "it has a control character",
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

impl TryFrom<String> for Namespace {
    type Error = Error;

    fn try_from(name: String) -> Result<Self, Error> {
        Self::new(&name)
    }
}

impl TryFrom<String> for Key {
    type Error = Error;

    fn try_from(text: String) -> Result<Self, Error> {
        Self::new(&text)
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
