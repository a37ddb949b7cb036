//! Decisions: what a write would change, given what is there. No clock, no disk, nobody told.

use std::sync::Arc;
use std::time::Duration;

use super::Shared;
use super::order::Order;
use super::quotas::{Lack, may_hold, signed};
use super::staged::Staged;
use crate::access::{Identity, Verb};
use crate::config::{Durability, Rules};
use crate::entry::{Entry, Labels, Parts};
use crate::error::{Error, Wanted};
use crate::name::{Key, Namespace};
use crate::op::{Cause, Change, Done, Lifetime, Op, Origin, Put};
use crate::retention::Chosen;
use crate::time::StoreTime;
use crate::value::Value;

/// The step of the store's time.
const SHORTEST: Duration = Duration::from_millis(1);

/// So many at once make room whose time has come.
const EXPIRED_FOR_ROOM: usize = 512;

/// What is held under a key.
pub(crate) type Held<'a> = &'a dyn Fn(&Key) -> Option<Arc<Entry>>;

/// A decision in the making.
pub(crate) struct Draft<'a> {
    pub(crate) namespace: &'a Namespace,
    pub(crate) rules: &'a Rules,
    pub(crate) shared: &'a Shared,
    /// What readers see.
    pub(crate) held: Held<'a>,
    pub(crate) order: &'a mut Order,
    pub(crate) staged: &'a mut Staged,
    pub(crate) now: StoreTime,
}

