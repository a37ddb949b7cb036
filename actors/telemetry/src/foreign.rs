//! What other libraries count through the facade `metrics`: their recorder, and its text as families.

use std::collections::BTreeMap;
use std::sync::OnceLock;

use metrics_exporter_prometheus::{PrometheusBuilder, PrometheusHandle};

use triarch_supervision::metrics::{Buckets, Catalogue};

/// The most series of others that are shown; ours have their own bound.
const SERIES_MAX: usize = 500;

/// What stands behind the facade, once per process; `None` where somebody else has taken that place.
pub(crate) fn recorder() -> Option<&'static PrometheusHandle> {
    static RECORDER: OnceLock<Option<PrometheusHandle>> = OnceLock::new();
    RECORDER.get_or_init(install).as_ref()
}

fn install() -> Option<PrometheusHandle> {
    let edges: Vec<f64> = Buckets::LAT.edges().map(|edge| edge.as_secs_f64()).collect();
    // Without buckets of its own a histogram would be shown as a summary, which no query can add up.
    let builder = PrometheusBuilder::new().set_buckets(&edges).ok()?;
    builder.install_recorder().ok()
}

/// The families of others, by name.
#[derive(Debug, Default, PartialEq, Eq)]
pub(crate) struct Foreign {
    families: BTreeMap<String, Block>,
    /// Series that are not among them.
    pub(crate) left_out: usize,
}

/// The text of one family.
#[derive(Debug, Default, PartialEq, Eq)]
pub(crate) struct Block {
    pub(crate) text: String,
    pub(crate) series: usize,
}

impl Foreign {
    /// The families in `text`, as their recorder wrote it, without those that `catalogue` has a right to.
    pub(crate) fn read(text: &str, catalogue: &Catalogue) -> Self {
        let mut foreign = Self::default();
        let mut shown = 0;
        for chunk in text.split("\n\n").filter(|chunk| !chunk.trim().is_empty()) {
            let (head, samples): (Vec<_>, Vec<_>) = chunk.lines().partition(|line| line.starts_with('#'));
            let name = head
                .iter()
                .find_map(|line| line.strip_prefix("# TYPE ")?.split(' ').next());
            let Some(name) = name.filter(|name| is_free(name, catalogue) && shown + samples.len() <= SERIES_MAX) else {
                foreign.left_out += samples.len();
                continue;
            };
            shown += samples.len();
            foreign.families.insert(name.to_owned(), block(&head, &samples));
        }
        foreign
    }

    /// Takes the families before `name` out, in their order; all that are left, where there is none.
    pub(crate) fn take_before(&mut self, name: Option<&str>) -> BTreeMap<String, Block> {
        match name {
            Some(name) => {
                let rest = self.families.split_off(name);
                std::mem::replace(&mut self.families, rest)
            }
            None => std::mem::take(&mut self.families),
        }
    }
}

/// Names with our prefixes are ours, whether they stand in the catalogue or not.
fn is_free(name: &str, catalogue: &Catalogue) -> bool {
    let is_ours = ["triarch_", "process_"].iter().any(|prefix| name.starts_with(prefix));
    !is_ours && catalogue.family(name).is_none()
}

/// The recorder gives series in no order; each ends with the line that has its value or its count.
fn block(head: &[&str], samples: &[&str]) -> Block {
    let is_histogram = head.iter().any(|line| line.ends_with(" histogram"));
    let mut series: Vec<Vec<&str>> = vec![Vec::new()];
    for sample in samples {
        if let Some(last) = series.last_mut() {
            last.push(sample);
        }
        let name = sample.split(['{', ' ']).next().unwrap_or_default();
        if !is_histogram || name.ends_with("_count") {
            series.push(Vec::new());
        }
    }
    series.sort_by_key(|lines| lines.last().copied());
    let lines = head.iter().copied().chain(series.into_iter().flatten());
    Block {
        text: lines.flat_map(|line| [line, "\n"]).collect(),
        series: samples.len(),
    }
}

#[cfg(test)]
mod tests {
    use triarch_supervision::metrics::TELEMETRY;

    use super::*;

    const TEXT: &str = "# HELP zebra Zebras.\n# TYPE zebra gauge\nzebra{a=\"2\"} 1\nzebra{a=\"1\"} 5\n\n\
        # TYPE ant_seconds histogram\nant_seconds_bucket{a=\"2\",le=\"+Inf\"} 1\nant_seconds_sum{a=\"2\"} 3\nant_seconds_count{a=\"2\"} 1\n\
        ant_seconds_bucket{a=\"1\",le=\"+Inf\"} 1\nant_seconds_sum{a=\"1\"} 3\nant_seconds_count{a=\"1\"} 1\n\n\
        # TYPE triarch_ant_total counter\ntriarch_ant_total 7\n\n";

    fn catalogue() -> Catalogue {
        Catalogue::new(&[TELEMETRY]).unwrap()
    }

    #[test]
    fn families_and_their_series_are_sorted_and_histograms_stay_whole() {
        let mut foreign = Foreign::read(TEXT, &catalogue());
        let early = foreign.take_before(Some("bee"));
        assert_eq!(early.keys().collect::<Vec<_>>(), ["ant_seconds"]);
        let lines: Vec<_> = early["ant_seconds"].text.lines().collect();
        assert_eq!(lines[1], "ant_seconds_bucket{a=\"1\",le=\"+Inf\"} 1");
        assert_eq!(lines[3], "ant_seconds_count{a=\"1\"} 1");
        assert_eq!(lines[4], "ant_seconds_bucket{a=\"2\",le=\"+Inf\"} 1");
        let late = foreign.take_before(None);
        let zebra = "# HELP zebra Zebras.\n# TYPE zebra gauge\nzebra{a=\"1\"} 5\nzebra{a=\"2\"} 1\n";
        assert_eq!(late["zebra"].text, zebra);
    }

    #[test]
    fn nobody_else_counts_under_our_names() {
        let mut foreign = Foreign::read(TEXT, &catalogue());
        assert_eq!(foreign.left_out, 1);
        assert!(!foreign.take_before(None).contains_key("triarch_ant_total"));
    }

    #[test]
    fn a_flood_of_series_is_left_out_and_counted() {
        let flood: Vec<_> = (0..600).map(|index| format!("bee{{n=\"{index}\"}} 1")).collect();
        let text = format!("# TYPE bee gauge\n{}\n\n{TEXT}", flood.join("\n"));
        let mut foreign = Foreign::read(&text, &catalogue());
        assert_eq!(foreign.left_out, 601);
        let names: Vec<_> = foreign.take_before(None).into_keys().collect();
        assert_eq!(names, ["ant_seconds", "zebra"]);
    }

    #[test]
    fn the_recorder_is_installed_once_and_shows_no_summaries() {
        let (first, second) = (recorder().unwrap(), recorder().unwrap());
        assert!(std::ptr::eq(first, second));
        metrics::histogram!("bee_flight_seconds", "hive" => "north").record(0.02);
        first.run_upkeep();
        let text = first.render();
        assert!(text.contains("# TYPE bee_flight_seconds histogram"), "{text}");
        assert!(!text.contains("summary"), "{text}");
    }
}
