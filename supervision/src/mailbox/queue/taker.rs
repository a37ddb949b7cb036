//! The taker's half of a queue: taking, releasing room, coming to rest.

use std::collections::VecDeque;
use std::vec;

use super::{NO_PROBE, Queue, SAMPLE_EVERY};
use crate::clock::Moment;
use crate::mailbox::lanes::LaneOrder;
use crate::mailbox::parcel::{Parcel, Plain, Stamp};
use crate::message::Message;
use crate::sync::{Ordering, lock, spin_loop};

/// A buffer with room for more is given back when the agent comes to rest.
const KEPT_BUFFER: usize = 1024;

/// After this many messages without a rest, a sender is taken to be busy on another thread.
const STREAM_FROM: u64 = 32;

/// Once so many messages wait, or half of what has room, no more are let gather.
const GATHERED: u64 = 512;

/// How often messages are let gather before they are taken, each time for this many turns of a loop: about 5 µs.
const GATHERINGS: u32 = 8;
const TURNS_EACH: u32 = 100;

/// A gathering that brought fewer was in vain.
const WORTH_GATHERING: u64 = 10;

/// The taker's own notes, with what it has taken away and not begun. They belong to the mailbox and pass from one
/// incarnation to the next.
#[derive(Debug)]
pub(crate) struct Notes<M> {
    /// The tray that was taken away.
    tray: VecDeque<Parcel<M>>,
    /// Messages that came in one parcel.
    bundle: vec::IntoIter<M>,
    taken: u64,
    /// Messages since the last rest, or since waiting for more was in vain.
    stream: u64,
    /// When the bundle was queued, or the message that was last taken in a row.
    stamp: Stamp,
    order: LaneOrder,
}

impl<M> Default for Notes<M> {
    fn default() -> Self {
        Self {
            tray: VecDeque::new(),
            bundle: Vec::new().into_iter(),
            taken: 0,
            stream: 0,
            stamp: Stamp::NEVER,
            order: LaneOrder::default(),
        }
    }
}

impl<M> Notes<M> {
    pub(crate) fn stamp(&self) -> Stamp {
        self.stamp
    }

    /// Whether more of the batch lies ready that the last message taken came in.
    #[inline]
    pub(crate) fn is_in_batch(&self) -> bool {
        !self.bundle.as_slice().is_empty()
    }

    /// Takes the next of that batch.
    #[inline]
    pub(crate) fn take_of_batch(&mut self) -> Option<M> {
        let message = self.bundle.next()?;
        self.taken += 1;
        Some(message)
    }

    /// How many were ever taken.
    pub(crate) fn taken(&self) -> u64 {
        self.taken
    }

    /// Takes the next message if it is a plain one, and lies there. For the run of messages that hardly anything is
    /// to be done about; what is not taken here, [`Queue::take`] takes.
    #[expect(
        clippy::inline_always,
        reason = "a call would move each message through memory once more"
    )]
    #[inline(always)]
    pub(crate) fn take_plain(&mut self) -> Option<M> {
        if let Some(message) = self.take_of_batch() {
            return Some(message);
        }
        loop {
            match self.tray.pop_front()? {
                Parcel::Plain(Plain { message, stamp, .. }) => {
                    self.stamp = stamp;
                    self.taken += 1;
                    return Some(message);
                }
                Parcel::Mark(stamp) => self.stamp = stamp,
                Parcel::Many(batch) => {
                    self.taken += 1;
                    return self.unpack(batch);
                }
                special @ Parcel::Special(_) => {
                    self.tray.push_front(special);
                    return None;
                }
            }
        }
    }

    /// Lays the messages of a batch ready, and gives the first.
    fn unpack(&mut self, batch: Box<[M]>) -> Option<M> {
        self.bundle = batch.into_vec().into_iter();
        self.bundle.next()
    }
}

impl<M: Message> Notes<M> {
    /// Whether the next message is one whose times are measured.
    #[inline]
    pub(crate) fn next_is_measured(&self) -> bool {
        M::TIMED && self.taken.is_multiple_of(SAMPLE_EVERY)
    }
}

impl<M: Message> Queue<M> {
    /// How many messages may now be taken by [`Notes::take_plain`]: until room is to be released, or a message is
    /// one whose times are measured.
    pub(crate) fn plain_run(&self, notes: &Notes<M>) -> u64 {
        let until_release = self.release_every().saturating_sub(notes.taken - self.released());
        let until_sample = (SAMPLE_EVERY - notes.taken % SAMPLE_EVERY) % SAMPLE_EVERY;
        until_release.min(until_sample)
    }

