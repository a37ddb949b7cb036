//! The senders' half of a queue: being admitted, waiting in line, putting down.

use std::task::{Context, Poll};

use super::{NO_PROBE, Queue, SAMPLE_EVERY};
use crate::clock::Moment;
use crate::mailbox::hatch::Hatch;
use crate::mailbox::line::{self, Line, Place};
use crate::mailbox::parcel::{Content, Parcel, Stamp};
use crate::mailbox::word::{Admission, Refused, Standing};
use crate::message::{Declared as _, Message};
use crate::sync::{Ordering, SpinGuard, fence, lock};

/// Below this depth each message is stamped by the clock; above it, one in so many, and the others as the latest.
const STAMPED_DEPTH: u64 = 16;
const STAMP_EVERY: u64 = 128;

type Held<'a, M> = SpinGuard<'a, Hatch<Parcel<M>>>;

impl<M: Message> Queue<M> {
    /// Queues `parcel` if there is room and nobody waits for it. Returns the message's number.
    #[inline]
    pub(crate) fn offer(&self, parcel: Parcel<M>) -> Result<u64, (Refused, Parcel<M>)> {
        self.offer_at(None, parcel)
    }

    /// As [`Queue::offer`], by one who knows what time it is.
    #[inline]
    pub(crate) fn offer_at(&self, now: Option<Moment>, parcel: Parcel<M>) -> Result<u64, (Refused, Parcel<M>)> {
        match self.offer_as(Standing::Newcomer, now, parcel) {
            Ok(admission) => Ok(self.admitted_one(admission)),
            Err((refused, parcel)) => {
                if refused == Refused::Full {
                    self.note_depth();
                }
                Err((refused, parcel))
            }
        }
    }

    #[inline]
    fn admitted_one(&self, admission: Admission) -> u64 {
        if admission.rings {
            self.bell.ring();
        }
        admission.first
    }

