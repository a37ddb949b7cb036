//! What travels on the bus: a payload and what is known of it.

use std::fmt;
use std::str::FromStr;
use std::sync::{Arc, OnceLock};
use std::time::Duration;

use serde::{Deserialize, Serialize};
use serde_json::Value;
use serde_json::value::RawValue;
use triarch_supervision::message::Priority;

use crate::topic::Topic;

/// The largest payload where nothing else is configured, in bytes.
pub const PAYLOAD_MAX: usize = 1 << 20;
/// No payload is larger, whatever is configured: with it goes what is known of it, in one record of a journal.
pub(crate) const PAYLOAD_LIMIT: usize = (4 << 20) - (64 << 10);
/// The longest kind, sender or recipient, in bytes.
pub const WORD_MAX: usize = 255;

/// A payload and what is known of it. Subscribers share one of it.
#[derive(Clone, Debug, PartialEq)]
pub struct Envelope {
    /// Names it among all envelopes of all lives of a runtime.
    pub id: EnvelopeId,
    /// When it was published, by the clock of the world: for people, never for decisions.
    pub time: Timestamp,
    /// The path of the agent that published it, or who it was.
    pub from: Arc<str>,
    /// Where it goes.
    pub to: Destination,
    /// What it is, in a word of the publisher's choice.
    pub kind: Arc<str>,
    /// What tells it from others of its sender on its topic, also where it is published twice.
    pub key: Option<Arc<str>>,
    /// Which goes first among those that wait.
    pub priority: Priority,
    /// For how long anybody needs it, in milliseconds from when it was published.
    pub ttl_ms: Option<u64>,
    /// The envelope that it answers.
    pub correlation: Option<EnvelopeId>,
    /// The envelope that it came of.
    pub causation: Option<EnvelopeId>,
    /// What it says.
    pub payload: Payload,
}

impl Envelope {
    /// For how long anybody needs it.
    pub fn ttl(&self) -> Option<Duration> {
        self.ttl_ms.map(Duration::from_millis)
    }

    /// The topic it was published on, where it was published on one.
    pub fn topic(&self) -> Option<&Topic> {
        match &self.to {
            Destination::Topic(topic) => Some(topic),
            Destination::Agent(_) => None,
        }
    }
}

/// Where an envelope goes.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Destination {
    /// To whoever subscribes to a topic.
    Topic(Topic),
    /// To the agent at a path.
    Agent(Arc<str>),
}

impl Destination {
    /// The topic or path.
    pub fn as_str(&self) -> &str {
        match self {
            Self::Topic(topic) => topic.as_str(),
            Self::Agent(path) => path,
        }
    }
}

/// Microseconds since the beginning of 1970 UTC.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Timestamp(pub u64);

/// The id of an envelope: the life of the bus that made it, and a number.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct EnvelopeId(pub(crate) u128);

impl EnvelopeId {
    /// The `number`-th of the life `run`.
    pub const fn new(run: u64, number: u64) -> Self {
        Self((run as u128) << 64 | number as u128)
    }
}

impl fmt::Display for EnvelopeId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:032x}", self.0)
    }
}

impl fmt::Debug for EnvelopeId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{self}")
    }
}

/// A text that is no id of an envelope.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{text:?} is no id of an envelope; it has 32 of 0-9 and a-f")]
pub struct NoEnvelopeId {
    text: String,
}

impl FromStr for EnvelopeId {
    type Err = NoEnvelopeId;

    fn from_str(text: &str) -> Result<Self, NoEnvelopeId> {
        let is_id = text.len() == 32 && text.bytes().all(|byte| matches!(byte, b'0'..=b'9' | b'a'..=b'f'));
        let number = u128::from_str_radix(text, 16).ok().filter(|_| is_id);
        number.map(Self).ok_or_else(|| NoEnvelopeId {
            text: text.chars().take(64).collect(),
        })
    }
}

impl Serialize for EnvelopeId {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for EnvelopeId {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = std::borrow::Cow::<'de, str>::deserialize(deserializer)?;
        text.parse().map_err(serde::de::Error::custom)
    }
}

/// What an envelope says. A clone shares its bytes.
#[derive(Clone)]
pub struct Payload(Arc<Content>);

struct Content {
    form: Form,
    bytes: Box<[u8]>,
    /// Read when the first filter asks for it, and then for all.
    value: OnceLock<Option<Value>>,
}

/// What the bytes of a payload are.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Form {
    /// A text in JSON, on one line.
    Json,
    /// Whatever the two sides agree on.
    Bytes,
}

