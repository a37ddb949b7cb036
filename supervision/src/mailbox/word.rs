//! The one word senders and the agent meet in: how many messages were ever admitted, and four flags.
//!
//! ```text
//!  63                                   4  3       2        1     0
//! ┌──────────────────────────────────────┬───────┬────────┬─────┬──────┐
//! │ tail: messages admitted so far       │closed │waiters │idle │ side │
//! └──────────────────────────────────────┴───────┴────────┴─────┴──────┘
//! ```
//!
//! A sender admits itself with one compare-and-swap, which tells it the *side* to push into and whether it is
//! the one that must ring. The agent swaps sides with another, which tells it exactly how many messages the
//! side it turns to holds or will hold in a moment. Nobody ever counts the queue.

use crate::sync::{AtomicU64, Ordering};

const SIDE: u64 = 1;
const IDLE: u64 = 1 << 1;
const WAITERS: u64 = 1 << 2;
const CLOSED: u64 = 1 << 3;
const ONE: u64 = 1 << 4;

/// Tail and flags.
#[derive(Debug)]
pub(super) struct Word(AtomicU64);

/// A place in the mailbox, taken and not yet filled.
#[derive(Debug)]
pub(super) struct Admission {
    /// The side to push into.
    pub(super) side: usize,
    /// Whether the mailbox was idle, so that the admitted one must ring.
    pub(super) rings: bool,
    /// The number of the first message admitted, from 0.
    pub(super) first: u64,
}

/// Why nobody was admitted.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Refused {
    /// No room, or others were first in line.
    Full,
    /// The mailbox takes nothing any more.
    Closed,
}

/// Who asks to be admitted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Standing {
    /// Somebody who just came: waits behind those who wait.
    Newcomer,
    /// The first in line.
    First,
    /// Somebody whose room was set aside, beyond the limit.
    Granted,
}

impl Word {
    pub(super) fn new() -> Self {
        Self(AtomicU64::new(IDLE))
    }

    /// Admits `count` messages where that keeps the tail within `limit`.
    pub(super) fn admit(&self, count: u64, limit: &AtomicU64, standing: Standing) -> Result<Admission, Refused> {
        let mut word = self.0.load(Ordering::Acquire);
        loop {
            if word & CLOSED != 0 {
                return Err(Refused::Closed);
            }
            if word & WAITERS != 0 && standing == Standing::Newcomer {
                return Err(Refused::Full);
            }
            let tail = word / ONE;
            if standing != Standing::Granted && tail + count > limit.load(Ordering::Acquire) {
                return Err(Refused::Full);
            }
            let admitted = (word + count * ONE) & !IDLE;
            match self
                .0
                .compare_exchange_weak(word, admitted, Ordering::AcqRel, Ordering::Acquire)
            {
                Ok(_) => {
                    let side = usize::from(word & SIDE != 0);
                    return Ok(Admission {
                        side,
                        rings: word & IDLE != 0,
                        first: tail,
                    });
                }
                Err(found) => word = found,
            }
        }
    }

    /// Turns senders to the other side. Returns the side they leave and the tail at that moment, or
    /// nothing where no message came since `taken`.
    pub(super) fn swap_sides(&self, taken: u64) -> Option<(usize, u64)> {
        let mut word = self.0.load(Ordering::Acquire);
        loop {
            let tail = word / ONE;
            if tail == taken {
                return None;
            }
            match self
                .0
                .compare_exchange_weak(word, word ^ SIDE, Ordering::AcqRel, Ordering::Acquire)
            {
                Ok(_) => return Some((usize::from(word & SIDE != 0), tail)),
                Err(found) => word = found,
            }
        }
    }

    /// Declares the agent idle, unless a message came since `taken`.
    pub(super) fn rest(&self, taken: u64) -> bool {
        let mut word = self.0.load(Ordering::Acquire);
        loop {
            if word / ONE != taken {
                return false;
            }
            match self
                .0
                .compare_exchange_weak(word, word | IDLE, Ordering::AcqRel, Ordering::Acquire)
            {
                Ok(_) => return true,
                Err(found) => word = found,
            }
        }
    }

