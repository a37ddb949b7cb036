//! The instruments of a catalogue: where parts get their handles and the exporter reads.

use std::any::Any;
use std::collections::BTreeMap;
use std::sync::{Arc, OnceLock};

use metrics::SharedString;

use super::catalogue::{Catalogue, CatalogueError, Section};
use super::counter::{Counter, Elapsed};
use super::families::TREE;
use super::family::{Family, Label, Measure};
use super::gauge::Gauge;
use super::guard::{Guard, LABEL_OVERFLOW, TELEMETRY};
use super::histogram::Histogram;
use super::reading::Reading;
use super::table::{AnyTable, Instrument, Key, SeriesByValues, Table};

/// The instruments of every family of a catalogue.
///
/// Families whose labels are all closed have their series from the start, so that a rate over the first event is seen;
/// the others get theirs when a part asks for them.
#[derive(Clone, Debug)]
pub struct Instruments(Arc<Shared>);

#[derive(Debug)]
struct Shared {
    catalogue: Catalogue,
    tables: BTreeMap<&'static str, Arc<dyn AnyTable>>,
}

/// Why a family gives no handles; each is a mistake in the program, found when it starts.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum InstrumentError {
    /// The family is not in the catalogue as it is declared here.
    #[error("the metric {family} is not in the catalogue; add the section that declares it")]
    NotInCatalogue {
        /// The family in question.
        family: &'static str,
    },
    /// The family measures with something else.
    #[error("the metric {family} is no {asked}; ask for what it is declared as")]
    WrongKind {
        /// The family in question.
        family: &'static str,
        /// What was asked for.
        asked: &'static str,
    },
    /// The family has more or fewer labels.
    #[error("the metric {family} has {declared} labels where {asked} are meant")]
    WrongLabels {
        /// The family in question.
        family: &'static str,
        /// How many labels it has.
        declared: usize,
        /// How many are meant.
        asked: usize,
    },
    /// The family's last label is open, so it does not fan out.
    #[error("the metric {family} does not fan out, because its last label is open; ask for its series one by one")]
    LastLabelOpen {
        /// The family in question.
        family: &'static str,
    },
}

impl Instruments {
    /// The instruments of `catalogue`, all at their beginning.
    pub fn new(catalogue: Catalogue) -> Self {
        let overflows = Arc::default();
        let guard = Arc::new(Guard::new(Arc::clone(&overflows)));
        let table = |family: &'static Family| (family.name, begin(family, &guard, &overflows));
        let tables = catalogue.families().map(table).collect();
        Self(Arc::new(Shared { catalogue, tables }))
    }

    /// The instruments of a tree and of your own sections, to give to [`Root::instruments`](crate::Root::instruments).
    ///
    /// [`TELEMETRY`] comes with them, unless a section of yours has [`LABEL_OVERFLOW`] already.
    ///
    /// ```
    /// use triarch_supervision::metrics::{Counter, Family, Instruments, Section};
    /// use triarch_supervision::prelude::*;
    ///
    /// const ORDERS: Family = Family::counter("triarch_shop_orders_total", &[], "Orders that came in.");
    /// const SHOP: Section = Section { title: "Shop", families: &[ORDERS] };
    ///
    /// # tokio::runtime::Builder::new_current_thread().enable_all().build()?.block_on(async {
    /// let instruments = Instruments::with_tree(&[SHOP])?;
    /// let orders = instruments.single::<Counter>(&ORDERS)?; // for the `Spec` of whoever counts
    /// let tree = Root::new().instruments(instruments).supervisor(Supervisor::named("shop")).start().await?;
    /// orders.increment();
    /// tree.observer().sample(); // or the tree's own families are as of the sample before
    /// assert!(tree.instruments().read().iter().any(|reading| *reading.family == ORDERS));
    /// # tree.stop().await;
    /// # Ok::<(), Box<dyn std::error::Error>>(()) })?;
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn with_tree(own: &[Section]) -> Result<Self, CatalogueError> {
        let has_overflow = own.iter().any(|section| section.families.contains(&LABEL_OVERFLOW));
        let rest: &[Section] = if has_overflow { &[] } else { &[TELEMETRY] };
        Ok(Self::new(Catalogue::new(&[&TREE[..], own, rest].concat())?))
    }

    /// The catalogue they were made of.
    pub fn catalogue(&self) -> &Catalogue {
        &self.0.catalogue
    }

    /// The one series of a family without labels.
    pub fn single<I: Instrument>(&self, family: &Family) -> Result<Arc<I>, InstrumentError> {
        Ok(self.labelled::<I, 0>(family)?.with([]))
    }