/// A text that is no JSON.
#[derive(Debug, thiserror::Error)]
#[error("the payload is no JSON: {0}; mend it, or publish it as bytes")]
pub struct NoJson(#[from] serde_json::Error);

impl Payload {
    /// One that says `value`.
    pub fn json(value: &Value) -> Self {
        Self::new(Form::Json, value.to_string().into_bytes().into())
    }

    /// One of a text in JSON, which is kept as it is but for the ends of its lines.
    pub fn json_text(text: &[u8]) -> Result<Self, NoJson> {
        let read: &RawValue = serde_json::from_slice(text)?;
        // Within JSON they can only stand between two words.
        let one_line = read.get().replace(['\n', '\r'], " ");
        Ok(Self::new(Form::Json, one_line.into_bytes().into()))
    }

    /// One of bytes.
    pub fn bytes(bytes: impl Into<Box<[u8]>>) -> Self {
        Self::new(Form::Bytes, bytes.into())
    }

    fn new(form: Form, bytes: Box<[u8]>) -> Self {
        let value = OnceLock::new();
        Self(Arc::new(Content { form, bytes, value }))
    }

    /// What its bytes are.
    pub fn form(&self) -> Form {
        self.0.form
    }

    /// Its bytes.
    pub fn as_bytes(&self) -> &[u8] {
        &self.0.bytes
    }

    /// How many bytes it has.
    pub fn len(&self) -> usize {
        self.0.bytes.len()
    }

    /// Whether it has none.
    pub fn is_empty(&self) -> bool {
        self.0.bytes.is_empty()
    }

    /// What it says, where it is in JSON that can be read. Read once, whoever asks.
    pub fn value(&self) -> Option<&Value> {
        let read = || serde_json::from_slice(&self.0.bytes).ok();
        match self.0.form {
            Form::Json => self.0.value.get_or_init(read).as_ref(),
            Form::Bytes => None,
        }
    }

    /// Whether it is said to be JSON, and yet no value can be made of it: a number in it is beyond all bounds, or it lies
    /// too deep.
    pub fn is_unreadable(&self) -> bool {
        self.0.form == Form::Json && self.value().is_none()
    }
}

impl PartialEq for Payload {
    fn eq(&self, other: &Self) -> bool {
        self.form() == other.form() && self.as_bytes() == other.as_bytes()
    }
}

impl fmt::Debug for Payload {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Payload")
            .field("form", &self.0.form)
            .field("bytes", &self.0.bytes.len())
            .finish_non_exhaustive()
    }
}

/// An envelope before it is published: what its sender says of it.
#[derive(Clone, Debug, PartialEq)]
pub struct Draft {
    pub(crate) kind: Arc<str>,
    pub(crate) key: Option<Arc<str>>,
    pub(crate) priority: Priority,
    pub(crate) ttl: Option<Duration>,
    pub(crate) correlation: Option<EnvelopeId>,
    pub(crate) causation: Option<EnvelopeId>,
    pub(crate) payload: Payload,
}

impl Draft {
    /// One of this kind with this payload, of normal priority, for as long as it takes.
    pub fn new(kind: impl Into<Arc<str>>, payload: Payload) -> Self {
        Self {
            kind: kind.into(),
            key: None,
            priority: Priority::Normal,
            ttl: None,
            correlation: None,
            causation: None,
            payload,
        }
    }

    /// What it is told from others of this sender on its topic by: whoever takes effectively once takes in one of each key.
    #[must_use]
    pub fn key(mut self, key: impl Into<Arc<str>>) -> Self {
        self.key = Some(key.into());
        self
    }

    /// It goes before what is less urgent.
    #[must_use]
    pub fn priority(mut self, priority: Priority) -> Self {
        self.priority = priority;
        self
    }

    /// Nobody needs it any more after `ttl`, which counts in whole milliseconds.
    #[must_use]
    pub fn ttl(mut self, ttl: Duration) -> Self {
        self.ttl = Some(ttl);
        self
    }

    /// It came of `cause`.
    #[must_use]
    pub fn caused_by(mut self, cause: EnvelopeId) -> Self {
        self.causation = Some(cause);
        self
    }

    /// It belongs to what `first` began.
    #[must_use]
    pub fn correlated(mut self, first: EnvelopeId) -> Self {
        self.correlation = Some(first);
        self
    }

    /// It answers `question`, of which it came.
    #[must_use]
    pub fn answering(mut self, question: EnvelopeId) -> Self {
        self.correlation = Some(question);
        self.causation = Some(question);
        self
    }

    pub(crate) fn sealed(self, id: EnvelopeId, time: Timestamp, from: Arc<str>, to: Destination) -> Envelope {
        let whole = |ttl: Duration| u64::try_from(ttl.as_millis()).unwrap_or(u64::MAX);
        Envelope {
            id,
            time,
            from,
            to,
            kind: self.kind,
            key: self.key,
            priority: self.priority,
            ttl_ms: self.ttl.map(whole),
            correlation: self.correlation,
            causation: self.causation,
            payload: self.payload,
        }
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn ids_are_read_back_as_they_are_written() {
        let id = EnvelopeId::new(u64::MAX, 1);
        assert_eq!(id.to_string(), "ffffffffffffffff0000000000000001");
        assert_eq!(id.to_string().parse(), Ok(id));
        for text in ["", "1", "+fffffffffffffff0000000000000001", &"F".repeat(32)] {
            assert!(text.parse::<EnvelopeId>().is_err(), "{text}");
        }
    }

    #[test]
    fn a_payload_is_read_once_and_shared() {
        let payload = Payload::json(&json!({"a": 1}));
        let shared = payload.clone();
        assert_eq!(payload.as_bytes().as_ptr(), shared.as_bytes().as_ptr());
        assert!(std::ptr::eq(payload.value().unwrap(), shared.value().unwrap()));
        assert_eq!(payload.value().unwrap()["a"], 1);
        assert_eq!(Payload::bytes(*b"{}").value(), None);
        assert_eq!((payload.len(), Payload::bytes([]).is_empty()), (7, true));
    }

    #[test]
    fn a_text_in_json_is_kept_as_it_is_on_one_line() {
        let payload = Payload::json_text(b" {\"a\":\n 1.50,\"b\":\"\\n\"}\r\n").unwrap();
        assert_eq!(payload.as_bytes(), b"{\"a\":  1.50,\"b\":\"\\n\"}");
        assert_ne!(payload, Payload::bytes(payload.as_bytes()));
        let error = Payload::json_text(b"{\"a\":}").unwrap_err().to_string();
        assert!(error.starts_with("the payload is no JSON: "), "{error}");
    }
}
