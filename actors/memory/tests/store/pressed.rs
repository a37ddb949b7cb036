//! What is too much, too late or half broken is told to whom it concerns, and holds up nobody else.

use std::time::Duration;

use tokio::time::Instant;
use triarch_journal::testing::{Call, Fault, REFUSING, SimDisk};
use triarch_memory::{Drawer, Durability, Error, Lifetime, Namespace, Op, Put, Quota, Retention, Rules, Value};

use super::house::{CALM, House, keeping, key, name, open_to_all, plain, text, three};

fn number(name: &str) -> Put {
    Put::new(key(name), Value::parse_json("1").unwrap())
}

/// A number with a long note beside it.
fn noted(name: &str) -> Put {
    number(name).note("why", &"x".repeat(60 << 10))
}

/// Each of them writes the note once more.
fn counting(name: &str) -> Vec<Op> {
    vec![Op::Increment(key(name), 1); 1_000]
}

fn is_too_large<T>(written: &Result<T, Error>) -> bool {
    matches!(written, Err(Error::BatchTooLarge { bytes, .. }) if *bytes > 50 << 20)
}

#[tokio::test]
async fn a_batch_that_is_short_and_makes_long_records_is_refused_alone_before_it_is_decided() {
    let house = House::on(&SimDisk::new(1)).await;
    let drawer = house.drawer("journal");
    let with_its_put = std::iter::once(Op::Put(noted("k"))).chain(counting("k"));
    let (small, large) = tokio::join!(drawer.put(plain("a", "x")), drawer.batch(with_its_put.collect()));
    assert!(small.is_ok() && is_too_large(&large), "{small:?} {:?}", large.err());
    // What it adds to may wait for the disk itself, or be there already.
    let (put, large) = tokio::join!(drawer.put(noted("k")), drawer.batch(counting("k")));
    assert!(put.is_ok() && is_too_large(&large), "{put:?} {:?}", large.err());
    let (small, large) = tokio::join!(drawer.put(plain("b", "x")), drawer.batch(counting("k")));
    assert!(small.is_ok() && is_too_large(&large), "{small:?} {:?}", large.err());
    let kept = (0..1_000).map(|_| Op::Keep(key("k"), Lifetime::Forever));
    assert!(is_too_large(&drawer.batch(kept.collect()).await));
    let replaced = std::iter::once(Op::Put(number("k"))).chain(counting("k").into_iter().skip(1));
    assert!(drawer.batch(replaced.collect()).await.is_ok(), "the note went first");
    house.stop().await;
}

#[tokio::test]
async fn of_a_group_that_the_disk_refuses_each_is_told_of_their_own_namespace() {
    let disk = SimDisk::new(2);
    let namespaces = durable(&["one", "two"], &open_to_all(Durability::Journal));
    let house = House::begin(CALM, namespaces, Some(keeping(&disk, None)))
        .await
        .unwrap();
    disk.space(Some(disk.used()));
    let (one, two) = (house.drawer("one"), house.drawer("two"));
    let (first, second) = tokio::join!(one.put(plain("a", "x")), two.put(plain("a", "x")));
    let of = |refused: &Result<_, Error>| match refused {
        Err(Error::Disk { namespace, .. }) => namespace.to_string(),
        other => panic!("{other:?}"),
    };
    assert_eq!([of(&first), of(&second)], ["one", "two"]);
    disk.space(None);
    house.stop().await;
}

fn durable(names: &[&str], rules: &Rules) -> Vec<(Namespace, Rules)> {
    names.iter().map(|text| (name(text), rules.clone())).collect()
}

#[tokio::test(start_paused = true)]
async fn what_the_disk_refused_brings_no_snapshot_about() {
    let disk = SimDisk::new(3);
    let config = triarch_memory::Config {
        snapshot_bytes: 100_000,
        ..CALM
    };
    let namespaces = durable(&["n"], &open_to_all(Durability::Journal));
    let house = House::begin(config, namespaces, Some(keeping(&disk, None)))
        .await
        .unwrap();
    let (drawer, long) = (house.drawer("n"), "x".repeat(10_000));
    drawer.put(plain("a", &long)).await.unwrap();
    disk.space(Some(disk.used()));
    for _ in 0..20 {
        assert!(drawer.put(plain("a", &long)).await.is_err());
    }
    disk.space(None);
    tokio::time::sleep(Duration::from_secs(3)).await;
    assert!(!disk.names().iter().any(|file| file.ends_with("snapshot")), "{disk:?}");
    house.stop().await;
}

