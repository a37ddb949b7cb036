//! What the room counts.

use std::sync::Arc;
use std::time::Duration;

use triarch_supervision::metrics::{
    Buckets, Counter, Elapsed, Family, Fan, Gauge, Histogram, InstrumentError, Instruments, Label, Section,
};

use crate::program::Fault;
use crate::pulse::Health;
use crate::records::EndReason;

/// What is counted as an end though nothing began.
const LAUNCH_FAILED: &str = "launch_failed";

/// Starts of programs.
pub const STARTS: Family = Family::counter(
    "triarch_program_starts_total",
    &[Label::closed("mode", &["lines", "exec"])],
    "Processes of program agents that were started, by mode.",
);

/// Ends of programs.
pub const EXITS: Family = Family::counter(
    "triarch_program_exits_total",
    &[Label::closed(
        "reason",
        &[
            EndReason::Ended.label(),
            EndReason::Code.label(),
            EndReason::Signal.label(),
            EndReason::Stopped.label(),
            EndReason::Killed.label(),
            EndReason::Wall.label(),
            EndReason::Silent.label(),
            EndReason::Unknown.label(),
            LAUNCH_FAILED,
        ],
    )],
    "Processes of program agents that ended, by why: with code 0, with another, by a signal, because they were asked \
     to, with their agent, because their wall time was over, for want of a sign of life, nobody knows why, or before they began.",
);

/// Lines between agents and programs.
pub const LINES: Family = Family::counter(
    "triarch_program_lines_total",
    &[Label::closed("direction", &["stdin", "stdout", "stderr"])],
    "Lines that were written to programs and read from them, by pipe.",
);

/// Lines that were not as they should be.
pub const LINE_FAULTS: Family = Family::counter(
    "triarch_program_line_faults_total",
    &[Label::closed(
        "fault",
        &["too_long", "too_deep", "not_utf8", "malformed", "unknown_id", "late"],
    )],
    "Lines of programs that were not as they should be, by what is wrong with them.",
);

/// Posts between delivery and answer.
pub const ROUNDTRIP: Family = Family::histogram(
    "triarch_program_roundtrip_seconds",
    Buckets::LAT,
    &[],
    "Time from the delivery of a post to a program until it said that it is done or failed.",
);

/// Programs by how they are.
pub const HEALTH: Family = Family::gauge(
    "triarch_program_agents",
    &[Label::closed(
        "health",
        &[
            Health::Unknown.label(),
            Health::Healthy.label(),
            Health::Degraded.label(),
            Health::Critical.label(),
            Health::Failed.label(),
        ],
    )],
    "Agents with a program by how it is: whether it gives signs of life where it declares a heartbeat, and whether it is slow.",
);

/// The longest silence.
pub const HEARTBEAT_AGE: Family = Family::gauge(
    "triarch_program_heartbeat_age_seconds_max",
    &[],
    "Longest time since the last sign of life among the programs that declare a heartbeat and have given one, pauses counted.",
);

/// Falls that were made good.
pub const RECOVERIES: Family = Family::counter(
    "triarch_program_recoveries_total",
    &[],
    "Times that a program had handled a post again after it fell.",
);

/// How long that took.
pub const RECOVERY_SECONDS: Family = Family::elapsed(
    "triarch_program_recovery_seconds_total",
    &[],
    "Time from the falls of programs until they had handled a post, less the time in which nobody asked them anything.",
);

/// Posts that programs sent.
pub const SENDS: Family = Family::counter(
    "triarch_program_sends_total",
    &[Label::closed("result", &["queued", "refused"])],
    "Posts that programs sent to other agents, by whether they were queued.",
);

/// What programs wanted to publish.
pub const PUBLISHES: Family = Family::counter(
    "triarch_program_publishes_total",
    &[],
    "Lines of programs that publish to a topic.",
);

/// Processes that outlived their program's stop.
pub const SURVIVORS: Family = Family::counter(
    "triarch_program_survivors_total",
    &[],
    "Processes of a program that were still there after all of them were killed.",
);

/// Log lines that were kept.
pub const LOG_LINES: Family = Family::counter(
    "triarch_program_log_lines_total",
    &[],
    "Lines of programs' logs that were written to disk.",
);

/// Log lines that were lost.
pub const LOG_LINES_DROPPED: Family = Family::counter(
    "triarch_program_log_lines_dropped_total",
    &[Label::closed("reason", &["busy", "disk"])],
    "Lines of programs' logs that were lost, because the writer was busy or the disk refused them.",
);

