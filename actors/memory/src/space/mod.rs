//! One namespace: what readers see, and the one order in which it changes.
//!
//! ```text
//!   readers ───────────────▶ held: a concurrent map of entries that never change
//!                               ▲
//!   writer ──▶ lock ──▶ draft ──┴─▶ publish: keys, due times, ranks, index, watchers
//!              the order  decides      │
//!                         (pure)       └─ where the namespace is durable: once the journal has it
//! ```

mod draft;
mod figures;
#[cfg(test)]
mod model_test;
mod order;
mod ranks;
#[cfg(test)]
mod rules_test;
mod staged;
pub(crate) mod watch;

use std::collections::{HashMap, HashSet};
use std::ops::Bound;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, RwLock, RwLockReadGuard, RwLockWriteGuard};

use arc_swap::ArcSwap;
use draft::Draft;
pub(crate) use figures::Counts;
pub use figures::Extent;
use order::Order;
pub(crate) use staged::Staged;
use watch::{Scope, Watch, Watchers};

use crate::config::{Durability, FullText, Rules, WATCHERS_MAX};
use crate::entry::Entry;
use crate::error::Error;
use crate::index::{Candidates, Index, Terms};
use crate::name::{Key, Namespace};
use crate::op::{Cause, Change, Done, Write};
use crate::time::{Clock, StoreTime};

type Held = papaya::HashMap<Key, Arc<Entry>, foldhash::fast::RandomState>;

/// One namespace.
#[derive(Debug)]
pub(crate) struct Space {
    name: Namespace,
    rules: ArcSwap<Rules>,
    held: Held,
    order: Mutex<Order>,
    index: RwLock<Index>,
    counts: Arc<Counts>,
}

impl Space {
    pub(crate) fn new(name: Namespace, rules: &Rules, counts: Arc<Counts>) -> Self {
        let space = Self {
            name,
            index: RwLock::new(index(rules)),
            rules: ArcSwap::from_pointee(rules.clone()),
            held: Held::default(),
            order: Mutex::default(),
            counts,
        };
        let mut order = space.order();
        order.unflushed = (rules.durability == Durability::Relaxed).then(HashSet::new);
        order.evict_by(rules.eviction, Vec::new());
        drop(order);
        space
    }

    pub(crate) fn name(&self) -> &Namespace {
        &self.name
    }

    pub(crate) fn rules(&self) -> Arc<Rules> {
        self.rules.load_full()
    }

    pub(crate) fn with_rules<R>(&self, look: impl FnOnce(&Rules) -> R) -> R {
        look(&self.rules.load())
    }

