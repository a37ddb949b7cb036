//! What can be asked of a namespace's writer, and what comes of it.

use std::sync::Arc;
use std::time::Duration;

use serde::Serialize;

use crate::access::Identity;
use crate::entry::{Entry, Labels};
use crate::error::Wanted;
use crate::name::Key;
use crate::time::StoreTime;
use crate::value::Value;

/// One change that somebody asks for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Op {
    /// Write an entry.
    Put(Put),
    /// Take an entry away, if it is as wanted.
    Delete(Key, Option<Wanted>),
    /// Add to a whole number; one that is not there is 0.
    Increment(Key, i64),
    /// Give an entry another lifetime, from now on.
    Keep(Key, Lifetime),
}

/// An entry to be written.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Put {
    /// Under which key.
    pub key: Key,
    /// What.
    pub value: Value,
    /// Type, tags and metadata.
    pub labels: Labels,
    /// How long.
    pub lifetime: Lifetime,
    /// Only if what is there is so.
    pub wanted: Option<Wanted>,
    /// Where it comes from, if it was in a store before; only the runtime is believed that.
    pub(crate) origin: Option<Box<Origin>>,
}

/// What an entry was where it comes from.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Origin {
    pub(crate) owner: Option<Arc<str>>,
    pub(crate) created: Option<StoreTime>,
    pub(crate) updated: Option<StoreTime>,
}

/// How long an entry is there.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Lifetime {
    /// As its namespace says.
    #[default]
    Default,
    /// Until it is deleted.
    Forever,
    /// So long from now.
    For(Duration),
}

/// What came of an operation.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Done {
    /// The number of the change; 0 where nothing changed.
    pub version: u64,
    /// Whether there was such an entry before.
    pub existed: bool,
    /// What an increment came to.
    pub number: Option<i64>,
}

/// Why an entry changed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Cause {
    /// Somebody wrote it.
    Put,
    /// Somebody deleted it.
    Deleted,
    /// Its time had come.
    Expired,
    /// Room was needed.
    Evicted,
    /// The namespace's retention.
    Retained,
}

/// One change of a namespace, as watchers see it.
#[derive(Clone, Debug)]
pub struct Change {
    /// Which entry.
    pub key: Key,
    /// Its number, which rises with the changes of the namespace, not always by one. Where a disk failed, and it is not known
    /// when entries went, they go by one number together.
    pub version: u64,
    /// Why.
    pub cause: Cause,
    /// What was there.
    pub before: Option<Arc<Entry>>,
    /// What is there now.
    pub after: Option<Arc<Entry>>,
}

impl Change {
    /// About how many bytes what is there now has, as quotas count.
    pub fn bytes(&self) -> u64 {
        self.after.as_ref().map_or(0, |entry| entry.size(&self.key))
    }
}

/// Operations that are done together or not at all, by somebody.
#[derive(Clone, Debug)]
pub struct Write {
    /// Who asks.
    pub by: Identity,
    /// What, in this order.
    pub ops: Vec<Op>,
}

impl Put {
    /// `value` under `key`, without labels, for as long as the namespace says.
    pub fn new(key: Key, value: Value) -> Self {
        Self {
            key,
            value,
            labels: Labels::default(),
            lifetime: Lifetime::Default,
            wanted: None,
            origin: None,
        }
    }

    /// For so long.
    #[must_use]
    pub fn lasting(mut self, lifetime: Lifetime) -> Self {
        self.lifetime = lifetime;
        self
    }

    /// Only if what is there is so.
    #[must_use]
    pub fn if_it_is(mut self, wanted: Wanted) -> Self {
        self.wanted = Some(wanted);
        self
    }

    /// As a thing of this type.
    #[must_use]
    pub fn kind(mut self, kind: &str) -> Self {
        self.labels.kind = Some(kind.into());
        self
    }

    /// To be found by this word.
    #[must_use]
    pub fn tag(mut self, tag: &str) -> Self {
        self.labels.tags.insert(tag.into());
        self
    }

    /// With this noted.
    #[must_use]
    pub fn note(mut self, name: &str, note: &str) -> Self {
        self.labels.metadata.insert(name.into(), note.into());
        self
    }
}

impl Op {
    /// Which entry it is about.
    pub fn key(&self) -> &Key {
        match self {
            Self::Put(put) => &put.key,
            Self::Delete(key, _) | Self::Increment(key, _) | Self::Keep(key, _) => key,
        }
    }
}

impl Cause {
    /// The word for it.
    pub const fn label(self) -> &'static str {
        match self {
            Self::Put => "put",
            Self::Deleted => "deleted",
            Self::Expired => "expired",
            Self::Evicted => "evicted",
            Self::Retained => "retained",
        }
    }
}
