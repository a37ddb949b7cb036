//! What is measured, in which order, and how often.

use std::sync::atomic::{AtomicU64, Ordering};
use std::thread;
use std::time::Instant;

use tempfile::TempDir;
use triarch_benches::case::{Case, Entry, RECORDS, SECONDS, Scale};

use crate::{bare, journal, redb, sqlite};

pub(crate) const RECORD: [u8; 200] = [7; 200];

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

pub(crate) const ORDER: &[&str] = &["append_1", "append_32", "append_1024", "recover_1m"];

/// The subjects in the order in which each round runs them.
pub(crate) const SUBJECTS: &[&str] = &["triarch", "fdatasync", "redb", "sqlite"];

/// The subject the others are compared with.
pub(crate) const REFERENCE: &str = "redb";

pub(crate) fn entries() -> Vec<Entry> {
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