    /// The side senders push into, and the tail.
    pub(super) fn side_and_tail(&self) -> (usize, u64) {
        let word = self.0.load(Ordering::Acquire);
        (usize::from(word & SIDE != 0), word / ONE)
    }

    pub(super) fn tail(&self) -> u64 {
        self.0.load(Ordering::Acquire) / ONE
    }

    pub(super) fn is_idle(&self) -> bool {
        self.0.load(Ordering::Relaxed) & IDLE != 0
    }

    pub(super) fn is_closed(&self) -> bool {
        self.0.load(Ordering::Acquire) & CLOSED != 0
    }

    pub(super) fn has_waiters(&self) -> bool {
        self.0.load(Ordering::SeqCst) & WAITERS != 0
    }

    pub(super) fn mark_waiters(&self, present: bool) {
        if present {
            self.0.fetch_or(WAITERS, Ordering::SeqCst);
        } else {
            self.0.fetch_and(!WAITERS, Ordering::SeqCst);
        }
    }

    /// Opens again; returns whether it was closed.
    pub(super) fn reopen(&self) -> bool {
        self.0.fetch_and(!CLOSED, Ordering::AcqRel) & CLOSED != 0
    }

    /// Closes; returns whether it was open.
    pub(super) fn close(&self) -> bool {
        self.0.fetch_or(CLOSED, Ordering::AcqRel) & CLOSED == 0
    }
}

#[cfg(all(test, not(shuttle)))]
mod tests {
    use super::*;

    fn admit(word: &Word, count: u64, limit: u64) -> Result<(usize, bool, u64), Refused> {
        word.admit(count, &AtomicU64::new(limit), Standing::Newcomer)
            .map(|place| (place.side, place.rings, place.first))
    }

    #[test]
    fn the_first_message_after_rest_rings_and_no_other() {
        let word = Word::new();
        assert_eq!(admit(&word, 1, 9), Ok((0, true, 0)));
        assert_eq!(admit(&word, 2, 9), Ok((0, false, 1)));
        assert!(!word.rest(2), "a message came meanwhile");
        assert!(word.rest(3));
        assert_eq!(admit(&word, 1, 9), Ok((0, true, 3)));
    }

    #[test]
    fn a_swap_tells_how_many_went_to_the_side_it_leaves() {
        let word = Word::new();
        assert_eq!(word.swap_sides(0), None);
        admit(&word, 3, 9).unwrap();
        assert_eq!(word.swap_sides(0), Some((0, 3)));
        assert_eq!(admit(&word, 1, 9), Ok((1, false, 3)));
        assert_eq!(word.swap_sides(3), Some((1, 4)));
        assert_eq!(admit(&word, 1, 9), Ok((0, false, 4)));
    }

    #[test]
    fn nobody_is_admitted_beyond_the_limit() {
        let word = Word::new();
        assert_eq!(admit(&word, 4, 4), Ok((0, true, 0)));
        assert_eq!(admit(&word, 1, 4), Err(Refused::Full));
        assert_eq!(admit(&word, 2, 5), Err(Refused::Full));
        assert_eq!(admit(&word, 1, 5), Ok((0, false, 4)));
    }

    #[test]
    fn newcomers_stand_behind_waiters_and_a_grant_stands_beyond_the_limit() {
        let (word, limit) = (Word::new(), AtomicU64::new(2));
        word.mark_waiters(true);
        assert_eq!(admit(&word, 1, 2), Err(Refused::Full));
        assert!(word.admit(2, &limit, Standing::First).is_ok());
        assert_eq!(word.admit(1, &limit, Standing::First).unwrap_err(), Refused::Full);
        assert!(word.admit(1, &limit, Standing::Granted).is_ok());
        assert!(
            word.admit(1, &limit, Standing::Granted).is_ok(),
            "another's room was set aside too"
        );
        word.mark_waiters(false);
        assert!(!word.has_waiters());
        assert_eq!(admit(&word, 1, 9), Ok((0, false, 4)));
    }

    #[test]
    fn a_closed_word_admits_nobody() {
        let word = Word::new();
        assert!(word.close());
        assert!(!word.close());
        assert!(word.is_closed());
        assert_eq!(admit(&word, 1, 9), Err(Refused::Closed));
    }
}
