//! What journals count.

use std::sync::Arc;
use std::time::Duration;

use triarch_supervision::metrics::{
    Buckets, Counter, Family, Fan, Gauge, Histogram, InstrumentError, Instruments, Label, Section,
};

use crate::recovery::Report;

/// Whose journals are counted: rooms of the runtime.
pub const OWNERS: [&str; 3] = ["bus", "memory", "work"];

/// Whose journal it is.
const JOURNAL: Label = Label::closed("journal", &OWNERS);

/// Records that are on disk.
pub const RECORDS: Family = Family::counter(
    "triarch_journal_records_total",
    &[JOURNAL],
    "Records that were put on disk and acknowledged.",
);

/// Their bytes.
pub const BYTES: Family = Family::counter(
    "triarch_journal_bytes_total",
    &[JOURNAL],
    "Bytes of records that were put on disk and acknowledged.",
);

/// How long a commit takes.
pub const COMMIT_SECONDS: Family = Family::histogram(
    "triarch_journal_commit_seconds",
    Buckets::LAT,
    &[JOURNAL],
    "Time of one write and one sync, which all records that had gathered share.",
);

/// Commits that failed.
pub const FAILURES: Family = Family::counter(
    "triarch_journal_failures_total",
    &[JOURNAL, Label::closed("reason", &["full", "failed"])],
    "Commits that failed: full where the disk had no space and nothing was lost, failed where the journal closed until it is opened again.",
);

/// Whether it is written.
pub const OPEN: Family = Family::gauge(
    "triarch_journal_open",
    &[JOURNAL],
    "1 while the journal takes records, 0 from a failure of its disk until it is recovered.",
);

/// How many segments there are.
pub const SEGMENTS: Family = Family::gauge(
    "triarch_journal_segments",
    &[JOURNAL],
    "Segments on disk; snapshots remove those before them.",
);

/// How long the last recovery took.
pub const RECOVERY_SECONDS: Family = Family::gauge(
    "triarch_journal_recovery_seconds",
    &[JOURNAL],
    "How long the last opening took, with all that is on disk verified.",
);

/// What recoveries cut off.
pub const CUT_BYTES: Family = Family::counter(
    "triarch_journal_cut_bytes_total",
    &[JOURNAL],
    "Bytes of unfinished writes that openings cut off; nobody had been told that they were on disk.",
);

/// The section of journals in a catalogue.
pub const JOURNALS: Section = Section {
    title: "Journals",
    families: &[
        RECORDS,
        BYTES,
        COMMIT_SECONDS,
        FAILURES,
        OPEN,
        SEGMENTS,
        RECOVERY_SECONDS,
        CUT_BYTES,
    ],
};

/// The instruments of one journal.
#[derive(Clone, Debug)]
pub(crate) struct Metrics {
    records: Arc<Counter>,
    bytes: Arc<Counter>,
    seconds: Arc<Histogram>,
    failures: Arc<Fan<Counter>>,
    open: Arc<Gauge>,
    segments: Arc<Gauge>,
    recovery: Arc<Gauge>,
    cut: Arc<Counter>,
}

impl Metrics {
    pub(crate) fn new(instruments: &Instruments, journal: &str) -> Result<Self, InstrumentError> {
        Ok(Self {
            records: instruments.labelled(&RECORDS)?.with([journal]),
            bytes: instruments.labelled(&BYTES)?.with([journal]),
            seconds: instruments.labelled(&COMMIT_SECONDS)?.with([journal]),
            failures: Arc::new(instruments.fans(&FAILURES)?.with([journal])),
            open: instruments.labelled(&OPEN)?.with([journal]),
            segments: instruments.labelled(&SEGMENTS)?.with([journal]),
            recovery: instruments.labelled(&RECOVERY_SECONDS)?.with([journal]),
            cut: instruments.labelled(&CUT_BYTES)?.with([journal]),
        })
    }

    pub(crate) fn opened(&self, report: &Report) {
        self.open.set(1.0);
        self.segments.set_count(report.segments);
        self.recovery.set(report.took.as_secs_f64());
        self.cut.add(report.cut.as_ref().map_or(0, |cut| cut.bytes));
    }

    pub(crate) fn committed(&self, records: u64, bytes: usize, took: Duration) {
        self.records.add(records);
        self.bytes.add(bytes as u64);
        self.seconds.observe(took);
    }

    pub(crate) fn failed(&self, is_full: bool) {
        self.failures.at(if is_full { "full" } else { "failed" }).increment();
    }

    pub(crate) fn closed(&self) {
        self.open.set(0.0);
    }

    pub(crate) fn segments(&self, count: usize) {
        self.segments.set_count(count);
    }
}
