//! How much a namespace holds, and what went by itself.

use std::sync::atomic::{AtomicU64, Ordering};

use crate::op::{Cause, Change};

/// What readers and writers count as they go.
#[derive(Debug, Default)]
pub(crate) struct Counts {
    /// What went because room was needed, because of its time, because of retention.
    pub(crate) evicted: AtomicU64,
    pub(crate) expired: AtomicU64,
    pub(crate) retained: AtomicU64,
}

/// How much a namespace holds.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, serde::Serialize)]
pub struct Extent {
    /// Entries.
    pub entries: u64,
    /// Bytes, as quotas count.
    pub bytes: u64,
    /// About how many bytes its index takes.
    pub index_bytes: u64,
    /// Entries of which some words are not found by search.
    pub cut: u64,
    /// The number of the last change.
    pub revision: u64,
}

impl Counts {
    pub(super) fn count(&self, change: &Change) {
        let counter = match change.cause {
            Cause::Put | Cause::Deleted => return,
            Cause::Evicted => &self.evicted,
            Cause::Expired => &self.expired,
            Cause::Retained => &self.retained,
        };
        counter.fetch_add(1, Ordering::Relaxed);
    }
}
