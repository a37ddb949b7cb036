//! How far each subscriber has come, by which a publisher keeps to what all of them bear.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::thread::{self, Thread};
use std::time::{Duration, Instant};

/// No publisher is further ahead of the slowest subscriber: a queue of 1,024 never overflows, also where a batch that a subscriber
/// has in its hands counts until the next is taken, and nothing is lost.
pub(crate) const WINDOW: u64 = 896;

/// So many are published before the publisher looks how far the subscribers have come.
pub(crate) const HEAP: u64 = 64;

/// Longer than anything measured takes.
const PATIENCE: Duration = Duration::from_mins(2);
/// So often a thread looks that nobody wakes.
const LOOK_EVERY: Duration = Duration::from_millis(100);

/// A cache line for each, and for the one that processors fetch with it.
#[repr(align(128))]
struct Seen(AtomicU64);

/// Who got another envelope than the next: it is lost for good, whatever comes after it.
const BROKEN: u64 = u64::MAX;

/// How many envelopes each subscriber has handled.
pub(crate) struct Progress(Box<[Seen]>);

impl Progress {
    pub(crate) fn of(subscribers: usize) -> Arc<Self> {
        Arc::new(Self((0..subscribers).map(|_| Seen(AtomicU64::new(0))).collect()))
    }

    /// A subscriber handles what was published as `number`, from 1: the one after the last, or something is lost.
    pub(crate) fn handled(&self, subscriber: usize, number: u64) {
        let seen = &self.0[subscriber].0;
        let is_next = seen.load(Ordering::Relaxed) == number - 1;
        seen.store(if is_next { number } else { BROKEN }, Ordering::Release);
    }

    fn least(&self) -> u64 {
        let seen = self.0.iter().map(|seen| seen.0.load(Ordering::Acquire));
        let seen = seen.inspect(|seen| assert_ne!(*seen, BROKEN, "a subscriber got another than the next"));
        seen.min().unwrap_or_default()
    }

    /// Until all have handled so many; a task's way.
    pub(crate) async fn reaches(&self, wanted: u64) {
        let begun = Instant::now();
        while self.least() < wanted {
            tokio::task::yield_now().await;
            self.check(begun, wanted);
        }
    }

    /// The same for a thread, which is woken by [`Woken`], and looks by itself where it is not.
    pub(crate) fn reaches_parked(&self, wanted: u64) {
        let begun = Instant::now();
        while self.least() < wanted {
            thread::park_timeout(LOOK_EVERY);
            self.check(begun, wanted);
        }
    }

    fn check(&self, begun: Instant, wanted: u64) {
        let is_late = begun.elapsed() > PATIENCE;
        assert!(!is_late, "{} of {wanted} after {PATIENCE:?}", self.least());
    }
}

/// What a publisher does before it publishes the next.
#[derive(Clone, Copy)]
pub(crate) enum Before {
    /// It waits so long.
    Pause(Duration),
    /// It waits until the last is handled.
    Handled,
}

impl Before {
    pub(crate) async fn next(self, number: u64, progress: &Progress) {
        match self {
            Self::Pause(pause) => tokio::time::sleep(pause).await,
            Self::Handled => progress.reaches(number).await,
        }
    }
}

/// What a publisher on a thread is woken with, once for each heap that a subscriber has handled.
#[derive(Clone)]
pub(crate) struct Woken {
    publisher: Thread,
    every: u64,
}

impl Woken {
    /// The thread this is called on, once for so many.
    pub(crate) fn here(every: u64) -> Self {
        Self {
            publisher: thread::current(),
            every,
        }
    }

    pub(crate) fn handled(&self, number: u64) {
        if number.is_multiple_of(self.every) {
            self.publisher.unpark();
        }
    }
}

/// An envelope says its number, and when it was published, and is filled up.
pub(crate) const PAYLOAD: usize = 64;

pub(crate) fn payload(number: u64, at: u64) -> [u8; PAYLOAD] {
    let mut bytes = [7; PAYLOAD];
    bytes[..8].copy_from_slice(&number.to_le_bytes());
    bytes[8..16].copy_from_slice(&at.to_le_bytes());
    bytes
}

/// What [`payload`] was made of.
pub(crate) fn read(payload: &[u8]) -> (u64, u64) {
    let word = |at: usize| {
        let bytes = payload.get(at..at + 8).and_then(|bytes| bytes.try_into().ok());
        u64::from_le_bytes(bytes.expect("a whole payload"))
    };
    (word(0), word(8))
}
