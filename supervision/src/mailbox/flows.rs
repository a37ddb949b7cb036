//! The flume channels messages lie in.
//!
//! A mailbox without lanes has two channels, its *sides*: senders push into one while the agent empties the
//! other, so that they do not meet on a lock and no buffer is ever given away. A mailbox with lanes, or one that
//! drops its oldest, has a channel per lane.
//!
//! flume's own bounds, waiting lists and async half stay unused: the bound is the mailbox's, so that it also
//! holds for what the agent has not begun, and only `try_send` and `try_recv` are called.

use flume::{Receiver, Sender};

use super::lanes::LaneOrder;
use crate::message::Priority;

type Channel<T> = (Sender<T>, Receiver<T>);

/// Where messages lie.
#[derive(Debug)]
pub(super) enum Flows<T> {
    /// Two channels in turns.
    Sides([Channel<T>; 2]),
    /// A channel per lane, most urgent first; one, where priorities are off.
    Lanes(Box<[Channel<T>]>),
}

impl<T> Flows<T> {
    pub(super) fn sides() -> Self {
        Self::Sides([channel(), channel()])
    }

    pub(super) fn lanes(prioritised: bool) -> Self {
        let count = if prioritised { Priority::COUNT } else { 1 };
        Self::Lanes((0..count).map(|_| channel()).collect())
    }

    /// Puts into the side or lane numbered `index`.
    pub(super) fn push(&self, index: usize, item: T) {
        let channels: &[Channel<T>] = match self {
            Self::Sides(sides) => sides,
            Self::Lanes(lanes) => lanes,
        };
        let channel = channels.get(index).or_else(|| channels.last());
        // Both ends live as long as this value, and the channel has no bound: it cannot refuse.
        let pushed = channel.map(|(sender, _)| sender.try_send(item).is_ok());
        debug_assert_eq!(pushed, Some(true));
    }

    /// Takes the next of a side.
    pub(super) fn pop_side(&self, side: usize) -> Option<T> {
        match self {
            Self::Sides(sides) => sides.get(side)?.1.try_recv().ok(),
            Self::Lanes(_) => None,
        }
    }

    /// Takes the next by the order of lanes.
    pub(super) fn pop_lane(&self, order: &mut LaneOrder) -> Option<T> {
        let Self::Lanes(lanes) = self else { return None };
        let favoured = lanes.get(order.favoured()).and_then(|(_, receiver)| receiver.try_recv().ok());
        let item = favoured.or_else(|| lanes.iter().find_map(|(_, receiver)| receiver.try_recv().ok()))?;
        order.advance();
        Some(item)
    }

    /// Takes the oldest of the least urgent lane that has any.
    pub(super) fn pop_oldest(&self) -> Option<T> {
        let Self::Lanes(lanes) = self else { return None };
        lanes.iter().rev().find_map(|(_, receiver)| receiver.try_recv().ok())
    }

    /// Gives the buffers of empty channels back to the allocator.
    pub(super) fn shrink(&self) {
        let channels: &[Channel<T>] = match self {
            Self::Sides(sides) => sides,
            Self::Lanes(lanes) => lanes,
        };
        for (_, receiver) in channels.iter().filter(|(_, receiver)| receiver.is_empty()) {
            let drained = receiver.drain();
            debug_assert_eq!(drained.len(), 0);
        }
    }
}

#[expect(clippy::disallowed_methods, reason = "the mailbox holds the bound, also over what was taken and not begun")]
fn channel<T>() -> Channel<T> {
    flume::unbounded()
}