    /// Takes the next message.
    #[expect(
        clippy::inline_always,
        reason = "a call would move each message through memory once more"
    )]
    #[inline(always)]
    pub(crate) fn take(&self, notes: &mut Notes<M>) -> Option<Parcel<M>> {
        let parcel = self.draw(notes)?;
        notes.taken += 1;
        self.release_in_steps(notes);
        Some(parcel)
    }

    /// The next message, which still counts as waiting.
    #[inline]
    fn draw(&self, notes: &mut Notes<M>) -> Option<Parcel<M>> {
        if self.is_taken_by_one() {
            return self.entrance.hatch.lock().take(&mut notes.order);
        }
        if let Some(message) = notes.bundle.next() {
            return Some(Parcel::stamped(notes.stamp, message));
        }
        loop {
            match notes.tray.pop_front() {
                Some(Parcel::Mark(stamp)) => notes.stamp = stamp,
                Some(Parcel::Many(batch)) => {
                    if let Some(message) = notes.unpack(batch) {
                        return Some(Parcel::stamped(notes.stamp, message));
                    }
                }
                Some(parcel) => return Some(parcel),
                None => {
                    self.let_gather(notes);
                    if !self.fetch_tray(notes) {
                        return None;
                    }
                }
            }
        }
    }

    /// Takes the tray away; returns whether anything lies in it.
    fn fetch_tray(&self, notes: &mut Notes<M>) -> bool {
        if self.entrance.word().tail() == notes.taken {
            return false;
        }
        self.entrance.hatch.lock().swap(&mut notes.tray);
        notes.stream += notes.tray.len() as u64;
        !notes.tray.is_empty()
    }

    /// Looks at the next message, so that [`Queue::oldest`] is true while the agent is down or paused; where none waits,
    /// comes to rest.
    ///
    /// Not where lanes may let a later one pass it, or a newer one push it out.
    pub(crate) fn look_ahead(&self, notes: &mut Notes<M>) {
        // Where nothing waits, the next to come says when it came.
        if self.rest(notes) || self.is_taken_by_one() {
            return;
        }
        if notes.bundle.as_slice().is_empty() {
            if notes.tray.is_empty() && !self.fetch_tray(notes) {
                return;
            }
            while let Some(Parcel::Mark(stamp)) = notes.tray.front() {
                notes.stamp = *stamp;
                notes.tray.pop_front();
            }
        }
        let next = notes.tray.front().filter(|_| notes.bundle.as_slice().is_empty());
        self.note_oldest(next.and_then(Parcel::own_stamp).unwrap_or(notes.stamp));
    }

    /// Lets messages gather while a sender on another thread is at it: taking each as it comes would have the two
    /// fight for every one. Where it was in vain, it is not tried again soon.
    fn let_gather(&self, notes: &mut Notes<M>) {
        if notes.stream < STREAM_FROM {
            return;
        }
        let enough = GATHERED.min(self.capacity / 2);
        let mut waiting = self.entrance.word().tail() - notes.taken;
        for _ in 0..GATHERINGS {
            if waiting == 0 || waiting >= enough {
                return;
            }
            (0..TURNS_EACH).for_each(|_| spin_loop());
            let before = std::mem::replace(&mut waiting, self.entrance.word().tail() - notes.taken);
            if was_in_vain(before, waiting) {
                notes.stream = 0;
                return;
            }
        }
    }

    #[inline]
    fn release_every(&self) -> u64 {
        if self.is_taken_by_one() {
            1
        } else {
            (self.capacity / 4).clamp(1, 256)
        }
    }

    /// Releases where enough was taken for it to be worth the while.
    #[inline]
    pub(crate) fn release_in_steps(&self, notes: &mut Notes<M>) {
        if notes.taken - self.released() >= self.release_every() {
            self.release(notes);
        }
    }

    /// Of how many messages senders were told that they have left: only the taker tells.
    #[inline]
    fn released(&self) -> u64 {
        self.room.taken.load(Ordering::Relaxed)
    }

    /// Tells senders of the room that taken messages have left.
    pub(crate) fn release(&self, notes: &Notes<M>) {
        self.release_up_to(notes.taken);
    }

    /// The same where that many were taken, for one who has not the notes at hand.
    pub(crate) fn release_up_to(&self, taken: u64) {
        let room = taken.saturating_sub(self.released());
        if room == 0 {
            return;
        }
        self.note_depth();
        self.room.taken.store(taken, Ordering::Release);
        if self.entrance.word().has_waiters() {
            self.hand_out(&mut lock(&self.line), room);
            return;
        }
        // Either this look sees the mark of whoever joins the line, or who joins sees the room: both are in the one order, and between
        // that mark and the look at the room there is a fence.
        self.room.limit.fetch_add(room, Ordering::SeqCst);
        if self.entrance.word_in_order().has_waiters() {
            self.hand_out(&mut lock(&self.line), 0);
        }
    }

    /// How many of those ever taken in are in nobody's way any more.
    pub(crate) fn gone_by(&self, notes: &Notes<M>) -> u64 {
        notes.taken + self.room.evicted.load(Ordering::Acquire)
    }

    /// Comes to rest unless a message waits. After `true`, the next message rings.
    pub(crate) fn rest(&self, notes: &mut Notes<M>) -> bool {
        self.release(notes);
        notes.stream = 0;
        if notes.tray.capacity() > KEPT_BUFFER && notes.tray.is_empty() {
            notes.tray = VecDeque::new();
        }
        let mut hatch = self.entrance.hatch.lock();
        let is_at_rest = hatch.word.rest(self.gone_by(notes));
        let given_back = is_at_rest.then(|| hatch.give_back(KEPT_BUFFER));
        self.entrance.show(hatch);
        drop(given_back);
        is_at_rest
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
        if !M::TIMED || !number.is_multiple_of(SAMPLE_EVERY) {
            return None;
        }
        let probe = self.entrance.probe.load(Ordering::Acquire);
        if probe == NO_PROBE || probe > number {
            return Some(None);
        }
        let at = Moment::from_nanos(self.entrance.probe_at.load(Ordering::Relaxed));
        self.entrance.probe.store(NO_PROBE, Ordering::Release);
        Some((probe == number && !self.is_taken_by_one()).then_some(at))
    }
}

