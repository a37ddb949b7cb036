//! The rules of Prometheus: what it computes ahead, and when it alerts.

use std::fmt::Write as _;

use super::alerts;
use super::json::quoted;

/// Spans that the burn of a budget is looked at over.
const SPANS: [&str; 7] = ["5m", "30m", "1h", "2h", "6h", "1d", "3d"];
/// Spans whose events are counted, so that a handful of them alerts nobody.
const LONG_SPANS: [&str; 4] = ["1h", "6h", "1d", "3d"];

/// A series that Prometheus computes.
#[derive(Clone, Debug)]
pub(super) struct Recording {
    pub name: String,
    pub expr: String,
}

/// How soon somebody is to look.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Severity {
    /// Now, at night too.
    Page,
    /// On the next working day.
    Ticket,
}

/// A condition that somebody is told of.
#[derive(Clone, Debug)]
pub(super) struct Alert {
    pub name: &'static str,
    pub expr: String,
    /// How long it must hold first.
    pub wait: &'static str,
    pub severity: Severity,
    pub summary: &'static str,
    pub description: &'static str,
}

/// Rules that are computed together.
#[derive(Clone, Debug)]
pub(super) struct Group<R> {
    pub name: &'static str,
    pub rules: Vec<R>,
}

impl Severity {
    pub(super) const fn word(self) -> &'static str {
        match self {
            Self::Page => "page",
            Self::Ticket => "ticket",
        }
    }
}

impl Alert {
    /// Where it is explained.
    pub(super) fn runbook(&self) -> String {
        format!("docs/RUNBOOK.md#{}", self.name.to_lowercase())
    }
}

/// What Prometheus computes ahead: how much of each objective's events was bad, over every span that alerts look at.
pub(super) fn recordings() -> Group<Recording> {
    let budget = Recording {
        name: "slo:triarch_slo_budget:ratio".to_owned(),
        expr: "1 - max by (job, slo) (triarch_slo_objective_ratio)".to_owned(),
    };
    let bad = SPANS.map(|span| Recording {
        name: format!("slo:triarch_slo_bad:ratio_rate{span}"),
        expr: format!(
            "sum by (job, slo) (rate(triarch_slo_events_total{{outcome=\"bad\"}}[{span}])) \
             / sum by (job, slo) (rate(triarch_slo_events_total[{span}]))"
        ),
    });
    let how_many = LONG_SPANS.map(|span| Recording {
        name: format!("slo:triarch_slo_bad:increase{span}"),
        expr: format!("sum by (job, slo) (increase(triarch_slo_events_total{{outcome=\"bad\"}}[{span}]))"),
    });
    Group {
        name: "triarch-objectives",
        rules: [budget].into_iter().chain(bad).chain(how_many).collect(),
    }
}

/// All alerts, by what they are about.
pub(super) fn groups() -> Vec<Group<Alert>> {
    vec![
        Group {
            name: "triarch-runtime",
            rules: alerts::runtime(),
        },
        Group {
            name: "triarch-supervision",
            rules: alerts::supervision(),
        },
        Group {
            name: "triarch-mailboxes",
            rules: alerts::mailboxes(),
        },
        Group {
            name: "triarch-programs-and-logs",
            rules: alerts::programs_and_logs(),
        },
        Group {
            name: "triarch-bus",
            rules: alerts::bus(),
        },
        Group {
            name: "triarch-tasks",
            rules: alerts::tasks(),
        },
        Group {
            name: "triarch-memory",
            rules: alerts::memory(),
        },
        Group {
            name: "triarch-journals",
            rules: alerts::journals(),
        },
        Group {
            name: "triarch-burn",
            rules: alerts::burn(),
        },
    ]
}

/// The file of `groups`.
pub(super) fn file<R: Rule>(groups: &[Group<R>]) -> String {
    let mut yaml = format!("{HEAD}groups:\n");
    for group in groups {
        let _infallible = write!(yaml, "  - name: {}\n    rules:\n", group.name);
        yaml.extend(group.rules.iter().map(Rule::yaml));
    }
    yaml
}

/// The first line of what is written from here.
pub(super) const HEAD: &str = "# Written from src/dashboards, whose tests compare the two; see grafana/README.md.\n";

/// A rule as it stands in its file.
pub(super) trait Rule {
    fn yaml(&self) -> String;
}

impl Rule for Recording {
    fn yaml(&self) -> String {
        format!("      - record: {}\n        expr: {}\n", self.name, self.expr)
    }
}

impl Rule for Alert {
    fn yaml(&self) -> String {
        let mut yaml = format!("      - alert: {}\n        expr: {}\n", self.name, self.expr);
        let lines = [
            format!("for: {}", self.wait),
            "labels:".to_owned(),
            format!("  severity: {}", self.severity.word()),
            "annotations:".to_owned(),
            format!("  summary: {}", quoted(self.summary)),
            format!("  description: {}", quoted(self.description)),
            format!("  runbook_url: {}", quoted(&self.runbook())),
        ];
        yaml.extend(lines.map(|line| format!("        {line}\n")));
        yaml
    }
}
