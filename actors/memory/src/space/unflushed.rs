//! Which keys of a relaxed namespace are otherwise than on disk.
//!
//! What came and went again since the disk last heard of the namespace is no such key: else the keys of a full disk, to which
//! nothing goes, would gather without bound.

use std::collections::HashMap;
use std::sync::Arc;

use crate::entry::Entry;
use crate::name::Key;
use crate::op::Change;

/// Of a key under which nothing has been: as if it were born after all else.
const NEVER: u64 = u64::MAX;

/// Each key with the number at which the oldest entry was born that was under it: is that one on disk, then so is its end to be.
type Keys = HashMap<Key, u64, foldhash::fast::RandomState>;

#[derive(Debug)]
pub(crate) struct Unflushed {
    keys: Keys,
    /// What was born up to here may be on disk by a flush.
    flushed: u64,
    /// The same by a snapshot, and by those before it.
    cut: u64,
    cut_before: u64,
}

/// What is on its way to disk.
#[derive(Debug)]
pub(crate) struct Taken {
    keys: Keys,
    flushed: u64,
}

impl Taken {
    pub(crate) fn keys(&self) -> impl Iterator<Item = &Key> {
        self.keys.keys()
    }
}

impl Unflushed {
    /// Of a namespace of which all is on disk, up to this number.
    pub(crate) fn since(flushed: u64) -> Self {
        Self {
            keys: Keys::default(),
            flushed,
            cut: 0,
            cut_before: 0,
        }
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.keys.is_empty()
    }

    fn may_be_on_disk(&self, born: u64) -> bool {
        born <= self.flushed.max(self.cut)
    }

    pub(crate) fn note(&mut self, change: &Change) {
        let born = change.before.as_ref().map_or(NEVER, |entry| entry.born());
        let oldest = self.keys.get(&change.key).map_or(born, |oldest| born.min(*oldest));
        if change.after.is_none() && !self.may_be_on_disk(oldest) {
            self.keys.remove(&change.key);
        } else if let Some(known) = self.keys.get_mut(&change.key) {
            *known = oldest;
        } else {
            self.keys.insert(change.key.clone(), oldest);
        }
    }

    /// A snapshot of what is there up to that number may come to disk.
    pub(crate) fn cut(&mut self, published: u64) {
        self.cut_before = std::mem::replace(&mut self.cut, published);
    }

    /// That snapshot does not come, for certain: what else is nowhere is no such key any more.
    pub(crate) fn uncut(&mut self, cut: u64, is_there: impl Fn(&Key) -> bool) {
        // Another that was begun meanwhile may come.
        if self.cut != cut {
            return;
        }
        self.cut = self.cut_before;
        let may_be_on_disk = self.flushed.max(self.cut);
        self.keys
            .retain(|key, oldest| *oldest <= may_be_on_disk || is_there(key));
    }

    /// All of them, as they are at that number.
    pub(crate) fn take(&mut self, published: u64) -> Taken {
        Taken {
            keys: std::mem::take(&mut self.keys),
            flushed: std::mem::replace(&mut self.flushed, published),
        }
    }

    /// What was taken did not come to disk, as far as anybody knows; where it is certain, what was never there is none of them.
    pub(crate) fn give_back(&mut self, taken: Taken, is_certain: bool, is_there: impl Fn(&Key) -> bool) {
        if is_certain {
            self.flushed = taken.flushed;
        }
        for (key, born) in taken.keys {
            let oldest = self.keys.get(&key).map_or(born, |oldest| born.min(*oldest));
            if is_there(&key) || self.may_be_on_disk(oldest) {
                self.keys.insert(key, oldest);
            } else {
                self.keys.remove(&key);
            }
        }
    }

    /// What is on disk was read: these are otherwise there, as of that number.
    pub(crate) fn begin_anew(&mut self, otherwise: impl Iterator<Item = (Key, Option<Arc<Entry>>)>, published: u64) {
        // What is still on its way there, by a snapshot that was begun before.
        let cut = self.cut;
        self.keys.retain(|_, born| *born <= cut);
        self.flushed = published;
        for (key, on_disk) in otherwise {
            let born = on_disk.map_or(NEVER, |entry| entry.born());
            let oldest = self.keys.get(&key).map_or(born, |oldest| born.min(*oldest));
            self.keys.insert(key, oldest);
        }
    }
}
