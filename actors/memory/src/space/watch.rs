//! Watching: every change once, in order; who lags is told how much was missed, and holds up nobody.

use std::collections::{BTreeSet, HashMap, VecDeque};
use std::sync::{Arc, Mutex, MutexGuard, Weak};

use tokio::sync::Notify;

use triarch_supervision::sync::lock;

use crate::config::WATCH_BYTES_MAX;
use crate::entry::Entry;
use crate::name::Key;
use crate::op::{Cause, Change};

/// What a watcher sees.
#[derive(Clone, Debug)]
pub enum Seen {
    /// A change.
    Change(Arc<Change>),
    /// So many changes came while the watcher had no room: read anew what matters.
    Missed(u64),
}

/// What is watched.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Scope {
    /// One key.
    Key(Key),
    /// All keys that begin so.
    Prefix(String),
}

/// The watcher's end. Dropped, it is forgotten.
#[derive(Debug)]
pub struct Watch(Arc<Inbox>);

/// What writer and watcher share.
#[derive(Debug)]
struct Inbox {
    capacity: usize,
    /// Whose entries alone are seen, where the namespace is private.
    owner: Option<Arc<str>>,
    lain: Mutex<Lain>,
    came: Notify,
}

#[derive(Debug, Default)]
struct Lain {
    changes: VecDeque<Arc<Change>>,
    /// What these hold.
    bytes: u64,
    missed: u64,
    has_ended: bool,
}

/// Who watches a namespace.
#[derive(Debug, Default)]
pub(crate) struct Watchers {
    keys: HashMap<Key, Vec<Weak<Inbox>>>,
    prefixes: HashMap<Box<str>, Vec<Weak<Inbox>>>,
    /// How long prefixes are, so that a key is cut at those lengths alone.
    lengths: BTreeSet<usize>,
    count: usize,
}

impl Watch {
    /// What was seen next; nothing once the namespace is gone, or who may see what in it has changed.
    pub async fn next(&mut self) -> Option<Seen> {
        loop {
            // Enrolled before the look, so that what comes between the two wakes it.
            let came = self.0.came.notified();
            match self.0.take() {
                Err(true) => return None,
                Err(false) => came.await,
                Ok(seen) => return Some(seen),
            }
        }
    }

    /// What there is already, without waiting.
    pub fn try_next(&mut self) -> Option<Seen> {
        self.0.take().ok()
    }
}

impl Inbox {
    fn lain(&self) -> MutexGuard<'_, Lain> {
        lock(&self.lain)
    }

    /// The next, or whether there will be none.
    fn take(&self) -> Result<Seen, bool> {
        let mut lain = self.lain();
        if let Some(change) = lain.changes.pop_front() {
            lain.bytes -= held(&change);
            return Ok(Seen::Change(change));
        }
        match std::mem::take(&mut lain.missed) {
            0 => Err(lain.has_ended),
            missed => Ok(Seen::Missed(missed)),
        }
    }

    /// What is missed is counted until it was told, so that nothing is seen out of order.
    fn tell(&self, change: &Arc<Change>) {
        let Some(change) = self.of_owner(change) else { return };
        let (mut lain, bytes) = (self.lain(), held(&change));
        if lain.missed > 0 || !lain.has_room(bytes, self.capacity) {
            lain.missed += 1;
        } else {
            lain.bytes += bytes;
            lain.changes.push_back(change);
        }
        drop(lain);
        self.came.notify_one();
    }

    /// What of a change may be seen: of an entry that went from one owner to another each sees their own side.
    fn of_owner(&self, change: &Arc<Change>) -> Option<Arc<Change>> {
        let is_own = |side: &Option<Arc<Entry>>| {
            let of = |entry: &Arc<Entry>| self.owner.as_ref().is_none_or(|owner| **owner == *entry.owner());
            side.as_ref().map(of)
        };
        match (is_own(&change.before), is_own(&change.after)) {
            (Some(false), Some(false) | None) | (None, Some(false)) => None,
            (Some(false), Some(true)) => Some(Arc::new(Change {
                before: None,
                ..Change::clone(change)
            })),
            (Some(true), Some(false)) => Some(Arc::new(Change {
                after: None,
                cause: Cause::Deleted,
                ..Change::clone(change)
            })),
            _ => Some(Arc::clone(change)),
        }
    }

    fn end(&self) {
        self.lain().has_ended = true;
        self.came.notify_one();
    }
}

impl Lain {
    /// One change is held however large it is.
    fn has_room(&self, bytes: u64, capacity: usize) -> bool {
        self.changes.is_empty() || (self.changes.len() < capacity && self.bytes + bytes <= WATCH_BYTES_MAX)
    }
}

