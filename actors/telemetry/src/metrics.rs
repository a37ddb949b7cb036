//! What the room counts.

use std::sync::Arc;

use triarch_supervision::metrics::{
    Buckets, Counter, Family, Fan, InstrumentError, Instruments, LABEL_OVERFLOW, Label, Section,
};

use crate::lifecycle::Level;

/// Which binary runs.
pub const BUILD_INFO: Family = Family::gauge(
    "triarch_build_info",
    &[
        Label::open("version", 1),
        Label::open("revision", 1),
        Label::open("rustc", 1),
    ],
    "Always 1; its labels tell which build runs, unknown where the build was not told its revision.",
);

/// How far the runtime is in its life.
pub const NODE_STATE: Family = Family::gauge(
    "triarch_node_state",
    &[Label::closed("state", &["starting", "ready", "draining", "stopped"])],
    "1 for the state the runtime is in, 0 for the others.",
);

/// When the process started.
pub const PROCESS_START_TIME_SECONDS: Family = Family::gauge(
    "process_start_time_seconds",
    &[],
    "Start time of the process since the Unix epoch in seconds.",
);

/// Processor time used.
pub const PROCESS_CPU_SECONDS: Family = Family::elapsed(
    "process_cpu_seconds_total",
    &[],
    "Total user and system CPU time spent in seconds.",
);

/// Memory in use.
pub const PROCESS_RESIDENT_MEMORY_BYTES: Family =
    Family::gauge("process_resident_memory_bytes", &[], "Resident memory size in bytes.");

/// Descriptors in use.
pub const PROCESS_OPEN_FDS: Family = Family::gauge("process_open_fds", &[], "Number of open file descriptors.");

/// Descriptors allowed.
pub const PROCESS_MAX_FDS: Family = Family::gauge("process_max_fds", &[], "Maximum number of open file descriptors.");

/// Threads in use.
pub const PROCESS_THREADS: Family = Family::gauge("process_threads", &[], "Number of OS threads in the process.");

/// Worker threads of the executor.
pub const RUNTIME_WORKERS: Family = Family::gauge("triarch_runtime_workers", &[], "Tokio worker threads.");

/// Tasks of the executor.
pub const RUNTIME_TASKS_ALIVE: Family = Family::gauge(
    "triarch_runtime_tasks_alive",
    &[],
    "Tokio tasks alive; each agent and supervisor is one.",
);

/// Tasks that wait for any worker.
pub const RUNTIME_GLOBAL_QUEUE_DEPTH: Family = Family::gauge(
    "triarch_runtime_global_queue_depth",
    &[],
    "Tasks waiting in the Tokio injection queue.",
);

/// How busy the workers are.
pub const RUNTIME_WORKER_BUSY_SECONDS: Family = Family::elapsed(
    "triarch_runtime_worker_busy_seconds_total",
    &[Label::open("worker", 32)],
    "Time each Tokio worker spent running tasks; of more workers than the bound only the first are shown.",
);

/// How late ready work runs.
pub const RUNTIME_SCHEDULER_LAG_SECONDS: Family = Family::histogram(
    "triarch_runtime_scheduler_lag_seconds",
    Buckets::FAST,
    &[],
    "How late a heartbeat due every 100 ms ran; up to 1 ms of it is the timer's own step.",
);

/// What objectives there are.
pub const SLO: Label = Label::closed("slo", &["message_latency", "recovery", "api"]);

/// What counted for each objective.
pub const SLO_EVENTS: Family = Family::counter(
    "triarch_slo_events_total",
    &[SLO, Label::closed("outcome", &["good", "bad"])],
    "Events counted for each objective: a sampled message that waited up to 5 ms, a restart within 500 ms, an operation that waits for nobody answered within 100 ms without a failure of the runtime.",
);

/// What share is to be good.
pub const SLO_OBJECTIVE_RATIO: Family = Family::gauge(
    "triarch_slo_objective_ratio",
    &[SLO],
    "Share of events that are to be good.",
);

/// How much a scrape shows.
pub const METRICS_SERIES: Family = Family::gauge(
    "triarch_metrics_series",
    &[],
    "Time series in the exposition before this one.",
);

/// How long a scrape takes.
pub const METRICS_RENDER_SECONDS: Family = Family::histogram(
    "triarch_metrics_render_seconds",
    Buckets::LAT,
    &[],
    "Time to build one exposition, the look at every agent included.",
);

