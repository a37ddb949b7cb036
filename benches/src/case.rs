//! What is measured: the cases with their names and units, and the entries of the table (case, subject) → function.

/// A case: its name is its key in the table, in the file and on the command line.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Case {
    /// For example `tell_1_1_16`.
    pub name: &'static str,
    /// For example [`RATE`].
    pub unit: &'static str,
}

/// Messages handled per second. Of this, of [`RECORDS`], of [`TASKS`] and of [`DELIVERIES`] more is better.
pub const RATE: &str = "msg/s";
/// Envelopes handled by subscribers per second.
pub const DELIVERIES: &str = "deliv/s";
/// Records on disk per second.
pub const RECORDS: &str = "records/s";
/// Tasks done per second.
pub const TASKS: &str = "tasks/s";
/// Nanoseconds.
pub const NANOS: &str = "ns";
/// Microseconds.
pub const MICROS: &str = "µs";
/// Seconds.
pub const SECONDS: &str = "s";
/// Milliseconds.
pub const MILLIS: &str = "ms";
/// Percent of one processor.
pub const SHARE: &str = "% of a core";
/// Bytes.
pub const GROWTH: &str = "B";
/// Resident bytes per agent.
pub const BYTES: &str = "B/agent";
/// Resident bytes per task.
pub const BYTES_OF_TASK: &str = "B/task";
/// Allocations per message.
pub const ALLOCATIONS: &str = "allocs/msg";

/// `tell_n_m_b`: n producers, m receivers, messages of b bytes.
pub const TELL_1_1_16: Case = Case::new("tell_1_1_16", RATE);
/// See [`TELL_1_1_16`].
pub const TELL_4_1_16: Case = Case::new("tell_4_1_16", RATE);
/// Eight independent pairs.
pub const TELL_8_8_16: Case = Case::new("tell_8_8_16", RATE);
/// See [`TELL_1_1_16`].
pub const TELL_1_1_64: Case = Case::new("tell_1_1_64", RATE);
/// See [`TELL_1_1_16`].
pub const TELL_4_1_64: Case = Case::new("tell_4_1_64", RATE);
/// Eight independent pairs.
pub const TELL_8_8_64: Case = Case::new("tell_8_8_64", RATE);
/// One producer, one receiver, 16 bytes, 32 messages at a time.
pub const SEND_MANY_32: Case = Case::new("send_many_32", RATE);
/// As [`SEND_MANY_32`], and the receiver is handed each of them by itself.
pub const SEND_MANY_32_EACH: Case = Case::new("send_many_32_each", RATE);
/// Asker and actor on one thread: p50, p99.
pub const ASK_LOCAL: [Case; 2] = [Case::new("ask_local_p50", NANOS), Case::new("ask_local_p99", NANOS)];
/// As [`ASK_LOCAL`], each ask with a time limit: p50, p99.
pub const ASK_WITHIN_LOCAL: [Case; 2] = [
    Case::new("ask_within_local_p50", NANOS),
    Case::new("ask_within_local_p99", NANOS),
];
/// Asker and actor on two threads with a runtime each: p50, p99.
pub const ASK_CROSS: [Case; 2] = [Case::new("ask_cross_p50", NANOS), Case::new("ask_cross_p99", NANOS)];
/// 100,000 supervised idle agents: until all have started, what each keeps resident, until all have stopped orderly.
pub const FLEET: [Case; 3] = [
    Case::new("spawn_100k", SECONDS),
    Case::new("rss_100k", BYTES),
    Case::new("stop_100k", SECONDS),
];
/// `restart_N`: a panic in a handler → the replacement handled a message, among N siblings: p50, p99.
pub const RESTART_10: [Case; 2] = micros(["restart_10", "restart_10_p99"]);
/// See [`RESTART_10`].
pub const RESTART_1000: [Case; 2] = micros(["restart_1000", "restart_1000_p99"]);
/// See [`RESTART_10`].
pub const RESTART_10000: [Case; 2] = micros(["restart_10000", "restart_10000_p99"]);
/// The same after an error that a handler returned.
pub const RESTART_ERROR_10: [Case; 2] = micros(["restart_error_10", "restart_error_10_p99"]);
/// See [`RESTART_ERROR_10`].
pub const RESTART_ERROR_1000: [Case; 2] = micros(["restart_error_1000", "restart_error_1000_p99"]);
/// See [`RESTART_ERROR_10`].
pub const RESTART_ERROR_10000: [Case; 2] = micros(["restart_error_10000", "restart_error_10000_p99"]);
/// 1,000 agents that always fail, each about once a second: what they take of a core, and the p99 of asks at a sibling team with them
/// and without them.
pub const STORM: [Case; 3] = [
    Case::new("storm_core", SHARE),
    Case::new("storm_ask_p99", NANOS),
    Case::new("calm_ask_p99", NANOS),
];
/// 1,000,000 supervised agents alive, each having handled a message: the time, and what each keeps resident.
pub const MILLION: [Case; 2] = [Case::new("million", SECONDS), Case::new("million_rss", BYTES)];
/// Growth of resident memory while a receiver is offered ten times what it can handle, for a minute; where its mailbox is
/// full, senders are held back.
pub const OVERLOAD_60S: Case = Case::new("overload_60s", GROWTH);
/// See [`OVERLOAD_60S`]; where the mailbox is full, messages come back.
pub const OVERLOAD_60S_REJECT: Case = Case::new("overload_60s_reject", GROWTH);
/// See [`OVERLOAD_60S`]; where the mailbox is full, its oldest message makes room.
pub const OVERLOAD_60S_DROP_OLDEST: Case = Case::new("overload_60s_drop_oldest", GROWTH);
/// From the call that stops an agent with 1,000 messages queued until it is reported stopped, p50.
pub const STOP_THOUSAND_QUEUED: Case = Case::new("stop_thousand_queued", MICROS);
/// The same with 1,000,000.
pub const STOP_MILLION_QUEUED: Case = Case::new("stop_million_queued", MICROS);
/// As [`STOP_THOUSAND_QUEUED`], of an agent that leaves the tree with its stop, and its messages with it.
pub const LEAVE_THOUSAND_QUEUED: Case = Case::new("leave_thousand_queued", MICROS);
/// The same with 1,000,000.
pub const LEAVE_MILLION_QUEUED: Case = Case::new("leave_million_queued", MICROS);
/// As [`TELL_1_1_16`], of a type that is timed and of one that is not, in turns.
pub const METRICS_1_1: [Case; 2] = [
    Case::new("metrics_on_tell_1_1", RATE),
    Case::new("metrics_off_tell_1_1", RATE),
];
/// As [`TELL_8_8_16`], likewise.
pub const METRICS_8_8: [Case; 2] = [
    Case::new("metrics_on_tell_8_8", RATE),
    Case::new("metrics_off_tell_8_8", RATE),
];
/// Allocations of one tell, 1 → 1, 16 bytes.
pub const ALLOCS_PER_TELL: Case = Case::new("allocs_per_tell", ALLOCATIONS);

