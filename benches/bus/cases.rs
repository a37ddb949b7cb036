//! What is measured, in which order, and how often.

use std::time::{Duration, Instant};

use tempfile::TempDir;
use triarch_benches::case::{Case, DELIVERIES, Entry, GROWTH, MICROS, NANOS, RECORDS, Scale};
use triarch_benches::machine::cpu_time;
use triarch_benches::server::version;

use crate::channels::{self, Broadcast, Flumes};
use crate::progress::Before;
use crate::{durable, matching, remote, triarch};

/// From the call that publishes until the only subscriber's handler has the envelope, 1,000 times a second.
const HANDLER: [Case; 2] = [Case::new("handler_p50", MICROS), Case::new("handler_p95", MICROS)];
/// The same one after the other, each published once the one before it is handled.
const NEXT: [Case; 2] = [Case::new("next_p50", MICROS), Case::new("next_p95", MICROS)];
/// Envelopes handled a second by so many subscribers together, of one publisher; and the processor time of this process for each,
/// which others that use the machine change little. Where a server does a part of the work its time is not in it.
const FAN_OUT_1: [Case; 2] = [Case::new("fan_out_1", DELIVERIES), Case::new("fan_out_1_cpu", NANOS)];
/// See [`FAN_OUT_1`].
const FAN_OUT_8: [Case; 2] = [Case::new("fan_out_8", DELIVERIES), Case::new("fan_out_8_cpu", NANOS)];
/// See [`FAN_OUT_1`].
const FAN_OUT_64: [Case; 2] = [Case::new("fan_out_64", DELIVERIES), Case::new("fan_out_64_cpu", NANOS)];
/// Publications a second that are acknowledged, and so on disk, of one publisher that waits for each.
const DURABLE_1: [Case; 1] = [Case::new("durable_1", RECORDS)];
/// The same of 64.
const DURABLE_64: [Case; 1] = [Case::new("durable_64", RECORDS)];
/// The same of 1,024.
const DURABLE_1024: [Case; 1] = [Case::new("durable_1024", RECORDS)];
/// To find the subscription to a topic.
const MATCH_EXACT_100K: [Case; 1] = [Case::new("match_exact_100k", NANOS)];
/// The same by patterns with wildcards.
const MATCH_PATTERNS_10K: [Case; 1] = [Case::new("match_patterns_10k", NANOS)];
/// A publication on a topic that is new, among 100,000 subscriptions.
const PUBLISH_FIRST_100K: [Case; 1] = [Case::new("publish_first_100k", NANOS)];
/// What a publication takes with eight live subscribers, with seven and one that has stalled, and what that one keeps.
const STALLED: [Case; 5] = [
    Case::new("publish_live_p50", NANOS),
    Case::new("publish_live_p99", NANOS),
    Case::new("publish_stalled_p50", NANOS),
    Case::new("publish_stalled_p99", NANOS),
    Case::new("stalled_growth", GROWTH),
];

pub(crate) const ORDER: &[&str] = &[
    "handler_p50",
    "handler_p95",
    "next_p50",
    "next_p95",
    "fan_out_1",
    "fan_out_1_cpu",
    "fan_out_8",
    "fan_out_8_cpu",
    "fan_out_64",
    "fan_out_64_cpu",
    "durable_1",
    "durable_64",
    "durable_1024",
    "match_exact_100k",
    "match_patterns_10k",
    "publish_first_100k",
    "publish_live_p50",
    "publish_live_p99",
    "publish_stalled_p50",
    "publish_stalled_p99",
    "stalled_growth",
];

/// A process of its own, spoken to over a socket, as the next ones are.
const NATS: &str = "nats_socket";
const REDIS: &str = "redis_socket";
/// With files that are synced later.
const JETSTREAM: &str = "jetstream";

/// The subjects in the order in which each round runs them.
pub(crate) const SUBJECTS: &[&str] = &[
    "triarch",
    "triarch_named",
    "broadcast",
    "flume",
    NATS,
    REDIS,
    JETSTREAM,
    "redis_stream",
];

