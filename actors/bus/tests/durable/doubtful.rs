//! A disk that fails while it writes: nobody knows whether that is there, until it is read again.

use triarch_bus::When;
use triarch_journal::testing::{Call, Fault, SimDisk};

use super::*;

const SEEDS: u64 = 20;

/// The next sync fails, in one way or another, and sometimes the journal does not open at once after that.
fn fails(disk: &SimDisk, seed: u64) {
    let fault = if seed.is_multiple_of(3) {
        Fault::Io
    } else {
        Fault::PowerCut
    };
    disk.fail(Call::Sync, 0, fault);
    if seed.is_multiple_of(4) {
        disk.fail(Call::Read, 0, Fault::Io);
    }
}

/// As long as it is closed nothing is taken.
async fn said_at_last(house: &House, at: &str, text: &str) {
    until("it is taken", async || house.say(at, text).await.is_ok()).await;
}

#[tokio::test]
async fn whoever_hears_what_comes_hears_what_is_on_disk_after_a_failed_sync_and_nothing_else() {
    let mut adopted = 0;
    for seed in 0..SEEDS {
        let disk = SimDisk::new(seed);
        let house = House::on(Arc::new(disk.clone())).await;
        let mut live = house.listen(all_of("log.*", "team/live"));
        house.say("log.a", "0").await.unwrap();
        fails(&disk, seed);
        house.say("log.a", "unknown").await.unwrap_err();
        said_at_last(&house, "log.a", "1").await;
        let there = house.logged();
        adopted += u64::from(there.len() == 3);
        assert_eq!(heard(&mut live, there.len()).await, there, "seed {seed}");
        assert!(live.try_next().is_none());
        house.stop().await;
    }
    assert!((1..SEEDS).contains(&adopted), "{adopted}");
}

#[tokio::test]
async fn what_came_to_disk_is_heard_though_its_archivist_was_killed_while_that_was_written() {
    let disk = SimDisk::new(1);
    let house = House::on(Arc::new(disk.clone())).await;
    let mut live = house.listen(all_of("log.*", "team/live"));
    house.say("log.a", "0").await.unwrap();
    let (before, syncing) = (disk.calls(), disk.hold(Call::Sync));
    let room = house.tree.observer().supervisor("bus").unwrap();
    let kills = async {
        until("it is written", async || disk.calls() > before).await;
        room.kill_child("archivist").await.unwrap();
        drop(syncing);
    };
    let (said, ()) = tokio::join!(house.say("log.a", "amid"), kills);
    assert!(said.is_err(), "nobody knows yet: {said:?}");
    said_at_last(&house, "log.a", "1").await;
    assert_eq!(house.logged(), ["0", "amid", "1"]);
    assert_eq!(heard(&mut live, 3).await, ["0", "amid", "1"]);
    house.stop().await;
}

#[tokio::test]
async fn what_made_room_in_its_log_before_that_was_read_is_heard_all_the_same() {
    let one = DurableConfig {
        messages: 1,
        ..durable("log.**")
    };
    let config = Config {
        durable: vec![one],
        ..Config::default()
    };
    let mut adopted = 0;
    for seed in 0..SEEDS {
        let disk = SimDisk::new(seed);
        let journal = triarch_journal::Config::default();
        let house = House::with(Arc::new(disk.clone()), config.clone(), journal, 1).await;
        let mut live = house.listen(all_of("log.*", "team/live"));
        fails(&disk, seed);
        let together = tokio::join!(house.say("log.a", "a"), house.say("log.a", "b"));
        assert!(together.0.is_err() && together.1.is_err(), "{together:?}");
        said_at_last(&house, "log.a", "last").await;
        let is_there = house.bus.logs()[0].next == 3;
        let expected: &[&str] = if is_there { &["a", "b", "last"] } else { &["last"] };
        adopted += usize::from(is_there);
        assert_eq!(heard(&mut live, expected.len()).await, expected, "seed {seed}");
        house.stop().await;
    }
    assert!(adopted > 0);
}

#[tokio::test]
async fn what_is_due_is_heard_once_whatever_became_of_the_sync_that_took_it_to_its_log() {
    for seed in 0..SEEDS {
        let disk = SimDisk::new(seed);
        let house = House::on(Arc::new(disk.clone())).await;
        let mut live = house.listen(all_of("log.*", "team/live"));
        let soon = When::After(Duration::from_millis(20));
        house.plan("due", soon).await.unwrap();
        fails(&disk, seed);
        assert_eq!(heard(&mut live, 1).await, ["due"], "seed {seed}");
        said_at_last(&house, "log.a", "last").await;
        assert_eq!(heard(&mut live, 1).await, ["last"]);
        assert_eq!(house.logged(), ["due", "last"]);
        house.stop().await;
    }
}

#[tokio::test]
async fn what_is_due_on_a_topic_that_is_durable_no_more_is_heard_once_whatever_became_of_the_sync() {
    let journal = triarch_journal::Config::default();
    let other = Config {
        durable: vec![durable("other.*")],
        ..Config::default()
    };
    for seed in 0..SEEDS {
        let disk = SimDisk::new(seed);
        let house = House::on(Arc::new(disk.clone())).await;
        let id = house
            .plan("due", When::After(Duration::from_millis(300)))
            .await
            .unwrap();
        house.stop().await;
        let house = House::with(Arc::new(disk.clone()), other.clone(), journal, 2).await;
        let mut live = house.listen(all_of("log.*", "team/live"));
        fails(&disk, seed);
        assert_eq!(heard(&mut live, 1).await, ["due"], "seed {seed}");
        said_at_last(&house, "other.a", "x").await;
        assert!(live.try_next().is_none() && !house.bus.cancel(id).await.unwrap());
        drop(live);
        house.stop().await;
    }
}
