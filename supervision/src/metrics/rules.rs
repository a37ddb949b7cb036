//! What a good name and a bounded label are.

use super::family::{Family, Label, Measure, OTHER, Values};

/// The most words of a closed label.
pub const CLOSED_VALUES_MAX: usize = 32;

/// The most distinct values of an open label.
pub const OPEN_VALUES_MAX: usize = 64;

const PREFIX: &str = "triarch_";

/// What every process is expected to show has Prometheus' own names, and dashboards look for those.
const PROCESS_PREFIX: &str = "process_";

/// Names of labels whose values are as many as there are things, or secret, or Prometheus' own.
const BANNED_LABELS: [&str; 27] = [
    "address",
    "agent",
    "directory",
    "error",
    "file",
    "host",
    "id",
    "incarnation",
    "instance",
    "ip",
    "job",
    "le",
    "message",
    "pane",
    "path",
    "pid",
    "process",
    "prompt",
    "quantile",
    "session",
    "span",
    "task",
    "text",
    "token",
    "trace",
    "uri",
    "url",
];

/// Words for units that are not base units.
const DERIVED_UNITS: [&str; 23] = [
    "days",
    "gb",
    "gib",
    "hours",
    "kb",
    "kib",
    "kilobytes",
    "mb",
    "megabytes",
    "mib",
    "micros",
    "microseconds",
    "millis",
    "milliseconds",
    "minutes",
    "ms",
    "nanos",
    "nanoseconds",
    "ns",
    "pct",
    "percent",
    "us",
    "usec",
];

/// What is wrong with the declaration of a family.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum Misdeclaration {
    /// The name lacks the product's prefix.
    #[error("its name must begin with {PREFIX}, or with {PROCESS_PREFIX} where every process has it")]
    Prefix,
    /// The name is not snake case.
    #[error("its name must be snake case: a-z, 0-9 and single underscores, beginning with a letter")]
    NotSnakeCase,
    /// A counter without `_total`, or `_total` without a counter.
    #[error("its name must end with _total if, and only if, it is a counter")]
    Total,
    /// A unit that is not a base unit.
    #[error("its name says {unit}; use the base unit (seconds, bytes, ratio)")]
    DerivedUnit {
        /// The word in question.
        unit: &'static str,
    },
    /// A kind that measures time, and a name that does not say seconds; or a count that does.
    #[error("its name must say seconds where it measures time, and a plain counter cannot")]
    Seconds,
    /// No meaning, or one that is not a sentence.
    #[error("its help must be a sentence: begin with a capital letter, end with a full stop, on one line")]
    Help,
    /// A label whose values have no bound, or that Prometheus keeps for itself.
    #[error("its label {label} is never allowed: it would have a value per thing, or belongs to Prometheus")]
    BannedLabel {
        /// The label in question.
        label: &'static str,
    },
    /// A label that is not snake case.
    #[error("its label {label} must be snake case")]
    LabelNotSnakeCase {
        /// The label in question.
        label: &'static str,
    },
    /// The same label twice.
    #[error("its label {label} stands twice")]
    RepeatedLabel {
        /// The label in question.
        label: &'static str,
    },
    /// A closed label with no words, or with too many.
    #[error("its label {label} has {count} values; give it 1 to {CLOSED_VALUES_MAX}")]
    ClosedCount {
        /// The label in question.
        label: &'static str,
        /// How many it has.
        count: usize,
    },
    /// A word of a closed label that is not one, stands twice, or is kept for the guard.
    #[error("its label {label} has the value {value:?}; use lower-case words, each once, and not {OTHER}")]
    ClosedValue {
        /// The label in question.
        label: &'static str,
        /// The word in question.
        value: &'static str,
    },
    /// An open label whose bound is none.
    #[error("its label {label} allows {max} values; allow 1 to {OPEN_VALUES_MAX}")]
    OpenBound {
        /// The label in question.
        label: &'static str,
        /// What it allows.
        max: usize,
    },
}

/// The first fault of `family`, if it has one.
pub(super) fn fault_of(family: &Family) -> Option<Misdeclaration> {
    name_fault(family).or_else(|| labels_fault(family.labels))
}