    fn order(&self) -> MutexGuard<'_, Order> {
        self.order.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn living(&self) -> Result<MutexGuard<'_, Order>, Error> {
        let order = self.order();
        if order.is_gone {
            return Err(Error::NoSuchNamespace {
                namespace: self.name.as_str().to_owned(),
            });
        }
        Ok(order)
    }

    /// It is gone: nobody writes to it or watches it any more.
    pub(crate) fn end(&self) {
        let mut order = self.order();
        order.is_gone = true;
        order.watchers = Watchers::default();
    }

    fn index(&self) -> RwLockReadGuard<'_, Index> {
        self.index.read().unwrap_or_else(PoisonError::into_inner)
    }

    fn index_mut(&self) -> RwLockWriteGuard<'_, Index> {
        self.index.write().unwrap_or_else(PoisonError::into_inner)
    }

    /// Other rules from now on. What is there beyond a lower quota stays until somebody writes more.
    pub(crate) fn change_rules(&self, rules: Rules) -> Result<(), Error> {
        let mut order = self.order();
        let before = self.rules();
        if before.durability != rules.durability {
            return Err(Error::OtherDurability {
                namespace: self.name.clone(),
            });
        }
        if before.eviction != rules.eviction {
            order.evict_by(rules.eviction, self.all());
        }
        if before.full_text != rules.full_text || before.quota.bytes != rules.quota.bytes {
            *self.index_mut() = self.indexed(&rules);
        }
        self.rules.store(Arc::new(rules));
        Ok(())
    }

    /// The entry as it is now, and somebody read it.
    #[inline]
    pub(crate) fn read<R>(&self, key: &str, clock: &Clock, look: impl FnOnce(&Arc<Entry>) -> R) -> Option<R> {
        let held = self.held.pin();
        let entry = held.get(key)?;
        if entry.expires().is_some() && entry.has_expired(clock.now()) {
            return None;
        }
        entry.touch(clock.coarse());
        Some(look(entry))
    }

    /// The entry as it is held, without a mark that it was read.
    pub(crate) fn peek(&self, key: &str) -> Option<Arc<Entry>> {
        self.held.pin().get(key).cloned()
    }

    /// All entries as they are held, in no order.
    pub(crate) fn all(&self) -> Vec<(Key, Arc<Entry>)> {
        let held = self.held.pin();
        held.iter()
            .map(|(key, entry)| (key.clone(), Arc::clone(entry)))
            .collect()
    }

    /// Several entries as of one instant between two writes.
    pub(crate) fn read_many(&self, keys: &[Key], clock: &Clock) -> Vec<Option<Arc<Entry>>> {
        let _order = self.order();
        keys.iter()
            .map(|key| self.read(key.as_str(), clock, Arc::clone))
            .collect()
    }

    /// Decides and publishes at once: for namespaces whose writes wait for no disk.
    pub(crate) fn write(&self, write: &Write, clock: &Clock) -> Result<Vec<Done>, Error> {
        let mut order = self.living()?;
        let mut staged = Staged::default();
        let done = self.draft(&mut order, &mut staged, clock.now()).write(write)?;
        self.publish_in(&mut order, staged.into_changes());
        Ok(done)
    }

    /// Decides, for a journal to be asked before anybody sees it.
    pub(crate) fn stage(&self, write: &Write, staged: &mut Staged, now: StoreTime) -> Result<Vec<Done>, Error> {
        self.draft(&mut *self.living()?, staged, now).write(write)
    }

    /// Takes away those whose time has come, at most so many; returns whether that was all.
    pub(crate) fn expire(&self, now: StoreTime, most: usize) -> bool {
        let mut order = self.order();
        let mut staged = Staged::default();
        self.draft(&mut order, &mut staged, now).expire(most);
        let count = staged.len();
        self.publish_in(&mut order, staged.into_changes());
        count < most
    }

    /// The same, staged.
    pub(crate) fn stage_expiry(&self, staged: &mut Staged, now: StoreTime, most: usize) {
        self.draft(&mut self.order(), staged, now).expire(most);
    }

    /// Whether anything is due.
    pub(crate) fn has_due(&self, now: StoreTime) -> bool {
        self.order().due.first().is_some_and(|(expires, _)| *expires <= now)
    }

    /// Takes away what retention chose, unless it changed meanwhile.
    pub(crate) fn retain(&self, taken: &[(Key, u64)], now: StoreTime) {
        let mut order = self.order();
        let mut staged = Staged::default();
        self.draft(&mut order, &mut staged, now).retain(taken);
        self.publish_in(&mut order, staged.into_changes());
    }

    /// The same, staged.
    pub(crate) fn stage_retention(&self, taken: &[(Key, u64)], staged: &mut Staged, now: StoreTime) {
        self.draft(&mut self.order(), staged, now).retain(taken);
    }

    fn draft<'a>(
        &'a self,
        order: &'a mut Order,
        staged: &'a mut Staged,
        now: StoreTime,
    ) -> DraftOf<'a, impl Fn(&Key) -> Option<Arc<Entry>>> {
        DraftOf {
            rules: self.rules(),
            namespace: &self.name,
            held: |key: &Key| self.held.pin().get(key).cloned(),
            order,
            staged,
            now,
        }
    }

    /// Takes back all but the first `kept` staged changes.
    pub(crate) fn take_back(&self, staged: &mut Staged, kept: usize) {
        staged.take_back(kept, &mut self.order());
    }

    /// Makes staged changes seen, in their order.
    pub(crate) fn publish(&self, staged: Staged) {
        self.publish_in(&mut self.order(), staged.into_changes());
    }

    /// Staged changes are not made after all. Their numbers are not used again, since a disk may have seen them.
    pub(crate) fn discard(&self, mut staged: Staged) {
        staged.take_back(0, &mut self.order());
    }

    fn publish_in(&self, order: &mut Order, changes: Vec<Change>) {
        let held = self.held.pin();
        let is_watched = !order.watchers.is_empty();
        let has_words = self.with_rules(|rules| rules.full_text == FullText::Indexed);
        for change in changes {
            self.counts.count(&change);
            order.note(&change);
            let (before, after) = (change.before.as_ref(), change.after.as_ref());
            if Index::concerns(has_words, before) || Index::concerns(has_words, after) {
                self.index_mut().change(&change.key, before, after);
            }
            match &change.after {
                Some(entry) => {
                    held.insert(change.key.clone(), Arc::clone(entry));
                }
                None => {
                    held.remove(&change.key);
                }
            }
            if is_watched {
                order.watchers.tell(&Arc::new(change));
            }
        }
        let live = order.keys.len();
        if let Some(ranks) = &mut order.ranks {
            ranks.tidy(live, |key| held.get(key).cloned());
        }
    }

    /// Entries as a journal or a backup knew them, where nothing is yet; nobody is told.
    pub(crate) fn load(&self, entries: Vec<(Key, Entry)>, revision: u64) {
        let mut order = self.order();
        let held = self.held.pin();
        for (key, entry) in entries {
            let entry = Arc::new(entry);
            order.keys.insert(key.clone());
            order.bytes += entry.size(&key);
            order.revision = order.revision.max(entry.version());
            if let Some(expires) = entry.expires() {
                order.due.insert((expires, key.clone()));
            }
            held.insert(key, entry);
        }
        drop(held);
        order.revision = order.revision.max(revision);
        order.published = order.revision;
        let rules = self.rules();
        order.evict_by(rules.eviction, self.all());
        *self.index_mut() = self.indexed(&rules);
    }

    fn indexed(&self, rules: &Rules) -> Index {
        let mut all = self.all();
        all.sort_unstable_by_key(|(_, entry)| entry.version());
        let mut index = index(rules);
        for (key, entry) in &all {
            index.change(key, None, Some(entry));
        }
        index
    }

    /// Keys that begin with `prefix`, after `after`, at most so many.
    pub(crate) fn keys(&self, prefix: &str, after: Option<&str>, most: usize) -> Vec<Key> {
        let order = self.order();
        let from = match after.filter(|after| *after >= prefix) {
            Some(after) => Bound::Excluded(after),
            None => Bound::Included(prefix),
        };
        let keys = order.keys.range::<str, _>((from, Bound::Unbounded));
        keys.take_while(|key| key.as_str().starts_with(prefix))
            .take(most)
            .cloned()
            .collect()
    }

    pub(crate) fn candidates(&self, terms: &Terms, from: u64) -> Candidates {
        self.index().candidates(terms, from)
    }

    /// Whether words are found here, and how many entries have words that are not.
    pub(crate) fn cut(&self) -> (bool, u64) {
        let index = self.index();
        (index.has_words(), index.cut())
    }

    pub(crate) fn watch(&self, scope: Scope, capacity: usize, owner: Option<Arc<str>>) -> Result<Watch, Error> {
        let mut order = self.order();
        if order.watchers.count() >= WATCHERS_MAX {
            return Err(Error::TooManyWatchers {
                namespace: self.name.clone(),
                most: WATCHERS_MAX,
            });
        }
        Ok(order.watchers.add(scope, capacity, owner))
    }

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

    /// What changed since this was last asked, all as of one instant, with the number of the last change.
    pub(crate) fn take_unflushed(&self) -> Flush {
        let mut order = self.order();
        let unflushed = order.unflushed.as_mut().map(std::mem::take).unwrap_or_default();
        let held = self.held.pin();
        let states = unflushed.into_iter().map(|key| {
            let entry = held.get(&key).cloned();
            (key, entry)
        });
        Flush {
            states: states.collect(),
            revision: order.published,
        }
    }

    /// All entries as of one instant, with the number of the last change.
    pub(crate) fn cut_now(&self) -> (Vec<(Key, Arc<Entry>)>, u64) {
        let order = self.order();
        (self.all(), order.published)
    }

    /// The number of the last change that anybody sees.
    pub(crate) fn published(&self) -> u64 {
        self.order().published
    }

    /// What a journal says is there, where what is seen may be otherwise: whoever watches is told what changes.
    pub(crate) fn adopt(&self, mut entries: HashMap<Key, Entry>, revision: u64) {
        let mut order = self.order();
        order.revision = order.revision.max(revision);
        let mut changes = Vec::new();
        for (key, before) in self.all() {
            let after = entries.remove(&key).map(Arc::new);
            if after.as_ref().is_none_or(|after| after.version() != before.version()) {
                changes.push(adopted(key, Some(before), after));
            }
        }
        changes.extend(
            entries
                .into_iter()
                .map(|(key, entry)| adopted(key, None, Some(Arc::new(entry)))),
        );
        changes.sort_by_key(|change| change.version);
        self.publish_in(&mut order, changes);
        // What was lost on its way may have come back with numbers between those that are indexed.
        *self.index_mut() = self.indexed(&self.rules());
        // Who was chosen to make room by a writer that is gone has its place again.
        order.evict_by(self.rules().eviction, self.all());
    }

    /// Nobody knows what of it is on disk.
    pub(crate) fn unflush_all(&self) {
        let all = self.all();
        self.give_back_unflushed(all.into_iter().map(|(key, _)| key));
    }

    /// What was taken is not on disk after all.
    pub(crate) fn give_back_unflushed(&self, keys: impl Iterator<Item = Key>) {
        if let Some(unflushed) = &mut self.order().unflushed {
            unflushed.extend(keys);
        }
    }
}