/// The subject the others are compared with.
pub(crate) const REFERENCE: &str = "triarch";

pub(crate) fn entries() -> Vec<Entry> {
    let of_all = [of_handlers(), of_fans(), of_logs(), of_tables(), over_sockets()].concat();
    let is_there = |entry: &Entry| server_of(entry.subject).is_none_or(|server| version(server).is_some());
    of_all.into_iter().filter(is_there).collect()
}

/// The server that a subject needs.
fn server_of(subject: &str) -> Option<&'static str> {
    match subject {
        NATS | JETSTREAM => Some("nats-server"),
        REDIS | "redis_stream" => Some("redis-server"),
        _ => None,
    }
}

fn of_handlers() -> Vec<Entry> {
    vec![
        Entry::here("triarch", &HANDLER, |scale| triarch::handler(calm(scale), PACED)),
        Entry::here("triarch", &NEXT, |scale| triarch::handler(scale.asks, Before::Handled)),
        Entry::here("broadcast", &NEXT, |scale| {
            channels::handler::<Broadcast>(scale.asks, Before::Handled)
        }),
        Entry::here("flume", &NEXT, |scale| {
            channels::handler::<Flumes>(scale.asks, Before::Handled)
        }),
        Entry::here("broadcast", &HANDLER, |scale| {
            channels::handler::<Broadcast>(calm(scale), PACED)
        }),
        Entry::here("flume", &HANDLER, |scale| {
            channels::handler::<Flumes>(calm(scale), PACED)
        }),
    ]
}

fn of_fans() -> Vec<Entry> {
    vec![
        Entry::here("triarch", &FAN_OUT_1, |scale| triarch::fan_out(1, count(scale, 1))),
        Entry::here("triarch", &FAN_OUT_8, |scale| triarch::fan_out(8, count(scale, 8))),
        Entry::here("triarch", &FAN_OUT_64, |scale| triarch::fan_out(64, count(scale, 64))),
        Entry::here("triarch_named", &FAN_OUT_1, |scale| {
            triarch::fan_out_named(1, count(scale, 1))
        }),
        Entry::here("triarch_named", &FAN_OUT_8, |scale| {
            triarch::fan_out_named(8, count(scale, 8))
        }),
        Entry::here("broadcast", &FAN_OUT_1, |scale| {
            channels::fan_out::<Broadcast>(1, count(scale, 1))
        }),
        Entry::here("broadcast", &FAN_OUT_8, |scale| {
            channels::fan_out::<Broadcast>(8, count(scale, 8))
        }),
        Entry::here("broadcast", &FAN_OUT_64, |scale| {
            channels::fan_out::<Broadcast>(64, count(scale, 64))
        }),
        Entry::here("flume", &FAN_OUT_1, |scale| {
            channels::fan_out::<Flumes>(1, count(scale, 1))
        }),
        Entry::here("flume", &FAN_OUT_8, |scale| {
            channels::fan_out::<Flumes>(8, count(scale, 8))
        }),
        Entry::here("flume", &FAN_OUT_64, |scale| {
            channels::fan_out::<Flumes>(64, count(scale, 64))
        }),
    ]
}

fn of_logs() -> Vec<Entry> {
    vec![
        Entry::here("triarch", &DURABLE_1, |scale| durable::ours(1, alone(scale))),
        Entry::here("triarch", &DURABLE_64, |scale| durable::ours(64, each(scale))),
        Entry::here("triarch", &DURABLE_1024, |scale| durable::ours(1_024, each(scale))),
        Entry::here(JETSTREAM, &DURABLE_1, |scale| durable::jetstream(1, alone(scale))),
        Entry::here(JETSTREAM, &DURABLE_64, |scale| durable::jetstream(64, each(scale))),
        Entry::here(JETSTREAM, &DURABLE_1024, |scale| durable::jetstream(1_024, each(scale))),
        Entry::here("redis_stream", &DURABLE_1, |scale| durable::redis(1, alone(scale))),
        Entry::here("redis_stream", &DURABLE_64, |scale| durable::redis(64, each(scale))),
        Entry::here("redis_stream", &DURABLE_1024, |scale| {
            durable::redis(1_024, each(scale))
        }),
    ]
}

