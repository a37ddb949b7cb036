//! The taker's half of a queue: taking, releasing room, coming to rest.

use std::vec;

use super::{Flows, NO_PROBE, Queue, SAMPLE_EVERY};
use crate::clock::Moment;
use crate::mailbox::lanes::LaneOrder;
use crate::mailbox::parcel::{Parcel, Stamp};
use crate::message::Message;
use crate::sync::{Ordering, fence, lock};

/// Beyond this many messages in a burst the buffer that is not in use is given back when the agent comes to rest.
const KEPT_BUFFER: u64 = 1024;

/// From this many messages on, the taker turns senders to the other side before it takes; below, meeting them on
/// one lock costs less than turning them.
const SWAP_FROM: u64 = 32;

/// The taker's own notes. They belong to the mailbox and pass from one incarnation to the next.
#[derive(Debug)]
pub(crate) struct Notes<M> {
    side: usize,
    /// Messages left on this side.
    left: u64,
    taken: u64,
    released: u64,
    burst: u64,
    order: LaneOrder,
    bundle: Option<(Stamp, vec::IntoIter<M>)>,
    /// The next message, looked at ahead of its turn so that its age is known while nobody takes it.
    ahead: Option<Box<Parcel<M>>>,
}

impl<M> Default for Notes<M> {
    fn default() -> Self {
        Self {
            side: 0,
            left: 0,
            taken: 0,
            released: 0,
            burst: 0,
            order: LaneOrder::default(),
            bundle: None,
            ahead: None,
        }
    }
}

/// What taking a message gives.
#[derive(Debug)]
pub(crate) enum Take<M> {
    /// The next message.
    Next(Parcel<M>),
    /// There is none.
    Empty,
    /// Its sender has been admitted and has not put it down yet: look again soon.
    Soon,
}

impl<M: Message> Queue<M> {
    /// Takes the next message.
    #[expect(
        clippy::inline_always,
        reason = "a call would move each message through memory once more"
    )]
    #[inline(always)]
    pub(crate) fn take(&self, notes: &mut Notes<M>) -> Take<M> {
        let parcel = match self.draw(notes) {
            Take::Next(parcel) => parcel,
            nothing => return nothing,
        };
        notes.taken += 1;
        notes.left = notes.left.saturating_sub(1);
        if notes.taken - notes.released >= self.release_every() {
            self.release(notes);
        }
        Take::Next(parcel)
    }

    /// Looks at the next message, so that [`Queue::oldest`] is true while the agent is down or paused.
    ///
    /// Not where lanes may let a later one pass it, or a newer one push it out.
    pub(crate) fn look_ahead(&self, notes: &mut Notes<M>) {
        if matches!(self.flows, Flows::Sides(..))
            && let Take::Next(parcel) = self.draw(notes)
        {
            self.note_oldest(parcel.stamp());
            notes.ahead = Some(Box::new(parcel));
        }
    }

    /// The next message, which still counts as waiting.
    #[expect(
        clippy::inline_always,
        reason = "a call would move each message through memory once more"
    )]
    #[inline(always)]
    fn draw(&self, notes: &mut Notes<M>) -> Take<M> {
        if let Some(parcel) = notes.ahead.take() {
            return Take::Next(*parcel);
        }
        if let Some((stamp, rest)) = &mut notes.bundle
            && let Some(message) = rest.next()
        {
            return Take::Next(Parcel::Plain { stamp: *stamp, message });
        }
        self.next_parcel(notes)
    }

    #[inline]
    fn next_parcel(&self, notes: &mut Notes<M>) -> Take<M> {
        notes.bundle = None;
        let found = match &self.flows {
            Flows::Sides(..) => {
                if notes.left == 0 {
                    let Some((side, tail)) = self.turn_to(notes.taken) else {
                        return Take::Empty;
                    };
                    (notes.side, notes.left) = (side, tail - notes.taken);
                    notes.burst = notes.burst.max(notes.left);
                }
                self.flows.pop_side(notes.side)
            }
            Flows::Lanes(_) => {
                let evicted = self.room.evicted.load(Ordering::Acquire);
                if self.entrance.word.tail() == notes.taken + evicted {
                    return Take::Empty;
                }
                self.flows.pop_lane(&mut notes.order)
            }
        };
        match found {
            None => Take::Soon,
            Some(Parcel::Many { stamp, batch }) => {
                let mut rest = batch.into_iter();
                let first = rest.next();
                notes.bundle = Some((stamp, rest));
                first.map_or(Take::Soon, |message| Take::Next(Parcel::Plain { stamp, message }))
            }
            Some(parcel) => Take::Next(parcel),
        }
    }

    /// The side to take from, and up to which message; turns senders away from it if that is worth it.
    fn turn_to(&self, taken: u64) -> Option<(usize, u64)> {
        let (side, tail) = self.entrance.word.side_and_tail();
        if tail == taken {
            return None;
        }
        if tail - taken < SWAP_FROM {
            return Some((side, tail));
        }
        self.flows.open_both_sides();
        self.entrance.word.swap_sides(taken)
    }

    #[inline]
    fn release_every(&self) -> u64 {
        match &self.flows {
            Flows::Sides(..) => (self.capacity / 4).clamp(1, 256),
            Flows::Lanes(_) => 1,
        }
    }

    /// Tells senders of the room that taken messages have left.
    pub(crate) fn release(&self, notes: &mut Notes<M>) {
        let room = notes.taken - notes.released;
        if room == 0 {
            return;
        }
        self.note_depth();
        notes.released = notes.taken;
        self.room.taken.store(notes.taken, Ordering::Release);
        if self.entrance.word.has_waiters() {
            self.hand_out(&mut lock(&self.line), room);
            return;
        }
        self.room.limit.fetch_add(room, Ordering::SeqCst);
        fence(Ordering::SeqCst);
        if self.entrance.word.has_waiters() {
            self.hand_out(&mut lock(&self.line), 0);
        }
    }

    /// Comes to rest unless a message waits. After `true`, the next message rings.
    pub(crate) fn rest(&self, notes: &mut Notes<M>) -> bool {
        self.release(notes);
        if notes.burst > KEPT_BUFFER {
            notes.burst = 0;
            let (side, _) = self.entrance.word.side_and_tail();
            self.flows.shrink_side(1 - side);
        }
        self.entrance
            .word
            .rest(notes.taken + self.room.evicted.load(Ordering::Acquire))
    }

    /// Notes that a message queued at `stamp` is the next.
    pub(crate) fn note_oldest(&self, stamp: Stamp) {
        self.entrance.first.store(u64::from(stamp.0), Ordering::Relaxed);
    }

    /// Whether the message just taken is one whose times are measured, and when it was queued, if known.
    #[expect(
        clippy::option_option,
        reason = "not sampled, sampled, and sampled since a known moment"
    )]
    pub(crate) fn sampled(&self, notes: &Notes<M>) -> Option<Option<Moment>> {
        let number = notes.taken.wrapping_sub(1);
        if !number.is_multiple_of(SAMPLE_EVERY) {
            return None;
        }
        let probe = self.entrance.probe.load(Ordering::Acquire);
        if probe == NO_PROBE || probe > number {
            return Some(None);
        }
        let at = Moment::from_nanos(self.entrance.probe_at.load(Ordering::Relaxed));
        self.entrance.probe.store(NO_PROBE, Ordering::Release);
        Some((probe == number && matches!(self.flows, Flows::Sides(..))).then_some(at))
    }
}