/// What a change keeps from being let go of, though it may share it with others.
fn held(change: &Change) -> u64 {
    let sides = [&change.before, &change.after].into_iter().flatten();
    sides.map(|entry| entry.size(&change.key)).sum()
}

impl Watchers {
    /// Somebody watches, with room for so many changes.
    pub(crate) fn add(&mut self, scope: Scope, capacity: usize, owner: Option<Arc<str>>) -> Watch {
        let inbox = Arc::new(Inbox {
            capacity: capacity.max(1),
            owner,
            lain: Mutex::default(),
            came: Notify::new(),
        });
        let weak = Arc::downgrade(&inbox);
        match scope {
            Scope::Key(key) => self.keys.entry(key).or_default().push(weak),
            Scope::Prefix(prefix) => {
                self.lengths.insert(prefix.len());
                self.prefixes.entry(prefix.into()).or_default().push(weak);
            }
        }
        self.count += 1;
        Watch(inbox)
    }

    /// How many watch, once those that went are forgotten.
    pub(crate) fn count(&mut self) -> usize {
        let is_there = |watcher: &Weak<Inbox>| watcher.strong_count() > 0;
        self.keys.retain(|_, watchers| {
            watchers.retain(is_there);
            !watchers.is_empty()
        });
        self.prefixes.retain(|_, watchers| {
            watchers.retain(is_there);
            !watchers.is_empty()
        });
        self.lengths = self.prefixes.keys().map(|prefix| prefix.len()).collect();
        self.count = self.keys.values().chain(self.prefixes.values()).map(Vec::len).sum();
        self.count
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.count == 0
    }

    /// Tells whoever watches the key.
    pub(crate) fn tell(&self, change: &Arc<Change>) {
        let tell = |watchers: &Vec<Weak<Inbox>>| {
            for inbox in watchers.iter().filter_map(Weak::upgrade) {
                inbox.tell(change);
            }
        };
        self.keys.get(&change.key).map(tell);
        let key = change.key.as_str();
        for length in &self.lengths {
            key.get(..*length).and_then(|begin| self.prefixes.get(begin)).map(tell);
        }
    }
}

