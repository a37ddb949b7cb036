//! What is measured, in which order, and how often.

use std::sync::atomic::{AtomicU64, Ordering};
use std::thread;
use std::time::Instant;

use tempfile::TempDir;
use triarch_benches::case::{BYTES_OF_TASK, Case, Entry, MICROS, MILLIS, RECORDS, SECONDS, Scale, TASKS};
use triarch_benches::server::version;

use crate::tasks::cycle::{self, Cycles};
use crate::tasks::waiting;
use crate::{bare, journal, queue_table, redb, remote, sqlite};

pub(crate) const RECORD: [u8; 200] = [7; 200];

/// What comes of a task.
pub(crate) const RESULT: &[u8] = b"built";

/// Who has a thread of its own, where several write to a subject that commits for each of them: more wait for the same lock,
/// and no more gets done.
pub(crate) const THREADS: usize = 8;

/// Records a second of one writer that waits for each.
const APPEND_1: [Case; 1] = [Case::new("append_1", RECORDS)];
/// Records a second of 32 writers, each of which waits for each of its own.
const APPEND_32: [Case; 1] = [Case::new("append_32", RECORDS)];
/// The same of 1,024.
const APPEND_1024: [Case; 1] = [Case::new("append_1024", RECORDS)];
/// The time to open and to read 1,000,000 records, with warm caches.
const RECOVER_1M: [Case; 1] = [Case::new("recover_1m", SECONDS)];

/// Tasks a second that are submitted, claimed and done by one party that waits for each answer.
const TASK_CYCLE_1: [Case; 1] = [Case::new("task_cycle_1", TASKS)];
/// The same of 64 parties.
const TASK_CYCLE_64: [Case; 1] = [Case::new("task_cycle_64", TASKS)];
/// The same in batches of 32.
const TASK_CYCLE_BATCHED: [Case; 1] = [Case::new("task_cycle_batched", TASKS)];
/// A claim while 1,000,000 tasks wait, without a sync; and what each of those keeps resident beside its body.
const TASK_CLAIM_1M: [Case; 3] = [
    Case::new("task_claim_1m_p50", MICROS),
    Case::new("task_claim_1m_p99", MICROS),
    Case::new("task_pending_1m", BYTES_OF_TASK),
];
/// The same of a subject of which nothing else is measured.
const TASK_CLAIM_1M_ONLY: [Case; 2] = [TASK_CLAIM_1M[0], TASK_CLAIM_1M[1]];
/// The same, and for how long the queue does nothing else while it makes a snapshot of all of them.
const TASK_DECIDE_1M: [Case; 3] = [
    TASK_CLAIM_1M[0],
    TASK_CLAIM_1M[1],
    Case::new("task_snapshot_1m", MILLIS),
];
/// From the start of a tree until its room answers for 1,000,000 tasks that wait.
const TASK_RECOVER_1M: [Case; 1] = [Case::new("task_recover_1m", SECONDS)];
/// The same from records alone, without a snapshot.
const TASK_REPLAY_1M: [Case; 1] = [Case::new("task_replay_1m", SECONDS)];

pub(crate) const ORDER: &[&str] = &[
    "append_1",
    "append_32",
    "append_1024",
    "recover_1m",
    "task_cycle_1",
    "task_cycle_64",
    "task_cycle_batched",
    "task_claim_1m_p50",
    "task_claim_1m_p99",
    "task_pending_1m",
    "task_snapshot_1m",
    "task_recover_1m",
    "task_replay_1m",
];

/// A process of its own, asked over a socket, as the next one is.
const REDIS: &str = "redis_socket";
const JETSTREAM: &str = "jetstream_socket";

/// The subjects in the order in which each round runs them.
pub(crate) const SUBJECTS: &[&str] = &[
    "triarch",
    "machine",
    "fdatasync",
    "redb",
    "sqlite",
    "sqlite_8",
    REDIS,
    JETSTREAM,
];

/// The subject the others are compared with.
pub(crate) const REFERENCE: &str = "redb";
/// The same of tasks.
pub(crate) const REFERENCE_OF_TASKS: &str = "sqlite";

