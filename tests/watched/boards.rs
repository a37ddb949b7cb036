//! What the dashboards ask Prometheus for, with their variables filled in as Grafana does.

use std::fs;

use serde_json::Value;

/// What Grafana makes of an hour on a panel of 600 points.
pub(crate) const STEP: u64 = 6;

/// One question of a board.
#[derive(Clone, Debug)]
pub(crate) struct Question {
    /// Board, panel and query.
    pub(crate) name: String,
    pub(crate) expr: String,
    /// Whether it is of now alone.
    pub(crate) is_instant: bool,
}

/// The boards of the repository, by name.
pub(crate) fn boards() -> Vec<(String, Value)> {
    let folder = fs::read_dir(format!("{}/dashboards", crate::GRAFANA)).unwrap();
    let mut boards: Vec<_> = folder
        .map(|entry| {
            let path = entry.unwrap().path();
            let name = path.file_stem().unwrap().to_str().unwrap().to_owned();
            (name, serde_json::from_slice(&fs::read(path).unwrap()).unwrap())
        })
        .collect();
    boards.sort_by(|(one, _), (other, _)| one.cmp(other));
    assert!(!boards.is_empty());
    boards
}

/// What the panels and marks of a board ask, where scrapes are so many seconds apart.
pub(crate) fn questions(name: &str, board: &Value, scrape: u64) -> Vec<Question> {
    let mut questions: Vec<_> = panels(board).flat_map(|panel| of_panel(name, panel)).collect();
    let marks = board["annotations"]["list"].as_array().unwrap().iter();
    questions.extend(marks.filter_map(|mark| {
        Some(Question {
            name: format!("{name} / mark {}", mark["name"].as_str()?),
            expr: mark["expr"].as_str()?.to_owned(),
            is_instant: false,
        })
    }));
    for question in &mut questions {
        question.expr = filled_in(&question.expr, scrape);
    }
    questions
}

/// What its rows and panels are called.
pub(crate) fn titles(board: &Value) -> impl Iterator<Item = &str> {
    panels(board).map(|panel| panel["title"].as_str().unwrap())
}

/// Rows and panels, those of closed rows among them.
fn panels(board: &Value) -> impl Iterator<Item = &Value> {
    let rows = board["panels"].as_array().unwrap().iter();
    rows.flat_map(|row| [row].into_iter().chain(row["panels"].as_array().into_iter().flatten()))
}

fn of_panel(board: &str, panel: &Value) -> Vec<Question> {
    let targets = panel["targets"].as_array().into_iter().flatten();
    let question = |target: &Value| Question {
        name: format!(
            "{board} / {} {}",
            panel["title"].as_str().unwrap(),
            target["refId"].as_str().unwrap()
        ),
        expr: target["expr"].as_str().unwrap().to_owned(),
        is_instant: target["instant"] == true,
    };
    targets.map(question).collect()
}

/// With all jobs, instances and teams chosen, over an hour.
fn filled_in(expr: &str, scrape: u64) -> String {
    // Grafana's own rule: four scrapes, or a step and one more.
    let rate = (4 * scrape).max(STEP + scrape);
    let filled = expr
        .replace("$__rate_interval", &format!("{rate}s"))
        .replace("$__range", "3600s")
        .replace("$job", ".*")
        .replace("$instance", ".*")
        .replace("$team", ".*");
    assert!(!filled.contains('$'), "who fills in {filled}?");
    filled
}

/// What the choices of a board are taken from: the series, and the label.
pub(crate) fn choices(board: &Value) -> Vec<(String, String)> {
    let variables = board["templating"]["list"].as_array().unwrap().iter();
    let asked = variables.filter_map(|variable| variable["query"]["query"].as_str());
    let choices: Vec<_> = asked
        .map(|query| {
            let inner = query
                .strip_prefix("label_values(")
                .and_then(|rest| rest.strip_suffix(')'));
            let (series, label) = inner.unwrap().rsplit_once(", ").unwrap();
            (filled_in(series, 1), label.to_owned())
        })
        .collect();
    assert_eq!(choices.len(), 3);
    choices
}
