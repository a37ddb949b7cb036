//! Whoever was answered together goes to disk together again.

use std::sync::Arc;
use std::time::Duration;

use triarch_journal::testing::{SimDisk, syncs_of_rounds};
use triarch_memory::{Config, Durability, Error};

use super::house::*;

const WRITERS: usize = 32;
const ROUNDS: u64 = 40;

/// In a room that is kept so, no more syncs than there are rounds, or little more.
async fn assert_syncs_are_shared(config: Config, seed: u64) {
    let disk = SimDisk::new(seed);
    let house = House::begin(config, three(), Some(keeping(&disk, None))).await.unwrap();
    let drawer = Arc::new(house.drawer("journal"));
    let write = move |writer: usize, round: u64| {
        let drawer = Arc::clone(&drawer);
        async move {
            let put = plain(&format!("k{writer}"), &round.to_string());
            drawer.put(put).await.unwrap();
        }
    };
    let syncs = syncs_of_rounds(&disk, (WRITERS, ROUNDS), write).await;
    assert!(syncs < ROUNDS * 3 / 2, "{syncs} syncs for {ROUNDS} rounds");
    house.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 1)]
async fn writers_who_come_again_together_share_one_sync_each_time() {
    assert_syncs_are_shared(CALM, 71).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 1)]
async fn writers_share_syncs_whatever_else_beats_in_the_room() {
    let often = Config {
        flush_every: Duration::from_micros(100),
        ..CALM
    };
    assert_syncs_are_shared(often, 72).await;
}

#[tokio::test]
async fn who_finds_no_room_where_nobody_makes_any_costs_no_sync() {
    let disk = SimDisk::new(73);
    let mut rules = open_to_all(Durability::Journal);
    rules.quota.entries = 1;
    let house = House::begin(CALM, vec![(name("full"), rules)], Some(keeping(&disk, None)));
    let house = house.await.unwrap();
    let drawer = house.drawer("full");
    drawer.put(plain("there", "x")).await.unwrap();
    let before = disk.syncs();
    let writes = (0..200).map(|number| {
        let (drawer, is_new) = (&drawer, number % 2 == 1);
        async move {
            let key = if is_new {
                format!("new{number}")
            } else {
                "there".to_owned()
            };
            let put = drawer.put(plain(&key, "y")).await;
            assert_eq!(matches!(put, Err(Error::Full { .. })), is_new, "{put:?}");
        }
    });
    futures_util::future::join_all(writes).await;
    let syncs = disk.syncs() - before;
    assert!(syncs < 10, "{syncs} syncs for 100 writes");
    house.stop().await;
}