    /// As [`Queue::offer`], for what most messages are: from the sender's hand to its place on the tray without being
    /// laid down in between, where to pick it up again at once would cost as much as the rest of the way.
    #[expect(
        clippy::inline_always,
        reason = "a call would lay the message down once more on its way"
    )]
    #[inline(always)]
    pub(crate) fn offer_plain(&self, message: M) -> Result<u64, (Refused, M)> {
        let lane = lane_of(&message);
        match self.enter(Standing::Newcomer, None, 1) {
            Ok((mut hatch, admission, stamp)) => {
                hatch.put(lane, Parcel::stamped(stamp, message));
                self.entrance.show(hatch);
                Ok(self.admitted_one(admission))
            }
            Err(refused) => {
                if refused == Refused::Full {
                    self.note_depth();
                }
                Err((refused, message))
            }
        }
    }

    /// Admits `parcel` and puts it down.
    #[inline]
    fn offer_as(
        &self,
        standing: Standing,
        now: Option<Moment>,
        parcel: Parcel<M>,
    ) -> Result<Admission, (Refused, Parcel<M>)> {
        let lanes = lanes_of(&parcel);
        match self.enter(standing, now, parcel.count()) {
            Ok((hatch, admission, stamp)) => {
                self.put(hatch, parcel, &lanes, stamp);
                Ok(admission)
            }
            Err(refused) => Err((refused, parcel)),
        }
    }

    /// Admits `count` messages, to be put down before the hatch is let go.
    #[expect(clippy::inline_always, reason = "its outcome would pass through memory")]
    #[inline(always)]
    fn enter(
        &self,
        standing: Standing,
        now: Option<Moment>,
        count: u64,
    ) -> Result<(Held<'_, M>, Admission, Stamp), Refused> {
        let now = if M::TIMED {
            now.or_else(|| self.time_if_shallow())
        } else {
            None
        };
        let mut hatch = self.entrance.hatch.lock();
        let limit = self.room.limit.load(Ordering::Acquire);
        let admission = hatch.word.admit(count, limit, standing)?;
        let stamp = self.stamp(&mut hatch, admission, now);
        Ok((hatch, admission, stamp))
    }

    /// Waits in line for room for `parcel`, which is taken once it is queued. `place` is the caller's memory
    /// between polls; a caller that gives up must [`Queue::leave`].
    pub(crate) fn poll_offer(
        &self,
        parcel: &mut Option<Parcel<M>>,
        place: &mut Option<Place>,
        cx: &Context<'_>,
    ) -> Poll<Result<u64, ()>> {
        let mut line = lock(&self.line);
        let Some(waiting) = parcel.take() else {
            return Poll::Ready(Err(()));
        };
        let wants = waiting.count();
        let standing = match *place {
            Some(place) => line.standing(place, cx.waker()),
            None => self.join(&mut line, wants, place, cx),
        };
        let offered = match standing {
            line::Standing::Granted => {
                // Still under the line's lock: until the limit follows, the tail may stand beyond it, and there is
                // less room to see than there is.
                let offered = self.offer_as(Standing::Granted, None, waiting);
                // The room moves from aside to the limit; only a closed queue refuses, and then it is nobody's.
                self.room.limit.fetch_add(wants, Ordering::SeqCst);
                offered
            }
            line::Standing::First => self.offer_as(Standing::First, None, waiting),
            line::Standing::Behind => Err((Refused::Full, waiting)),
            line::Standing::Dissolved => Err((Refused::Closed, waiting)),
        };
        let outcome = match offered {
            Err((Refused::Full, back)) => {
                *parcel = Some(back);
                return Poll::Pending;
            }
            Ok(admission) => Ok(admission),
            Err((Refused::Closed, back)) => {
                *parcel = Some(back);
                Err(())
            }
        };
        if standing == line::Standing::First {
            line.first_admitted();
            self.line_moved(&line);
        }
        drop(line);
        *place = None;
        Poll::Ready(outcome.map(|admission| self.admitted_one(admission)))
    }

    fn join(&self, line: &mut Line, wants: u64, place: &mut Option<Place>, cx: &Context<'_>) -> line::Standing {
        self.mark_waiters(true);
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

    fn mark_waiters(&self, present: bool) {
        self.entrance.change(|word| word.mark_waiters(present));
    }

    /// The line has a new first, or none.
    pub(super) fn line_moved(&self, line: &Line) {
        match line.first_wants() {
            None => self.mark_waiters(false),
            Some(wants) => {
                if self.entrance.word().tail() + wants <= self.room.limit.load(Ordering::SeqCst) {
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
    /// Where nothing lies there, all of the room is in the taker's hands or set aside for those in line, who come when they like: it is
    /// queued beyond the limit then, as the only one there.
    ///
    /// `Err` gives the parcel back where the queue is closed.
    pub(crate) fn displace(&self, parcel: Parcel<M>) -> Result<(u64, Option<Parcel<M>>), Parcel<M>> {
        let parcel = match self.offer(parcel) {
            Ok(number) => return Ok((number, None)),
            Err((Refused::Closed, back)) => return Err(back),
            Err((Refused::Full, back)) => back,
        };
        let (now, lanes) = (self.time_if_shallow(), lanes_of(&parcel));
        let mut hatch = self.entrance.hatch.lock();
        if hatch.word.is_closed() {
            return Err(parcel);
        }
        let oldest = hatch.take_oldest();
        if oldest.is_some() {
            self.room.evicted.fetch_add(1, Ordering::AcqRel);
            self.room.limit.fetch_add(1, Ordering::SeqCst);
        }
        let limit = self.room.limit.load(Ordering::SeqCst);
        let Ok(admission) = hatch.word.admit(1, limit, Standing::Granted) else {
            return Err(parcel);
        };
        let stamp = self.stamp(&mut hatch, admission, now);
        self.put(hatch, parcel, &lanes, stamp);
        Ok((self.admitted_one(admission), oldest))
    }

    /// Puts down what was admitted, and lets go of the hatch.
    #[inline]
    fn put(&self, mut hatch: Held<'_, M>, mut parcel: Parcel<M>, (lane, lanes): &Lanes, stamp: Stamp) {
        parcel.set_stamp(stamp);
        match parcel {
            Parcel::Many(batch) if self.is_taken_by_one() => {
                let mut lanes = lanes.iter();
                for message in batch {
                    let lane = lanes.next().unwrap_or(lane);
                    hatch.put(*lane, Parcel::stamped(stamp, message));
                }
            }
            Parcel::Many(batch) => {
                if std::mem::replace(&mut hatch.marked, stamp) != stamp {
                    hatch.put(0, Parcel::Mark(stamp));
                }
                hatch.put(0, Parcel::Many(batch));
            }
            parcel => hatch.put(*lane, parcel),
        }
        self.entrance.show(hatch);
    }

    /// The time, where what is queued now is likely to be stamped with it: it is not read under the lock.
    #[inline]
    fn time_if_shallow(&self) -> Option<Moment> {
        let depth = self.entrance.word().tail().saturating_sub(self.gone());
        (depth <= STAMPED_DEPTH).then(Moment::lately)
    }

    #[inline]
    fn stamp(&self, hatch: &mut Hatch<Parcel<M>>, admission: Admission, now: Option<Moment>) -> Stamp {
        if !M::TIMED || now.is_none() && !admission.first.is_multiple_of(STAMP_EVERY) {
            return hatch.latest;
        }
        hatch.latest = self.stamp_by_clock(admission, now);
        hatch.latest
    }

    #[inline(never)]
    fn stamp_by_clock(&self, admission: Admission, now: Option<Moment>) -> Stamp {
        let now = now.unwrap_or_else(Moment::lately);
        let stamp = Stamp::at(now);
        if admission.rings {
            self.note_oldest(stamp);
        }
        if admission.first.is_multiple_of(SAMPLE_EVERY) {
            self.set_probe(admission.first);
        }
        stamp
    }

    fn set_probe(&self, number: u64) {
        if self.entrance.probe.load(Ordering::Relaxed) == NO_PROBE {
            self.entrance
                .probe_at
                .store(Moment::now().as_nanos(), Ordering::Relaxed);
            self.entrance.probe.store(number, Ordering::Release);
        }
    }

    /// Gives `room` to the line, and what the line does not take to everybody; what was queued beyond the limit is made good first.
    pub(super) fn hand_out(&self, line: &mut Line, room: u64) {
        let made_good = room.min(self.beyond());
        let left = made_good + line.grant(room - made_good);
        self.room.limit.fetch_add(left, Ordering::SeqCst);
        self.line_moved(line);
    }

    /// How many were queued that the limit had no room for.
    pub(crate) fn beyond(&self) -> u64 {
        let tail = self.entrance.word().tail();
        tail.saturating_sub(self.room.limit.load(Ordering::SeqCst))
    }
}

fn lane_of<M: Message>(message: &M) -> usize {
    if M::LANES { message.priority().lane() } else { 0 }
}

/// The lane of the one message of a parcel, or those of its many. They are asked for before the hatch is locked: the
/// answer is anybody's code.
type Lanes = (usize, Box<[usize]>);

#[inline]
fn lanes_of<M: Message>(parcel: &Parcel<M>) -> Lanes {
    let of_many = |batch: &[M]| (0, batch.iter().map(lane_of).collect());
    match parcel {
        _ if !M::LANES => Lanes::default(),
        Parcel::Plain(plain) => (lane_of(&plain.message), Box::default()),
        Parcel::Many(batch) => of_many(batch),
        Parcel::Mark(_) => Lanes::default(),
        Parcel::Special(special) => match &special.content {
            Content::One(message) | Content::Until(_, message) | Content::Ask(_, message) => {
                (lane_of(message), Box::default())
            }
            Content::Many(batch) => of_many(batch),
        },
    }
}
