//! Whoever was answered together goes to disk together again.
#![expect(
    clippy::disallowed_methods,
    reason = "parties of their own, each a task that the scheduler runs when it likes"
)]

use triarch_bus::Start;
use triarch_journal::testing::SimDisk;

use super::*;

const PUBLISHERS: usize = 32;
const ROUNDS: u64 = 40;

/// How many syncs it takes so many publishers to publish so often each.
async fn syncs_of_rounds(house: &Arc<House>, disk: &SimDisk) -> u64 {
    let before = disk.syncs();
    let publish = |_| {
        let house = Arc::clone(house);
        tokio::spawn(async move {
            for _ in 0..ROUNDS {
                house.say("log.a", "x").await.unwrap();
            }
        })
    };
    for publisher in (0..PUBLISHERS).map(publish).collect::<Vec<_>>() {
        publisher.await.unwrap();
    }
    disk.syncs() - before
}

#[tokio::test(flavor = "multi_thread", worker_threads = 1)]
async fn publishers_who_come_again_together_share_one_sync_each_time() {
    let disk = SimDisk::new(61);
    let house = Arc::new(House::on(Arc::new(disk.clone())).await);
    let syncs = syncs_of_rounds(&house, &disk).await;
    assert!(syncs < ROUNDS * 3 / 2, "{syncs} syncs for {ROUNDS} rounds");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 1)]
async fn publishers_share_syncs_while_others_acknowledge() {
    let disk = SimDisk::new(62);
    let house = Arc::new(House::on(Arc::new(disk.clone())).await);
    let mut clerk = house.listen(all_of("log.*", "team/clerk").named("n").from(Start::First));
    let acknowledging = tokio::spawn(async move {
        loop {
            assert!(clerk.next().await.acknowledge());
        }
    });
    let syncs = syncs_of_rounds(&house, &disk).await;
    acknowledging.abort();
    // Each round may be followed by one of cursors alone.
    assert!(syncs < ROUNDS * 5 / 2, "{syncs} syncs for {ROUNDS} rounds");
}