#[tokio::test(start_paused = true)]
async fn what_was_read_a_moment_before_a_restart_is_not_taken_for_unread_after_it() {
    let unaccessed = Retention {
        unaccessed_for: Some(Duration::from_secs(10)),
        ..Retention::default()
    };
    let (disk, seconds) = (SimDisk::new(4), |seconds| {
        tokio::time::sleep(Duration::from_secs(seconds))
    });
    let house = House::on(&disk).await;
    house.drawer("journal").put(plain("a", "x")).await.unwrap();
    house.client.compact().await.unwrap();
    seconds(8).await;
    assert!(house.drawer("journal").get("a").unwrap().is_some());
    seconds(4).await;
    house.stop().await;
    let house = House::on(&disk).await;
    let journal = name("journal");
    let retain = || async {
        house
            .client
            .retain(&journal, &unaccessed, false)
            .await
            .unwrap()
            .unaccessed
    };
    assert_eq!(retain().await, 0);
    seconds(9).await;
    assert_eq!(retain().await, 0);
    seconds(2).await;
    assert_eq!(retain().await, 1, "nobody read it in this life");
    house.stop().await;
}

/// So many entries, all to go a second after they came.
async fn fill(drawer: &Drawer, entries: usize) {
    let second = Lifetime::For(Duration::from_secs(1));
    let numbers: Vec<usize> = (0..entries).collect();
    for numbers in numbers.chunks(1_000) {
        let put = |number: &usize| Op::Put(plain(&number.to_string(), "x").lasting(second));
        drawer.batch(numbers.iter().map(put).collect()).await.unwrap();
    }
}

#[tokio::test(start_paused = true)]
async fn many_whose_time_came_at_once_go_at_once() {
    let house = House::on(&SimDisk::new(5)).await;
    let drawer = house.drawer("journal");
    fill(&drawer, 20_000).await;
    assert_eq!(drawer.extent().unwrap().entries, 20_000);
    tokio::time::sleep(Duration::from_millis(1_900)).await;
    assert_eq!(drawer.extent().unwrap().entries, 0);
    house.stop().await;
}

#[tokio::test(start_paused = true)]
async fn what_goes_by_itself_in_many_namespaces_shares_a_sync() {
    let disk = SimDisk::new(6);
    let names: Vec<String> = (0..50).map(|number| format!("n{number}")).collect();
    let names: Vec<&str> = names.iter().map(String::as_str).collect();
    let namespaces = durable(&names, &open_to_all(Durability::Journal));
    let house = House::begin(CALM, namespaces, Some(keeping(&disk, None)))
        .await
        .unwrap();
    let drawers: Vec<Drawer> = names.iter().map(|name| house.drawer(name)).collect();
    for drawer in &drawers {
        fill(drawer, 3).await;
    }
    let before = disk.syncs();
    tokio::time::sleep(Duration::from_millis(1_900)).await;
    let syncs = disk.syncs() - before;
    let left: u64 = drawers.iter().map(|drawer| drawer.extent().unwrap().entries).sum();
    assert!(left == 0 && syncs < 40, "{left} are left, after {syncs} syncs");
    house.stop().await;
}

#[tokio::test(start_paused = true)]
async fn a_durable_namespace_full_of_what_is_over_takes_a_write() {
    let rules = Rules {
        quota: Quota {
            entries: 2_000,
            ..Quota::default()
        },
        ..open_to_all(Durability::Journal)
    };
    let keeping = keeping(&SimDisk::new(7), None);
    let house = House::begin(CALM, durable(&["n"], &rules), Some(keeping))
        .await
        .unwrap();
    let drawer = house.drawer("n");
    fill(&drawer, 2_000).await;
    assert!(matches!(drawer.put(plain("new", "x")).await, Err(Error::Full { .. })));
    // No beat comes between: it waits in the mailbox behind the write.
    tokio::time::advance(Duration::from_millis(1_050)).await;
    let many = (0..1_000).map(|number| Op::Put(plain(&format!("new{number}"), "x")));
    drawer.batch(many.collect()).await.unwrap();
    house.stop().await;
}

/// The journal was opened anew within two seconds in which nobody wrote, and takes the next write.
async fn is_mended(house: &House, disk: &SimDisk, claims: u64) {
    tokio::time::sleep(Duration::from_secs(2)).await;
    assert!(disk.claims() > claims, "nobody has noticed");
    assert_eq!(house.client.store().closed(), None);
    house.drawer("journal").put(plain("b", "x")).await.unwrap();
}

#[tokio::test(start_paused = true)]
async fn a_journal_that_fails_while_nobody_writes_is_opened_again_before_anybody_does() {
    let disk = SimDisk::new(8);
    let house = House::on(&disk).await;
    house.drawer("journal").put(plain("a", "x")).await.unwrap();
    let claims = disk.claims();
    // Time goes on by itself here, and so beside the wall clock, which is written down soon.
    disk.fail(Call::Sync, 0, Fault::Io);
    is_mended(&house, &disk, claims).await;
    house.stop().await;
}

