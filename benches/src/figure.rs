//! Medians and percentiles.

use serde::Serialize;

use crate::case::Case;

/// A row: what a subject's rounds gave for a case.
#[derive(Clone, Debug, Serialize)]
pub struct Figure {
    /// The case's name.
    pub case: &'static str,
    /// The subject's name.
    pub subject: &'static str,
    /// The case's unit.
    pub unit: &'static str,
    /// The middle round, or the mean of the two middle ones.
    pub median: f64,
    /// The least.
    pub min: f64,
    /// The greatest.
    pub max: f64,
    /// How many rounds.
    #[serde(skip)]
    pub rounds: usize,
}

impl Figure {
    /// Of the samples of at least one round.
    ///
    /// # Panics
    /// When there is none.
    pub fn of(case: Case, subject: &'static str, mut samples: Vec<f64>) -> Self {
        assert!(!samples.is_empty(), "{subject} gave no sample for {}", case.name);
        samples.sort_by(f64::total_cmp);
        Self {
            case: case.name,
            subject,
            unit: case.unit,
            median: median(&samples),
            min: samples[0],
            max: samples[samples.len() - 1],
            rounds: samples.len(),
        }
    }
}

/// The median of sorted samples.
pub fn median(sorted: &[f64]) -> f64 {
    let middle = sorted.len() / 2;
    if sorted.len() % 2 == 1 {
        sorted[middle]
    } else {
        f64::midpoint(sorted[middle - 1], sorted[middle])
    }
}

/// The least sample that `percent` per cent of the sorted samples do not exceed (nearest rank).
///
/// # Panics
/// When there is no sample, or more than 100 per cent are asked for.
pub fn percentile(sorted: &[u64], percent: usize) -> u64 {
    let rank = (sorted.len() * percent).div_ceil(100);
    sorted[rank.max(1) - 1]
}

/// Percentiles of nanoseconds in a unit of so many of them.
///
/// # Panics
/// When there is no sample.
pub fn percentiles<const N: usize>(mut nanos: Vec<u64>, percents: [usize; N], unit: f64) -> Vec<f64> {
    nanos.sort_unstable();
    let in_unit = |percent| percentile(&nanos, percent) as f64 / unit;
    percents.map(in_unit).into()
}
