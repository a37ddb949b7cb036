//! Agents and mailboxes: which type of agent waits, is slow, fails or comes and goes.

use super::board::{Board, Row, annotations, details, open};
use super::panel::{Colour, PLAIN, Panel, Steps, Unit};
use super::query::{buckets, highest, highest_quantile, query, within};

const DEPTHS: Steps = &[(0.0, Colour::Green), (100.0, Colour::Yellow), (1000.0, Colour::Red)];
const TROUBLED: Steps = &[(0.0, Colour::Green), (1.0, Colour::Yellow), (3.0, Colour::Red)];
const USED: Steps = &[(0.0, Colour::Green), (0.5, Colour::Yellow), (0.8, Colour::Red)];

pub(super) fn board() -> Board {
    Board {
        uid: "triarch-agents-and-mailboxes",
        title: "Triarch / Agents and mailboxes",
        description: "Which agents wait, are slow, fail, or come and go.",
        annotations: annotations(),
        rows: vec![waiting(), handling(), types(), lost(), supervisors(), lives(), states()],
    }
}

fn waiting() -> Row {
    open(
        "What waits",
        vec![
            Panel::bars(
                "Mailboxes by depth",
                "Mailboxes by how many messages wait in them now; each is in one band.",
                Unit::Count,
                query("sum by (depth) (triarch_mailboxes{@})", "{{depth}}"),
                PLAIN,
            )
            .sized(6, 8),
            Panel::lines(
                "Messages waiting",
                "The types with most messages waiting, over all their mailboxes.",
                Unit::Count,
                vec![highest(
                    15,
                    "sum by (actor_type) (triarch_mailbox_messages{@})",
                    "{{actor_type}}",
                )],
            )
            .sized(9, 8),
            Panel::lines(
                "Oldest message",
                "The types whose oldest message waits longest.",
                Unit::Seconds,
                vec![highest(
                    15,
                    "max by (actor_type) (triarch_mailbox_oldest_age_seconds{@})",
                    "{{actor_type}}",
                )],
            )
            .sized(9, 8),
            Panel::bars(
                "Deepest mailbox",
                "The fullest single mailbox of each type, of those that are fullest.",
                Unit::Count,
                query(
                    "topk(15, max by (actor_type) (triarch_mailbox_messages_max{@}))",
                    "{{actor_type}}",
                ),
                DEPTHS,
            ),
            Panel::heatmap(
                "Time in the mailbox",
                "How many sampled messages waited how long, over all types.",
                buckets("triarch_mailbox_wait_seconds"),
            ),
            Panel::lines(
                "Senders held back",
                "How many senders stand before the full mailboxes of a type, on average; the types with most.",
                Unit::Count,
                vec![highest(
                    15,
                    "sum by (actor_type) (rate(triarch_backpressure_wait_seconds_total{@}[@]))",
                    "{{actor_type}}",
                )],
            ),
        ],
    )
}

fn handling() -> Row {
    open(
        "What is handled",
        vec![
            Panel::lines(
                "Messages handled",
                "Messages per second whose handler ended, by type; the busiest.",
                Unit::PerSecond,
                vec![highest(
                    15,
                    "sum by (actor_type) (rate(triarch_messages_handled_total{@}[@]))",
                    "{{actor_type}}",
                )],
            ),
            Panel::lines(
                "Handlers that failed",
                "Messages per second whose handler returned an error, panicked or was killed; the types with most.",
                Unit::PerSecond,
                vec![highest(
                    15,
                    "sum by (actor_type) (rate(triarch_messages_handled_total{@,result=\"error\"}[@]))",
                    "{{actor_type}}",
                )],
            ),
            Panel::lines(
                "Slowest handlers",
                "Within which 99 % of sampled messages were handled; the slowest types.",
                Unit::Seconds,
                vec![highest_quantile(
                    15,
                    0.99,
                    "triarch_message_handle_seconds",
                    "actor_type",
                    "{{actor_type}}",
                )],
            ),
        ],
    )
}

fn types() -> Row {
    open(
        "Every type",
        vec![Panel::table(
            "Types",
            "Each type of agent now; started and stopped in the time looked at.",
            &[
                "actor_type",
                "Live",
                "Started",
                "Stopped",
                "Handled",
                "Waiting",
                "Deepest",
                "Oldest (s)",
            ],
            vec![
                query("sum by (actor_type) (triarch_actors{@})", ""),
                query(
                    "sum by (actor_type) (round(increase(triarch_actor_spawns_total{@}[*])))",
                    "",
                ),
                query(
                    "sum by (actor_type) (round(increase(triarch_actor_stops_total{@}[*])))",
                    "",
                ),
                query(
                    "sum by (actor_type) (round(increase(triarch_messages_handled_total{@}[*])))",
                    "",
                ),
                query("sum by (actor_type) (triarch_mailbox_messages{@})", ""),
                query("max by (actor_type) (triarch_mailbox_messages_max{@})", ""),
                query("max by (actor_type) (triarch_mailbox_oldest_age_seconds{@})", ""),
            ],
        )],
    )
}

