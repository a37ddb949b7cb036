//! What is measured, in which order, and how often.

use triarch_benches::case::{Case, Entry, GROWTH, MICROS, MILLIS, Scale};

use crate::{commands, failures, idle, observations, pages, pipe, programs, storms, supervisord, talk};

pub(crate) const TRIARCH: &str = "triarch";
/// Two processes and two pipes, and nothing else.
pub(crate) const PIPE: &str = "pipe";
/// The example agent and two pipes of tokio's, without agents around them: what an async runtime alone costs.
pub(crate) const TOKIO_PIPE: &str = "tokio_pipe";
/// `/bin/true`: what any process costs to start and to end.
pub(crate) const NOTHING: &str = "true";
pub(crate) const SUPERVISORD: &str = "supervisord";
/// The runtime with nobody in it who fails.
pub(crate) const CALM: &str = "calm";

/// The subjects in the order in which each round runs them.
pub(crate) const SUBJECTS: &[&str] = &[TRIARCH, CALM, PIPE, TOKIO_PIPE, NOTHING, SUPERVISORD];

/// Round trips per second.
const TRIPS_A_SECOND: &str = "trips/s";
/// Of one core.
const SHARE: &str = "% core";
/// Lines about one agent in a second.
const LINES: &str = "lines/s";
/// Series of a page.
const SERIES: &str = "series";

/// A post to a program agent and what it says back, one at a time: p50, p99.
const ROUND_TRIP: [Case; 2] = [
    Case::new("program_round_trip_p50", MICROS),
    Case::new("program_round_trip_p99", MICROS),
];
/// The same with many under way.
const PIPELINED: [Case; 1] = [Case::new("program_pipelined", TRIPS_A_SECOND)];
/// From the start of the runtime until 100 programs run.
const START: [Case; 1] = [Case::new("programs_start_100", MILLIS)];
/// From `kill -9` of one of 100 programs until its next life is a process, and until the kernel has nothing left of the one that died: by then it was seen.
const RESPAWN: [Case; 4] = [
    Case::new("death_to_respawn_p50", MILLIS),
    Case::new("death_to_respawn_p99", MILLIS),
    Case::new("death_seen_p50", MILLIS),
    Case::new("death_seen_p99", MILLIS),
];
/// From a post at which a native agent fails until its next life has answered one.
const READY_AGAIN: [Case; 2] = [
    Case::new("native_ready_again_p50", MICROS),
    Case::new("native_ready_again_p99", MICROS),
];
/// A thousand native agents that fail about once a second each.
const STORM_OF_NATIVES: [Case; 3] = [
    Case::new("storm_natives_ask_p99", MICROS),
    Case::new("storm_natives_core", SHARE),
    Case::new("storm_natives_lines", LINES),
];
/// The same with the waits between their lives that hold where nothing is said.
const STORM_OF_PATIENT_NATIVES: [Case; 3] = [
    Case::new("storm_patient_natives_ask_p99", MICROS),
    Case::new("storm_patient_natives_core", SHARE),
    Case::new("storm_patient_natives_lines", LINES),
];
/// A thousand programs that end as soon as they have begun.
const STORM_OF_PROGRAMS: [Case; 4] = [
    Case::new("storm_programs_ask_p99", MICROS),
    Case::new("storm_programs_core", SHARE),
    Case::new("storm_programs_lines", LINES),
    Case::new("storm_programs_core_of_them", SHARE),
];
/// The command that lists 100 programs.
const LISTED: [Case; 2] = [
    Case::new("list_100_programs_p50", MILLIS),
    Case::new("list_100_programs_p95", MILLIS),
];
/// What any command costs, whatever it does.
const BARE: [Case; 2] = [
    Case::new("cli_nothing_p50", MILLIS),
    Case::new("cli_nothing_p95", MILLIS),
];
const COMMANDS_100: [Case; 6] = [
    Case::new("cli_status_100_p50", MILLIS),
    Case::new("cli_status_100_p95", MILLIS),
    Case::new("cli_agent_list_100_p50", MILLIS),
    Case::new("cli_agent_list_100_p95", MILLIS),
    Case::new("cli_tree_100_p50", MILLIS),
    Case::new("cli_tree_100_p95", MILLIS),
];
const COMMANDS_10K: [Case; 6] = [
    Case::new("cli_status_10k_p50", MILLIS),
    Case::new("cli_status_10k_p95", MILLIS),
    Case::new("cli_agent_list_10k_p50", MILLIS),
    Case::new("cli_agent_list_10k_p95", MILLIS),
    Case::new("cli_tree_10k_p50", MILLIS),
    Case::new("cli_tree_10k_p95", MILLIS),
];
const PAGE_1K: [Case; 3] = [
    Case::new("metrics_page_1k_p50", MILLIS),
    Case::new("metrics_page_1k_p99", MILLIS),
    Case::new("metrics_series_1k", SERIES),
];
const PAGE_100K: [Case; 4] = [
    Case::new("metrics_page_100k_p50", MILLIS),
    Case::new("metrics_page_100k_p99", MILLIS),
    Case::new("metrics_series_100k", SERIES),
    Case::new("resident_100k", GROWTH),
];
const OBSERVATIONS: [Case; 1] = [Case::new("observations_50m", GROWTH)];
const READY: [Case; 1] = [Case::new("ready", MILLIS)];
const IDLE: [Case; 2] = [Case::new("idle_resident", GROWTH), Case::new("idle_processor", SHARE)];
const SIZE: [Case; 1] = [Case::new("binary_size", GROWTH)];

