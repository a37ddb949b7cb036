//! What nobody sees, takes or holds up who may not.

use std::time::Duration;

use triarch_journal::testing::{Call, Fault, SimDisk};
use triarch_memory::{
    Access, BATCH_MAX, Belonging, Durability, Error, Eviction, Identity, Level, Op, Query, Retention, Rules, Scope,
    Seen, WATCH_CAPACITY_MAX,
};

use super::house::{CALM, House, keeping, key, name, open, open_to_all, plain, text, three};

fn private() -> Rules {
    Rules {
        access: Access {
            read: Level::Private,
            write: Level::Public,
            delete: Level::Public,
            administer: Level::System,
        },
        belonging: Belonging {
            owner: Some("a/boss".into()),
            ..Belonging::default()
        },
        ..Rules::default()
    }
}

#[tokio::test]
async fn how_much_others_keep_in_a_private_namespace_is_told_to_its_owner_alone() {
    let house = House::begin(CALM, vec![(name("own"), private())], None).await.unwrap();
    house.drawer("own").put(plain("k", "x")).await.unwrap();
    for (who, is_told) in [("a/boss", true), ("a/other", false)] {
        let client = house.client.named(Identity::agent(who));
        let shown = client.namespaces();
        assert_eq!(shown[0].extent.is_some(), is_told, "{who}");
        let extent = client.open("own").unwrap().extent();
        assert_eq!(extent.is_ok(), is_told, "{who}: {extent:?}");
        let found = client.search(&[], &Query::default()).unwrap();
        assert_eq!((found.matched, found.examined), (0, 0), "{who}");
    }
    house.stop().await;
}

#[tokio::test]
async fn who_may_write_and_not_read_is_told_no_number() {
    let house = House::begin(CALM, vec![(name("own"), private())], None).await.unwrap();
    let system = house.drawer("own");
    assert_eq!(system.increment(&key("n"), 7).await.unwrap(), 7);
    let other = house.client.named(Identity::agent("a/other")).open("own").unwrap();
    let refused = other.increment(&key("n"), 0).await;
    assert!(
        matches!(refused, Err(Error::Refused { verb: "read", .. })),
        "{refused:?}"
    );
    assert_eq!(house.client.store().refusals().last().unwrap().verb.label(), "read");
    assert_eq!(other.increment(&key("mine"), 1).await.unwrap(), 1);
    house.stop().await;
}

#[tokio::test]
async fn who_watches_by_the_rules_of_before_watches_no_more() {
    let house = House::begin(CALM, vec![(name("n"), open_to_all(Durability::Memory))], None)
        .await
        .unwrap();
    let drawer = house.client.named(Identity::agent("b/guest")).open("n").unwrap();
    let mut watch = drawer.watch(Scope::Prefix(String::new()), 8).unwrap();
    let mut rules = open_to_all(Durability::Memory);
    rules.quota.entries = 5;
    house.client.define(&name("n"), rules.clone()).await.unwrap();
    house.drawer("n").put(plain("k", "x")).await.unwrap();
    assert!(
        matches!(watch.try_next(), Some(Seen::Change(_))),
        "who may see has not changed"
    );
    rules.belonging.team = Some("c".into());
    let mut narrower = rules.clone();
    narrower.access.read = Level::System;
    for rules in [rules, narrower] {
        house.client.define(&name("n"), rules).await.unwrap();
        house.drawer("n").put(plain("k", "secret")).await.unwrap();
        let ended = tokio::time::timeout(Duration::from_mins(1), watch.next());
        assert!(ended.await.unwrap().is_none());
        watch = house.drawer("n").watch(Scope::Prefix(String::new()), 8).unwrap();
    }
    house.stop().await;
}

#[tokio::test]
async fn no_watcher_has_room_without_bound() {
    let house = House::on(&SimDisk::new(1)).await;
    let drawer = house.drawer("memory");
    let scope = || Scope::Key(key("k"));
    assert!(drawer.watch(scope(), WATCH_CAPACITY_MAX).is_ok());
    for given in [WATCH_CAPACITY_MAX + 1, usize::MAX] {
        let refused = drawer.watch(scope(), given);
        assert!(matches!(refused, Err(Error::WatchTooLarge { .. })), "{refused:?}");
    }
    house.stop().await;
}

#[tokio::test]
async fn no_reader_holds_up_writers_for_more_keys_than_a_batch_has() {
    let house = House::on(&SimDisk::new(5)).await;
    let keys: Vec<_> = (0..=BATCH_MAX).map(|number| key(&number.to_string())).collect();
    let drawer = house.drawer("memory");
    assert_eq!(drawer.get_many(&keys[1..]).unwrap().len(), BATCH_MAX);
    assert!(matches!(drawer.get_many(&keys), Err(Error::BatchTooLong { .. })));
    house.stop().await;
}

