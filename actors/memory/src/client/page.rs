//! Entries in the order of their keys, a page at a time.

use std::sync::Arc;

use crate::entry::Entry;
use crate::name::Key;

/// So many keys are looked up at once, at least and at most: writers of the namespace wait meanwhile.
const KEYS_AT_ONCE: (usize, usize) = (64, 1_024);

/// Entries in the order of their keys, as far as there was room for them.
#[derive(Clone, Debug, Default)]
pub struct Page {
    /// Each with its key.
    pub entries: Vec<(Key, Arc<Entry>)>,
    /// Whether there are more behind the last.
    pub has_more: bool,
}

/// How far a page may go.
#[derive(Clone, Copy, Debug)]
pub(super) struct PageBound {
    pub(super) most: usize,
    pub(super) bytes: u64,
    /// Whether it is asked if there are more: nobody knows who has not seen another one.
    pub(super) tells_more: bool,
}

impl PageBound {
    fn is_done(self, page: &Page) -> bool {
        page.has_more || !self.tells_more && page.entries.len() >= self.most
    }

    /// So many keys may be all that are needed.
    fn keys(self, page: &Page) -> usize {
        let left = self.most.saturating_sub(page.entries.len());
        let all = left.saturating_add(usize::from(self.tells_more));
        all.clamp(KEYS_AT_ONCE.0, KEYS_AT_ONCE.1)
    }

    /// A page from `after` on, where `keys` tells so many next ones, and `look` what of a key is seen.
    pub(super) fn fill(
        self,
        mut after: Option<Key>,
        keys: impl Fn(Option<&Key>, usize) -> Vec<Key>,
        look: impl Fn(&Key) -> Option<Arc<Entry>>,
    ) -> Page {
        let (mut page, mut taken) = (Page::default(), 0);
        while !self.is_done(&page) {
            let next = keys(after.as_ref(), self.keys(&page));
            let Some(last) = next.last() else { break };
            after = Some(last.clone());
            for key in next {
                if self.is_done(&page) {
                    break;
                }
                let Some(entry) = look(&key) else { continue };
                let size = entry.size(&key);
                let has_room = taken == 0 || size <= self.bytes.saturating_sub(taken);
                if page.entries.len() >= self.most || !has_room {
                    page.has_more = true;
                } else {
                    taken += size;
                    page.entries.push((key, entry));
                }
            }
        }
        page
    }
}

#[cfg(test)]
mod tests {
    use std::cell::Cell;

    use super::*;
    use crate::entry::Parts;
    use crate::time::StoreTime;
    use crate::value::Value;

    fn entry(key: &Key) -> Arc<Entry> {
        let time = StoreTime::default();
        let parts = Parts {
            value: Value::bytes(*b"x"),
            labels: None,
            owner: "".into(),
            version: 1,
            born: 1,
            created: time,
            updated: time,
            accessed: time,
            expires: None,
        };
        Arc::new(Entry::new(key, parts))
    }

    /// How many entries a page has of ten thousand, of which the first hundred are seen, how many of all were looked at, and
    /// how many keys were taken.
    fn page(most: usize, tells_more: bool) -> (usize, u64, usize) {
        let all: Vec<_> = (0..10_000).map(|n| Key::new(&format!("k{n:05}")).unwrap()).collect();
        let (looks, taken) = (Cell::new(0), Cell::new(0));
        let keys = |after: Option<&Key>, most| {
            let next = all.iter().filter(|key| after.is_none_or(|after| *key > after));
            let next: Vec<_> = next.take(most).cloned().collect();
            taken.set(taken.get() + next.len());
            next
        };
        let look = |key: &Key| {
            looks.set(looks.get() + 1);
            (*key < all[100]).then(|| entry(key))
        };
        let bound = PageBound {
            most,
            bytes: u64::MAX,
            tells_more,
        };
        let page = bound.fill(None, keys, look);
        (page.entries.len(), looks.get(), taken.get())
    }

    #[test]
    fn of_a_full_page_nobody_looks_at_more_unless_it_is_asked_whether_there_are_more() {
        assert_eq!(page(0, false), (0, 0, 0));
        assert_eq!(page(1, false), (1, 1, 64));
        assert_eq!(page(80, false), (80, 80, 80));
        assert_eq!(page(100, false), (100, 100, 100));
        assert_eq!(page(80, true), (80, 81, 81));
        assert_eq!(page(100, true), (100, 10_000, 10_000), "whether there are more");
        assert_eq!(page(101, false), (100, 10_000, 10_000));
    }
}
