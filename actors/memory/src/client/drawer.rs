//! One namespace, in the name of somebody.

use std::sync::Arc;

use triarch_supervision::prelude::*;

use super::page::{Page, PageBound};
use super::{Reach, unanswered};
use crate::access::{Identity, Level, Verb};
use crate::config::{BATCH_MAX, Durability};
use crate::entry::Entry;
use crate::error::{Error, Wanted};
use crate::name::{Key, Namespace};
use crate::op::{Done, Lifetime, Op, Put, Write};
use crate::space::watch::{Scope, Watch};
use crate::space::{Barred, Extent, Space, Tally};
use crate::value::Value;
use crate::writer::Wish;

/// About one of so many writes that wait for no disk is timed.
const TIMED_EACH: u64 = 8;

/// A namespace, to work with in the name of somebody.
#[derive(Clone, Debug)]
pub struct Drawer {
    reach: Arc<Reach>,
    space: Arc<Space>,
    who: Identity,
}

impl Drawer {
    pub(super) fn new(reach: Arc<Reach>, space: Arc<Space>, who: Identity) -> Self {
        Self { reach, space, who }
    }

    /// Which.
    pub fn name(&self) -> &Namespace {
        self.space.name()
    }

    /// What is under a key, as `look` sees it. Asks no agent and waits for nobody.
    #[inline]
    pub fn read<R>(&self, key: &str, look: impl FnOnce(&Arc<Entry>) -> R) -> Result<Option<R>, Error> {
        let clock = self.reach.store.clock();
        self.told(self.space.read(key, clock, |entry| self.admits(entry), look))
    }

    /// The same, and it does not count as read: it goes no later where others need room, and nobody is told a time of it.
    #[inline]
    pub(crate) fn glance<R>(&self, key: &str, look: impl FnOnce(&Arc<Entry>) -> R) -> Result<Option<R>, Error> {
        let clock = self.reach.store.clock();
        self.told(self.space.glance(key, clock, |entry| self.admits(entry), look))
    }

    #[inline]
    fn admits(&self, entry: &Arc<Entry>) -> bool {
        self.space.with_rules(|rules| {
            let level = rules.access.read;
            match level {
                Level::Public => true,
                Level::Private => level.admits(&self.who, &rules.belonging, Some(entry.owner())),
                _ => level.admits(&self.who, &rules.belonging, None),
            }
        })
    }

    #[inline]
    fn told<R>(&self, read: Result<Option<R>, Barred>) -> Result<Option<R>, Error> {
        match read {
            Ok(Some(seen)) => Ok(Some(seen)),
            Err(Barred) => Err(self.refused(Verb::Read)),
            Ok(None) => {
                self.space.is_there()?;
                // Whether there is nothing is told to those alone who may read.
                self.reach.store.admit(&self.who, Verb::Read, &self.space)?;
                Ok(None)
            }
        }
    }

    /// What is under a key.
    pub fn get(&self, key: &str) -> Result<Option<Arc<Entry>>, Error> {
        self.read(key, Arc::clone)
    }

    /// What is under several keys, no more than a batch has, as of one instant between two writes.
    pub fn get_many(&self, keys: &[Key]) -> Result<Vec<Option<Arc<Entry>>>, Error> {
        let only = self.sees_only()?;
        if keys.len() > BATCH_MAX {
            return Err(Error::BatchTooLong {
                given: keys.len(),
                most: BATCH_MAX,
            });
        }
        let is_let = |entry: &Arc<Entry>| only.as_ref().is_none_or(|owner| **owner == *entry.owner());
        let entries = self.space.read_many(keys, self.reach.store.clock(), is_let);
        self.space.is_there()?;
        Ok(entries)
    }

    /// Whether there is something under a key.
    pub fn exists(&self, key: &str) -> Result<bool, Error> {
        Ok(self.read(key, |_| ())?.is_some())
    }

    /// How many keys begin so.
    pub fn count(&self, prefix: &str) -> Result<u64, Error> {
        let (mut count, mut after) = (0, None);
        loop {
            let page = self.list(prefix, after.as_ref(), 1_024)?;
            count += page.len() as u64;
            match page.into_iter().last() {
                Some((key, _)) => after = Some(key),
                None => return Ok(count),
            }
        }
    }

    /// Entries whose keys begin so, in their order, after `after`, at most so many.
    pub fn list(&self, prefix: &str, after: Option<&Key>, most: usize) -> Result<Vec<(Key, Arc<Entry>)>, Error> {
        let bound = PageBound {
            most,
            bytes: u64::MAX,
            tells_more: false,
        };
        Ok(self.fill(prefix, after, bound)?.entries)
    }

    /// The same, at most so many and of so many bytes, but for one that is larger by itself; and whether there are more.
    pub fn page(&self, prefix: &str, after: Option<&Key>, (most, bytes): (usize, u64)) -> Result<Page, Error> {
        let bound = PageBound {
            most,
            bytes,
            tells_more: true,
        };
        self.fill(prefix, after, bound)
    }

    fn fill(&self, prefix: &str, after: Option<&Key>, bound: PageBound) -> Result<Page, Error> {
        let only = self.sees_only()?;
        let now = self.reach.store.clock().now();
        let keys = |after: Option<&Key>, most| self.space.keys(prefix, after.map(Key::as_str), most);
        let is_own = |entry: &Arc<Entry>| only.as_ref().is_none_or(|owner| **owner == *entry.owner());
        let look = |key: &Key| {
            let entry = self.space.peek(key.as_str()).filter(|entry| !entry.has_expired(now));
            entry.filter(is_own)
        };
        let page = bound.fill(after.cloned(), keys, look);
        self.space.is_there()?;
        Ok(page)
    }