pub(crate) fn is_of_tasks(case: &str) -> bool {
    case.starts_with("task_")
}

pub(crate) fn entries() -> Vec<Entry> {
    [of_records(), of_cycles(), of_servers(), of_tasks_that_wait()].concat()
}

/// Those that are on the path.
fn of_servers() -> Vec<Entry> {
    let redis = [
        Entry::here(REDIS, &TASK_CYCLE_1, |scale| remote::redis(alone_for(scale))),
        Entry::here(REDIS, &TASK_CYCLE_64, |scale| remote::redis(parties(scale, 1))),
        Entry::here(REDIS, &TASK_CYCLE_BATCHED, |scale| remote::redis(parties(scale, BATCH))),
    ];
    let jetstream = [
        Entry::here(JETSTREAM, &TASK_CYCLE_1, |scale| remote::jetstream(alone_for(scale))),
        Entry::here(JETSTREAM, &TASK_CYCLE_64, |scale| remote::jetstream(parties(scale, 1))),
        Entry::here(JETSTREAM, &TASK_CYCLE_BATCHED, |scale| {
            remote::jetstream(parties(scale, BATCH))
        }),
    ];
    let is_there = |server: &str| version(server).is_some();
    let redis = redis.into_iter().filter(|_| is_there("redis-server"));
    redis
        .chain(jetstream.into_iter().filter(|_| is_there("nats-server")))
        .collect()
}

fn of_records() -> Vec<Entry> {
    vec![
        Entry::here("triarch", &APPEND_1, |scale| journal::append(alone(scale), 1)),
        Entry::here("triarch", &APPEND_32, |scale| journal::append(gathered(scale, 32), 32)),
        Entry::here("triarch", &APPEND_1024, |scale| {
            journal::append(gathered(scale, 1_024), 1_024)
        }),
        Entry::here("triarch", &RECOVER_1M, |scale| journal::recover(million(scale))),
        Entry::here("fdatasync", &APPEND_1, |scale| bare::append(alone(scale))),
        Entry::here("redb", &APPEND_1, |scale| redb::append(alone(scale), 1)),
        Entry::here("redb", &APPEND_32, |scale| redb::append(alone(scale), THREADS)),
        Entry::here("redb", &APPEND_1024, |scale| redb::append(alone(scale), THREADS)),
        Entry::here("redb", &RECOVER_1M, |scale| redb::recover(million(scale))),
        Entry::here("sqlite", &APPEND_1, |scale| sqlite::append(alone(scale), 1)),
        Entry::here("sqlite", &APPEND_32, |scale| sqlite::append(alone(scale), THREADS)),
        Entry::here("sqlite", &APPEND_1024, |scale| sqlite::append(alone(scale), THREADS)),
        Entry::here("sqlite", &RECOVER_1M, |scale| sqlite::recover(million(scale))),
    ]
}

fn of_cycles() -> Vec<Entry> {
    vec![
        Entry::here("triarch", &TASK_CYCLE_1, |scale| cycle::cycle(alone_for(scale))),
        Entry::here("fdatasync", &TASK_CYCLE_1, |scale| {
            bare::cycle(alone_for(scale).tasks())
        }),
        Entry::here("sqlite", &TASK_CYCLE_1, |scale| queue_table::cycle(alone_for(scale), 1)),
        Entry::here("triarch", &TASK_CYCLE_64, |scale| cycle::cycle(parties(scale, 1))),
        Entry::here("sqlite", &TASK_CYCLE_64, |scale| {
            queue_table::cycle(threads(scale, 1), 1)
        }),
        Entry::here("sqlite_8", &TASK_CYCLE_64, |scale| {
            queue_table::cycle(threads(scale, 1), THREADS)
        }),
        Entry::here("triarch", &TASK_CYCLE_BATCHED, |scale| {
            cycle::cycle(parties(scale, BATCH))
        }),
        Entry::here("sqlite", &TASK_CYCLE_BATCHED, |scale| {
            queue_table::cycle(threads(scale, BATCH), 1)
        }),
        Entry::here("sqlite_8", &TASK_CYCLE_BATCHED, |scale| {
            queue_table::cycle(threads(scale, BATCH), THREADS)
        }),
    ]
}