    /// The series of a family with `N` labels.
    pub fn labelled<I: Instrument, const N: usize>(&self, family: &Family) -> Result<Labelled<I, N>, InstrumentError> {
        let table = self.table(family)?;
        has_labels(family, N)?;
        Ok(Labelled { table })
    }

    /// The series of a family with `N` labels before a closed one.
    pub fn fans<I: Instrument, const N: usize>(&self, family: &Family) -> Result<Fans<I, N>, InstrumentError> {
        let table = self.table(family)?;
        has_labels(family, N + 1)?;
        let words = family.labels.last().and_then(Label::closed_values);
        match words {
            Some(words) => Ok(Fans { table, words }),
            None => Err(InstrumentError::LastLabelOpen { family: family.name }),
        }
    }

    /// Everything at this moment: families sorted by name, each with its series sorted by label values.
    ///
    /// Every family of the catalogue is there, if need be without series. A gauge that nobody has set is left out: it is unknown.
    pub fn read(&self) -> Vec<Reading> {
        self.0.tables.values().map(|table| table.read()).collect()
    }

    fn table<I: Instrument>(&self, family: &Family) -> Result<Arc<Table<I>>, InstrumentError> {
        let name = family.name;
        let known = self.0.catalogue.family(name) == Some(family);
        let any = self.0.tables.get(name).filter(|_| known);
        let any: Arc<dyn Any + Send + Sync> = match any {
            Some(table) => Arc::<dyn AnyTable>::clone(table),
            None => return Err(InstrumentError::NotInCatalogue { family: name }),
        };
        any.downcast().map_err(|_| InstrumentError::WrongKind {
            family: name,
            asked: I::WORD,
        })
    }
}

fn has_labels(family: &Family, asked: usize) -> Result<(), InstrumentError> {
    let declared = family.labels.len();
    if declared == asked {
        return Ok(());
    }
    Err(InstrumentError::WrongLabels {
        family: family.name,
        declared,
        asked,
    })
}

fn begin(family: &'static Family, guard: &Arc<Guard>, overflows: &Arc<SeriesByValues<Counter>>) -> Arc<dyn AnyTable> {
    match family.measure {
        Measure::Counter if *family == LABEL_OVERFLOW => Table::new(family, guard, Arc::clone(overflows), ()),
        Measure::Counter => Table::<Counter>::new(family, guard, Arc::default(), ()),
        Measure::Elapsed => Table::<Elapsed>::new(family, guard, Arc::default(), ()),
        Measure::Gauge => Table::<Gauge>::new(family, guard, Arc::default(), ()),
        Measure::Histogram(buckets) => Table::<Histogram>::new(family, guard, Arc::default(), buckets),
    }
}

/// The series of one family, told apart by `N` labels.
#[derive(Debug)]
pub struct Labelled<I: Instrument, const N: usize> {
    table: Arc<Table<I>>,
}

impl<I: Instrument, const N: usize> Labelled<I, N> {
    /// The series of these label values, in the order of the declaration; values beyond those allowed become `other`.
    ///
    /// It locks and allocates: keep what it returns. All that becomes `other` shares one series, so a gauge must be set to a sum
    /// or be moved by [`Gauge::add`], never be set by each of its owners.
    pub fn with(&self, values: [&str; N]) -> Arc<I> {
        self.table.series(self.table.admit(&values))
    }
}

/// The series of one family, told apart by `N` labels and then a closed one.
#[derive(Debug)]
pub struct Fans<I: Instrument, const N: usize> {
    table: Arc<Table<I>>,
    words: &'static [&'static str],
}

impl<I: Instrument, const N: usize> Fans<I, N> {
    /// The series of these label values, one for each word of the last label; all of them begin now.
    pub fn with(&self, values: [&str; N]) -> Fan<I> {
        let head = self.table.admit(&values);
        let arm = |word: &&'static str| self.table.series(extended(&head, (*word).into()));
        Fan {
            arms: self.words.iter().map(arm).collect(),
            words: self.words,
            table: Arc::clone(&self.table),
            head,
            other: OnceLock::new(),
        }
    }
}

impl<I: Instrument, const N: usize> Clone for Labelled<I, N> {
    fn clone(&self) -> Self {
        let table = Arc::clone(&self.table);
        Self { table }
    }
}

impl<I: Instrument, const N: usize> Clone for Fans<I, N> {
    fn clone(&self) -> Self {
        let (table, words) = (Arc::clone(&self.table), self.words);
        Self { table, words }
    }
}

/// The series of one family that differ in their last, closed label only: chosen without a lock or an allocation.
#[derive(Debug)]
pub struct Fan<I: Instrument> {
    words: &'static [&'static str],
    arms: Vec<Arc<I>>,
    table: Arc<Table<I>>,
    head: Key,
    other: OnceLock<Arc<I>>,
}

