//! The senders' half of a queue: being admitted, waiting in line, putting down.

use std::task::{Context, Poll};

use super::{Flows, NO_PROBE, Queue, SAMPLE_EVERY};
use crate::clock::Moment;
use crate::mailbox::line::{self, Line, Place};
use crate::mailbox::parcel::{Content, Parcel, Stamp};
use crate::mailbox::word::{Admission, Refused, Standing};
use crate::message::Message;
use crate::sync::{Ordering, fence, lock, yield_thread};

/// Below this depth each message is stamped by the clock; above it, one in so many, and the others as the latest.
const STAMPED_DEPTH: u64 = 16;
const STAMP_EVERY: u64 = 128;

impl<M: Message> Queue<M> {
    /// Queues `parcel` if there is room and nobody waits for it. Returns the message's number.
    #[inline]
    pub(crate) fn offer(&self, parcel: Parcel<M>) -> Result<u64, (Refused, Parcel<M>)> {
        match self
            .entrance
            .word
            .admit(parcel.count(), &self.room.limit, Standing::Newcomer)
        {
            Ok(admission) => Ok(self.put(&admission, parcel)),
            Err(refused) => {
                if refused == Refused::Full {
                    self.note_depth();
                }
                Err((refused, parcel))
            }
        }
    }

    /// Waits in line for room for `parcel`, which is taken once it is queued. `place` is the caller's memory
    /// between polls; a caller that gives up must [`Queue::leave`].
    pub(crate) fn poll_offer(
        &self,
        parcel: &mut Option<Parcel<M>>,
        place: &mut Option<Place>,
        cx: &Context<'_>,
    ) -> Poll<Result<u64, ()>> {
        let Some(wants) = parcel.as_ref().map(Parcel::count) else {
            return Poll::Ready(Err(()));
        };
        let admission = std::task::ready!(self.poll_admission(wants, place, cx));
        *place = None;
        let queued = admission
            .ok()
            .and_then(|admission| Some(self.put(&admission, parcel.take()?)));
        Poll::Ready(queued.ok_or(()))
    }

    fn poll_admission(
        &self,
        wants: u64,
        place: &mut Option<Place>,
        cx: &Context<'_>,
    ) -> Poll<Result<Admission, Refused>> {
        let mut line = lock(&self.line);
        let standing = match *place {
            Some(place) => line.standing(place, cx.waker()),
            None => self.join(&mut line, wants, place, cx),
        };
        match standing {
            line::Standing::Granted => {
                // Still under the line's lock: until the limit follows, the tail may stand beyond it, and there is
                // less room to see than there is.
                let admission = self.entrance.word.admit(wants, &self.room.limit, Standing::Granted);
                // The room moves from aside to the limit; only a closed queue refuses, and then it is nobody's.
                self.room.limit.fetch_add(wants, Ordering::SeqCst);
                Poll::Ready(admission)
            }
            line::Standing::First => match self.entrance.word.admit(wants, &self.room.limit, Standing::First) {
                Err(Refused::Full) => Poll::Pending,
                admission => {
                    line.first_admitted();
                    self.line_moved(&line);
                    Poll::Ready(admission)
                }
            },
            line::Standing::Behind => Poll::Pending,
            line::Standing::Dissolved => Poll::Ready(Err(Refused::Closed)),
        }
    }

    fn join(&self, line: &mut Line, wants: u64, place: &mut Option<Place>, cx: &Context<'_>) -> line::Standing {
        self.entrance.word.mark_waiters(true);
        // Either the taker's next release sees the mark, or the admission tried next sees its release.
        fence(Ordering::SeqCst);
        let is_first = line.is_empty();
        *place = Some(line.join(wants, cx.waker().clone()));
        if is_first {
            line::Standing::First
        } else {
            line::Standing::Behind
        }
    }

    /// The line has a new first, or none.
    pub(super) fn line_moved(&self, line: &Line) {
        match line.first_wants() {
            None => self.entrance.word.mark_waiters(false),
            Some(wants) => {
                if self.entrance.word.tail() + wants <= self.room.limit.load(Ordering::SeqCst) {
                    line.nudge();
                }
            }
        }
    }

    /// Gives up a place in line.
    pub(crate) fn leave(&self, place: Place) {
        let mut line = lock(&self.line);
        let room = line.leave(place);
        self.hand_out(&mut line, room);
    }