fn of_tasks_that_wait() -> Vec<Entry> {
    vec![
        Entry::child("triarch", &TASK_CLAIM_1M, |scale| waiting::claim(pending(scale))),
        Entry::child("machine", &TASK_DECIDE_1M, |scale| waiting::decide(pending(scale))),
        Entry::child("sqlite", &TASK_CLAIM_1M_ONLY, |scale| {
            queue_table::claim_pending(pending(scale))
        }),
        Entry::child("triarch", &TASK_RECOVER_1M, |scale| waiting::recover(million(scale))),
        Entry::child("triarch", &TASK_REPLAY_1M, |scale| waiting::replay(million(scale))),
    ]
}

/// Tasks of a batch.
const BATCH: usize = 32;

const fn alone_for(scale: &Scale) -> Cycles {
    Cycles {
        parties: 1,
        batch: 1,
        times: if scale.is_quick { 20 } else { 400 },
    }
}

/// Where many share a sync.
const fn parties(scale: &Scale, batch: usize) -> Cycles {
    Cycles {
        parties: 64,
        batch,
        times: if scale.is_quick { 4 } else { 100 },
    }
}

/// Where each commit takes a sync of its own.
const fn threads(scale: &Scale, batch: usize) -> Cycles {
    Cycles {
        parties: THREADS,
        batch,
        times: if scale.is_quick { 2 } else { 50 },
    }
}

/// Tasks that wait, and claims that are timed one after the other, after a tenth as many unrecorded.
#[derive(Clone, Copy)]
pub(crate) struct Pending {
    pub(crate) tasks: usize,
    pub(crate) claims: usize,
}

impl Pending {
    pub(crate) const fn all_claims(self) -> usize {
        self.claims / 10 + self.claims
    }

    /// The `n`-th claim was asked for then, and is had now.
    pub(crate) fn claimed(self, n: usize, asked: Instant, tasks: usize, nanos: &mut Vec<u64>) {
        let elapsed = asked.elapsed();
        assert_eq!(tasks, 1, "claim {n} got no task");
        if n >= self.claims / 10 {
            nanos.push(u64::try_from(elapsed.as_nanos()).unwrap_or(u64::MAX));
        }
    }
}

const fn pending(scale: &Scale) -> Pending {
    Pending {
        tasks: million(scale),
        claims: if scale.is_quick { 500 } else { 10_000 },
    }
}

/// Records where each takes a sync of its own.
const fn alone(scale: &Scale) -> usize {
    if scale.is_quick { 80 } else { 1_600 }
}

/// Records where many share a sync.
const fn gathered(scale: &Scale, writers: usize) -> usize {
    writers * if scale.is_quick { 4 } else { 200 }
}

const fn million(scale: &Scale) -> usize {
    if scale.is_quick { 10_000 } else { 1_000_000 }
}

/// On the disk where the target folder is: a folder for what is temporary may lie in memory.
pub(crate) fn folder() -> TempDir {
    tempfile::tempdir_in(env!("CARGO_TARGET_TMPDIR")).expect("a folder can be made")
}

/// So many a second, since then.
pub(crate) fn rate(count: usize, begun: Instant) -> Vec<f64> {
    vec![count as f64 / begun.elapsed().as_secs_f64()]
}

/// Writes so many records from several threads, each by one call with its number.
pub(crate) fn by_threads(count: usize, threads: usize, write: impl Fn(u64) + Sync) -> Vec<f64> {
    let next = AtomicU64::new(0);
    let begun = Instant::now();
    thread::scope(|scope| {
        for _ in 0..threads {
            scope.spawn(|| {
                for _ in 0..count / threads {
                    write(next.fetch_add(1, Ordering::Relaxed));
                }
            });
        }
    });
    rate(count / threads * threads, begun)
}
