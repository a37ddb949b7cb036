//! The series of one family.

use std::any::Any;
use std::collections::BTreeMap;
use std::fmt::Debug;
use std::sync::{Arc, RwLock};

use metrics::SharedString;

use super::buckets::Buckets;
use super::counter::{Counter, Elapsed};
use super::family::Family;
use super::gauge::Gauge;
use super::guard::Guard;
use super::histogram::Histogram;
use super::reading::{Reading, Sample, Value};
use crate::sync::unpoisoned;

/// Admitted label values, in the order of the family's labels.
pub(super) type Key = Vec<SharedString>;

/// Instruments by their label values, sorted.
#[derive(Debug)]
pub(super) struct SeriesByValues<I>(RwLock<BTreeMap<Key, Arc<I>>>);

impl<I> Default for SeriesByValues<I> {
    fn default() -> Self {
        Self(RwLock::default())
    }
}

impl<I> SeriesByValues<I> {
    /// The instrument of these values, begun if there is none.
    pub(super) fn series(&self, values: Key, begin: impl FnOnce() -> I) -> Arc<I> {
        let mut rows = unpoisoned(self.0.write());
        Arc::clone(rows.entry(values).or_insert_with(|| Arc::new(begin())))
    }

    /// All of them, sorted by their values.
    pub(super) fn list(&self) -> Vec<(Key, Arc<I>)> {
        let rows = unpoisoned(self.0.read());
        rows.iter()
            .map(|(values, row)| (values.clone(), Arc::clone(row)))
            .collect()
    }
}

/// One family with its series.
#[derive(Debug)]
pub(super) struct Table<I: Instrument> {
    pub(super) family: &'static Family,
    guard: Arc<Guard>,
    rows: Arc<SeriesByValues<I>>,
    seed: I::Seed,
}

impl<I: Instrument> Table<I> {
    pub(super) fn new(
        family: &'static Family,
        guard: &Arc<Guard>,
        rows: Arc<SeriesByValues<I>>,
        seed: I::Seed,
    ) -> Arc<Self> {
        let table = Self {
            family,
            guard: Arc::clone(guard),
            rows,
            seed,
        };
        for values in family.closed_combinations().into_iter().flatten() {
            table.series(table.admit(&values));
        }
        Arc::new(table)
    }

    /// The values as far as the guard lets them pass.
    pub(super) fn admit(&self, values: &[&str]) -> Key {
        let labelled = self.family.labels.iter().zip(values);
        let admitted = labelled.map(|(label, value)| self.guard.admit(self.family, label, value));
        admitted.collect()
    }

    /// The word for a value that the guard does not let pass.
    pub(super) fn fold(&self) -> SharedString {
        self.guard.fold(self.family)
    }

    /// The series of values that were admitted.
    pub(super) fn series(&self, admitted: Key) -> Arc<I> {
        self.rows.series(admitted, || I::begin(self.seed))
    }
}

/// The table of a family, whatever it measures with.
pub(super) trait AnyTable: Any + Debug + Send + Sync {
    /// The family at this moment.
    fn read(&self) -> Reading;
}

impl<I: Instrument> AnyTable for Table<I> {
    fn read(&self) -> Reading {
        let sample = |(values, instrument): (Key, Arc<I>)| Some(Sample::new(self.family, values, instrument.value()?));
        Reading {
            family: self.family,
            samples: self.rows.list().into_iter().filter_map(sample).collect(),
        }
    }
}

/// What a family measures with: [`Counter`], [`Elapsed`], [`Gauge`] or [`Histogram`], and nothing else.
pub trait Instrument: sealed::Sealed {}

impl<I: sealed::Sealed> Instrument for I {}

mod sealed {
    use std::fmt::Debug;

    use super::Value;

    /// What only the instruments of this crate can do.
    pub trait Sealed: Debug + Send + Sync + 'static {
        /// What it takes to begin one.
        type Seed: Copy + Debug + Send + Sync;

        /// The word for it in errors.
        const WORD: &'static str;

        /// A new one.
        fn begin(seed: Self::Seed) -> Self;

        /// What it shows, if that is known.
        fn value(&self) -> Option<Value>;
    }
}

impl sealed::Sealed for Counter {
    type Seed = ();
    const WORD: &'static str = "counter";

    fn begin((): ()) -> Self {
        Self::default()
    }

    fn value(&self) -> Option<Value> {
        Some(Value::Count(self.get()))
    }
}

impl sealed::Sealed for Elapsed {
    type Seed = ();
    const WORD: &'static str = "counter of time";

    fn begin((): ()) -> Self {
        Self::default()
    }

    fn value(&self) -> Option<Value> {
        Some(Value::Elapsed(self.get()))
    }
}

impl sealed::Sealed for Gauge {
    type Seed = ();
    const WORD: &'static str = "gauge";

    fn begin((): ()) -> Self {
        Self::default()
    }

    fn value(&self) -> Option<Value> {
        self.get().map(Value::Level)
    }
}

impl sealed::Sealed for Histogram {
    type Seed = Buckets;
    const WORD: &'static str = "histogram";

    fn begin(buckets: Buckets) -> Self {
        Self::new(buckets)
    }

    fn value(&self) -> Option<Value> {
        Some(Value::Spread(Box::new(self.spread())))
    }
}
