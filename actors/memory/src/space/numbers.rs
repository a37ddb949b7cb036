//! How far the numbers of changes have come, so that none is given twice: not in the next life, where it is lost which
//! were given, and not to the next namespace of the same name.
//!
//! ```text
//!   floor ────────── given ──────────▶              promised
//!     │ new namespaces begin here                      │ on disk: the next life begins here
//! ```

use std::sync::atomic::{AtomicU64, Ordering};

/// So many numbers are promised ahead. Where a disk fills up they last for an hour of nothing but writes; a life that begins on a
/// full one has none before there is room.
const AHEAD: u64 = 1 << 32;

/// So many are promised at an orderly end, for what is written while everything stops.
const LAST: u64 = 1 << 20;

/// The bounds of all numbers of a store.
#[derive(Debug)]
pub(crate) struct Numbers {
    floor: AtomicU64,
    promised: AtomicU64,
}

impl Default for Numbers {
    /// Nothing outlives this life, and so no promise is needed.
    fn default() -> Self {
        Self {
            floor: AtomicU64::new(0),
            promised: AtomicU64::new(u64::MAX),
        }
    }
}

impl Numbers {
    /// Every number up to this one may have been given.
    pub(crate) fn raise(&self, floor: u64) {
        self.floor.fetch_max(floor, Ordering::AcqRel);
    }

    /// Where a new namespace begins.
    pub(crate) fn floor(&self) -> u64 {
        self.floor.load(Ordering::Acquire)
    }

    /// What is on disk: the next life gives nothing up to this.
    pub(crate) fn promise(&self, promised: u64) {
        self.promised.store(promised, Ordering::Release);
    }

    pub(crate) fn promised(&self) -> u64 {
        self.promised.load(Ordering::Acquire)
    }

    /// What is to be promised where numbers have come so far, unless there is enough yet.
    pub(crate) fn next_promise(&self, highest: u64, is_last: bool) -> Option<u64> {
        if is_last {
            return Some(highest.saturating_add(LAST));
        }
        let is_short = self.promised() < highest.saturating_add(AHEAD / 2);
        is_short.then(|| highest.saturating_add(AHEAD))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_promise_is_renewed_before_it_is_used_up_and_lowered_at_an_orderly_end() {
        let numbers = Numbers::default();
        numbers.promise(0);
        assert_eq!(numbers.next_promise(5, false), Some(5 + AHEAD));
        numbers.promise(5 + AHEAD);
        assert_eq!(numbers.next_promise(5 + AHEAD / 2, false), None);
        assert_eq!(numbers.next_promise(6 + AHEAD / 2, false), Some(6 + AHEAD / 2 + AHEAD));
        assert_eq!(numbers.next_promise(9, true), Some(9 + LAST));
    }

    #[test]
    fn the_floor_only_rises() {
        let numbers = Numbers::default();
        numbers.raise(9);
        numbers.raise(3);
        assert_eq!((numbers.floor(), numbers.promised()), (9, u64::MAX));
    }
}
