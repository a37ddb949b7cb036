//! The one word about a queue: how many messages were ever admitted, and three flags. A machine of one number.
//!
//! ```text
//!  63                                          3       2        1     0
//! ┌────────────────────────────────────────────┬───────┬────────┬──────┐
//! │ tail: messages admitted so far             │closed │waiters │ idle │
//! └────────────────────────────────────────────┴───────┴────────┴──────┘
//! ```
//!
//! It is changed under the hatch's lock, and what it came to is shown beside the lock, so that whoever only wants
//! to know does not wait.

const IDLE: u64 = 1;
const WAITERS: u64 = 1 << 1;
const CLOSED: u64 = 1 << 2;
const ONE: u64 = 1 << 3;

/// Tail and flags.
#[derive(Clone, Copy, Debug)]
pub(super) struct Word(u64);

/// A place in the queue.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Admission {
    /// Whether the agent was idle, so that the admitted one must ring.
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
    pub(super) const fn new() -> Self {
        Self(IDLE)
    }

    pub(super) const fn bits(self) -> u64 {
        self.0
    }

    pub(super) const fn from_bits(bits: u64) -> Self {
        Self(bits)
    }

    /// Admits `count` messages where that keeps the tail within `limit`.
    #[inline]
    pub(super) fn admit(&mut self, count: u64, limit: u64, standing: Standing) -> Result<Admission, Refused> {
        if self.is_closed() {
            return Err(Refused::Closed);
        }
        if self.has_waiters() && standing == Standing::Newcomer {
            return Err(Refused::Full);
        }
        let first = self.tail();
        if standing != Standing::Granted && first + count > limit {
            return Err(Refused::Full);
        }
        let rings = self.is_idle();
        self.0 = (self.0 + count * ONE) & !IDLE;
        Ok(Admission { rings, first })
    }

    /// Declares the agent idle, unless a message came since `taken`.
    pub(super) fn rest(&mut self, taken: u64) -> bool {
        let may_rest = self.tail() == taken;
        self.set(IDLE, self.is_idle() || may_rest);
        may_rest
    }

    pub(super) fn mark_waiters(&mut self, present: bool) {
        self.set(WAITERS, present);
    }

    /// Opens again; returns whether it was closed.
    pub(super) fn reopen(&mut self) -> bool {
        let was_closed = self.is_closed();
        self.set(CLOSED, false);
        was_closed
    }

    /// Closes; returns whether it was open.
    pub(super) fn close(&mut self) -> bool {
        let was_open = !self.is_closed();
        self.set(CLOSED, true);
        was_open
    }

    fn set(&mut self, flag: u64, present: bool) {
        self.0 = if present { self.0 | flag } else { self.0 & !flag };
    }

    pub(super) const fn tail(self) -> u64 {
        self.0 / ONE
    }

    pub(super) const fn is_idle(self) -> bool {
        self.0 & IDLE != 0
    }

    pub(super) const fn is_closed(self) -> bool {
        self.0 & CLOSED != 0
    }

    pub(super) const fn has_waiters(self) -> bool {
        self.0 & WAITERS != 0
    }
}

#[cfg(all(test, not(shuttle)))]
mod tests {
    use super::*;

    fn admit(word: &mut Word, count: u64, limit: u64) -> Result<(bool, u64), Refused> {
        word.admit(count, limit, Standing::Newcomer)
            .map(|place| (place.rings, place.first))
    }

    #[test]
    fn the_first_message_after_rest_rings_and_no_other() {
        let mut word = Word::new();
        assert_eq!(admit(&mut word, 1, 9), Ok((true, 0)));
        assert_eq!(admit(&mut word, 2, 9), Ok((false, 1)));
        assert!(!word.rest(2), "a message came meanwhile");
        assert!(word.rest(3));
        assert_eq!(admit(&mut word, 1, 9), Ok((true, 3)));
    }

    #[test]
    fn nobody_is_admitted_beyond_the_limit() {
        let mut word = Word::new();
        assert_eq!(admit(&mut word, 4, 4), Ok((true, 0)));
        assert_eq!(admit(&mut word, 1, 4), Err(Refused::Full));
        assert_eq!(admit(&mut word, 2, 5), Err(Refused::Full));
        assert_eq!(admit(&mut word, 1, 5), Ok((false, 4)));
    }

    #[test]
    fn newcomers_stand_behind_waiters_and_a_grant_stands_beyond_the_limit() {
        let mut word = Word::new();
        word.mark_waiters(true);
        assert_eq!(admit(&mut word, 1, 2), Err(Refused::Full));
        assert!(word.admit(2, 2, Standing::First).is_ok());
        assert_eq!(word.admit(1, 2, Standing::First).unwrap_err(), Refused::Full);
        assert!(word.admit(1, 2, Standing::Granted).is_ok());
        assert!(
            word.admit(1, 2, Standing::Granted).is_ok(),
            "another's room was set aside too"
        );
        word.mark_waiters(false);
        assert!(!word.has_waiters());
        assert_eq!(admit(&mut word, 1, 9), Ok((false, 4)));
    }

    #[test]
    fn a_closed_word_admits_nobody_until_it_is_opened_again() {
        let mut word = Word::new();
        assert!(!word.reopen());
        assert!(word.close());
        assert!(!word.close());
        assert_eq!(admit(&mut word, 1, 9), Err(Refused::Closed));
        assert!(word.reopen());
        assert_eq!(admit(&mut word, 1, 9), Ok((true, 0)));
    }
}
