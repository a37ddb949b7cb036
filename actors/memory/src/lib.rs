//! The store that agents share: namespaced keys with versions, lifetimes, watches and search, as durable as each namespace asks.
#![forbid(unsafe_code)]

mod access;
mod config;
mod disk;
mod entry;
mod error;
mod index;
mod name;
mod op;
mod search;
mod space;
mod store;
mod time;
mod value;

pub use access::{Access, Belonging, Identity, Level, Verb};
pub use config::{BATCH_MAX, Durability, Eviction, FullText, NAMESPACES_MAX, Quota, Retention, Rules, WATCHERS_MAX};
pub use disk::{CodecError, DumpError, RecoveryError, SealError, Secret};
pub use entry::{ENTRY_OVERHEAD, Entry, Labels};
pub use error::{Error, Unit, Wanted};
pub use name::{KEY_LENGTH_MAX, Key, Namespace};
pub use op::{Cause, Change, Done, Lifetime, Op, Put, Write};
pub use search::{Cuts, Found, Group, Grouped, Hit, Query, Sort};
pub use space::Extent;
pub use space::watch::{Scope, Seen, Watch};
pub use store::{Refusal, Store};
pub use time::{Anchor, Clock, Reading, StoreTime};
pub use value::{Json, Value};
