//! What a namespace knows beside its entries, and changes under its one lock.

use std::collections::BTreeSet;
use std::sync::Arc;

use super::pins::Pins;
use super::ranks::Ranks;
use super::staged::{Staged, weight};
use super::unflushed::Unflushed;
use super::watch::Watchers;
use crate::config::{Eviction, Rules};
use crate::entry::Entry;
use crate::name::Key;
use crate::op::{Cause, Change};
use crate::time::StoreTime;

/// The order of a namespace: whoever holds it decides what the next change is.
#[derive(Debug, Default)]
pub(crate) struct Order {
    /// The rules, as writers decide by them.
    pub(crate) rules: Arc<Rules>,
    /// The number of the last change that was decided.
    pub(crate) revision: u64,
    /// The number of the last change that anybody sees.
    pub(crate) published: u64,
    /// All keys, in their order.
    pub(crate) keys: BTreeSet<Key>,
    /// How many bytes the entries take.
    pub(crate) bytes: u64,
    /// Who goes by itself, and when.
    pub(crate) due: BTreeSet<(StoreTime, Key)>,
    /// Who makes room, where the namespace allows it.
    pub(crate) ranks: Option<Ranks>,
    pub(crate) watchers: Watchers,
    /// Instants that somebody still reads.
    pub(crate) pins: Pins,
    /// What is otherwise than on disk, where the namespace is flushed.
    pub(crate) unflushed: Option<Unflushed>,
    /// Where changes that are made at once are decided, so that its room is used again.
    pub(crate) scratch: Staged,
}

impl Order {
    /// What a change does to everything but the entries themselves.
    pub(crate) fn note(&mut self, change: &Change) {
        self.pins.save(change);
        let (_, bytes) = weight(change);
        self.bytes = self.bytes.saturating_add_signed(bytes);
        self.published = self.published.max(change.version);
        self.revision = self.revision.max(change.version);
        if let Some(expires) = change.before.as_ref().and_then(|entry| entry.expires()) {
            self.due.remove(&(expires, change.key.clone()));
        }
        if let Some(expires) = change.after.as_ref().and_then(|entry| entry.expires()) {
            self.due.insert((expires, change.key.clone()));
        }
        match (&change.before, &change.after) {
            (None, Some(entry)) => {
                self.keys.insert(change.key.clone());
                if let Some(ranks) = &mut self.ranks {
                    ranks.add(&change.key, entry);
                }
            }
            (Some(_), None) => {
                self.keys.remove(&change.key);
                if let (Cause::Evicted, Some(ranks)) = (change.cause, &mut self.ranks) {
                    ranks.has_gone(&change.key);
                }
            }
            _ => {}
        }
        if let Some(unflushed) = &mut self.unflushed {
            unflushed.note(change);
        }
    }

    /// An entry that was to make room stays.
    pub(crate) fn stays(&mut self, key: &Key, entry: &Entry) {
        if let Some(ranks) = &mut self.ranks {
            ranks.give_back(key, entry);
        }
    }

    /// Another eviction: those that are there take their places anew, the oldest first.
    pub(crate) fn evict_by(&mut self, eviction: Option<Eviction>, held: impl FnOnce() -> Vec<(Key, Arc<Entry>)>) {
        self.ranks = eviction.map(Ranks::new);
        if let Some(ranks) = &mut self.ranks {
            let mut held = held();
            held.sort_unstable_by_key(|(_, entry)| entry.born());
            for (key, entry) in &held {
                ranks.add(key, entry);
            }
        }
    }

    /// How many entries and bytes there are, once what is staged is made.
    pub(crate) fn used(&self, staged: &Staged) -> (u64, u64) {
        let entries = (self.keys.len() as u64).saturating_add_signed(staged.entries);
        (entries, self.bytes.saturating_add_signed(staged.bytes))
    }

    /// Nothing is left.
    pub(crate) fn end(&mut self, held: impl Fn(&Key) -> Option<Arc<Entry>>) {
        self.pins.save_all(self.keys.iter(), held);
        let (revision, published) = (self.revision, self.published);
        *self = Self {
            revision,
            published,
            pins: std::mem::take(&mut self.pins),
            ..Self::default()
        };
    }
}
