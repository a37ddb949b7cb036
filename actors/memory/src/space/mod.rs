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
mod numbers;
mod order;
mod pins;
#[cfg(test)]
mod pins_test;
mod quotas;
mod ranks;
mod reading;
mod returning;
#[cfg(test)]
mod rules_test;
mod staged;
mod unflushed;
#[cfg(test)]
mod unflushed_test;
pub(crate) mod watch;

use std::ops::Bound;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, OnceLock, RwLock, RwLockReadGuard, RwLockWriteGuard};

use arc_swap::ArcSwap;
use draft::Draft;
pub(crate) use figures::Counts;
pub use figures::Extent;
pub(crate) use numbers::Numbers;
use order::Order;
pub(crate) use pins::{Cut, cut_together};
pub(crate) use quotas::Tally;
pub(crate) use staged::Staged;
pub(crate) use unflushed::Taken;
use unflushed::Unflushed;
use watch::{Scope, Watch, Watchers};

use triarch_supervision::sync::{lock, unpoisoned};

use crate::access::Identity;
use crate::config::{Durability, FullText, Rules, WATCH_CAPACITY_MAX, WATCHERS_MAX};
use crate::entry::Entry;
use crate::error::Error;
use crate::index::{Candidates, Index, Terms};
use crate::name::{Key, Namespace};
use crate::op::{Change, Done, Op};
use crate::retention::Chosen;
use crate::time::StoreTime;

/// So many changes at once leave their room for the next.
const SCRATCH_MAX: usize = 64;

type Held = papaya::HashMap<Key, Arc<Entry>, foldhash::fast::RandomState>;

/// What the namespaces of a store share.
#[derive(Clone, Debug)]
pub(crate) struct Shared {
    pub(crate) counts: Arc<Counts>,
    pub(crate) numbers: Arc<Numbers>,
    /// The most bytes of an entry that goes to disk.
    pub(crate) entry_bytes_max: u64,
}

impl Default for Shared {
    fn default() -> Self {
        Self {
            counts: Arc::default(),
            numbers: Arc::default(),
            entry_bytes_max: u64::MAX,
        }
    }
}

/// There is an entry, and whoever asks is not let through to it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Barred;

/// One namespace.
#[derive(Debug)]
pub(crate) struct Space {
    name: Namespace,
    durability: Durability,
    rules: ArcSwap<Rules>,
    held: Held,
    order: Mutex<Order>,
    index: RwLock<Index>,
    shared: Shared,
    /// The namespace is none any more.
    is_gone: AtomicBool,
    /// The durability it is described with, where that is another than it has.
    described_as: OnceLock<Durability>,
}

impl Space {
    pub(crate) fn new(name: Namespace, rules: &Rules, shared: Shared) -> Self {
        let shared_rules = Arc::new(rules.clone());
        let begin = shared.numbers.floor();
        let mut order = Order {
            rules: Arc::clone(&shared_rules),
            revision: begin,
            published: begin,
            unflushed: (rules.durability == Durability::Relaxed).then(|| Unflushed::since(begin)),
            ..Order::default()
        };
        order.evict_by(rules.eviction, Vec::new);
        Self {
            name,
            durability: rules.durability,
            index: RwLock::new(index(rules)),
            rules: ArcSwap::new(shared_rules),
            held: Held::default(),
            order: Mutex::new(order),
            shared,
            is_gone: AtomicBool::new(false),
            described_as: OnceLock::new(),
        }
    }

    /// How safe its entries are, for its whole life.
    pub(crate) fn durability(&self) -> Durability {
        self.durability
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

    /// Whether all that is in it may be seen by `who`, and so how much there is.
    pub(crate) fn is_open_to(&self, who: &Identity) -> bool {
        self.with_rules(|rules| rules.access.read.admits(who, &rules.belonging, None))
    }

    fn order(&self) -> MutexGuard<'_, Order> {
        lock(&self.order)
    }

    /// Whether there is no such namespace any more, which everybody is told who still has it in hand.
    pub(crate) fn is_there(&self) -> Result<(), Error> {
        if !self.is_gone.load(Ordering::Acquire) {
            return Ok(());
        }
        Err(Error::NoSuchNamespace {
            namespace: self.name.as_str().to_owned(),
        })
    }

