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
//! # For a caller with an identity
//!
//! Whoever acts for somebody (a door, an agent that is a program) passes on who that is: `team/agent`. Limits go by its
//! team; the bus believes what it is told.
//!
//! | to | call |
//! |---|---|
//! | publish | [`Bus::publish`]; on a durable topic [`Bus::publish_durably`], which returns once it is on disk |
//! | publish later | [`Bus::publish_after`], [`Bus::publish_every`], [`Bus::publish_daily`]; on a durable topic [`Bus::publish_later_durably`] |
//! | call that off | [`Bus::cancel`] |
//! | subscribe, as an agent | [`Bus::subscribe`] with its address |
//! | subscribe, as anybody | [`Bus::listen`], and [`Listener::next`] in a loop |
//! | be no subscriber, but pass on to one | [`Delivery::give_back`] what cannot be passed on |
//! | want less | [`Subscribe::filter`] with a [`Filter`] |
//! | begin in the past | [`Subscribe::from`] a [`Start`]: the first, an offset, a time |
//! | go on where one was | [`Subscribe::named`]; [`Bus::forget`] ends the name |
//! | let go of what a log has that is configured no more | [`Bus::forget_log`] |
//! | look | [`Bus::topics`], [`Bus::subscriptions`], [`Bus::logs`], [`Bus::cursors`], [`Bus::stored`], [`Bus::dead_letters`], [`Bus::planned`] |
//! | replay dead letters | [`Bus::replay`] by number, [`Bus::replay_all`] by [`Query`] |
//! | forget dead letters | [`Bus::discard`] by number, [`Bus::discard_all`] by [`Query`] |
//! | send to an agent, to several, to a team | [`Bus::send`], [`Bus::multicast`], [`Bus::broadcast`] |
//! | take what is sent to one's path | [`Bus::attach`], [`Bus::listen_at`]; or whoever knows the agents does, by [`Bus::introduce`] |
//! | ask, and answer | [`Bus::request`], [`Bus::is_asked`], [`Bus::reply`] |
//! | tap | [`Bus::listen`] to `**` with [`WhenFull::DropOldest`]: it slows down nobody, and sees what its team may |
//!
//! ```
//! # use std::sync::Arc;
//! use triarch_bus::metrics::BUS;
//! use triarch_bus::{
//!     Bus, Config, Draft, DurableConfig, Filter, Pattern, Payload, Start, Subscribe, Topic, room_on,
//! };
//! use triarch_journal::{RealDisk, metrics::JOURNALS};
//! use triarch_supervision::metrics::Instruments;
//! use triarch_supervision::prelude::*;
//!
//! # tokio::runtime::Builder::new_current_thread().enable_all().build()?.block_on(async {
//! # let folder = tempfile::tempdir()?;
//! # let path = folder.path().join("bus");
//! let durable = DurableConfig { topics: "plant.**".to_owned(), ..DurableConfig::default() };
//! let config = Config { durable: vec![durable], ..Config::default() };
//! let instruments = Instruments::with_tree(&[BUS, JOURNALS])?;
//! let bus = Bus::new(config, 1, &instruments)?;
//! let disk = Arc::new(RealDisk::at(path)?);
//! let room = room_on(&bus, disk, triarch_journal::Config::default(), &instruments)?;
//! let tree = Root::new().instruments(instruments).supervisor(room).start().await?;
//!
//! for (celsius, offset) in [(21, 0), (35, 1)] {
//!     let draft = Draft::new("reading", Payload::json_text(format!("{{\"celsius\":{celsius}}}").as_bytes())?);
//!     let stored = bus.publish_durably("plant/pump", &Topic::new("plant.pump")?, draft).await?;
//!     assert_eq!(stored.offset, offset);
//! }
//! let hot = Subscribe::new(Pattern::new("plant.*")?, "plant/guard")
//!     .filter(Filter::new("payload.celsius gt 30")?)
//!     .from(Start::First)
//!     .named("alarms");
//! let mut guard = bus.listen(hot)?;
//! let alarm = guard.next().await;
//! assert_eq!(alarm.envelope.payload.as_bytes(), b"{\"celsius\":35}");
//! assert!(alarm.acknowledge()); // the next life of "alarms" begins behind it
//! # drop(guard);
//! # tree.stop().await;
//! # Ok::<(), Box<dyn std::error::Error>>(()) })?;
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```
//!
//! # What may be relied on
//!
//! - Each envelope has one end for each subscription it was for, and that is counted: delivered, dropped with a reason, or
//!   dead with a cause; until then it waits. Whoever subscribes again keeps what waits, what is in hand and what is under
//!   way; what waits for a member of a group that leaves goes to those that may have it.
//! - The order of a sender on a topic is kept within a priority, for each subscription and for each member of a group. A
//!   delivery that is tried again is passed by those behind it, unless the subscription is strict.
//! - What is published durably is on disk before it is acknowledged and before anybody gets it. What a named subscription
//!   acknowledged goes to disk with the next group of records, and at once where there is none: after a kill no more than
//!   that comes again, and whoever gets a durable publication acknowledged afterwards knows that it is there.
//! - What is to be published later on a durable topic is on disk before that is acknowledged, and comes once: in this runtime
//!   after its delay, in the next at the same time by the clock of the world, or at once where that has passed.
//! - What died of a durable topic goes to disk before a name has passed it, and stays there until it was replayed, or made
//!   room. A kill in the middle of a replay brings it back.
//! - A subscriber that is slow loses its own envelopes, as its terms say; one that reads a log loses what the log lets go.
//!
//! # Known not to be so yet
//!
//! - Dead letters of topics that are not durable, and what is to be published on these later, end with the runtime.
//! - An acknowledgement of something that was handed out before a breaker opened counts as a trial that succeeded.
//! - Logs are in memory as well as on disk: their bound in bytes is a bound of memory. Their age counts the time in which a
//!   runtime runs.
//! - A group cannot read a log.
//! - After a disk has failed under a publication that is there nevertheless, only those who read the log get it.
//! - A subscriber whose `From<Arrivals>` panics is told again two hundred times a second.
#![forbid(unsafe_code)]

mod access;
mod account;
mod agenda;
mod archivist;
mod arrivals;
mod breaker;
mod bus;
pub mod codec;
mod config;
mod daily;
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
mod item;
mod later;
mod ledger;
mod listener;
mod matcher;
pub mod metrics;
mod replaying;
mod requests;
mod room;
mod route;
#[cfg(shuttle)]
#[cfg(test)]
mod schedules;
mod seen;
mod sending;
mod shelf;
mod subscribing;
mod subscription;
mod table;
mod terms;
mod timers;
mod topic;
mod wall_clock;

pub use access::{Limit, NotAllowed};
pub use account::{Cause, Dropped, Tally};
pub use agenda::{AgendaFull, ScheduleId, When};
pub use archivist::{CursorView, LogView, Start, Stored, StoredEnvelope};
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
pub use error::{
    ArchiveError, Error, ForgetError, PublishError, ReplayError, ReplyError, RequestError, SubscribeError,
};
pub use filter::{COMPARISONS_MAX, FILTER_DEPTH_MAX, FILTER_LENGTH_MAX, Filter};
pub use filter_parser::FilterError;
pub use group::Pick;
pub use item::Sent;
pub use later::PlanView;
pub use listener::Listener;
pub use matcher::Matcher;
pub use replaying::Replayed;
pub use room::{room, room_on};
pub use sending::Directory;
pub use subscribing::{Subscribe, SubscriptionView, TopicView};
pub use terms::{Class, Retry, Terms, WhenFull};
pub use topic::{PARTS_MAX, Pattern, TOPIC_LENGTH_MAX, Topic, TopicError, TopicFault};
