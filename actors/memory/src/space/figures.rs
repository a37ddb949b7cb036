//! How much a namespace holds, and what went by itself.

use std::sync::atomic::{AtomicU64, Ordering};

use super::{Space, Tally};
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

impl Space {
    pub(crate) fn extent(&self) -> Extent {
        let (entries, bytes, revision) = {
            let order = self.order();
            (order.keys.len() as u64, order.bytes, order.revision)
        };
        let index = self.index();
        Extent {
            entries,
            bytes,
            index_bytes: index.bytes() as u64,
            cut: index.cut(),
            revision,
        }
    }

    /// So many bytes go to disk at once, of one entry or of several.
    pub(crate) fn bytes_max(&self) -> usize {
        usize::try_from(self.shared.entry_bytes_max).unwrap_or(usize::MAX)
    }

    /// What it uses, for whoever tries what would go in.
    pub(crate) fn tally(&self) -> Tally {
        let extent = self.extent();
        Tally {
            rules: self.rules(),
            entry_bytes_max: self.shared.entry_bytes_max,
            used: (extent.entries, extent.bytes),
        }
    }
}
