//! A journal that does not open again: nobody waits for that, and nobody is kept from being told so.

use std::sync::Arc;
use std::time::Duration;

use triarch_journal::metrics::JOURNALS;
use triarch_journal::testing::{Call, Fault, SimDisk};
use triarch_supervision::metrics::Instruments;
use triarch_supervision::prelude::*;

use super::message::Order;
use crate::bus::Bus;
use crate::config::{Config, DurableConfig};
use crate::envelope::{Draft, Payload};
use crate::error::{ArchiveError, PublishError};
use crate::metrics::BUS;
use crate::room::room_on;
use crate::topic::Topic;

/// Only guards against hanging.
const PATIENCE: Duration = Duration::from_mins(1);

async fn house() -> (Bus, Tree, SimDisk) {
    let disk = SimDisk::new(1);
    let durable = DurableConfig {
        topics: "log.**".to_owned(),
        ..DurableConfig::default()
    };
    let config = Config {
        durable: vec![durable],
        ..Config::default()
    };
    let instruments = Instruments::with_tree(&[BUS, JOURNALS]).unwrap();
    let bus = Bus::new(config, 1, &instruments).unwrap();
    let supervisor = room_on(
        &bus,
        Arc::new(disk.clone()),
        triarch_journal::Config::default(),
        &instruments,
    )
    .unwrap();
    let root = Root::new().instruments(instruments).supervisor(supervisor);
    (bus, root.start().await.unwrap(), disk)
}

async fn say(bus: &Bus) -> Result<(), PublishError> {
    let (topic, draft) = (Topic::new("log.a").unwrap(), Draft::new("note", Payload::bytes(*b"x")));
    let said = bus.publish_durably("team/me", &topic, draft);
    let said = tokio::time::timeout(PATIENCE, said).await.expect("it is answered");
    said.map(drop)
}

fn is_closed(said: &Result<(), PublishError>) -> bool {
    matches!(said, Err(PublishError::Archive(ArchiveError::Closed { .. })))
}

async fn until(is_so: impl AsyncFn() -> bool) {
    let waiting = async {
        while !is_so().await {
            tokio::time::sleep(Duration::from_millis(1)).await;
        }
    };
    tokio::time::timeout(PATIENCE, waiting).await.expect("it comes to that");
}

/// The journal fails, and does not open before the disk is healed.
async fn close(bus: &Bus, disk: &SimDisk) {
    disk.fail(Call::Sync, 0, Fault::Io);
    for _ in 0..100_000 {
        disk.fail(Call::Read, 0, Fault::Io);
    }
    assert!(matches!(say(bus).await, Err(PublishError::NotStored(_))));
    until(async || is_closed(&say(bus).await)).await;
}

#[tokio::test]
async fn whoever_publishes_while_the_journal_is_being_opened_again_is_refused_and_does_not_wait_for_that() {
    let (bus, tree, disk) = house().await;
    close(&bus, &disk).await;
    let before = disk.claims();
    let reading = disk.hold(Call::Read);
    until(async || disk.claims() > before).await;
    assert!(is_closed(&say(&bus).await));
    drop(reading);
    disk.heal();
    until(async || say(&bus).await.is_ok()).await;
    tree.stop().await;
}

#[tokio::test]
async fn a_journal_that_does_not_open_rests_between_tries_however_often_it_is_rung_for() {
    let (bus, tree, disk) = house().await;
    close(&bus, &disk).await;
    let (before, archivist) = (disk.claims(), bus.0.archive.archivist.get().unwrap());
    for _ in 0..1000 {
        bus.0.archive.ring();
    }
    let behind_them = archivist.ask(|reply| Order::Cancel(1, reply)).await.unwrap();
    assert!(
        matches!(behind_them, Err(ArchiveError::Closed { .. })),
        "{behind_them:?}"
    );
    let openings = disk.claims() - before;
    assert!(openings < 100, "{openings}");
    disk.heal();
    until(async || say(&bus).await.is_ok()).await;
    tree.stop().await;
}