/// What of a namespace is to be flushed.
#[derive(Debug)]
pub(crate) struct Flush {
    pub(crate) states: Vec<(Key, Option<Arc<Entry>>)>,
    pub(crate) revision: u64,
}

fn adopted(key: Key, before: Option<Arc<Entry>>, after: Option<Arc<Entry>>) -> Change {
    let of = after.as_ref().or(before.as_ref());
    Change {
        version: of.map_or(0, |entry| entry.version()),
        cause: if after.is_some() { Cause::Put } else { Cause::Deleted },
        key,
        before,
        after,
    }
}

/// A draft that keeps the rules it decides by.
struct DraftOf<'a, H> {
    rules: Arc<Rules>,
    namespace: &'a Namespace,
    held: H,
    order: &'a mut Order,
    staged: &'a mut Staged,
    now: StoreTime,
}

impl<H: Fn(&Key) -> Option<Arc<Entry>>> DraftOf<'_, H> {
    fn draft(&mut self) -> Draft<'_, &H> {
        Draft {
            namespace: self.namespace,
            rules: &self.rules,
            held: &self.held,
            order: self.order,
            staged: self.staged,
            now: self.now,
        }
    }

    fn write(&mut self, write: &Write) -> Result<Vec<Done>, Error> {
        self.draft().write(write)
    }

    fn expire(&mut self, most: usize) {
        self.draft().expire(most);
    }

    fn retain(&mut self, taken: &[(Key, u64)]) {
        self.draft().retain(taken);
    }
}

fn index(rules: &Rules) -> Index {
    // No larger than what it is about.
    let bytes_max = usize::try_from(rules.quota.bytes).unwrap_or(usize::MAX);
    Index::new(rules.full_text == FullText::Indexed, bytes_max)
}
