//! What becomes of all that lies in a mailbox when it closes for good.

use std::collections::VecDeque;

use super::{Content, Parcel, refuse};
use crate::dead_letter::{DeadReason, KEPT_LETTERS};
use crate::message::{Declared as _, Message};
use crate::panics::drop_quietly;

/// Messages on their way to the dead letters of a tree: all are counted, and no more are held than will be kept.
pub(super) struct Burial<M> {
    pub(super) count: u64,
    /// The last of them, oldest first; without its message where that is not kept.
    pub(super) last: VecDeque<Option<M>>,
}

impl<M: Message> Burial<M> {
    pub(super) fn new() -> Self {
        Self {
            count: 0,
            last: VecDeque::new(),
        }
    }

    /// Takes in what a parcel holds.
    pub(super) fn take(&mut self, parcel: Parcel<M>) {
        match parcel.into_content() {
            Content::One(message) | Content::Until(_, message) => self.push(Some(message)),
            Content::Ask(ticket, message) => {
                refuse(&ticket, message, DeadReason::Closed);
                self.push(None);
            }
            Content::Many(batch) => batch.into_iter().for_each(|message| self.push(Some(message))),
        }
    }

    fn push(&mut self, mut message: Option<M>) {
        if let Some(message) = &mut message {
            message.died(DeadReason::Closed);
        }
        self.count += 1;
        if self.last.len() == KEPT_LETTERS {
            drop_quietly(self.last.pop_front());
        }
        self.last.push_back(message);
    }
}
