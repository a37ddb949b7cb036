//! The overview: is it well, were the objectives kept, and what does each room do.

use super::board::{Board, Row, annotations, details, open};
use super::panel::{Colour, PLAIN, Panel, Steps, Unit, Words};
use super::query::{highest, highest_quantile, quantile, query};

/// One is too many.
const NONE: Steps = &[(0.0, Colour::Green), (1.0, Colour::Red)];
/// One wants a look.
const FEW: Steps = &[(0.0, Colour::Green), (1.0, Colour::Yellow), (100.0, Colour::Red)];
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
            supervision(),
            mailboxes(),
            agents(),
            teams(),
            programs(),
            gateway(),
            telemetry(),
            process(),
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

fn supervision() -> Row {
    details(
        "Supervision",
        vec![
            Panel::stack(
                "Children by state",
                "Children of the chosen supervisors, by state.",
                Unit::Count,
                query("sum by (state) (triarch_supervisor_children{@team})", "{{state}}"),
            ),
            Panel::lines(
                "Restarts by reason",
                "Restarts per second, by why the child had ended.",
                Unit::PerSecond,
                vec![query(
                    "sum by (reason) (rate(triarch_supervisor_restarts_total{@team}[@]))",
                    "{{reason}}",
                )],
            ),
            Panel::lines(
                "Time to run again",
                "From a failure to the child running again, waits included, over all supervisors.",
                Unit::Seconds,
                vec![
                    quantile(0.5, "triarch_supervisor_restart_seconds", &[], "half within"),
                    quantile(0.99, "triarch_supervisor_restart_seconds", &[], "99 % within"),
                ],
            ),
        ],
    )
}

fn mailboxes() -> Row {
    details(
        "Mailboxes",
        vec![
            Panel::lines(
                "Messages",
                "Messages taken in and messages handled, per second. A gap that stays is a backlog that grows.",
                Unit::PerSecond,
                vec![
                    query("sum(rate(triarch_messages_enqueued_total{@}[@]))", "taken in"),
                    query("sum(rate(triarch_messages_handled_total{@}[@]))", "handled"),
                    query(
                        "sum(rate(triarch_messages_handled_total{@,result=\"error\"}[@]))",
                        "of these, failed",
                    ),
                ],
            ),
            Panel::lines(
                "Time in the mailbox",
                "From enqueue to dequeue over all types, on sampled messages.",
                Unit::Seconds,
                vec![
                    quantile(0.5, "triarch_mailbox_wait_seconds", &[], "half within"),
                    quantile(0.99, "triarch_mailbox_wait_seconds", &[], "99 % within"),
                ],
            ),
            Panel::lines(
                "Dead letters by reason",
                "Messages per second that reached no handler, or none that survived them.",
                Unit::PerSecond,
                vec![query(
                    "sum by (reason) (rate(triarch_dead_letters_total{@}[@]))",
                    "{{reason}}",
                )],
            ),
        ],
    )
}

fn agents() -> Row {
    details(
        "Agents",
        vec![
            Panel::stack(
                "Agents by state",
                "Agents of every kind, by state.",
                Unit::Count,
                query("sum by (state) (triarch_agents{@})", "{{state}}"),
            ),
            Panel::bars(
                "Agents by kind",
                "Agents there are now, by what they are.",
                Unit::Count,
                query("sum by (kind) (triarch_agents{@})", "{{kind}}"),
                PLAIN,
            ),
            Panel::lines(
                "Slowest handlers",
                "The types whose handlers take longest: 99 % of sampled messages within this.",
                Unit::Seconds,
                vec![highest_quantile(
                    10,
                    0.99,
                    "triarch_message_handle_seconds",
                    "actor_type",
                    "{{actor_type}}",
                )],
            ),
        ],
    )
}

fn teams() -> Row {
    details(
        "Teams",
        vec![
            Panel::lines(
                "Posts by end",
                "Posts per second whose story ended: done, failed, or lost with nobody left to say more.",
                Unit::PerSecond,
                vec![query(
                    "sum by (stage) (rate(triarch_team_receipts_total{@}[@]))",
                    "{{stage}}",
                )],
            )
            .sized(12, 8),
            Panel::lines(
                "Restarts by team",
                "The supervisors that restart most, in restarts per second.",
                Unit::PerSecond,
                vec![highest(
                    10,
                    "sum by (supervisor) (rate(triarch_supervisor_restarts_total{@team}[@]))",
                    "{{supervisor}}",
                )],
            )
            .sized(12, 8),
        ],
    )
}

fn programs() -> Row {
    details(
        "Programs",
        vec![
            Panel::lines(
                "Starts and ends",
                "Processes of program agents that began, and that ended by why, per second.",
                Unit::PerSecond,
                vec![
                    query("sum(rate(triarch_program_starts_total{@}[@]))", "started"),
                    query(
                        "sum by (reason) (rate(triarch_program_exits_total{@}[@]))",
                        "{{reason}}",
                    ),
                ],
            ),
            Panel::lines(
                "Time to an answer",
                "From the delivery of a post to a program until it said that it is done or failed.",
                Unit::Seconds,
                vec![
                    quantile(0.5, "triarch_program_roundtrip_seconds", &[], "half within"),
                    quantile(0.99, "triarch_program_roundtrip_seconds", &[], "99 % within"),
                ],
            ),
            Panel::stat(
                "Survivors",
                "Processes of a program that were still there after all of them were killed, in the time looked at.",
                Unit::Count,
                query("sum(round(increase(triarch_program_survivors_total{@}[*])))", ""),
                NONE,
            )
            .sized(8, 8),
        ],
    )
}

