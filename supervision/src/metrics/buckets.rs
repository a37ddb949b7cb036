//! The edges of histograms.

use std::time::Duration;

/// The most edges a set of buckets has, so that one shard of a histogram fills two cache lines exactly.
pub(super) const EDGES_MAX: usize = 14;

const MICRO: u64 = 1_000;
const MILLI: u64 = 1_000 * MICRO;
const SECOND: u64 = 1_000 * MILLI;

/// A fixed set of upper edges; what exceeds the last one falls into one more bucket without an edge.
///
/// There are few sets, so that histograms can be compared and added, and every objective's limit is an edge of one.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Buckets {
    name: &'static str,
    edges: &'static [u64],
}

impl Buckets {
    /// For what happens inside the process: 1 µs to 2.5 s.
    pub const FAST: Self = Self {
        name: "fast",
        edges: &[
            MICRO,
            4 * MICRO,
            16 * MICRO,
            64 * MICRO,
            256 * MICRO,
            MILLI,
            5 * MILLI,
            25 * MILLI,
            100 * MILLI,
            500 * MILLI,
            2_500 * MILLI,
        ],
    };

    /// For what crosses a disk or a network: 1 ms to 10 s.
    pub const LAT: Self = Self {
        name: "lat",
        edges: &[
            MILLI,
            2_500 * MICRO,
            5 * MILLI,
            10 * MILLI,
            25 * MILLI,
            50 * MILLI,
            100 * MILLI,
            250 * MILLI,
            500 * MILLI,
            SECOND,
            2_500 * MILLI,
            5 * SECOND,
            10 * SECOND,
        ],
    };

    /// For the turns of agents and tasks: 10 ms to an hour.
    pub const LONG: Self = Self {
        name: "long",
        edges: &[
            10 * MILLI,
            50 * MILLI,
            250 * MILLI,
            SECOND,
            2_500 * MILLI,
            10 * SECOND,
            30 * SECOND,
            60 * SECOND,
            300 * SECOND,
            900 * SECOND,
            3_600 * SECOND,
        ],
    };

    /// Every set there is, for documents and checks.
    pub const ALL: [Self; 3] = [Self::FAST, Self::LAT, Self::LONG];

    /// The word for it in documents: `fast`, `lat` or `long`.
    pub const fn name(self) -> &'static str {
        self.name
    }

    /// The upper edges, ascending; each belongs to the bucket that it closes.
    pub fn edges(self) -> impl ExactSizeIterator<Item = Duration> {
        self.edges.iter().map(|nanos| Duration::from_nanos(*nanos))
    }

    /// Which bucket `nanos` falls into, from 0; the last one has no edge.
    #[inline]
    pub(super) fn bucket_of(self, nanos: u64) -> usize {
        self.edges.partition_point(|edge| *edge < nanos)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn edges_ascend_and_fit_into_a_shard() {
        for buckets in Buckets::ALL {
            let edges = buckets.edges;
            assert!(edges.is_sorted_by(|left, right| left < right), "{}", buckets.name());
            assert!((1..=EDGES_MAX).contains(&edges.len()), "{}", buckets.name());
        }
    }

    #[test]
    fn the_edges_are_those_that_rules_and_dashboards_name() {
        let seconds = |buckets: Buckets| buckets.edges().map(|edge| edge.as_secs_f64()).collect::<Vec<_>>();
        let fast = [
            0.000_001, 0.000_004, 0.000_016, 0.000_064, 0.000_256, 0.001, 0.005, 0.025, 0.1, 0.5, 2.5,
        ];
        let lat = [
            0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0,
        ];
        let long = [0.01, 0.05, 0.25, 1.0, 2.5, 10.0, 30.0, 60.0, 300.0, 900.0, 3600.0];
        assert_eq!(seconds(Buckets::FAST), fast);
        assert_eq!(seconds(Buckets::LAT), lat);
        assert_eq!(seconds(Buckets::LONG), long);
    }

    #[test]
    fn an_edge_belongs_to_the_bucket_that_it_closes() {
        for buckets in Buckets::ALL {
            for (index, edge) in buckets.edges.iter().enumerate() {
                assert_eq!(buckets.bucket_of(*edge), index);
                assert_eq!(buckets.bucket_of(*edge + 1), index + 1);
            }
            assert_eq!(buckets.bucket_of(0), 0);
            assert_eq!(buckets.bucket_of(u64::MAX), buckets.edges.len());
        }
    }
}
