//! The taker's half of a queue: taking, releasing room, coming to rest.

use std::vec;

use super::{Flows, NO_PROBE, Queue, SAMPLE_EVERY};
use crate::clock::Moment;
use crate::mailbox::lanes::LaneOrder;
use crate::mailbox::parcel::{Parcel, Plain, Special, Stamp};
use crate::message::Message;
use crate::sync::{Ordering, fence, lock, spin_loop};

/// Beyond this many messages in a burst the buffer that is not in use is given back when the agent comes to rest.
const KEPT_BUFFER: u64 = 1024;

/// From this many messages on, the taker turns senders to the other side before it takes; below, meeting them on
/// one lock costs less than turning them.
const SWAP_FROM: u64 = 8;

/// After this many messages without a rest, a sender is taken to be busy on another thread.
const STREAM_FROM: u64 = 32;

/// Once so many messages wait, no more are let gather.
const GATHERED: u64 = 256;

/// How often messages are let gather before they are taken, each time for this many turns of a loop: about 2 µs.
const GATHERINGS: u32 = 8;
const TURNS_EACH: u32 = 40;

/// A gathering that brought fewer was in vain.
const WORTH_GATHERING: u64 = 4;

/// The taker's own notes. They belong to the mailbox and pass from one incarnation to the next.
#[derive(Debug)]
pub(crate) struct Notes<M> {
    side: usize,
    /// Messages left on this side, but for those of the bundle.
    left: u64,
    taken: u64,
    released: u64,
    burst: u64,
    /// Messages since the last rest, or since waiting for more was in vain.
    stream: u64,
    order: LaneOrder,
    /// Messages that came in one parcel.
    bundle: vec::IntoIter<M>,
    /// When they were queued, or the message that was last taken in a row.
    stamp: Stamp,
    /// What comes next, where it has left its channel ahead of its turn.
    ahead: Option<Box<Special<M>>>,
}

impl<M> Default for Notes<M> {
    fn default() -> Self {
        Self {
            side: 0,
            left: 0,
            taken: 0,
            released: 0,
            burst: 0,
            stream: 0,
            order: LaneOrder::default(),
            bundle: Vec::new().into_iter(),
            stamp: Stamp::NEVER,
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

impl<M> Notes<M> {
    pub(crate) fn stamp(&self) -> Stamp {
        self.stamp
    }

    /// So many messages have left the side.
    ///
    /// Who was admitted later may push first where senders were not turned away: what is popped then was not counted,
    /// and the next look at the word counts what it left behind.
    fn popped(&mut self, messages: u64) {
        self.left = self.left.saturating_sub(messages);
    }

    /// Lays the messages of a batch ready, and gives the first.
    fn unpack(&mut self, batch: Box<[M]>) -> Option<M> {
        self.bundle = batch.into_vec().into_iter();
        self.bundle.next()
    }
}

impl<M: Message> Queue<M> {
    /// How many messages may now be taken by [`Queue::take_plain`]: until room is to be released, or a message is
    /// one whose times are measured.
    pub(crate) fn plain_run(&self, notes: &Notes<M>) -> u64 {
        let until_release = self.release_every().saturating_sub(notes.taken - notes.released);
        let until_sample = (SAMPLE_EVERY - notes.taken % SAMPLE_EVERY) % SAMPLE_EVERY;
        until_release.min(until_sample)
    }

    /// Takes the next message if it is a plain one, and lies there. For the run of messages that hardly anything is
    /// to be done about; what is not taken here, [`Queue::take`] takes.
    #[expect(
        clippy::inline_always,
        reason = "a call would move each message through memory once more"
    )]
    #[inline(always)]
    pub(crate) fn take_plain(&self, notes: &mut Notes<M>) -> Option<M> {
        if let Some(message) = notes.bundle.next() {
            notes.taken += 1;
            return Some(message);
        }
        if notes.left == 0 || notes.ahead.is_some() || !matches!(self.flows, Flows::Sides(..)) {
            return None;
        }
        loop {
            match self.flows.pop_side(notes.side)? {
                Parcel::Plain(Plain { message, stamp, .. }) => {
                    notes.stamp = stamp;
                    notes.popped(1);
                    notes.taken += 1;
                    return Some(message);
                }
                Parcel::Mark(stamp) => notes.stamp = stamp,
                Parcel::Many(batch) => {
                    notes.popped(batch.len() as u64);
                    notes.taken += 1;
                    return notes.unpack(batch);
                }
                Parcel::Special(special) => {
                    notes.popped(1);
                    notes.ahead = Some(special);
                    return None;
                }
            }
        }
    }

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
        self.release_in_steps(notes);
        Take::Next(parcel)
    }

