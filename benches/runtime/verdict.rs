//! The table, with what each figure must be and whether it is.

use std::fmt::{self, Write as _};

use triarch_benches::figure::Figure;
use triarch_benches::report::number;

use crate::cases::{CALM, PIPE, TRIARCH};

const MEBIBYTE: f64 = 1_048_576.0;

/// What the median of a case has to be.
#[derive(Clone, Copy, Debug)]
enum Must {
    AtMost(f64),
    AtLeast(f64),
    /// So many times the median of another subject.
    AtMostTimes(f64, &'static str),
    /// So much more than the median of another subject.
    AtMostMore(f64, &'static str),
    /// As much as this case, and no more than that.
    SameAs(&'static str, f64),
}

/// What has to hold.
const MUSTS: &[(&str, Must)] = &[
    ("program_round_trip_p50", Must::AtMostTimes(2.0, PIPE)),
    ("program_pipelined", Must::AtLeast(100_000.0)),
    ("programs_start_100", Must::AtMost(500.0)),
    ("death_to_respawn_p99", Must::AtMost(20.0)),
    ("death_seen_p99", Must::AtMost(5.0)),
    ("native_ready_again_p99", Must::AtMost(1_000.0)),
    ("storm_natives_ask_p99", Must::AtMostTimes(2.0, CALM)),
    ("storm_natives_core", Must::AtMostMore(5.0, CALM)),
    ("storm_natives_lines", Must::AtMost(1.0)),
    ("storm_patient_natives_ask_p99", Must::AtMostTimes(2.0, CALM)),
    ("storm_patient_natives_core", Must::AtMostMore(5.0, CALM)),
    ("storm_patient_natives_lines", Must::AtMost(1.0)),
    ("storm_programs_ask_p99", Must::AtMostTimes(2.0, CALM)),
    ("storm_programs_core", Must::AtMostMore(5.0, CALM)),
    ("storm_programs_lines", Must::AtMost(1.0)),
    ("cli_status_100_p95", Must::AtMost(10.0)),
    ("cli_agent_list_100_p95", Must::AtMost(10.0)),
    ("cli_tree_100_p95", Must::AtMost(10.0)),
    ("cli_status_10k_p95", Must::AtMost(30.0)),
    ("cli_agent_list_10k_p95", Must::AtMost(30.0)),
    ("cli_tree_10k_p95", Must::AtMost(30.0)),
    ("metrics_page_1k_p99", Must::AtMost(10.0)),
    ("metrics_series_1k", Must::AtMost(2_500.0)),
    ("metrics_page_100k_p99", Must::AtMost(10.0)),
    ("metrics_series_100k", Must::SameAs("metrics_series_1k", 2_500.0)),
    ("observations_50m", Must::AtMost(5.0 * MEBIBYTE)),
    ("ready", Must::AtMost(50.0)),
    ("idle_resident", Must::AtMost(25.0 * MEBIBYTE)),
    ("idle_processor", Must::AtMost(0.5)),
    ("binary_size", Must::AtMost(20.0 * MEBIBYTE)),
];

impl fmt::Display for Must {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::AtMost(most) => write!(f, "≤ {}", number(*most)),
            Self::AtLeast(least) => write!(f, "≥ {}", number(*least)),
            Self::AtMostTimes(times, subject) => write!(f, "≤ {times} × {subject}"),
            Self::AtMostMore(more, subject) => write!(f, "≤ {subject} + {more}"),
            Self::SameAs(case, most) => write!(f, "= {case}, ≤ {}", number(*most)),
        }
    }
}

impl Must {
    /// Whether it holds; unknown where what it is compared with was not measured.
    fn holds(&self, figure: &Figure, figures: &[Figure]) -> Option<bool> {
        let median = |case: &str, subject: &str| {
            let other = figures
                .iter()
                .find(|other| other.case == case && other.subject == subject);
            other.map(|other| other.median)
        };
        Some(match self {
            Self::AtMost(most) => figure.median <= *most,
            Self::AtLeast(least) => figure.median >= *least,
            Self::AtMostTimes(times, subject) => figure.median <= times * median(figure.case, subject)?,
            Self::AtMostMore(more, subject) => figure.median <= more + median(figure.case, subject)?,
            Self::SameAs(case, most) => {
                figure.median <= *most && figure.median.total_cmp(&median(case, TRIARCH)?).is_eq()
            }
        })
    }
}

/// A row for each case × subject, in the order given.
pub(crate) fn table(figures: &[Figure]) -> String {
    let mut text = format!(
        "{:<27} {:<12} {:<8} {:>12} {:>12} {:>12} {:>6}  must\n",
        "case", "subject", "unit", "median", "min", "max", "rounds"
    );
    for figure in figures {
        let [median, min, max] = [figure.median, figure.min, figure.max].map(number);
        let _ = writeln!(
            text,
            "{:<27} {:<12} {:<8} {median:>12} {min:>12} {max:>12} {:>6}  {}",
            figure.case,
            figure.subject,
            figure.unit,
            figure.rounds,
            verdict(figure, figures)
        );
    }
    text.push_str("\nThe median is what must be met; a percentile is taken within each round.\n");
    text
}

fn verdict(figure: &Figure, figures: &[Figure]) -> String {
    let own = MUSTS
        .iter()
        .filter(|(case, _)| *case == figure.case && figure.subject == TRIARCH);
    let told = own.map(|(_, must)| match must.holds(figure, figures) {
        Some(true) => format!("{must}: met"),
        Some(false) => format!("{must}: NOT MET"),
        None => format!("{must}: unknown"),
    });
    told.collect()
}
