//! Topics that agents publish on and subscribe to: patterns, filters, delivery classes, durable topics with replay, dead letters.
#![forbid(unsafe_code)]

mod access;
mod agenda;
mod arrivals;
mod breaker;
mod bus;
pub mod codec;
mod config;
mod dead;
mod envelope;
mod error;
mod filter;
mod filter_parser;
#[cfg(test)]
#[path = "../../../tests/fuzz/mod.rs"]
mod fuzz;
mod group;
mod hub;
mod inbox;
mod listener;
mod matcher;
pub mod metrics;
mod requests;
mod room;
mod subscribing;
mod subscription;
mod table;
mod terms;
mod timers;
mod topic;
mod wall_clock;

pub use access::{Limit, NotAllowed};
pub use agenda::{AgendaFull, ScheduleId};
pub use arrivals::{Arrivals, Delivery};
pub use breaker::{BreakerState, BreakerTerms};
pub use bus::{Bus, Published, Publisher, REFUSALS};
pub use codec::{CodecError, TooLarge};
pub use config::{AccessConfig, Config};
pub use dead::{DeadLetter, Query, SubscriptionId};
pub use envelope::{
    Destination, Draft, Envelope, EnvelopeId, Form, NoEnvelopeId, NoJson, PAYLOAD_MAX, Payload, Timestamp, WORD_MAX,
};
pub use error::{Error, PublishError, ReplayError, ReplyError, RequestError, SubscribeError};
pub use filter::{COMPARISONS_MAX, FILTER_DEPTH_MAX, FILTER_LENGTH_MAX, Filter};
pub use filter_parser::FilterError;
pub use group::Pick;
pub use inbox::{Cause, Dropped, Tally};
pub use listener::Listener;
pub use matcher::Matcher;
pub use room::room;
pub use subscribing::{Replayed, Subscribe, SubscriptionView, TopicView};
pub use terms::{Class, Retry, Terms, WhenFull};
pub use topic::{PARTS_MAX, Pattern, TOPIC_LENGTH_MAX, Topic, TopicError, TopicFault};
