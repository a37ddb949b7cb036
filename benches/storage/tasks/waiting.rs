//! Tasks that wait: what a claim takes among them, what they keep resident, and how soon they are back.

use std::path::Path;
use std::sync::Arc;
use std::time::Instant;

use triarch_benches::figure::percentiles;
use triarch_benches::machine::resident_bytes;
use triarch_benches::runtime::on_two_workers;
use triarch_journal::RealDisk;
use triarch_supervision::clock::Seeded;
use triarch_work::TaskAddress;
use triarch_work::config::Config;
use triarch_work::machine::{Tasks, Turn};
use triarch_work::time::TaskTime;
use triarch_work::words::Worker;

use super::house::{House, open, request, task};
use super::unsynced::Unsynced;
use crate::cases::{Pending, RECORD, folder};

/// So many are submitted at a time, one batch after the other.
const BATCH: usize = 1_000;

/// A journal without a snapshot in the middle of what is measured.
fn without_snapshots() -> Config {
    Config {
        snapshot_after: usize::MAX,
        ..Config::default()
    }
}

async fn unsynced(path: &Path, config: Config) -> House {
    let disk = RealDisk::at(path).expect("a folder");
    open(Arc::new(Unsynced(disk)), config).await
}

async fn fill(tasks: &TaskAddress, count: usize) {
    for _ in 0..count / BATCH {
        tasks.submit(vec![task(); BATCH]).await.expect("there is room");
    }
}

/// A claim through the room, over a disk that does not sync; and what each task that waits keeps resident beside its body.
pub(crate) fn claim(pending: Pending) -> Vec<f64> {
    let folder = folder();
    let path = folder.path().to_owned();
    let figures = on_two_workers(async move {
        let house = unsynced(&path, without_snapshots()).await;
        let before = resident_bytes();
        fill(&house.tasks, pending.tasks).await;
        let kept = resident_bytes().saturating_sub(before) as f64 / pending.tasks as f64;
        let mut nanos = Vec::with_capacity(pending.claims);
        for n in 0..pending.all_claims() {
            let asked = Instant::now();
            let claims = house.tasks.claim(request(0, 1)).await.expect("a claim");
            pending.claimed(n, asked, claims.len(), &mut nanos);
        }
        house.tree.stop().await;
        let mut figures = percentiles(nanos, [50, 99], 1e3);
        figures.push(kept - RECORD.len() as f64);
        figures
    });
    drop(folder);
    figures
}

/// A claim as the machine decides it, with no agent and no journal; and a snapshot, which holds up the agent whose machine it is.
pub(crate) fn decide(pending: Pending) -> Vec<f64> {
    let (mut tasks, worker) = (Tasks::new(Config::default()), Worker::new("team/0").expect("a name"));
    let mut turn = Turn::new(TaskTime::from_millis(1_000), Seeded::new(1));
    for _ in 0..pending.tasks / BATCH {
        tasks.submit(&mut turn, vec![task(); BATCH]).expect("there is room");
        turn.records.clear();
        turn.events.clear();
    }
    let mut nanos = Vec::with_capacity(pending.claims);
    for n in 0..pending.all_claims() {
        let asked = Instant::now();
        let claims = tasks.claim(&mut turn, &worker, &[], 1, None).expect("a claim");
        pending.claimed(n, asked, claims.len(), &mut nanos);
        turn.records.clear();
        turn.events.clear();
    }
    let mut figures = percentiles(nanos, [50, 99], 1e3);
    let begun = Instant::now();
    let image = tasks.image();
    figures.push(begun.elapsed().as_secs_f64() * 1e3);
    let snapshot = image.encode().expect("a snapshot");
    assert!(snapshot.len() > pending.tasks * RECORD.len());
    figures
}

/// From the start of a tree until its room answers for all tasks, with snapshots as configured by default.
pub(crate) fn recover(count: usize) -> Vec<f64> {
    back(count, Config::default)
}

/// The same from records alone.
pub(crate) fn replay(count: usize) -> Vec<f64> {
    back(count, without_snapshots)
}

fn back(count: usize, config: fn() -> Config) -> Vec<f64> {
    let folder = folder();
    let path = folder.path().to_owned();
    on_two_workers(async move {
        let house = unsynced(&path, config()).await;
        fill(&house.tasks, count).await;
        house.tree.stop().await;
    });
    let path = folder.path().to_owned();
    let seconds = on_two_workers(async move {
        let disk = RealDisk::at(path).expect("a folder");
        let begun = Instant::now();
        let house = open(Arc::new(disk), config()).await;
        let overview = house.tasks.overview().await.expect("an overview");
        let seconds = begun.elapsed().as_secs_f64();
        assert_eq!(overview.open, count);
        house.tree.stop().await;
        seconds
    });
    drop(folder);
    vec![seconds]
}
