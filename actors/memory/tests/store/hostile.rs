//! What a hostile disk, a hostile moment or a hostile reader of the folder does not bring about.

use triarch_journal::testing::{Call, Fault, SimDisk};
use triarch_memory::{Client, Drawer, Durability, Error, Eviction, Key, Op, Query, Quota, Rules};

use super::durable::secret;
use super::house::{CALM, House, keeping, key, name, open, open_to_all, plain, text, three};

/// The next sync fails, and so does the first try to find out what came of it.
fn fail_twice(disk: &SimDisk) {
    disk.fail(Call::Sync, 0, Fault::Io);
    disk.fail(Call::Read, 0, Fault::Io);
}

#[tokio::test]
async fn a_write_after_a_failed_sync_is_decided_on_what_is_on_disk() {
    let disk = SimDisk::new(1);
    let house = House::on(&disk).await;
    let drawer = house.drawer("journal");
    drawer.put(plain("a", "kept")).await.unwrap();
    fail_twice(&disk);
    let unknown = drawer.delete(&key("a")).await;
    assert!(matches!(unknown, Err(Error::Unanswered { .. })), "{unknown:?}");
    open(&house).await;
    drawer.put(plain("a", "acknowledged")).await.unwrap();
    assert_eq!(drawer.count("").unwrap(), 1, "it is in the order of keys too");
    house.client.compact().await.unwrap();
    disk.cut_power();
    house.stop().await;
    let house = House::on(&disk).await;
    assert_eq!(text(&house.drawer("journal"), "a").as_deref(), Some("acknowledged"));
    house.stop().await;
}

#[tokio::test]
async fn a_flush_that_fails_leaves_no_write_decided_on_what_was_before() {
    let disk = SimDisk::new(2);
    let house = House::on(&disk).await;
    let drawer = house.drawer("journal");
    drawer.put(plain("a", "kept")).await.unwrap();
    fail_twice(&disk);
    assert!(drawer.delete(&key("a")).await.is_err());
    house.drawer("relaxed").put(plain("r", "x")).await.unwrap();
    // Both wait together, so that the flush comes while the write is decided and not on disk.
    let (written, _flushed) = tokio::join!(drawer.put(plain("a", "new")), house.client.flush());
    open(&house).await;
    if written.is_err() {
        drawer.put(plain("a", "new")).await.unwrap();
    }
    assert_eq!(drawer.count("").unwrap(), 1);
    house.stop().await;
}

#[tokio::test]
async fn a_namespace_whose_end_is_not_known_takes_no_write_that_is_lost() {
    let disk = SimDisk::new(3);
    let house = House::on(&disk).await;
    let drawer = house.drawer("journal");
    drawer.put(plain("a", "before")).await.unwrap();
    disk.fail(Call::Sync, 0, Fault::Io);
    let unknown = house.client.forget(&name("journal")).await;
    assert!(matches!(unknown, Err(Error::Unanswered { .. })), "{unknown:?}");
    open(&house).await;
    let is_written = drawer.put(plain("b", "after")).await.is_ok();
    let is_there = house.client.open("journal").is_ok();
    disk.cut_power();
    house.stop().await;
    let house = House::begin(CALM, Vec::new(), Some(keeping(&disk, None)))
        .await
        .unwrap();
    assert_eq!(house.client.open("journal").is_ok(), is_there, "it is as it was seen");
    if is_written {
        assert_eq!(text(&house.drawer("journal"), "b").as_deref(), Some("after"));
    }
    house.stop().await;
}

#[tokio::test]
async fn a_write_that_waits_behind_an_end_that_is_not_known_is_refused_or_there() {
    let disk = SimDisk::new(15);
    let house = House::on(&disk).await;
    let drawer = house.drawer("journal");
    disk.fail(Call::Sync, 0, Fault::Io);
    let journal = name("journal");
    let (unknown, written) = tokio::join!(house.client.forget(&journal), drawer.put(plain("b", "after")));
    assert!(matches!(unknown, Err(Error::Unanswered { .. })), "{unknown:?}");
    open(&house).await;
    disk.cut_power();
    house.stop().await;
    let house = House::begin(CALM, Vec::new(), Some(keeping(&disk, None)))
        .await
        .unwrap();
    let there = house.client.open("journal").ok();
    let there = there.and_then(|drawer| text(&drawer, "b"));
    assert_eq!(there.is_some(), written.is_ok(), "{written:?}");
    house.stop().await;
}