fn name_fault(family: &Family) -> Option<Misdeclaration> {
    let name = family.name;
    let words = || name.split('_');
    if ![PREFIX, PROCESS_PREFIX].iter().any(|prefix| name.starts_with(prefix)) {
        Some(Misdeclaration::Prefix)
    } else if !is_snake_case(name) {
        Some(Misdeclaration::NotSnakeCase)
    } else if name.ends_with("_total") != matches!(family.measure, Measure::Counter | Measure::Elapsed) {
        Some(Misdeclaration::Total)
    } else if let Some(unit) = DERIVED_UNITS.into_iter().find(|unit| words().any(|word| word == *unit)) {
        Some(Misdeclaration::DerivedUnit { unit })
    } else if !says_its_time(family) {
        Some(Misdeclaration::Seconds)
    } else {
        (!is_sentence(family.help)).then_some(Misdeclaration::Help)
    }
}

fn says_its_time(family: &Family) -> bool {
    match family.measure {
        Measure::Counter => !family.name.ends_with("_seconds_total"),
        Measure::Elapsed => family.name.ends_with("_seconds_total"),
        Measure::Histogram(_) => family.name.ends_with("_seconds"),
        Measure::Gauge => true,
    }
}

fn is_sentence(help: &str) -> bool {
    help.starts_with(|first: char| first.is_ascii_uppercase() || first.is_ascii_digit())
        && help.ends_with('.')
        && !help.contains(['\n', '|'])
}

fn labels_fault(labels: &'static [Label]) -> Option<Misdeclaration> {
    let repeated = |(index, label): (usize, &Label)| {
        let earlier = labels.iter().take(index).any(|other| other.name == label.name);
        earlier.then_some(Misdeclaration::RepeatedLabel { label: label.name })
    };
    labels
        .iter()
        .find_map(label_fault)
        .or_else(|| labels.iter().enumerate().find_map(repeated))
}

fn label_fault(label: &Label) -> Option<Misdeclaration> {
    let name = label.name;
    if BANNED_LABELS.contains(&name) || name.ends_with("_id") {
        return Some(Misdeclaration::BannedLabel { label: name });
    }
    if !is_snake_case(name) {
        return Some(Misdeclaration::LabelNotSnakeCase { label: name });
    }
    match label.values {
        Values::Closed(words) => closed_fault(name, words),
        Values::Open { max } => {
            let bounded = (1..=OPEN_VALUES_MAX).contains(&max);
            (!bounded).then_some(Misdeclaration::OpenBound { label: name, max })
        }
    }
}

