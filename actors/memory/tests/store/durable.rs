//! What outlives the runtime, and what a failing disk does to writers and not to readers.

use std::time::Duration;

use triarch_journal::testing::{Call, Fault, SimDisk};
use triarch_memory::{
    Durability, Error, Eviction, Lifetime, Op, Quota, Rules, Scope, Secret, Seen, StoreTime, Value, Wanted,
};

use super::house::{CALM, House, keeping, key, name, open, open_to_all, plain, text, three};

pub(crate) fn secret(digit: char) -> Secret {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("key");
    std::fs::write(&file, digit.to_string().repeat(64)).unwrap();
    Secret::from_file(&file).unwrap()
}

#[tokio::test]
async fn each_durability_keeps_what_it_says_over_a_power_cut() {
    let disk = SimDisk::new(1);
    let house = House::on(&disk).await;
    for durability in ["memory", "journal", "relaxed"] {
        house
            .drawer(durability)
            .put(plain("a", "before the flush"))
            .await
            .unwrap();
    }
    house.client.flush().await.unwrap();
    for durability in ["memory", "journal", "relaxed"] {
        house.drawer(durability).put(plain("b", "after it")).await.unwrap();
    }
    disk.cut_power();
    house.stop().await;
    let house = House::on(&disk).await;
    let found = ["memory", "journal", "relaxed"].map(|durability| {
        let drawer = house.drawer(durability);
        (text(&drawer, "a").is_some(), text(&drawer, "b").is_some())
    });
    assert_eq!(found, [(false, false), (true, true), (true, false)]);
    house.stop().await;
}

#[tokio::test]
async fn a_beat_with_nothing_to_flush_writes_nothing() {
    let disk = SimDisk::new(20);
    let house = House::on(&disk).await;
    // The journal's mark behind what is on disk comes when it will, and is not synced.
    let flush = || async {
        let before = disk.syncs();
        house.client.flush().await.unwrap();
        before != disk.syncs()
    };
    assert!(!flush().await, "nothing was ever written");
    for durability in ["memory", "journal"] {
        house.drawer(durability).put(plain("a", "x")).await.unwrap();
        assert!(!flush().await, "{durability} is never flushed");
    }
    for text in ["x", "y"] {
        house.drawer("relaxed").put(plain("a", text)).await.unwrap();
        assert!(flush().await);
        for _ in 0..3 {
            assert!(!flush().await, "it is on disk");
        }
    }
    house.stop().await;
}

#[tokio::test]
async fn an_orderly_end_flushes() {
    let disk = SimDisk::new(2);
    let house = House::on(&disk).await;
    house.drawer("relaxed").put(plain("a", "x")).await.unwrap();
    house.stop().await;
    disk.cut_power();
    let house = House::on(&disk).await;
    assert_eq!(text(&house.drawer("relaxed"), "a").as_deref(), Some("x"));
    house.stop().await;
}

#[tokio::test]
async fn all_of_an_entry_comes_back_and_numbers_go_on_rising() {
    let disk = SimDisk::new(3);
    let house = House::on(&disk).await;
    let drawer = house.drawer("journal");
    let put = plain("a", "x")
        .kind("plan")
        .tag("hot")
        .note("from", "b")
        .lasting(Lifetime::For(Duration::from_hours(1)));
    drawer.put(put).await.unwrap();
    assert_eq!(drawer.increment(&key("n"), 5).await.unwrap(), 5);
    let gone = drawer.put(plain("gone", "x")).await.unwrap();
    let last = drawer.delete(&key("gone")).await.unwrap();
    assert!(last.version > gone.version && last.existed);
    let before = drawer.get("a").unwrap().unwrap();
    let mut house = house;
    for is_compact in [false, true] {
        if is_compact {
            house.client.compact().await.unwrap();
        }
        disk.cut_power();
        house.stop().await;
        house = House::on(&disk).await;
        let drawer = house.drawer("journal");
        let after = drawer.get("a").unwrap().unwrap();
        assert_eq!(
            (after.checksum(), after.labels(), after.owner()),
            (before.checksum(), before.labels(), "system")
        );
        let times = |entry: &triarch_memory::Entry| [entry.created(), entry.updated(), entry.expires().unwrap()];
        assert_eq!(times(&after), times(&before));
        assert_eq!(text(&drawer, "n").as_deref(), Some("5"));
        let next = drawer.put(plain("gone", "y").if_it_is(Wanted::Absent)).await.unwrap();
        assert!(next.version > last.version);
        drawer.delete(&key("gone")).await.unwrap();
    }
    house.stop().await;
}

