//! The queue under a mailbox: the bound, the order, the line of held-back senders, the bell.
//!
//! It knows neither agents nor trees, which is what lets a schedule explorer run it whole.

use std::task::{Context, Poll};
use std::vec;

use super::bell::Bell;
use super::flows::Flows;
use super::lanes::LaneOrder;
use super::line::{self, Line, Place};
use super::parcel::{Parcel, Stamp};
use super::word::{Admission, Refused, Standing, Word};
use crate::clock::Moment;
use crate::message::Message;
use crate::sync::{AtomicU64, Mutex, Ordering, fence, lock, yield_thread};

/// One in this many messages has its times measured.
pub(crate) const SAMPLE_EVERY: u64 = 64;

/// Below this depth each message is stamped by the clock; above it, by its neighbour's stamp.
const STAMPED_DEPTH: u64 = 16;

/// Beyond this many messages in a burst the buffers are given back when the agent comes to rest.
const KEPT_BUFFER: u64 = 1024;

/// A capacity beyond it is none; the limit, which only grows, stays far from its end.
const MOST_ROOM: u64 = 1 << 48;

const NO_PROBE: u64 = u64::MAX;

/// From this many messages on, the taker turns senders to the other side before it takes; below, meeting them on
/// one lock costs less than turning them.
const SWAP_FROM: u64 = 32;

/// A bounded queue of one message type.
///
/// What senders write, what the taker writes and what nobody writes lie on cache lines of their own: a line
/// that two cores write for each message costs more than all the rest of the way. The order of the fields does
/// it, with what is seldom touched in between: an alignment would cost each mailbox a hundred bytes.
#[derive(Debug)]
#[repr(C)]
pub(crate) struct Queue<M> {
    room: Room,
    capacity: u64,
    flows: Flows<Parcel<M>>,
    line: Mutex<Line>,
    entrance: Entrance,
    pub(crate) bell: Bell,
}

/// What senders write for each message.
#[derive(Debug)]
struct Entrance {
    word: Word,
    /// The stamp of the latest message.
    latest: AtomicU64,
    /// The stamp of the message that found the agent idle, or was next when it left its seat.
    first: AtomicU64,
    /// The number of a message whose waiting time is measured, and when it was queued.
    probe: AtomicU64,
    probe_at: AtomicU64,
}

