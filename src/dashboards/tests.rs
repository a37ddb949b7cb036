use std::fs;
use std::path::Path;

use serde_json::Value;
use triarch_supervision::metrics::Catalogue;

use super::cases::{self, cases};
use super::check::faults;
use super::outcome::Known;
use super::rules::{Alert, Recording};
use super::*;
use crate::committed::assert_committed;

const FOLDER: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/grafana");
const RUNBOOK: &str = include_str!("../../docs/RUNBOOK.md");
const CASES: &str = "prometheus/tests/alerts.yml";

fn catalogue() -> Catalogue {
    crate::catalogue().unwrap()
}

/// What queries may name, the series that rules compute among it.
fn known(catalogue: &Catalogue) -> Known<'_> {
    let mut known = Known {
        catalogue,
        recorded: [].into(),
    };
    for Recording { name, expr } in rules::recordings().rules {
        let outcome = known.outcome(&expr).unwrap_or_else(|fault| panic!("{name}: {fault}"));
        known.recorded.insert(name, outcome);
    }
    known
}

fn all_alerts() -> Vec<Alert> {
    rules::groups().into_iter().flat_map(|group| group.rules).collect()
}

fn overview() -> String {
    let (_, text) = generated().into_iter().next().unwrap();
    text
}

/// The faults of the overview after `from` has become `to` in it.
fn faults_after(from: &str, to: &str) -> String {
    let text = overview();
    assert!(text.contains(from), "the overview has no {from} to break");
    faults(&text.replace(from, to), &known(&catalogue())).join("\n")
}

#[test]
fn the_files_are_what_is_written_here() {
    let alerts = all_alerts();
    let tests = (CASES.to_owned(), cases::file(&cases(), &alerts));
    for (path, wanted) in generated().into_iter().chain([tests]) {
        assert_committed(&format!("grafana/{path}"), &wanted);
    }
}

#[test]
fn every_dashboard_comes_from_here_and_has_no_fault() {
    let catalogue = catalogue();
    let known = known(&catalogue);
    let boards = generated()
        .into_iter()
        .filter(|(path, _)| path.starts_with("dashboards/"));
    let mut names: Vec<_> = boards
        .inspect(|(path, text)| assert_eq!(faults(text, &known), [""; 0], "{path}"))
        .map(|(path, _)| path.trim_start_matches("dashboards/").to_owned())
        .collect();
    names.sort();
    let mut found: Vec<_> = fs::read_dir(Path::new(FOLDER).join("dashboards"))
        .unwrap()
        .map(|entry| entry.unwrap().file_name().into_string().unwrap())
        .collect();
    found.sort();
    assert_eq!(found, names);
}

#[test]
fn the_overview_begins_with_eight_coloured_numbers() {
    let board: Value = serde_json::from_str(&overview()).unwrap();
    let open = board["panels"]
        .as_array()
        .unwrap()
        .iter()
        .filter(|panel| panel["type"] != "row");
    let first: Vec<_> = open.filter(|panel| panel["gridPos"]["y"] == 1).collect();
    assert_eq!(first.len(), 8);
    for panel in first {
        assert_eq!(panel["type"], "stat");
        assert_eq!(panel["options"]["colorMode"], "background");
        let steps = panel["fieldConfig"]["defaults"]["thresholds"]["steps"]
            .as_array()
            .unwrap();
        assert!(steps.len() > 1, "{} has one colour whatever it shows", panel["title"]);
    }
}

#[test]
fn every_family_is_drawn_somewhere() {
    let text: String = boards().iter().map(|board| board.json().to_string()).collect();
    let catalogue = catalogue();
    let missing: Vec<_> = catalogue
        .families()
        .map(|family| family.name)
        .filter(|name| !text.contains(name))
        .collect();
    assert_eq!(missing, [""; 0]);
}

#[test]
fn a_renamed_metric_is_a_fault() {
    let found = faults_after("triarch_supervisor_children{", "triarch_supervisor_kids{");
    assert!(
        found.contains("the catalogue has no metric triarch_supervisor_kids"),
        "{found}"
    );
}

#[test]
fn a_query_that_does_not_parse_is_a_fault() {
    assert_ne!(faults_after("sum(round(", "sum(round(("), "");
}

#[test]
fn a_label_that_the_metric_lacks_is_a_fault() {
    let grouped = faults_after(
        "sum by (state) (triarch_supervisor",
        "sum by (mood) (triarch_supervisor",
    );
    assert!(grouped.contains("has no label mood"), "{grouped}");
    let matched = faults_after("state=\\\"quarantined\\\"", "mood=\\\"quarantined\\\"");
    assert!(matched.contains("has no label mood"), "{matched}");
    let called = faults_after("\"{{state}}\"", "\"{{mood}}\"");
    assert!(called.contains("called by mood"), "{called}");
}

#[test]
fn a_word_that_a_label_never_is_is_a_fault() {
    let found = faults_after("state=\\\"quarantined\\\"", "state=\\\"lost\\\"");
    assert!(found.contains("is never state=\"lost\""), "{found}");
}

