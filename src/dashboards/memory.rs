//! The store that agents share: what it holds, how fast it is, and what goes without anybody deleting it.

use super::board::{Row, details, open};
use super::panel::{Colour, PLAIN, Panel, Steps, Unit};
use super::query::{quantile, query};

const FULL: Steps = &[(0.0, Colour::Green), (0.8, Colour::Yellow), (1.0, Colour::Red)];

pub(super) fn row() -> Row {
    let mut panels = writes();
    panels.extend(held());
    open("The store", panels)
}

/// The overview's row of details: what tells at a glance whether the store is well.
pub(super) fn memory() -> Row {
    details("Memory", writes())
}

fn writes() -> Vec<Panel> {
    vec![
        Panel::lines(
            "Writes to the store",
            "Writes per second, by what came of them. conflict: the entry was not as the writer thought; refused: the writer may not; disk: it is not on disk.",
            Unit::PerSecond,
            vec![query(
                "sum by (outcome) (rate(triarch_memory_writes_total{@}[@]))",
                "{{outcome}}",
            )],
        )
        .sized(6, 8),
        Panel::lines(
            "99 % of the writes within",
            "Time from a write's call to its acknowledgement, by durability; of journal the disk is part.",
            Unit::Seconds,
            vec![quantile(
                0.99,
                "triarch_memory_write_seconds",
                &["durability"],
                "{{durability}}",
            )],
        )
        .sized(6, 8),
        Panel::lines(
            "99 % of the searches within",
            "Time of a search, whatever it looked at.",
            Unit::Seconds,
            vec![quantile(0.99, "triarch_memory_search_seconds", &[], "searches")],
        )
        .sized(6, 8),
        Panel::lines(
            "Gone and refused",
            "Entries per second that went by their time, to make room or by retention; and how often somebody was not let through.",
            Unit::PerSecond,
            vec![
                query(
                    "sum by (cause) (rate(triarch_memory_removed_total{@}[@]))",
                    "{{cause}}",
                ),
                query("sum(rate(triarch_memory_refused_total{@}[@]))", "refused"),
            ],
        )
        .sized(6, 8),
    ]
}

fn held() -> Vec<Panel> {
    vec![
        Panel::lines(
            "Entries held",
            "Entries, by namespace; those beyond the first are told together.",
            Unit::Count,
            vec![query(
                "sum by (namespace) (triarch_memory_entries{@})",
                "{{namespace}}",
            )],
        )
        .sized(6, 8),
        Panel::lines(
            "Bytes held",
            "Keys, values, labels and overhead as quotas count, by namespace; and about what all search indexes take.",
            Unit::Bytes,
            vec![
                query(
                    "sum by (namespace) (triarch_memory_size_bytes{@})",
                    "{{namespace}}",
                ),
                query("sum(triarch_memory_index_bytes{@})", "indexes"),
            ],
        )
        .sized(6, 8),
        Panel::bars(
            "How full",
            "The fuller of a namespace's two quotas, entries and bytes. Where one is full its writers are refused, or something makes room.",
            Unit::Share,
            query(
                "max by (namespace) (triarch_memory_quota_used_ratio{@})",
                "{{namespace}}",
            ),
            FULL,
        )
        .sized(4, 8),
        Panel::stat(
            "Last snapshot of the store",
            "When the last snapshot was taken; the next start reads what was written since.",
            Unit::Moment,
            query("min(triarch_memory_last_snapshot_timestamp_seconds{@}) * 1000", ""),
            PLAIN,
        )
        .sized(4, 8),
        Panel::stat(
            "Read from disk",
            "How long it took to read the store from disk, the last time.",
            Unit::Seconds,
            query("max(triarch_memory_recovery_seconds{@})", ""),
            PLAIN,
        )
        .sized(4, 8),
    ]
}