#[tokio::test]
async fn a_namespace_that_was_defined_or_forgotten_stays_so() {
    let disk = SimDisk::new(4);
    let house = House::on(&disk).await;
    let rules = Rules {
        quota: Quota {
            entries: 7,
            ..Quota::default()
        },
        ..open_to_all(Durability::Journal)
    };
    house.client.define(&name("new"), rules.clone()).await.unwrap();
    house.drawer("new").put(plain("a", "x")).await.unwrap();
    house.client.define(&name("old"), rules.clone()).await.unwrap();
    let old = house.drawer("old");
    old.put(plain("a", "x")).await.unwrap();
    let mut watch = old.watch(Scope::Prefix(String::new()), 8).unwrap();
    assert!(house.client.forget(&name("old")).await.unwrap());
    assert!(
        watch.next().await.is_none(),
        "whoever watched it is told that it is gone"
    );
    assert!(matches!(
        old.put(plain("a", "x")).await,
        Err(Error::NoSuchNamespace { .. })
    ));
    disk.cut_power();
    house.stop().await;
    let house = House::on(&disk).await;
    let shown = house.client.namespaces();
    let new = shown.iter().find(|shown| shown.namespace == name("new")).unwrap();
    assert_eq!((&new.rules, new.extent.unwrap().entries), (&rules, 1));
    assert!(house.client.open("old").is_err());
    house.client.define(&name("old"), rules).await.unwrap();
    assert_eq!(text(&house.drawer("old"), "a"), None);
    house.stop().await;
}

#[tokio::test]
async fn a_full_disk_refuses_writers_by_name_and_serves_readers_until_there_is_space() {
    let disk = SimDisk::new(5);
    let house = House::on(&disk).await;
    let drawer = house.drawer("journal");
    let before = drawer.put(plain("a", "kept")).await.unwrap();
    disk.space(Some(disk.used()));
    let mut watch = drawer.watch(Scope::Prefix(String::new()), 8).unwrap();
    for _ in 0..3 {
        let refused = drawer.put(plain("a", "lost")).await;
        assert!(matches!(refused, Err(Error::Disk { .. })), "{refused:?}");
        assert_eq!(text(&drawer, "a").as_deref(), Some("kept"));
    }
    disk.space(None);
    let after = drawer
        .compare_and_set(&key("a"), before.version, Value::bytes(*b"written"))
        .await
        .unwrap();
    assert_eq!(text(&drawer, "a").as_deref(), Some("written"));
    let seen = watch.try_next();
    assert!(
        matches!(seen, Some(Seen::Change(change)) if change.version == after.version),
        "only what happened is seen"
    );
    assert!(watch.try_next().is_none());
    house.stop().await;
    disk.cut_power();
    let house = House::on(&disk).await;
    assert_eq!(text(&house.drawer("journal"), "a").as_deref(), Some("written"));
    house.stop().await;
}

#[tokio::test]
async fn after_a_failed_sync_what_is_seen_is_what_is_on_disk() {
    for seed in 0..8 {
        let disk = SimDisk::new(seed);
        let house = House::on(&disk).await;
        let drawer = house.drawer("journal");
        drawer.put(plain("a", "kept")).await.unwrap();
        house.drawer("relaxed").put(plain("r", "in memory")).await.unwrap();
        disk.fail(Call::Sync, 0, Fault::Io);
        let unknown = drawer.put(plain("a", "unknown")).await;
        assert!(matches!(unknown, Err(Error::Unanswered { .. })), "{unknown:?}");
        disk.heal();
        // The journal is opened and verified anew; this is the same as after a restart of the whole.
        open(&house).await;
        drawer.put(plain("b", "after")).await.unwrap();
        let seen = text(&drawer, "a");
        assert!(seen.as_deref() == Some("kept") || seen.as_deref() == Some("unknown"));
        assert_eq!(text(&house.drawer("relaxed"), "r").as_deref(), Some("in memory"));
        disk.cut_power();
        house.stop().await;
        let house = House::on(&disk).await;
        assert_eq!(text(&house.drawer("journal"), "a"), seen, "seed {seed}");
        assert_eq!(text(&house.drawer("journal"), "b").as_deref(), Some("after"));
        house.stop().await;
    }
}

