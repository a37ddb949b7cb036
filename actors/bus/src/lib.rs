//! Topics that agents publish on and subscribe to: patterns, filters, delivery classes, durable topics with replay, dead letters.
#![forbid(unsafe_code)]

mod breaker;
pub mod codec;
mod envelope;
mod filter;
mod filter_parser;
#[cfg(test)]
#[path = "../../../tests/fuzz/mod.rs"]
mod fuzz;
mod inbox;
mod matcher;
mod terms;
mod topic;

pub use breaker::{BreakerState, BreakerTerms};
pub use codec::{CodecError, TooLarge};
pub use envelope::{
    Destination, Draft, Envelope, EnvelopeId, Form, NoEnvelopeId, NoJson, PAYLOAD_MAX, Payload, Timestamp, WORD_MAX,
};
pub use filter::{COMPARISONS_MAX, FILTER_DEPTH_MAX, FILTER_LENGTH_MAX, Filter};
pub use filter_parser::FilterError;
pub use inbox::{Cause, Dropped, Tally};
pub use matcher::Matcher;
pub use terms::{Class, Retry, Terms, WhenFull};
pub use topic::{PARTS_MAX, Pattern, TOPIC_LENGTH_MAX, Topic, TopicError, TopicFault};
