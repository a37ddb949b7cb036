//! What is wrong with a dashboard, told from its file alone.

use std::collections::BTreeSet;

use serde_json::Value;

use super::outcome::Known;

const COLUMNS: u64 = 24;
const LINES_MAX: usize = 30;
/// A table has a row for each value of a label, and is read by scrolling.
const ROWS_MAX: usize = 64;
const KINDS: [&str; 7] = [
    "stat",
    "timeseries",
    "bargauge",
    "table",
    "heatmap",
    "state-timeline",
    "text",
];
const VARIABLES: [&str; 4] = ["datasource", "job", "instance", "team"];

/// What is wrong with the dashboard in `text`; each fault names where.
pub(super) fn faults(text: &str, known: &Known<'_>) -> Vec<String> {
    let board: Value = match serde_json::from_str(text) {
        Ok(board) => board,
        Err(error) => return vec![format!("this is no JSON: {error}")],
    };
    let Some(panels) = board["panels"].as_array() else {
        return vec!["no panels at the top: a dashboard wrapped in something is not found by Grafana".to_owned()];
    };
    let mut faults = frame_faults(&board, known);
    let inner = panels.iter().filter_map(|row| row["panels"].as_array());
    for level in [panels].into_iter().chain(inner) {
        faults.extend(overlaps(level));
    }
    let mut seen = BTreeSet::new();
    for panel in all(panels) {
        faults.extend(
            panel_faults(panel, known)
                .into_iter()
                .map(|fault| format!("{}: {fault}", panel["title"])),
        );
        if !seen.insert(panel["id"].to_string()) {
            faults.push(format!("{}: its id is another's too", panel["title"]));
        }
    }
    faults
}

/// The panels of all rows.
fn all(panels: &[Value]) -> impl Iterator<Item = &Value> {
    panels.iter().flat_map(|panel| {
        let inner = panel["panels"].as_array().into_iter().flatten();
        let own = (panel["type"] != "row").then_some(panel);
        own.into_iter().chain(inner)
    })
}

fn frame_faults(board: &Value, known: &Known<'_>) -> Vec<String> {
    let mut faults = Vec::new();
    let mut must = |holds: bool, fault: &str| {
        if !holds {
            faults.push(fault.to_owned());
        }
    };
    must(board["id"].is_null(), "the id is not null");
    must(
        board["uid"].as_str().is_some_and(|uid| !uid.is_empty()),
        "there is no uid",
    );
    must(is_said(&board["title"]), "there is no title");
    must(board["schemaVersion"] == 39, "the schemaVersion is not 39");
    must(board["graphTooltip"] == 1, "the crosshair is not shared");
    must(
        board.get("__inputs").is_none(),
        "it has inputs, which provisioning never fills in",
    );
    let variables: Vec<_> = board["templating"]["list"].as_array().into_iter().flatten().collect();
    for name in VARIABLES {
        must(
            variables.iter().any(|variable| variable["name"] == name),
            &format!("there is no variable {name}"),
        );
    }
    let asked = variables
        .iter()
        .filter_map(|variable| variable["query"]["query"].as_str());
    let asked = asked.filter_map(|query| {
        query
            .strip_prefix("label_values(")?
            .strip_suffix(')')?
            .rsplit_once(", ")
    });
    for (selector, label) in asked {
        match known.outcome(selector) {
            Ok(outcome) => must(
                outcome.labels.contains_key(label),
                &format!("{selector} has no label {label}"),
            ),
            Err(fault) => must(false, &fault),
        }
    }
    let annotations = board["annotations"]["list"].as_array().into_iter().flatten();
    for query in annotations.filter_map(|annotation| annotation["expr"].as_str()) {
        faults.extend(known.outcome(query).err());
    }
    faults
}

