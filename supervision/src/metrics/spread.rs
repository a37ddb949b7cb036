//! A histogram at one moment.

use std::time::Duration;

use super::buckets::Buckets;
use super::histogram::SLOTS;

/// A histogram at one moment.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Spread {
    buckets: Buckets,
    counts: [u64; SLOTS],
    nanos: u64,
}

/// An estimated quantile.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Quantile {
    /// About this, interpolated within its bucket.
    About(Duration),
    /// More than this, the last edge; by how much is not known.
    Beyond(Duration),
}

/// Why two snapshots do not add up.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("a histogram over the {right} buckets does not add to one over the {left} buckets")]
pub struct BucketsDiffer {
    left: &'static str,
    right: &'static str,
}

impl Spread {
    pub(super) fn new(buckets: Buckets, counts: [u64; SLOTS], nanos: u64) -> Self {
        Self { buckets, counts, nanos }
    }

    /// Its buckets.
    pub fn buckets(&self) -> Buckets {
        self.buckets
    }

    /// For each edge how many times were at most as long; `None` is the bucket without an edge, which has all.
    pub fn cumulative(&self) -> impl Iterator<Item = (Option<Duration>, u64)> {
        let edges = self.buckets.edges().map(Some).chain([None]);
        edges.zip(&self.counts).scan(0, |total, (edge, count)| {
            *total += count;
            Some((edge, *total))
        })
    }

    /// How many times were recorded.
    pub fn count(&self) -> u64 {
        self.counts.iter().sum()
    }

    /// The sum of the times recorded.
    pub fn sum(&self) -> Duration {
        Duration::from_nanos(self.nanos)
    }

    /// Adds what another histogram over the same buckets recorded.
    pub fn merge(&mut self, other: &Self) -> Result<(), BucketsDiffer> {
        if self.buckets != other.buckets {
            return Err(BucketsDiffer {
                left: self.buckets.name(),
                right: other.buckets.name(),
            });
        }
        for (count, more) in self.counts.iter_mut().zip(other.counts) {
            *count += more;
        }
        self.nanos = self.nanos.wrapping_add(other.nanos);
        Ok(())
    }

    /// The time that a share `q` (0 to 1) of those recorded did not exceed; `None` if nothing was recorded.
    ///
    /// Within a bucket times are taken to lie evenly, as Prometheus' `histogram_quantile` takes them.
    pub fn quantile(&self, q: f64) -> Option<Quantile> {
        let rank = q.clamp(0.0, 1.0) * float(self.count());
        let mut below = (Duration::ZERO, 0);
        for (edge, count) in self.cumulative().filter(|_| self.count() > 0) {
            let Some(edge) = edge else {
                return Some(Quantile::Beyond(below.0));
            };
            if count > below.1 && float(count) >= rank {
                let share = (rank - float(below.1)) / float(count - below.1);
                let width = edge.saturating_sub(below.0);
                return Some(Quantile::About(below.0 + width.mul_f64(share.clamp(0.0, 1.0))));
            }
            below = (edge, count);
        }
        None
    }
}

#[expect(clippy::cast_precision_loss, reason = "an estimate needs no more than 53 bits")]
fn float(count: u64) -> f64 {
    count as f64
}

#[cfg(test)]
mod tests {
    use super::super::histogram::Histogram;
    use super::*;

    const MILLI: Duration = Duration::from_millis(1);

    fn spread(buckets: Buckets, times: &[Duration]) -> Spread {
        let histogram = Histogram::new(buckets);
        for time in times {
            histogram.observe(*time);
        }
        histogram.spread()
    }

    #[test]
    fn merged_snapshots_are_one_of_all_times() {
        let (left, right) = ([MILLI, 3 * MILLI], [MILLI, 7 * MILLI, 20_000 * MILLI]);
        let mut merged = spread(Buckets::LAT, &left);
        merged.merge(&spread(Buckets::LAT, &right)).unwrap();
        assert_eq!(merged, spread(Buckets::LAT, &[left.as_slice(), &right].concat()));
        assert_eq!((merged.count(), merged.sum()), (5, 20_012 * MILLI));
    }

    #[test]
    fn snapshots_over_different_buckets_do_not_merge() {
        let mut fast = spread(Buckets::FAST, &[MILLI]);
        let before = fast;
        let refused = fast.merge(&spread(Buckets::LAT, &[MILLI]));
        assert_eq!(
            refused,
            Err(BucketsDiffer {
                left: "fast",
                right: "lat"
            })
        );
        assert_eq!(fast, before);
    }

    #[test]
    fn a_quantile_is_interpolated_within_its_bucket() {
        let times: Vec<_> = std::iter::repeat_n(4 * MILLI, 50)
            .chain(std::iter::repeat_n(20 * MILLI, 50))
            .collect();
        let latencies = spread(Buckets::LAT, &times);
        assert_eq!(latencies.quantile(0.25), Some(Quantile::About(3_750 * MILLI / 1_000)));
        assert_eq!(latencies.quantile(0.5), Some(Quantile::About(5 * MILLI)));
        assert_eq!(latencies.quantile(1.0), Some(Quantile::About(25 * MILLI)));
    }

    #[test]
    fn a_quantile_of_nothing_is_unknown() {
        assert_eq!(spread(Buckets::FAST, &[]).quantile(0.5), None);
    }

    #[test]
    fn a_quantile_beyond_the_last_edge_is_not_made_up() {
        let slow = spread(Buckets::LAT, &[11_000 * MILLI]);
        assert_eq!(slow.quantile(0.99), Some(Quantile::Beyond(10_000 * MILLI)));
    }
}
