//! Waiting until so many agents have done something.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use tokio::sync::Notify;
use tokio::time::timeout;

/// Longer than anything measured takes.
const PATIENCE: Duration = Duration::from_mins(5);

/// Counts hits down to zero. Leaked, so that an agent holds a plain reference and counting costs it no memory.
#[derive(Debug)]
pub struct Countdown {
    left: AtomicUsize,
    zero: Notify,
}

impl Countdown {
    /// One that expects `hits`.
    pub fn of(hits: usize) -> &'static Self {
        Box::leak(Box::new(Self {
            left: AtomicUsize::new(hits),
            zero: Notify::new(),
        }))
    }

    /// Counts one.
    ///
    /// # Panics
    /// When there is nothing left to count: an agent did twice what it should do once.
    pub fn hit(&self) {
        match self.left.fetch_sub(1, Ordering::AcqRel) {
            0 => panic!("counted more than expected"),
            1 => self.zero.notify_one(),
            _ => {}
        }
    }

    /// Until all hits are counted; for one waiter.
    ///
    /// # Panics
    /// When that takes minutes.
    pub async fn zero(&self) {
        let is_zero = timeout(PATIENCE, self.zero.notified()).await.is_ok();
        assert!(
            is_zero,
            "{} still missing after {PATIENCE:?}",
            self.left.load(Ordering::Acquire)
        );
    }
}