/// What the taker writes now and then, and senders read for each message.
#[derive(Debug)]
struct Room {
    /// The tail may not pass it: what was released, plus the capacity, less the room set aside.
    limit: AtomicU64,
    /// How many messages left the queue, as the taker last told.
    taken: AtomicU64,
    /// How many were dropped to make room for newer ones.
    evicted: AtomicU64,
    high_water: AtomicU64,
}

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
    pub(crate) fn new(capacity: u64, evicts: bool) -> Self {
        let flows = if M::LANES || evicts {
            Flows::lanes(M::LANES)
        } else {
            Flows::sides()
        };
        Self {
            entrance: Entrance {
                word: Word::new(),
                latest: AtomicU64::new(0),
                first: AtomicU64::new(0),
                probe: AtomicU64::new(NO_PROBE),
                probe_at: AtomicU64::new(0),
            },
            room: Room {
                limit: AtomicU64::new(capacity.min(MOST_ROOM)),
                taken: AtomicU64::new(0),
                evicted: AtomicU64::new(0),
                high_water: AtomicU64::new(0),
            },
            capacity,
            flows,
            line: Mutex::new(Line::default()),
            bell: Bell::default(),
        }
    }

    pub(crate) fn capacity(&self) -> u64 {
        self.capacity
    }

    /// Messages waiting now, as far as the taker has told.
    pub(crate) fn depth(&self) -> u64 {
        let gone = self.gone();
        // Between the two looks any number may come and go.
        self.entrance.word.tail().saturating_sub(gone).min(self.capacity)
    }

    fn note_depth(&self) {
        let depth = self.depth();
        if depth > self.room.high_water.load(Ordering::Relaxed) {
            self.room.high_water.fetch_max(depth, Ordering::Relaxed);
        }
    }

    fn gone(&self) -> u64 {
        self.room.taken.load(Ordering::Relaxed) + self.room.evicted.load(Ordering::Relaxed)
    }

    pub(crate) fn high_water(&self) -> u64 {
        self.room.high_water.load(Ordering::Relaxed)
    }

    /// Messages ever admitted.
    pub(crate) fn admitted(&self) -> u64 {
        self.entrance.word.tail()
    }

    /// When the oldest message that waits was queued, where nobody takes from the queue.
    pub(crate) fn oldest(&self) -> Option<Stamp> {
        let is_busy = self.depth() > 0 || !self.entrance.word.is_idle();
        #[expect(clippy::cast_possible_truncation, reason = "a stamp has 32 bits")]
        is_busy.then(|| Stamp(self.entrance.first.load(Ordering::Relaxed) as u32))
    }

    pub(crate) fn is_idle(&self) -> bool {
        self.entrance.word.is_idle()
    }

    pub(crate) fn is_closed(&self) -> bool {
        self.entrance.word.is_closed()
    }

    // ---- senders ----

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
    fn line_moved(&self, line: &Line) {
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
        match (&self.flows, parcel) {
            (Flows::Sides(..), parcel) => self.flows.push(admission.side, parcel),
            (Flows::Lanes(_), Parcel::Many { batch, .. }) => {
                for message in batch {
                    self.flows.push(lane_of(&message), Parcel::Plain { stamp, message });
                }
            }
            (Flows::Lanes(_), parcel) => self.flows.push(parcel_lane(&parcel), parcel),
        }
        if admission.rings {
            self.bell.ring();
        }
        number
    }

    fn stamp(&self, admission: &Admission) -> Stamp {
        let depth = admission.first.saturating_sub(self.gone());
        let sampled = admission.first.is_multiple_of(SAMPLE_EVERY);
        if !sampled && depth > STAMPED_DEPTH {
            #[expect(clippy::cast_possible_truncation, reason = "a stamp has 32 bits")]
            return Stamp(self.entrance.latest.load(Ordering::Relaxed) as u32);
        }
        let now = Moment::now();
        let stamp = Stamp::at(now);
        self.entrance.latest.store(u64::from(stamp.0), Ordering::Relaxed);
        if admission.rings {
            self.entrance.first.store(u64::from(stamp.0), Ordering::Relaxed);
        }
        if sampled && self.entrance.probe.load(Ordering::Relaxed) == NO_PROBE {
            self.entrance.probe_at.store(now.as_nanos(), Ordering::Relaxed);
            self.entrance.probe.store(admission.first, Ordering::Release);
        }
        stamp
    }

    // ---- the taker ----

    /// Takes the next message.
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

    /// Gives `room` to the line, and what the line does not take to everybody.
    fn hand_out(&self, line: &mut Line, room: u64) {
        let left = line.grant(room);
        self.room.limit.fetch_add(left, Ordering::SeqCst);
        self.line_moved(line);
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

    /// Opens again; returns whether it was closed.
    pub(crate) fn reopen(&self) -> bool {
        self.entrance.word.reopen()
    }

    /// Closes: admits nobody any more and sends the held-back senders away. Returns whether it was open.
    pub(crate) fn close(&self) -> bool {
        let was_open = self.entrance.word.close();
        let sent_away = {
            let mut line = lock(&self.line);
            let (sent_away, room) = line.dissolve();
            // It may be opened again, and then owes nobody room.
            self.room.limit.fetch_add(room, Ordering::SeqCst);
            self.line_moved(&line);
            sent_away
        };
        sent_away.into_iter().for_each(std::task::Waker::wake);
        was_open
    }
}

fn lane_of<M: Message>(message: &M) -> usize {
    if M::LANES { message.priority().lane() } else { 0 }
}

fn parcel_lane<M: Message>(parcel: &Parcel<M>) -> usize {
    match parcel {
        Parcel::Plain { message, .. } | Parcel::Until { message, .. } | Parcel::Ask { message, .. } => lane_of(message),
        Parcel::Many { .. } => 0,
    }
}
