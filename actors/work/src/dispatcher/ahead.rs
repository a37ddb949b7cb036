//! What an agent has and is not at yet, in the order in which it comes to it.

use std::collections::VecDeque;

use crate::task::Claim;
use crate::words::Fence;

#[derive(Debug, Default)]
pub(super) struct Ahead {
    tasks: VecDeque<Next>,
    /// How many of them others may have too.
    open: usize,
}

#[derive(Clone, Copy, Debug)]
struct Next {
    fence: Fence,
    /// Whether it would only come back to this agent, for whom it is kept.
    is_reserved: bool,
}

impl Next {
    const fn of(claim: &Claim) -> Self {
        Self {
            fence: claim.fence,
            is_reserved: claim.is_reserved,
        }
    }

    fn open(self) -> usize {
        usize::from(!self.is_reserved)
    }
}

impl Ahead {
    pub(super) fn push_back(&mut self, claim: &Claim) {
        self.tasks.push_back(Next::of(claim));
        self.open += Next::of(claim).open();
    }

    pub(super) fn push_front(&mut self, claim: &Claim) {
        self.tasks.push_front(Next::of(claim));
        self.open += Next::of(claim).open();
    }

    pub(super) fn pop_front(&mut self) -> Option<Fence> {
        self.take(0)
    }

    /// Takes the last of those that others may have too.
    pub(super) fn pop_last_open(&mut self) -> Option<Fence> {
        let place = self.tasks.iter().rposition(|next| !next.is_reserved)?;
        self.take(place)
    }

    pub(super) fn remove(&mut self, fence: Fence) {
        let place = self.tasks.iter().position(|next| next.fence == fence);
        place.and_then(|place| self.take(place));
    }

    fn take(&mut self, place: usize) -> Option<Fence> {
        let next = self.tasks.remove(place)?;
        self.open -= next.open();
        Some(next.fence)
    }

    pub(super) fn len(&self) -> usize {
        self.tasks.len()
    }

    pub(super) fn is_empty(&self) -> bool {
        self.tasks.is_empty()
    }

    /// How many of them others may have too.
    pub(super) const fn open(&self) -> usize {
        self.open
    }
}
