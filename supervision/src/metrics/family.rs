//! The declaration of one metric: its name, what it is, its labels, its meaning.

use super::buckets::Buckets;

/// The label value that stands for all values beyond those allowed.
pub const OTHER: &str = "other";

/// Everything there is to say about one metric; a constant, from which all else follows.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Family {
    /// Its name: `triarch_<room>_<what>_<unit>[_total]`.
    pub name: &'static str,
    /// What it measures with.
    pub measure: Measure,
    /// What tells its series apart; handles are asked for with values in this order.
    pub labels: &'static [Label],
    /// Its meaning, one sentence for people.
    pub help: &'static str,
}

/// What a family measures with.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Measure {
    /// A count that only grows.
    Counter,
    /// A sum of times that only grows, kept in nanoseconds and shown in seconds; to Prometheus a counter.
    Elapsed,
    /// A level that goes up and down.
    Gauge,
    /// How many times fell into which bucket.
    Histogram(Buckets),
}

/// One label of a family.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Label {
    /// Its name.
    pub name: &'static str,
    /// What it may be.
    pub values: Values,
}

/// What a label may be; everything else is folded into [`OTHER`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Values {
    /// One of these words.
    Closed(&'static [&'static str]),
    /// Whatever comes first, up to a number of distinct values shared by all families with a label of this name.
    Open {
        /// How many distinct values are kept.
        max: usize,
    },
}

impl Family {
    /// A count that only grows.
    pub const fn counter(name: &'static str, labels: &'static [Label], help: &'static str) -> Self {
        Self::new(name, Measure::Counter, labels, help)
    }

    /// A sum of times that only grows.
    pub const fn elapsed(name: &'static str, labels: &'static [Label], help: &'static str) -> Self {
        Self::new(name, Measure::Elapsed, labels, help)
    }

    /// A level that goes up and down.
    pub const fn gauge(name: &'static str, labels: &'static [Label], help: &'static str) -> Self {
        Self::new(name, Measure::Gauge, labels, help)
    }

    /// How many times fell into which of `buckets`.
    pub const fn histogram(name: &'static str, buckets: Buckets, labels: &'static [Label], help: &'static str) -> Self {
        Self::new(name, Measure::Histogram(buckets), labels, help)
    }

    const fn new(name: &'static str, measure: Measure, labels: &'static [Label], help: &'static str) -> Self {
        Self {
            name,
            measure,
            labels,
            help,
        }
    }

    /// The most time series a scrape can show for it, with every label at its bound.
    pub fn series_max(&self) -> usize {
        let combinations: usize = self.labels.iter().map(Label::values_max).product();
        combinations * self.measure.series_each()
    }

    /// Its labels' values, if all of them are closed: the series that exist from the start.
    pub(super) fn closed_combinations(&self) -> Option<Vec<Vec<&'static str>>> {
        let mut combinations = vec![Vec::new()];
        for label in self.labels {
            let words = label.closed_values()?;
            let extended = |head: Vec<&'static str>| words.iter().map(move |word| [head.as_slice(), &[*word]].concat());
            combinations = combinations.into_iter().flat_map(extended).collect();
        }
        Some(combinations)
    }
}

impl Measure {
    /// Prometheus' word for it.
    pub const fn type_name(self) -> &'static str {
        match self {
            Self::Counter | Self::Elapsed => "counter",
            Self::Gauge => "gauge",
            Self::Histogram(_) => "histogram",
        }
    }

    fn series_each(self) -> usize {
        match self {
            Self::Counter | Self::Elapsed | Self::Gauge => 1,
            // Its edges, the bucket without an edge, the sum and the count.
            Self::Histogram(buckets) => buckets.edges().len() + 3,
        }
    }
}

impl Label {
    /// A label that is one of `words`.
    pub const fn closed(name: &'static str, words: &'static [&'static str]) -> Self {
        Self {
            name,
            values: Values::Closed(words),
        }
    }

    /// A label with at most `max` distinct values.
    pub const fn open(name: &'static str, max: usize) -> Self {
        Self {
            name,
            values: Values::Open { max },
        }
    }

    pub(super) const fn closed_values(&self) -> Option<&'static [&'static str]> {
        match self.values {
            Values::Closed(words) => Some(words),
            Values::Open { .. } => None,
        }
    }

    // A closed label is given another value by mistake only, so `other` is no part of its bound.
    fn values_max(&self) -> usize {
        match self.values {
            Values::Closed(words) => words.len(),
            Values::Open { max } => max + 1,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SIZE: Label = Label::closed("size", &["small", "large"]);
    const COLOUR: Label = Label::closed("colour", &["red", "blue"]);
    const TEAPOT: Label = Label::open("teapot", 9);

    #[test]
    fn the_most_series_are_all_combinations_of_values_with_other_where_a_label_is_open() {
        assert_eq!(Family::gauge("g", &[], "h").series_max(), 1);
        assert_eq!(Family::counter("c", &[SIZE, TEAPOT], "h").series_max(), 2 * 10);
        assert_eq!(
            Family::histogram("s", Buckets::FAST, &[SIZE], "h").series_max(),
            2 * (11 + 3)
        );
    }

    #[test]
    fn only_a_family_with_closed_labels_has_its_series_from_the_start() {
        let closed = Family::counter("c", &[SIZE, COLOUR], "h")
            .closed_combinations()
            .unwrap();
        assert_eq!(
            closed,
            [["small", "red"], ["small", "blue"], ["large", "red"], ["large", "blue"]]
        );
        assert_eq!(Family::gauge("g", &[], "h").closed_combinations().unwrap(), [[""; 0]]);
        assert!(
            Family::counter("c", &[SIZE, TEAPOT], "h")
                .closed_combinations()
                .is_none()
        );
    }
}