    fn living(&self) -> Result<MutexGuard<'_, Order>, Error> {
        let order = self.order();
        self.is_there()?;
        Ok(order)
    }

    fn writable(&self) -> Result<MutexGuard<'_, Order>, Error> {
        let order = self.living()?;
        match self.held_back() {
            None => Ok(order),
            Some(why) => Err(why),
        }
    }

    /// Why nothing is written here, where that is so.
    pub(crate) fn held_back(&self) -> Option<Error> {
        self.described_as.get().map(|wanted| self.other_durability(*wanted))
    }

    /// It is described as what it is not: what is in it is read, and nobody is promised anything of what he would write.
    pub(crate) fn hold_back(&self, wanted: Durability) {
        let _first = self.described_as.set(wanted);
    }

    pub(crate) fn other_durability(&self, wanted: Durability) -> Error {
        Error::OtherDurability {
            namespace: self.name.clone(),
            has: self.durability.label(),
            wanted: wanted.label(),
        }
    }

    /// It is gone: nobody reads it, writes to it or watches it any more. Tells how far its numbers came.
    pub(crate) fn end(&self) -> u64 {
        let mut order = self.order();
        self.is_gone.store(true, Ordering::Release);
        order.end(|key| self.peek(key.as_str()));
        self.held.pin().clear();
        *self.index_mut() = Index::new(false, 0);
        order.revision
    }

    fn index(&self) -> RwLockReadGuard<'_, Index> {
        unpoisoned(self.index.read())
    }

    fn index_mut(&self) -> RwLockWriteGuard<'_, Index> {
        unpoisoned(self.index.write())
    }

    /// Other rules from now on. What is there beyond a lower quota stays until somebody writes more.
    pub(crate) fn change_rules(&self, rules: Rules) -> Result<(), Error> {
        let mut order = self.order();
        let before = self.rules();
        if before.durability != rules.durability {
            return Err(self.other_durability(rules.durability));
        }
        if before.access.read != rules.access.read || before.belonging != rules.belonging {
            // Who watches was let in by the rules of before.
            order.watchers = Watchers::default();
        }
        if before.eviction != rules.eviction {
            order.evict_by(rules.eviction, || self.all());
        }
        if before.full_text != rules.full_text || before.quota.bytes != rules.quota.bytes {
            *self.index_mut() = self.indexed(&rules);
        }
        order.rules = Arc::new(rules);
        self.rules.store(Arc::clone(&order.rules));
        Ok(())
    }

    /// Decides and publishes at once: for namespaces whose writes wait for no disk.
    pub(crate) fn write(&self, by: &Identity, ops: &[Op], now: StoreTime) -> Result<Vec<Done>, Error> {
        self.at_once(self.writable()?, now, |draft| draft.write(by, ops))
    }

    /// The same with a single operation.
    pub(crate) fn write_one(&self, by: &Identity, op: &Op, now: StoreTime) -> Result<Done, Error> {
        self.at_once(self.writable()?, now, |draft| draft.write_one(by, op))
    }

    /// Decides, for a journal to be asked before anybody sees it.
    pub(crate) fn stage(
        &self,
        by: &Identity,
        ops: &[Op],
        staged: &mut Staged,
        now: StoreTime,
    ) -> Result<Vec<Done>, Error> {
        let mut order = self.writable()?;
        self.decide(&mut order, staged, now, |draft| draft.write(by, ops))
    }

    /// Takes away those whose time has come, at most so many; returns whether that was all.
    pub(crate) fn expire(&self, now: StoreTime, most: usize) -> bool {
        self.at_once(self.order(), now, |draft| draft.expire(most)) < most
    }

    /// The same, staged.
    pub(crate) fn stage_expiry(&self, staged: &mut Staged, now: StoreTime, most: usize) {
        self.decide(&mut self.order(), staged, now, |draft| draft.expire(most));
    }

    /// Whether anything is due.
    pub(crate) fn has_due(&self, now: StoreTime) -> bool {
        self.order().due.first().is_some_and(|(expires, _)| *expires <= now)
    }

    /// Takes away what retention chose, unless it changed meanwhile; tells what went.
    pub(crate) fn retain(&self, chosen: &[Chosen], now: StoreTime) -> Vec<Chosen> {
        self.at_once(self.order(), now, |draft| draft.retain(chosen))
    }

    /// The same, staged.
    pub(crate) fn stage_retention(&self, chosen: &[Chosen], staged: &mut Staged, now: StoreTime) -> Vec<Chosen> {
        self.decide(&mut self.order(), staged, now, |draft| draft.retain(chosen))
    }

    /// Takes away those that a lower quota has no room for, at most so many; tells whether any went.
    pub(crate) fn shrink(&self, now: StoreTime, most: usize) -> bool {
        self.at_once(self.order(), now, |draft| draft.shrink(most)) > 0
    }

    /// The same, staged.
    pub(crate) fn stage_shrinking(&self, staged: &mut Staged, now: StoreTime, most: usize) {
        self.decide(&mut self.order(), staged, now, |draft| draft.shrink(most));
    }

    /// Whether there is more than its quota, and others may go for it.
    pub(crate) fn is_beyond_quota(&self) -> bool {
        let order = self.order();
        let (quota, (entries, bytes)) = (order.rules.quota, order.used(&Staged::default()));
        order.ranks.is_some() && (entries > quota.entries || bytes > quota.bytes)
    }

    fn at_once<T>(
        &self,
        mut order: MutexGuard<'_, Order>,
        now: StoreTime,
        decide: impl FnOnce(&mut Draft<'_>) -> T,
    ) -> T {
        let mut staged = std::mem::take(&mut order.scratch);
        let decided = self.decide(&mut order, &mut staged, now, decide);
        let is_small = staged.len() <= SCRATCH_MAX;
        self.publish_in(&mut order, staged.drain());
        if is_small {
            order.scratch = staged;
        }
        decided
    }

    fn decide<T>(
        &self,
        order: &mut Order,
        staged: &mut Staged,
        now: StoreTime,
        decide: impl FnOnce(&mut Draft<'_>) -> T,
    ) -> T {
        let (rules, held) = (Arc::clone(&order.rules), self.held.pin());
        decide(&mut Draft {
            namespace: &self.name,
            rules: &rules,
            shared: &self.shared,
            held: &|key: &Key| held.get(key).cloned(),
            order,
            staged,
            now,
        })
    }

    /// Takes back all but the first `kept` staged changes.
    pub(crate) fn take_back(&self, staged: &mut Staged, kept: usize) {
        staged.take_back(kept, &mut self.order());
    }

    /// Makes staged changes seen, in their order.
    pub(crate) fn publish(&self, mut staged: Staged) {
        self.publish_in(&mut self.order(), staged.drain());
    }

    /// Staged changes are not made after all. Their numbers are not used again, since a disk may have seen them.
    pub(crate) fn discard(&self, mut staged: Staged) {
        staged.take_back(0, &mut self.order());
    }

    fn publish_in(&self, order: &mut Order, changes: impl Iterator<Item = Change>) {
        let held = self.held.pin();
        let is_watched = !order.watchers.is_empty();
        let has_words = order.rules.full_text == FullText::Indexed;
        for change in changes {
            self.shared.counts.count(&change);
            order.note(&change);
            let (before, after) = (change.before.as_ref(), change.after.as_ref());
            if Index::concerns(has_words, before) || Index::concerns(has_words, after) {
                let words = Index::words(has_words, after);
                self.index_mut().change_to(&change.key, before, after, words);
            }
            if is_watched {
                let change = Arc::new(change);
                Self::show(&held, change.key.clone(), change.after.clone());
                order.watchers.tell(&change);
            } else {
                Self::show(&held, change.key, change.after);
            }
        }
        let live = order.keys.len();
        if let Some(ranks) = &mut order.ranks {
            ranks.tidy(live, |key| held.get(key).cloned());
        }
    }

    /// Shows readers what is under a key now.
    fn show(
        held: &papaya::HashMapRef<'_, Key, Arc<Entry>, foldhash::fast::RandomState, impl papaya::Guard>,
        key: Key,
        after: Option<Arc<Entry>>,
    ) {
        match after {
            Some(entry) => drop(held.insert(key, entry)),
            None => drop(held.remove(&key)),
        }
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
    pub(crate) fn words_found(&self) -> (bool, u64) {
        let index = self.index();
        (index.has_words(), index.cut())
    }

    pub(crate) fn watch(&self, scope: Scope, capacity: usize, owner: Option<Arc<str>>) -> Result<Watch, Error> {
        if capacity > WATCH_CAPACITY_MAX {
            return Err(Error::WatchTooLarge {
                namespace: self.name.clone(),
                given: capacity,
                most: WATCH_CAPACITY_MAX,
            });
        }
        let mut order = self.living()?;
        if order.watchers.count() >= WATCHERS_MAX {
            return Err(Error::TooManyWatchers {
                namespace: self.name.clone(),
                most: WATCHERS_MAX,
            });
        }
        Ok(order.watchers.add(scope, capacity, owner))
    }

    /// The number of the last change that anybody sees.
    pub(crate) fn published(&self) -> u64 {
        self.order().published
    }
}

fn index(rules: &Rules) -> Index {
    // No larger than what it is about.
    let bytes_max = usize::try_from(rules.quota.bytes).unwrap_or(usize::MAX);
    Index::new(rules.full_text == FullText::Indexed, bytes_max)
}