    /// Drops the oldest message of the least urgent lane and queues `parcel` in its room.
    ///
    /// `Err` gives the parcel back where the queue is closed.
    pub(crate) fn displace(&self, mut parcel: Parcel<M>) -> Result<(u64, Option<Parcel<M>>), Parcel<M>> {
        loop {
            match self.offer(parcel) {
                Ok(number) => return Ok((number, None)),
                Err((Refused::Closed, back)) => return Err(back),
                Err((Refused::Full, back)) => parcel = back,
            }
            let line = lock(&self.line);
            if let Some(oldest) = self.flows.pop_oldest() {
                let Ok(admission) = self.entrance.word.admit(1, &self.room.limit, Standing::Granted) else {
                    // Not counted as evicted yet, so whoever empties the closed queue waits for it.
                    self.flows.push(parcel_lane(&oldest), oldest);
                    return Err(parcel);
                };
                self.room.evicted.fetch_add(1, Ordering::AcqRel);
                self.room.limit.fetch_add(1, Ordering::SeqCst);
                drop(line);
                return Ok((self.put(&admission, parcel), Some(oldest)));
            }
            drop(line);
            // All there is has been taken and is about to be released, or is about to be put down.
            yield_thread();
        }
    }

    #[inline]
    fn put(&self, admission: &Admission, mut parcel: Parcel<M>) -> u64 {
        let number = admission.first;
        let stamp = self.stamp(admission);
        parcel.set_stamp(stamp);
        match &self.flows {
            Flows::Sides(..) => {
                if matches!(parcel, Parcel::Many(_)) && self.is_news(stamp) {
                    self.flows.push(admission.side, Parcel::Mark(stamp));
                }
                self.flows.push(admission.side, parcel);
            }
            Flows::Lanes(_) => self.put_in_lanes(stamp, parcel),
        }
        if admission.rings {
            self.bell.ring();
        }
        number
    }

    /// Whether no mark has told `stamp`. Of two that ask at once both may be right, or the second be a step late.
    fn is_news(&self, stamp: Stamp) -> bool {
        let is_news = self.entrance.marked.load(Ordering::Relaxed) != stamp.bits();
        if is_news {
            self.entrance.marked.store(stamp.bits(), Ordering::Relaxed);
        }
        is_news
    }

    fn put_in_lanes(&self, stamp: Stamp, parcel: Parcel<M>) {
        let Parcel::Many(batch) = parcel else {
            return self.flows.push(parcel_lane(&parcel), parcel);
        };
        for message in batch {
            self.flows.push(lane_of(&message), Parcel::stamped(stamp, message));
        }
    }

    #[inline]
    fn stamp(&self, admission: &Admission) -> Stamp {
        let depth = admission.first.saturating_sub(self.gone());
        if depth > STAMPED_DEPTH && !admission.first.is_multiple_of(STAMP_EVERY) {
            return Stamp::from_bits(self.entrance.latest.load(Ordering::Relaxed)).unwrap_or(Stamp::NEVER);
        }
        self.stamp_now(admission)
    }

    fn stamp_now(&self, admission: &Admission) -> Stamp {
        let now = Moment::now();
        let stamp = Stamp::at(now);
        self.entrance.latest.store(stamp.bits(), Ordering::Relaxed);
        if admission.rings {
            self.entrance.first.store(stamp.bits(), Ordering::Relaxed);
        }
        if admission.first.is_multiple_of(SAMPLE_EVERY) && self.entrance.probe.load(Ordering::Relaxed) == NO_PROBE {
            self.entrance.probe_at.store(now.as_nanos(), Ordering::Relaxed);
            self.entrance.probe.store(admission.first, Ordering::Release);
        }
        stamp
    }

    /// Gives `room` to the line, and what the line does not take to everybody.
    pub(super) fn hand_out(&self, line: &mut Line, room: u64) {
        let left = line.grant(room);
        self.room.limit.fetch_add(left, Ordering::SeqCst);
        self.line_moved(line);
    }
}

fn lane_of<M: Message>(message: &M) -> usize {
    if M::LANES { message.priority().lane() } else { 0 }
}

fn parcel_lane<M: Message>(parcel: &Parcel<M>) -> usize {
    match parcel {
        Parcel::Plain(plain) => lane_of(&plain.message),
        // The one is put message by message, the other is put nowhere.
        Parcel::Many(_) | Parcel::Mark(_) => 0,
        Parcel::Special(special) => match &special.content {
            Content::One(message) | Content::Until(_, message) | Content::Ask(_, message) => lane_of(message),
            Content::Many(batch) => batch.first().map_or(0, lane_of),
        },
    }
}
