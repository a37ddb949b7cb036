//! What a node counts and notes while it works. Most of it is written by its agent alone, and read by whoever looks.

use std::sync::atomic::Ordering;

use super::Node;
use crate::clock::Moment;
use crate::mailbox::Stamp;

/// Lives.
impl Node {
    /// Its present life, or its last; 0 before the first.
    pub(crate) fn incarnation(&self) -> u64 {
        self.incarnation.load(Ordering::Acquire)
    }

    /// How often its supervisor decided to restart it since it had ended: not for a sibling, and not by hand.
    pub(crate) fn restarts(&self) -> u32 {
        self.restarts.load(Ordering::Relaxed)
    }

    pub(crate) fn count_restart(&self) {
        self.restarts.fetch_add(1, Ordering::Relaxed);
    }
}

/// Messages.
impl Node {
    /// How many messages were handled well, over all incarnations.
    pub(crate) fn handled(&self) -> u64 {
        self.handled.load(Ordering::Relaxed)
    }

    /// So many were by now. Said by the agent alone.
    #[inline]
    pub(crate) fn has_handled(&self, total: u64) {
        self.handled.store(total, Ordering::Relaxed);
    }

    /// How many messages there are whose handler failed.
    pub(crate) fn failed(&self) -> u64 {
        self.failed.load(Ordering::Relaxed)
    }

    pub(crate) fn count_failed(&self) {
        self.failed.fetch_add(1, Ordering::Relaxed);
    }

    /// How many messages were taken in that never lay in the queue: the agent had asked for them, or there was no room
    /// and they were dropped at once.
    pub(crate) fn beside(&self) -> u64 {
        self.beside.load(Ordering::Relaxed)
    }

    pub(crate) fn count_beside(&self, many: u64) {
        self.beside.fetch_add(many, Ordering::Relaxed);
    }

    /// When the message in hand was queued, where one is.
    pub(crate) fn in_hand(&self) -> Option<Stamp> {
        Stamp::from_bits(self.in_hand.load(Ordering::Relaxed))
    }

    #[inline]
    pub(crate) fn has_in_hand(&self, queued: Stamp) {
        self.in_hand.store(queued.bits(), Ordering::Relaxed);
    }

    #[inline]
    pub(crate) fn has_nothing_in_hand(&self) {
        self.in_hand.store(0, Ordering::Relaxed);
    }

    /// When the handler with a time budget began that runs now.
    pub(crate) fn handling_since(&self) -> Option<Moment> {
        let since = self.handling_since.load(Ordering::Acquire);
        (since != 0).then(|| Moment::from_nanos(since))
    }

    #[inline]
    pub(crate) fn begins_handling(&self, at: Moment) {
        self.handling_since.store(at.as_nanos(), Ordering::Relaxed);
    }

    #[inline]
    pub(crate) fn ends_handling(&self) {
        self.handling_since.store(0, Ordering::Relaxed);
    }
}

/// Where it stands on the sampler's roster: from 1, so that 0 is nowhere.
impl Node {
    pub(in crate::tree) fn is_enrolled(&self) -> bool {
        self.enrolled.load(Ordering::Relaxed) != 0
    }

    /// No tree has four thousand million nodes.
    pub(in crate::tree) fn enroll(&self, index: usize) {
        let number = u32::try_from(index + 1).unwrap_or(0);
        self.enrolled.store(number, Ordering::Relaxed);
    }

    /// Takes it off the roster; tells where it stood.
    pub(in crate::tree) fn unenroll(&self) -> Option<usize> {
        let number = self.enrolled.swap(0, Ordering::Relaxed);
        number.checked_sub(1).map(|index| index as usize)
    }
}
