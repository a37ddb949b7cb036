//! Whoever was answered together goes to disk together again.
#![expect(
    clippy::disallowed_methods,
    reason = "one that acknowledges is a task that the scheduler runs when it likes"
)]

use triarch_bus::Start;
use triarch_journal::testing::{SimDisk, syncs_of_rounds};

use super::*;

const PUBLISHERS: usize = 32;
const ROUNDS: u64 = 40;

async fn syncs_of_publishing(house: &Arc<House>, disk: &SimDisk) -> u64 {
    let house = Arc::clone(house);
    let publish = move |_, _| {
        let house = Arc::clone(&house);
        async move {
            house.say("log.a", "x").await.unwrap();
        }
    };
    syncs_of_rounds(disk, (PUBLISHERS, ROUNDS), publish).await
}

#[tokio::test(flavor = "multi_thread", worker_threads = 1)]
async fn publishers_who_come_again_together_share_one_sync_each_time() {
    let disk = SimDisk::new(61);
    let house = Arc::new(House::on(Arc::new(disk.clone())).await);
    let syncs = syncs_of_publishing(&house, &disk).await;
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
    let syncs = syncs_of_publishing(&house, &disk).await;
    acknowledging.abort();
    // Their cursors go with what is published next.
    assert!(syncs < ROUNDS * 3 / 2, "{syncs} syncs for {ROUNDS} rounds");
}
