//! What is kept under a key.

use std::sync::Arc;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde::{Deserialize, Serialize};

use crate::error::Error;
use crate::exact;

/// Bytes, or JSON.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Value {
    /// Whatever bytes.
    Bytes(Arc<[u8]>),
    /// JSON, as compact text.
    Json(Json),
}

/// Text that is JSON.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Json(Arc<str>);

impl Json {
    /// As text.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// As text that it has in common with whoever keeps it.
    pub fn shared(&self) -> Arc<str> {
        Arc::clone(&self.0)
    }
}

impl Value {
    /// Bytes.
    pub fn bytes(bytes: impl Into<Arc<[u8]>>) -> Self {
        Self::Bytes(bytes.into())
    }

    /// JSON of a value that is JSON already.
    pub fn json(value: &serde_json::Value) -> Self {
        Self::Json(Json(value.to_string().into()))
    }

    /// JSON from text, which is checked: what would not be kept as it stands is refused.
    pub fn parse_json(text: &str) -> Result<Self, Error> {
        if let Some(fault) = exact::fault(text) {
            return Err(Error::NotJson { fault });
        }
        let value: serde_json::Value = serde_json::from_str(text).map_err(|fault| Error::NotJson {
            fault: format!("{fault}; mend it, or put it as bytes"),
        })?;
        Ok(Self::json(&value))
    }

    /// Bytes from base64.
    pub fn parse_base64(text: &str) -> Result<Self, String> {
        let bytes = STANDARD
            .decode(text)
            .map_err(|fault| format!("`base64` is none: {fault}"))?;
        Ok(Self::bytes(bytes))
    }

    /// Its bytes as base64; nothing where it is JSON.
    pub fn as_base64(&self) -> Option<String> {
        match self {
            Self::Bytes(bytes) => Some(STANDARD.encode(bytes)),
            Self::Json(_) => None,
        }
    }

    /// What JSON it is; nothing where it is bytes.
    pub fn as_json(&self) -> Option<serde_json::Value> {
        match self {
            Self::Bytes(_) => None,
            Self::Json(json) => serde_json::from_str(json.as_str()).ok(),
        }
    }

    /// The whole number it is, if it is one in JSON.
    pub(crate) fn as_number(&self) -> Option<i64> {
        match self {
            Self::Bytes(_) => None,
            Self::Json(json) => json.as_str().parse().ok(),
        }
    }

    /// What was checked when it was written; nothing where JSON is not even text.
    pub(crate) fn stored(is_json: bool, bytes: &[u8]) -> Option<Self> {
        if is_json {
            std::str::from_utf8(bytes)
                .ok()
                .map(|text| Self::Json(Json(text.into())))
        } else {
            Some(Self::Bytes(bytes.into()))
        }
    }

    pub(crate) fn number(number: i64) -> Self {
        Self::Json(Json(number.to_string().into()))
    }

    /// The bytes as they are kept: of JSON, its text.
    pub fn as_bytes(&self) -> &[u8] {
        match self {
            Self::Bytes(bytes) => bytes,
            Self::Json(json) => json.as_str().as_bytes(),
        }
    }

    /// How many bytes.
    pub fn len(&self) -> usize {
        self.as_bytes().len()
    }

    /// Whether there is not one byte.
    pub fn is_empty(&self) -> bool {
        self.as_bytes().is_empty()
    }
}

impl From<serde_json::Value> for Value {
    fn from(value: serde_json::Value) -> Self {
        Self::json(&value)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn json_is_checked_and_kept_compact() {
        let value = Value::parse_json(" { \"b\" : 1, \"a\": [true] } ").unwrap();
        assert_eq!(value.as_bytes(), br#"{"b":1,"a":[true]}"#);
        assert!(matches!(Value::parse_json("{"), Err(Error::NotJson { .. })));
    }

    #[test]
    fn only_whole_numbers_in_json_count() {
        assert_eq!(Value::parse_json("-7").unwrap().as_number(), Some(-7));
        for text in ["1.5", "\"7\"", "[7]", "9223372036854775808"] {
            assert_eq!(Value::parse_json(text).unwrap().as_number(), None, "{text}");
        }
        assert_eq!(Value::bytes(*b"7").as_number(), None);
    }
}
