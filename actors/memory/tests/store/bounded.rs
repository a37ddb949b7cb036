//! What is bounded by bytes and time and not by count alone, and what goes on beside something that does not.

use std::io::Seek as _;
use std::time::Duration;

use futures_util::future::join_all;
use triarch_journal::testing::{Call, SimDisk};
use triarch_memory::{
    Conflicts, Durability, Error, ExchangeError, Identity, Level, Lifetime, NAMESPACES_MAX, RestoreReport, Retention,
    Rules, Scope, Seen,
};

use super::exchange::file;
use super::house::{CALM, House, keeping, key, name, open_to_all, plain, text};

const MEGABYTE: usize = 1_000_000;

#[tokio::test]
async fn a_page_has_as_many_entries_as_fit_and_says_whether_there_are_more() {
    let house = House::begin(CALM, vec![(name("n"), open_to_all(Durability::Memory))], None)
        .await
        .unwrap();
    let drawer = house.drawer("n");
    for number in 0..9 {
        drawer
            .put(plain(&format!("k{number}"), &"x".repeat(MEGABYTE)))
            .await
            .unwrap();
    }
    let page = |after: Option<&str>, most, bytes| {
        let page = drawer.page("k", after.map(key).as_ref(), (most, bytes)).unwrap();
        let keys = page.entries.into_iter().map(|(key, _)| key.as_str().to_owned());
        (keys.collect::<Vec<_>>().join(" "), page.has_more)
    };
    assert_eq!(page(None, 100, 3_500_000), ("k0 k1 k2".to_owned(), true));
    assert_eq!(page(Some("k5"), 100, 3_500_000), ("k6 k7 k8".to_owned(), false));
    assert_eq!(page(None, 1, u64::MAX), ("k0".to_owned(), true));
    assert!(!page(None, 9, u64::MAX).1);
    assert_eq!(
        page(Some("k1"), 100, 10),
        ("k2".to_owned(), true),
        "one that is larger by itself"
    );
    assert_eq!(page(None, 0, 10), (String::new(), true));
    for number in 0..3_000 {
        drawer.put(plain(&format!("small{number:04}"), "x")).await.unwrap();
    }
    let all = drawer.page("small", None, (usize::MAX, u64::MAX)).unwrap();
    assert_eq!((all.entries.len(), all.has_more), (3_000, false));
    house.stop().await;
}

fn snapshots(disk: &SimDisk) -> Vec<String> {
    let mut names = disk.names();
    names.retain(|file| file.ends_with("snapshot"));
    names
}

#[tokio::test(start_paused = true)]
async fn the_journal_of_a_runtime_whose_lives_are_short_is_cut_short_too() {
    let disk = SimDisk::new(1);
    let config = triarch_memory::Config {
        snapshot_bytes: 100_000,
        ..CALM
    };
    let namespaces = vec![(name("n"), open_to_all(Durability::Journal))];
    for _ in 0..30 {
        let keeping = keeping(&disk, None);
        let house = House::begin(config, namespaces.clone(), Some(keeping)).await.unwrap();
        house.drawer("n").put(plain("a", &"x".repeat(60_000))).await.unwrap();
        tokio::time::sleep(Duration::from_millis(100)).await;
        house.stop().await;
    }
    assert!(disk.used() < 400_000, "{}", disk.used());
    assert_eq!(snapshots(&disk).len(), 1);
}

#[tokio::test(start_paused = true)]
async fn a_snapshot_comes_in_its_time_however_often_the_runtime_is_started_anew() {
    let disk = SimDisk::new(2);
    let config = triarch_memory::Config {
        snapshot_every: Duration::from_mins(1),
        ..CALM
    };
    let namespaces = vec![(name("n"), open_to_all(Durability::Journal))];
    let begin = || House::begin(config, namespaces.clone(), Some(keeping(&disk, None)));
    let house = begin().await.unwrap();
    tokio::time::sleep(Duration::from_secs(30)).await;
    house.drawer("n").put(plain("a", "x")).await.unwrap();
    tokio::time::sleep(Duration::from_secs(20)).await;
    assert!(snapshots(&disk).is_empty(), "{disk:?}");
    tokio::time::sleep(Duration::from_secs(20)).await;
    let first = snapshots(&disk);
    assert_eq!(first.len(), 1, "{disk:?}");
    tokio::time::sleep(Duration::from_mins(5)).await;
    assert_eq!(snapshots(&disk), first, "nothing was written since");
    house.stop().await;
    let house = begin().await.unwrap();
    tokio::time::sleep(Duration::from_mins(5)).await;
    assert_eq!(snapshots(&disk), first, "nor in this life");
    house.drawer("n").put(plain("a", "y")).await.unwrap();
    tokio::time::sleep(Duration::from_secs(3)).await;
    assert_ne!(snapshots(&disk), first);
    house.stop().await;
}

