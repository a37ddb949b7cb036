//! Ten times more messages than a receiver can handle, and what that does to memory.

use std::sync::atomic::{AtomicBool, AtomicU64, Ordering::Relaxed};
use std::time::{Duration, Instant};

use tokio::task::yield_now;
use tokio::time::sleep;

use crate::case::Scale;
use crate::machine::resident_bytes;

/// Tasks that send, each as much as the receiver can handle.
pub const PRODUCERS: usize = 10;

/// How long the handler works on a message.
const WORK: Duration = Duration::from_micros(10);

/// How long a producer sleeps that has sent what is due.
const PAUSE: Duration = Duration::from_millis(1);

/// A producer that is behind lets others run after so many messages.
const YIELD_EVERY: u64 = 64;

/// How often memory is looked at.
const LOOK_EVERY: Duration = Duration::from_millis(20);

/// Resident memory at which an overload ends before its time, lest an unbounded mailbox eat the machine.
const RESIDENT_MAX: u64 = 2 << 30;

/// From when to when the growth of memory is measured, since the first message.
#[derive(Clone, Copy, Debug)]
pub struct Interval {
    from: Duration,
    to: Duration,
}

impl Interval {
    /// What the name of the case promises.
    pub const fn of(scale: &Scale) -> Self {
        let (from, to) = if scale.is_quick { (500, 2_000) } else { (5_000, 60_000) };
        Self::millis(from, to)
    }

    /// For a mailbox without a bound: a twelfth of it. Memory would not last longer.
    pub const fn unbounded(scale: &Scale) -> Self {
        Self::millis(500, if scale.is_quick { 2_000 } else { 5_000 })
    }

    const fn millis(from: u64, to: u64) -> Self {
        Self {
            from: Duration::from_millis(from),
            to: Duration::from_millis(to),
        }
    }
}

/// One overload: its clock and its count. Leaked, so that all tasks hold plain references.
#[derive(Debug)]
pub struct Overload {
    begun: Instant,
    is_over: AtomicBool,
    handled: AtomicU64,
}

impl Overload {
    /// Begins now.
    pub fn begin() -> &'static Self {
        Box::leak(Box::new(Self {
            begun: Instant::now(),
            is_over: AtomicBool::new(false),
            handled: AtomicU64::new(0),
        }))
    }

    /// What the receiver does with a message. It works by the clock, so that all receivers are as slow.
    pub fn handle(&self) {
        let begun = Instant::now();
        while begun.elapsed() < WORK {
            std::hint::spin_loop();
        }
        self.handled.fetch_add(1, Relaxed);
    }

    /// The pace of one producer.
    pub fn pace(&'static self) -> Pace {
        Pace {
            overload: self,
            offered: 0,
            due: 0,
        }
    }

    /// Lets the overload last as long as `interval` says: by how many bytes resident memory grew within it.
    pub async fn growth(&self, interval: Interval) -> f64 {
        sleep(interval.from.saturating_sub(self.begun.elapsed())).await;
        let before = resident_bytes();
        while self.begun.elapsed() < interval.to && resident_bytes() < RESIDENT_MAX {
            sleep(LOOK_EVERY).await;
        }
        let after = resident_bytes();
        self.is_over.store(true, Relaxed);
        after as f64 - before as f64
    }

    /// Every message that was offered is handled, or the subject tells what became of it.
    ///
    /// # Panics
    /// When one is not, or nothing was handled.
    pub fn check(&self, offered: u64, told: u64) {
        let handled = self.handled();
        assert_eq!(
            offered,
            handled + told,
            "messages offered are not those handled or told"
        );
    }

    fn handled(&self) -> u64 {
        let handled = self.handled.load(Relaxed);
        assert!(handled > 0, "nothing was handled");
        handled
    }

    /// The producers, which nobody held back, offered far more than was handled.
    ///
    /// # Panics
    /// When they did not, and the figure is none of an overload. A busy machine may take half of what they should offer.
    pub fn check_pressure(&self, offered: u64) {
        let handled = self.handled();
        let least = handled * PRODUCERS as u64 / 2;
        assert!(
            offered >= least,
            "{offered} offered are no overload for {handled} handled"
        );
    }
}

/// Says to a producer when it is to send: as often as the receiver can handle a message. One that was held back sends
/// without a pause.
#[derive(Debug)]
pub struct Pace {
    overload: &'static Overload,
    offered: u64,
    due: u64,
}

impl Pace {
    /// Waits until a message is due; `false` when the overload is over.
    pub async fn is_due(&mut self) -> bool {
        loop {
            if self.overload.is_over.load(Relaxed) {
                return false;
            }
            if self.offered < self.due {
                if self.offered % YIELD_EVERY == YIELD_EVERY - 1 {
                    yield_now().await;
                }
                self.offered += 1;
                return true;
            }
            self.due = self.due_by_now();
            if self.offered >= self.due {
                sleep(PAUSE).await;
            }
        }
    }

    fn due_by_now(&self) -> u64 {
        let messages = self.overload.begun.elapsed().as_nanos() / WORK.as_nanos();
        u64::try_from(messages).unwrap_or(u64::MAX)
    }

    /// How many messages it let the producer send.
    pub const fn offered(&self) -> u64 {
        self.offered
    }
}