    /// Looks at the next message, so that [`Queue::oldest`] is true while the agent is down or paused.
    ///
    /// Not where lanes may let a later one pass it, or a newer one push it out.
    pub(crate) fn look_ahead(&self, notes: &mut Notes<M>) {
        if matches!(self.flows, Flows::Lanes(_)) {
            return;
        }
        if notes.bundle.as_slice().is_empty() {
            match self.pop(notes) {
                Take::Next(Parcel::Many(batch)) => notes.bundle = batch.into_vec().into_iter(),
                Take::Next(parcel) => {
                    notes.stamp = parcel.stamp();
                    notes.ahead = Some(Box::new(parcel.into_special()));
                }
                Take::Empty | Take::Soon => return,
            }
        }
        self.note_oldest(notes.stamp);
    }

    /// The next message, which still counts as waiting.
    #[expect(
        clippy::inline_always,
        reason = "a call would move each message through memory once more"
    )]
    #[inline(always)]
    fn draw(&self, notes: &mut Notes<M>) -> Take<M> {
        if let Some(message) = notes.bundle.next() {
            return Take::Next(Parcel::stamped(notes.stamp, message));
        }
        match self.pop(notes) {
            Take::Next(Parcel::Many(batch)) => {
                let first = notes.unpack(batch);
                first.map_or(Take::Soon, |message| Take::Next(Parcel::stamped(notes.stamp, message)))
            }
            Take::Next(Parcel::Special(special)) => Take::Next(special.unpacked()),
            drawn => drawn,
        }
    }

    /// The next parcel, whatever it holds.
    #[inline]
    fn pop(&self, notes: &mut Notes<M>) -> Take<M> {
        let found = match &self.flows {
            _ if notes.ahead.is_some() => notes.ahead.take().map(Parcel::Special),
            Flows::Sides(..) => {
                if notes.left == 0 {
                    self.let_gather(notes);
                    let Some((side, tail)) = self.turn_to(notes.taken) else {
                        return Take::Empty;
                    };
                    (notes.side, notes.left) = (side, tail - notes.taken);
                    notes.burst = notes.burst.max(notes.left);
                    notes.stream += notes.left;
                }
                let mut popped = self.flows.pop_side(notes.side);
                while let Some(Parcel::Mark(stamp)) = popped {
                    notes.stamp = stamp;
                    popped = self.flows.pop_side(notes.side);
                }
                notes.popped(popped.as_ref().map_or(0, Parcel::count));
                popped
            }
            Flows::Lanes(_) => {
                let evicted = self.room.evicted.load(Ordering::Acquire);
                if self.entrance.word.tail() == notes.taken + evicted {
                    return Take::Empty;
                }
                self.flows.pop_lane(&mut notes.order)
            }
        };
        found.map_or(Take::Soon, Take::Next)
    }

    /// Lets messages gather while a sender on another thread is at it: taking each as it comes would have the two
    /// fight for every one. Where it was in vain, it is not tried again soon.
    fn let_gather(&self, notes: &mut Notes<M>) {
        if notes.stream < STREAM_FROM {
            return;
        }
        let mut waiting = self.entrance.word.tail() - notes.taken;
        for _ in 0..GATHERINGS {
            if waiting == 0 || waiting >= GATHERED {
                return;
            }
            (0..TURNS_EACH).for_each(|_| spin_loop());
            let before = std::mem::replace(&mut waiting, self.entrance.word.tail() - notes.taken);
            if waiting - before < WORTH_GATHERING {
                notes.stream = 0;
                return;
            }
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

    /// Releases where enough was taken for it to be worth the while.
    #[inline]
    pub(crate) fn release_in_steps(&self, notes: &mut Notes<M>) {
        if notes.taken - notes.released >= self.release_every() {
            self.release(notes);
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
        notes.stream = 0;
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
        self.entrance.first.store(stamp.bits(), Ordering::Relaxed);
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
