//! The store that agents share: namespaced keys with versions, lifetimes, watches and search, as durable as each namespace asks.
//!
//! ```text
//!   readers ──────────────▶ held ◀──publish── order ◀──decide── writers          in memory, relaxed: at once
//!                             ▲                 │
//!                             └──publish── writer ◀── scribe ◀── journal          durable: once it is on disk
//!                                               │
//!                            watchers, index, due times, ranks, quotas
//! ```
//!
//! A [`Client`] is the store in the name of somebody; a [`Drawer`] is one namespace of it. Reading asks no agent and waits
//! for nobody. All writes of a namespace pass one order, so that whoever watches sees each change once and in order, and
//! the journal has the same order. What is durable is seen by nobody before it is on disk.
//!
//! ```
//! use triarch_memory::{Access, Config, Key, Level, Namespace, Put, Query, Rules, Value, metrics, room};
//! use triarch_supervision::metrics::Instruments;
//! use triarch_supervision::prelude::*;
//!
//! # tokio::runtime::Builder::new_current_thread().enable_all().build()?.block_on(async {
//! let instruments = Instruments::with_tree(&[metrics::MEMORY])?;
//! let notes = (Namespace::new("notes")?, Rules::default()); // in memory, open to its team
//! let (room, client) = room(Config::default(), vec![notes], None, &instruments)?;
//! let tree = Root::new().instruments(instruments).supervisor(room).start().await?;
//!
//! let notes = client.open("notes")?;
//! let key = Key::new("animals/1")?;
//! let put = Put::new(key.clone(), Value::parse_json(r#"{"text":"a red fox"}"#)?).tag("seen");
//! let first = notes.put(put).await?;
//! assert_eq!(notes.read("animals/1", |entry| entry.version())?, Some(first.version));
//!
//! let other = Value::parse_json(r#"{"text":"a hen"}"#)?;
//! assert!(notes.compare_and_set(&key, first.version + 1, other).await.is_err()); // somebody else was quicker
//!
//! let query = Query { text: Some("Fox".to_owned()), ..Query::default() };
//! assert_eq!(client.search(&[], &query)?.matched, 1);
//! tree.stop().await;
//! # Ok::<(), Box<dyn std::error::Error>>(()) })?;
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```
//!
//! # Whoever asks
//!
//! The room gives the runtime one [`Client`], in the name of the runtime itself. A door that knows who asks (a program's
//! lines, the command line, a native agent) takes that client and names them; what it gets is the store as they may see it.
//! Nothing else has to be checked there: every door of the store asks [`Access`] itself, each time, and notes refusals.
//!
//! ```text
//!   room ──▶ Client (runtime) ──named(who)──▶ Client (who) ──open("notes")──▶ Drawer (who, notes)
//!              │                                │                                │
//!              └─ back_up, restore, compact,    └─ namespaces, search, retain,   └─ get, list, put, delete, batch,
//!                 flush, define, forget            define, export, import           increment, keep, watch, extent
//! ```
//!
//! | who | [`Identity`] | is of |
//! |---|---|---|
//! | an agent of a team | `Identity::agent("tools/echo-2")` | the team `tools` |
//! | the same, at work on a project | `Identity::agent("tools/echo-2").on("moon")` | the project `moon` too |
//! | a person, or an agent of no team | `Identity::agent("ada")` | no team |
//! | the runtime, and who runs it | `Identity::system()` | all is open to it |
//!
//! ```
//! # use triarch_memory::{Access, Belonging, Config, Error, Identity, Key, Level, Line, Namespace, Query, Rules, Scope, Seen, metrics, room};
//! # use triarch_supervision::metrics::Instruments;
//! # use triarch_supervision::prelude::*;
//! # tokio::runtime::Builder::new_current_thread().enable_all().build()?.block_on(async {
//! # let instruments = Instruments::with_tree(&[metrics::MEMORY])?;
//! let rules = Rules {
//!     belonging: Belonging { team: Some("tools".into()), ..Belonging::default() },
//!     access: Access { read: Level::Team, write: Level::Team, delete: Level::Private, administer: Level::System },
//!     ..Rules::default()
//! };
//! let described = vec![(Namespace::new("plans")?, rules)];
//! let (room, runtime) = room(Config::default(), described, None, &instruments)?;
//! let tree = Root::new().instruments(instruments).supervisor(room).start().await?;
//!
//! // A program has sent {"type":"memory", …}: its supervisor knows which agent it is, whatever it says of itself.
//! let echo = runtime.named(Identity::agent("tools/echo-2"));
//! let plans = echo.open("plans")?;
//! let line: Line = serde_json::from_str(r#"{"key":"today","json":{"do":"count hens"},"tags":["hot"]}"#)?;
//! let done = plans.put(line.put(runtime.store().clock())?).await?;
//!
//! // What it is shown is a line again.
//! let entry = plans.get("today")?.expect("it was put there");
//! let shown = serde_json::to_value(Line::of(Key::new("today")?, &entry, runtime.store().clock()))?;
//! assert_eq!((&shown["owner"], &shown["version"]), (&"tools/echo-2".into(), &done.version.into()));
//!
//! // A mate sees it and may not take it away; a stranger sees nothing, not in a search either.
//! let mate = runtime.named(Identity::agent("tools/echo-1")).open("plans")?;
//! let mut watch = mate.watch(Scope::Prefix("to".to_owned()), 64)?;
//! assert!(matches!(mate.delete(&Key::new("today")?).await, Err(Error::Refused { .. })));
//! let stranger = runtime.named(Identity::agent("other/x"));
//! assert!(matches!(stranger.open("plans")?.get("today"), Err(Error::Refused { .. })));
//! assert_eq!(stranger.search(&[], &Query::default())?.matched, 0);
//!
//! plans.increment(&Key::new("hens")?, 3).await?;
//! plans.compare_and_set(&Key::new("today")?, done.version, "0".parse::<serde_json::Value>()?.into()).await?;
//! assert!(matches!(watch.next().await, Some(Seen::Change(change)) if change.key.as_str() == "today"));
//! tree.stop().await;
//! # Ok::<(), Box<dyn std::error::Error>>(()) })?;
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```
//!
//! Every error is an [`Error`] (of whole stores an [`ExchangeError`]) that says what, where and what to do. Of those that the
//! disk brings about, [`Error::Disk`] means that nothing was written and the same may be tried again; [`Error::Unanswered`]
//! that nobody knows. Both come at once: a journal that failed is verified anew beside those who write, and until that is
//! done [`Store::closed`] says why. Reading, listing and searching go on, and so does writing to namespaces of durability `memory`
//! and `relaxed`; only after a start on a disk that is full already these wait for room too, since how far numbers come is promised
//! on disk first. Searching a whole store, exports
//! and backups take as long as it is large; a search runs on the caller's thread.
//!
//! # What may be relied on
//!
//! | durability | acknowledged means | after a kill or a power cut |
//! |---|---|---|
//! | `memory` | readers see it | nothing is left |
//! | `relaxed` | readers see it | as of the last flush: all of a namespace of one instant, no half of a batch |
//! | `journal` | it is on disk, and readers see it | all that was acknowledged, whole; what was not may be there or not |
//!
//! - A version is the number of its namespace's change, and never comes again: not for another value, not after a deletion, not
//!   in the next namespace of the same name, not after a power cut that took away what had it. A store without a
//!   place on disk has no earlier life to know of, and begins at 1.
//! - An entry's time is over to the millisecond for readers; who watches is told within a tenth of a second. No jump of a
//!   clock moves that; only over a restart of the machine itself the wall clock has to be believed.
//! - Every key of a batch is changed in one step of the order. Who reads several keys one by one may see some of a batch;
//!   [`Drawer::get_many`] does not.
//! - A search shows what was so at some instant while it went on, each entry once, those too that change all the time.
//! - A backup is of one instant of all namespaces. What is restored, or imported by the runtime, belongs to whom it belonged; what
//!   somebody else writes meanwhile is not overwritten.
//! - Who has a drawer, or a watch, of a namespace that is gone is told so, also once there is another of its name. Who watches
//!   is told to begin anew where it has changed who may see what.
//! - A sealed store believes nothing that has no seal.
//!
//! # Known not to be so yet
//!
//! - A write to memory, and a read while eight others read and eight write on two cores, are slower than they are meant to be;
//!   `docs/PERFORMANCE.md` says by how much, and why.
//! - Who verifies a journal that failed reads all of it.
#![forbid(unsafe_code)]

mod access;
mod client;
mod clocks;
mod config;
mod described;
mod disk;
mod entry;
mod error;
mod exact;
mod exchange;
mod index;
pub mod metrics;
mod name;
mod op;
mod project;
mod retention;
mod room;
mod search;
mod snapshots;
mod space;
mod store;
mod sweeper;
mod time;
mod value;
mod walk;
mod writer;

pub use access::{Access, Belonging, Identity, Level, Verb};
pub use client::{Client, Drawer, Page, Shown};
pub use config::{
    BATCH_MAX, Config, Durability, Eviction, FullText, NAMESPACES_MAX, Quota, Retention, Rules, WATCH_BYTES_MAX,
    WATCH_CAPACITY_MAX, WATCHERS_MAX,
};
pub use described::{
    AccessSettings, KeySource, NamespaceSettings, OpenTo, QuotaSettings, RetentionSettings, SHARED, Settings,
};
pub use disk::{CodecError, DumpError, RecoveryError, SealError, Secret};
pub use entry::{ENTRY_OVERHEAD, Entry, Labels};
pub use error::{Error, Unit, Wanted};
pub use exchange::backup::{BackedUp, ExchangeError, RestoreReport};
pub use exchange::{Conflicts, Exported, Intake, Line, Refused, RefusedLine};
pub use name::{KEY_LENGTH_MAX, Key, Namespace};
pub use op::{Cause, Change, Done, Lifetime, Op, Put, Write};
pub use project::ProjectSettings;
pub use retention::Retained;
pub use room::{Keeping, RoomError, room};
pub use search::{Cuts, Found, Group, Grouped, Hit, Query, Sort};
pub use space::Extent;
pub use space::watch::{Scope, Seen, Watch};
pub use store::{Refusal, Store};
pub use time::{Anchor, Clock, Reading, StoreTime};
pub use value::{Json, Value};
