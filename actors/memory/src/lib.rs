//! The store that agents share: namespaced keys with versions, lifetimes, watches and search, as durable as each namespace asks.
#![forbid(unsafe_code)]

mod access;
mod client;
mod config;
mod disk;
mod entry;
mod error;
mod exchange;
mod index;
mod machine;
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
    BATCH_MAX, Config, Durability, Eviction, FullText, NAMESPACES_MAX, Quota, Retention, Rules, WATCHERS_MAX,
};
pub use disk::{CodecError, DumpError, RecoveryError, SealError, Secret};
pub use entry::{ENTRY_OVERHEAD, Entry, Labels};
pub use error::{Error, Unit, Wanted};
pub use exchange::backup::{BackedUp, ExchangeError, RestoreReport};
pub use exchange::{Conflicts, Exported};
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