#[tokio::test]
async fn a_wrong_key_is_told_and_the_right_one_opens() {
    let disk = SimDisk::new(7);
    let sealed = |secret| House::begin(CALM, three(), Some(keeping(&disk, secret)));
    let house = sealed(Some(secret('a'))).await.unwrap();
    house.drawer("journal").put(plain("a", "a word of gold")).await.unwrap();
    house.client.compact().await.unwrap();
    house.drawer("journal").put(plain("b", "a word of gold")).await.unwrap();
    house.stop().await;
    for file in disk.names() {
        let content = disk.content(&file).unwrap();
        assert!(!content.windows(4).any(|bytes| bytes == b"gold"), "{file} tells");
    }
    for wrong in [Some(secret('b')), None] {
        let says = if wrong.is_some() {
            "the key is not the one the store was sealed with, or what it sealed was changed; name the right key in `memory.sealed_by`"
        } else {
            "no key was given; name the one it was sealed with in `memory.sealed_by`"
        };
        let refused = sealed(wrong)
            .await
            .err()
            .map(|fault| format!("{fault:?} {fault}"))
            .unwrap_or_default();
        assert!(refused.contains(says), "{refused}");
    }
    let house = sealed(Some(secret('a'))).await.unwrap();
    assert_eq!(text(&house.drawer("journal"), "a").as_deref(), Some("a word of gold"));
    assert_eq!(text(&house.drawer("journal"), "b").as_deref(), Some("a word of gold"));
    house.stop().await;
}

#[tokio::test]
async fn what_a_group_needs_room_for_evicts_what_the_group_wrote() {
    let disk = SimDisk::new(8);
    let rules = Rules {
        quota: Quota {
            entries: 10,
            ..Quota::default()
        },
        eviction: Some(Eviction::Fifo),
        ..open_to_all(Durability::Journal)
    };
    let house = House::begin(CALM, vec![(name("small"), rules)], Some(keeping(&disk, None)))
        .await
        .unwrap();
    let drawer = house.drawer("small");
    let writes = (0..200).map(|number| {
        let drawer = &drawer;
        async move { drawer.put(plain(&format!("k{number:03}"), "x")).await }
    });
    let done = futures_util::future::join_all(writes).await;
    assert!(
        done.iter().all(Result::is_ok),
        "{:?}",
        done.iter().find(|done| done.is_err())
    );
    assert_eq!(drawer.extent().unwrap().entries, 10);
    disk.cut_power();
    house.stop().await;
    let house = House::begin(CALM, Vec::new(), Some(keeping(&disk, None)))
        .await
        .unwrap();
    let keys: Vec<String> = house
        .drawer("small")
        .list("", None, 100)
        .unwrap()
        .into_iter()
        .map(|(key, _)| key.to_string())
        .collect();
    assert_eq!(keys, (190..200).map(|number| format!("k{number}")).collect::<Vec<_>>());
    house.stop().await;
}

#[tokio::test]
async fn a_journal_that_has_grown_is_cut_short_by_itself() {
    let disk = SimDisk::new(12);
    let config = triarch_memory::Config {
        snapshot_bytes: 100_000,
        ..CALM
    };
    let house = House::begin(config, three(), Some(keeping(&disk, None))).await.unwrap();
    let (drawer, text_of) = (house.drawer("journal"), "x".repeat(10_000));
    for _ in 0..20 {
        drawer.put(plain("a", &text_of)).await.unwrap();
    }
    let grown = disk.used();
    let is_short = async {
        while disk.used() > grown / 2 {
            tokio::task::yield_now().await;
        }
    };
    tokio::time::timeout(Duration::from_mins(1), is_short).await.unwrap();
    disk.cut_power();
    house.stop().await;
    let house = House::on(&disk).await;
    assert_eq!(text(&house.drawer("journal"), "a"), Some(text_of));
    house.stop().await;
}

#[tokio::test]
async fn a_snapshot_of_what_is_in_one_already_is_none_and_no_failure() {
    let disk = SimDisk::new(23);
    let house = House::on(&disk).await;
    house.drawer("journal").put(plain("a", "x")).await.unwrap();
    house.client.compact().await.unwrap();
    let once = disk.names();
    house.client.compact().await.unwrap();
    assert_eq!(disk.names(), once);
    house.drawer("journal").put(plain("b", "y")).await.unwrap();
    house.client.compact().await.unwrap();
    assert_ne!(disk.names(), once);
    house.stop().await;
    let house = House::on(&disk).await;
    let found = ["a", "b"].map(|key| text(&house.drawer("journal"), key).is_some());
    assert_eq!(found, [true, true]);
    house.stop().await;
}

