//! Topics that agents publish on and subscribe to: patterns, filters, delivery classes, groups, dead letters.
//!
//! A [`Bus`] is a handle, made before the tree starts. Publishing asks no agent: the envelope is put into the inbox of each
//! subscription by whoever publishes, and the subscriber's mailbox gets one message, [`Arrivals`], for as many as gather.
//!
//! ```text
//!  publish ──▶ route of the topic ─┬─ filter ─▶ inbox ─▶ Arrivals ─▶ agent takes, acknowledges
//!              (kept until somebody├─ filter ─▶ inbox ─▶ Arrivals ─▶ …
//!               comes or goes)     └─ group ──▶ inbox of one member
//!                                                │ ▲
//!                      dead letters ◀── too often┘ └── timers: late, rested, planned
//! ```
//!
//! ```
//! use triarch_bus::metrics::BUS;
//! use triarch_bus::{Arrivals, Bus, Class, Config, Draft, Payload, Pattern, Subscribe, Terms, Topic, room};
//! use triarch_supervision::metrics::Instruments;
//! use triarch_supervision::prelude::*;
//!
//! struct Readings(Arrivals);
//!
//! impl Message for Readings {}
//!
//! impl From<Arrivals> for Readings {
//!     fn from(arrivals: Arrivals) -> Self { Self(arrivals) }
//! }
//!
//! struct Watch;
//!
//! impl Agent for Watch {
//!     type Message = Readings;
//!     type Spec = ();
//!
//!     async fn start((): (), _ctx: &mut Context<Self>) -> Result<Self, Failure> { Ok(Self) }
//!
//!     async fn handle(&mut self, Readings(arrivals): Readings, _ctx: &mut Context<Self>) -> Result<(), Failure> {
//!         for delivery in arrivals {
//!             assert_eq!(delivery.envelope.payload.as_bytes(), b"21.5");
//!             delivery.acknowledge();
//!         }
//!         Ok(())
//!     }
//! }
//!
//! # tokio::runtime::Builder::new_current_thread().enable_all().build()?.block_on(async {
//! let instruments = Instruments::with_tree(&[BUS])?;
//! let bus = Bus::new(Config::default(), 1, &instruments)?;
//! let watch = Child::of::<Watch>("watch", ());
//! let what = Subscribe::new(Pattern::new("plant.*")?, "team/watch").terms(Terms::of(Class::AtLeastOnce));
//! bus.subscribe(what, &watch.address())?;
//! let tree = Root::new()
//!     .instruments(instruments)
//!     .supervisor(room(&bus))
//!     .supervisor(Supervisor::named("team").child(watch))
//!     .start()
//!     .await?;
//! let draft = Draft::new("reading", Payload::json_text(b"21.5")?);
//! assert_eq!(bus.publish("plant/pump", &Topic::new("plant.pump")?, draft)?.matched, 1);
//! while bus.tally().waiting > 0 { tokio::task::yield_now().await; }
//! assert_eq!(bus.tally().delivered, 1);
//! tree.stop().await;
//! # Ok::<(), Box<dyn std::error::Error>>(()) })?;
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```
//!
//! # Known not to be so yet
//!
//! - There are no durable topics, and no times of day for what is published later.
//! - An envelope may be lost, and counted nowhere, where its subscription ends, is made again or is handed over in the very moment.
//! - What waits for a member that leaves its group goes to another by its turn, whatever its filter, its team and the order of topics.
//! - A restart of `bus/timers` forgets subscriptions whose mailbox was full just then.
//! - [`Class::EffectivelyOnce`] tells envelopes apart by their ids, and whoever publishes twice has two ids.
//! - With default terms a poisonous envelope that is alone also opens the breaker of its subscription, for a minute.
#![forbid(unsafe_code)]

mod access;
mod account;
mod agenda;
mod arrivals;
mod breaker;
mod bus;
pub mod codec;
mod config;
mod daily;
mod dead;
mod durable;
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
mod route;
mod seen;
mod subscribing;
mod subscription;
mod table;
mod terms;
mod timers;
mod topic;
mod wall_clock;

pub use access::{Limit, NotAllowed};
pub use account::{Cause, Dropped, Tally};
pub use agenda::{AgendaFull, ScheduleId};
pub use arrivals::{Arrivals, Delivery};
pub use breaker::{BreakerState, BreakerTerms};
pub use bus::{Bus, Published, Publisher, REFUSALS};
pub use codec::{CodecError, TooLarge};
pub use config::{AccessConfig, Config, DurableConfig};
pub use daily::{Daily, DailyError};
pub use dead::{DeadLetter, Query, SubscriptionId};
pub use envelope::{
    Destination, Draft, Envelope, EnvelopeId, Form, NoEnvelopeId, NoJson, PAYLOAD_MAX, Payload, Timestamp, WORD_MAX,
};
pub use durable::{CursorView, LogView, Start, Stored, StoredEnvelope};
pub use error::{ArchiveError, Error, PublishError, ReplayError, ReplyError, RequestError, SubscribeError};
pub use filter::{COMPARISONS_MAX, FILTER_DEPTH_MAX, FILTER_LENGTH_MAX, Filter};
pub use filter_parser::FilterError;
pub use group::Pick;
pub use listener::Listener;
pub use matcher::Matcher;
pub use room::{room, room_on};
pub use subscribing::{Replayed, Subscribe, SubscriptionView, TopicView};
pub use terms::{Class, Retry, Terms, WhenFull};
pub use topic::{PARTS_MAX, Pattern, TOPIC_LENGTH_MAX, Topic, TopicError, TopicFault};
