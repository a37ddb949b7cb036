//! Tasks: how many are open, how long they wait and take, and what went wrong with them.

use super::board::{Board, Row, annotations, open};
use super::overview::{FEW, NONE};
use super::panel::{Colour, PLAIN, Panel, Steps, Unit};
use super::query::{buckets, quantile, query, within};

const AGES: Steps = &[(0.0, Colour::Green), (60.0, Colour::Yellow), (600.0, Colour::Red)];

pub(super) fn board() -> Board {
    Board {
        uid: "triarch-tasks",
        title: "Triarch / Tasks",
        description: "Whether tasks are done, how long they wait and take, and what went wrong with them.",
        annotations: annotations(),
        rows: vec![well(), flow(), time(), trouble()],
    }
}

fn well() -> Row {
    open(
        "Are they done?",
        vec![
            Panel::stat(
                "Open tasks",
                "Tasks that have not ended, now.",
                Unit::Count,
                query("sum(triarch_tasks{@})", ""),
                PLAIN,
            )
            .sized(4, 4),
            Panel::stat(
                "Oldest ready task",
                "For how long the oldest task has been ready that nobody has claimed. Yellow from a minute, red from ten.",
                Unit::Seconds,
                query("max(triarch_task_oldest_ready_age_seconds{@})", ""),
                AGES,
            )
            .sized(4, 4),
            Panel::stat(
                "Dead tasks",
                "Tasks that failed, or were lost, as often as they may, in the time looked at.",
                Unit::Count,
                query(
                    "sum(round(increase(triarch_tasks_finished_total{@,result=\"dead\"}[*])))",
                    "",
                ),
                NONE,
            )
            .sized(4, 4),
            Panel::stat(
                "Failed tasks",
                "Tasks that failed and were not to be tried again, in the time looked at.",
                Unit::Count,
                query(
                    "sum(round(increase(triarch_tasks_finished_total{@,result=\"failed\"}[*])))",
                    "",
                ),
                FEW,
            )
            .sized(4, 4),
            Panel::stat(
                "Missed deadlines",
                "Tasks that were open when their deadline passed, in the time looked at.",
                Unit::Count,
                query("sum(round(increase(triarch_task_deadlines_missed_total{@}[*])))", ""),
                FEW,
            )
            .sized(4, 4),
            Panel::stat(
                "Late results",
                "What workers said of a task after their lease was over, in the time looked at: refused, and kept.",
                Unit::Count,
                query("sum(round(increase(triarch_task_late_results_total{@}[*])))", ""),
                FEW,
            )
            .sized(4, 4),
        ],
    )
}

fn flow() -> Row {
    open(
        "What comes and goes",
        vec![
            Panel::lines(
                "Submitted and finished",
                "Tasks per second that were accepted, and that ended by how. A gap that stays is work that piles up.",
                Unit::PerSecond,
                vec![
                    query("sum(rate(triarch_tasks_submitted_total{@}[@]))", "submitted"),
                    query(
                        "sum by (result) (rate(triarch_tasks_finished_total{@}[@]))",
                        "{{result}}",
                    ),
                ],
            ),
            Panel::stack(
                "Open by state",
                "Open tasks: blocked by others or by time, ready for whoever is able to, claimed, or begun.",
                Unit::Count,
                query("sum by (state) (triarch_tasks{@})", "{{state}}"),
            ),
            Panel::stack(
                "Open by kind",
                "Open tasks, by what sort of work they are.",
                Unit::Count,
                query("sum by (task_kind) (triarch_tasks{@})", "{{task_kind}}"),
            ),
            Panel::lines(
                "Submitted by kind",
                "Tasks accepted per second, by what sort of work they are.",
                Unit::PerSecond,
                vec![query(
                    "sum by (task_kind) (rate(triarch_tasks_submitted_total{@}[@]))",
                    "{{task_kind}}",
                )],
            ),
            Panel::lines(
                "Submitted by priority",
                "Tasks accepted per second, by priority.",
                Unit::PerSecond,
                vec![query(
                    "sum by (priority) (rate(triarch_tasks_submitted_total{@}[@]))",
                    "{{priority}}",
                )],
            ),
            Panel::lines(
                "In hand",
                "Tasks under a lease: in the hands of workers, those that are kept ready for them among these; and how many runtimes take no new ones, since somebody drains them.",
                Unit::Count,
                vec![
                    query("sum(triarch_task_leases{@})", "leases"),
                    query("sum(triarch_task_draining{@})", "drained runtimes"),
                ],
            ),
        ],
    )
}

fn time() -> Row {
    open(
        "How long it takes",
        vec![
            Panel::heatmap(
                "Time until claimed",
                "How many tasks were ready for how long before a worker claimed them.",
                buckets("triarch_task_wait_seconds"),
            ),
            Panel::lines(
                "Within which tasks are claimed",
                "From when a task was ready until a worker claimed it.",
                Unit::Seconds,
                within("triarch_task_wait_seconds"),
            ),
            Panel::lines(
                "Oldest ready task over time",
                "For how long the oldest ready task has been ready; 0 where none is.",
                Unit::Seconds,
                vec![query("max(triarch_task_oldest_ready_age_seconds{@})", "oldest")],
            ),
            Panel::heatmap(
                "Time of an attempt",
                "How many tasks ended after an attempt of what length.",
                buckets("triarch_task_run_seconds"),
            ),
            Panel::lines(
                "Within which attempts end",
                "From the begin of a task's last attempt until the task ended by it.",
                Unit::Seconds,
                within("triarch_task_run_seconds"),
            ),
            Panel::lines(
                "Attempts by kind",
                "Within which 99 % of the last attempts ended, by what sort of work it was.",
                Unit::Seconds,
                vec![quantile(
                    0.99,
                    "triarch_task_run_seconds",
                    &["task_kind"],
                    "{{task_kind}}",
                )],
            ),
        ],
    )
}

fn trouble() -> Row {
    let by_kind = |title, description, family: &str| {
        let expr = format!("sum by (task_kind) (rate({family}{{@}}[@]))");
        Panel::lines(title, description, Unit::PerSecond, vec![query(&expr, "{{task_kind}}")]).sized(6, 8)
    };
    open(
        "What goes wrong",
        vec![
            by_kind(
                "Retries",
                "Claims per second of a task that was tried before, by kind: it failed, or was lost.",
                "triarch_task_retries_total",
            ),
            by_kind(
                "Leases that lapsed",
                "Leases per second that ended without a word of the worker, by kind.",
                "triarch_task_lapses_total",
            ),
            by_kind(
                "Deadlines missed",
                "Tasks per second that were open when their deadline passed, by kind.",
                "triarch_task_deadlines_missed_total",
            ),
            Panel::lines(
                "Results too late",
                "What workers said per second of tasks after their lease was over.",
                Unit::PerSecond,
                vec![query("sum(rate(triarch_task_late_results_total{@}[@]))", "late")],
            )
            .sized(6, 8),
        ],
    )
}