/// What of others was left out.
pub const METRICS_LEFT_OUT: Family = Family::gauge(
    "triarch_metrics_left_out_series",
    &[],
    "Time series that other libraries count and the exposition before this one left out: beyond the bound, or under a name of the catalogue.",
);

/// Lines that were written.
pub const LINES: Family = Family::counter(
    "triarch_telemetry_lines_total",
    &[Label::closed("level", &["info", "warn", "error"])],
    "Lines of the lifecycle log that were written, by level.",
);

/// Turns in a child's life that no line was written for.
pub const HELD_BACK: Family = Family::counter(
    "triarch_telemetry_held_back_total",
    &[],
    "Turns in the life of an agent that the lifecycle log held back because there were too many, or missed because more came than are kept until they are written.",
);

/// Lines that could not be written.
pub const LOST: Family = Family::counter(
    "triarch_telemetry_lost_lines_total",
    &[],
    "Lines of the lifecycle log that the output refused.",
);

/// Events that were kept.
pub const EVENTS: Family = Family::counter(
    "triarch_telemetry_events_total",
    &[],
    "Events of the tree that were written to the event log.",
);

/// Events that are not in the event log.
pub const LOST_EVENTS: Family = Family::counter(
    "triarch_telemetry_lost_events_total",
    &[],
    "Events of the tree that the event log lacks: the disk refused them, or they came faster than they were taken.",
);

/// The process and its executor.
pub const PROCESS: Section = Section {
    title: "Process and executor",
    families: &[
        BUILD_INFO,
        NODE_STATE,
        PROCESS_START_TIME_SECONDS,
        PROCESS_CPU_SECONDS,
        PROCESS_RESIDENT_MEMORY_BYTES,
        PROCESS_OPEN_FDS,
        PROCESS_MAX_FDS,
        PROCESS_THREADS,
        RUNTIME_WORKERS,
        RUNTIME_TASKS_ALIVE,
        RUNTIME_GLOBAL_QUEUE_DEPTH,
        RUNTIME_WORKER_BUSY_SECONDS,
        RUNTIME_SCHEDULER_LAG_SECONDS,
    ],
};

/// What was promised, and what came of it.
pub const OBJECTIVES: Section = Section {
    title: "Objectives",
    families: &[SLO_EVENTS, SLO_OBJECTIVE_RATIO],
};

/// The lifecycle log, and the event log.
pub const LIFECYCLE: Section = Section {
    title: "Lifecycle log",
    families: &[LINES, HELD_BACK, LOST, EVENTS, LOST_EVENTS],
};

/// The exposition itself. It has the guard's family, so it stands in place of
/// [`TELEMETRY`](triarch_supervision::metrics::TELEMETRY).
pub const EXPOSITION: Section = Section {
    title: "Telemetry itself",
    families: &[METRICS_SERIES, METRICS_RENDER_SECONDS, METRICS_LEFT_OUT, LABEL_OVERFLOW],
};

/// The room's part of a catalogue.
pub const SECTIONS: [Section; 4] = [PROCESS, OBJECTIVES, LIFECYCLE, EXPOSITION];

/// The counters of the lifecycle log.
#[derive(Clone, Debug)]
pub(crate) struct Metrics {
    lines: Arc<Fan<Counter>>,
    pub(crate) held_back: Arc<Counter>,
    pub(crate) lost: Arc<Counter>,
}

impl Metrics {
    pub(crate) fn new(instruments: &Instruments) -> Result<Self, InstrumentError> {
        Ok(Self {
            lines: Arc::new(instruments.fans(&LINES)?.with([])),
            held_back: instruments.single(&HELD_BACK)?,
            lost: instruments.single(&LOST)?,
        })
    }

    pub(crate) fn lines(&self, level: Level) -> &Counter {
        self.lines.at(level.label())
    }
}

/// The counters of the event log.
#[derive(Clone, Debug)]
pub(crate) struct EventMetrics {
    pub(crate) written: Arc<Counter>,
    pub(crate) lost: Arc<Counter>,
}

impl EventMetrics {
    pub(crate) fn new(instruments: &Instruments) -> Result<Self, InstrumentError> {
        Ok(Self {
            written: instruments.single(&EVENTS)?,
            lost: instruments.single(&LOST_EVENTS)?,
        })
    }
}