#[test]
fn a_query_of_more_than_the_chosen_runtimes_is_a_fault() {
    let found = faults_after("min(up{job=~\\\"$job\\\",instance=~\\\"$instance\\\"})", "min(up)");
    assert!(found.contains("of the chosen jobs and instances"), "{found}");
}

#[test]
fn a_rate_of_what_goes_up_and_down_is_a_fault() {
    let found = faults_after("rate(triarch_dead_letters_total", "rate(triarch_supervision_depth");
    assert!(found.contains("goes up and down"), "{found}");
}

#[test]
fn a_fixed_span_is_a_fault() {
    let found = faults_after("[$__rate_interval]", "[5m]");
    assert!(found.contains("a span is fixed"), "{found}");
}

#[test]
fn a_whole_number_edge_is_a_fault() {
    let catalogue = catalogue();
    let asked = |le: &str| known(&catalogue).outcome(&format!("triarch_mailbox_wait_seconds_bucket{{le=\"{le}\"}}"));
    assert!(asked("1").unwrap_err().contains("Prometheus 3"));
    assert!(asked("0.5").is_ok());
}

#[test]
fn too_many_lines_are_a_fault() {
    let found = faults_after(
        "sum by (state) (triarch_supervisor",
        "sum by (state, supervisor) (triarch_supervisor",
    );
    assert!(found.contains("up to 198 lines"), "{found}");
}

#[test]
fn panels_upon_each_other_and_beside_the_grid_are_faults() {
    let first = "{\"x\": 0, \"y\": 1, \"w\": 3, \"h\": 4}";
    let upon = faults_after(first, "{\"x\": 0, \"y\": 1, \"w\": 4, \"h\": 4}");
    assert!(upon.contains("lies upon"), "{upon}");
    let beside = faults_after(first, "{\"x\": 22, \"y\": 90, \"w\": 3, \"h\": 4}");
    assert!(beside.contains("beside the grid"), "{beside}");
}

#[test]
fn a_number_in_colour_though_nothing_is_known_is_a_fault() {
    let found = faults_after("null+nan", "nan");
    assert!(found.contains("what is unknown has the colour of a value"), "{found}");
}

#[test]
fn a_wrapped_dashboard_is_a_fault() {
    let wrapped = format!("{{\"dashboard\": {}}}", overview());
    let found = faults(&wrapped, &known(&catalogue())).join("\n");
    assert!(found.contains("wrapped"), "{found}");
}

#[test]
fn what_is_not_said_is_a_fault() {
    for said in ["title", "description", "unit"] {
        let mut board: Value = serde_json::from_str(&overview()).unwrap();
        let panel = board["panels"]
            .as_array_mut()
            .unwrap()
            .iter_mut()
            .find(|panel| panel["type"] != "row")
            .unwrap();
        match said {
            "unit" => panel["fieldConfig"]["defaults"][said] = Value::Null,
            _ => panel[said] = "".into(),
        }
        let found = faults(&board.to_string(), &known(&catalogue())).join("\n");
        assert!(found.contains(&format!("there is no {said}")), "{found}");
    }
}

#[test]
fn every_rule_names_only_what_there_is() {
    let catalogue = catalogue();
    let known = known(&catalogue);
    for alert in all_alerts() {
        let outcome = known
            .outcome(&alert.expr)
            .unwrap_or_else(|fault| panic!("{}: {fault}", alert.name));
        let told = [alert.summary, alert.description].join(" ");
        for label in told
            .split("$labels.")
            .skip(1)
            .filter_map(|rest| rest.split([' ', '}']).next())
        {
            assert!(
                outcome.labels.contains_key(label),
                "{} tells of {label}, which it lacks",
                alert.name
            );
        }
    }
}

#[test]
fn every_alert_has_a_section_in_the_runbook_and_every_section_an_alert() {
    let sections: Vec<_> = RUNBOOK
        .lines()
        .filter_map(|line| line.strip_prefix("## Triarch"))
        .collect();
    let names: Vec<_> = rules::groups()
        .into_iter()
        .flat_map(|group| group.rules)
        .map(|alert| alert.name.trim_start_matches("Triarch").to_owned())
        .collect();
    assert_eq!(sections, names);
    let parts = [
        "**What it means.**",
        "**Likely causes.**",
        "**What to look at.**",
        "**What to do.**",
    ];
    for part in parts {
        assert_eq!(RUNBOOK.matches(part).count(), names.len(), "{part}");
    }
}

#[test]
fn every_alert_has_a_case_that_fires_and_one_that_is_quiet() {
    for alert in rules::groups().into_iter().flat_map(|group| group.rules) {
        let of_alert = || cases().into_iter().filter(|case| case.alert == alert.name);
        assert!(
            of_alert().any(|case| case.fires.is_some()),
            "{} never fires",
            alert.name
        );
        assert!(
            of_alert().any(|case| case.fires.is_none()),
            "{} is never quiet",
            alert.name
        );
    }
}

#[test]
fn what_is_exported_are_the_files_of_the_folder() {
    for (path, text) in files() {
        let found = fs::read_to_string(Path::new(FOLDER).join(&path)).unwrap_or_default();
        assert!(found == text, "grafana/{path} differs from what is exported");
    }
}
