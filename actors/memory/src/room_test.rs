//! The store's time over lives of the runtime and starts of the machine, by clocks that somebody sets.

use std::sync::{Mutex, MutexGuard};

use triarch_journal::metrics::JOURNALS;
use triarch_journal::testing::{Call, Fault, SimDisk};

use super::*;
use crate::config::Durability;
use crate::metrics::MEMORY;
use crate::name::Key;
use crate::op::{Lifetime, Put};
use crate::time::StoreTime;
use crate::value::Value;

const HOUR: u64 = 3_600_000;

/// One test sets them at a time.
static IN_USE: tokio::sync::Mutex<()> = tokio::sync::Mutex::const_new(());
static READING: Mutex<Reading> = Mutex::new(Reading {
    wall: 0,
    uptime: 0,
    boot: String::new(),
});

fn clocks() -> MutexGuard<'static, Reading> {
    READING.lock().unwrap()
}

fn read() -> Reading {
    clocks().clone()
}

async fn live(disk: &SimDisk) -> (Tree, Client) {
    let instruments = Instruments::with_tree(&[MEMORY, JOURNALS]).unwrap();
    let rules = Rules {
        durability: Durability::Journal,
        ..Rules::default()
    };
    let keeping = Keeping {
        disk: Arc::new(disk.clone()),
        journal: triarch_journal::Config::default(),
        secret: None,
    };
    let namespaces = vec![(Namespace::new("n").unwrap(), rules)];
    let room = room_by(read, Config::default(), namespaces, Some(keeping), &instruments);
    let (room, client) = room.unwrap();
    let tree = Root::new().instruments(instruments).supervisor(room).start().await;
    (tree.unwrap(), client)
}

async fn put_for_two_hours(client: &Client) {
    let put = Put::new(Key::new("a").unwrap(), Value::bytes(*b"x"));
    let put = put.lasting(Lifetime::For(Duration::from_millis(2 * HOUR)));
    client.open("n").unwrap().put(put).await.unwrap();
}

fn now(client: &Client) -> StoreTime {
    client.store().clock().now()
}

fn minutes_left(client: &Client) -> u64 {
    let entry = client.open("n").unwrap().get("a").unwrap().unwrap();
    entry.left(now(client)).unwrap().as_secs() / 60
}

fn start_the_machine() {
    *clocks() = Reading {
        wall: 1_000 * HOUR,
        uptime: HOUR,
        boot: "one".to_owned(),
    };
}

#[tokio::test]
async fn between_two_lives_the_machines_own_time_counts_and_after_a_restart_of_it_that_of_the_wall() {
    let _alone = IN_USE.lock().await;
    start_the_machine();
    let disk = SimDisk::new(1);
    let (tree, client) = live(&disk).await;
    put_for_two_hours(&client).await;
    let before = now(&client);
    tree.stop().await;

    (clocks().wall, clocks().uptime) = (1_003 * HOUR, HOUR + 500);
    let (tree, client) = live(&disk).await;
    let passed = now(&client).since(before);
    assert!(passed < Duration::from_mins(1), "{passed:?}: a person set the clock");
    assert_eq!(minutes_left(&client), 119);
    let before = now(&client);
    tree.stop().await;

    *clocks() = Reading {
        wall: 1_004 * HOUR,
        uptime: 0,
        boot: "two".to_owned(),
    };
    let (tree, client) = live(&disk).await;
    let passed = now(&client).since(before);
    assert!(
        passed.abs_diff(Duration::from_hours(1)) < Duration::from_mins(1),
        "{passed:?}"
    );
    assert_eq!(minutes_left(&client), 59);
    tree.stop().await;
}

#[tokio::test(start_paused = true)]
async fn a_jump_of_the_wall_that_a_full_disk_did_not_take_is_written_down_once_it_has_room() {
    let _alone = IN_USE.lock().await;
    start_the_machine();
    let disk = SimDisk::new(2);
    let (tree, client) = live(&disk).await;
    put_for_two_hours(&client).await;
    let before = now(&client);
    // Until the journal has noted how far it came.
    tokio::time::sleep(Duration::from_secs(1)).await;
    (0..3).for_each(|_| disk.fail(Call::Write, 0, Fault::Full));
    clocks().wall += HOUR;
    tokio::time::sleep(Duration::from_secs(1)).await;
    disk.cut_power();
    tree.stop().await;

    clocks().boot = "two".to_owned();
    let (tree, client) = live(&disk).await;
    let passed = now(&client).since(before);
    assert!(passed < Duration::from_mins(1), "{passed:?}");
    tree.stop().await;
}

#[tokio::test(start_paused = true)]
async fn what_a_full_disk_does_not_take_of_the_clocks_is_tried_less_and_less_often_until_it_has_room() {
    let _alone = IN_USE.lock().await;
    start_the_machine();
    let disk = SimDisk::new(3);
    let (tree, client) = live(&disk).await;
    put_for_two_hours(&client).await;
    let before = now(&client);
    tokio::time::sleep(Duration::from_secs(1)).await;
    disk.space(Some(disk.used()));
    clocks().wall += HOUR;
    let mut calls = Vec::new();
    for _ in 0..2 {
        let tried = disk.calls();
        tokio::time::sleep(Duration::from_mins(1)).await;
        calls.push(disk.calls() - tried);
    }
    assert!(calls[0] < 100 && calls[1] < 50 && calls[1] > 0, "{calls:?}");
    disk.space(None);
    tokio::time::sleep(Duration::from_secs(11)).await;
    disk.cut_power();
    tree.stop().await;

    clocks().boot = "two".to_owned();
    let (tree, client) = live(&disk).await;
    let passed = now(&client).since(before);
    assert!(passed < Duration::from_mins(10), "{passed:?}");
    tree.stop().await;
}