/// Records of ends that were lost.
pub const ENDS_DROPPED: Family = Family::counter(
    "triarch_program_ends_dropped_total",
    &[Label::closed("reason", &["busy", "disk"])],
    "Records of programs' ends that the next runtime will not know, because the writer was busy or the disk refused them.",
);

/// The room's part of a catalogue.
pub const PROGRAMS: Section = Section {
    title: "Programs",
    families: &[
        STARTS,
        EXITS,
        LINES,
        LINE_FAULTS,
        ROUNDTRIP,
        HEALTH,
        HEARTBEAT_AGE,
        RECOVERIES,
        RECOVERY_SECONDS,
        SENDS,
        PUBLISHES,
        SURVIVORS,
        LOG_LINES,
        LOG_LINES_DROPPED,
        ENDS_DROPPED,
    ],
};

/// The room's instruments.
#[derive(Clone, Debug)]
pub(crate) struct Metrics {
    starts: Arc<Fan<Counter>>,
    exits: Arc<Fan<Counter>>,
    faults: Arc<Fan<Counter>>,
    sends: Arc<Fan<Counter>>,
    health: Arc<Fan<Gauge>>,
    heartbeat_age: Arc<Gauge>,
    recoveries: Arc<Counter>,
    recovery_seconds: Arc<Elapsed>,
    pub(crate) lines_in: Arc<Counter>,
    pub(crate) lines_out: Arc<Counter>,
    pub(crate) lines_err: Arc<Counter>,
    pub(crate) roundtrip: Arc<Histogram>,
    pub(crate) publishes: Arc<Counter>,
    pub(crate) survivors: Arc<Counter>,
    pub(crate) log_lines: Arc<Counter>,
    pub(crate) dropped_busy: Arc<Counter>,
    pub(crate) dropped_disk: Arc<Counter>,
    pub(crate) ends_dropped_busy: Arc<Counter>,
    pub(crate) ends_dropped_disk: Arc<Counter>,
}

impl Metrics {
    pub(crate) fn new(instruments: &Instruments) -> Result<Self, InstrumentError> {
        let fan = |family| Ok::<_, InstrumentError>(Arc::new(instruments.fans(family)?.with([])));
        let lines = instruments.labelled(&LINES)?;
        let dropped = instruments.labelled(&LOG_LINES_DROPPED)?;
        let ends_dropped = instruments.labelled(&ENDS_DROPPED)?;
        Ok(Self {
            starts: fan(&STARTS)?,
            exits: fan(&EXITS)?,
            faults: fan(&LINE_FAULTS)?,
            sends: fan(&SENDS)?,
            health: Arc::new(instruments.fans(&HEALTH)?.with([])),
            heartbeat_age: instruments.single(&HEARTBEAT_AGE)?,
            recoveries: instruments.single(&RECOVERIES)?,
            recovery_seconds: instruments.single(&RECOVERY_SECONDS)?,
            lines_in: lines.with(["stdin"]),
            lines_out: lines.with(["stdout"]),
            lines_err: lines.with(["stderr"]),
            roundtrip: instruments.single(&ROUNDTRIP)?,
            publishes: instruments.single(&PUBLISHES)?,
            survivors: instruments.single(&SURVIVORS)?,
            log_lines: instruments.single(&LOG_LINES)?,
            dropped_busy: dropped.with(["busy"]),
            dropped_disk: dropped.with(["disk"]),
            ends_dropped_busy: ends_dropped.with(["busy"]),
            ends_dropped_disk: ends_dropped.with(["disk"]),
        })
    }

    pub(crate) fn started(&self, mode: &str) {
        self.starts.at(mode).increment();
    }

    pub(crate) fn exited(&self, reason: EndReason) {
        self.exits.at(reason.label()).increment();
    }

    pub(crate) fn not_started(&self) {
        self.exits.at(LAUNCH_FAILED).increment();
    }

    pub(crate) fn fault(&self, fault: Fault) {
        self.faults.at(fault.label()).increment();
    }

    pub(crate) fn recovered(&self, took: Duration) {
        self.recoveries.increment();
        self.recovery_seconds.add(took);
    }

    /// How many programs are how, and the longest silence among them.
    pub(crate) fn show(&self, counts: [usize; Health::ALL.len()], silence: Option<Duration>) {
        for (health, count) in Health::ALL.iter().zip(counts) {
            self.health.at(health.label()).set_count(count);
        }
        // Where nobody has ever declared a heartbeat it stays unknown.
        if silence.is_some() || self.heartbeat_age.get().is_some() {
            self.heartbeat_age.set(silence.unwrap_or_default().as_secs_f64());
        }
    }

    pub(crate) fn sent(&self, result: &str) {
        self.sends.at(result).increment();
    }
}