fn gateway() -> Row {
    details(
        "Gateway",
        vec![
            Panel::lines(
                "Requests by outcome",
                "Requests per second over both doors, by what came of them.",
                Unit::PerSecond,
                vec![query(
                    "sum by (outcome) (rate(triarch_gateway_requests_total{@}[@]))",
                    "{{outcome}}",
                )],
            )
            .sized(6, 8),
            Panel::lines(
                "Time to answer a request",
                "Within which 99 % of requests were answered, by door.",
                Unit::Seconds,
                vec![quantile(0.99, "triarch_gateway_request_seconds", &["door"], "{{door}}")],
            )
            .sized(6, 8),
            Panel::lines(
                "Connections",
                "Connections that are open, by door.",
                Unit::Count,
                vec![query("sum by (door) (triarch_gateway_connections{@})", "{{door}}")],
            )
            .sized(6, 8),
            Panel::lines(
                "Sent away",
                "Connections and requests per second that were refused or cut off, by reason.",
                Unit::PerSecond,
                vec![query(
                    "sum by (reason) (rate(triarch_gateway_refused_total{@}[@]))",
                    "{{reason}}",
                )],
            )
            .sized(6, 8),
        ],
    )
}

fn telemetry() -> Row {
    details(
        "Telemetry",
        vec![
            Panel::lines(
                "Lifecycle lines",
                "Lines of the lifecycle log per second, by level; and those that were held back or that the output refused.",
                Unit::PerSecond,
                vec![
                    query("sum by (level) (rate(triarch_telemetry_lines_total{@}[@]))", "{{level}}"),
                    query("sum(rate(triarch_telemetry_held_back_total{@}[@]))", "held back"),
                    query("sum(rate(triarch_telemetry_lost_lines_total{@}[@]))", "refused"),
                ],
            ),
            Panel::lines(
                "Series",
                "Time series in the page that Prometheus reads, and those of other libraries that it leaves out.",
                Unit::Count,
                vec![
                    query("sum(triarch_metrics_series{@})", "shown"),
                    query("sum(triarch_metrics_left_out_series{@})", "left out"),
                ],
            ),
            Panel::lines(
                "Time to build the page",
                "Within which 99 % of the pages that Prometheus reads were built.",
                Unit::Seconds,
                vec![quantile(0.99, "triarch_metrics_render_seconds", &[], "99 % within")],
            ),
            Panel::stat(
                "Folded label values",
                "Series asked for with more label values than are allowed, in the time looked at; they count as 'other'.",
                Unit::Count,
                query("sum(round(increase(triarch_metrics_label_overflow_total{@}[*])))", ""),
                FEW,
            )
            .sized(8, 8),
        ],
    )
}

fn process() -> Row {
    let states = "1 * max(triarch_node_state{@,state=\"starting\"}) + 2 * max(triarch_node_state{@,state=\"ready\"}) \
                  + 3 * max(triarch_node_state{@,state=\"draining\"}) + 4 * max(triarch_node_state{@,state=\"stopped\"})";
    const STATES: Words = &[
        (1, "starting", Colour::Yellow),
        (2, "ready", Colour::Green),
        (3, "draining", Colour::Yellow),
        (4, "stopped", Colour::Red),
    ];
    details(
        "Process and executor",
        vec![
            Panel::states(
                "Life",
                "Which state the runtime was in, over time; of several runtimes the sum, so choose one.",
                query(states, "runtime"),
                STATES,
                PLAIN,
            ),
            Panel::lines(
                "Processor time",
                "Processors used by the process, and how many of its workers were busy.",
                Unit::Factor,
                vec![
                    query("sum(rate(process_cpu_seconds_total{@}[@]))", "process"),
                    query(
                        "sum(rate(triarch_runtime_worker_busy_seconds_total{@}[@]))",
                        "busy workers",
                    ),
                    query("sum(triarch_runtime_workers{@})", "workers"),
                ],
            ),
            Panel::lines(
                "Memory",
                "Resident memory of the process.",
                Unit::Bytes,
                vec![query("sum(process_resident_memory_bytes{@})", "resident")],
            ),
            Panel::lines(
                "Lag of the scheduler",
                "How late a heartbeat ran that was due every 100 ms; up to 1 ms of it is the timer's own step.",
                Unit::Seconds,
                vec![
                    quantile(0.5, "triarch_runtime_scheduler_lag_seconds", &[], "half within"),
                    quantile(0.99, "triarch_runtime_scheduler_lag_seconds", &[], "99 % within"),
                ],
            ),
            Panel::lines(
                "Tasks",
                "Tasks of the executor, and those of them that wait for any worker.",
                Unit::Count,
                vec![
                    query("sum(triarch_runtime_tasks_alive{@})", "alive"),
                    query("sum(triarch_runtime_global_queue_depth{@})", "waiting"),
                ],
            ),
            Panel::lines(
                "Descriptors and threads",
                "Open file descriptors as a share of those allowed would hide how many there are, so both are drawn; beside them the threads.",
                Unit::Count,
                vec![
                    query("sum(process_open_fds{@})", "open descriptors"),
                    query("sum(process_max_fds{@})", "allowed descriptors"),
                    query("sum(process_threads{@})", "threads"),
                ],
            ),
            Panel::stat(
                "Running since",
                "When the youngest of the chosen runtimes started.",
                Unit::Moment,
                query("max(process_start_time_seconds{@}) * 1000", ""),
                PLAIN,
            )
            .sized(12, 4),
            Panel::bars(
                "Builds",
                "How many of the chosen runtimes run which build.",
                Unit::Count,
                query(
                    "sum by (version, revision, rustc) (triarch_build_info{@})",
                    "{{version}} {{revision}} {{rustc}}",
                ),
                PLAIN,
            )
            .sized(12, 4),
        ],
    )
}