fn over_sockets() -> Vec<Entry> {
    vec![
        Entry::here(NATS, &HANDLER, |scale| remote::handler_nats(calm(scale))),
        Entry::here(NATS, &FAN_OUT_1, |scale| remote::fan_out_nats(1, count(scale, 1))),
        Entry::here(NATS, &FAN_OUT_8, |scale| remote::fan_out_nats(8, count(scale, 8))),
        Entry::here(NATS, &FAN_OUT_64, |scale| remote::fan_out_nats(64, count(scale, 64))),
        Entry::here(REDIS, &HANDLER, |scale| remote::handler_redis(calm(scale))),
        Entry::here(REDIS, &FAN_OUT_1, |scale| remote::fan_out_redis(1, count(scale, 1))),
        Entry::here(REDIS, &FAN_OUT_8, |scale| remote::fan_out_redis(8, count(scale, 8))),
        Entry::here(REDIS, &FAN_OUT_64, |scale| remote::fan_out_redis(64, count(scale, 64))),
    ]
}

fn of_tables() -> Vec<Entry> {
    vec![
        Entry::here("triarch", &MATCH_EXACT_100K, |scale| {
            matching::match_exact(many(scale), 10 * many(scale))
        }),
        Entry::here("triarch", &MATCH_PATTERNS_10K, |scale| {
            matching::match_patterns(many(scale) / 10, 10 * many(scale))
        }),
        Entry::here("triarch", &PUBLISH_FIRST_100K, |scale| {
            matching::first_publication(many(scale))
        }),
        Entry::child("triarch", &STALLED, |scale| triarch::stalled(2 * scale.asks)),
    ]
}

/// Between two publications under light load.
pub(crate) const PACE: Duration = Duration::from_millis(1);
const PACED: Before = Before::Pause(PACE);

/// Publications under light load that are timed.
const fn calm(scale: &Scale) -> u64 {
    if scale.is_quick { 200 } else { 2_000 }
}

/// With those before them, which are not.
pub(crate) const fn paced(count: u64) -> u64 {
    count + count / 10
}

/// Publications for as many deliveries, whatever the width.
const fn count(scale: &Scale, width: u64) -> u64 {
    2 * scale.messages / if width < 4 { 4 } else { width }
}

/// Publications of one publisher alone, each with a sync of its own.
const fn alone(scale: &Scale) -> u64 {
    if scale.is_quick { 40 } else { 800 }
}

/// Publications of each of many.
const fn each(scale: &Scale) -> u64 {
    if scale.is_quick { 4 } else { 100 }
}

/// On the disk where the target folder is: a folder for what is temporary may lie in memory.
pub(crate) fn folder() -> TempDir {
    tempfile::tempdir_in(env!("CARGO_TARGET_TMPDIR")).expect("a folder can be made")
}

const fn many(scale: &Scale) -> usize {
    if scale.is_quick { 10_000 } else { 100_000 }
}

/// When deliveries began.
pub(crate) struct Begun {
    at: Instant,
    cpu: Duration,
}

impl Begun {
    pub(crate) fn now() -> Self {
        Self {
            at: Instant::now(),
            cpu: cpu_time(),
        }
    }

    /// Deliveries of so many to so many a second, and the processor's nanoseconds for each.
    pub(crate) fn deliveries(&self, width: usize, count: u64) -> Vec<f64> {
        let deliveries = width as f64 * count as f64;
        let cpu = cpu_time().saturating_sub(self.cpu).as_nanos() as f64;
        vec![deliveries / self.at.elapsed().as_secs_f64(), cpu / deliveries]
    }
}

/// So many a second, since then.
pub(crate) fn published(publishers: usize, each: u64, begun: Instant) -> Vec<f64> {
    vec![publishers as f64 * each as f64 / begun.elapsed().as_secs_f64()]
}
