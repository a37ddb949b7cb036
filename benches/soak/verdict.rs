//! The table: what each trend came to, how sure that is, and whether it keeps its limit; then what was done meanwhile.

use std::fmt::Write as _;

use triarch_benches::figure::Figure;
use triarch_benches::report::number;

use crate::page::COUNTS;
use crate::trends::{ASPECTS, TRENDS, Trend};

pub(crate) fn table(figures: &[Figure]) -> String {
    let mut text = format!(
        "{:<12} {:<5} {:>10} {:>10} {:>10} {:>10} {:>10} {:<7} must\n",
        "", "", "first", "last", "greatest", "growth", "±", ""
    );
    for trend in TRENDS {
        text.push_str(&row(&trend, figures));
    }
    text.push('\n');
    for figure in figures.iter().filter(|figure| is_count(figure)) {
        let _ = writeln!(
            text,
            "{:<24} {:>14} {}",
            figure.case,
            number(figure.median),
            figure.unit
        );
    }
    text.push_str(
        "\nfirst, last: medians of the first and the last tenth after the warm-up; ±: twice the standard error of the line\n\
         through all looks, with what neighbours have in common taken off; unknown in less than a quarter of an hour. A limit within ± is neither met nor missed.\n",
    );
    text
}

fn is_count(figure: &Figure) -> bool {
    figure.case == SHARE || COUNTS.contains(&figure.case)
}

/// What it takes of a core.
pub(crate) const SHARE: &str = "processor";

fn row(trend: &Trend, figures: &[Figure]) -> String {
    let aspects = ASPECTS.map(|aspect| {
        let name = trend.case_name(aspect);
        figures
            .iter()
            .find(|figure| figure.case == name)
            .map(|figure| figure.median)
    });
    let [Some(first), Some(last), Some(greatest), Some(growth), Some(uncertainty)] = aspects else {
        return String::new();
    };
    let [first, last, greatest, shown] = [first, last, greatest, growth].map(number);
    let within = if uncertainty.is_finite() {
        number(uncertainty)
    } else {
        "unknown".to_owned()
    };
    format!(
        "{:<12} {:<5} {first:>10} {last:>10} {greatest:>10} {shown:>10} {within:>10} {:<7} {}\n",
        trend.name,
        trend.unit,
        trend.growth_unit(),
        verdict(trend.most, growth, uncertainty)
    )
}

fn verdict(most: Option<f64>, growth: f64, uncertainty: f64) -> String {
    let Some(most) = most else {
        return "-".to_owned();
    };
    let said = if growth + uncertainty <= most {
        "met"
    } else if growth - uncertainty > most {
        "NOT MET"
    } else {
        "UNCERTAIN: too short, or too much else on this machine"
    };
    format!("≤ {}: {said}", number(most))
}
