//! Changes that are decided and nobody sees yet.

use std::collections::HashMap;
use std::sync::Arc;

use super::order::Order;
use crate::entry::Entry;
use crate::name::Key;
use crate::op::{Cause, Change};

/// Up to so many changes are looked through; beyond that they are found by their keys.
const FEW: usize = 16;

/// Decided changes in their order, and what is there once they are made.
#[derive(Debug, Default)]
pub(crate) struct Staged {
    changes: Vec<Change>,
    /// What is there under each key, once the changes are more than a few.
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

    /// For how many changes there is room.
    #[cfg(test)]
    pub(crate) fn room(&self) -> usize {
        self.changes.capacity()
    }

    /// The changes, in their order. What is left is as new, and has room for as many again.
    pub(crate) fn drain(&mut self) -> impl Iterator<Item = Change> {
        self.latest.clear();
        (self.entries, self.bytes) = (0, 0);
        self.changes.drain(..)
    }

    /// What will be there: nothing said where nothing is staged.
    pub(crate) fn get(&self, key: &Key) -> Option<&Option<Arc<Entry>>> {
        if self.changes.len() > FEW {
            return self.latest.get(key);
        }
        let last = self.changes.iter().rev().find(|change| change.key == *key);
        last.map(|change| &change.after)
    }

    pub(crate) fn push(&mut self, change: Change) {
        let (entries, bytes) = weight(&change);
        self.entries += entries;
        self.bytes += bytes;
        if self.changes.len() == FEW {
            let few = self.changes.iter();
            self.latest
                .extend(few.map(|change| (change.key.clone(), change.after.clone())));
        }
        if self.changes.len() >= FEW {
            self.latest.insert(change.key.clone(), change.after.clone());
        }
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
            if self.changes.len() > FEW {
                self.latest.insert(change.key, change.before);
            } else {
                self.latest.clear();
            }
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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::entry::Parts;
    use crate::value::Value;

    fn key(number: usize) -> Key {
        Key::new(&format!("k{number}")).unwrap()
    }

    fn entry(key: &Key, version: u64) -> Arc<Entry> {
        let parts = Parts::of(Value::bytes(*b"x"), version);
        Arc::new(Entry::new(key, parts))
    }

    #[test]
    fn few_or_many_the_last_change_of_a_key_counts_and_what_is_taken_back_never_was() {
        let (mut staged, mut order) = (Staged::default(), Order::default());
        let mut marks = Vec::new();
        for round in 1..=6_u64 {
            for number in 0..7 {
                let key = key(number);
                let before = staged.get(&key).cloned().flatten();
                let is_there = !(round + number as u64).is_multiple_of(3);
                let after = is_there.then(|| entry(&key, round));
                let (version, cause) = (round, Cause::Put);
                let change = Change {
                    key,
                    version,
                    cause,
                    before,
                    after,
                };
                staged.push(change);
            }
            marks.push(staged.len());
        }
        for round in (1..=6_u64).rev() {
            for number in 0..7 {
                let seen = staged.get(&key(number)).unwrap().as_ref().map(|entry| entry.version());
                let is_there = !(round + number as u64).is_multiple_of(3);
                assert_eq!(seen, is_there.then_some(round), "{number} in round {round}");
            }
            marks.pop();
            staged.take_back(marks.last().copied().unwrap_or(0), &mut order);
        }
        assert!(staged.get(&key(1)).is_none());
        assert_eq!((staged.len(), staged.entries, staged.bytes), (0, 0, 0));
    }

    #[test]
    fn from_a_few_to_many_none_is_forgotten() {
        let mut staged = Staged::default();
        for number in 0..FEW + 3 {
            let key = key(number);
            let (after, before, cause) = (Some(entry(&key, 1)), None, Cause::Put);
            staged.push(Change {
                key,
                version: 1,
                cause,
                before,
                after,
            });
            assert!(
                (0..=number).all(|earlier| staged.get(&self::key(earlier)).is_some()),
                "{number}"
            );
        }
    }

    #[test]
    fn what_was_taken_back_of_more_than_a_few_is_not_staged_when_others_follow() {
        let (mut staged, mut order) = (Staged::default(), Order::default());
        let put = |staged: &mut Staged, number: usize| {
            let key = key(number);
            let (after, before, cause) = (Some(entry(&key, 1)), None, Cause::Put);
            let version = 1;
            staged.push(Change {
                key,
                version,
                cause,
                before,
                after,
            });
        };
        (0..=FEW).for_each(|number| put(&mut staged, number));
        staged.take_back(FEW, &mut order);
        put(&mut staged, FEW + 1);
        assert!(staged.get(&key(FEW)).is_none());
        assert!(
            (0..FEW)
                .chain([FEW + 1])
                .all(|number| staged.get(&key(number)).is_some())
        );
    }
}
