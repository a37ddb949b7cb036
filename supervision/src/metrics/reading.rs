//! What the instruments show at one moment.

use std::time::Duration;

use metrics::SharedString;

use super::family::Family;
use super::spread::Spread;
use super::table::Key;

/// One family at one moment.
#[derive(Clone, Debug, PartialEq)]
#[non_exhaustive]
pub struct Reading {
    /// The family.
    pub family: &'static Family,
    /// Its series, sorted by label values.
    pub samples: Vec<Sample>,
}

/// One series at one moment.
#[derive(Clone, Debug, PartialEq)]
#[non_exhaustive]
pub struct Sample {
    labels: Vec<(&'static str, SharedString)>,
    /// What it shows.
    pub value: Value,
}

/// What a series shows.
#[derive(Clone, Debug, PartialEq)]
pub enum Value {
    /// A counter's count.
    Count(u64),
    /// A sum of times.
    Elapsed(Duration),
    /// A gauge's level.
    Level(f64),
    /// A histogram.
    Spread(Box<Spread>),
}

impl Sample {
    pub(super) fn new(family: &'static Family, values: Key, value: Value) -> Self {
        let names = family.labels.iter().map(|label| label.name);
        Self {
            labels: names.zip(values).collect(),
            value,
        }
    }

    /// Its labels with their values, in the order of the declaration.
    pub fn labels(&self) -> impl ExactSizeIterator<Item = (&'static str, &str)> {
        self.labels.iter().map(|(name, value)| (*name, value.as_ref()))
    }

    pub(super) fn shared_labels(&self) -> &[(&'static str, SharedString)] {
        &self.labels
    }
}
