//! What a description says of the store and its namespaces.

use std::time::Duration;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::access::{Access, Belonging};

/// How safe what is written is once it is acknowledged.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Durability {
    /// Gone at the end of the process.
    #[default]
    Memory,
    /// On disk: acknowledged means written and synced.
    Journal,
    /// On disk soon: what was written since the last flush is lost where the process is killed.
    Relaxed,
}

impl Durability {
    /// The word for it.
    pub const fn label(self) -> &'static str {
        match self {
            Self::Memory => "memory",
            Self::Journal => "journal",
            Self::Relaxed => "relaxed",
        }
    }
}

/// Who makes room in a full namespace that allows it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Eviction {
    /// The first that was not read since the hand last came by.
    Clock,
    /// The one that was read longest ago, or where hundreds were read since, the first of those.
    Lru,
    /// The oldest.
    Fifo,
    /// Between least recently used and oldest, as it turns out which was regretted less.
    Adaptive,
}

/// How much a namespace may hold.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Quota {
    /// How many entries.
    pub entries: u64,
    /// How many bytes, keys, labels and overhead included.
    pub bytes: u64,
    /// How many bytes one value may have.
    pub value_bytes: u64,
}

impl Default for Quota {
    fn default() -> Self {
        Self {
            entries: 1_000_000,
            bytes: 256 << 20,
            value_bytes: 1 << 20,
        }
    }
}

/// What is taken away from time to time. What is not said is not done.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Retention {
    /// Entries written longer ago.
    pub max_age: Option<Duration>,
    /// Entries read or written longer ago; all that a life begins with counts as read then.
    pub unaccessed_for: Option<Duration>,
    /// The entries written longest ago, until so many are left.
    pub max_entries: Option<u64>,
    /// The entries written longest ago, until so many bytes are left.
    pub max_bytes: Option<u64>,
}

impl Retention {
    /// Whether there is nothing to do.
    pub fn is_nothing(&self) -> bool {
        *self == Self::default()
    }
}

/// How a namespace is.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Rules {
    /// How safe its entries are.
    pub durability: Durability,
    /// How much it holds.
    pub quota: Quota,
    /// Who makes room where it is full; without this, a writer is refused.
    pub eviction: Option<Eviction>,
    /// How long entries are there whose writer says nothing.
    pub ttl: Option<Duration>,
    /// What is taken away from time to time.
    pub retention: Retention,
    /// To whom it belongs.
    pub belonging: Belonging,
    /// Who may do what.
    pub access: Access,
    /// Whether the words of its JSON are found by search.
    pub full_text: FullText,
}

/// Whether words are found by search.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum FullText {
    /// They are, for the price of an index.
    #[default]
    Indexed,
    /// They are not.
    Off,
}

/// How many operations one batch may have.
pub const BATCH_MAX: usize = 1_024;

/// How many watchers one namespace bears.
pub const WATCHERS_MAX: usize = 1_024;

/// For how many changes one watcher may have room.
pub const WATCH_CAPACITY_MAX: usize = 16_384;

/// So many bytes at most lie with one watcher; what comes beyond them is missed.
pub const WATCH_BYTES_MAX: u64 = 16 << 20;

/// How many namespaces there may be.
pub const NAMESPACES_MAX: usize = 1_024;

/// How the room is kept.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Config {
    /// So often namespaces of durability `relaxed` are taken to disk.
    pub flush_every: Duration,
    /// So often retention looks what it takes.
    pub retain_every: Duration,
    /// So often there is a snapshot, where anything was written.
    pub snapshot_every: Duration,
    /// After so many bytes of records there is a snapshot too, so that a start has no more than these to read.
    pub snapshot_bytes: u64,
}

impl Default for Config {
    fn default() -> Self {
        Self {
            flush_every: Duration::from_secs(1),
            retain_every: Duration::from_mins(1),
            snapshot_every: Duration::from_mins(5),
            snapshot_bytes: 128 << 20,
        }
    }
}
