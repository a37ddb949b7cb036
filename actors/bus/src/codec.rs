//! Envelopes as bytes, on the wire and in the journal, and as JSON at the edges.
//!
//! ```text
//! byte 0     version: 1, or 2 where there is a key
//! then       what is known of the envelope, by postcard
//! then       in version 2, its key
//! then       the payload, to the end
//! ```

use std::sync::Arc;

use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;
use serde_json::{Map, Value};
use triarch_supervision::message::Priority;

use crate::envelope::{Destination, Envelope, EnvelopeId, Form, NoJson, Payload, Timestamp, WORD_MAX};
use crate::topic::{Topic, TopicError};

/// The newest version. Every version that was ever written is read.
pub const VERSION: u8 = 2;
/// The version without a key, which an envelope that has none is written in.
const KEYLESS: u8 = 1;

/// Why bytes, or a text in JSON, are no envelope.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum CodecError {
    /// There is nothing.
    #[error("an envelope has no bytes; it was cut off")]
    Empty,
    /// Somebody else's version.
    #[error(
        "an envelope is of version {found}, and this runtime reads versions up to {VERSION}; update it, or whoever wrote it"
    )]
    UnknownVersion {
        /// Its version.
        found: u8,
    },
    /// What is known of it cannot be read.
    #[error("what is known of an envelope is damaged: {0}; it is not used")]
    Damaged(#[from] postcard::Error),
    /// It is no JSON, or not of the form.
    #[error("an envelope in JSON is not understood: {0}; see the documentation of its fields")]
    NotUnderstood(#[from] serde_json::Error),
    /// A field has no such value.
    #[error("the field {field} of an envelope is {found}; it has to be {wanted}")]
    Field {
        /// Which.
        field: &'static str,
        /// What stands there, shortened.
        found: String,
        /// What may stand there.
        wanted: &'static str,
    },
    /// The topic is none.
    #[error(transparent)]
    Topic(#[from] TopicError),
    /// The payload says it is JSON, and is not.
    #[error(transparent)]
    Payload(#[from] NoJson),
    /// The payload is too large.
    #[error(transparent)]
    TooLarge(#[from] TooLarge),
}

/// A payload beyond the limit.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the payload has {found} bytes, and the limit is {limit}; send less, or a reference to it")]
pub struct TooLarge {
    /// How many it has.
    pub found: usize,
    /// How many it may have.
    pub limit: usize,
}

#[derive(Serialize, Deserialize)]
struct Head<'a> {
    id: u128,
    time: u64,
    from: &'a str,
    is_topic: bool,
    to: &'a str,
    kind: &'a str,
    priority: u8,
    ttl_ms: Option<u64>,
    correlation: Option<u128>,
    causation: Option<u128>,
    is_json: bool,
}

/// An envelope as bytes.
pub fn encode(envelope: &Envelope) -> Result<Vec<u8>, CodecError> {
    let head = Head {
        id: envelope.id.0,
        time: envelope.time.0,
        from: &envelope.from,
        is_topic: envelope.topic().is_some(),
        to: envelope.to.as_str(),
        kind: &envelope.kind,
        priority: envelope.priority as u8,
        ttl_ms: envelope.ttl_ms,
        correlation: envelope.correlation.map(|id| id.0),
        causation: envelope.causation.map(|id| id.0),
        is_json: envelope.payload.form() == Form::Json,
    };
    let room = 64 + head.from.len() + head.to.len() + head.kind.len() + envelope.payload.len();
    let mut bytes = Vec::with_capacity(room);
    bytes.push(if envelope.key.is_some() { VERSION } else { KEYLESS });
    let mut bytes = postcard::to_extend(&head, bytes)?;
    if let Some(key) = &envelope.key {
        bytes = postcard::to_extend(&**key, bytes)?;
    }
    bytes.extend_from_slice(envelope.payload.as_bytes());
    Ok(bytes)
}

/// The topic of an envelope that was published on one, as it is written, and when that was.
pub(crate) fn glance(bytes: &[u8]) -> Result<(&str, Timestamp), CodecError> {
    let (_, rest) = bytes.split_first().ok_or(CodecError::Empty)?;
    let (head, _): (Head<'_>, _) = postcard::take_from_bytes(rest)?;
    Ok((head.to, Timestamp(head.time)))
}

/// The envelope that `bytes` are, with a payload of at most `limit` bytes.
pub fn decode(bytes: &[u8], limit: usize) -> Result<Envelope, CodecError> {
    let (version, rest) = bytes.split_first().ok_or(CodecError::Empty)?;
    if !(KEYLESS..=VERSION).contains(version) {
        return Err(CodecError::UnknownVersion { found: *version });
    }
    let (head, rest): (Head<'_>, _) = postcard::take_from_bytes(rest)?;
    let (key, payload) = if *version == KEYLESS {
        (None, rest)
    } else {
        let (key, payload) = postcard::take_from_bytes(rest)?;
        (Some(word("key", key)?), payload)
    };
    within(payload.len(), limit)?;
    let payload = if head.is_json {
        Payload::json_text(payload)?
    } else {
        Payload::bytes(payload)
    };
    let priority = Priority::ALL.get(usize::from(head.priority));
    Ok(Envelope {
        id: EnvelopeId(head.id),
        time: Timestamp(head.time),
        from: word("from", head.from)?,
        to: destination(head.is_topic, head.to)?,
        kind: word("kind", head.kind)?,
        key,
        priority: *priority.ok_or_else(|| no_priority(&head.priority.to_string()))?,
        ttl_ms: head.ttl_ms,
        correlation: head.correlation.map(EnvelopeId),
        causation: head.causation.map(EnvelopeId),
        payload,
    })
}

/// An envelope in JSON. A payload that is no JSON stands in `bytes`, two digits for each.
#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Edge<'a> {
    id: EnvelopeId,
    time_us: u64,
    #[serde(borrow)]
    from: std::borrow::Cow<'a, str>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    topic: Option<std::borrow::Cow<'a, str>>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    to: Option<std::borrow::Cow<'a, str>>,
    kind: std::borrow::Cow<'a, str>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    key: Option<std::borrow::Cow<'a, str>>,
    #[serde(default = "normal")]
    priority: std::borrow::Cow<'a, str>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    ttl_ms: Option<u64>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    correlation: Option<EnvelopeId>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    causation: Option<EnvelopeId>,
    #[serde(default, deserialize_with = "there", skip_serializing_if = "Option::is_none")]
    payload: Option<&'a RawValue>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    bytes: Option<String>,
}

/// A payload that says `null` is there too.
fn there<'de, D: serde::Deserializer<'de>>(deserializer: D) -> Result<Option<&'de RawValue>, D::Error> {
    <&RawValue>::deserialize(deserializer).map(Some)
}

fn normal() -> std::borrow::Cow<'static, str> {
    Priority::Normal.label().into()
}

/// What an envelope is in JSON, a payload in JSON aside.
fn edge(envelope: &Envelope) -> Edge<'_> {
    let (topic, to) = match &envelope.to {
        Destination::Topic(topic) => (Some(topic.as_str().into()), None),
        Destination::Agent(path) => (None, Some((&**path).into())),
    };
    Edge {
        id: envelope.id,
        time_us: envelope.time.0,
        from: (&*envelope.from).into(),
        topic,
        to,
        kind: (&*envelope.kind).into(),
        key: envelope.key.as_deref().map(Into::into),
        priority: envelope.priority.label().into(),
        ttl_ms: envelope.ttl_ms,
        correlation: envelope.correlation,
        causation: envelope.causation,
        payload: None,
        bytes: digits(&envelope.payload),
    }
}

/// An envelope as one line of JSON, without its end.
pub fn to_json(envelope: &Envelope) -> Result<String, CodecError> {
    let payload = match envelope.payload.form() {
        Form::Json => Some(serde_json::from_slice(envelope.payload.as_bytes())?),
        Form::Bytes => None,
    };
    let edge = Edge {
        payload,
        ..edge(envelope)
    };
    Ok(serde_json::to_string(&edge)?)
}

/// The same fields as they are shown: what the payload says, which is a text where it cannot be read though it is JSON.
pub fn to_fields(envelope: &Envelope) -> Result<Map<String, Value>, CodecError> {
    let mut fields = match serde_json::to_value(edge(envelope))? {
        Value::Object(fields) => fields,
        _ => Map::new(),
    };
    if envelope.payload.form() == Form::Json {
        fields.insert("payload".to_owned(), shown(&envelope.payload).0);
    }
    Ok(fields)
}

/// What a payload says, `null` where it is bytes; and these, two digits for each.
pub fn shown(payload: &Payload) -> (Value, Option<String>) {
    let text = || Value::String(String::from_utf8_lossy(payload.as_bytes()).into_owned());
    let said = match payload.form() {
        Form::Json => payload.value().cloned().unwrap_or_else(text),
        Form::Bytes => Value::Null,
    };
    (said, digits(payload))
}

/// Those of a payload that is bytes.
fn digits(payload: &Payload) -> Option<String> {
    (payload.form() == Form::Bytes).then(|| hex(payload.as_bytes()))
}

/// The envelope that a text in JSON is, with a payload of at most `limit` bytes.
pub fn from_json(text: &[u8], limit: usize) -> Result<Envelope, CodecError> {
    let edge: Edge<'_> = serde_json::from_slice(text)?;
    let to = match (&edge.topic, &edge.to) {
        (Some(topic), None) => destination(true, topic)?,
        (None, Some(path)) => destination(false, path)?,
        _ => return Err(field("topic", "beside to, or neither is there", "one of topic and to")),
    };
    let payload = match (&edge.payload, &edge.bytes) {
        (Some(text), None) => Payload::json_text(text.get().as_bytes())?,
        (None, Some(digits)) => Payload::bytes(unhex(digits)?),
        _ => {
            return Err(field(
                "payload",
                "beside bytes, or neither is there",
                "one of payload and bytes",
            ));
        }
    };
    within(payload.len(), limit)?;
    let priority = Priority::ALL.into_iter().find(|one| one.label() == edge.priority);
    Ok(Envelope {
        id: edge.id,
        time: Timestamp(edge.time_us),
        from: word("from", &edge.from)?,
        to,
        kind: word("kind", &edge.kind)?,
        key: edge.key.map(|key| word("key", &key)).transpose()?,
        priority: priority.ok_or_else(|| no_priority(&edge.priority))?,
        ttl_ms: edge.ttl_ms,
        correlation: edge.correlation,
        causation: edge.causation,
        payload,
    })
}

/// Refuses what is longer than `limit`.
pub(crate) fn within(found: usize, limit: usize) -> Result<(), TooLarge> {
    if found > limit {
        return Err(TooLarge { found, limit });
    }
    Ok(())
}

/// Refuses words that nobody could list or show.
pub(crate) fn check_word(name: &'static str, text: &str) -> Result<(), CodecError> {
    if text.is_empty() || text.len() > WORD_MAX || text.chars().any(char::is_control) {
        return Err(field(
            name,
            &format!("{text:?}"),
            "1 to 255 bytes without control characters",
        ));
    }
    Ok(())
}

fn word(name: &'static str, text: &str) -> Result<Arc<str>, CodecError> {
    check_word(name, text).map(|()| Arc::from(text))
}

fn destination(is_topic: bool, text: &str) -> Result<Destination, CodecError> {
    Ok(if is_topic {
        Destination::Topic(Topic::new(text)?)
    } else {
        Destination::Agent(word("to", text)?)
    })
}

fn no_priority(found: &str) -> CodecError {
    field("priority", found, "critical, high, normal, low or background")
}

fn field(field: &'static str, found: &str, wanted: &'static str) -> CodecError {
    let found = found.chars().take(64).collect();
    CodecError::Field { field, found, wanted }
}

fn hex(bytes: &[u8]) -> String {
    let digit = |value: u8| char::from_digit(u32::from(value), 16).unwrap_or('0');
    bytes
        .iter()
        .flat_map(|byte| [digit(byte >> 4), digit(byte & 15)])
        .collect()
}

fn unhex(digits: &str) -> Result<Vec<u8>, CodecError> {
    let wanted = "two digits of 0-9 and a-f for each byte";
    let refused = || field("bytes", digits, wanted);
    let value = |digit: u8| match digit {
        b'0'..=b'9' => Some(digit - b'0'),
        b'a'..=b'f' => Some(digit - b'a' + 10),
        _ => None,
    };
    let (pairs, rest) = digits.as_bytes().as_chunks::<2>();
    if !rest.is_empty() {
        return Err(refused());
    }
    let byte = |[high, low]: &[u8; 2]| Some(value(*high)? << 4 | value(*low)?);
    pairs.iter().map(byte).collect::<Option<_>>().ok_or_else(refused)
}

#[cfg(test)]
pub(crate) mod tests {
    use proptest::prelude::*;
    use serde_json::json;

    use super::*;
    use crate::envelope::PAYLOAD_MAX;
    use crate::fuzz::fuzz;

    pub(crate) fn json_value() -> impl Strategy<Value = Value> {
        let leaf = prop_oneof![
            Just(Value::Null),
            any::<bool>().prop_map(Value::from),
            any::<i64>().prop_map(Value::from),
            any::<f64>().prop_map(Value::from),
            ".{0,8}".prop_map(Value::from),
        ];
        leaf.prop_recursive(3, 16, 4, |inner| {
            prop_oneof![
                prop::collection::vec(inner.clone(), 0..4).prop_map(Value::from),
                prop::collection::vec((".{0,4}", inner), 0..4)
                    .prop_map(|entries| Value::Object(entries.into_iter().collect())),
            ]
        })
    }

    fn payload() -> impl Strategy<Value = Payload> {
        prop_oneof![
            json_value().prop_map(|value| Payload::json(&value)),
            prop::collection::vec(any::<u8>(), 0..64).prop_map(Payload::bytes),
        ]
    }

    fn text() -> impl Strategy<Value = Arc<str>> {
        "[^\\p{Cc}]{1,20}".prop_map(Arc::from)
    }

    fn to() -> impl Strategy<Value = Destination> {
        prop_oneof![
            "[a-z0-9:]{1,5}(\\.[A-Z_-]{1,5}){0,3}".prop_map(|text| Destination::Topic(Topic::new(text).unwrap())),
            text().prop_map(Destination::Agent),
        ]
    }

    pub(crate) fn envelope() -> impl Strategy<Value = Envelope> {
        let id = || any::<u128>().prop_map(EnvelopeId);
        let who = (id(), any::<u64>(), text(), to(), text(), prop::option::of(text()));
        let rest = (
            prop::sample::select(Priority::ALL.to_vec()),
            any::<Option<u64>>(),
            prop::option::of(id()),
            prop::option::of(id()),
            payload(),
        );
        (who, rest).prop_map(|((id, time, from, to, kind, key), rest)| {
            let (priority, ttl_ms, correlation, causation, payload) = rest;
            Envelope {
                id,
                time: Timestamp(time),
                from,
                to,
                kind,
                key,
                priority,
                ttl_ms,
                correlation,
                causation,
                payload,
            }
        })
    }

    proptest! {
        #[test]
        fn an_envelope_comes_back_from_bytes_as_it_was(envelope in envelope()) {
            let bytes = encode(&envelope).unwrap();
            prop_assert_eq!(decode(&bytes, PAYLOAD_MAX).unwrap(), envelope);
        }

        #[test]
        fn the_topic_and_the_time_of_an_envelope_are_seen_without_the_rest(envelope in envelope()) {
            let bytes = encode(&envelope).unwrap();
            if let Destination::Topic(topic) = &envelope.to {
                prop_assert_eq!(glance(&bytes).unwrap(), (topic.as_str(), envelope.time));
            }
            prop_assert!(glance(&[]).is_err() && glance(&bytes[..5]).is_err());
        }

        #[test]
        fn an_envelope_comes_back_from_json_as_it_was(envelope in envelope()) {
            let text = to_json(&envelope).unwrap();
            prop_assert!(!text.contains('\n'));
            prop_assert_eq!(Value::Object(to_fields(&envelope).unwrap()), serde_json::from_str::<Value>(&text).unwrap());
            prop_assert_eq!(from_json(text.as_bytes(), PAYLOAD_MAX).unwrap(), envelope);
        }

        #[test]
        fn any_bytes_are_an_envelope_or_refused(bytes in prop::collection::vec(any::<u8>(), 0..200)) {
            let _refused = decode(&bytes, PAYLOAD_MAX);
            for version in [KEYLESS, VERSION] {
                let _refused = decode(&[&[version], &*bytes].concat(), PAYLOAD_MAX);
            }
            let _refused = from_json(&bytes, PAYLOAD_MAX);
        }

        #[test]
        fn a_bit_that_flips_makes_no_panic(envelope in envelope(), at in any::<usize>(), bit in 0..8) {
            let mut bytes = encode(&envelope).unwrap();
            let at = at % bytes.len();
            bytes[at] ^= 1u8 << bit;
            let _refused = decode(&bytes, PAYLOAD_MAX);
            let _refused = decode(&bytes[..at], PAYLOAD_MAX);
        }
    }

    const TOKENS: [&str; 12] = [
        "\u{1}",
        "\u{0}",
        "\u{7f}",
        "{",
        "}",
        "null",
        "\"",
        "a.b",
        "agent",
        "{\"a\":1}",
        "\u{10}",
        "\u{5}",
    ];

    #[test]
    fn fuzzed_envelopes_are_read_and_written_again_as_they_are_or_refused_in_words() {
        fuzz("envelopes", &TOKENS, |bytes| match decode(bytes, PAYLOAD_MAX) {
            Ok(envelope) => {
                let again = encode(&envelope).unwrap();
                assert_eq!(decode(&again, PAYLOAD_MAX).unwrap(), envelope);
                true
            }
            Err(error) => {
                assert!(!error.to_string().is_empty() && error.to_string().len() <= 2048);
                false
            }
        });
    }

    const EDGE_TOKENS: [&str; 14] = [
        "{",
        "}",
        "\"",
        ":",
        ",",
        "null",
        "\"topic\":\"a.b\",",
        "\"to\":\"a\",",
        "\"bytes\":\"0\",",
        "\"payload\":[1e999],",
        "\"ttl_ms\":18446744073709551615,",
        "\"priority\":\"low\",",
        "\\ud800",
        "\n",
    ];

    #[test]
    fn fuzzed_envelopes_in_json_are_read_and_written_again_as_they_are_or_refused_in_words() {
        fuzz("envelopes_json", &EDGE_TOKENS, |text| {
            match from_json(text, PAYLOAD_MAX) {
                Ok(envelope) => {
                    let again = to_json(&envelope).unwrap();
                    assert_eq!(from_json(again.as_bytes(), PAYLOAD_MAX).unwrap(), envelope);
                    assert_eq!(decode(&encode(&envelope).unwrap(), PAYLOAD_MAX).unwrap(), envelope);
                    true
                }
                Err(error) => {
                    assert!(!error.to_string().is_empty() && error.to_string().len() <= 2048);
                    false
                }
            }
        });
    }

    fn small(payload: Payload) -> Envelope {
        Envelope {
            id: EnvelopeId::new(1, 2),
            time: Timestamp(3),
            from: "team/a".into(),
            to: Destination::Topic(Topic::new("a.b").unwrap()),
            kind: "note".into(),
            key: None,
            priority: Priority::High,
            ttl_ms: Some(1500),
            correlation: None,
            causation: Some(EnvelopeId::new(1, 1)),
            payload,
        }
    }

    #[test]
    fn the_bytes_of_version_one_stay_as_they_are() {
        let bytes = encode(&small(Payload::json(&json!({"n": 1})))).unwrap();
        assert_eq!(hex(&bytes), FIXTURE);
        assert_eq!(
            decode(&unhex(FIXTURE).unwrap(), PAYLOAD_MAX).unwrap(),
            small(Payload::json(&json!({"n": 1})))
        );
    }

    #[test]
    fn the_bytes_of_version_two_say_the_key_before_the_payload() {
        let keyed = Envelope {
            key: Some("k1".into()),
            ..small(Payload::json(&json!({"n": 1})))
        };
        let bytes = encode(&keyed).unwrap();
        let expected = FIXTURE.replacen("01", "02", 1).replace("7b226e22", "026b317b226e22");
        assert_eq!(hex(&bytes), expected);
        assert_eq!(decode(&bytes, PAYLOAD_MAX).unwrap(), keyed);
    }

    #[test]
    fn a_word_has_a_byte_at_least_and_no_more_than_the_limit() {
        for (length, holds) in [
            (0, false),
            (1, true),
            (WORD_MAX, true),
            (WORD_MAX + 1, false),
            (WORD_MAX * 2, false),
        ] {
            assert_eq!(check_word("kind", &"k".repeat(length)).is_ok(), holds, "{length}");
        }
        assert!(check_word("kind", "a\nb").is_err());
    }

    #[test]
    fn an_unknown_version_is_refused_by_name() {
        let mut bytes = encode(&small(Payload::bytes([]))).unwrap();
        bytes[0] = 9;
        let error = decode(&bytes, PAYLOAD_MAX).unwrap_err().to_string();
        assert_eq!(
            error,
            "an envelope is of version 9, and this runtime reads versions up to 2; update it, or whoever wrote it"
        );
        assert!(matches!(decode(&[], 1), Err(CodecError::Empty)));
    }

    #[test]
    fn a_payload_beyond_the_limit_is_refused_with_the_limit() {
        let envelope = small(Payload::bytes(vec![0; 11]));
        let expected = "the payload has 11 bytes, and the limit is 10; send less, or a reference to it";
        let error = decode(&encode(&envelope).unwrap(), 10).unwrap_err().to_string();
        assert_eq!(error, expected);
        let error = from_json(to_json(&envelope).unwrap().as_bytes(), 10).unwrap_err();
        assert_eq!(error.to_string(), expected);
        assert!(decode(&encode(&envelope).unwrap(), 11).is_ok());
    }

    #[test]
    fn an_envelope_in_json_reads_as_people_write_it() {
        let line = to_json(&small(Payload::json(&json!({"n": 1})))).unwrap();
        let expected = "{\"id\":\"00000000000000010000000000000002\",\"time_us\":3,\"from\":\"team/a\",\"topic\":\"a.b\",\
                        \"kind\":\"note\",\"priority\":\"high\",\"ttl_ms\":1500,\
                        \"causation\":\"00000000000000010000000000000001\",\"payload\":{\"n\":1}}";
        assert_eq!(line, expected);
        let odd = expected.replace("\"kind\":\"note\"", "\"kind\":\"\"");
        let error = from_json(odd.as_bytes(), PAYLOAD_MAX).unwrap_err().to_string();
        assert_eq!(
            error,
            "the field kind of an envelope is \"\"; it has to be 1 to 255 bytes without control characters"
        );
        for (from, to) in [
            ("\"topic\":\"a.b\",", ""),
            ("\"topic\"", "\"to\":\"x\",\"topic\""),
            ("\"high\"", "\"urgent\""),
            ("\"payload\":{\"n\":1}", "\"bytes\":\"0\""),
            ("\"payload\":{\"n\":1}", "\"bytes\":\"0g\""),
            ("\"payload\":{\"n\":1}", "\"bytes\":\"00\",\"payload\":1"),
            ("a.b", "a..b"),
        ] {
            let odd = expected.replace(from, to);
            assert!(from_json(odd.as_bytes(), PAYLOAD_MAX).is_err(), "{odd}");
        }
    }

    const FIXTURE: &str =
        "018280808080808080800203067465616d2f610103612e62046e6f74650101dc0b000181808080808080808002017b226e223a317d";
}
