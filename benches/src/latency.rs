//! Latencies call by call, with the answers checked.

use std::ops::Range;
use std::time::{Duration, Instant};

use crate::figure::{median, percentile};

/// The time limit of an ask that has one: longer than any takes.
pub const ANSWER_WITHIN: Duration = Duration::from_secs(5);

/// The nanoseconds of each ask. The clock's own cost (two reads, some 20 ns each) is in every subject's alike.
#[derive(Debug)]
pub struct Latencies {
    unrecorded: u64,
    asks: u64,
    nanos: Vec<u64>,
}

/// The answer every subject gives to question `n`.
pub const fn answer_to(n: u64) -> u64 {
    n.wrapping_mul(3).wrapping_add(1)
}

impl Latencies {
    /// For `asks` recorded asks, after a tenth as many unrecorded.
    ///
    /// # Panics
    /// Where `usize` cannot hold `asks`.
    pub fn of(asks: u64) -> Self {
        let room = usize::try_from(asks).expect("fewer asks than addresses");
        Self {
            unrecorded: asks / 10,
            asks,
            nanos: Vec::with_capacity(room),
        }
    }

    /// The questions to ask, one after the other.
    pub fn questions(&self) -> Range<u64> {
        0..self.unrecorded + self.asks
    }

    /// Question `n` was asked then and answered now.
    ///
    /// # Panics
    /// When the answer is wrong.
    pub fn answered(&mut self, n: u64, asked: Instant, answer: u64) {
        let elapsed = asked.elapsed();
        assert_eq!(answer, answer_to(n), "wrong answer to question {n}");
        if n >= self.unrecorded {
            self.nanos.push(u64::try_from(elapsed.as_nanos()).unwrap_or(u64::MAX));
        }
    }

    /// The cases of [`crate::case::ASK_LOCAL`] and its like.
    ///
    /// # Panics
    /// When not every question was answered.
    pub fn p50_p99(mut self) -> Vec<f64> {
        assert_eq!(self.nanos.len() as u64, self.asks, "a question was not answered");
        self.nanos.sort_unstable();
        [50, 99].map(|percent| percentile(&self.nanos, percent) as f64).into()
    }
}

/// The median of some durations, in microseconds.
///
/// # Panics
/// When there is none.
pub fn p50_micros(durations: &[Duration]) -> Vec<f64> {
    let mut micros: Vec<f64> = durations.iter().map(|each| each.as_secs_f64() * 1e6).collect();
    micros.sort_by(f64::total_cmp);
    vec![median(&micros)]
}
