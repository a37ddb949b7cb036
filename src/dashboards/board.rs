//! Boards: rows of panels, laid out, with the variables and annotations that all share.

use super::json::{Json, list, object};
use super::panel::{Panel, Place, datasource, grid};
use super::query::{Query, query};

/// The columns of Grafana's grid.
const COLUMNS: u32 = 24;

/// Alerts that fire, those among them that are of no instance or no job.
const ALERTS: &str = r#"ALERTS{job=~"$job|",instance=~"$instance|",alertname=~"Triarch.*",alertstate="firing"}"#;

/// A dashboard.
#[derive(Clone, Debug)]
pub(super) struct Board {
    /// Under which name its file and its address are known, for good.
    pub uid: &'static str,
    pub title: &'static str,
    pub description: &'static str,
    pub rows: Vec<Row>,
    pub annotations: Vec<Annotation>,
}

/// Panels under one heading.
#[derive(Clone, Debug)]
pub(super) struct Row {
    pub title: &'static str,
    /// Whether it is closed until somebody opens it: details are.
    pub is_collapsed: bool,
    pub panels: Vec<Panel>,
}

/// Marks on the axis of time.
#[derive(Clone, Debug)]
pub(super) struct Annotation {
    pub name: &'static str,
    pub colour: &'static str,
    pub query: Query,
    /// What a mark is called.
    pub title: &'static str,
    /// Whether the value is the time of the mark, in milliseconds.
    pub is_value_time: bool,
}

/// A row that is open.
pub(super) fn open(title: &'static str, panels: Vec<Panel>) -> Row {
    Row {
        title,
        is_collapsed: false,
        panels,
    }
}

/// A row of details.
pub(super) fn details(title: &'static str, panels: Vec<Panel>) -> Row {
    Row {
        title,
        is_collapsed: true,
        panels,
    }
}

/// Marks for starts and alerts.
pub(super) fn annotations() -> Vec<Annotation> {
    vec![
        Annotation {
            name: "Starts",
            colour: "blue",
            query: query("process_start_time_seconds{@} * 1000", ""),
            title: "{{instance}} started",
            is_value_time: true,
        },
        Annotation {
            name: "Alerts",
            colour: "red",
            query: query(ALERTS, ""),
            title: "{{alertname}}",
            is_value_time: false,
        },
    ]
}

impl Board {
    /// As Grafana reads it.
    pub(super) fn json(&self) -> Json {
        let built_in = object([
            ("builtIn", 1_u32.into()),
            (
                "datasource",
                object([("type", "grafana".into()), ("uid", "-- Grafana --".into())]),
            ),
            ("enable", true.into()),
            ("hide", true.into()),
            ("iconColor", "rgba(0, 211, 255, 1)".into()),
            ("name", "Annotations & Alerts".into()),
            ("type", "dashboard".into()),
        ]);
        let annotations = [built_in].into_iter().chain(self.annotations.iter().map(annotation));
        object([
            ("id", Json::Null),
            ("uid", self.uid.into()),
            ("title", self.title.into()),
            ("description", self.description.into()),
            ("tags", list(["triarch".into()])),
            ("schemaVersion", 39_u32.into()),
            ("version", 1_u32.into()),
            ("editable", true.into()),
            ("graphTooltip", 1_u32.into()),
            ("refresh", "30s".into()),
            ("time", object([("from", "now-1h".into()), ("to", "now".into())])),
            ("timezone", "browser".into()),
            ("links", list([links()])),
            ("annotations", object([("list", list(annotations))])),
            ("templating", object([("list", list(variables()))])),
            ("panels", list(self.placed())),
        ])
    }

    fn placed(&self) -> Vec<Json> {
        let mut layout = Layout::default();
        self.rows.iter().for_each(|row| layout.row(row));
        layout.panels
    }
}

/// What is placed so far.
#[derive(Debug, Default)]
struct Layout {
    panels: Vec<Json>,
    ids: u32,
    y: u32,
}

impl Layout {
    fn row(&mut self, row: &Row) {
        let (id, y) = (self.id(), self.y);
        self.y += 1;
        let inner = self.lay(&row.panels);
        let (within, after) = if row.is_collapsed {
            (inner, vec![])
        } else {
            (vec![], inner)
        };
        if row.is_collapsed {
            self.y = y + 1;
        }
        self.panels.push(object([
            ("id", id.into()),
            ("type", "row".into()),
            ("title", row.title.into()),
            ("collapsed", row.is_collapsed.into()),
            ("gridPos", grid(Place { x: 0, y }, COLUMNS, 1)),
            ("panels", Json::List(within)),
        ]));
        self.panels.extend(after);
    }

    /// From left to right, and on where the width ends.
    fn lay(&mut self, panels: &[Panel]) -> Vec<Json> {
        let (mut x, mut tallest) = (0, 0);
        let mut laid = Vec::new();
        for panel in panels {
            if x + panel.width > COLUMNS {
                self.y += tallest;
                (x, tallest) = (0, 0);
            }
            let id = self.id();
            laid.push(panel.json(id, Place { x, y: self.y }));
            x += panel.width;
            tallest = tallest.max(panel.height);
        }
        self.y += tallest;
        laid
    }

    fn id(&mut self) -> u32 {
        self.ids += 1;
        self.ids
    }
}

fn annotation(annotation: &Annotation) -> Json {
    object([
        ("name", annotation.name.into()),
        ("datasource", datasource()),
        ("enable", true.into()),
        ("hide", false.into()),
        ("iconColor", annotation.colour.into()),
        ("expr", annotation.query.expr.as_str().into()),
        ("step", "60s".into()),
        ("titleFormat", annotation.title.into()),
        ("textFormat", "{{job}} {{instance}}".into()),
        ("useValueForTime", annotation.is_value_time.into()),
    ])
}

fn links() -> Json {
    object([
        ("type", "dashboards".into()),
        ("title", "Triarch".into()),
        ("tags", list(["triarch".into()])),
        ("asDropdown", true.into()),
        ("includeVars", true.into()),
        ("keepTime", true.into()),
    ])
}

fn variables() -> [Json; 4] {
    let source = object([
        ("name", "datasource".into()),
        ("label", "Data source".into()),
        ("type", "datasource".into()),
        ("query", "prometheus".into()),
        ("multi", false.into()),
        ("includeAll", false.into()),
        ("refresh", 1_u32.into()),
    ]);
    [
        source,
        variable("job", "Job", "label_values(triarch_actors, job)"),
        variable(
            "instance",
            "Instance",
            "label_values(triarch_actors{job=~\"$job\"}, instance)",
        ),
        variable(
            "team",
            "Team",
            "label_values(triarch_supervisor_children{job=~\"$job\",instance=~\"$instance\"}, supervisor)",
        ),
    ]
}

fn variable(name: &'static str, label: &'static str, query: &'static str) -> Json {
    let all = || object([("text", list(["All".into()])), ("value", list(["$__all".into()]))]);
    object([
        ("name", name.into()),
        ("label", label.into()),
        ("type", "query".into()),
        ("datasource", datasource()),
        ("definition", query.into()),
        ("query", object([("query", query.into()), ("refId", "variable".into())])),
        ("multi", true.into()),
        ("includeAll", true.into()),
        ("allValue", ".*".into()),
        ("current", all()),
        ("refresh", 2_u32.into()),
        ("sort", 1_u32.into()),
    ])
}