impl Drop for Watchers {
    fn drop(&mut self) {
        let all = self.keys.values().chain(self.prefixes.values()).flatten();
        all.filter_map(Weak::upgrade).for_each(|inbox| inbox.end());
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::entry::Parts;
    use crate::value::Value;

    fn change(key: &str, version: u64) -> Arc<Change> {
        Arc::new(Change {
            key: Key::new(key).unwrap(),
            version,
            cause: Cause::Deleted,
            before: None,
            after: None,
        })
    }

    fn drain(watch: &mut Watch) -> Vec<String> {
        std::iter::from_fn(|| watch.try_next())
            .map(|seen| match seen {
                Seen::Change(change) => format!("{}@{}", change.key, change.version),
                Seen::Missed(count) => format!("missed {count}"),
            })
            .collect()
    }

    #[test]
    fn a_watcher_sees_its_key_or_its_prefix_and_nothing_else() {
        let mut watchers = Watchers::default();
        let mut key = watchers.add(Scope::Key(Key::new("a/1").unwrap()), 10, None);
        let mut prefix = watchers.add(Scope::Prefix("a/".to_owned()), 10, None);
        let mut all = watchers.add(Scope::Prefix(String::new()), 10, None);
        for (number, name) in (1..).zip(["a/1", "a/2", "b", "ä"]) {
            watchers.tell(&change(name, number));
        }
        assert_eq!(drain(&mut key), ["a/1@1"]);
        assert_eq!(drain(&mut prefix), ["a/1@1", "a/2@2"]);
        assert_eq!(drain(&mut all), ["a/1@1", "a/2@2", "b@3", "ä@4"]);
    }

    #[test]
    fn who_lags_is_told_once_how_much_was_missed_and_goes_on_in_order() {
        let mut watchers = Watchers::default();
        let mut watch = watchers.add(Scope::Prefix(String::new()), 2, None);
        (1..=5).for_each(|number| watchers.tell(&change("k", number)));
        assert!(matches!(watch.try_next(), Some(Seen::Change(change)) if change.version == 1));
        watchers.tell(&change("k", 6));
        assert_eq!(drain(&mut watch), ["k@2", "missed 4"]);
        watchers.tell(&change("k", 7));
        assert_eq!(drain(&mut watch), ["k@7"]);
    }

    #[test]
    fn a_watcher_that_stands_still_holds_so_many_bytes_and_is_told_that_it_missed_the_rest() {
        let mut watchers = Watchers::default();
        let mut watch = watchers.add(Scope::Prefix(String::new()), 1_000, None);
        let entry = |version, bytes| {
            let parts = Parts::of(Value::bytes(vec![7; bytes]), version);
            Some(Arc::new(Entry::new(&Key::new("k").unwrap(), parts)))
        };
        let tell = |version, bytes| {
            let (before, after) = (entry(version - 1, bytes), entry(version, bytes));
            let change = change("k", version);
            watchers.tell(&Arc::new(Change {
                before,
                after,
                ..Change::clone(&change)
            }));
        };
        for round in 0..2 {
            (1..=100).for_each(|version| tell(version, 1 << 20));
            let seen = drain(&mut watch);
            assert_eq!(
                (seen.len(), seen.last().unwrap().as_str()),
                (8, "missed 93"),
                "round {round}"
            );
        }
        tell(101, 20 << 20);
        assert_eq!(drain(&mut watch), ["k@101"], "one is seen, however large it is");
    }

    fn owned(owner: &str) -> Arc<Entry> {
        let parts = Parts {
            owner: owner.into(),
            ..Parts::of(Value::bytes(*b"x"), 1)
        };
        Arc::new(Entry::new(&Key::new("k").unwrap(), parts))
    }

    #[test]
    fn of_an_entry_that_changes_hands_each_owner_sees_their_own_side() {
        let mut watchers = Watchers::default();
        let mut of = |owner: &str| watchers.add(Scope::Prefix(String::new()), 9, Some(owner.into()));
        let (mut one, mut other, mut third) = (of("one"), of("other"), of("third"));
        watchers.tell(&Arc::new(Change {
            before: Some(owned("one")),
            after: Some(owned("other")),
            cause: Cause::Put,
            ..Change::clone(&change("k", 1))
        }));
        let seen = |watch: &mut Watch| match watch.try_next() {
            Some(Seen::Change(change)) => Some((change.before.is_some(), change.after.is_some(), change.cause)),
            _ => None,
        };
        assert_eq!(seen(&mut one), Some((true, false, Cause::Deleted)));
        assert_eq!(seen(&mut other), Some((false, true, Cause::Put)));
        assert_eq!(seen(&mut third), None);
        watchers.tell(&Arc::new(Change {
            before: Some(owned("one")),
            ..Change::clone(&change("k", 2))
        }));
        assert_eq!(seen(&mut one), Some((true, false, Cause::Deleted)));
        assert_eq!(seen(&mut other), None);
    }

    #[test]
    fn who_went_is_forgotten() {
        let mut watchers = Watchers::default();
        let watch = watchers.add(Scope::Prefix("a".to_owned()), 2, None);
        let other = watchers.add(Scope::Prefix("a".to_owned()), 2, None);
        assert_eq!(watchers.count(), 2);
        drop(watch);
        assert_eq!(watchers.count(), 1);
        drop(other);
        assert_eq!((watchers.count(), watchers.is_empty()), (0, true));
        assert!(watchers.prefixes.is_empty() && watchers.lengths.is_empty());
    }

    #[test]
    fn who_stays_when_others_of_the_same_key_and_prefix_go_sees_on() {
        let mut watchers = Watchers::default();
        let scopes = [
            Scope::Key(Key::new("a/1").unwrap()),
            Scope::Key(Key::new("b").unwrap()),
            Scope::Prefix("a/".to_owned()),
        ];
        let gone = scopes.clone().map(|scope| watchers.add(scope, 9, None));
        let mut stays = scopes.map(|scope| watchers.add(scope, 9, None));
        drop(gone);
        assert_eq!(watchers.count(), 3);
        watchers.tell(&change("a/1", 1));
        watchers.tell(&change("b", 2));
        let [key, other, prefix] = &mut stays;
        assert_eq!(
            [drain(key), drain(other), drain(prefix)],
            [["a/1@1"], ["b@2"], ["a/1@1"]]
        );
    }

    #[tokio::test]
    async fn a_watcher_waits_until_something_comes_and_ends_with_the_namespace() {
        let mut watchers = Watchers::default();
        let mut watch = watchers.add(Scope::Prefix(String::new()), 2, None);
        let (seen, ()) = tokio::join!(watch.next(), async { watchers.tell(&change("k", 1)) });
        assert!(matches!(seen, Some(Seen::Change(_))));
        drop(watchers);
        assert!(watch.next().await.is_none());
    }
}