#[tokio::test]
async fn what_only_a_snapshot_had_that_found_no_room_is_forgotten_with_its_end() {
    let disk = SimDisk::new(7);
    let house = House::on(&disk).await;
    let drawer = house.drawer("relaxed");
    let keys: Vec<_> = (0..2_000).map(|number| format!("k{number}")).collect();
    for key in &keys {
        drawer.put(plain(key, &"x".repeat(100))).await.unwrap();
    }
    // Enough for a segment, which is begun for the snapshot.
    disk.space(Some(disk.used() + 4_096));
    house.client.compact().await.unwrap_err();
    for name in &keys {
        drawer.delete(&key(name)).await.unwrap();
    }
    disk.space(None);
    let before = disk.used();
    house.client.flush().await.unwrap();
    assert!(
        disk.used() - before < 1_000,
        "{} bytes of nothing",
        disk.used() - before
    );
    house.stop().await;
}

fn of_entries(entries: u64) -> Rules {
    let mut rules = open_to_all(Durability::Memory);
    rules.quota.entries = entries;
    rules
}

/// A backup of `a`, which has more than its quota, and of `b` and `c`.
async fn backup_of_more_than_fits(folder: &tempfile::TempDir) -> std::fs::File {
    let journal = open_to_all(Durability::Journal);
    let namespaces = vec![
        (name("a"), of_entries(10)),
        (name("b"), of_entries(10)),
        (name("c"), journal),
    ];
    let house = House::begin(CALM, namespaces, Some(keeping(&SimDisk::new(3), None)));
    let house = house.await.unwrap();
    for number in 0..9 {
        house.drawer("a").put(plain(&format!("k{number}"), "x")).await.unwrap();
    }
    house.drawer("b").put(plain("b", "x")).await.unwrap();
    house.drawer("c").put(plain("c", "x")).await.unwrap();
    house.client.define(&name("a"), of_entries(5)).await.unwrap();
    let backup = file(folder);
    house.client.back_up(backup.try_clone().unwrap()).await.unwrap();
    house.stop().await;
    backup
}

fn fell_short(restored: Result<RestoreReport, ExchangeError>) -> (String, RestoreReport) {
    match restored.unwrap_err() {
        ExchangeError::Midway { fault, taken } => (fault.to_string(), *taken),
        other => (other.to_string(), RestoreReport::default()),
    }
}

#[tokio::test]
async fn a_restore_goes_on_behind_a_namespace_that_is_full_and_a_dry_run_tells_the_same() {
    let folder = tempfile::tempdir().unwrap();
    let mut backup = backup_of_more_than_fits(&folder).await;
    // Whoever keeps nothing is told that of what was to be kept.
    for has_journal in [true, false] {
        let disk = SimDisk::new(4);
        let keeping = has_journal.then(|| keeping(&disk, None));
        let house = House::begin(CALM, Vec::new(), keeping).await.unwrap();
        let mut told = Vec::new();
        for is_dry in [true, false] {
            backup.rewind().unwrap();
            let from = backup.try_clone().unwrap();
            told.push(fell_short(house.client.restore(from, Conflicts::Skip, is_dry).await));
        }
        let (fault, taken) = &told[0];
        assert_eq!(*taken, told[1].1, "a dry run says what is done");
        assert!(fault.contains("a has no room for k5"), "{fault}");
        let written = ["a", "b"].map(|of| taken.namespaces[&name(of)].written);
        assert_eq!(written, [5, 1]);
        let kept = taken.namespaces.get(&name("c")).map(|counted| counted.written);
        assert_eq!(kept, has_journal.then_some(1));
        let lacking: Vec<_> = taken.incomplete.keys().map(ToString::to_string).collect();
        assert_eq!(lacking, if has_journal { vec!["a"] } else { vec!["a", "c"] });
        assert_eq!(text(&house.drawer("b"), "b").as_deref(), Some("x"));
        house.stop().await;
    }
}

#[tokio::test]
async fn a_dry_run_of_a_restore_counts_the_namespaces_it_would_make_together() {
    let folder = tempfile::tempdir().unwrap();
    let mut backup = backup_of_more_than_fits(&folder).await;
    let plain = |number| (name(&format!("n{number}")), of_entries(1));
    let others = (0..NAMESPACES_MAX - 2).map(plain).collect();
    let house = House::begin(CALM, others, Some(keeping(&SimDisk::new(6), None)));
    let house = house.await.unwrap();
    let mut told = Vec::new();
    for is_dry in [true, false] {
        backup.rewind().unwrap();
        let from = backup.try_clone().unwrap();
        told.push(fell_short(house.client.restore(from, Conflicts::Skip, is_dry).await));
    }
    assert_eq!(told[0], told[1], "a dry run says what is done");
    let taken = &told[0].1;
    assert_eq!(taken.defined, [name("a"), name("b")]);
    assert!(taken.incomplete[&name("c")].contains("namespaces"), "{taken:?}");
    house.stop().await;
}

