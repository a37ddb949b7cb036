//! The bridge to the [`metrics`] facade, behind which an exporter listens.
//!
//! Nothing of ours counts through the facade: a reading is carried over before a scrape. So the hot paths pay for our
//! atomics only, and what other crates count through the facade appears beside ours.
//!
//! Histograms and sums of times stay with us. The facade's histograms keep every sample until they are drained, and its counters
//! are whole numbers; the runtime renders both from the same reading.

use metrics::{Key, KeyName, Label, Level, Metadata, Recorder, SharedString};

use super::catalogue::Catalogue;
use super::family::Measure;
use super::reading::{Reading, Sample, Value};

const METADATA: Metadata<'static> = Metadata::new(module_path!(), Level::INFO, Some(module_path!()));

/// Tells `recorder` the meaning of every family.
///
/// Units are left out: the names say them, and an exporter that appends units would say them twice.
pub fn describe(catalogue: &Catalogue, recorder: &dyn Recorder) {
    for family in catalogue.families() {
        let name = KeyName::from_const_str(family.name);
        let help = SharedString::const_str(family.help);
        match family.measure {
            Measure::Counter | Measure::Elapsed => recorder.describe_counter(name, None, help),
            Measure::Gauge => recorder.describe_gauge(name, None, help),
            Measure::Histogram(_) => recorder.describe_histogram(name, None, help),
        }
    }
}

/// Carries the counters and gauges of `readings` over to `recorder`.
pub fn publish(readings: &[Reading], recorder: &dyn Recorder) {
    for reading in readings {
        for sample in &reading.samples {
            publish_sample(reading.family.name, sample, recorder);
        }
    }
}

fn publish_sample(name: &'static str, sample: &Sample, recorder: &dyn Recorder) {
    match sample.value {
        Value::Count(count) => recorder.register_counter(&key(name, sample), &METADATA).absolute(count),
        Value::Level(level) => recorder.register_gauge(&key(name, sample), &METADATA).set(level),
        Value::Elapsed(_) | Value::Spread(_) => {}
    }
}

