//! The text format of Prometheus, version 0.0.4.

use std::fmt::Write;
use std::time::Duration;

use triarch_supervision::metrics::{Family, Reading, Sample, Spread, Value};

/// Writes one family and returns how many series it has. Writing to a string cannot fail.
pub(crate) fn write_family(page: &mut String, reading: &Reading) -> usize {
    write_head(page, reading.family);
    let name = reading.family.name;
    reading
        .samples
        .iter()
        .map(|sample| write_sample(page, name, sample))
        .sum()
}

fn write_head(page: &mut String, family: &Family) {
    let (name, kind) = (family.name, family.measure.type_name());
    let _ = write!(page, "# HELP {name} ");
    escape(page, family.help, "\\\n");
    let _ = write!(page, "\n# TYPE {name} {kind}\n");
}

fn write_sample(page: &mut String, name: &str, sample: &Sample) -> usize {
    match &sample.value {
        Value::Count(count) => {
            write_labels(page, name, "", sample, None);
            let _ = writeln!(page, "{count}");
        }
        Value::Elapsed(time) => write_number(page, name, "", sample, time.as_secs_f64()),
        Value::Level(level) => write_number(page, name, "", sample, *level),
        Value::Spread(spread) => return write_spread(page, name, sample, spread),
    }
    1
}

fn write_spread(page: &mut String, name: &str, sample: &Sample, spread: &Spread) -> usize {
    let mut series = 2;
    let mut count = 0;
    for (edge, total) in spread.cumulative() {
        let edge = edge.as_ref().map_or(f64::INFINITY, Duration::as_secs_f64);
        write_labels(page, name, "_bucket", sample, Some(edge));
        let _ = writeln!(page, "{total}");
        (series, count) = (series + 1, total);
    }
    write_number(page, name, "_sum", sample, spread.sum().as_secs_f64());
    write_labels(page, name, "_count", sample, None);
    let _ = writeln!(page, "{count}");
    series
}

fn write_number(page: &mut String, name: &str, suffix: &str, sample: &Sample, number: f64) {
    write_labels(page, name, suffix, sample, None);
    write_float(page, number);
    page.push('\n');
}

fn write_labels(page: &mut String, name: &str, suffix: &str, sample: &Sample, edge: Option<f64>) {
    page.push_str(name);
    page.push_str(suffix);
    let mut opening = '{';
    for (label, value) in sample.labels() {
        page.push(opening);
        page.push_str(label);
        page.push_str("=\"");
        escape(page, value, "\\\n\"");
        page.push('"');
        opening = ',';
    }
    if let Some(edge) = edge {
        page.push(opening);
        page.push_str("le=\"");
        write_float(page, edge);
        page.push('"');
        opening = ',';
    }
    page.push_str(if opening == ',' { "} " } else { " " });
}

fn write_float(page: &mut String, number: f64) {
    let _ = match number {
        f64::INFINITY => write!(page, "+Inf"),
        f64::NEG_INFINITY => write!(page, "-Inf"),
        number => write!(page, "{number}"),
    };
}

fn escape(page: &mut String, text: &str, special: &str) {
    if !text.contains(|c| special.contains(c)) {
        page.push_str(text);
        return;
    }
    for c in text.chars() {
        match c {
            '\n' => page.push_str("\\n"),
            c if special.contains(c) => page.extend(['\\', c]),
            c => page.push(c),
        }
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use triarch_supervision::metrics::{
        Buckets, Catalogue, Counter, Elapsed, Gauge, Histogram, Instruments, Label, Labelled, Section, TELEMETRY,
    };

    use super::*;

    const POT: Label = Label::open("pot", 4);
    const CUPS: Family = Family::counter("triarch_cups_total", &[POT], "Cups \\ poured.");
    const DRAW: Family = Family::histogram("triarch_draw_seconds", Buckets::LONG, &[POT], "How long tea drew.");
    const HEAT: Family = Family::gauge("triarch_heat", &[], "How hot it is.");
    const IDLE: Family = Family::elapsed("triarch_idle_seconds_total", &[], "Time without tea.");

    fn written(family: &Family, fill: impl FnOnce(&Instruments)) -> (String, usize) {
        let tea = Section {
            title: "Tea",
            families: &[CUPS, DRAW, HEAT, IDLE],
        };
        let instruments = Instruments::new(Catalogue::new(&[tea, TELEMETRY]).unwrap());
        fill(&instruments);
        let readings = instruments.read();
        let reading = readings.iter().find(|reading| reading.family == family).unwrap();
        let mut page = String::new();
        let series = write_family(&mut page, reading);
        (page, series)
    }

    #[test]
    fn what_is_special_in_help_and_values_is_escaped() {
        let (page, series) = written(&CUPS, |instruments| {
            let cups: Labelled<Counter, 1> = instruments.labelled(&CUPS).unwrap();
            cups.with(["a\"b\\c\nd"]).add(3);
        });
        let expected = "# HELP triarch_cups_total Cups \\\\ poured.\n# TYPE triarch_cups_total counter\n\
                        triarch_cups_total{pot=\"a\\\"b\\\\c\\nd\"} 3\n";
        assert_eq!((page.as_str(), series), (expected, 1));
    }

    #[test]
    fn a_histogram_shows_every_edge_its_sum_and_its_count() {
        let (page, series) = written(&DRAW, |instruments| {
            let draw: Labelled<Histogram, 1> = instruments.labelled(&DRAW).unwrap();
            let brown = draw.with(["brown"]);
            brown.observe(Duration::from_millis(20));
            brown.observe(Duration::from_hours(2));
        });
        let lines: Vec<_> = page.lines().skip(2).collect();
        assert_eq!(lines[0], "triarch_draw_seconds_bucket{pot=\"brown\",le=\"0.01\"} 0");
        assert_eq!(lines[1], "triarch_draw_seconds_bucket{pot=\"brown\",le=\"0.05\"} 1");
        assert_eq!(lines[10], "triarch_draw_seconds_bucket{pot=\"brown\",le=\"3600\"} 1");
        assert_eq!(lines[11], "triarch_draw_seconds_bucket{pot=\"brown\",le=\"+Inf\"} 2");
        assert_eq!(lines[12], "triarch_draw_seconds_sum{pot=\"brown\"} 7200.02");
        assert_eq!(lines[13], "triarch_draw_seconds_count{pot=\"brown\"} 2");
        assert_eq!((lines.len(), series), (14, 14));
    }

    #[test]
    fn a_family_without_series_still_has_its_head() {
        let head = "# HELP triarch_heat How hot it is.\n# TYPE triarch_heat gauge\n";
        assert_eq!(written(&HEAT, |_| {}), (head.to_owned(), 0));
    }

    #[test]
    fn numbers_are_written_as_prometheus_reads_them() {
        for (level, shown) in [
            (0.5, "0.5"),
            (f64::INFINITY, "+Inf"),
            (f64::NAN, "NaN"),
            (1e21, "1000000000000000000000"),
        ] {
            let (page, _) = written(&HEAT, |instruments| {
                instruments.single::<Gauge>(&HEAT).unwrap().set(level);
            });
            assert_eq!(page.lines().last(), Some(format!("triarch_heat {shown}").as_str()));
        }
        let (page, _) = written(&IDLE, |instruments| {
            instruments
                .single::<Elapsed>(&IDLE)
                .unwrap()
                .add(Duration::from_millis(1500));
        });
        assert_eq!(page.lines().last(), Some("triarch_idle_seconds_total 1.5"));
    }
}
