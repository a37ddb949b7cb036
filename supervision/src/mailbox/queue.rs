//! The queue under a mailbox: the bound, the order, the line of held-back senders, the bell.
//!
//! It knows neither agents nor trees, which is what lets a schedule explorer run it whole.

mod sender;
mod taker;

pub(crate) use taker::Notes;

use super::bell::Bell;
use super::hatch::Hatch;
use super::line::Line;
use super::parcel::{Parcel, Stamp};
use super::word::Word;
use crate::message::{Declared as _, Message};
use crate::sync::{AtomicU32, AtomicU64, Mutex, Ordering, Spin, SpinGuard, lock};
use crate::sys::about_to_read;

/// One in this many messages has its times measured.
pub(crate) const SAMPLE_EVERY: u64 = 256;

/// A capacity beyond it is none; the limit, which only grows, stays far from its end.
const MOST_ROOM: u64 = 1 << 48;

const NO_PROBE: u64 = u64::MAX;

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
    evicts: bool,
    line: Mutex<Line>,
    entrance: Entrance<M>,
    pub(crate) bell: Bell,
}

/// What senders write for each message.
#[derive(Debug)]
struct Entrance<M> {
    hatch: Spin<Hatch<Parcel<M>>>,
    /// What the hatch's word came to when it was last changed.
    shown: AtomicU64,
    /// The stamp of the message that found the agent idle, or was next when it left its seat.
    first: AtomicU32,
    /// The number of a message whose waiting time is measured, and when it was queued.
    probe: AtomicU64,
    probe_at: AtomicU64,
}

impl<M> Entrance<M> {
    fn word(&self) -> Word {
        Word::from_bits(self.shown.load(Ordering::Acquire))
    }

    /// The word as it stands in the one order of all that is sequentially consistent.
    fn word_in_order(&self) -> Word {
        Word::from_bits(self.shown.load(Ordering::SeqCst))
    }

    /// Shows what the word has become, and lets go of the hatch.
    #[inline]
    fn show(&self, hatch: SpinGuard<'_, Hatch<Parcel<M>>>) {
        self.shown.store(hatch.word.bits(), Ordering::Release);
        drop(hatch);
    }

    fn change<T>(&self, change: impl FnOnce(&mut Word) -> T) -> T {
        let mut hatch = self.hatch.lock();
        let outcome = change(&mut hatch.word);
        self.show(hatch);
        outcome
    }
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

impl<M: Message> Queue<M> {
    pub(crate) fn new(capacity: u64, evicts: bool) -> Self {
        let hatch = if Self::takes_by_one(evicts) {
            Hatch::lanes(M::LANES)
        } else {
            Hatch::one_tray()
        };
        Self {
            entrance: Entrance {
                shown: AtomicU64::new(hatch.word.bits()),
                hatch: Spin::new(hatch),
                first: AtomicU32::new(0),
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
            evicts,
            line: Mutex::new(Line::default()),
            bell: Bell::default(),
        }
    }

    /// Whether the taker takes one message at a time, since those that wait may still be passed, or pushed out.
    const fn takes_by_one(evicts: bool) -> bool {
        M::LANES || evicts
    }

    fn is_taken_by_one(&self) -> bool {
        Self::takes_by_one(self.evicts)
    }

    pub(crate) fn capacity(&self) -> u64 {
        self.capacity
    }

    /// Messages waiting now, as far as the taker has told.
    pub(crate) fn depth(&self) -> u64 {
        let gone = self.gone();
        // Between the two looks any number may come and go.
        self.entrance.word().tail().saturating_sub(gone).min(self.capacity)
    }

    pub(super) fn note_depth(&self) {
        let depth = self.depth();
        if depth > self.room.high_water.load(Ordering::Relaxed) {
            self.room.high_water.fetch_max(depth, Ordering::Relaxed);
        }
    }

    fn gone(&self) -> u64 {
        self.room.taken.load(Ordering::Relaxed) + self.room.evicted.load(Ordering::Relaxed)
    }

    /// How many were dropped in favour of later ones.
    #[cfg(shuttle)]
    #[cfg(test)]
    pub(crate) fn evicted(&self) -> u64 {
        self.room.evicted.load(Ordering::SeqCst)
    }

    pub(crate) fn high_water(&self) -> u64 {
        self.room.high_water.load(Ordering::Relaxed)
    }

    /// Has what tells how it is brought from memory.
    pub(super) fn bring_near(&self) {
        about_to_read(&raw const self.entrance.shown);
    }

    /// Messages ever admitted.
    pub(crate) fn admitted(&self) -> u64 {
        self.entrance.word().tail()
    }

    /// When the oldest message that waits was queued, where nobody takes from the queue.
    pub(crate) fn oldest(&self) -> Option<Stamp> {
        // An agent comes to rest only where nothing waits.
        if self.is_idle() {
            return None;
        }
        Stamp::from_bits(self.entrance.first.load(Ordering::Relaxed))
    }

    pub(crate) fn is_idle(&self) -> bool {
        self.entrance.word().is_idle()
    }

    pub(crate) fn is_closed(&self) -> bool {
        self.entrance.word().is_closed()
    }

    /// Opens again; returns whether it was closed.
    pub(crate) fn reopen(&self) -> bool {
        self.entrance.change(Word::reopen)
    }

    /// Closes: admits nobody any more and sends the held-back senders away. Returns whether it was open.
    pub(crate) fn close(&self) -> bool {
        let was_open = self.entrance.change(Word::close);
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
