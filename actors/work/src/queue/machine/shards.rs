//! All tasks by their numbers, so kept that a copy of all is made at once, however many they are.
//!
//! ```text
//!   ById ──▶ shard 0 ──▶ task 1 … 255          a copy shares the shards; who changes a task while
//!       ├──▶ shard 1 ──▶ task 256 … 511        there is one copies its shard and the task before,
//!       └──▶ …                                 and nothing else
//! ```

use std::collections::BTreeMap;
use std::fmt;
use std::sync::Arc;

use serde::de::{MapAccess, Visitor};
use serde::ser::SerializeMap;
use serde::{Deserialize, Deserializer, Serialize, Serializer};

use crate::words::TaskId;

use super::kept::Kept;
use super::trail::{Aside, Before};

/// So many numbers are in one shard, as a power of two: what a change copies is short, and so is the list of shards.
const BITS: u32 = 8;

/// In the order of their numbers, which is that in which they come.
type Shard = Vec<(TaskId, Arc<Kept>)>;

#[derive(Clone, Debug, Default, PartialEq)]
pub(super) struct ById {
    shards: BTreeMap<u64, Arc<Shard>>,
    len: usize,
    pub(super) before: Aside<Before>,
}

const fn shard_of(id: TaskId) -> u64 {
    id.number() >> BITS
}

/// At which place of a shard a task stands, or would.
fn place_of(shard: &Shard, id: TaskId) -> Result<usize, usize> {
    shard.binary_search_by_key(&id, |(one, _)| *one)
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "it is asked as any map is")]
impl ById {
    pub(super) fn get(&self, id: &TaskId) -> Option<&Kept> {
        let shard = self.shards.get(&shard_of(*id))?;
        let place = place_of(shard, *id).ok()?;
        shard.get(place).map(|(_, task)| &**task)
    }

    pub(super) fn get_mut(&mut self, id: &TaskId) -> Option<&mut Kept> {
        let shard = self.shards.get_mut(&shard_of(*id))?;
        // What is not there is not worth a copy.
        let place = place_of(shard, *id).ok()?;
        let (_, task) = Arc::make_mut(shard).get_mut(place)?;
        self.before.note(*id, || Some(Arc::clone(task)));
        Some(Arc::make_mut(task))
    }

    pub(super) fn insert(&mut self, id: TaskId, task: Kept) {
        self.put(id, Arc::new(task));
    }

    pub(super) fn put(&mut self, id: TaskId, task: Arc<Kept>) {
        let shard = Arc::make_mut(self.shards.entry(shard_of(id)).or_default());
        match place_of(shard, id) {
            Ok(place) => {
                if let Some((_, known)) = shard.get_mut(place) {
                    self.before.note(id, || Some(Arc::clone(known)));
                    *known = task;
                }
            }
            Err(place) => {
                self.before.note(id, || None);
                shard.insert(place, (id, task));
                self.len += 1;
            }
        }
    }

    pub(super) fn remove(&mut self, id: &TaskId) -> Option<Arc<Kept>> {
        let shard = self.shards.get_mut(&shard_of(*id))?;
        let place = place_of(shard, *id).ok()?;
        let shard = Arc::make_mut(shard);
        let (_, task) = shard.remove(place);
        if shard.is_empty() {
            self.shards.remove(&shard_of(*id));
        }
        self.len -= 1;
        self.before.note(*id, || Some(Arc::clone(&task)));
        Some(task)
    }

    /// All of them, in the order of their numbers.
    pub(super) fn iter(&self) -> impl Iterator<Item = (&TaskId, &Kept)> {
        self.shards.values().flat_map(|shard| of_shard(shard))
    }

    /// Those behind that number and before the other, where these are given.
    pub(super) fn iter_between(
        &self,
        after: Option<TaskId>,
        before: Option<TaskId>,
    ) -> impl DoubleEndedIterator<Item = (&TaskId, &Kept)> {
        let first = after.map_or(TaskId::new(0), TaskId::next);
        let end = before.unwrap_or(TaskId::new(u64::MAX)).max(first);
        let shards = self.shards.range(shard_of(first)..=shard_of(end));
        shards.flat_map(move |(_, shard)| {
            let place = |id| place_of(shard, id).unwrap_or_else(|place| place);
            of_shard(shard.get(place(first)..place(end)).unwrap_or_default())
        })
    }

    pub(super) fn iter_mut(&mut self) -> impl Iterator<Item = (&TaskId, &mut Kept)> {
        let shards = self.shards.values_mut();
        shards.flat_map(|shard| {
            let tasks = Arc::make_mut(shard).iter_mut();
            tasks.map(|(id, task)| (&*id, Arc::make_mut(task)))
        })
    }
}

fn of_shard(tasks: &[(TaskId, Arc<Kept>)]) -> impl DoubleEndedIterator<Item = (&TaskId, &Kept)> {
    tasks.iter().map(|(id, task)| (id, &**task))
}

/// As one map, in the order of its numbers.
impl Serialize for ById {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut map = serializer.serialize_map(Some(self.len))?;
        for (id, task) in self.iter() {
            map.serialize_entry(id, task)?;
        }
        map.end()
    }
}

impl<'de> Deserialize<'de> for ById {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Pairs;
        impl<'de> Visitor<'de> for Pairs {
            type Value = ById;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("tasks by their numbers")
            }

            fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<ById, A::Error> {
                let mut tasks = ById::default();
                while let Some((id, task)) = map.next_entry()? {
                    tasks.insert(id, task);
                }
                Ok(tasks)
            }
        }
        deserializer.deserialize_map(Pairs)
    }
}

#[cfg(test)]
impl ById {
    pub(super) fn keys(&self) -> impl Iterator<Item = &TaskId> {
        self.iter().map(|(id, _)| id)
    }

    pub(super) fn values(&self) -> impl Iterator<Item = &Kept> {
        self.iter().map(|(_, task)| task)
    }

    pub(super) const fn len(&self) -> usize {
        self.len
    }

    /// How many shards there are, and how many of them another one does not share.
    pub(super) fn shards_beside(&self, other: &Self) -> (usize, usize) {
        let own = self.shards.iter().filter(|(number, shard)| {
            let theirs = other.shards.get(number);
            theirs.is_none_or(|theirs| !Arc::ptr_eq(theirs, shard))
        });
        (self.shards.len(), own.count())
    }
}
