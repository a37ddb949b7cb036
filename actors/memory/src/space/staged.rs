//! Changes that are decided and nobody sees yet.

use std::collections::HashMap;
use std::sync::Arc;

use super::order::Order;
use crate::entry::Entry;
use crate::name::Key;
use crate::op::{Cause, Change};

/// Decided changes in their order, and what is there once they are made.
#[derive(Debug, Default)]
pub(crate) struct Staged {
    changes: Vec<Change>,
    latest: HashMap<Key, Option<Arc<Entry>>, foldhash::fast::RandomState>,
    /// How many entries and bytes more there will be.
    pub(crate) entries: i64,
    pub(crate) bytes: i64,
}

impl Staged {
    pub(crate) fn len(&self) -> usize {
        self.changes.len()
    }

    pub(crate) fn changes(&self) -> &[Change] {
        &self.changes
    }

    pub(crate) fn into_changes(self) -> Vec<Change> {
        self.changes
    }

    /// What will be there: nothing said where nothing is staged.
    pub(crate) fn get(&self, key: &Key) -> Option<&Option<Arc<Entry>>> {
        if self.changes.is_empty() {
            return None;
        }
        self.latest.get(key)
    }

    pub(crate) fn push(&mut self, change: Change) {
        let (entries, bytes) = weight(&change);
        self.entries += entries;
        self.bytes += bytes;
        self.latest.insert(change.key.clone(), change.after.clone());
        self.changes.push(change);
    }

    /// Takes back all but the first `kept` changes, and tells `order` of those that stay after all.
    pub(crate) fn take_back(&mut self, kept: usize, order: &mut Order) {
        while self.changes.len() > kept
            && let Some(change) = self.changes.pop()
        {
            let (entries, bytes) = weight(&change);
            self.entries -= entries;
            self.bytes -= bytes;
            if let (Cause::Evicted, Some(entry)) = (change.cause, &change.before) {
                order.stays(&change.key, entry);
            }
            self.latest.insert(change.key, change.before);
        }
    }
}

/// How many entries and bytes more there are after a change.
pub(crate) fn weight(change: &Change) -> (i64, i64) {
    let size = |entry: &Option<Arc<Entry>>| {
        let size = entry.as_ref().map_or(0, |entry| entry.size(&change.key));
        i64::try_from(size).unwrap_or(i64::MAX)
    };
    let count = |entry: &Option<Arc<Entry>>| i64::from(entry.is_some());
    (
        count(&change.after) - count(&change.before),
        size(&change.after) - size(&change.before),
    )
}
