//! The agents of the room are killed while others write.

use std::cell::Cell;
use std::time::Duration;

use triarch_journal::testing::{Call, SimDisk};
use triarch_memory::{Drawer, Error};

use super::house::{CALM, House, keeping, key, open, plain, text, three};

async fn kill(house: &House, agent: &str) {
    let room = house.tree.observer().supervisor("memory").unwrap();
    room.kill_child(agent).await.unwrap();
}

#[tokio::test]
async fn while_a_writer_that_was_killed_reads_the_disk_nobody_waits_for_it() {
    let disk = SimDisk::new(1);
    let house = House::begin(CALM, three(), Some(keeping(&disk, None))).await.unwrap();
    let drawer = house.drawer("journal");
    drawer.put(plain("a", "kept")).await.unwrap();
    let reading = disk.hold(Call::Read);
    kill(&house, "writer").await;
    let closed = async {
        while house.client.store().closed().is_none() {
            tokio::task::yield_now().await;
        }
    };
    tokio::time::timeout(Duration::from_mins(1), closed).await.unwrap();
    let refused = drawer.put(plain("b", "x")).await;
    assert!(matches!(refused, Err(Error::Disk { .. })), "{refused:?}");
    assert_eq!(text(&drawer, "a").as_deref(), Some("kept"));
    house.drawer("memory").put(plain("m", "x")).await.unwrap();
    drop(reading);
    open(&house).await;
    drawer.put(plain("b", "x")).await.unwrap();
    assert_eq!(drawer.count("").unwrap(), 2);
    house.stop().await;
}

/// Counts up under a key of its own: returns the last number that was acknowledged, and the last that was tried.
async fn count(drawer: &Drawer, name: &str, is_over: &Cell<bool>) -> (u64, u64) {
    let (mut acknowledged, mut tried) = (0, 0);
    for number in 1.. {
        match drawer.put(plain(name, &number.to_string())).await {
            Ok(_) => (acknowledged, tried) = (number, number),
            Err(Error::Disk { .. }) => {}
            Err(Error::Unanswered { .. }) => tried = number,
            Err(other) => assert_eq!(other.to_string(), "", "{name}"),
        }
        tokio::task::yield_now().await;
        if is_over.get() {
            break;
        }
    }
    (acknowledged, tried)
}

#[tokio::test]
async fn whoever_of_the_room_is_killed_what_was_acknowledged_is_there() {
    let disk = SimDisk::new(2);
    let house = House::on(&disk).await;
    let (drawer, is_over) = (house.drawer("journal"), Cell::new(false));
    let names: Vec<String> = (0..4).map(|writer| format!("w{writer}")).collect();
    let counting = names.iter().map(|name| count(&drawer, name, &is_over));
    let killing = async {
        for agent in ["writer", "scribe", "writer", "snapshots", "sweeper", "writer"] {
            let before = disk.syncs();
            while disk.syncs() < before + 3 {
                tokio::task::yield_now().await;
            }
            kill(&house, agent).await;
            open(&house).await;
        }
        is_over.set(true);
    };
    let both = async { tokio::join!(futures_util::future::join_all(counting), killing) };
    let (counted, ()) = tokio::time::timeout(Duration::from_mins(2), both).await.unwrap();
    assert!(house.count("triarch_supervisor_restarts_total", "memory") >= 6);
    open(&house).await;
    let check = |house: &House| {
        let drawer = house.drawer("journal");
        for (name, (acknowledged, tried)) in names.iter().zip(&counted) {
            let held: u64 = text(&drawer, name).map_or(0, |text| text.parse().unwrap());
            assert!(
                (*acknowledged..=*tried).contains(&held),
                "{name}: {acknowledged} to {tried}, and {held}"
            );
            assert_eq!(drawer.count(name).unwrap(), 1);
        }
    };
    check(&house);
    assert!(drawer.delete(&key("w0")).await.unwrap().existed);
    drawer.put(plain("w0", &counted[0].1.to_string())).await.unwrap();
    disk.cut_power();
    house.stop().await;
    let house = House::on(&disk).await;
    check(&house);
    house.stop().await;
}