fn closed_fault(label: &'static str, words: &'static [&'static str]) -> Option<Misdeclaration> {
    let count = words.len();
    if !(1..=CLOSED_VALUES_MAX).contains(&count) {
        return Some(Misdeclaration::ClosedCount { label, count });
    }
    let repeated = |index: usize, word: &str| words.iter().take(index).any(|earlier| *earlier == word);
    let bad = |(index, word): &(usize, &&'static str)| !is_word(word) || **word == OTHER || repeated(*index, word);
    let (_, value) = words.iter().enumerate().find(bad)?;
    Some(Misdeclaration::ClosedValue { label, value })
}

fn is_snake_case(name: &str) -> bool {
    let allowed = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'_';
    name.starts_with(|first: char| first.is_ascii_lowercase())
        && name.bytes().all(allowed)
        && !name.contains("__")
        && !name.ends_with('_')
}

fn is_word(value: &str) -> bool {
    let allowed = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || b"_-+.".contains(&byte);
    !value.is_empty() && value.bytes().all(allowed)
}

#[cfg(test)]
mod tests {
    use super::super::buckets::Buckets;
    use super::*;

    const HELP: &str = "Cups poured.";

    fn counter(name: &'static str) -> Family {
        Family::counter(name, &[], HELP)
    }

    fn labelled(labels: &'static [Label]) -> Option<Misdeclaration> {
        fault_of(&Family::counter("triarch_cups_total", labels, HELP))
    }

    #[test]
    fn a_good_family_has_no_fault() {
        const LABELS: &[Label] = &[
            Label::closed("depth", &["0", "1-9", "1000+"]),
            Label::open("teapot", OPEN_VALUES_MAX),
        ];
        for good in [
            Family::counter("triarch_cups_total", LABELS, HELP),
            Family::elapsed("triarch_tea_draw_seconds_total", &[], HELP),
            Family::gauge("triarch_tea_age_seconds", &[], HELP),
            Family::gauge("process_open_fds", &[], HELP),
            Family::histogram("triarch_tea_draw_seconds", Buckets::LONG, LABELS, HELP),
        ] {
            assert_eq!(fault_of(&good), None, "{}", good.name);
        }
    }

    #[test]
    fn a_name_is_prefixed_and_snake_case() {
        assert_eq!(fault_of(&counter("cups_total")), Some(Misdeclaration::Prefix));
        for bad in ["triarch_Cups_total", "triarch__cups_total", "triarch_cups-total"] {
            assert_eq!(fault_of(&counter(bad)), Some(Misdeclaration::NotSnakeCase), "{bad}");
        }
        assert_eq!(
            fault_of(&Family::gauge("triarch_cups_", &[], HELP)),
            Some(Misdeclaration::NotSnakeCase)
        );
    }

    #[test]
    fn total_ends_the_names_of_counters_and_of_nothing_else() {
        assert_eq!(fault_of(&counter("triarch_cups")), Some(Misdeclaration::Total));
        assert_eq!(
            fault_of(&Family::gauge("triarch_cups_total", &[], HELP)),
            Some(Misdeclaration::Total)
        );
        assert_eq!(
            fault_of(&Family::elapsed("triarch_draw_seconds", &[], HELP)),
            Some(Misdeclaration::Total)
        );
    }

    #[test]
    fn units_are_base_units_and_times_are_seconds() {
        assert_eq!(
            fault_of(&Family::gauge("triarch_tea_age_ms", &[], HELP)),
            Some(Misdeclaration::DerivedUnit { unit: "ms" })
        );
        for bad in [
            counter("triarch_draw_seconds_total"),
            Family::elapsed("triarch_draw_total", &[], HELP),
            Family::histogram("triarch_draw", Buckets::FAST, &[], HELP),
        ] {
            assert_eq!(fault_of(&bad), Some(Misdeclaration::Seconds), "{}", bad.name);
        }
    }

    #[test]
    fn help_is_one_sentence_that_fits_into_a_table() {
        for bad in ["", "Cups poured", "cups poured.", "Cups\npoured.", "Cups | mugs."] {
            assert_eq!(
                fault_of(&Family::gauge("triarch_cups", &[], bad)),
                Some(Misdeclaration::Help),
                "{bad:?}"
            );
        }
    }

    #[test]
    fn things_that_come_without_end_are_never_labels() {
        const BANNED: [&[Label]; 4] = [
            &[Label::open("agent", 8)],
            &[Label::open("path", 8)],
            &[Label::open("vote_id", 8)],
            &[Label::closed("le", &["1"])],
        ];
        for labels in BANNED {
            assert_eq!(
                labelled(labels),
                Some(Misdeclaration::BannedLabel { label: labels[0].name })
            );
        }
    }

    #[test]
    fn labels_are_snake_case_and_stand_once() {
        assert_eq!(
            labelled(const { &[Label::open("Teapot", 8)] }),
            Some(Misdeclaration::LabelNotSnakeCase { label: "Teapot" })
        );
        assert_eq!(
            labelled(const { &[Label::open("teapot", 8), Label::open("teapot", 8)] }),
            Some(Misdeclaration::RepeatedLabel { label: "teapot" })
        );
    }

    #[test]
    fn every_label_is_bounded() {
        const MANY: [&str; CLOSED_VALUES_MAX + 1] = ["a"; CLOSED_VALUES_MAX + 1];
        const COUNTS: [(&[Label], usize); 2] = [
            (&[Label::closed("size", &[])], 0),
            (&[Label::closed("size", &MANY)], MANY.len()),
        ];
        for max in [0, OPEN_VALUES_MAX + 1] {
            let open: &'static [Label] = Box::leak(Box::new([Label::open("teapot", max)]));
            assert_eq!(labelled(open), Some(Misdeclaration::OpenBound { label: "teapot", max }));
        }
        for (labels, count) in COUNTS {
            assert_eq!(
                labelled(labels),
                Some(Misdeclaration::ClosedCount { label: "size", count })
            );
        }
    }

    #[test]
    fn the_words_of_a_closed_label_are_plain_distinct_and_not_the_guards() {
        const BAD: [(&[Label], &str); 4] = [
            (&[Label::closed("size", &["Small"])], "Small"),
            (&[Label::closed("size", &[""])], ""),
            (&[Label::closed("size", &["small", "small"])], "small"),
            (&[Label::closed("size", &["small", "other"])], "other"),
        ];
        for (labels, value) in BAD {
            assert_eq!(
                labelled(labels),
                Some(Misdeclaration::ClosedValue { label: "size", value })
            );
        }
    }
}