#[tokio::test]
async fn rules_whose_fate_was_not_known_are_those_on_disk() {
    let disk = SimDisk::new(4);
    let house = House::on(&disk).await;
    let mut rules = open_to_all(Durability::Journal);
    rules.quota.entries = 7;
    disk.fail(Call::Sync, 0, Fault::Io);
    assert!(house.client.define(&name("journal"), rules).await.is_err());
    open(&house).await;
    let seen = entries_allowed(&house.client);
    disk.cut_power();
    house.stop().await;
    let house = House::begin(CALM, Vec::new(), Some(keeping(&disk, None)))
        .await
        .unwrap();
    assert_eq!(entries_allowed(&house.client), seen);
    house.stop().await;
}

fn entries_allowed(client: &Client) -> u64 {
    let all = client.namespaces();
    let of = all.iter().find(|shown| shown.namespace == name("journal")).unwrap();
    of.rules.quota.entries
}

#[tokio::test]
async fn half_a_flush_of_an_earlier_life_is_never_taken_up() {
    let disk = SimDisk::new(5);
    let keys: Vec<String> = (0..6).map(|number| format!("k{number}")).collect();
    let house = House::on(&disk).await;
    let relaxed = house.drawer("relaxed");
    for name in &keys {
        relaxed.put(plain(name, "old")).await.unwrap();
    }
    house.client.flush().await.unwrap();
    house.stop().await;
    // The first flush of a life, cut short, and the first of the next.
    let house = House::on(&disk).await;
    let relaxed = house.drawer("relaxed");
    for name in &keys {
        relaxed.put(plain(name, &"h".repeat(700 << 10))).await.unwrap();
    }
    // Between records there are marks, which nobody waits for.
    disk.fail(Call::Write, 4, Fault::Full);
    disk.fail(Call::Write, 4, Fault::Full);
    assert!(house.client.flush().await.is_err());
    disk.space(Some(disk.used())); // what it would flush at its end is not written either, as after a kill
    house.stop().await;
    disk.space(None);
    for _ in 0..2 {
        let house = House::on(&disk).await;
        let relaxed = house.drawer("relaxed");
        for name in &keys {
            assert_eq!(text(&relaxed, name).unwrap().len(), 3, "{name}");
        }
        relaxed.put(plain("other", "x")).await.unwrap();
        house.client.flush().await.unwrap();
        disk.cut_power();
        house.stop().await;
    }
}

#[tokio::test]
async fn a_flush_that_failed_is_made_up_for_by_the_next() {
    let disk = SimDisk::new(12);
    let house = House::on(&disk).await;
    let relaxed = house.drawer("relaxed");
    for key in ["a", "b"] {
        relaxed.put(plain(key, "x")).await.unwrap();
    }
    house.client.flush().await.unwrap();
    relaxed.put(plain("a", "new")).await.unwrap();
    relaxed.delete(&key("b")).await.unwrap();
    disk.space(Some(disk.used()));
    assert!(house.client.flush().await.is_err());
    disk.space(None);
    house.client.flush().await.unwrap();
    disk.cut_power();
    house.stop().await;
    let house = House::on(&disk).await;
    let relaxed = house.drawer("relaxed");
    assert_eq!(text(&relaxed, "a").as_deref(), Some("new"));
    assert_eq!(text(&relaxed, "b"), None);
    house.stop().await;
}