fn lost() -> Row {
    details(
        "What was lost",
        vec![
            Panel::stack(
                "Dead letters by reason",
                "Messages per second that reached no handler, or none that survived them.",
                Unit::PerSecond,
                query("sum by (reason) (rate(triarch_dead_letters_total{@}[@]))", "{{reason}}"),
            ),
            Panel::lines(
                "Dropped by type",
                "Messages per second that never reached a handler; the types with most.",
                Unit::PerSecond,
                vec![highest(
                    15,
                    "sum by (actor_type) (rate(triarch_messages_dropped_total{@}[@]))",
                    "{{actor_type}}",
                )],
            ),
            Panel::lines(
                "Dropped by reason",
                "Messages per second that never reached a handler, over all types.",
                Unit::PerSecond,
                vec![query(
                    "sum by (reason) (rate(triarch_messages_dropped_total{@}[@]))",
                    "{{reason}}",
                )],
            ),
        ],
    )
}

fn supervisors() -> Row {
    details(
        "Supervisors",
        vec![
            Panel::states(
                "Supervisors with children down",
                "How many children of a supervisor are restarting, down or quarantined; the supervisors with most.",
                highest(
                    20,
                    "sum by (supervisor) (triarch_supervisor_children{@team,state=~\"restarting|down|quarantined\"})",
                    "{{supervisor}}",
                ),
                &[],
                TROUBLED,
            )
            .sized(12, 9),
            Panel::bars(
                "Restart budget used",
                "Restarts in the window as a share of those a supervisor bears; at 100 % its next failure escalates.",
                Unit::Share,
                query(
                    "topk(20, max by (supervisor) (triarch_supervisor_restart_budget_used_ratio{@team}))",
                    "{{supervisor}}",
                ),
                USED,
            )
            .sized(12, 9),
            Panel::table(
                "Every supervisor",
                "The chosen supervisors now; restarts and escalations in the time looked at.",
                &[
                    "supervisor",
                    "Children",
                    "Running",
                    "Quarantined",
                    "Restarts",
                    "Escalations",
                ],
                vec![
                    query("sum by (supervisor) (triarch_supervisor_children{@team})", ""),
                    query(
                        "sum by (supervisor) (triarch_supervisor_children{@team,state=\"running\"})",
                        "",
                    ),
                    query(
                        "sum by (supervisor) (triarch_supervisor_children{@team,state=\"quarantined\"})",
                        "",
                    ),
                    query(
                        "sum by (supervisor) (round(increase(triarch_supervisor_restarts_total{@team}[*])))",
                        "",
                    ),
                    query(
                        "sum by (supervisor) (round(increase(triarch_supervisor_escalations_total{@team}[*])))",
                        "",
                    ),
                ],
            ),
        ],
    )
}

fn lives() -> Row {
    details(
        "Lives",
        vec![
            Panel::lines(
                "Starts",
                "Incarnations started per second, by type; those with most.",
                Unit::PerSecond,
                vec![highest(
                    15,
                    "sum by (actor_type) (rate(triarch_actor_spawns_total{@}[@]))",
                    "{{actor_type}}",
                )],
            ),
            Panel::lines(
                "Ends by reason",
                "Incarnations that ended per second, by why.",
                Unit::PerSecond,
                vec![query(
                    "sum by (reason) (rate(triarch_actor_stops_total{@}[@]))",
                    "{{reason}}",
                )],
            ),
            Panel::lines(
                "Time to start",
                "From a spawn request to a started actor.",
                Unit::Seconds,
                within("triarch_actor_spawn_seconds"),
            ),
        ],
    )
}

fn states() -> Row {
    details(
        "States of agents",
        vec![
            Panel::stack(
                "Agents by state",
                "Agents of every kind, by state.",
                Unit::Count,
                query("sum by (state) (triarch_agents{@})", "{{state}}"),
            ),
            Panel::lines(
                "Changes of state",
                "Changes per second, by the state entered.",
                Unit::PerSecond,
                vec![query(
                    "sum by (to) (rate(triarch_agent_transitions_total{@}[@]))",
                    "{{to}}",
                )],
            ),
            Panel::bars(
                "Share of messages timed",
                "Which share of messages the times here are taken from.",
                Unit::Share,
                query("max(triarch_message_timing_sample_ratio{@})", "timed"),
                PLAIN,
            )
            .sized(5, 8),
            Panel::stat(
                "Levels",
                "Levels in the supervision tree.",
                Unit::Count,
                query("max(triarch_supervision_depth{@})", ""),
                PLAIN,
            )
            .sized(3, 8),
        ],
    )
}
