//! The overview: is it well, were the objectives kept, and what does each room do.

use super::board::{Board, Row, annotations, open};
use super::bus;
use super::memory;
use super::panel::{Colour, Panel, Steps, Unit, Words};
use super::query::query;
use super::rooms;

/// One is too many.
pub(super) const NONE: Steps = &[(0.0, Colour::Green), (1.0, Colour::Red)];
/// One wants a look.
pub(super) const FEW: Steps = &[(0.0, Colour::Green), (1.0, Colour::Yellow), (100.0, Colour::Red)];
const AGES: Steps = &[(0.0, Colour::Green), (1.0, Colour::Yellow), (30.0, Colour::Red)];
const USED: Steps = &[(0.0, Colour::Green), (0.5, Colour::Yellow), (0.8, Colour::Red)];
const LEFT: Steps = &[(0.0, Colour::Red), (0.000_001, Colour::Yellow), (0.25, Colour::Green)];
const BURN: Steps = &[(0.0, Colour::Green), (1.0, Colour::Yellow), (6.0, Colour::Red)];
const ALL_UP: Steps = &[(0.0, Colour::Red), (1.0, Colour::Green)];
const NEARLY_ALL: Steps = &[(0.0, Colour::Red), (0.9, Colour::Yellow), (1.0, Colour::Green)];
const UP: Words = &[(0, "down", Colour::Red), (1, "up", Colour::Green)];

pub(super) fn board() -> Board {
    Board {
        uid: "triarch-overview",
        title: "Triarch / Overview",
        description: "Whether the fleet is well, whether its objectives are kept, and what each room does.",
        annotations: annotations(),
        rows: vec![
            well(),
            objectives(),
            rooms::supervision(),
            rooms::mailboxes(),
            rooms::agents(),
            rooms::teams(),
            bus::bus(),
            memory::memory(),
            rooms::work(),
            rooms::programs(),
            rooms::gateway(),
            rooms::telemetry(),
            rooms::process(),
            rooms::executor(),
        ],
    }
}

fn well() -> Row {
    open(
        "Is it well?",
        vec![
            Panel::stat(
                "Runtime",
                "Whether Prometheus reaches the runtime. Down: one of those chosen did not answer the last scrape.",
                Unit::Count,
                query("min(up{@})", ""),
                ALL_UP,
            )
            .worded(UP),
            Panel::stat(
                "Children running",
                "Share of all children that run. Yellow: some are starting, restarting or down. Red: fewer than nine in ten.",
                Unit::Share,
                query(
                    "sum(triarch_supervisor_children{@team,state=\"running\"}) / sum(triarch_supervisor_children{@team})",
                    "",
                ),
                NEARLY_ALL,
            ),
            Panel::stat(
                "Quarantined",
                "Children that failed too often and stay down until somebody retries them.",
                Unit::Count,
                query("sum(triarch_supervisor_children{@team,state=\"quarantined\"})", ""),
                NONE,
            ),
            Panel::stat(
                "Restart budget used",
                "The supervisor nearest to giving up: its restarts in the window, as a share of those it bears. At 100 % the next failure escalates.",
                Unit::Share,
                query("max(triarch_supervisor_restart_budget_used_ratio{@team})", ""),
                USED,
            ),
            Panel::stat(
                "Escalations",
                "Failures that supervisors passed to their parents, in the time looked at.",
                Unit::Count,
                query(
                    "sum(round(increase(triarch_supervisor_escalations_total{@team}[*])))",
                    "",
                ),
                NONE,
            ),
            Panel::stat(
                "Dead letters",
                "Messages that reached no handler, or none that survived them, in the time looked at.",
                Unit::Count,
                query("sum(round(increase(triarch_dead_letters_total{@}[*])))", ""),
                FEW,
            ),
            Panel::stat(
                "Oldest message",
                "Age of the oldest message that waits in any mailbox. Yellow from one second, red from thirty.",
                Unit::Seconds,
                query("max(triarch_mailbox_oldest_age_seconds{@})", ""),
                AGES,
            ),
            Panel::stat(
                "Senders held back",
                "How many senders stand before full mailboxes, on average.",
                Unit::Count,
                query("sum(rate(triarch_backpressure_wait_seconds_total{@}[@]))", ""),
                &[(0.0, Colour::Green), (0.1, Colour::Yellow), (1.0, Colour::Red)],
            ),
        ],
    )
}

fn objectives() -> Row {
    let bad = "sum by (slo) (rate(triarch_slo_events_total{@,outcome=\"bad\"}[@]))";
    let all = "sum by (slo) (rate(triarch_slo_events_total{@}[@]))";
    let budget = "(1 - max by (slo) (triarch_slo_objective_ratio{@}))";
    let ranged = |short: &str| short.replace("[@]", "[*]").replace("rate(", "increase(");
    open(
        "Objectives",
        vec![
            Panel::bars(
                "Budget left",
                "What the time looked at has left of each objective's budget of bad events: 100 % where none was bad, nothing where as many were as it allows. Look at 30 days to see what alerts protect.",
                Unit::Share,
                query(
                    &format!("clamp_min(1 - {} / {} / {budget}, 0)", ranged(bad), ranged(all)),
                    "{{slo}}",
                ),
                LEFT,
            ),
            Panel::lines(
                "Good events",
                "Share of events that were good, by objective.",
                Unit::Share,
                vec![query(&format!("1 - {bad} / {all}"), "{{slo}}")],
            ),
            Panel::bars(
                "Burn rate now",
                "How much faster than allowed each budget is being spent: at 1 it lasts exactly as long as it should. Alerts begin at 14.4 over an hour.",
                Unit::Factor,
                query(&format!("{bad} / {all} / {budget}"), "{{slo}}"),
                BURN,
            ),
        ],
    )
}