    /// Writes an entry.
    pub async fn put(&self, put: Put) -> Result<Done, Error> {
        self.one(Op::Put(put)).await
    }

    /// Writes a value, if the entry is at that version; 0 is that of an entry that is not there.
    pub async fn compare_and_set(&self, key: &Key, version: u64, value: Value) -> Result<Done, Error> {
        let put = Put::new(key.clone(), value);
        self.put(put.if_it_is(Wanted::Version(version))).await
    }

    /// Takes an entry away.
    pub async fn delete(&self, key: &Key) -> Result<Done, Error> {
        self.one(Op::Delete(key.clone(), None)).await
    }

    /// Adds to a whole number, and returns what it came to.
    pub async fn increment(&self, key: &Key, by: i64) -> Result<i64, Error> {
        let done = self.one(Op::Increment(key.clone(), by)).await?;
        Ok(done.number.unwrap_or_default())
    }

    /// Gives an entry another lifetime, from now on; tells whether it is there.
    pub async fn keep(&self, key: &Key, lifetime: Lifetime) -> Result<bool, Error> {
        Ok(self.one(Op::Keep(key.clone(), lifetime)).await?.existed)
    }

    /// All of it, in this order, or nothing.
    pub async fn batch(&self, ops: Vec<Op>) -> Result<Vec<Done>, Error> {
        if ops.len() > BATCH_MAX {
            return Err(Error::BatchTooLong {
                given: ops.len(),
                most: BATCH_MAX,
            });
        }
        let begun = Moment::now();
        let done = match self.space.durability() {
            Durability::Journal => self.write(ops).await,
            _ => self.space.write(&self.who, &ops, self.reach.store.clock().at(begun)),
        };
        self.wrote(begun, done)
    }

    /// Watches from now on, with room for so many changes until they are looked at.
    pub fn watch(&self, scope: Scope, capacity: usize) -> Result<Watch, Error> {
        let only = self.sees_only()?;
        self.space.watch(scope, capacity, only)
    }

    /// How much there is, of everybody's: where reading is private, for its owner alone.
    pub fn extent(&self) -> Result<Extent, Error> {
        self.space.is_there()?;
        if !self.space.is_open_to(&self.who) {
            return Err(self.refused(Verb::Read));
        }
        Ok(self.space.extent())
    }

    /// What it uses, for whoever tries what would go in.
    pub(crate) fn tally(&self) -> Tally {
        self.space.tally()
    }

    /// Why nothing is written here, where that is so.
    pub(crate) fn held_back(&self) -> Option<Error> {
        self.space.held_back()
    }

    /// The number of the last change that anybody sees.
    pub(crate) fn published(&self) -> u64 {
        self.space.published()
    }

    async fn one(&self, op: Op) -> Result<Done, Error> {
        let begun = Moment::now();
        let done = match self.space.durability() {
            Durability::Journal => {
                let done = self.write(vec![op]).await;
                done.map(|done| done.into_iter().next().unwrap_or_default())
            }
            _ => self.space.write_one(&self.who, &op, self.reach.store.clock().at(begun)),
        };
        self.wrote(begun, done)
    }

    /// Through the writer, to disk.
    async fn write(&self, ops: Vec<Op>) -> Result<Vec<Done>, Error> {
        self.reach.store.may_write(self.space.name())?;
        let write = Write {
            by: self.who.clone(),
            ops,
        };
        let room = self.reach.waiting.take(&self.space, &write).await?;
        self.reach.store.may_write(self.space.name())?;
        let space = Arc::clone(&self.space);
        let asked = self.reach.writer.ask(|reply| Wish::Write(space, (write, room), reply));
        asked
            .await
            .unwrap_or_else(|fault| Err(unanswered(self.space.name(), &fault)))
    }

    /// Whether it is looked how long a write took. Of those that wait for no disk one in so many tells, as chance and the clock
    /// will have it: to look at the clock once more takes a tenth of what they take.
    fn is_timed(&self, begun: Moment) -> bool {
        self.space.durability() == Durability::Journal || begun.as_nanos().is_multiple_of(TIMED_EACH)
    }

    /// Notes what came of a write.
    fn wrote<T>(&self, begun: Moment, done: Result<T, Error>) -> Result<T, Error> {
        if let Err(Error::Refused { verb, .. }) = &done {
            let all = [Verb::Delete, Verb::Read, Verb::Write];
            let verb = all.into_iter().find(|known| known.label() == *verb);
            let _noted = self.refused(verb.unwrap_or(Verb::Write));
        }
        let took = self.is_timed(begun).then(|| Moment::now().since(begun));
        self.reach
            .metrics
            .wrote(self.space.durability(), done.as_ref().map(drop), took);
        done
    }

    /// Notes a refusal.
    fn refused(&self, verb: Verb) -> Error {
        let level = self.space.with_rules(|rules| rules.access.level(verb));
        self.reach.store.refuse(&self.who, verb, self.space.name(), level);
        Error::Refused {
            who: self.who.who.as_ref().to_owned(),
            verb: verb.label(),
            namespace: self.space.name().clone(),
            level: level.label(),
        }
    }

    /// Whose entries alone may be seen: the own, where reading is private.
    fn sees_only(&self) -> Result<Option<Arc<str>>, Error> {
        self.reach.store.admit(&self.who, Verb::Read, &self.space)?;
        let is_private = self.space.with_rules(|rules| rules.access.read == Level::Private);
        Ok((is_private && !self.who.is_system).then(|| Arc::clone(&self.who.who)))
    }
}
