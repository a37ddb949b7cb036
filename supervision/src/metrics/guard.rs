//! The bound on cardinality: label values beyond those allowed become `other`, and are counted.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, Mutex};

use metrics::SharedString;

use super::catalogue::Section;
use super::counter::Counter;
use super::family::{Family, Label, OTHER, Values};
use super::rules::OPEN_VALUES_MAX;
use super::table::SeriesByValues;
use crate::sync::lock;

const METRIC: Label = Label::open("metric", OPEN_VALUES_MAX);

/// Counts what the guard folds; every catalogue has it.
pub const LABEL_OVERFLOW: Family = Family::counter(
    "triarch_metrics_label_overflow_total",
    &[METRIC],
    "Series asked for with a label value beyond those allowed, which the cardinality guard folded into 'other'.",
);

/// What telemetry tells of itself, as far as it is known here; a room that has more puts [`LABEL_OVERFLOW`] among its own.
pub const TELEMETRY: Section = Section {
    title: "Telemetry itself",
    families: &[LABEL_OVERFLOW],
};

/// Admits label values until their bound is reached.
///
/// The values of an open label are admitted by its name, once for all families, so that a value seen in one is seen in all
/// and queries can join them.
#[derive(Debug)]
pub(super) struct Guard {
    admitted: Mutex<BTreeMap<&'static str, BTreeSet<Arc<str>>>>,
    overflows: Arc<SeriesByValues<Counter>>,
}

impl Guard {
    pub(super) fn new(overflows: Arc<SeriesByValues<Counter>>) -> Self {
        Self {
            admitted: Mutex::default(),
            overflows,
        }
    }

    /// `value` for `label` of `family`, or `other`, which is counted.
    pub(super) fn admit(&self, family: &Family, label: &Label, value: &str) -> SharedString {
        self.admitted(label, value).unwrap_or_else(|| self.fold(family))
    }

    /// The word for what is not admitted; counted.
    pub(super) fn fold(&self, family: &Family) -> SharedString {
        let metric = self.admitted(&METRIC, family.name);
        let metric = metric.unwrap_or(SharedString::const_str(OTHER));
        self.overflows.series(vec![metric], Counter::default).increment();
        SharedString::const_str(OTHER)
    }

    fn admitted(&self, label: &Label, value: &str) -> Option<SharedString> {
        if value == OTHER {
            return Some(SharedString::const_str(OTHER));
        }
        match label.values {
            Values::Closed(words) => {
                let word = words.iter().find(|word| **word == value)?;
                Some(SharedString::const_str(word))
            }
            Values::Open { max } => self.admitted_open(label.name, max, value),
        }
    }

    // An empty value is no value to Prometheus, so the series would be that of another family.
    fn admitted_open(&self, label: &'static str, max: usize, value: &str) -> Option<SharedString> {
        let mut labels = lock(&self.admitted);
        let values = labels.entry(label).or_default();
        if let Some(known) = values.get(value) {
            return Some(SharedString::from_shared(Arc::clone(known)));
        }
        if values.len() >= max || value.is_empty() {
            return None;
        }
        let value: Arc<str> = Arc::from(value);
        values.insert(Arc::clone(&value));
        Some(SharedString::from_shared(value))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const TEAPOT: Label = Label::open("teapot", 2);
    const SIZE: Label = Label::closed("size", &["small", "large"]);
    const CUPS: Family = Family::counter("triarch_cups_total", &[TEAPOT, SIZE], "Cups poured.");
    const MUGS: Family = Family::counter("triarch_mugs_total", &[TEAPOT], "Mugs poured.");

    fn guard() -> (Guard, Arc<SeriesByValues<Counter>>) {
        let overflows = Arc::new(SeriesByValues::default());
        (Guard::new(Arc::clone(&overflows)), overflows)
    }

    fn admit(guard: &Guard, family: &Family, label: &Label, value: &str) -> String {
        guard.admit(family, label, value).to_string()
    }

    fn overflow_of(overflows: &SeriesByValues<Counter>, metric: &'static str) -> Option<u64> {
        let rows = overflows.list();
        let row = rows.iter().find(|(values, _)| values[0].as_ref() == metric);
        row.map(|(_, counter)| counter.get())
    }

    #[test]
    fn the_first_values_of_an_open_label_are_kept_and_the_rest_is_other() {
        let (guard, overflows) = guard();
        let admitted = ["brown", "blue", "green", "brown", "red"].map(|value| admit(&guard, &CUPS, &TEAPOT, value));
        assert_eq!(admitted, ["brown", "blue", OTHER, "brown", OTHER]);
        assert_eq!(overflow_of(&overflows, CUPS.name), Some(2));
    }

    #[test]
    fn a_value_kept_for_one_family_is_kept_for_all() {
        let (guard, overflows) = guard();
        admit(&guard, &CUPS, &TEAPOT, "brown");
        admit(&guard, &CUPS, &TEAPOT, "blue");
        assert_eq!(admit(&guard, &MUGS, &TEAPOT, "blue"), "blue");
        assert_eq!(admit(&guard, &MUGS, &TEAPOT, "green"), OTHER);
        assert_eq!(overflow_of(&overflows, MUGS.name), Some(1));
        assert_eq!(overflow_of(&overflows, CUPS.name), None);
    }

    #[test]
    fn a_word_outside_a_closed_set_is_other() {
        let (guard, overflows) = guard();
        assert_eq!(admit(&guard, &CUPS, &SIZE, "large"), "large");
        assert_eq!(overflow_of(&overflows, CUPS.name), None);
        assert_eq!(admit(&guard, &CUPS, &SIZE, "huge"), OTHER);
        assert_eq!(overflow_of(&overflows, CUPS.name), Some(1));
    }

    #[test]
    fn an_empty_value_is_other_and_other_itself_takes_no_place() {
        let (guard, overflows) = guard();
        assert_eq!(admit(&guard, &CUPS, &TEAPOT, OTHER), OTHER);
        assert_eq!(overflow_of(&overflows, CUPS.name), None);
        assert_eq!(admit(&guard, &CUPS, &TEAPOT, ""), OTHER);
        assert_eq!(overflow_of(&overflows, CUPS.name), Some(1));
        for value in ["brown", "blue"] {
            assert_eq!(admit(&guard, &CUPS, &TEAPOT, value), value);
        }
    }

    #[test]
    fn the_guards_own_family_is_bounded_too() {
        let (guard, overflows) = guard();
        for index in 0..OPEN_VALUES_MAX + 3 {
            let name: &'static str = Box::leak(format!("triarch_cups_{index}").into_boxed_str());
            guard.fold(&Family::gauge(name, &[], "Cups."));
        }
        assert_eq!(overflows.list().len(), OPEN_VALUES_MAX + 1);
        assert_eq!(overflow_of(&overflows, OTHER), Some(3));
    }
}