/// The cases in the order in which they are run and shown.
pub(crate) const ORDER: &[&str] = &[
    "program_round_trip_p50",
    "program_round_trip_p99",
    "program_pipelined",
    "programs_start_100",
    "death_to_respawn_p50",
    "death_to_respawn_p99",
    "death_seen_p50",
    "death_seen_p99",
    "native_ready_again_p50",
    "native_ready_again_p99",
    "storm_natives_ask_p99",
    "storm_natives_core",
    "storm_natives_lines",
    "storm_patient_natives_ask_p99",
    "storm_patient_natives_core",
    "storm_patient_natives_lines",
    "storm_programs_ask_p99",
    "storm_programs_core",
    "storm_programs_lines",
    "storm_programs_core_of_them",
    "list_100_programs_p50",
    "list_100_programs_p95",
    "cli_nothing_p50",
    "cli_nothing_p95",
    "cli_status_100_p50",
    "cli_status_100_p95",
    "cli_agent_list_100_p50",
    "cli_agent_list_100_p95",
    "cli_tree_100_p50",
    "cli_tree_100_p95",
    "cli_status_10k_p50",
    "cli_status_10k_p95",
    "cli_agent_list_10k_p50",
    "cli_agent_list_10k_p95",
    "cli_tree_10k_p50",
    "cli_tree_10k_p95",
    "metrics_page_1k_p50",
    "metrics_page_1k_p99",
    "metrics_series_1k",
    "metrics_page_100k_p50",
    "metrics_page_100k_p99",
    "metrics_series_100k",
    "resident_100k",
    "observations_50m",
    "ready",
    "idle_resident",
    "idle_processor",
    "binary_size",
];