#[tokio::test]
async fn nothing_is_restored_into_a_namespace_that_keeps_it_otherwise() {
    let folder = tempfile::tempdir().unwrap();
    let mut backup = backup_of_more_than_fits(&folder).await;
    let others = vec![
        (name("a"), of_entries(10)),
        (name("c"), open_to_all(Durability::Memory)),
    ];
    let house = House::begin(CALM, others, Some(keeping(&SimDisk::new(5), None)));
    let house = house.await.unwrap();
    for is_dry in [true, false] {
        backup.rewind().unwrap();
        let from = backup.try_clone().unwrap();
        let (fault, taken) = fell_short(house.client.restore(from, Conflicts::Skip, is_dry).await);
        assert!(fault.contains("namespace c is of durability memory"), "{fault}");
        assert_eq!(taken.namespaces[&name("a")].written, 9);
        assert_eq!(taken.namespaces[&name("b")].written, 1);
    }
    assert_eq!(house.drawer("c").count("").unwrap(), 0);
    house.stop().await;
}

#[tokio::test]
async fn a_dry_run_into_what_is_read_and_not_written_is_refused_as_the_real_one_is() {
    let (disk, folder) = (SimDisk::new(8), tempfile::tempdir().unwrap());
    let described = |durability| vec![(name("held"), open_to_all(durability))];
    let house = House::begin(CALM, described(Durability::Journal), Some(keeping(&disk, None)));
    let house = house.await.unwrap();
    house.drawer("held").put(plain("a", "x")).await.unwrap();
    let file = std::fs::File::create_new(folder.path().join("backup")).unwrap();
    house.client.back_up(file).await.unwrap();
    house.stop().await;
    let house = House::begin(CALM, described(Durability::Relaxed), Some(keeping(&disk, None)));
    let house = house.await.unwrap();
    let line = r#"{"key":"new","json":1}"#.to_owned();
    for is_dry in [true, false] {
        let (held, lines) = (name("held"), std::io::Cursor::new(line.clone()));
        let imported = house.client.import(&held, lines, Conflicts::Skip, is_dry);
        let imported = imported.await.map_err(|fault| fault.to_string());
        assert!(
            imported
                .as_ref()
                .is_err_and(|fault| fault.contains("describe it as journal again")),
            "{imported:?}"
        );
        let backup = std::fs::File::open(folder.path().join("backup")).unwrap();
        let (fault, taken) = fell_short(house.client.restore(backup, Conflicts::Overwrite, is_dry).await);
        assert!(fault.contains("describe it as journal again"), "{fault}");
        assert_eq!(taken.namespaces[&name("held")].overwritten, 0);
        // What writes nothing is not refused.
        let backup = std::fs::File::open(folder.path().join("backup")).unwrap();
        let taken = house.client.restore(backup, Conflicts::Skip, is_dry).await.unwrap();
        assert_eq!(taken.namespaces[&name("held")].skipped, 1);
    }
    house.stop().await;
}

fn of_one(durability: Durability) -> Rules {
    Rules {
        retention: Retention {
            max_entries: Some(1),
            ..Retention::default()
        },
        ..open_to_all(durability)
    }
}

