//! Results that the queue has no room for: for how long room is waited for, and how much is kept meanwhile.

use std::collections::BTreeMap;
use std::ops::Bound;
use std::time::Duration;

use triarch_supervision::clock::Moment;

use crate::words::Fence;

/// For so long room is waited for where no worker is at a task that makes any by its end: then one of the results is given up, and
/// with its task those that come after it, which makes room.
pub(super) const STALLED: Duration = Duration::from_mins(5);
/// For so long in any case.
pub(super) const FULL: Duration = Duration::from_hours(1);
/// While results of so many bytes wait for room nobody asks for tasks where none of these makes any.
pub(super) const CROWD_BYTES: usize = 64 << 20;
/// The same where some of them do.
const EASING_BYTES: usize = 8 * CROWD_BYTES;
/// So many are told again at a time.
pub(super) const TOLD_AGAIN: usize = 16;

/// The results that wait for room.
#[derive(Debug, Default)]
pub(super) struct Crowd {
    results: BTreeMap<Fence, Waiting>,
    bytes: usize,
    /// Since when none of them was taken.
    full: Option<Moment>,
    /// Since when there was besides nobody at a task that makes room, nor any such task to be had.
    stalled: Option<Moment>,
    /// Whether there was one when the queue was told last.
    may_ease: bool,
    /// Behind which the next are told again.
    round: Option<Fence>,
}

#[derive(Debug)]
struct Waiting {
    bytes: usize,
    /// Whether the queue is being told of it.
    is_told: bool,
}

impl Crowd {
    /// The queue has no room for a result of so many bytes. Returns whether it is waited for no longer.
    pub(super) fn refused(&mut self, fence: Fence, bytes: usize, may_ease: bool, now: Moment) -> bool {
        let waiting = Waiting { bytes, is_told: false };
        let before = self.results.insert(fence, waiting).map_or(0, |known| known.bytes);
        self.bytes = self.bytes + bytes - before;
        let full = *self.full.get_or_insert(now);
        let stalled = *self.stalled.get_or_insert(now);
        self.may_ease = may_ease;
        if may_ease {
            self.stalled = None;
        }
        let is_over = now.since(full) >= FULL || !may_ease && now.since(stalled) >= STALLED;
        if is_over {
            self.remove(fence);
            // Others are not waited for anew while nobody asks because of them.
            if !self.is_too_much() {
                self.wait_anew();
            }
        }
        is_over
    }

    fn remove(&mut self, fence: Fence) -> bool {
        let known = self.results.remove(&fence);
        self.bytes -= known.as_ref().map_or(0, |known| known.bytes);
        known.is_some()
    }

    /// What became of a result is known, which may have made room.
    pub(super) fn leave(&mut self, fence: Fence) {
        if self.remove(fence) {
            self.wait_anew();
        }
    }

    /// Nobody looked for so long that it says nothing of the queue how much time has passed.
    pub(super) const fn wait_anew(&mut self) {
        (self.full, self.stalled) = (None, None);
    }

    /// The queue was told of a result, and did not hear it. Returns whether it is one of these.
    pub(super) fn unheard(&mut self, fence: Fence) -> bool {
        let known = self.results.get_mut(&fence);
        known.map(|known| known.is_told = false).is_some()
    }

    /// Those that the queue is told of next, one after the other: each may be large, and none may fit.
    pub(super) fn next(&mut self) -> Vec<Fence> {
        let from = self.round.map_or(Bound::Unbounded, Bound::Excluded);
        let all = self.results.range((from, Bound::Unbounded)).chain(&self.results);
        let untold = all.take(self.results.len()).filter(|(_, known)| !known.is_told);
        let next: Vec<_> = untold.map(|(fence, _)| *fence).take(TOLD_AGAIN).collect();
        self.round = next.last().copied();
        for fence in &next {
            if let Some(known) = self.results.get_mut(fence) {
                known.is_told = true;
            }
        }
        next
    }

    /// Whether so much is kept that there is to be no more.
    pub(super) const fn is_too_much(&self) -> bool {
        self.bytes >= if self.may_ease { EASING_BYTES } else { CROWD_BYTES }
    }

    /// How many there are, and how many bytes they have.
    pub(super) fn size(&self) -> (usize, usize) {
        (self.results.len(), self.bytes)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Whether two results of so many bytes are over when one is refused after the other at the end of their time.
    fn over(bytes: usize) -> [bool; 2] {
        let mut crowd = Crowd::default();
        let fences = [1, 2].map(Fence::new);
        let mut refused = |at: Duration| fences.map(|fence| crowd.refused(fence, bytes, false, Moment::default() + at));
        assert_eq!(refused(Duration::ZERO), [false; 2]);
        refused(STALLED)
    }

    #[test]
    fn what_one_that_is_given_up_makes_room_for_is_waited_for_anew_unless_there_is_too_much_still() {
        assert_eq!(over(1), [true, false]);
        assert_eq!(over(CROWD_BYTES), [true; 2]);
    }
}