const fn micros([p50, p99]: [&'static str; 2]) -> [Case; 2] {
    [Case::new(p50, MICROS), Case::new(p99, MICROS)]
}

/// The cases of the peers in the order in which they are run and shown.
pub const ORDER: &[&str] = &[
    "tell_1_1_16",
    "tell_4_1_16",
    "tell_8_8_16",
    "tell_1_1_64",
    "tell_4_1_64",
    "tell_8_8_64",
    "send_many_32",
    "send_many_32_each",
    "allocs_per_tell",
    "ask_local_p50",
    "ask_local_p99",
    "ask_within_local_p50",
    "ask_within_local_p99",
    "ask_cross_p50",
    "ask_cross_p99",
    "spawn_100k",
    "rss_100k",
    "stop_100k",
    "restart_10",
    "restart_10_p99",
    "restart_1000",
    "restart_1000_p99",
    "restart_10000",
    "restart_10000_p99",
    "restart_error_10",
    "restart_error_10_p99",
    "restart_error_1000",
    "restart_error_1000_p99",
    "restart_error_10000",
    "restart_error_10000_p99",
    "storm_core",
    "storm_ask_p99",
    "calm_ask_p99",
    "million",
    "million_rss",
    "metrics_on_tell_1_1",
    "metrics_off_tell_1_1",
    "metrics_on_tell_8_8",
    "metrics_off_tell_8_8",
    "overload_60s",
    "overload_60s_reject",
    "overload_60s_drop_oldest",
    "stop_thousand_queued",
    "stop_million_queued",
    "leave_thousand_queued",
    "leave_million_queued",
];

/// The peers in the order in which each round runs them.
pub const SUBJECTS: &[&str] = &[
    "triarch",
    "ractor",
    "kameo_bounded",
    "kameo_unbounded",
    "actix",
    "tokio_mpsc",
    "flume",
    "erlang",
];

/// The subject the others are compared with.
pub const REFERENCE: &str = "ractor";

impl Case {
    /// A case of any name, besides the constants above.
    pub const fn new(name: &'static str, unit: &'static str) -> Self {
        Self { name, unit }
    }
}

/// Cases of one subject that are compared: the first is divided by the second.
pub const PAIRS: &[(&str, &str)] = &[
    ("metrics_on_tell_1_1", "metrics_off_tell_1_1"),
    ("metrics_on_tell_8_8", "metrics_off_tell_8_8"),
    ("ask_within_local_p50", "ask_local_p50"),
    ("storm_ask_p99", "calm_ask_p99"),
    ("stop_million_queued", "stop_thousand_queued"),
    ("leave_million_queued", "leave_thousand_queued"),
    ("publish_stalled_p99", "publish_live_p99"),
];

/// Where a measurement runs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Place {
    /// In the process of the benchmark, after a warm-up.
    Here,
    /// In a fresh process for each round, so that the allocator's state is nobody else's.
    Child,
    /// The same, with allocations counted.
    CountedChild,
    /// In processes of the subject's own that each round starts afresh, while the benchmark looks on.
    Outside,
}