#[tokio::test]
async fn many_writers_share_a_sync() {
    let disk = SimDisk::new(9);
    let house = House::on(&disk).await;
    let (drawer, before) = (house.drawer("journal"), disk.syncs());
    let writes = (0..1_000).map(|number| {
        let drawer = &drawer;
        async move { drawer.put(plain(&format!("k{number}"), "x")).await.unwrap() }
    });
    futures_util::future::join_all(writes).await;
    let syncs = disk.syncs() - before;
    assert!(syncs < 100, "{syncs} syncs for 1,000 writes");
    house.stop().await;
}

#[tokio::test]
async fn a_batch_is_written_whole_or_not_and_too_much_is_refused() {
    let disk = SimDisk::new(10);
    let house = House::on(&disk).await;
    for durability in ["memory", "journal"] {
        let drawer = house.drawer(durability);
        let version = drawer.put(plain("a", "1")).await.unwrap().version;
        let ops = |wanted| {
            vec![
                Op::Put(plain("b", "2")),
                Op::Put(plain("a", "2").if_it_is(Wanted::Version(wanted))),
            ]
        };
        assert!(matches!(
            drawer.batch(ops(version + 1)).await,
            Err(Error::Conflict { .. })
        ));
        assert_eq!((text(&drawer, "a").as_deref(), text(&drawer, "b")), (Some("1"), None));
        drawer.batch(ops(version)).await.unwrap();
        let both = drawer.get_many(&[key("a"), key("b")]).unwrap();
        assert!(
            both.iter()
                .all(|entry| entry.as_ref().unwrap().value() == &Value::bytes(*b"2"))
        );
        let many = (0..1_025)
            .map(|number| Op::Increment(key(&number.to_string()), 1))
            .collect();
        assert!(matches!(drawer.batch(many).await, Err(Error::BatchTooLong { .. })));
    }
    let large = "x".repeat(900 << 10);
    let too_much = (0..4)
        .map(|number| Op::Put(plain(&number.to_string(), &large)))
        .collect();
    assert!(matches!(
        house.drawer("journal").batch(too_much).await,
        Err(Error::BatchTooLarge { .. })
    ));
    house.stop().await;
}

#[tokio::test]
async fn the_store_s_time_goes_on_over_a_restart() {
    let disk = SimDisk::new(11);
    let house = House::on(&disk).await;
    house.drawer("journal").put(plain("a", "x")).await.unwrap();
    let before = house.client.store().clock().now();
    house.stop().await;
    let house = House::on(&disk).await;
    let after = house.client.store().clock().now();
    let passed = after.since(before);
    assert!(after >= before && passed < Duration::from_secs(10), "{passed:?}");
    assert!(StoreTime::default() < after || before == StoreTime::default());
    house.stop().await;
}

#[tokio::test]
async fn a_namespace_that_is_described_with_another_durability_is_read_and_not_written_and_all_others_begin() {
    let disk = SimDisk::new(31);
    let house = House::on(&disk).await;
    for durability in ["memory", "journal"] {
        house.drawer(durability).put(plain("a", "1")).await.unwrap();
    }
    house.stop().await;

    let other = |text, durability| (name(text), open_to_all(durability));
    let described = vec![
        other("memory", Durability::Journal),
        other("journal", Durability::Memory),
        other("relaxed", Durability::Relaxed),
    ];
    let house = House::begin(CALM, described, Some(keeping(&disk, None))).await.unwrap();
    let held = house.drawer("journal");
    assert_eq!(text(&held, "a").as_deref(), Some("1"));
    let refused = held.put(plain("a", "2")).await.unwrap_err();
    assert_eq!(
        refused.to_string(),
        "the namespace journal is of durability journal for life, and is described as memory; describe it as journal \
         again, or export it and import it into one of another name"
    );
    assert!(held.batch(vec![Op::Delete(key("a"), None)]).await.is_err());
    house.drawer("relaxed").put(plain("a", "1")).await.unwrap();
    // Of one in memory nothing outlives the runtime: it is made anew.
    house.drawer("memory").put(plain("b", "1")).await.unwrap();
    house.stop().await;

    let house = House::begin(
        CALM,
        vec![other("memory", Durability::Journal)],
        Some(keeping(&disk, None)),
    );
    let house = house.await.unwrap();
    for namespace in ["journal", "memory"] {
        house.drawer(namespace).put(plain("c", "1")).await.unwrap();
    }
    assert_eq!(text(&house.drawer("memory"), "b").as_deref(), Some("1"));
    house.stop().await;
}
