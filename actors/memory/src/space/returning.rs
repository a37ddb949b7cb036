//! What goes to disk as a whole, and what comes back from there.

use std::panic::resume_unwind;
use std::sync::{Arc, Mutex};
use std::thread;

use triarch_supervision::sync::lock;

use super::unflushed::{Taken, Unflushed};
use super::{Space, index};
use crate::config::{Durability, FullText, Rules};
use crate::disk::Entries;
use crate::entry::Entry;
use crate::index::Index;
use crate::name::Key;
use crate::op::{Cause, Change};

/// What of a namespace is to be flushed.
#[derive(Debug)]
pub(crate) struct Flush {
    pub(crate) states: Vec<(Key, Option<Arc<Entry>>)>,
    pub(crate) revision: u64,
    /// To be given back, should it not come to disk; nothing of a namespace that is never flushed.
    pub(crate) taken: Option<Taken>,
}

impl Space {
    /// Entries as a journal knew them, where nothing is yet; nobody is told.
    pub(crate) fn load(&self, entries: Entries, revision: u64) {
        let mut order = self.order();
        let (mut due, mut last) = (Vec::new(), revision);
        let keys: Mutex<Vec<Key>> = Mutex::new(entries.keys().cloned().collect());
        // Sorted at once, where each on its own would look for its place; and beside what else is to be done.
        let sort = || std::mem::take(&mut *lock(&keys)).into_iter().collect();
        thread::scope(|scope| {
            let sorting = thread::Builder::new().spawn_scoped(scope, sort);
            let held = self.held.pin();
            held.reserve(entries.len());
            for (key, entry) in entries.into_entries() {
                last = last.max(entry.version());
                order.bytes += entry.size(&key);
                due.extend(entry.expires().map(|expires| (expires, key.clone())));
                held.insert(key, entry);
            }
            order.keys = match sorting {
                Ok(sorting) => sorting.join().unwrap_or_else(|panic| resume_unwind(panic)),
                // The system has no thread to spare.
                Err(_) => sort(),
            };
        });
        order.due = due.into_iter().collect();
        // What a journal has knows its own numbers; else those may have been given that are lost.
        let is_known = self.durability == Durability::Journal && last > 0;
        order.revision = if is_known { last } else { order.revision.max(last) };
        order.published = order.revision;
        order.unflushed = order.unflushed.take().map(|_| Unflushed::since(order.published));
        let rules = Arc::clone(&order.rules);
        order.evict_by(rules.eviction, || self.all());
        *self.index_mut() = self.indexed(&rules);
    }

    pub(super) fn indexed(&self, rules: &Rules) -> Index {
        let (held, has_words) = (self.held.pin(), rules.full_text == FullText::Indexed);
        let concerned = held.iter().filter(|(_, entry)| Index::concerns(has_words, Some(entry)));
        let mut all: Vec<_> = concerned.collect();
        all.sort_unstable_by_key(|(_, entry)| entry.version());
        let mut index = index(rules);
        for (key, entry) in all {
            index.change(key, None, Some(entry));
        }
        index
    }

    /// Whether anything is to be flushed. Of a namespace that is not relaxed nothing ever is.
    pub(crate) fn has_unflushed(&self) -> bool {
        self.order()
            .unflushed
            .as_ref()
            .is_some_and(|unflushed| !unflushed.is_empty())
    }

    /// What changed since this was last asked, all as of one instant, with the number of the last change.
    pub(crate) fn take_unflushed(&self) -> Flush {
        let mut order = self.order();
        let revision = order.published;
        let taken = order.unflushed.as_mut().map(|unflushed| unflushed.take(revision));
        let held = self.held.pin();
        let keys = taken.iter().flat_map(Taken::keys);
        let states = keys.map(|key| (key.clone(), held.get(key).cloned())).collect();
        Flush {
            states,
            revision,
            taken,
        }
    }

    /// What was taken is not on disk after all, for certain or as far as anybody knows.
    pub(crate) fn give_back_unflushed(&self, taken: Option<Taken>, is_certain: bool) {
        let held = self.held.pin();
        if let (Some(unflushed), Some(taken)) = (&mut self.order().unflushed, taken) {
            unflushed.give_back(taken, is_certain, |key| held.contains_key(key));
        }
    }

    /// The snapshot does not come, for certain, that was to have what is here as of that number.
    pub(crate) fn uncut(&self, revision: u64) {
        let held = self.held.pin();
        if let Some(unflushed) = &mut self.order().unflushed {
            unflushed.uncut(revision, |key| held.contains_key(key));
        }
    }

    /// All that is otherwise than on disk is to be flushed, since nobody knows what was on its way there.
    pub(crate) fn unflush(&self, mut on_disk: Entries) {
        let mut order = self.order();
        let mut otherwise = Vec::new();
        for (key, entry) in self.all() {
            let there = on_disk.remove(&key);
            if there.as_ref().is_none_or(|there| there.version() != entry.version()) {
                otherwise.push((key, there));
            }
        }
        otherwise.extend(on_disk.into_entries().map(|(key, there)| (key, Some(there))));
        let published = order.published;
        if let Some(unflushed) = &mut order.unflushed {
            unflushed.begin_anew(otherwise.into_iter(), published);
        }
    }

    /// What a journal says is there, where what is seen may be otherwise: whoever watches is told what changes.
    pub(crate) fn adopt(&self, mut entries: Entries, revision: u64) {
        let mut order = self.order();
        order.revision = order.revision.max(revision);
        let mut changes = Vec::new();
        for (key, before) in self.all() {
            let after = entries.remove(&key);
            if after.as_ref().is_none_or(|after| after.version() != before.version()) {
                changes.push(adopted(key, Some(before), after, revision));
            }
        }
        let new = entries.into_entries();
        changes.extend(new.map(|(key, entry)| adopted(key, None, Some(entry), revision)));
        changes.sort_by_key(|change| change.version);
        self.publish_in(&mut order, changes.into_iter());
        let rules = Arc::clone(&order.rules);
        // What was lost on its way may have come back with numbers between those that are indexed.
        *self.index_mut() = self.indexed(&rules);
        // Who was chosen to make room by a writer that is gone has its place again.
        order.evict_by(rules.eviction, || self.all());
    }
}

/// When something went is not known; before all that comes next it did.
fn adopted(key: Key, before: Option<Arc<Entry>>, after: Option<Arc<Entry>>, revision: u64) -> Change {
    Change {
        version: after.as_ref().map_or(revision, |entry| entry.version()),
        cause: if after.is_some() { Cause::Put } else { Cause::Deleted },
        key,
        before,
        after,
    }
}
