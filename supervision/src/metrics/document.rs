//! The catalogue as a page for people.

use std::fmt;

use super::buckets::Buckets;
use super::catalogue::{Catalogue, Section};
use super::family::{Family, Label, Measure, OTHER, Values};

impl Catalogue {
    /// The catalogue as a page for people, in Markdown; shown by [`Display`](fmt::Display).
    pub fn page(&self) -> impl fmt::Display + '_ {
        Page(self)
    }
}

struct Page<'a>(&'a Catalogue);

impl fmt::Display for Page<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "# Metrics\n\n{}\n", Introduction(self.0))?;
        writeln!(f, "| buckets | edges (seconds) |\n|---|---|")?;
        for buckets in Buckets::ALL {
            let edges: Vec<_> = buckets.edges().map(|edge| edge.as_secs_f64().to_string()).collect();
            writeln!(f, "| {} | {} |", buckets.name(), edges.join(", "))?;
        }
        self.0
            .sections()
            .iter()
            .try_for_each(|section| write_section(f, section))
    }
}

struct Introduction<'a>(&'a Catalogue);

impl fmt::Display for Introduction<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "Written from the catalogue in the code; a test compares the two.\n\n\
             Times are in seconds, sizes in bytes. A label with `≤ n` keeps the first n distinct values it sees; \
             any further one becomes `{OTHER}`, and `{}` counts it. Metrics whose labels are all listed are there from \
             the first scrape, counters at 0; a gauge appears when it is first set, for until then it is unknown.\n\n\
             With every label at its bound this is at most {} time series.",
            super::guard::LABEL_OVERFLOW.name,
            self.0.series_max(),
        )
    }
}

fn write_section(f: &mut fmt::Formatter<'_>, section: &Section) -> fmt::Result {
    writeln!(f, "\n## {}\n", section.title)?;
    writeln!(
        f,
        "| name | type | labels | series, at most | meaning |\n|---|---|---|---|---|"
    )?;
    section.families.iter().try_for_each(|family| write_family(f, family))
}

fn write_family(f: &mut fmt::Formatter<'_>, family: &Family) -> fmt::Result {
    let labels: Vec<_> = family.labels.iter().map(label).collect();
    let labels = if labels.is_empty() {
        "-".to_owned()
    } else {
        labels.join("; ")
    };
    let kind = match family.measure {
        Measure::Histogram(buckets) => format!("histogram ({})", buckets.name()),
        kind => kind.type_name().to_owned(),
    };
    let (name, most, help) = (family.name, family.series_max(), family.help);
    writeln!(f, "| `{name}` | {kind} | {labels} | {most} | {help} |")
}

fn label(label: &Label) -> String {
    match label.values {
        Values::Closed(words) => format!("{} = {}", label.name, words.join(", ")),
        Values::Open { max } => format!("{} (≤ {max})", label.name),
    }
}

#[cfg(test)]
mod tests {
    use super::super::families::TREE;
    use super::super::guard::TELEMETRY;
    use super::*;

    #[test]
    fn what_this_crate_counts_stays_within_two_thousand_series() {
        let catalogue = Catalogue::new(&[&TREE[..], &[TELEMETRY]].concat()).unwrap();
        assert!(catalogue.series_max() <= 2_000, "{}", catalogue.series_max());
    }

    #[test]
    fn the_page_tells_of_every_family_with_its_type_labels_bound_and_meaning() {
        const FAMILIES: &[Family] = &[
            Family::counter(
                "triarch_cups_total",
                &[Label::open("teapot", 4), Label::closed("size", &["small", "large"])],
                "Cups poured.",
            ),
            Family::histogram("triarch_draw_seconds", Buckets::LONG, &[], "How long tea drew."),
        ];
        let tea = Section {
            title: "Tea",
            families: FAMILIES,
        };
        let page = Catalogue::new(&[tea, TELEMETRY]).unwrap().page().to_string();
        for line in [
            "## Tea",
            "| `triarch_cups_total` | counter | teapot (≤ 4); size = small, large | 10 | Cups poured. |",
            "| `triarch_draw_seconds` | histogram (long) | - | 14 | How long tea drew. |",
            "| long | 0.01, 0.05, 0.25, 1, 2.5, 10, 30, 60, 300, 900, 3600 |",
        ] {
            assert!(page.lines().any(|found| found == line), "{line}\n{page}");
        }
    }
}