#[tokio::test(start_paused = true)]
async fn retention_takes_nothing_of_what_is_read_and_not_written() {
    let disk = SimDisk::new(6);
    let described = |durability| {
        vec![
            (name("held"), of_one(durability)),
            (name("other"), of_one(Durability::Memory)),
        ]
    };
    let keep = || Some(keeping(&disk, None));
    let house = House::begin(CALM, described(Durability::Relaxed), keep())
        .await
        .unwrap();
    for key in ["a", "b"] {
        house.drawer("held").put(plain(key, "x")).await.unwrap();
    }
    house.stop().await;
    let often = triarch_memory::Config {
        retain_every: Duration::from_millis(50),
        ..CALM
    };
    let house = House::begin(often, described(Durability::Journal), keep())
        .await
        .unwrap();
    for key in ["a", "b"] {
        house.drawer("other").put(plain(key, "x")).await.unwrap();
    }
    let taken = async {
        while house.drawer("other").count("").unwrap() > 1 {
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
    };
    tokio::time::timeout(Duration::from_mins(1), taken).await.unwrap();
    tokio::time::sleep(Duration::from_secs(1)).await;
    assert_eq!(house.drawer("held").count("").unwrap(), 2);
    let rules = of_one(Durability::Relaxed).retention;
    for is_dry in [true, false] {
        let refused = house.client.retain(&name("held"), &rules, is_dry).await;
        assert!(matches!(refused, Err(Error::OtherDurability { .. })), "{refused:?}");
    }
    house.stop().await;
}

#[tokio::test]
async fn what_waits_for_a_disk_that_hangs_is_bounded_by_bytes() {
    let disk = SimDisk::new(7);
    let house = House::on(&disk).await;
    let (drawer, long) = (house.drawer("journal"), "x".repeat(MEGABYTE));
    let held = disk.hold(Call::Sync);
    let names: Vec<_> = (0..200).map(|number| format!("k{number}")).collect();
    let mut puts = Box::pin(join_all(names.iter().map(|name| drawer.put(plain(name, &long)))));
    let waits = async {
        let mut most = 0;
        for _ in 0..2_000 {
            tokio::task::yield_now().await;
            let writer = house.tree.observer().node("memory/writer").unwrap();
            most = most.max(writer.mailbox.unwrap().depth);
        }
        most
    };
    let most = tokio::select! {
        most = waits => most,
        _ = &mut puts => panic!("the disk hangs"),
    };
    // Those that the writer has taken for the next batch count until it waits itself.
    assert!((60..72).contains(&most), "{most} writes of 1 MB wait");
    drop(held);
    assert!(puts.await.iter().all(Result::is_ok));
    let huge = drawer.put(plain("huge", &"x".repeat(3 * MEGABYTE))).await;
    assert!(matches!(huge, Err(Error::BatchTooLarge { .. })), "{huge:?}");
    house.stop().await;
}

#[tokio::test]
async fn while_a_disk_hangs_that_retention_waits_for_what_is_in_memory_goes_in_its_time() {
    let disk = SimDisk::new(8);
    let often = triarch_memory::Config {
        retain_every: Duration::from_millis(20),
        ..CALM
    };
    let mut soon_over = open_to_all(Durability::Journal);
    soon_over.retention.max_age = Some(Duration::from_millis(300));
    let namespaces = vec![
        (name("kept"), soon_over),
        (name("light"), open_to_all(Durability::Memory)),
    ];
    let house = House::begin(often, namespaces, Some(keeping(&disk, None)))
        .await
        .unwrap();
    let (kept, light) = (house.drawer("kept"), house.drawer("light"));
    kept.put(plain("a", "x")).await.unwrap();
    let held = disk.hold(Call::Sync);
    let mut put = Box::pin(kept.put(plain("b", "x")));
    // Once `a` is too old retention waits for its turn behind that.
    let mut watch = light.watch(Scope::Prefix(String::new()), 8).unwrap();
    let soon = plain("soon", "x").lasting(Lifetime::For(Duration::from_secs(1)));
    light.put(soon).await.unwrap();
    let expired = async {
        loop {
            let seen = watch.next().await.unwrap();
            if matches!(&seen, Seen::Change(change) if change.cause.label() == "expired") {
                return;
            }
        }
    };
    tokio::select! {
        gone = tokio::time::timeout(Duration::from_secs(30), expired) => gone.unwrap(),
        _ = &mut put => panic!("the disk hangs"),
    }
    drop(held);
    put.await.unwrap();
    house.stop().await;
}

#[tokio::test(start_paused = true)]
async fn whoever_may_not_read_an_entry_does_not_keep_it_from_those_that_nobody_reads() {
    let mut rules = open_to_all(Durability::Memory);
    rules.access.read = Level::Private;
    let house = House::begin(CALM, vec![(name("n"), rules)], None).await.unwrap();
    let drawer = |who: &str| house.client.named(Identity::agent(who)).open("n").unwrap();
    drawer("a/one").put(plain("a", "x")).await.unwrap();
    tokio::time::sleep(Duration::from_secs(8)).await;
    let stranger = drawer("b/two");
    assert!(matches!(stranger.get("a"), Err(Error::Refused { .. })));
    assert!(stranger.get_many(&[key("a")]).unwrap()[0].is_none());
    tokio::time::sleep(Duration::from_secs(2)).await;
    let unread = Retention {
        unaccessed_for: Some(Duration::from_secs(5)),
        ..Retention::default()
    };
    let n = name("n");
    let retain = || house.client.retain(&n, &unread, true);
    assert_eq!(retain().await.unwrap().entries(), 1);
    drawer("a/one").get("a").unwrap();
    assert_eq!(retain().await.unwrap().entries(), 0);
    house.stop().await;
}