impl<I: Instrument> Fan<I> {
    /// The series of that word, or of `other` if the label has no such word.
    #[inline]
    pub fn at(&self, word: &str) -> &Arc<I> {
        let index = self.words.iter().position(|known| *known == word);
        let arm = index.and_then(|index| self.arms.get(index));
        arm.unwrap_or_else(|| self.other())
    }

    /// The value that its first label really has: the one asked for, or `other`.
    pub(super) fn name(&self) -> &str {
        self.head.first().map_or("", |name| name)
    }

    #[cold]
    fn other(&self) -> &Arc<I> {
        let folded = self.table.fold();
        self.other
            .get_or_init(|| self.table.series(extended(&self.head, folded)))
    }
}

fn extended(head: &Key, last: SharedString) -> Key {
    head.iter().cloned().chain([last]).collect()
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::super::buckets::Buckets;
    use super::super::catalogue::Section;
    use super::super::reading::Value;
    use super::*;

    const SIZE: Label = Label::closed("size", &["small", "large"]);
    const TEAPOT: Label = Label::open("teapot", 2);
    const CUPS: Family = Family::counter("triarch_cups_total", &[SIZE], "Cups poured.");
    const MUGS: Family = Family::counter("triarch_mugs_total", &[TEAPOT, SIZE], "Mugs poured.");
    const HEAT: Family = Family::gauge("triarch_heat", &[], "How hot it is.");
    const DRAW: Family = Family::histogram("triarch_draw_seconds", Buckets::LONG, &[], "How long tea drew.");
    const IDLE: Family = Family::elapsed("triarch_idle_seconds_total", &[TEAPOT], "Time without tea.");
    const TEA: Section = Section {
        title: "Tea",
        families: &[MUGS, CUPS, HEAT, DRAW, IDLE],
    };

    fn instruments() -> Instruments {
        Instruments::new(Catalogue::new(&[TEA, TELEMETRY]).unwrap())
    }

    fn shown(instruments: &Instruments, family: &Family) -> Vec<(String, Value)> {
        let readings = instruments.read();
        let reading = readings.iter().find(|reading| reading.family == family).unwrap();
        let words = |labels: Vec<(&str, &str)>| labels.iter().map(|(_, value)| *value).collect::<Vec<_>>().join(" ");
        let samples = reading.samples.iter();
        samples
            .map(|sample| (words(sample.labels().collect()), sample.value.clone()))
            .collect()
    }

    fn counts(instruments: &Instruments, family: &Family) -> Vec<(String, u64)> {
        let count = |(labels, value)| match value {
            Value::Count(count) => (labels, count),
            value => unreachable!("{value:?} is no count"),
        };
        shown(instruments, family).into_iter().map(count).collect()
    }

    #[test]
    fn a_trees_instruments_have_its_families_and_ours_and_what_the_guard_counts_in_once() {
        const GUARD: Section = Section {
            title: "Guard",
            families: &[LABEL_OVERFLOW],
        };
        for own in [&[TEA][..], &[TEA, GUARD]] {
            let instruments = Instruments::with_tree(own).unwrap();
            let of_tree = TREE.iter().flat_map(|section| section.families);
            for family in of_tree.chain(TEA.families).chain(&[LABEL_OVERFLOW]) {
                assert_eq!(instruments.catalogue().family(family.name), Some(family));
            }
        }
        assert!(Instruments::with_tree(&[TEA, TEA]).is_err());
    }

    #[test]
    fn every_family_is_there_from_the_start_sorted_by_name() {
        let readings = instruments().read();
        let names: Vec<_> = readings.iter().map(|reading| reading.family.name).collect();
        let mut expected = [DRAW, HEAT, IDLE, CUPS, MUGS, LABEL_OVERFLOW].map(|family| family.name);
        expected.sort_unstable();
        assert_eq!(names, expected);
    }

    #[test]
    fn closed_families_begin_at_nothing_and_gauges_unknown() {
        let instruments = instruments();
        assert_eq!(counts(&instruments, &CUPS), [("large".into(), 0), ("small".into(), 0)]);
        assert_eq!(counts(&instruments, &MUGS), []);
        assert_eq!(shown(&instruments, &HEAT), []);
        let draw = shown(&instruments, &DRAW);
        assert!(matches!(&draw[..], [(_, Value::Spread(empty))] if empty.count() == 0));
    }

    #[test]
    fn what_a_handle_counts_is_read_under_its_labels_and_sorted_by_them() {
        let instruments = instruments();
        let mugs: Labelled<Counter, 2> = instruments.labelled(&MUGS).unwrap();
        mugs.with(["brown", "small"]).add(2);
        mugs.with(["blue", "small"]).add(3);
        mugs.with(["brown", "large"]).increment();
        mugs.with(["brown", "small"]).increment();
        let expected = [("blue small", 3), ("brown large", 1), ("brown small", 3)];
        assert_eq!(
            counts(&instruments, &MUGS),
            expected.map(|(labels, count)| (labels.to_owned(), count))
        );
    }

    #[test]
    fn each_kind_shows_its_own_value() {
        let instruments = instruments();
        instruments.single::<Gauge>(&HEAT).unwrap().set(0.5);
        instruments
            .single::<Histogram>(&DRAW)
            .unwrap()
            .observe(Duration::from_secs(2));
        let idle: Labelled<Elapsed, 1> = instruments.labelled(&IDLE).unwrap();
        idle.with(["brown"]).add(Duration::from_millis(5));
        assert_eq!(shown(&instruments, &HEAT), [(String::new(), Value::Level(0.5))]);
        let brown = ("brown".to_owned(), Value::Elapsed(Duration::from_millis(5)));
        assert_eq!(shown(&instruments, &IDLE), [brown]);
        let draw = shown(&instruments, &DRAW);
        assert!(
            matches!(&draw[..], [(_, Value::Spread(one))] if (one.count(), one.sum()) == (1, Duration::from_secs(2)))
        );
    }

    #[test]
    fn a_fan_begins_all_its_series_and_finds_them_by_word() {
        let instruments = instruments();
        let fans: Fans<Counter, 1> = instruments.fans(&MUGS).unwrap();
        let fan = fans.with(["brown"]);
        assert_eq!(
            counts(&instruments, &MUGS),
            [("brown large".into(), 0), ("brown small".into(), 0)]
        );
        fan.at("small").add(4);
        fans.with(["brown"]).at("small").increment();
        assert_eq!(
            counts(&instruments, &MUGS),
            [("brown large".into(), 0), ("brown small".into(), 5)]
        );
    }

    #[test]
    fn an_unknown_word_of_a_fan_is_other_and_counted_as_overflow() {
        let instruments = instruments();
        let cups: Fans<Counter, 0> = instruments.fans(&CUPS).unwrap();
        let fan = cups.with([]);
        fan.at("huge").increment();
        fan.at("tiny").increment();
        let expected = [("large", 0), ("other", 2), ("small", 0)];
        assert_eq!(
            counts(&instruments, &CUPS),
            expected.map(|(labels, count)| (labels.to_owned(), count))
        );
        assert_eq!(counts(&instruments, &LABEL_OVERFLOW), [(CUPS.name.to_owned(), 2)]);
    }

    #[test]
    fn a_flood_of_label_values_never_exceeds_the_bound() {
        let instruments = instruments();
        let mugs: Labelled<Counter, 2> = instruments.labelled(&MUGS).unwrap();
        for index in 0..100_000 {
            mugs.with([&format!("teapot-{index}"), "small"]).increment();
        }
        let expected = [("other small", 99_998), ("teapot-0 small", 1), ("teapot-1 small", 1)];
        assert_eq!(
            counts(&instruments, &MUGS),
            expected.map(|(labels, count)| (labels.to_owned(), count))
        );
        assert_eq!(counts(&instruments, &LABEL_OVERFLOW), [(MUGS.name.to_owned(), 99_998)]);
    }

    #[test]
    fn a_family_gives_only_handles_of_what_it_is_declared_as() {
        const STRANGER: Family = Family::counter("triarch_cups_total", &[], "Cups poured.");
        let instruments = instruments();
        let family = CUPS.name;
        assert_eq!(
            instruments.single::<Counter>(&STRANGER).unwrap_err(),
            InstrumentError::NotInCatalogue { family }
        );
        assert_eq!(
            instruments.labelled::<Gauge, 1>(&CUPS).unwrap_err(),
            InstrumentError::WrongKind { family, asked: "gauge" }
        );
        assert_eq!(
            instruments.labelled::<Counter, 2>(&CUPS).unwrap_err(),
            InstrumentError::WrongLabels {
                family,
                declared: 1,
                asked: 2
            }
        );
        assert_eq!(
            instruments.fans::<Counter, 1>(&CUPS).unwrap_err(),
            InstrumentError::WrongLabels {
                family,
                declared: 1,
                asked: 2
            }
        );
        assert_eq!(
            instruments.fans::<Elapsed, 0>(&IDLE).unwrap_err(),
            InstrumentError::LastLabelOpen { family: IDLE.name }
        );
    }
}
