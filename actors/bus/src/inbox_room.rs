//! How much may wait: so many, and so many bytes of payload, in the lanes, in hand and resting together.
//!
//! What was lent has no bytes here: it is soon used or comes back, and is never much.

use std::collections::VecDeque;

use super::Inbox;
use crate::account::Dropped;
use crate::item::{Effect, Place, Waiting};
use crate::terms::WhenFull;

impl Waiting {
    /// How many bytes its payload has.
    pub(super) fn bytes(&self) -> usize {
        self.item.envelope.payload.len()
    }
}

impl Inbox {
    /// How many more may wait.
    pub(crate) fn room(&self) -> usize {
        self.terms.bound.saturating_sub(self.waiting())
    }

    /// How many more bytes of payload may wait.
    pub(crate) fn room_in_bytes(&self) -> usize {
        self.terms.bound_bytes.max(1).saturating_sub(self.bytes())
    }

    pub(crate) fn is_full(&self) -> bool {
        self.room() == 0 || self.room_in_bytes() == 0
    }

    /// Whether it may wait beside all that does. What comes from a log has its room: none is brought where there is no more.
    pub(crate) fn has_room_for(&self, waiting: &Waiting) -> bool {
        let is_from_log = matches!(waiting.item.place, Some(Place::Log(_)));
        self.room() > 0 && (is_from_log || self.bears(self.bytes(), waiting.bytes()))
    }

    /// Whether one with so many bytes may wait beside all that does.
    pub(crate) fn has_room_of(&self, bytes: usize) -> bool {
        self.room() > 0 && self.bears(self.bytes(), bytes)
    }

    /// Whether one with so many bytes may wait beside these; by itself it may, however large it is.
    fn bears(&self, beside: usize, bytes: usize) -> bool {
        beside == 0 || beside.saturating_add(bytes) <= self.terms.bound_bytes
    }

    pub(crate) fn bytes(&self) -> usize {
        self.queued_bytes + self.held_bytes
    }

    /// Takes note of one that left its lane.
    pub(super) fn counts_out(&mut self, waiting: &Waiting) {
        self.queued -= 1;
        self.queued_bytes -= waiting.bytes();
    }

    /// Lets as many go as have to for one more, where that is how it is and all of them are enough.
    pub(super) fn makes_room(&mut self, for_whom: &Waiting, effects: &mut Vec<Effect>) -> bool {
        if self.terms.when_full != WhenFull::DropOldest || !self.bears(self.held_bytes, for_whom.bytes()) {
            return false;
        }
        let mut has_room = false;
        while !has_room {
            let oldest = self.lanes.iter_mut().rev().find_map(VecDeque::pop_front);
            let Some(oldest) = oldest else { return false };
            self.counts_out(&oldest);
            self.drop(&oldest.item, Dropped::Lagged, effects);
            has_room = self.bears(self.bytes(), for_whom.bytes());
        }
        true
    }

    /// Whether more bytes wait than may, and not only because one that is larger waits by itself.
    fn is_beyond_bytes(&self) -> bool {
        let with_bytes = self.lanes.iter().flatten().filter(|waiting| waiting.bytes() > 0);
        let is_alone = self.held_bytes == 0 && with_bytes.take(2).count() < 2;
        self.bytes() > self.terms.bound_bytes && !is_alone
    }

    /// The first of the lanes to go, where too many wait, or too many bytes for a bound that has become tighter: under the same they may,
    /// since what comes back from an agent and what a log brings is not turned away. What came from a log stays: its subscription would
    /// never get it again, and the log brings nothing more until there is room.
    pub(super) fn surplus(&mut self, is_tighter: bool) -> Option<Waiting> {
        let are_too_many = self.waiting() > self.terms.bound;
        if !(are_too_many || is_tighter && self.is_beyond_bytes()) {
            return None;
        }
        let helps = |waiting: &Waiting| are_too_many || waiting.bytes() > 0;
        let may_go = |waiting: &Waiting| helps(waiting) && !matches!(waiting.item.place, Some(Place::Log(_)));
        let surplus = self.lanes.iter_mut().rev().find_map(|lane| {
            let at = match self.terms.when_full {
                WhenFull::DropOldest => lane.iter().position(may_go),
                WhenFull::DropNewest | WhenFull::DeadLetter => lane.iter().rposition(may_go),
            };
            lane.remove(at?)
        })?;
        self.counts_out(&surplus);
        Some(surplus)
    }
}