#[tokio::test]
async fn a_namespace_that_has_no_room_on_disk_holds_up_the_flush_of_no_other() {
    let disk = SimDisk::new(14);
    let namespaces = ["a-large", "b-small"].map(|namespace| (name(namespace), open_to_all(Durability::Relaxed)));
    let house = House::begin(CALM, namespaces.into(), Some(keeping(&disk, None)))
        .await
        .unwrap();
    house
        .drawer("a-large")
        .put(plain("k", &"x".repeat(200_000)))
        .await
        .unwrap();
    house.drawer("b-small").put(plain("k", "x")).await.unwrap();
    disk.space(Some(disk.used() + 10_000));
    assert!(house.client.flush().await.is_err());
    disk.cut_power();
    disk.space(Some(disk.used()));
    house.stop().await;
    disk.space(None);
    let house = House::begin(CALM, Vec::new(), Some(keeping(&disk, None)))
        .await
        .unwrap();
    assert_eq!(text(&house.drawer("a-large"), "k"), None);
    assert_eq!(text(&house.drawer("b-small"), "k").as_deref(), Some("x"));
    house.stop().await;
}

#[tokio::test]
async fn over_an_orderly_end_versions_go_on_without_a_leap() {
    let disk = SimDisk::new(13);
    let mut last = 0;
    for _ in 0..3 {
        let house = House::on(&disk).await;
        let version = house.drawer("memory").put(plain("a", "x")).await.unwrap().version;
        assert!(version > last && version < last + (1 << 21), "{version} after {last}");
        last = version;
        house.stop().await;
    }
}

#[tokio::test]
async fn an_entry_too_large_for_a_record_is_refused_and_holds_up_no_flush() {
    let disk = SimDisk::new(6);
    let mut large = open_to_all(Durability::Relaxed);
    large.quota.value_bytes = 64 << 20;
    let namespaces = vec![
        (name("a-large"), large),
        (name("b-other"), open_to_all(Durability::Relaxed)),
    ];
    let house = House::begin(CALM, namespaces, Some(keeping(&disk, None)))
        .await
        .unwrap();
    house.drawer("b-other").put(plain("k", "x")).await.unwrap();
    let refused = house.drawer("a-large").put(plain("k", &"x".repeat(9 << 20))).await;
    house.client.flush().await.unwrap();
    assert!(matches!(refused, Err(Error::BatchTooLarge { .. })), "{refused:?}");
    disk.cut_power();
    house.stop().await;
    let house = House::begin(CALM, Vec::new(), Some(keeping(&disk, None)))
        .await
        .unwrap();
    assert_eq!(text(&house.drawer("b-other"), "k").as_deref(), Some("x"));
    house.stop().await;
}

#[tokio::test]
async fn a_sealed_store_takes_nothing_that_is_not_sealed() {
    let disk = SimDisk::new(7);
    let house = House::on(&disk).await;
    house.drawer("journal").put(plain("a", "planted")).await.unwrap();
    house.stop().await;
    let begun = House::begin(CALM, three(), Some(keeping(&disk, Some(secret('a'))))).await;
    let fault = begun
        .err()
        .map(|fault| format!("{fault:?} {fault}"))
        .unwrap_or_default();
    assert!(fault.contains("is not sealed"), "{fault}");
}

#[tokio::test]
async fn a_drawer_of_a_namespace_that_is_gone_shows_nothing_of_it_or_of_the_next_of_its_name() {
    let disk = SimDisk::new(8);
    let house = House::on(&disk).await;
    for durability in [Durability::Memory, Durability::Journal, Durability::Relaxed] {
        let (label, rules) = (durability.label(), open_to_all(durability));
        let old = house.drawer(label);
        let first = old.put(plain("a", "old")).await.unwrap();
        assert!(house.client.forget(&name(label)).await.unwrap());
        house.client.define(&name(label), rules).await.unwrap();
        let new = house.drawer(label);
        let again = new.put(plain("a", "new")).await.unwrap();
        assert!(again.version > first.version, "{label}: {again:?} after {first:?}");
        for gone in [
            old.get("a").map(drop),
            old.get("b").map(drop),
            old.get_many(&[key("a")]).map(drop),
            old.list("", None, 5).map(drop),
            old.count("").map(drop),
            old.extent().map(drop),
            old.put(plain("a", "x")).await.map(drop),
        ] {
            assert!(matches!(gone, Err(Error::NoSuchNamespace { .. })), "{label}: {gone:?}");
        }
        assert_eq!(text(&new, "a").as_deref(), Some("new"));
    }
    house.stop().await;
}

