//! A million entries: how soon they are back after a start, and what readers and writers feel while they are written down.

use std::fs::File;
use std::path::Path;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::Instant;

use triarch_benches::figure::percentiles;
use triarch_benches::runtime::on_two_workers;
use triarch_memory::Durability;

use crate::durable::{fill, folder};
use crate::house::{Ours, open, without_snapshots};
use crate::shelf::{Random, Shelf};

/// So many write at a time where it is only about what there is afterwards.
const WRITERS: usize = 1_024;

/// From the start of a tree until its room answers for all entries: from records alone, each of one write, and from a
/// snapshot.
pub(crate) fn back(count: usize) -> Vec<f64> {
    let folder = folder();
    let path = folder.path().to_owned();
    on_two_workers(async move {
        let house = open(Durability::Journal, Some(&path), without_snapshots()).await;
        fill(&house.drawer(), count, WRITERS).await;
        house.tree.stop().await;
    });
    let of_records = start(folder.path(), count, true);
    let of_snapshot = start(folder.path(), count, false);
    drop(folder);
    vec![of_records, of_snapshot]
}

fn start(path: &Path, count: usize, compacts: bool) -> f64 {
    let path = path.to_owned();
    on_two_workers(async move {
        let begun = Instant::now();
        let house = open(Durability::Journal, Some(&path), without_snapshots()).await;
        let extent = house.drawer().extent().expect("open to all");
        let seconds = begun.elapsed().as_secs_f64();
        assert_eq!(extent.entries, count as u64);
        if compacts {
            let runtime = house.client.named(triarch_memory::Identity::system());
            runtime.compact().await.expect("a snapshot");
        }
        house.tree.stop().await;
        seconds
    })
}

/// The p99 of a read while nothing else goes on, and while a backup is written, with the longest write meanwhile.
pub(crate) fn back_up(count: usize) -> Vec<f64> {
    let shelf = Ours::full(count);
    let idle = read_until(&shelf, count, &AtomicBool::new(true));
    let (is_over, folder) = (AtomicBool::new(false), folder());
    let to = File::options()
        .read(true)
        .write(true)
        .create_new(true)
        .open(folder.path().join("backup"))
        .expect("a file");
    let (reads, longest) = thread::scope(|scope| {
        let reading = scope.spawn(|| read_until(&shelf, count, &is_over));
        let writing = scope.spawn(|| write_until(&shelf, count, &is_over));
        let runtime = shelf.house.client.named(triarch_memory::Identity::system());
        let written = shelf.runtime.block_on(runtime.back_up(to)).expect("a backup");
        assert_eq!(written.entries, count as u64);
        is_over.store(true, Ordering::Relaxed);
        (reading.join().expect("right answers"), writing.join().expect("room"))
    });
    let [idle, busy] = [idle, reads].map(|nanos| percentiles(nanos, [99], 1.0)[0]);
    vec![idle, busy, longest]
}

/// Reads of any key, one by one, at least a fifth of a million.
fn read_until(shelf: &Ours, keys: usize, is_over: &AtomicBool) -> Vec<u64> {
    let (mut random, mut nanos) = (Random::new(3), Vec::with_capacity(1 << 24));
    while nanos.len() < 200_000 || !is_over.load(Ordering::Relaxed) {
        let n = random.below(keys);
        let begun = Instant::now();
        assert_eq!(shelf.get(n), n as u64);
        nanos.push(u64::try_from(begun.elapsed().as_nanos()).unwrap_or(u64::MAX));
    }
    nanos
}

/// The longest of many overwrites, in milliseconds.
fn write_until(shelf: &Ours, keys: usize, is_over: &AtomicBool) -> f64 {
    let (mut random, mut longest) = (Random::new(4), 0.0);
    while !is_over.load(Ordering::Relaxed) {
        let n = random.below(keys);
        let begun = Instant::now();
        shelf.put(n);
        longest = f64::max(longest, begun.elapsed().as_secs_f64() * 1e3);
    }
    longest
}
