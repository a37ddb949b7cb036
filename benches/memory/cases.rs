//! What is measured, in which order, and how often.

use triarch_benches::case::{Case, Entry, MILLIS, NANOS, RECORDS, SECONDS, Scale};
use triarch_benches::server;

use crate::durable::Load;
use crate::house::Ours;
use crate::peers::{Dash, Moka, Papaya};
use crate::{crowd, durable, large, redis};

const BYTES_OF_ENTRY: &str = "B/entry";

/// One thread: one key again and again, any of 100,000, and overwrites of any.
const ALONE: [Case; 3] = [
    Case::new("read_hot", NANOS),
    Case::new("read_any", NANOS),
    Case::new("overwrite", NANOS),
];
/// One thread: keys that are not there yet.
const INSERT: [Case; 1] = [Case::new("insert", NANOS)];
/// Eight readers and eight writers on any of 100,000 keys, each call timed.
const CONTEND: [Case; 4] = [
    Case::new("contend_read_p50", NANOS),
    Case::new("contend_read_p99", NANOS),
    Case::new("contend_overwrite_p50", NANOS),
    Case::new("contend_overwrite_p99", NANOS),
];
/// What each of 1,000,000 keeps resident beside its value.
const RESIDENT: [Case; 1] = [Case::new("resident_1m", BYTES_OF_ENTRY)];
/// Another process behind a socket, one by one and in rows of 64.
const SOCKET: [Case; 4] = [
    Case::new("socket_get", NANOS),
    Case::new("socket_set", NANOS),
    Case::new("socket_get_64", NANOS),
    Case::new("socket_set_64", NANOS),
];
/// Writes a second that would outlive a power cut, of so many who wait for each of theirs.
const DURABLE_1: [Case; 1] = [Case::new("durable_1", RECORDS)];
const DURABLE_64: [Case; 1] = [Case::new("durable_64", RECORDS)];
const DURABLE_1024: [Case; 1] = [Case::new("durable_1024", RECORDS)];
/// From the start of a tree until its room answers for 1,000,000 entries.
const RETURN_1M: [Case; 2] = [
    Case::new("return_1m_records", SECONDS),
    Case::new("return_1m_snapshot", SECONDS),
];
/// Reads of 1,000,000 entries, beside nothing and beside a backup and a writer; and the longest write.
const BACKUP_1M: [Case; 3] = [
    Case::new("read_idle_p99", NANOS),
    Case::new("read_backup_p99", NANOS),
    Case::new("backup_write_max", MILLIS),
];

pub(crate) const ORDER: &[&str] = &[
    "read_hot",
    "read_any",
    "overwrite",
    "insert",
    "contend_read_p50",
    "contend_read_p99",
    "contend_overwrite_p50",
    "contend_overwrite_p99",
    "resident_1m",
    "socket_get",
    "socket_set",
    "socket_get_64",
    "socket_set_64",
    "durable_1",
    "durable_64",
    "durable_1024",
    "return_1m_records",
    "return_1m_snapshot",
    "read_idle_p99",
    "read_backup_p99",
    "backup_write_max",
];

/// The subjects in the order in which each round runs them.
pub(crate) const SUBJECTS: &[&str] = &[
    "triarch",
    "papaya",
    "dashmap",
    "moka",
    "redis",
    "redb",
    "redb_batched",
    "sqlite",
    "sqlite_batched",
];

/// The subject the others are compared with.
pub(crate) const REFERENCE: &str = "triarch";

pub(crate) fn entries() -> Vec<Entry> {
    let mut all = [of_maps(), of_disks(), of_millions()].concat();
    if server::version("redis-server").is_some() {
        all.push(Entry::here("redis", &SOCKET, redis::measure));
    }
    all
}

fn of_maps() -> Vec<Entry> {
    vec![
        Entry::here("triarch", &ALONE, crowd::alone::<Ours>),
        Entry::here("papaya", &ALONE, crowd::alone::<Papaya>),
        Entry::here("dashmap", &ALONE, crowd::alone::<Dash>),
        Entry::here("moka", &ALONE, crowd::alone::<Moka>),
        Entry::here("triarch", &INSERT, crowd::insert::<Ours>),
        Entry::here("papaya", &INSERT, crowd::insert::<Papaya>),
        Entry::here("dashmap", &INSERT, crowd::insert::<Dash>),
        Entry::here("moka", &INSERT, crowd::insert::<Moka>),
        Entry::here("triarch", &CONTEND, crowd::contend::<Ours>),
        Entry::here("papaya", &CONTEND, crowd::contend::<Papaya>),
        Entry::here("dashmap", &CONTEND, crowd::contend::<Dash>),
        Entry::here("moka", &CONTEND, crowd::contend::<Moka>),
        Entry::child("triarch", &RESIDENT, crowd::resident::<Ours>),
        Entry::child("papaya", &RESIDENT, crowd::resident::<Papaya>),
        Entry::child("dashmap", &RESIDENT, crowd::resident::<Dash>),
        Entry::child("moka", &RESIDENT, crowd::resident::<Moka>),
    ]
}

fn of_disks() -> Vec<Entry> {
    vec![
        Entry::here("triarch", &DURABLE_1, |scale| durable::ours(each(scale, 1))),
        Entry::here("redb", &DURABLE_1, |scale| durable::redb(each(scale, 1))),
        Entry::here("sqlite", &DURABLE_1, |scale| durable::sqlite(each(scale, 1))),
        Entry::here("triarch", &DURABLE_64, |scale| durable::ours(shared(scale, 64))),
        Entry::here("redb", &DURABLE_64, |scale| durable::redb(each(scale, 64))),
        Entry::here("redb_batched", &DURABLE_64, |scale| {
            durable::redb_batched(shared(scale, 64))
        }),
        Entry::here("sqlite", &DURABLE_64, |scale| durable::sqlite(each(scale, 64))),
        Entry::here("sqlite_batched", &DURABLE_64, |scale| {
            durable::sqlite_batched(shared(scale, 64))
        }),
        Entry::here("triarch", &DURABLE_1024, |scale| durable::ours(shared(scale, 1_024))),
        Entry::here("redb", &DURABLE_1024, |scale| durable::redb(each(scale, 1_024))),
        Entry::here("redb_batched", &DURABLE_1024, |scale| {
            durable::redb_batched(shared(scale, 1_024))
        }),
        Entry::here("sqlite", &DURABLE_1024, |scale| durable::sqlite(each(scale, 1_024))),
        Entry::here("sqlite_batched", &DURABLE_1024, |scale| {
            durable::sqlite_batched(shared(scale, 1_024))
        }),
    ]
}

fn of_millions() -> Vec<Entry> {
    vec![
        Entry::child("triarch", &RETURN_1M, |scale| large::back(million(scale))),
        Entry::child("triarch", &BACKUP_1M, |scale| large::back_up(million(scale))),
    ]
}

/// Where each write takes a sync of its own.
const fn each(scale: &Scale, writers: usize) -> Load {
    let count = if scale.is_quick { 40 } else { 1_000 };
    Load { writers, count }
}

/// Where many share a sync.
const fn shared(scale: &Scale, writers: usize) -> Load {
    let count = writers * if scale.is_quick { 4 } else { 100 };
    Load { writers, count }
}

const fn million(scale: &Scale) -> usize {
    if scale.is_quick { 20_000 } else { 1_000_000 }
}