#[tokio::test(start_paused = true)]
async fn a_journal_that_a_snapshot_has_closed_is_opened_again_before_anybody_writes() {
    for skipped in [0, 1] {
        let disk = SimDisk::new(9);
        let house = House::on(&disk).await;
        house.drawer("journal").put(plain("a", "x")).await.unwrap();
        let claims = disk.claims();
        // Of the new segment, or of the snapshot.
        disk.fail(Call::SyncFolder, skipped, Fault::Io);
        assert!(house.client.compact().await.is_err());
        disk.heal();
        is_mended(&house, &disk, claims).await;
        house.client.compact().await.unwrap();
        house.stop().await;
    }
}

#[tokio::test(start_paused = true)]
async fn a_flush_that_the_disk_has_no_room_for_leaves_what_room_there_is_to_those_who_wait_for_it() {
    let disk = SimDisk::new(10);
    let config = triarch_memory::Config {
        flush_every: Duration::from_secs(1),
        ..CALM
    };
    let house = House::begin(config, three(), Some(keeping(&disk, None))).await.unwrap();
    let (relaxed, long) = (house.drawer("relaxed"), "x".repeat(700 << 10));
    for key in ["a", "b", "c", "d"] {
        relaxed.put(plain(key, &long)).await.unwrap();
    }
    disk.space(Some(disk.used() + (1 << 20)));
    let seconds = |seconds| tokio::time::sleep(Duration::from_secs(seconds));
    seconds(3).await;
    // Somebody makes a little room, which is less than the flush takes.
    disk.space(Some(disk.used() + (1 << 20)));
    seconds(3).await;
    house
        .drawer("journal")
        .put(plain("k", &"x".repeat(500 << 10)))
        .await
        .unwrap();
    relaxed.put(plain("e", "x")).await.unwrap();
    disk.space(None);
    seconds(60).await;
    disk.cut_power();
    house.stop().await;
    let house = House::on(&disk).await;
    assert_eq!(house.drawer("relaxed").count("").unwrap(), 5, "it is tried again");
    house.stop().await;
}

#[tokio::test]
async fn a_durable_write_waits_for_one_part_of_a_flush_and_not_for_all_of_it() {
    const PARTS: u64 = 40;
    let disk = SimDisk::new(11);
    let house = House::on(&disk).await;
    let (relaxed, long) = (house.drawer("relaxed"), "x".repeat(900 << 10));
    for number in 0..PARTS {
        relaxed.put(plain(&format!("k{number}"), &long)).await.unwrap();
    }
    let before = disk.syncs();
    let held = disk.hold(Call::Sync);
    let durable = house.drawer("journal");
    let (mut flush, mut put) = (Box::pin(house.client.flush()), Box::pin(durable.put(plain("a", "x"))));
    let all_wait = async {
        let _never = tokio::join!(&mut flush, &mut put);
    };
    let waited = tokio::time::timeout(Duration::from_millis(50), all_wait).await;
    assert!(waited.is_err(), "the disk is held");
    drop(held);
    tokio::select! {
        written = &mut put => drop(written.unwrap()),
        flushed = &mut flush => assert!(flushed.is_err(), "it was all flushed before the write"),
    }
    let syncs = disk.syncs() - before;
    assert!(syncs < PARTS / 2, "{syncs} syncs");
    // What is written meanwhile is in a flush of its own, for which whoever asks then waits.
    relaxed.put(plain("k0", "new")).await.unwrap();
    house.client.flush().await.unwrap();
    flush.await.unwrap();
    disk.cut_power();
    house.stop().await;
    let house = House::on(&disk).await;
    let relaxed = house.drawer("relaxed");
    assert_eq!(relaxed.count("").unwrap(), PARTS);
    assert_eq!(text(&relaxed, "k0").as_deref(), Some("new"));
    assert_eq!(text(&relaxed, "k1").unwrap().len(), long.len());
    assert!(text(&house.drawer("journal"), "a").is_some());
    house.stop().await;
}

#[tokio::test(start_paused = true)]
async fn a_full_or_failing_disk_is_told_at_once_and_written_soon_after_it_is_mended() {
    for refuse in REFUSING {
        let disk = SimDisk::new(1);
        let house = House::on(&disk).await;
        let drawer = house.drawer("journal");
        drawer.put(plain("before", "x")).await.unwrap();
        refuse(&disk);
        for _ in 0..100 {
            let begun = Instant::now();
            drawer.put(plain("k", "x")).await.unwrap_err();
            assert!(begun.elapsed() <= Duration::from_millis(100), "{:?}", begun.elapsed());
            assert_eq!(text(&drawer, "before").as_deref(), Some("x"));
            tokio::time::sleep(Duration::from_millis(730)).await;
        }
        disk.space(None);
        disk.heal();
        let mended = Instant::now();
        while drawer.put(plain("k", "x")).await.is_err() {
            assert!(mended.elapsed() <= Duration::from_secs(2), "{:?}", mended.elapsed());
            tokio::time::sleep(Duration::from_millis(2)).await;
        }
        house.stop().await;
    }
}
