//! Programs: the processes that agents run, what they say, and what is left of them.

use super::board::{Board, Row, annotations, details, open};
use super::overview::{FEW, NONE};
use super::panel::{Panel, Unit};
use super::query::{buckets, query, within};

pub(super) fn board() -> Board {
    Board {
        uid: "triarch-programs",
        title: "Triarch / Programs",
        description: "The processes that agents run, what they say, and what is left of them.",
        annotations: annotations(),
        rows: vec![now(), signs(), lives(), lines(), logs()],
    }
}

fn now() -> Row {
    open(
        "Are they well?",
        vec![
            Panel::stat(
                "Survivors",
                "Processes of a program that were still there after all of them were killed, in the time looked at.",
                Unit::Count,
                query("sum(round(increase(triarch_program_survivors_total{@}[*])))", ""),
                NONE,
            )
            .sized(6, 4),
            Panel::stat(
                "Failed agents",
                "Program agents that are failed or wait to be restarted, now.",
                Unit::Count,
                query("sum(triarch_agents{@,kind=\"program\",state=~\"failed|backoff\"})", ""),
                NONE,
            )
            .sized(6, 4),
            Panel::stat(
                "Faulty lines",
                "Lines of programs that were not as they should be, in the time looked at.",
                Unit::Count,
                query("sum(round(increase(triarch_program_line_faults_total{@}[*])))", ""),
                FEW,
            )
            .sized(6, 4),
            Panel::stat(
                "Log lines lost",
                "Lines of programs' logs that were lost, in the time looked at.",
                Unit::Count,
                query(
                    "sum(round(increase(triarch_program_log_lines_dropped_total{@}[*])))",
                    "",
                ),
                NONE,
            )
            .sized(6, 4),
        ],
    )
}

fn signs() -> Row {
    open(
        "Signs of life",
        vec![
            Panel::stack(
                "Programs by health",
                "Agents with a program, by how it is: by its signs of life where it declares a heartbeat, and by whether it is slow.",
                Unit::Count,
                query("sum by (health) (triarch_program_agents{@})", "{{health}}"),
            ),
            Panel::lines(
                "Longest silence",
                "Of the programs that declare a heartbeat, how long ago the one last said something that has said nothing for longest.",
                Unit::Seconds,
                vec![query(
                    "max by (instance) (triarch_program_heartbeat_age_seconds_max{@})",
                    "{{instance}}",
                )],
            ),
            Panel::lines(
                "Time to recover",
                "On average, from the fall of a program until it had handled a post again, less the time in which nobody asked it anything.",
                Unit::Seconds,
                vec![query(
                    "sum(rate(triarch_program_recovery_seconds_total{@}[@])) / sum(rate(triarch_program_recoveries_total{@}[@]))",
                    "on average",
                )],
            ),
        ],
    )
}

fn lives() -> Row {
    open(
        "Processes",
        vec![
            Panel::stack(
                "Program agents by state",
                "Agents whose kind is program, by state.",
                Unit::Count,
                query("sum by (state) (triarch_agents{@,kind=\"program\"})", "{{state}}"),
            ),
            Panel::lines(
                "Starts by mode",
                "Processes started per second: one that reads lines for as long as it lives, or one for each message.",
                Unit::PerSecond,
                vec![query(
                    "sum by (mode) (rate(triarch_program_starts_total{@}[@]))",
                    "{{mode}}",
                )],
            ),
            Panel::lines(
                "Ends by reason",
                "Processes that ended per second, by why.",
                Unit::PerSecond,
                vec![query(
                    "sum by (reason) (rate(triarch_program_exits_total{@}[@]))",
                    "{{reason}}",
                )],
            ),
        ],
    )
}

fn lines() -> Row {
    open(
        "What they say",
        vec![
            Panel::lines(
                "Lines by pipe",
                "Lines per second that were written to programs and read from them.",
                Unit::PerSecond,
                vec![query(
                    "sum by (direction) (rate(triarch_program_lines_total{@}[@]))",
                    "{{direction}}",
                )],
            ),
            Panel::lines(
                "Faulty lines by fault",
                "Lines per second that were not as they should be, by what is wrong with them.",
                Unit::PerSecond,
                vec![query(
                    "sum by (fault) (rate(triarch_program_line_faults_total{@}[@]))",
                    "{{fault}}",
                )],
            ),
            Panel::heatmap(
                "Time to an answer",
                "How many posts took how long, from delivery until the program said that it is done or failed.",
                buckets("triarch_program_roundtrip_seconds"),
            ),
            Panel::lines(
                "Within which posts are answered",
                "From the delivery of a post to a program until it said that it is done or failed.",
                Unit::Seconds,
                within("triarch_program_roundtrip_seconds"),
            ),
            Panel::lines(
                "What programs send",
                "Posts per second to other agents, by whether they were queued; and lines that publish to a topic.",
                Unit::PerSecond,
                vec![
                    query(
                        "sum by (result) (rate(triarch_program_sends_total{@}[@]))",
                        "{{result}}",
                    ),
                    query("sum(rate(triarch_program_publishes_total{@}[@]))", "published"),
                ],
            ),
        ],
    )
}

fn logs() -> Row {
    details(
        "Logs",
        vec![
            Panel::lines(
                "Log lines",
                "Lines of programs' logs per second: written to disk, and lost by why; and records of ends that were lost.",
                Unit::PerSecond,
                vec![
                    query("sum(rate(triarch_program_log_lines_total{@}[@]))", "written"),
                    query(
                        "sum by (reason) (rate(triarch_program_log_lines_dropped_total{@}[@]))",
                        "lost: {{reason}}",
                    ),
                    query(
                        "sum by (reason) (rate(triarch_program_ends_dropped_total{@}[@]))",
                        "records of ends lost: {{reason}}",
                    ),
                ],
            )
            .sized(24, 8),
        ],
    )
}
