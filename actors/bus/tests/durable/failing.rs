use std::collections::BTreeSet;

use triarch_bus::{Class, Start, StoredEnvelope, Terms};
use triarch_journal::WriteError;
use triarch_journal::testing::{Call, Fault, SimDisk};
use triarch_supervision::clock::Seeded;

use super::*;

/// Each has four lives that end by a power cut.
const ROUNDS: u64 = 250;

fn text(stored: &StoredEnvelope) -> String {
    String::from_utf8(stored.envelope.payload.as_bytes().to_vec()).unwrap()
}

fn all(bus: &Bus) -> Vec<StoredEnvelope> {
    bus.stored("team/me", &Pattern::new("log.**").unwrap(), Start::First, usize::MAX)
        .unwrap()
}

#[tokio::test]
async fn a_full_disk_is_told_and_published_on_again_when_there_is_space() {
    let disk = SimDisk::new(11);
    let house = House::on(Arc::new(disk.clone())).await;
    let mut live = house.listen(all_of("log.*", "team/live"));
    let mut named = house.listen(all_of("log.*", "team/clerk").named("n"));
    house.say("log.a", "0").await.unwrap();
    disk.space(Some(disk.used()));
    assert_eq!(heard(&mut named, 1).await, ["0"]);
    let full = house.say("log.a", "lost").await.unwrap_err();
    assert!(matches!(full, PublishError::NotStored(WriteError::Full(_))), "{full}");
    disk.space(None);
    assert_eq!(house.say("log.a", "1").await.unwrap().offset, 1);
    assert_eq!(heard(&mut live, 2).await, ["0", "1"]);
    assert_eq!(all(&house.bus).iter().map(text).collect::<Vec<_>>(), ["0", "1"]);
    // What the full disk did not take of the cursor went with it.
    disk.cut_power();
    drop(named);
    house.stop().await;
    let house = House::on(Arc::new(disk)).await;
    assert_eq!(house.bus.cursors()[0].floor, 1);
    house.stop().await;
}

#[tokio::test]
async fn after_a_failed_sync_the_log_is_what_is_on_disk() {
    for seed in 0..20 {
        let disk = SimDisk::new(seed);
        let house = House::on(Arc::new(disk.clone())).await;
        let mut named = house.listen(all_of("log.*", "team/clerk").named("n"));
        house.say("log.a", "0").await.unwrap();
        disk.fail(Call::Sync, 0, Fault::Io);
        let failed = house.say("log.a", "unknown").await.unwrap_err();
        assert!(
            matches!(&failed, PublishError::NotStored(why) if !why.is_certain()),
            "{failed}"
        );
        let stored = house.say("log.a", "1").await.unwrap();
        let there: Vec<_> = all(&house.bus).iter().map(text).collect();
        let is_adopted = there.len() == 3;
        assert_eq!(stored.offset, 1 + u64::from(is_adopted), "{there:?}");
        let expected: &[&str] = if is_adopted {
            &["0", "unknown", "1"]
        } else {
            &["0", "1"]
        };
        assert_eq!(there, expected);
        assert_eq!(heard(&mut named, expected.len()).await, expected);
        assert_eq!(house.bus.cursors()[0].floor, expected.len() as u64);
        house.say("log.a", "last").await.unwrap();
        disk.cut_power();
        drop(named);
        house.stop().await;
        let house = House::on(Arc::new(disk)).await;
        assert_eq!(house.bus.cursors()[0].floor, expected.len() as u64);
        house.stop().await;
    }
}

/// What is known from outside through all lives of one disk.
#[derive(Default)]
struct Story {
    next: u64,
    acknowledged: BTreeSet<u64>,
    /// Acknowledged by the named subscriber, and on disk as such.
    settled: BTreeSet<u64>,
    heard: BTreeSet<u64>,
}

