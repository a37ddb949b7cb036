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
//! # What may be relied on
//!
//! | durability | acknowledged means | after a kill or a power cut |
//! |---|---|---|
//! | `memory` | readers see it | nothing is left |
//! | `relaxed` | readers see it | as of the last flush: all of a namespace of one instant, no half of a batch |
//! | `journal` | it is on disk, and readers see it | all that was acknowledged, whole; what was not may be there or not |
//!
//! - A version is the number of its namespace's change, and never comes again for another value.
//! - An entry's time is over to the millisecond for readers; who watches is told within a tenth of a second. No jump of a
//!   clock moves that; only over a restart of the machine itself the wall clock has to be believed.
//! - A disk that is full, or fails, is an error to whoever writes ([`Error::Disk`]: not written; [`Error::Unanswered`]: nobody
//!   knows). Readers go on.
//! - Every key of a batch is changed in one step of the order. Who reads several keys one by one may see some of a batch;
//!   [`Drawer::get_many`] does not.
//!
//! # Known not to be so yet
//!
//! Do not keep in it what must not be lost, until this list is empty.
//!
//! - After a failed sync, a write that was decided before the journal was read again may be acknowledged and yet be missing from the
//!   next snapshot; a namespace whose end failed on the way may pass over what is written to it later.
//! - A flush of an earlier life that was cut short may come back over a newer one. An entry too large for a record holds up the
//!   flush of the namespaces behind it.
//! - A backup is of no one instant where somebody writes meanwhile, and gives what is restored to `system`. An import may overwrite what
//!   comes while it reads.
//! - A sealed store still takes unsealed records. A drawer of a namespace that was forgotten reads on.
//! - Versions of namespaces in `memory` begin anew with each life. Where an entry changes all the time, a search may miss it.
//! - A read of one key of very many, a write and the return of a million entries are slower than they are meant to be; no bench says yet how
//!   slow.
#![forbid(unsafe_code)]

mod access;
mod client;
mod clocks;
mod config;
mod disk;
mod entry;
mod error;
mod exchange;
mod index;
pub mod metrics;
mod name;
mod op;
mod retention;
mod room;
mod search;
mod snapshots;
mod space;
mod store;
mod sweeper;
mod time;
mod value;
mod writer;

pub use access::{Access, Belonging, Identity, Level, Verb};
pub use client::{Client, Drawer, Shown};
pub use config::{
    BATCH_MAX, Config, Durability, Eviction, FullText, NAMESPACES_MAX, Quota, Retention, Rules, WATCH_CAPACITY_MAX,
    WATCHERS_MAX,
};
pub use disk::{CodecError, DumpError, RecoveryError, SealError, Secret};
pub use entry::{ENTRY_OVERHEAD, Entry, Labels};
pub use error::{Error, Unit, Wanted};
pub use exchange::backup::{BackedUp, ExchangeError, RestoreReport};
pub use exchange::{Conflicts, Exported, Line};
pub use name::{KEY_LENGTH_MAX, Key, Namespace};
pub use op::{Cause, Change, Done, Lifetime, Op, Put, Write};
pub use retention::Retained;
pub use room::{Keeping, RoomError, room};
pub use search::{Cuts, Found, Group, Grouped, Hit, Query, Sort};
pub use space::Extent;
pub use space::watch::{Scope, Seen, Watch};
pub use store::{Refusal, Store};
pub use time::{Anchor, Clock, Reading, StoreTime};
pub use value::{Json, Value};