fn panel_faults(panel: &Value, known: &Known<'_>) -> Vec<String> {
    let mut faults = Vec::new();
    let mut must = |holds: bool, fault: &str| {
        if !holds {
            faults.push(fault.to_owned());
        }
    };
    must(is_said(&panel["title"]), "there is no title");
    must(is_said(&panel["description"]), "there is no description");
    must(
        KINDS.iter().any(|kind| panel["type"] == *kind),
        "it is of a kind that is not used here",
    );
    let [x, y, w, h] = extent(panel);
    must(
        w > 0 && h > 0 && x + w <= COLUMNS && panel["gridPos"]["y"].as_u64() == Some(y),
        "it lies beside the grid",
    );
    if panel["type"] == "text" {
        return faults;
    }
    must(is_said(&panel["fieldConfig"]["defaults"]["unit"]), "there is no unit");
    must(
        panel["datasource"]["uid"] == "${datasource}",
        "its data source is not the chosen one",
    );
    if panel["type"] == "stat" {
        let mappings = panel["fieldConfig"]["defaults"]["mappings"]
            .as_array()
            .into_iter()
            .flatten();
        let unknown = mappings
            .filter(|mapping| mapping["options"]["match"] == "null+nan")
            .count();
        must(unknown == 1, "what is unknown has the colour of a value");
    }
    let targets: Vec<_> = panel["targets"].as_array().into_iter().flatten().collect();
    must(!targets.is_empty(), "there is no query");
    let mut lines = 0;
    for target in targets {
        match lines_of(target, known) {
            Ok(more) => lines += more,
            Err(fault) => must(false, &fault),
        }
    }
    let limit = if panel["type"] == "table" {
        panel["targets"].as_array().map_or(0, Vec::len) * ROWS_MAX
    } else {
        LINES_MAX
    };
    must(
        lines <= limit,
        &format!("up to {lines} lines are drawn, more than {limit}"),
    );
    faults
}

/// The most lines that a query draws.
fn lines_of(target: &Value, known: &Known<'_>) -> Result<usize, String> {
    let expr = target["expr"].as_str().unwrap_or_default();
    let outcome = known.outcome(expr).map_err(|fault| format!("{fault}, in {expr}"))?;
    let named = expr.matches('{').count();
    if expr.matches(r#"{job=~"$job",instance=~"$instance""#).count() != named || named == 0 {
        return Err(format!(
            "not all it asks for is of the chosen jobs and instances: {expr}"
        ));
    }
    if expr.matches('[').count() != expr.matches("[$__rate_interval]").count() + expr.matches("[$__range]").count() {
        return Err(format!(
            "a span is fixed, so it does not go with what is looked at: {expr}"
        ));
    }
    if target["range"] == true && expr.contains("topk") && !expr.contains("@ end()") {
        return Err(format!(
            "topk chooses anew at each step, so it draws more lines than it says: {expr}"
        ));
    }
    let legend = target["legendFormat"].as_str().unwrap_or_default();
    let placeholders = legend.split("{{").skip(1).filter_map(|rest| rest.split("}}").next());
    for label in placeholders {
        if !outcome.labels.contains_key(label) {
            return Err(format!(
                "its lines are called by {label}, a label that they lack: {expr}"
            ));
        }
    }
    Ok(outcome.lines())
}

fn overlaps(panels: &[Value]) -> Vec<String> {
    let mut faults = Vec::new();
    for (index, one) in panels.iter().enumerate() {
        let upon = panels.iter().skip(index + 1).filter(|other| are_upon(one, other));
        faults.extend(upon.map(|other| format!("{} lies upon {}", one["title"], other["title"])));
    }
    faults
}

fn are_upon(one: &Value, other: &Value) -> bool {
    let meet = |begin: usize, length: usize| {
        let (one, other) = (extent(one), extent(other));
        one[begin] < other[begin] + other[length] && other[begin] < one[begin] + one[length]
    };
    meet(0, 2) && meet(1, 3)
}

fn extent(panel: &Value) -> [u64; 4] {
    ["x", "y", "w", "h"].map(|side| panel["gridPos"][side].as_u64().unwrap_or_default())
}

fn is_said(text: &Value) -> bool {
    text.as_str().is_some_and(|text| !text.trim().is_empty())
}