impl Story {
    async fn life(&mut self, disk: &SimDisk, chance: &mut Seeded, run: u64) {
        let journal = triarch_journal::Config {
            segment_bytes: 2_000,
            ..triarch_journal::Config::default()
        };
        let house = House::with(Arc::new(disk.clone()), config(), journal, run).await;
        let terms = Terms::of(Class::AtLeastOnce).bound(5);
        let mut clerk = house.listen(all_of("log.*", "team/clerk").named("n").from(Start::First).terms(terms));
        if chance.next_u64().is_multiple_of(3) {
            disk.fail(Call::Sync, chance.next_u64() % 8, Fault::PowerCut);
        }
        let mut unsettled = Vec::new();
        let mut kept = Vec::new();
        for _ in 0..chance.next_u64() % 20 {
            if chance.next_u64().is_multiple_of(2) {
                let number = self.next;
                self.next += 1;
                match house.say("log.a", &number.to_string()).await {
                    Ok(_) => {
                        self.acknowledged.insert(number);
                        self.settled.extend(unsettled.drain(..));
                    }
                    Err(_) => break,
                }
            } else if let Some(delivery) = clerk.try_next() {
                let number = said(&delivery).parse().unwrap();
                assert!(!self.settled.contains(&number), "{number} was settled, and came again");
                if chance.next_u64().is_multiple_of(3) {
                    kept.push(delivery);
                } else if delivery.acknowledge() {
                    self.heard.insert(number);
                    unsettled.push(number);
                }
            }
        }
        disk.cut_power();
        drop((kept, clerk));
        house.stop().await;
    }

    async fn end(self, disk: SimDisk) -> usize {
        let house = House::with(Arc::new(disk), config(), triarch_journal::Config::default(), 99).await;
        let stored = all(&house.bus);
        let offsets: Vec<_> = stored.iter().map(|one| one.offset).collect();
        assert_eq!(offsets, (0..stored.len() as u64).collect::<Vec<_>>());
        let there: Vec<u64> = stored.iter().map(|one| text(one).parse().unwrap()).collect();
        assert!(there.is_sorted() && self.acknowledged.iter().all(|number| there.contains(number)));
        let left: BTreeSet<_> = there
            .iter()
            .filter(|number| !self.heard.contains(number))
            .copied()
            .collect();
        let mut clerk = house.listen(all_of("log.*", "team/clerk").named("n"));
        let mut heard = BTreeSet::new();
        while house.bus.cursors().first().is_none_or(|cursor| cursor.lag > 0) {
            let delivery = next(&mut clerk).await;
            let number: u64 = said(&delivery).parse().unwrap();
            assert!(!self.settled.contains(&number), "{number} was settled, and came again");
            heard.insert(number);
            assert!(delivery.acknowledge());
        }
        assert!(left.is_subset(&heard), "{left:?} {heard:?}");
        house.stop().await;
        self.acknowledged.len()
    }
}

#[tokio::test]
async fn no_power_cut_takes_what_was_acknowledged_or_brings_back_what_was_settled() {
    let mut acknowledged = 0;
    for seed in 0..ROUNDS {
        let (disk, mut chance, mut story) = (SimDisk::new(seed), Seeded::new(seed), Story::default());
        for run in 1..5 {
            story.life(&disk, &mut chance, run).await;
        }
        acknowledged += story.end(disk).await;
    }
    assert!(acknowledged as u64 > ROUNDS * 5, "{acknowledged}");
}

#[tokio::test]
async fn a_snapshot_stands_for_the_log_and_its_cursors() {
    let small = DurableConfig {
        bytes: 4 << 20,
        ..durable("log.**")
    };
    let config = Config {
        durable: vec![small],
        ..Config::default()
    };
    let disk = SimDisk::new(13);
    let journal = triarch_journal::Config {
        segment_bytes: 8 << 20,
        ..triarch_journal::Config::default()
    };
    let house = House::with(Arc::new(disk.clone()), config.clone(), journal, 1).await;
    let mut clerk = house.listen(all_of("log.*", "team/clerk").named("n"));
    let large = "x".repeat(1 << 19);
    for _ in 0..140 {
        house.say("log.a", &large).await.unwrap();
        assert!(next(&mut clerk).await.acknowledge());
    }
    let is_copied = || disk.names().iter().any(|name| name.ends_with(".snapshot"));
    let waiting = async {
        while !is_copied() || disk.used() > 60 << 20 {
            house.say("log.a", "more").await.unwrap();
            assert!(next(&mut clerk).await.acknowledge());
        }
    };
    tokio::time::timeout(PATIENCE, waiting)
        .await
        .expect("a snapshot is taken");
    house.say("log.a", "last").await.unwrap();
    disk.cut_power();
    drop(clerk);
    let (logs, cursors, stored) = (house.bus.logs(), house.bus.cursors(), all(&house.bus));
    house.stop().await;
    let house = House::with(Arc::new(disk), config, journal, 2).await;
    assert_eq!(
        (house.bus.logs(), house.bus.cursors(), all(&house.bus)),
        (logs, cursors, stored)
    );
    house.stop().await;
}
