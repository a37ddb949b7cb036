//! What a namespace would be like while entries come in that nobody writes.

use std::collections::{HashMap, VecDeque};

use super::Incoming;
use crate::client::Drawer;
use crate::entry::{Labels, size};
use crate::error::Error;
use crate::name::Key;
use crate::space::Tally;
use crate::value::Value;

/// What would be under a key.
#[derive(Clone, Debug)]
pub(super) struct Would {
    pub(super) size: u64,
    /// What it is, where that is to become one with what comes in.
    pub(super) held: Option<(Value, Labels)>,
}

/// A namespace as it would be.
pub(super) struct Dry {
    tally: Tally,
    /// What would be under the keys that would be written, as far as the namespace has room.
    taken: HashMap<Key, Would>,
    /// The keys of those, the first that would have come first.
    order: VecDeque<Key>,
    bytes: u64,
}

impl Dry {
    pub(super) fn of(drawer: &Drawer) -> Self {
        Self::new(drawer.tally())
    }

    fn new(tally: Tally) -> Self {
        Self {
            tally,
            taken: HashMap::new(),
            order: VecDeque::new(),
            bytes: 0,
        }
    }

    pub(super) fn would(&self, key: &Key) -> Option<&Would> {
        self.taken.get(key)
    }

    /// Takes an entry in, in the place of one of the size `before`, or tells why none would be written.
    pub(super) fn take(
        &mut self,
        drawer: &Drawer,
        incoming: &Incoming,
        before: Option<u64>,
        is_merging: bool,
    ) -> Result<(), Error> {
        let Incoming { key, value, labels, .. } = incoming;
        let size = size(key, value, labels);
        self.tally
            .take((drawer.name(), key), (value.len() as u64, size), before)?;
        let held = is_merging.then(|| (value.clone(), labels.clone()));
        self.hold(key.clone(), Would { size, held });
        Ok(())
    }

    fn hold(&mut self, key: Key, would: Would) {
        self.bytes += would.size;
        match self.taken.insert(key.clone(), would) {
            Some(before) => self.bytes -= before.size,
            None => self.order.push_back(key),
        }
        // More than the quota is there never: of what came, the first would have made room.
        let quota = self.tally.rules.quota;
        while self.taken.len() as u64 > quota.entries || self.bytes > quota.bytes {
            let gone = self.order.pop_front().and_then(|key| self.taken.remove(&key));
            let Some(gone) = gone else { return };
            self.bytes -= gone.size;
        }
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use super::*;
    use crate::config::{Eviction, Quota, Rules};

    #[test]
    fn where_others_make_room_no_more_is_held_than_the_namespace_would() {
        let quota = Quota {
            entries: 10,
            bytes: 1_000,
            ..Quota::default()
        };
        let rules = Rules {
            quota,
            eviction: Some(Eviction::Fifo),
            ..Rules::default()
        };
        let key = |number: u64| Key::new(&number.to_string()).unwrap();
        for (size, held) in [(50, 10), (300, 3)] {
            let mut dry = Dry::new(Tally {
                rules: Arc::new(rules.clone()),
                entry_bytes_max: u64::MAX,
                used: (0, 0),
            });
            for number in 0..1_000 {
                dry.hold(key(number), Would { size: 1, held: None });
                dry.hold(key(number), Would { size, held: None });
                assert!(dry.bytes <= quota.bytes && dry.order.len() == dry.taken.len());
            }
            assert_eq!((dry.taken.len(), dry.bytes), (held, held as u64 * size));
            assert!(dry.would(&key(999)).is_some() && dry.would(&key(0)).is_none());
        }
    }
}
