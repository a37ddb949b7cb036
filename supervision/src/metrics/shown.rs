//! What tests see of the instruments.

use super::catalogue::Catalogue;
use super::families;
use super::guard::TELEMETRY;
use super::instruments::Instruments;
use super::reading::Value;
use super::supervision::SupervisionMetrics;

/// The metrics of supervision, alone in a catalogue of their own.
pub(super) fn metrics() -> (Instruments, SupervisionMetrics) {
    let sections = [&families::TREE[..], &[TELEMETRY]].concat();
    let instruments = Instruments::new(Catalogue::new(&sections).unwrap());
    let metrics = SupervisionMetrics::new(&instruments).unwrap();
    (instruments, metrics)
}

/// What is shown of all series but those at nothing, as `name{values} figure`; of a histogram its count.
pub(super) fn shown(instruments: &Instruments) -> Vec<String> {
    let mut lines = Vec::new();
    for reading in instruments.read() {
        for sample in &reading.samples {
            let values: Vec<_> = sample.labels().map(|(_, value)| value).collect();
            match figure(&sample.value).as_str() {
                "0" => {}
                figure => lines.push(format!("{}{{{}}} {figure}", reading.family.name, values.join(","))),
            }
        }
    }
    lines
}

fn figure(value: &Value) -> String {
    match value {
        Value::Count(count) => count.to_string(),
        Value::Elapsed(time) => time.as_secs_f64().to_string(),
        Value::Level(level) => level.to_string(),
        Value::Spread(snapshot) => snapshot.count().to_string(),
    }
}
