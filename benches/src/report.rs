//! The table for people and the file for programs.

use std::fmt::Write as _;
use std::{fs, io, path::Path};

use crate::case::{DELIVERIES, PAIRS, RATE, RECORDS, REFERENCE, TASKS};
use crate::figure::Figure;

/// A row for each case × subject, in the order given; each case's best is marked, and all are divided by ractor.
pub fn table(figures: &[Figure]) -> String {
    table_against(figures, REFERENCE)
}

/// The same, divided by another subject.
pub fn table_against(figures: &[Figure], reference: &str) -> String {
    let mut text = format!(
        "{:<24} {:<16} {:<10} {:>13} {:>13} {:>13} {:>6} {:>9}\n",
        "case",
        "subject",
        "unit",
        "median",
        "min",
        "max",
        "rounds",
        format!("÷ {reference}")
    );
    let mut case = "";
    for figure in figures {
        if !case.is_empty() && case != figure.case {
            text.push('\n');
        }
        case = figure.case;
        let _ = writeln!(
            text,
            "{:<24} {:<16} {:<10} {:>13} {:>13} {:>13} {:>6} {:>9}{}",
            figure.case,
            figure.subject,
            figure.unit,
            number(figure.median),
            number(figure.min),
            number(figure.max),
            figure.rounds,
            ratio(figure, reference, figures),
            if is_best(figure, figures) { " *" } else { "" },
        );
    }
    text.push_str("\n* best of its case: most of msg/s, records/s, tasks/s and deliv/s, least of every other unit\n");
    text.push_str(&pairs(figures));
    text
}

/// A line for each two cases that are compared, where they were measured.
fn pairs(figures: &[Figure]) -> String {
    let mut text = String::new();
    for (case, other) in PAIRS {
        let ratios: Vec<String> = figures
            .iter()
            .filter(|figure| figure.case == *case)
            .filter_map(|figure| Some((figure, of_same_subject(other, figure, figures)?)))
            .map(|(figure, other)| format!("{} {:.2}", figure.subject, figure.median / other.median))
            .collect();
        if !ratios.is_empty() {
            let _ = writeln!(text, "{case} ÷ {other}: {}", ratios.join(", "));
        }
    }
    text
}

fn of_same_subject<'a>(case: &str, figure: &Figure, figures: &'a [Figure]) -> Option<&'a Figure> {
    figures
        .iter()
        .find(|other| other.case == case && other.subject == figure.subject)
        .filter(|other| other.median != 0.0)
}

fn ratio(figure: &Figure, reference: &str, figures: &[Figure]) -> String {
    let reference = figures
        .iter()
        .find(|other| other.case == figure.case && other.subject == reference);
    match reference {
        Some(reference) if reference.median != 0.0 => format!("{:.2}", figure.median / reference.median),
        _ => "-".into(),
    }
}

fn is_best(figure: &Figure, figures: &[Figure]) -> bool {
    let is_better = |other: &Figure| match figure.unit {
        RATE | RECORDS | TASKS | DELIVERIES => other.median > figure.median,
        _ => other.median < figure.median,
    };
    !figures
        .iter()
        .any(|other| other.case == figure.case && is_better(other))
}

/// Four digits that matter, and thousands set apart.
pub fn number(value: f64) -> String {
    if value.abs() < 1_000.0 {
        let decimals = if value.abs() < 10.0 { 3 } else { 1 };
        return format!("{value:.decimals$}");
    }
    let digits = format!("{:.0}", value.abs());
    let grouped: Vec<&str> = digits
        .as_bytes()
        .rchunks(3)
        .rev()
        .map(|group| std::str::from_utf8(group).unwrap_or("?"))
        .collect();
    format!("{}{}", if value < 0.0 { "-" } else { "" }, grouped.join("_"))
}

/// Writes `[{"case":…,"subject":…,"unit":…,"median":…,"min":…,"max":…}]`.
pub fn write_json(path: &Path, figures: &[Figure]) -> io::Result<()> {
    fs::write(path, serde_json::to_string_pretty(figures)? + "\n")
}
