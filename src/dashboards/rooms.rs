//! The overview's rows of details: one for each room, and two for what they all run in.

use super::board::{Row, details};
use super::overview::{FEW, NONE};
use super::panel::{Colour, PLAIN, Panel, Unit, Words};
use super::query::{highest, highest_quantile, quantile, query, within};

const STATES: Words = &[
    (1, "starting", Colour::Yellow),
    (2, "ready", Colour::Green),
    (3, "draining", Colour::Yellow),
    (4, "stopped", Colour::Red),
];

pub(super) fn supervision() -> Row {
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
                within("triarch_supervisor_restart_seconds"),
            ),
        ],
    )
}

pub(super) fn mailboxes() -> Row {
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
                within("triarch_mailbox_wait_seconds"),
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

pub(super) fn agents() -> Row {
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

pub(super) fn teams() -> Row {
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

pub(super) fn work() -> Row {
    details(
        "Work",
        vec![
            Panel::lines(
                "Tasks by end",
                "Tasks per second that were accepted, and that ended by how.",
                Unit::PerSecond,
                vec![
                    query("sum(rate(triarch_tasks_submitted_total{@}[@]))", "submitted"),
                    query(
                        "sum by (result) (rate(triarch_tasks_finished_total{@}[@]))",
                        "{{result}}",
                    ),
                ],
            )
            .sized(6, 8),
            Panel::stack(
                "Open tasks by state",
                "Tasks that are blocked, ready for whoever is able to, claimed, or begun.",
                Unit::Count,
                query("sum by (state) (triarch_tasks{@})", "{{state}}"),
            )
            .sized(6, 8),
            Panel::lines(
                "Wait for a worker",
                "From when a task was ready until a worker claimed it, and the age of the oldest that is ready.",
                Unit::Seconds,
                vec![
                    quantile(0.5, "triarch_task_wait_seconds", &[], "half within"),
                    quantile(0.99, "triarch_task_wait_seconds", &[], "99 % within"),
                    query("max(triarch_task_oldest_ready_age_seconds{@})", "oldest ready"),
                ],
            )
            .sized(6, 8),
            Panel::lines(
                "Commits of journals",
                "Within which 99 % of the commits end of what rooms acknowledge, by journal.",
                Unit::Seconds,
                vec![quantile(
                    0.99,
                    "triarch_journal_commit_seconds",
                    &["journal"],
                    "{{journal}}",
                )],
            )
            .sized(6, 8),
        ],
    )
}

pub(super) fn programs() -> Row {
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
                within("triarch_program_roundtrip_seconds"),
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

pub(super) fn gateway() -> Row {
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

pub(super) fn telemetry() -> Row {
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
                "Events on disk",
                "Events per second that were written to the event log, and those that it lacks.",
                Unit::PerSecond,
                vec![
                    query("sum(rate(triarch_telemetry_events_total{@}[@]))", "written"),
                    query("sum(rate(triarch_telemetry_lost_events_total{@}[@]))", "lost"),
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
                "Series asked for with more label values than are allowed, in the time looked at; they count as 'other'. No data: there never was one.",
                Unit::Count,
                query("sum(round(increase(triarch_metrics_label_overflow_total{@}[*])))", ""),
                FEW,
            )
            .sized(8, 8),
        ],
    )
}

pub(super) fn process() -> Row {
    let state = |word: &str| format!("max by (instance) (triarch_node_state{{@,state=\"{word}\"}})");
    let [starting, ready, draining, stopped] = ["starting", "ready", "draining", "stopped"].map(state);
    let states = format!("{starting} + 2 * {ready} + 3 * {draining} + 4 * {stopped}");
    details(
        "Process",
        vec![
            Panel::states(
                "Life",
                "Which state each runtime was in, over time.",
                query(&states, "{{instance}}"),
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
                "Descriptors and threads",
                "Open file descriptors and how many are allowed, and the threads of the process.",
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
            .sized(8, 4),
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
            .sized(8, 4),
        ],
    )
}

pub(super) fn executor() -> Row {
    details(
        "Executor",
        vec![
            Panel::lines(
                "Lag of the scheduler",
                "How late a heartbeat ran that was due every 100 ms; up to 1 ms of it is the timer's own step.",
                Unit::Seconds,
                within("triarch_runtime_scheduler_lag_seconds"),
            )
            .sized(12, 8),
            Panel::lines(
                "Tasks",
                "Tasks of the executor, and those of them that wait for any worker.",
                Unit::Count,
                vec![
                    query("sum(triarch_runtime_tasks_alive{@})", "alive"),
                    query("sum(triarch_runtime_global_queue_depth{@})", "waiting"),
                ],
            )
            .sized(12, 8),
        ],
    )
}