/// All that can be run; those with the same first case run side by side.
pub(crate) fn entries() -> Vec<Entry> {
    vec![
        Entry::here(TRIARCH, &ROUND_TRIP, talk::round_trips),
        Entry::here(PIPE, &ROUND_TRIP, pipe::round_trips),
        Entry::here(TOKIO_PIPE, &ROUND_TRIP, pipe::round_trips_of_tokio),
        Entry::here(TRIARCH, &PIPELINED, talk::pipelined),
        Entry::outside(TRIARCH, &START, programs::start),
        Entry::outside(SUPERVISORD, &START, supervisord::start),
        Entry::outside(TRIARCH, &RESPAWN, programs::respawns),
        Entry::outside(SUPERVISORD, &RESPAWN, supervisord::respawns),
        Entry::outside(TRIARCH, &READY_AGAIN, failures::ready_again),
        Entry::outside(TRIARCH, &STORM_OF_NATIVES, storms::of_natives),
        Entry::outside(CALM, &STORM_OF_NATIVES, storms::calm_beside_natives),
        Entry::outside(TRIARCH, &STORM_OF_PATIENT_NATIVES, storms::of_patient_natives),
        Entry::outside(CALM, &STORM_OF_PATIENT_NATIVES, storms::calm_beside_natives),
        Entry::outside(TRIARCH, &STORM_OF_PROGRAMS, storms::of_programs),
        Entry::outside(CALM, &STORM_OF_PROGRAMS, storms::calm_beside_programs),
        Entry::outside(TRIARCH, &LISTED, programs::list),
        Entry::outside(SUPERVISORD, &LISTED, supervisord::list),
        Entry::outside(NOTHING, &BARE, commands::nothing),
        Entry::outside(TRIARCH, &COMMANDS_100, |scale| commands::at(100, scale)),
        Entry::outside(TRIARCH, &COMMANDS_10K, |scale| commands::at(10_000, scale)),
        Entry::outside(TRIARCH, &PAGE_1K, |scale| pages::at(1_000, scale)),
        Entry::outside(TRIARCH, &PAGE_100K, |scale| pages::at_with_memory(100_000, scale)),
        Entry::child(TRIARCH, &OBSERVATIONS, observations::growth),
        Entry::outside(TRIARCH, &READY, idle::ready),
        Entry::outside(TRIARCH, &IDLE, idle::idle),
        Entry::outside(TRIARCH, &SIZE, idle::binary_size),
    ]
}

/// How often something is done in a round.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Times {
    pub(crate) unrecorded: usize,
    pub(crate) recorded: usize,
}

impl Times {
    const fn new(unrecorded: usize, recorded: usize) -> Self {
        Self { unrecorded, recorded }
    }

    /// A tenth of it in a smoke run.
    pub(crate) fn of(self, scale: &Scale) -> Self {
        let share = if scale.is_quick { 10 } else { 1 };
        Self::new(self.unrecorded / share, (self.recorded / share).max(2))
    }

    /// Recorded and not.
    pub(crate) fn all(self) -> usize {
        self.unrecorded + self.recorded
    }
}

pub(crate) const TRIPS: Times = Times::new(2_000, 20_000);
pub(crate) const PIPELINED_TRIPS: Times = Times::new(30_000, 300_000);
pub(crate) const KILLS: Times = Times::new(10, 200);
/// A peer whose respawn takes a second in the worst case.
pub(crate) const SLOW_KILLS: Times = Times::new(2, 20);
pub(crate) const FAILURES: Times = Times::new(200, 2_000);
pub(crate) const STORM_ASKS: Times = Times::new(1_000, 20_000);
pub(crate) const RUNS: Times = Times::new(10, 100);
/// A command that takes a good part of a second.
pub(crate) const SLOW_RUNS: Times = Times::new(1, 10);
pub(crate) const SCRAPES: Times = Times::new(20, 200);
pub(crate) const STARTS: Times = Times::new(1, 20);

/// The numbers above, for the head of a table.
pub(crate) fn samples(scale: &Scale) -> String {
    let all = [
        ("round trips", TRIPS),
        ("pipelined trips", PIPELINED_TRIPS),
        ("kills", KILLS),
        ("kills of supervisord", SLOW_KILLS),
        ("failures", FAILURES),
        ("asks in a storm", STORM_ASKS),
        ("runs of a command", RUNS),
        ("of supervisorctl", SLOW_RUNS),
        ("scrapes", SCRAPES),
        ("starts", STARTS),
    ];
    let told = all.map(|(what, times)| {
        let times = times.of(scale);
        format!("{what} {} after {}", times.recorded, times.unrecorded)
    });
    told.join(", ")
}