#[tokio::test]
async fn only_the_runtime_makes_all_of_it_go_to_disk_at_once() {
    let house = House::on(&SimDisk::new(2)).await;
    let refused = house.client.named(Identity::agent("a/b")).flush().await;
    assert!(matches!(refused, Err(Error::Refused { .. })), "{refused:?}");
    house.stop().await;
}

#[tokio::test]
async fn what_retention_cannot_take_from_a_full_disk_it_takes_later_and_nobody_is_restarted() {
    let disk = SimDisk::new(4);
    let rules = Rules {
        retention: Retention {
            max_entries: Some(1),
            ..Retention::default()
        },
        ..open_to_all(Durability::Journal)
    };
    let config = triarch_memory::Config {
        retain_every: Duration::from_millis(20),
        ..CALM
    };
    let namespaces = vec![(name("n"), rules)];
    let house = House::begin(config, namespaces, Some(keeping(&disk, None))).await;
    let house = house.unwrap();
    let drawer = house.drawer("n");
    let filling = async {
        // Until the disk was full before retention came.
        while drawer.count("").unwrap() < 2 {
            disk.space(None);
            let ops = ["a", "b"].map(|key| Op::Put(plain(key, "x")));
            drawer.batch(ops.into()).await.unwrap();
            disk.space(Some(disk.used()));
        }
        let tried = disk.calls();
        while disk.calls() < tried + 12 {
            tokio::task::yield_now().await;
        }
    };
    tokio::time::timeout(Duration::from_mins(1), filling).await.unwrap();
    assert_eq!(drawer.count("").unwrap(), 2);
    disk.space(None);
    let taken = async {
        while drawer.count("").unwrap() > 1 {
            tokio::task::yield_now().await;
        }
    };
    tokio::time::timeout(Duration::from_mins(1), taken).await.unwrap();
    assert_eq!(house.count("triarch_supervisor_restarts_total", "memory"), 0);
    house.stop().await;
}

#[tokio::test]
async fn while_what_is_on_disk_is_verified_writers_are_refused_at_once_and_readers_served() {
    let disk = SimDisk::new(3);
    let house = House::begin(CALM, three(), Some(keeping(&disk, None))).await.unwrap();
    let drawer = house.drawer("journal");
    drawer.put(plain("a", "kept")).await.unwrap();
    let reading = disk.hold(Call::Read);
    disk.fail(Call::Sync, 0, Fault::Io);
    let unknown = drawer.put(plain("b", "x")).await;
    assert!(matches!(unknown, Err(Error::Unanswered { .. })), "{unknown:?}");
    for _ in 0..3 {
        // Nobody who reads the disk comes back: this is told by what is known without it.
        let refused = drawer.put(plain("c", "x")).await;
        assert!(matches!(refused, Err(Error::Disk { .. })), "{refused:?}");
        let refused = house
            .client
            .define(&name("new"), open_to_all(Durability::Journal))
            .await;
        assert!(matches!(refused, Err(Error::Disk { .. })), "{refused:?}");
        assert!(matches!(
            house.client.forget(&name("journal")).await,
            Err(Error::Disk { .. })
        ));
        assert!(matches!(house.client.flush().await, Err(Error::Disk { .. })));
        assert_eq!(text(&drawer, "a").as_deref(), Some("kept"));
        house.drawer("memory").put(plain("m", "x")).await.unwrap();
        house.drawer("relaxed").put(plain("r", "x")).await.unwrap();
        tokio::task::yield_now().await;
    }
    drop(reading);
    open(&house).await;
    drawer.put(plain("c", "x")).await.unwrap();
    house.stop().await;
}

#[tokio::test]
async fn whoever_is_let_in_no_more_is_refused_where_another_durability_is_described_too_and_nothing_goes() {
    let disk = SimDisk::new(77);
    let house = House::on(&disk).await;
    for number in 0..3 {
        let put = plain(&format!("k{number}"), "x");
        house.drawer("journal").put(put).await.unwrap();
    }
    house.stop().await;

    let mut closed = open_to_all(Durability::Relaxed);
    closed.access.read = Level::System;
    closed.quota.entries = 1;
    closed.eviction = Some(Eviction::Fifo);
    // Twice: in the second life nothing is defined any more.
    for _ in 0..2 {
        let described = vec![(name("journal"), closed.clone())];
        let house = House::begin(CALM, described, Some(keeping(&disk, None))).await.unwrap();
        let agent = house.client.named(Identity::agent("team/agent"));
        let read = agent.open("journal").unwrap().get("k0");
        assert!(matches!(read, Err(Error::Refused { .. })), "{read:?}");
        let drawer = house.drawer("journal");
        let put = drawer.put(plain("new", "x")).await;
        assert!(matches!(put, Err(Error::OtherDurability { .. })), "{put:?}");
        let kept = (0..3).filter(|number| text(&drawer, &format!("k{number}")).is_some());
        assert_eq!(kept.count(), 3);
        house.stop().await;
    }
}
