//! How many times fell into which bucket.

use std::array;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use super::buckets::{Buckets, EDGES_MAX};
use super::shard::{self, SHARDS};
use super::spread::Spread;

/// The buckets of a shard: one per edge, and the one without.
pub(super) const SLOTS: usize = EDGES_MAX + 1;

const NANOS_PER_SECOND: u64 = 1_000_000_000;

/// What a longer time is recorded as (104 days), so that a nonsensical one cannot wrap a sum.
const NANOS_MAX: u64 = 1 << 53;

/// A histogram over fixed buckets: [`observe`](Self::observe) is two atomic additions, without lock or allocation.
///
/// It keeps counts, never samples: 576 bytes, however much is observed. Threads write to four shards in turn, each two cache
/// lines, and a reader adds them up.
#[derive(Debug)]
pub struct Histogram {
    buckets: Buckets,
    shards: [Shard; SHARDS],
}

#[derive(Debug, Default)]
#[repr(align(64))]
struct Shard {
    counts: [AtomicU64; SLOTS],
    nanos: AtomicU64,
}

impl Histogram {
    /// An empty histogram over `buckets`.
    pub fn new(buckets: Buckets) -> Self {
        Self {
            buckets,
            shards: array::from_fn(|_| Shard::default()),
        }
    }

    /// Records one time.
    #[inline]
    pub fn observe(&self, time: Duration) {
        let nanos = saturating_nanos(time);
        let shard = &self.shards[shard::own()];
        shard.counts[self.buckets.bucket_of(nanos)].fetch_add(1, Ordering::Relaxed);
        shard.nanos.fetch_add(nanos, Ordering::Relaxed);
    }

    /// What was recorded until now.
    ///
    /// The counts agree with each other; the sum may already have, or still lack, what is being recorded right now.
    pub fn spread(&self) -> Spread {
        let counts = array::from_fn(|slot| self.sum(|shard| &shard.counts[slot]));
        Spread::new(self.buckets, counts, self.sum(|shard| &shard.nanos))
    }

    fn sum(&self, cell: impl Fn(&Shard) -> &AtomicU64) -> u64 {
        let values = self.shards.iter().map(|shard| cell(shard).load(Ordering::Relaxed));
        values.fold(0, u64::wrapping_add)
    }
}

/// `time` in nanoseconds, at most [`NANOS_MAX`].
#[inline]
pub(super) fn saturating_nanos(time: Duration) -> u64 {
    let whole = time.as_secs().saturating_mul(NANOS_PER_SECOND);
    whole.saturating_add(u64::from(time.subsec_nanos())).min(NANOS_MAX)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn naive(buckets: Buckets, times: &[Duration]) -> Vec<(Option<Duration>, u64)> {
        let within = |edge: Duration| times.iter().filter(|time| **time <= edge).count() as u64;
        let edges = buckets.edges().map(|edge| (Some(edge), within(edge)));
        edges.chain([(None, times.len() as u64)]).collect()
    }

    fn time() -> impl Strategy<Value = Duration> {
        let anywhere = (0u32..64, any::<u64>()).prop_map(|(shift, bits)| (bits >> shift).min(NANOS_MAX));
        let edges: Vec<_> = Buckets::ALL.into_iter().flat_map(Buckets::edges).collect();
        let near_an_edge =
            (prop::sample::select(edges), 0u64..3).prop_map(|(edge, offset)| saturating_nanos(edge) - 1 + offset);
        prop_oneof![anywhere, near_an_edge].prop_map(Duration::from_nanos)
    }

    proptest! {
        #[test]
        fn a_histogram_counts_what_a_naive_model_counts(
            times in prop::collection::vec(time(), 0..200),
            buckets in prop::sample::select(Buckets::ALL.to_vec()),
        ) {
            let histogram = Histogram::new(buckets);
            for time in &times {
                histogram.observe(*time);
            }
            let snapshot = histogram.spread();
            prop_assert_eq!(snapshot.cumulative().collect::<Vec<_>>(), naive(buckets, &times));
            prop_assert_eq!(snapshot.count(), times.len() as u64);
            prop_assert_eq!(snapshot.sum(), times.iter().sum::<Duration>());
        }
    }

    #[test]
    fn concurrent_observation_loses_nothing() {
        const THREADS: u32 = 8;
        const EACH: u32 = 20_000;
        let histogram = Histogram::new(Buckets::FAST);
        std::thread::scope(|scope| {
            for thread in 0..THREADS {
                let histogram = &histogram;
                scope.spawn(move || (0..EACH).for_each(|_| histogram.observe(Duration::from_micros(1 << thread))));
            }
        });
        let snapshot = histogram.spread();
        let all: Vec<_> = (0..THREADS)
            .flat_map(|thread| std::iter::repeat_n(Duration::from_micros(1 << thread), EACH as usize))
            .collect();
        assert_eq!(snapshot.cumulative().collect::<Vec<_>>(), naive(Buckets::FAST, &all));
        assert_eq!(snapshot.sum(), all.iter().sum::<Duration>());
    }

    #[test]
    fn threads_spread_over_the_shards() {
        let histogram = Histogram::new(Buckets::FAST);
        std::thread::scope(|scope| {
            for _ in 0..16 * SHARDS {
                scope.spawn(|| histogram.observe(Duration::from_micros(1)));
            }
        });
        let written = |shard: &&Shard| shard.nanos.load(Ordering::Relaxed) > 0;
        assert_eq!(histogram.shards.iter().filter(written).count(), SHARDS);
    }

    #[test]
    fn a_nonsensical_time_counts_but_does_not_wrap_the_sum() {
        let histogram = Histogram::new(Buckets::LONG);
        (0..100).for_each(|_| histogram.observe(Duration::MAX));
        assert_eq!(histogram.spread().count(), 100);
        assert_eq!(histogram.spread().sum(), 100 * Duration::from_nanos(NANOS_MAX));
    }

    #[test]
    fn a_histogram_takes_the_memory_that_its_documentation_states() {
        assert_eq!(size_of::<Histogram>(), 576);
    }
}
