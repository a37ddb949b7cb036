//! Storage: whether what rooms acknowledge reaches the disk, and how fast.

use super::board::{Board, Row, annotations, open};
use super::memory;
use super::overview::NONE;
use super::panel::{Colour, PLAIN, Panel, Steps, Unit, Words};
use super::query::{buckets, quantile, query};

const OPEN: Words = &[(0, "closed", Colour::Red), (1, "open", Colour::Green)];
const ALL_OPEN: Steps = &[(0.0, Colour::Red), (1.0, Colour::Green)];
const COMMITS: Steps = &[(0.0, Colour::Green), (0.1, Colour::Yellow), (1.0, Colour::Red)];
const CUT: Steps = &[(0.0, Colour::Green), (1.0, Colour::Yellow)];

pub(super) fn board() -> Board {
    Board {
        uid: "triarch-storage",
        title: "Triarch / Storage",
        description: "Whether what rooms acknowledge reaches the disk, how fast, and what their journals hold.",
        annotations: annotations(),
        rows: vec![well(), commits(), written(), disk(), memory::row()],
    }
}

fn well() -> Row {
    open(
        "Is it kept?",
        vec![
            Panel::stat(
                "Journals",
                "Whether all journals take records. Closed: one of those chosen takes none, so that nothing of its room is acknowledged.",
                Unit::Count,
                query("min(triarch_journal_open{@})", ""),
                ALL_OPEN,
            )
            .worded(OPEN)
            .sized(6, 4),
            Panel::stat(
                "Failed commits",
                "Commits that failed, in the time looked at.",
                Unit::Count,
                query("sum(round(increase(triarch_journal_failures_total{@}[*])))", ""),
                NONE,
            )
            .sized(6, 4),
            Panel::stat(
                "Slow commits",
                "Within which 99 % of the commits of now end. Yellow from 100 ms, red from a second.",
                Unit::Seconds,
                quantile(0.99, "triarch_journal_commit_seconds", &[], ""),
                COMMITS,
            )
            .sized(6, 4),
            Panel::stat(
                "Bytes cut off",
                "Bytes of unfinished writes that the openings of these runtimes cut off: an earlier one ended in the middle of a write that nobody had been told of.",
                Unit::Bytes,
                query("sum(triarch_journal_cut_bytes_total{@})", ""),
                CUT,
            )
            .sized(6, 4),
        ],
    )
}

fn commits() -> Row {
    open(
        "Commits",
        vec![
            Panel::heatmap(
                "Time of a commit",
                "How many commits took how long: one write and one sync, which all records share that had gathered.",
                buckets("triarch_journal_commit_seconds"),
            ),
            Panel::lines(
                "Half of the commits within",
                "Time of one write and one sync, by journal.",
                Unit::Seconds,
                vec![quantile(
                    0.5,
                    "triarch_journal_commit_seconds",
                    &["journal"],
                    "{{journal}}",
                )],
            ),
            Panel::lines(
                "99 % of the commits within",
                "Time of one write and one sync, by journal.",
                Unit::Seconds,
                vec![quantile(
                    0.99,
                    "triarch_journal_commit_seconds",
                    &["journal"],
                    "{{journal}}",
                )],
            ),
        ],
    )
}

fn written() -> Row {
    open(
        "What is written",
        vec![
            Panel::lines(
                "Records",
                "Records per second that were put on disk and acknowledged, by journal.",
                Unit::PerSecond,
                vec![query(
                    "sum by (journal) (rate(triarch_journal_records_total{@}[@]))",
                    "{{journal}}",
                )],
            )
            .sized(6, 8),
            Panel::lines(
                "Bytes",
                "Bytes of records per second that were put on disk and acknowledged, by journal.",
                Unit::BytesPerSecond,
                vec![query(
                    "sum by (journal) (rate(triarch_journal_bytes_total{@}[@]))",
                    "{{journal}}",
                )],
            )
            .sized(6, 8),
            Panel::lines(
                "Records of a commit",
                "How many records share one write and one sync, by journal: more where more come at once.",
                Unit::Factor,
                vec![query(
                    "sum by (journal) (rate(triarch_journal_records_total{@}[@])) \
                     / sum by (journal) (rate(triarch_journal_commit_seconds_count{@}[@]))",
                    "{{journal}}",
                )],
            )
            .sized(6, 8),
            Panel::lines(
                "Failures by reason",
                "Commits per second that failed. full: the disk had no space, and nothing was lost; failed: the journal closed until it is opened again.",
                Unit::PerSecond,
                vec![query(
                    "sum by (journal, reason) (rate(triarch_journal_failures_total{@}[@]))",
                    "{{journal}}: {{reason}}",
                )],
            )
            .sized(6, 8),
        ],
    )
}

fn disk() -> Row {
    open(
        "What is there",
        vec![
            Panel::states(
                "Open or closed",
                "Whether each journal took records, over time. Closed also while it is opened, with all that is on disk verified.",
                query(
                    "min by (instance, journal) (triarch_journal_open{@})",
                    "{{instance}} {{journal}}",
                ),
                OPEN,
                PLAIN,
            ),
            Panel::lines(
                "Segments",
                "Segments on disk, by journal; snapshots remove those before them.",
                Unit::Count,
                vec![query("sum by (journal) (triarch_journal_segments{@})", "{{journal}}")],
            ),
            Panel::bars(
                "Last recovery",
                "How long the last opening took, with all that is on disk verified, by journal.",
                Unit::Seconds,
                query("max by (journal) (triarch_journal_recovery_seconds{@})", "{{journal}}"),
                PLAIN,
            )
            .sized(4, 8),
            Panel::bars(
                "Cut off by journal",
                "Bytes of unfinished writes that the openings of these runtimes cut off, by journal.",
                Unit::Bytes,
                query("sum by (journal) (triarch_journal_cut_bytes_total{@})", "{{journal}}"),
                CUT,
            )
            .sized(4, 8),
        ],
    )
}
