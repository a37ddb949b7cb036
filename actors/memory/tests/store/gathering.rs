//! Whoever was answered together goes to disk together again.
#![expect(
    clippy::disallowed_methods,
    reason = "parties of their own, each a task that the scheduler runs when it likes"
)]

use std::sync::Arc;
use std::time::Duration;

use triarch_journal::testing::SimDisk;
use triarch_memory::{Config, Drawer};

use super::house::*;

const WRITERS: usize = 32;
const ROUNDS: u64 = 40;

/// How many syncs it takes so many writers to write so often each.
async fn syncs_of_rounds(drawer: &Arc<Drawer>, disk: &SimDisk) -> u64 {
    let before = disk.syncs();
    let write = |writer: usize| {
        let drawer = Arc::clone(drawer);
        tokio::spawn(async move {
            for round in 0..ROUNDS {
                drawer
                    .put(plain(&format!("k{writer}"), &round.to_string()))
                    .await
                    .unwrap();
            }
        })
    };
    for writer in (0..WRITERS).map(write).collect::<Vec<_>>() {
        writer.await.unwrap();
    }
    disk.syncs() - before
}

#[tokio::test(flavor = "multi_thread", worker_threads = 1)]
async fn writers_who_come_again_together_share_one_sync_each_time() {
    let disk = SimDisk::new(71);
    let house = House::on(&disk).await;
    let drawer = Arc::new(house.drawer("journal"));
    let syncs = syncs_of_rounds(&drawer, &disk).await;
    assert!(syncs < ROUNDS * 3 / 2, "{syncs} syncs for {ROUNDS} rounds");
    house.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 1)]
async fn writers_share_syncs_whatever_else_beats_in_the_room() {
    let disk = SimDisk::new(72);
    let often = Config {
        flush_every: Duration::from_micros(100),
        ..CALM
    };
    let house = House::begin(often, three(), Some(keeping(&disk, None))).await.unwrap();
    let drawer = Arc::new(house.drawer("journal"));
    let syncs = syncs_of_rounds(&drawer, &disk).await;
    assert!(syncs < ROUNDS * 3 / 2, "{syncs} syncs for {ROUNDS} rounds");
    house.stop().await;
}
