//! Counts and times that only grow.

use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use super::histogram::saturating_nanos;

/// A count that only grows.
///
/// One atomic on a cache line of its own. Parts that see every message count for themselves and add whole batches, so
/// spreading it over several lines would pay for nothing.
#[derive(Debug, Default)]
#[repr(align(64))]
pub struct Counter(AtomicU64);

impl Counter {
    /// Counts one.
    #[inline]
    pub fn increment(&self) {
        self.add(1);
    }

    /// Counts a batch.
    #[inline]
    pub fn add(&self, count: u64) {
        self.0.fetch_add(count, Ordering::Relaxed);
    }

    /// Raises the count to `total`, a figure counted elsewhere; never lowers it.
    ///
    /// For a series with one source that keeps its own total. Where sources come and go, or may share the series `other`, add what
    /// each has gained instead.
    pub fn advance_to(&self, total: u64) {
        self.0.fetch_max(total, Ordering::Relaxed);
    }

    /// The count.
    pub fn get(&self) -> u64 {
        self.0.load(Ordering::Relaxed)
    }
}

/// A sum of times that only grows.
#[derive(Debug, Default)]
#[repr(align(64))]
pub struct Elapsed(AtomicU64);

impl Elapsed {
    /// Adds a time.
    #[inline]
    pub fn add(&self, time: Duration) {
        self.0.fetch_add(saturating_nanos(time), Ordering::Relaxed);
    }

    /// Raises the sum to `total`, a figure summed elsewhere; never lowers it. See [`Counter::advance_to`].
    pub fn advance_to(&self, total: Duration) {
        let nanos = u64::try_from(total.as_nanos()).unwrap_or(u64::MAX);
        self.0.fetch_max(nanos, Ordering::Relaxed);
    }

    /// The sum.
    pub fn get(&self) -> Duration {
        Duration::from_nanos(self.0.load(Ordering::Relaxed))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_counter_counts_single_events_and_batches() {
        let counter = Counter::default();
        counter.increment();
        counter.add(41);
        assert_eq!(counter.get(), 42);
    }

    #[test]
    fn a_stale_total_never_lowers_a_counter() {
        let counter = Counter::default();
        counter.advance_to(9);
        counter.advance_to(7);
        assert_eq!(counter.get(), 9);
        counter.advance_to(10);
        assert_eq!(counter.get(), 10);
    }

    #[test]
    fn concurrent_batches_are_all_counted() {
        let counter = Counter::default();
        std::thread::scope(|scope| {
            for _ in 0..4 {
                scope.spawn(|| (0..10_000).for_each(|_| counter.add(3)));
            }
        });
        assert_eq!(counter.get(), 4 * 10_000 * 3);
    }

    #[test]
    fn elapsed_time_is_summed_to_the_nanosecond_and_never_lowered() {
        let elapsed = Elapsed::default();
        elapsed.add(Duration::from_nanos(1));
        elapsed.add(Duration::from_secs(2));
        assert_eq!(elapsed.get(), Duration::new(2, 1));
        elapsed.advance_to(Duration::from_secs(1));
        assert_eq!(elapsed.get(), Duration::new(2, 1));
        elapsed.advance_to(Duration::from_secs(3));
        assert_eq!(elapsed.get(), Duration::from_secs(3));
    }
}