/// One run of one subject: figures for one or more cases.
#[derive(Clone, Copy)]
pub struct Entry {
    /// Whose.
    pub subject: &'static str,
    /// What `run` gives, in this order. Entries with the same first case are run side by side.
    pub cases: &'static [Case],
    /// Where it runs.
    pub place: Place,
    /// One measurement; a wrong answer panics.
    pub run: fn(&Scale) -> Vec<f64>,
}

impl Entry {
    /// An entry that runs [`Place::Here`].
    pub const fn here(subject: &'static str, cases: &'static [Case], run: fn(&Scale) -> Vec<f64>) -> Self {
        Self {
            subject,
            cases,
            place: Place::Here,
            run,
        }
    }

    /// An entry that runs in a [`Place::Child`].
    pub const fn child(subject: &'static str, cases: &'static [Case], run: fn(&Scale) -> Vec<f64>) -> Self {
        Self {
            subject,
            cases,
            place: Place::Child,
            run,
        }
    }

    /// An entry that runs [`Place::Outside`].
    pub const fn outside(subject: &'static str, cases: &'static [Case], run: fn(&Scale) -> Vec<f64>) -> Self {
        Self {
            subject,
            cases,
            place: Place::Outside,
            run,
        }
    }

    /// An entry that runs in a [`Place::CountedChild`].
    pub const fn counted(subject: &'static str, cases: &'static [Case], run: fn(&Scale) -> Vec<f64>) -> Self {
        Self {
            subject,
            cases,
            place: Place::CountedChild,
            run,
        }
    }

    /// The case by which entries are run side by side.
    pub fn key(&self) -> &'static str {
        self.cases[0].name
    }
}

/// How much a run does.
#[derive(Clone, Copy, Debug)]
pub struct Scale {
    /// A smoke run: its figures prove that it runs, nothing else.
    pub is_quick: bool,
    /// Messages of a tell, by all producers together.
    pub messages: u64,
    /// Asks of a latency run, after a tenth as many unrecorded.
    pub asks: u64,
    /// Failures of a restart run, after a tenth as many unrecorded.
    pub restarts: usize,
    /// Agents with a full queue that are stopped, one after the other.
    pub stops: usize,
    /// Agents of the `_100k` cases.
    pub fleet: usize,
    /// Agents of `million`.
    pub million: usize,
}

impl Scale {
    /// What the names of the cases promise.
    pub const FULL: Self = Self {
        is_quick: false,
        messages: 2_000_000,
        asks: 100_000,
        restarts: 2_000,
        stops: 21,
        fleet: 100_000,
        million: 1_000_000,
    };

    /// A tenth or less of it.
    pub const QUICK: Self = Self {
        is_quick: true,
        messages: 200_000,
        asks: 10_000,
        restarts: 200,
        stops: 2,
        fleet: 10_000,
        million: 50_000,
    };
}
