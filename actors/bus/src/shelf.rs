//! Things with payloads by their keys, and what these payloads take together.

use std::collections::BTreeMap;
use std::ops::RangeFrom;

/// What lies on a shelf.
pub(crate) trait Weighed {
    /// The bytes of its payload, and of what else may be long.
    fn weight(&self) -> u64;
}

#[derive(Clone, Debug)]
pub(crate) struct Shelf<K, T> {
    things: BTreeMap<K, T>,
    bytes: u64,
}

impl<K, T> Default for Shelf<K, T> {
    fn default() -> Self {
        Self {
            things: BTreeMap::new(),
            bytes: 0,
        }
    }
}

impl<K: Ord, T: Weighed> Shelf<K, T> {
    pub(crate) fn insert(&mut self, key: K, thing: T) {
        self.bytes += thing.weight();
        let before = self.things.insert(key, thing);
        self.lighten(before);
    }

    pub(crate) fn remove(&mut self, key: &K) -> Option<T> {
        let removed = self.things.remove(key);
        self.lighten(removed)
    }

    pub(crate) fn pop_first(&mut self) -> Option<(K, T)> {
        let (key, first) = self.things.pop_first()?;
        self.bytes -= first.weight();
        Some((key, first))
    }

    fn lighten(&mut self, removed: Option<T>) -> Option<T> {
        self.bytes -= removed.as_ref().map_or(0, Weighed::weight);
        removed
    }

    pub(crate) fn get(&self, key: &K) -> Option<&T> {
        self.things.get(key)
    }

    pub(crate) fn contains_key(&self, key: &K) -> bool {
        self.things.contains_key(key)
    }

    pub(crate) fn first(&self) -> Option<&K> {
        self.things.first_key_value().map(|(key, _)| key)
    }

    pub(crate) fn iter(&self) -> impl Iterator<Item = (&K, &T)> {
        self.things.iter()
    }

    pub(crate) fn range(&self, from: RangeFrom<K>) -> impl Iterator<Item = &T> {
        self.things.range(from).map(|(_, thing)| thing)
    }

    pub(crate) fn values(&self) -> impl Iterator<Item = &T> {
        self.things.values()
    }

    pub(crate) fn len(&self) -> usize {
        self.things.len()
    }

    /// What all of them weigh together.
    pub(crate) const fn bytes(&self) -> u64 {
        self.bytes
    }
}

impl<K: Ord, T: Weighed> FromIterator<(K, T)> for Shelf<K, T> {
    fn from_iter<I: IntoIterator<Item = (K, T)>>(things: I) -> Self {
        let mut shelf = Self::default();
        things.into_iter().for_each(|(key, thing)| shelf.insert(key, thing));
        shelf
    }
}

impl<K, T> IntoIterator for Shelf<K, T> {
    type Item = (K, T);
    type IntoIter = std::collections::btree_map::IntoIter<K, T>;

    fn into_iter(self) -> Self::IntoIter {
        self.things.into_iter()
    }
}
