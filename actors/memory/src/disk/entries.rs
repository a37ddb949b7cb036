//! Entries as they come back from disk, by their keys, and in the order in which they came.
//!
//! They lie in memory in that order too, and snapshots are in the order of keys. So whoever takes them up reads and sorts
//! what mostly lies in its place.

use std::collections::{HashMap, hash_map};
use std::sync::Arc;

use crate::entry::Entry;
use crate::name::Key;

/// Gaps are closed once there are so many more of them than entries.
const ROOM: usize = 1_024;

/// Entries by key.
#[derive(Debug, Default)]
pub(crate) struct Entries {
    places: HashMap<Key, usize, foldhash::fast::RandomState>,
    all: Vec<(Key, Option<Arc<Entry>>)>,
}

impl Entries {
    pub(crate) fn len(&self) -> usize {
        self.places.len()
    }

    pub(crate) fn get(&self, key: &Key) -> Option<&Arc<Entry>> {
        let place = self.places.get(key)?;
        self.all.get(*place)?.1.as_ref()
    }

    /// In the place of what was there, unless that is newer.
    pub(crate) fn insert(&mut self, key: Key, entry: Arc<Entry>) {
        match self.places.entry(key) {
            hash_map::Entry::Occupied(place) => {
                let there = self.all.get_mut(*place.get()).map(|(_, there)| there);
                let older = |there: &Arc<Entry>| there.version() <= entry.version();
                if let Some(there) = there.filter(|there| there.as_ref().is_some_and(older)) {
                    *there = Some(entry);
                }
            }
            hash_map::Entry::Vacant(place) => {
                let key = place.key().clone();
                place.insert(self.all.len());
                self.all.push((key, Some(entry)));
            }
        }
    }

    pub(crate) fn remove(&mut self, key: &Key) -> Option<Arc<Entry>> {
        let place = self.places.remove(key)?;
        let gone = self.all.get_mut(place)?.1.take();
        if self.all.len() > ROOM + 2 * self.places.len() {
            self.tidy();
        }
        gone
    }

    fn tidy(&mut self) {
        self.all.retain(|(_, entry)| entry.is_some());
        for (place, (key, _)) in self.all.iter().enumerate() {
            if let Some(known) = self.places.get_mut(key) {
                *known = place;
            }
        }
    }

    /// Their keys.
    pub(crate) fn keys(&self) -> impl Iterator<Item = &Key> {
        self.all.iter().filter(|(_, entry)| entry.is_some()).map(|(key, _)| key)
    }

    pub(crate) fn into_entries(self) -> impl Iterator<Item = (Key, Arc<Entry>)> {
        let all = self.all.into_iter();
        all.filter_map(|(key, entry)| entry.map(|entry| (key, entry)))
    }
}

impl FromIterator<(Key, Arc<Entry>)> for Entries {
    fn from_iter<T: IntoIterator<Item = (Key, Arc<Entry>)>>(all: T) -> Self {
        let mut entries = Self::default();
        all.into_iter().for_each(|(key, entry)| entries.insert(key, entry));
        entries
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use proptest::prelude::*;

    use super::*;
    use crate::entry::Parts;
    use crate::value::Value;

    fn entry(key: &Key, version: u64) -> Arc<Entry> {
        let parts = Parts::of(Value::bytes(*b""), version);
        Arc::new(Entry::new(key, parts))
    }

    proptest! {
        #![proptest_config(ProptestConfig { cases: 20, failure_persistence: None, ..ProptestConfig::default() })]

        /// So often that gaps are closed now and then, and no sooner than there are many.
        #[test]
        fn they_are_what_a_map_would_hold(
            keys in 20_u16..900,
            steps in prop::collection::vec((any::<u16>(), 0_u8..2), 6_000..9_000),
        ) {
            let (mut entries, mut model) = (Entries::default(), BTreeMap::new());
            for (version, (number, what)) in (1..).zip(steps) {
                let key = Key::new(&(number % keys).to_string()).unwrap();
                let before = entries.all.len();
                if what == 0 {
                    entries.insert(key.clone(), entry(&key, version));
                    model.insert(key, version);
                } else {
                    let gone = entries.remove(&key).map(|entry| entry.version());
                    prop_assert_eq!(gone, model.remove(&key));
                }
                let most = ROOM + 2 * entries.len();
                prop_assert!(entries.all.len() <= most);
                prop_assert!(entries.all.len() >= before || (before > most && entries.all.len() == entries.len()));
            }
            prop_assert!(model.iter().all(|(key, version)| entries.get(key).unwrap().version() == *version));
            prop_assert_eq!((entries.len(), entries.keys().count()), (model.len(), model.len()));
            let all: BTreeMap<_, _> = entries.into_entries().map(|(key, entry)| (key, entry.version())).collect();
            prop_assert_eq!(all, model);
        }
    }
}
