//! What is looked at in Grafana and alerted on by Prometheus, as data; the files in `grafana/` are written from it.
//!
//! ```text
//!   rooms: Catalogue ──▶ checks ◀── Board ──▶ grafana/dashboards/*.json
//!                          ▲        Alert ──▶ grafana/prometheus/rules/*.yml
//!                          └─────── cases ──▶ grafana/prometheus/tests/*.yml
//! ```
//!
//! A query that names a metric or a label outside the catalogue fails the tests, and so does a file that differs from what
//! is written here: `UPDATE_DOCS=1 cargo test -p triarch dashboards` writes the files anew.

mod alerts;
mod board;
mod bus;
mod json;
mod mailboxes;
mod memory;
mod overview;
mod panel;
mod programs;
mod query;
mod rooms;
mod rules;
mod storage;
mod tasks;

#[cfg(test)]
mod cases;
#[cfg(test)]
mod check;
#[cfg(test)]
mod outcome;
#[cfg(test)]
mod shipped;
#[cfg(test)]
mod tests;

use board::Board;

/// What is written by hand.
const WRITTEN: [(&str, &str); 5] = [
    (
        "provisioning/datasources/triarch.yml",
        include_str!("../../grafana/provisioning/datasources/triarch.yml"),
    ),
    (
        "provisioning/dashboards/triarch.yml",
        include_str!("../../grafana/provisioning/dashboards/triarch.yml"),
    ),
    (
        "prometheus/prometheus.yml",
        include_str!("../../grafana/prometheus/prometheus.yml"),
    ),
    (
        "alertmanager/alertmanager.yml",
        include_str!("../../grafana/alertmanager/alertmanager.yml"),
    ),
    ("compose.yml", include_str!("../../grafana/compose.yml")),
];

/// What Grafana, Prometheus and Alertmanager need of `grafana/`: the path of each file within the folder, and what stands in it.
pub fn files() -> Vec<(String, String)> {
    let written = WRITTEN.map(|(path, text)| (path.to_owned(), text.to_owned()));
    generated().into_iter().chain(written).collect()
}

fn generated() -> Vec<(String, String)> {
    let boards = boards().into_iter().map(|board| {
        let name = board.uid.trim_start_matches("triarch-");
        (format!("dashboards/{name}.json"), format!("{:#}\n", board.json()))
    });
    let rules = [
        ("prometheus/rules/recording.yml", rules::file(&[rules::recordings()])),
        ("prometheus/rules/alerts.yml", rules::file(&rules::groups())),
    ];
    boards
        .chain(rules.map(|(path, text)| (path.to_owned(), text)))
        .collect()
}

fn boards() -> [Board; 5] {
    [
        overview::board(),
        mailboxes::board(),
        programs::board(),
        tasks::board(),
        storage::board(),
    ]
}