fn key(name: &'static str, sample: &Sample) -> Key {
    let label = |(name, value): &(&'static str, SharedString)| Label::new(*name, value.clone());
    let labels: Vec<_> = sample.shared_labels().iter().map(label).collect();
    Key::from_parts(name, labels)
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;
    use std::sync::atomic::{AtomicU64, Ordering};
    use std::sync::{Arc, Mutex};
    use std::time::Duration;

    use metrics::{Counter, Gauge, Histogram, Unit};

    use super::super::buckets::Buckets;
    use super::super::catalogue::Section;
    use super::super::family::{Family, Label as Declared};
    use super::super::guard::{LABEL_OVERFLOW, TELEMETRY};
    use super::super::instruments::{Instruments, Labelled};
    use super::super::{Counter as OwnCounter, Elapsed, Gauge as OwnGauge, Histogram as OwnHistogram};
    use super::*;

    const CUPS: Family = Family::counter("triarch_cups_total", &[Declared::open("teapot", 2)], "Cups poured.");
    const HEAT: Family = Family::gauge("triarch_heat", &[], "How hot it is.");
    const COLD: Family = Family::gauge("triarch_cold", &[], "How cold it is.");
    const DRAW: Family = Family::histogram("triarch_draw_seconds", Buckets::LONG, &[], "How long tea drew.");
    const IDLE: Family = Family::elapsed("triarch_idle_seconds_total", &[], "Time without tea.");
    const TEA: Section = Section {
        title: "Tea",
        families: &[CUPS, HEAT, COLD, DRAW, IDLE],
    };

    /// A recorder that writes down what it is told.
    #[derive(Default)]
    struct Notebook {
        descriptions: Mutex<Vec<(&'static str, String, String)>>,
        series: Mutex<BTreeMap<String, Arc<AtomicU64>>>,
    }

    impl Notebook {
        fn describe(&self, kind: &'static str, name: &KeyName, unit: Option<Unit>, help: &SharedString) {
            assert_eq!(unit, None, "{}", name.as_str());
            let description = (kind, name.as_str().to_owned(), help.to_string());
            self.descriptions.lock().unwrap().push(description);
        }

        fn series(&self, key: &Key) -> Arc<AtomicU64> {
            let mut series = self.series.lock().unwrap();
            Arc::clone(series.entry(key.to_string()).or_default())
        }

        fn shown(&self) -> Vec<(String, u64)> {
            let series = self.series.lock().unwrap();
            let shown = series
                .iter()
                .map(|(key, value)| (key.clone(), value.load(Ordering::Relaxed)));
            shown.collect()
        }
    }

    impl Recorder for Notebook {
        fn describe_counter(&self, name: KeyName, unit: Option<Unit>, help: SharedString) {
            self.describe("counter", &name, unit, &help);
        }

        fn describe_gauge(&self, name: KeyName, unit: Option<Unit>, help: SharedString) {
            self.describe("gauge", &name, unit, &help);
        }

        fn describe_histogram(&self, name: KeyName, unit: Option<Unit>, help: SharedString) {
            self.describe("histogram", &name, unit, &help);
        }

        fn register_counter(&self, key: &Key, _: &Metadata<'_>) -> Counter {
            self.series(key).into()
        }

        fn register_gauge(&self, key: &Key, _: &Metadata<'_>) -> Gauge {
            self.series(key).into()
        }

        fn register_histogram(&self, key: &Key, _: &Metadata<'_>) -> Histogram {
            unreachable!("{key} would keep every sample")
        }
    }

    fn instruments() -> Instruments {
        Instruments::new(Catalogue::new(&[TEA, TELEMETRY]).unwrap())
    }

    #[test]
    fn every_family_is_described() {
        let (instruments, notebook) = (instruments(), Notebook::default());
        describe(instruments.catalogue(), &notebook);
        let families = [COLD, CUPS, DRAW, HEAT, IDLE, LABEL_OVERFLOW];
        let expected = families.map(|family| {
            (
                family.measure.type_name(),
                family.name.to_owned(),
                family.help.to_owned(),
            )
        });
        assert_eq!(*notebook.descriptions.lock().unwrap(), expected);
    }

    #[test]
    fn counters_and_set_gauges_are_carried_over_and_the_rest_stays() {
        let (instruments, notebook) = (instruments(), Notebook::default());
        let cups: Labelled<OwnCounter, 1> = instruments.labelled(&CUPS).unwrap();
        cups.with(["brown"]).add(3);
        instruments.single::<OwnGauge>(&HEAT).unwrap().set(0.5);
        let second = Duration::from_secs(1);
        instruments.single::<Elapsed>(&IDLE).unwrap().add(second);
        instruments.single::<OwnHistogram>(&DRAW).unwrap().observe(second);
        publish(&instruments.read(), &notebook);
        let expected = [
            ("Key(triarch_cups_total, [teapot = brown])".to_owned(), 3),
            ("Key(triarch_heat)".to_owned(), 0.5f64.to_bits()),
        ];
        assert_eq!(notebook.shown(), expected);
    }

    #[test]
    fn publishing_again_carries_the_present_figures_and_adds_nothing() {
        let (instruments, notebook) = (instruments(), Notebook::default());
        let cups: Labelled<OwnCounter, 1> = instruments.labelled(&CUPS).unwrap();
        cups.with(["brown"]).add(3);
        publish(&instruments.read(), &notebook);
        publish(&instruments.read(), &notebook);
        cups.with(["brown"]).increment();
        publish(&instruments.read(), &notebook);
        let counts: Vec<_> = notebook.shown().into_iter().map(|(_, count)| count).collect();
        assert_eq!(counts, [4]);
    }
}
