//! The flume channels messages lie in.
//!
//! A mailbox without lanes has two channels, its *sides*: in a burst senders push into one while the agent empties
//! the other, so that they do not meet on a lock and no buffer is ever given away. The second side is opened at
//! the first burst: most mailboxes never see one. A mailbox with lanes, or one that
//! drops its oldest, has a channel per lane.
//!
//! flume's own bounds, waiting lists and async half stay unused: the bound is the mailbox's, so that it also
//! holds for what the agent has not begun, and only `try_send` and `try_recv` are called.

use std::sync::OnceLock;

use flume::{Receiver, Sender};

use super::lanes::LaneOrder;
use crate::message::Priority;

type Channel<T> = (Sender<T>, Receiver<T>);

/// Where messages lie.
#[derive(Debug)]
pub(super) enum Flows<T> {
    /// Two channels in turns.
    Sides(Channel<T>, OnceLock<Channel<T>>),
    /// A channel per lane, most urgent first; one, where priorities are off.
    Lanes(Box<[Channel<T>]>),
}

impl<T> Flows<T> {
    pub(super) fn sides() -> Self {
        Self::Sides(channel(), OnceLock::new())
    }

    pub(super) fn lanes(prioritised: bool) -> Self {
        let count = if prioritised { Priority::COUNT } else { 1 };
        Self::Lanes((0..count).map(|_| channel()).collect())
    }

    /// Makes sure that senders can be turned to the other side.
    pub(super) fn open_both_sides(&self) {
        if let Self::Sides(_, second) = self {
            second.get_or_init(channel);
        }
    }

    fn channel(&self, index: usize) -> Option<&Channel<T>> {
        match self {
            Self::Sides(first, _) if index == 0 => Some(first),
            Self::Sides(_, second) => second.get(),
            Self::Lanes(lanes) => lanes.get(index).or_else(|| lanes.last()),
        }
    }

    /// Puts into the side or lane numbered `index`.
    #[inline]
    pub(super) fn push(&self, index: usize, item: T) {
        // Senders are turned to a side only once it is open; both ends live as long as this value; and the
        // channel has no bound: it cannot refuse.
        let pushed = self.channel(index).map(|(sender, _)| sender.try_send(item).is_ok());
        debug_assert_eq!(pushed, Some(true));
    }

    /// Takes the next of a side.
    #[inline]
    pub(super) fn pop_side(&self, side: usize) -> Option<T> {
        self.channel(side)?.1.try_recv().ok()
    }

    /// Takes the next by the order of lanes.
    pub(super) fn pop_lane(&self, order: &mut LaneOrder) -> Option<T> {
        let Self::Lanes(lanes) = self else { return None };
        let favoured = lanes
            .get(order.favoured())
            .and_then(|(_, receiver)| receiver.try_recv().ok());
        let item = favoured.or_else(|| lanes.iter().find_map(|(_, receiver)| receiver.try_recv().ok()))?;
        order.advance();
        Some(item)
    }

    /// Takes the oldest of the least urgent lane that has any.
    pub(super) fn pop_oldest(&self) -> Option<T> {
        let Self::Lanes(lanes) = self else { return None };
        lanes.iter().rev().find_map(|(_, receiver)| receiver.try_recv().ok())
    }

    /// Gives the buffer of a side back to the allocator. Only for a side senders are turned away from, and that
    /// has been emptied: what is pushed meanwhile would be lost.
    pub(super) fn shrink_side(&self, side: usize) {
        if let (Self::Sides(..), Some((_, receiver))) = (self, self.channel(side)) {
            let drained = receiver.drain();
            debug_assert_eq!(drained.len(), 0);
        }
    }
}

#[expect(
    clippy::disallowed_methods,
    reason = "the mailbox holds the bound, also over what was taken and not begun"
)]
fn channel<T>() -> Channel<T> {
    flume::unbounded()
}