impl Draft<'_> {
    /// All operations of a write, or none.
    pub(crate) fn write(&mut self, by: &Identity, ops: &[Op]) -> Result<Vec<Done>, Error> {
        self.whole(ops.len(), |draft| ops.iter().map(|op| draft.one(by, op)).collect())
    }

    /// The same of a single one.
    pub(crate) fn write_one(&mut self, by: &Identity, op: &Op) -> Result<Done, Error> {
        self.whole(1, |draft| draft.one(by, op))
    }

    fn whole<T>(&mut self, ops: usize, decide: impl FnOnce(&mut Self) -> Result<T, Error>) -> Result<T, Error> {
        self.may_number(ops)?;
        let (kept, revision) = (self.staged.len(), self.order.revision);
        let done = decide(self);
        if done.is_err() {
            self.staged.take_back(kept, self.order);
            self.order.revision = revision;
        }
        done
    }

    /// What of its own numbers the disk does not know needs a promise.
    fn may_number(&self, ops: usize) -> Result<(), Error> {
        let is_known = self.rules.durability == Durability::Journal;
        if is_known || self.order.revision.saturating_add(ops as u64) < self.shared.numbers.promised() {
            return Ok(());
        }
        Err(Error::Disk {
            namespace: self.namespace.clone(),
            fault:
                "no more versions may be given before the disk takes a promise of more; see why it is not written to"
                    .to_owned(),
        })
    }

    fn one(&mut self, by: &Identity, op: &Op) -> Result<Done, Error> {
        let key = op.key();
        let before = self.current(key);
        let verb = if matches!(op, Op::Delete(..)) {
            Verb::Delete
        } else {
            Verb::Write
        };
        self.admit(by, verb, before.as_deref())?;
        if matches!(op, Op::Increment(..)) && before.is_some() {
            // It tells what it came to, and so what there was.
            self.admit(by, Verb::Read, before.as_deref())?;
        }
        match op {
            Op::Put(put) => self.put(by, put, before),
            Op::Delete(key, wanted) => self.delete(key, *wanted, before),
            Op::Increment(key, by_how_much) => self.increment(by, key, *by_how_much, before),
            Op::Keep(key, lifetime) => Ok(self.keep(key, *lifetime, before)),
        }
    }

    /// What is there, after what is staged. What has expired goes first, as its own change.
    fn current(&mut self, key: &Key) -> Option<Arc<Entry>> {
        let entry = self.peek(key)?;
        if !entry.has_expired(self.now) {
            return Some(entry);
        }
        self.stage(key, Cause::Expired, Some(entry), None);
        None
    }

    fn peek(&self, key: &Key) -> Option<Arc<Entry>> {
        match self.staged.get(key) {
            Some(staged) => staged.clone(),
            None => (self.held)(key),
        }
    }

    fn admit(&self, by: &Identity, verb: Verb, entry: Option<&Entry>) -> Result<(), Error> {
        let of = &self.rules.belonging;
        // What is new in a private namespace of nobody's belongs to whoever makes it.
        let owner = entry.map(Entry::owner).or(of.owner.as_deref()).unwrap_or(&by.who);
        let level = self.rules.access.level(verb);
        if level.admits(by, of, Some(owner)) {
            return Ok(());
        }
        Err(Error::Refused {
            who: by.who.as_ref().to_owned(),
            verb: verb.label(),
            namespace: self.namespace.clone(),
            level: level.label(),
        })
    }

    fn put(&mut self, by: &Identity, put: &Put, before: Option<Arc<Entry>>) -> Result<Done, Error> {
        self.check(&put.key, put.wanted, before.as_deref())?;
        let fresh = Fresh {
            value: put.value.clone(),
            labels: put.labels.clone().shared(),
            expires: self.expiry(put.lifetime),
            origin: put.origin.as_deref().filter(|_| by.is_system),
        };
        self.replace(by, &put.key, fresh, before)
    }

    fn delete(&mut self, key: &Key, wanted: Option<Wanted>, before: Option<Arc<Entry>>) -> Result<Done, Error> {
        self.check(key, wanted, before.as_deref())?;
        let Some(entry) = before else {
            return Ok(Done::default());
        };
        let version = self.stage(key, Cause::Deleted, Some(entry), None);
        Ok(Done {
            version,
            existed: true,
            number: None,
        })
    }

    fn increment(&mut self, by: &Identity, key: &Key, more: i64, before: Option<Arc<Entry>>) -> Result<Done, Error> {
        let fault = || Error::NotANumber {
            namespace: self.namespace.clone(),
            key: key.clone(),
        };
        let number = before.as_ref().map_or(Some(0), |entry| entry.value().as_number());
        let number = number.and_then(|number| number.checked_add(more)).ok_or_else(fault)?;
        let (labels, expires) = match &before {
            Some(entry) => (entry.labels_shared(), entry.expires()),
            None => (None, self.expiry(Lifetime::Default)),
        };
        let value = Value::number(number);
        let fresh = Fresh {
            value,
            labels,
            expires,
            origin: None,
        };
        let done = self.replace(by, key, fresh, before)?;
        Ok(Done {
            number: Some(number),
            ..done
        })
    }

    fn keep(&mut self, key: &Key, lifetime: Lifetime, before: Option<Arc<Entry>>) -> Done {
        let Some(entry) = before else {
            return Done::default();
        };
        let mut parts = entry.parts();
        parts.expires = self.expiry(lifetime);
        parts.version = self.order.revision + 1;
        let after = Arc::new(Entry::new(key, parts));
        let version = self.stage(key, Cause::Put, Some(entry), Some(after));
        Done {
            version,
            existed: true,
            number: None,
        }
    }

    fn check(&self, key: &Key, wanted: Option<Wanted>, entry: Option<&Entry>) -> Result<(), Error> {
        let found = entry.map_or(0, Entry::version);
        let Some(wanted) = wanted else { return Ok(()) };
        let is_so = match wanted {
            Wanted::Version(version) => version == found,
            Wanted::Absent => found == 0,
            Wanted::Present => found > 0,
        };
        if is_so {
            return Ok(());
        }
        Err(Error::Conflict {
            namespace: self.namespace.clone(),
            key: key.clone(),
            wanted,
            found,
        })
    }

    fn expiry(&self, lifetime: Lifetime) -> Option<StoreTime> {
        let time = match lifetime {
            Lifetime::Default => self.rules.ttl,
            Lifetime::Forever => None,
            Lifetime::For(time) => Some(time),
        };
        time.map(|time| self.now + time)
    }

    fn replace(
        &mut self,
        by: &Identity,
        key: &Key,
        fresh: Fresh<'_>,
        before: Option<Arc<Entry>>,
    ) -> Result<Done, Error> {
        let owner = before.as_ref().map(|entry| entry.owner_shared());
        let mut parts = Parts {
            value: fresh.value,
            labels: fresh.labels,
            owner: owner.unwrap_or_else(|| Arc::clone(&by.who)),
            version: 0,
            born: before.as_ref().map_or(0, |entry| entry.born()),
            created: before.as_ref().map_or(self.now, |entry| entry.created()),
            updated: self.now,
            accessed: self.now,
            expires: fresh.expires,
        };
        if let Some(origin) = fresh.origin {
            parts.owner = origin.owner.clone().unwrap_or(parts.owner);
            parts.created = origin.created.unwrap_or(parts.created);
            parts.updated = origin.updated.unwrap_or(parts.updated);
        }
        let sizes = (parts.value.len() as u64, Entry::sized(key, &parts));
        may_hold((self.namespace, key), self.rules, self.shared.entry_bytes_max, sizes)?;
        self.make_room(key, &parts, before.as_deref())?;
        parts.version = self.order.revision + 1;
        if before.is_none() {
            parts.born = parts.version;
        }
        let after = Entry::new(key, parts);
        if before.is_some() {
            after.touch(self.now);
        }
        let existed = before.is_some();
        let version = self.stage(key, Cause::Put, before, Some(Arc::new(after)));
        Ok(Done {
            version,
            existed,
            number: None,
        })
    }

    /// Others go until what is to be written fits: those whose time has come, then whoever is there, where the namespace allows it.
    fn make_room(&mut self, key: &Key, parts: &Parts, before: Option<&Entry>) -> Result<(), Error> {
        let size = Entry::sized(key, parts);
        let bytes = signed(size) - signed(before.map_or(0, |entry| entry.size(key)));
        let entries = i64::from(before.is_none());
        if bytes <= 0 && entries <= 0 {
            return Ok(()); // a quota that was lowered hinders nobody from writing less
        }
        let mut may_be_over = size <= self.rules.quota.bytes;
        while let Some(lack) = self.lack(entries, bytes) {
            if may_be_over {
                may_be_over = self.expire(EXPIRED_FOR_ROOM) > 0;
                continue;
            }
            let victim = if size > self.rules.quota.bytes {
                None
            } else {
                self.victim(Some(key))
            };
            let Some((victim, entry)) = victim else {
                return Err(lack.full(self.namespace, key));
            };
            self.stage(&victim, Cause::Evicted, Some(entry), None);
        }
        Ok(())
    }

    fn lack(&self, entries: i64, bytes: i64) -> Option<Lack> {
        Lack::of(&self.rules.quota, self.order.used(self.staged), (entries, bytes))
    }

    /// Those go that a lower quota has no room for, at most so many; tells how many.
    pub(crate) fn shrink(&mut self, most: usize) -> usize {
        for count in 0..most {
            let victim = self.lack(0, 0).and_then(|_| self.victim(None));
            let Some((victim, entry)) = victim else { return count };
            self.stage(&victim, Cause::Evicted, Some(entry), None);
        }
        most
    }

    /// Who makes room: nobody whose change is staged, and not who needs it.
    fn victim(&mut self, key: Option<&Key>) -> Option<(Key, Arc<Entry>)> {
        let (staged, held) = (&*self.staged, self.held);
        let ranks = self.order.ranks.as_mut()?;
        ranks.victim(held, |other| Some(other) == key || staged.get(other).is_some())
    }

    /// Those whose time has come and whose end is not staged yet, at most so many; tells how many.
    pub(crate) fn expire(&mut self, most: usize) -> usize {
        let due = self.order.due.range(..(self.now + SHORTEST, Key::lowest()));
        let unstaged = due.filter(|(_, key)| self.staged.get(key).is_none());
        let due: Vec<Key> = unstaged.take(most).map(|(_, key)| key.clone()).collect();
        for key in &due {
            self.current(key);
        }
        due.len()
    }

    /// Those that retention takes, unless they have changed since it looked; tells which went.
    pub(crate) fn retain(&mut self, chosen: &[Chosen]) -> Vec<Chosen> {
        let mut gone = Vec::new();
        for one in chosen {
            let held = self.current(&one.key);
            if let Some(entry) = held.filter(|entry| entry.version() == one.version) {
                self.stage(&one.key, Cause::Retained, Some(entry), None);
                gone.push(one.clone());
            }
        }
        gone
    }

    fn stage(&mut self, key: &Key, cause: Cause, before: Option<Arc<Entry>>, after: Option<Arc<Entry>>) -> u64 {
        self.order.revision += 1;
        let version = self.order.revision;
        self.staged.push(Change {
            key: key.clone(),
            version,
            cause,
            before,
            after,
        });
        version
    }
}

/// What is to be under a key.
struct Fresh<'a> {
    value: Value,
    labels: Option<Arc<Labels>>,
    expires: Option<StoreTime>,
    origin: Option<&'a Origin>,
}