/// Whether too few came in a gathering, where `before` waited and `now` wait.
const fn was_in_vain(before: u64, now: u64) -> bool {
    now - before < WORTH_GATHERING
}

#[cfg(all(test, not(shuttle)))]
mod tests {
    use super::*;

    #[derive(Debug)]
    struct Tick;

    impl Message for Tick {}
    impl Message for [u64; 2] {}

    /// `count` messages of one word each, all admitted.
    fn filled(capacity: u64, count: u64) -> Queue<Tick> {
        let queue = Queue::new(capacity, false);
        (0..count).for_each(|_| assert!(queue.offer_plain(Tick).is_ok()));
        queue
    }

    fn take(queue: &Queue<Tick>, notes: &mut Notes<Tick>, count: u64) {
        (0..count).for_each(|_| assert!(queue.take(notes).is_some()));
    }

    #[test]
    fn plain_messages_are_taken_from_the_tray_until_there_is_room_to_release_or_one_to_measure() {
        let (queue, mut notes) = (filled(4096, 601), Notes::default());
        assert_eq!(queue.plain_run(&notes), 0, "the first is measured");
        take(&queue, &mut notes, 1);
        assert_eq!(queue.plain_run(&notes), 255);
        assert!((0..199).all(|_| notes.take_plain().is_some()));
        assert_eq!(queue.plain_run(&notes), 56, "the next to be measured is number 256");
        queue.release(&notes);
        assert_eq!(queue.plain_run(&notes), 56);
        take(&queue, &mut notes, 400);
        assert_eq!(
            queue.plain_run(&notes),
            256 - 144,
            "256 were released, up to number 456"
        );
    }

    #[test]
    fn a_batch_takes_one_place_in_the_tray_beside_its_mark() {
        let (queue, mut notes) = (Queue::new(64, false), Notes::default());
        assert!(queue.offer(Parcel::many(vec![Tick, Tick, Tick])).is_ok());
        assert!(queue.fetch_tray(&mut notes));
        assert_eq!(notes.tray.len(), 2);
    }

    /// What the stream came to for a taker that has taken `taken` and finds `waiting`.
    fn stream_after(capacity: u64, taken: u64, waiting: u64) -> u64 {
        let (queue, mut notes) = (filled(capacity, taken), Notes::default());
        take(&queue, &mut notes, taken);
        queue.release(&notes);
        (0..waiting).for_each(|_| assert!(queue.offer_plain(Tick).is_ok()));
        queue.let_gather(&mut notes);
        notes.stream
    }

    #[test]
    fn messages_are_let_gather_in_a_stream_while_few_wait_and_not_again_where_none_came() {
        assert_eq!(stream_after(64, 31, 5), 31, "it is no stream yet");
        for waiting in [1, 3, 9, 31] {
            assert_eq!(stream_after(64, 32, waiting), 0, "it was in vain: {waiting}");
        }
        assert_eq!(stream_after(64, 33, 5), 0);
        assert_eq!(stream_after(64, 32, 0), 32, "nothing waits");
        assert_eq!(stream_after(64, 32, 32), 32, "half of what has room");
        assert_eq!(stream_after(4096, 600, 511), 0);
        assert_eq!(stream_after(4096, 600, 512), 600, "enough");
    }

    #[test]
    fn a_gathering_that_brought_ten_was_not_in_vain() {
        assert!(was_in_vain(7, 7) && was_in_vain(7, 16));
        assert!(!was_in_vain(7, 17) && !was_in_vain(7, 40));
    }

    #[test]
    fn who_rests_keeps_a_buffer_of_usual_size_and_gives_a_larger_one_back() {
        let queue = Queue::<[u64; 2]>::new(8, false);
        for (room, kept) in [(8, 8), (KEPT_BUFFER, KEPT_BUFFER), (KEPT_BUFFER + 1, 0)] {
            let mut notes = Notes {
                tray: VecDeque::with_capacity(room),
                ..Notes::default()
            };
            assert!(queue.rest(&mut notes));
            assert_eq!(notes.tray.capacity(), kept);
        }
    }

    #[test]
    fn who_has_messages_at_hand_does_not_rest_and_keeps_them_however_large_their_buffer() {
        let many = KEPT_BUFFER as u64 + 2;
        let (queue, mut notes) = (filled(2 * many, many), Notes::default());
        take(&queue, &mut notes, 1);
        assert!(!queue.rest(&mut notes));
        take(&queue, &mut notes, many - 1);
        assert!(queue.rest(&mut notes));
        assert_eq!(notes.tray.capacity(), 0);
    }
}
