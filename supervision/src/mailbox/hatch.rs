//! What senders and the agent meet in: the word, and the messages that wait, under one lock.
//!
//! A mailbox without lanes has one tray, which its agent takes away whole and gives its emptied one for: a burst costs
//! the agent one lock, each message of it costs its sender one, and no buffer is ever given away. With lanes, or
//! where the oldest makes room, there is a tray per lane, and the agent takes one message at a time: what waits
//! may still be passed, or pushed out.

use std::collections::VecDeque;

use super::lanes::LaneOrder;
use super::parcel::Stamp;
use super::word::Word;
use crate::message::Priority;
use crate::sys::about_to_write;

/// The word, and what waits.
#[derive(Debug)]
pub(super) struct Hatch<T> {
    pub(super) word: Word,
    /// The stamp of the latest message, and of the latest mark.
    pub(super) latest: Stamp,
    pub(super) marked: Stamp,
    trays: Trays<T>,
}

#[derive(Debug)]
enum Trays<T> {
    One(VecDeque<T>),
    /// Most urgent first; one, where priorities are off.
    Lanes(Box<[VecDeque<T>]>),
}

impl<T> Hatch<T> {
    pub(super) fn one_tray() -> Self {
        Self::with(Trays::One(VecDeque::new()))
    }

    pub(super) fn lanes(prioritised: bool) -> Self {
        let count = if prioritised { Priority::COUNT } else { 1 };
        Self::with(Trays::Lanes((0..count).map(|_| VecDeque::new()).collect()))
    }

    fn with(trays: Trays<T>) -> Self {
        Self {
            word: Word::new(),
            latest: Stamp::NEVER,
            marked: Stamp::NEVER,
            trays,
        }
    }

    /// Puts into the tray of `lane`.
    #[expect(
        clippy::inline_always,
        reason = "a call would lay the item down once more on its way"
    )]
    #[inline(always)]
    pub(super) fn put(&mut self, lane: usize, item: T) {
        match &mut self.trays {
            Trays::One(tray) => {
                tray.push_back(item);
                win_back(tray);
            }
            Trays::Lanes(lanes) => put_in_lane(lanes, lane, item),
        }
    }

    /// Takes the tray away, and leaves `emptied` for it.
    pub(super) fn swap(&mut self, emptied: &mut VecDeque<T>) {
        debug_assert!(emptied.is_empty());
        if let Trays::One(tray) = &mut self.trays {
            std::mem::swap(tray, emptied);
        }
    }

    /// The tray's buffer, if nothing lies in it and it has room for more than `kept`.
    pub(super) fn give_back(&mut self, kept: usize) -> VecDeque<T> {
        match &mut self.trays {
            Trays::One(tray) if tray.is_empty() && tray.capacity() > kept => std::mem::take(tray),
            _ => VecDeque::new(),
        }
    }

    /// Takes the next by the order of lanes.
    pub(super) fn take(&mut self, order: &mut LaneOrder) -> Option<T> {
        let Trays::Lanes(lanes) = &mut self.trays else {
            return None;
        };
        let favoured = lanes.get_mut(order.favoured()).and_then(VecDeque::pop_front);
        let item = favoured.or_else(|| lanes.iter_mut().find_map(VecDeque::pop_front))?;
        order.advance();
        Some(item)
    }

    /// Takes the oldest of the least urgent lane that has any.
    pub(super) fn take_oldest(&mut self) -> Option<T> {
        let Trays::Lanes(lanes) = &mut self.trays else {
            return None;
        };
        lanes.iter_mut().rev().find_map(VecDeque::pop_front)
    }
}

/// How many places ahead of the latest item the tray's buffer is won back from the core of the agent, which has read
/// it. Without it each locked operation would wait for the line that was written before it.
const AHEAD: usize = 8;

#[expect(clippy::inline_always, reason = "a few instructions of each message")]
#[inline(always)]
fn win_back<T>(tray: &VecDeque<T>) {
    if let Some(latest) = tray.back() {
        about_to_write(std::ptr::from_ref(latest).wrapping_add(AHEAD));
    }
}

fn put_in_lane<T>(lanes: &mut [VecDeque<T>], lane: usize, item: T) {
    let index = lane.min(lanes.len() - 1);
    lanes[index].push_back(item);
}

#[cfg(all(test, not(shuttle)))]
mod tests {
    use super::*;

    #[test]
    fn only_an_empty_buffer_with_more_room_than_is_kept_is_given_back() {
        let mut hatch = Hatch::one_tray();
        hatch.swap(&mut VecDeque::<u8>::with_capacity(64));
        assert_eq!(hatch.give_back(64).capacity(), 0, "it may be kept");
        hatch.put(0, 7);
        assert_eq!(hatch.give_back(63).len(), 0, "something lies in it");
        let mut tray = VecDeque::new();
        hatch.swap(&mut tray);
        assert_eq!(tray, [7]);
        tray.clear();
        hatch.swap(&mut tray);
        assert_eq!(hatch.give_back(63).capacity(), 64);
        assert_eq!(hatch.give_back(0).capacity(), 0, "it is gone");
    }

    #[test]
    fn what_is_put_beyond_the_last_lane_lies_in_the_last() {
        for prioritised in [false, true] {
            let mut hatch = Hatch::lanes(prioritised);
            hatch.put(Priority::COUNT, 7);
            assert_eq!(hatch.take_oldest(), Some(7));
        }
    }
}