#[tokio::test]
async fn no_version_comes_again_whatever_a_power_cut_took_away() {
    let disk = SimDisk::new(9);
    let mut last = [0; 3];
    for round in 0..4 {
        let house = House::on(&disk).await;
        for (label, last) in ["memory", "journal", "relaxed"].into_iter().zip(&mut last) {
            for _ in 0..5 {
                let done = house.drawer(label).put(plain("a", "x")).await.unwrap();
                assert!(done.version > *last, "{label} in life {round}: {done:?}");
                *last = done.version;
            }
        }
        if round == 1 {
            house.client.compact().await.unwrap();
        }
        if round == 2 {
            house.client.forget(&name("memory")).await.unwrap();
        }
        if round < 3 {
            disk.space(Some(disk.used())); // nothing of an orderly end
        }
        house.stop().await;
        disk.space(None);
    }
}

#[tokio::test]
async fn a_quota_that_was_lowered_by_far_is_kept_in_portions() {
    let disk = SimDisk::new(10);
    let mut rules = Rules {
        eviction: Some(Eviction::Fifo),
        ..open_to_all(Durability::Journal)
    };
    let house = House::begin(CALM, vec![(name("n"), rules.clone())], Some(keeping(&disk, None)))
        .await
        .unwrap();
    let drawer = house.drawer("n");
    let long = "k".repeat(500);
    for batch in 0..12 {
        let ops = (0..1_000).map(|number| Op::Put(plain(&format!("{long}{batch:02}{number:03}"), "")));
        drawer.batch(ops.collect()).await.unwrap();
    }
    rules.quota = Quota {
        entries: 10,
        ..Quota::default()
    };
    house.client.define(&name("n"), rules.clone()).await.unwrap();
    assert_eq!(drawer.count("").unwrap(), 10, "at once");
    drawer.put(plain("new", "x")).await.unwrap();
    assert_eq!(drawer.count("").unwrap(), 10);
    rules.quota = Quota {
        bytes: 2_000,
        ..Quota::default()
    };
    house.client.define(&name("n"), rules).await.unwrap();
    assert!(drawer.extent().unwrap().bytes <= 2_000);
    rest(&house, &drawer, &disk).await;
    house.stop().await;
}

/// What a disk did not take when the quota was lowered makes way with the next write.
async fn rest(house: &House, drawer: &Drawer, disk: &SimDisk) {
    let mut rules = house.client.namespaces().pop().unwrap().rules;
    rules.quota = Quota::default();
    house.client.define(&name("n"), rules.clone()).await.unwrap();
    let long = "k".repeat(500);
    for batch in 0..12 {
        let ops = (0..1_000).map(|number| Op::Put(plain(&format!("{long}{batch:02}{number:03}"), "")));
        drawer.batch(ops.collect()).await.unwrap();
    }
    rules.quota.entries = 10;
    for _ in 0..3 {
        // One of them falls on a mark, which nobody waits for.
        disk.fail(Call::Write, 1, Fault::Full);
    }
    house.client.define(&name("n"), rules).await.unwrap();
    disk.heal();
    assert!(drawer.count("").unwrap() > 10);
    drawer.put(plain("new", "x")).await.unwrap();
    assert_eq!(drawer.count("").unwrap(), 10);
    let found = house.client.search(&[name("n")], &Query::default()).unwrap();
    assert_eq!(found.matched, 10);
}

#[tokio::test]
async fn all_keys_of_a_batch_are_there_in_their_order() {
    let house = House::on(&SimDisk::new(11)).await;
    let drawer = house.drawer("memory");
    let ops = (0..40).map(|number| Op::Put(plain(&format!("k{:02}", number % 20), &number.to_string())));
    let done = drawer.batch(ops.collect()).await.unwrap();
    assert!(done.iter().skip(20).all(|done| done.existed));
    let listed: Vec<(Key, _)> = drawer.list("", None, 100).unwrap();
    assert_eq!(listed.len(), 20);
    assert_eq!(text(&drawer, "k19").as_deref(), Some("39"));
    house.stop().await;
}
