//! Who may do what, and what the room counts.

use std::time::Duration;

use triarch_journal::testing::SimDisk;
use triarch_memory::{
    Access, Belonging, Client, Config, Durability, Error, Identity, Level, Lifetime, Op, Query, Retention, Rules,
    Scope, Seen, Verb,
};

use super::house::{CALM, House, keeping, key, name, open_to_all, plain, text};

fn rules(level: Level) -> Rules {
    Rules {
        access: Access {
            read: level,
            write: level,
            delete: level,
            administer: level,
        },
        belonging: Belonging {
            owner: None,
            team: Some("a".into()),
            project: Some("moon".into()),
            ..Belonging::default()
        },
        ..Rules::default()
    }
}

/// Every way into a namespace, and whether it was let through.
async fn doors(client: &Client, namespace: &str) -> Vec<(&'static str, bool)> {
    let drawer = client.open(namespace).unwrap();
    let is_let = |outcome: Result<(), Error>| !matches!(outcome, Err(Error::Refused { .. }));
    let named = [name(namespace)];
    vec![
        ("put", is_let(drawer.put(plain("k", "x")).await.map(drop))),
        ("get", is_let(drawer.get("k").map(drop))),
        ("miss", is_let(drawer.get("nothing").map(drop))),
        ("get_many", is_let(drawer.get_many(&[key("k")]).map(drop))),
        ("list", is_let(drawer.list("", None, 1).map(drop))),
        ("count", is_let(drawer.count("").map(drop))),
        ("watch", is_let(drawer.watch(Scope::Key(key("k")), 1).map(drop))),
        ("extent", is_let(drawer.extent().map(drop))),
        ("search", is_let(client.search(&named, &Query::default()).map(drop))),
        (
            "increment",
            is_let(drawer.batch(vec![Op::Increment(key("n"), 1)]).await.map(drop)),
        ),
        (
            "keep",
            is_let(drawer.keep(&key("k"), Lifetime::Forever).await.map(drop)),
        ),
        ("delete", is_let(drawer.delete(&key("k")).await.map(drop))),
        (
            "retain",
            is_let(client.retain(&named[0], &Retention::default(), true).await.map(drop)),
        ),
        ("export", client.export(&named[0], std::io::sink()).await.is_ok()),
        (
            "define",
            is_let(client.define(&named[0], client.store_rules(namespace)).await),
        ),
    ]
}

/// The rules as they are, whoever asks.
trait StoreRules {
    fn store_rules(&self, namespace: &str) -> Rules;
}

impl StoreRules for Client {
    fn store_rules(&self, namespace: &str) -> Rules {
        let all = self.named(Identity::system()).namespaces();
        all.into_iter()
            .find(|shown| shown.namespace.as_str() == namespace)
            .unwrap()
            .rules
    }
}

#[tokio::test]
async fn every_door_lets_through_whom_its_level_admits_and_nobody_else() {
    let levels = [Level::Team, Level::Project, Level::Public, Level::System];
    let namespaces = levels.map(|level| (name(level.label()), rules(level)));
    let house = House::begin(CALM, namespaces.into(), None).await.unwrap();
    let (mate, guest) = (Identity::agent("a/mate"), Identity::agent("b/guest").on("moon"));
    let stranger = Identity::agent("c/stranger");
    for (level, expected) in levels
        .into_iter()
        .zip([[true, false, false], [false, true, false], [true; 3], [false; 3]])
    {
        for (who, is_admitted) in [&mate, &guest, &stranger].into_iter().zip(expected) {
            let client = house.client.named(who.clone());
            let before = house.client.store().refused();
            for (door, is_let) in doors(&client, level.label()).await {
                assert_eq!(is_let, is_admitted, "{door} of {} for {}", level.label(), who.who);
            }
            let refused = house.client.store().refused() - before;
            assert_eq!(refused > 0, !is_admitted, "refusals are noted");
        }
        assert!(
            doors(&house.client, level.label())
                .await
                .iter()
                .all(|(_, is_let)| *is_let),
            "the runtime may all"
        );
    }
    let last = house.client.store().refusals().pop().unwrap();
    assert_eq!(
        (&*last.who, last.verb, last.level),
        ("c/stranger", Verb::Administer, Level::System)
    );
    house.stop().await;
}

#[tokio::test]
async fn of_a_private_namespace_everybody_sees_their_own() {
    let house = House::begin(CALM, vec![(name("own"), rules(Level::Private))], None)
        .await
        .unwrap();
    let [one, other] = ["a/one", "a/other"].map(|who| house.client.named(Identity::agent(who)));
    let (own, others) = (one.open("own").unwrap(), other.open("own").unwrap());
    let mut watch = others.watch(Scope::Prefix(String::new()), 8).unwrap();
    own.put(plain("mine", "secret")).await.unwrap();
    others.put(plain("theirs", "x")).await.unwrap();
    assert_eq!(text(&own, "mine").as_deref(), Some("secret"));
    assert!(matches!(others.get("mine"), Err(Error::Refused { .. })));
    assert!(others.get_many(&[key("mine")]).unwrap()[0].is_none());
    assert_eq!(others.list("", None, 10).unwrap().len(), 1);
    assert_eq!(other.search(&[], &Query::default()).unwrap().matched, 1);
    assert!(matches!(watch.try_next(), Some(Seen::Change(change)) if change.key == key("theirs")));
    assert!(matches!(others.delete(&key("mine")).await, Err(Error::Refused { .. })));
    assert_eq!(house.client.search(&[], &Query::default()).unwrap().matched, 2);
    let twice = [name("own"), name("own")];
    let found = house.client.search(&twice, &Query::default()).unwrap();
    assert_eq!(found.matched, 2, "each place is looked in once");
    house.stop().await;
}

#[tokio::test]
async fn without_a_place_to_keep_it_nothing_durable_is_promised() {
    let house = House::begin(CALM, Vec::new(), None).await.unwrap();
    for durability in [Durability::Journal, Durability::Relaxed] {
        let refused = house.client.define(&name("a"), open_to_all(durability)).await;
        assert!(matches!(refused, Err(Error::NoJournal { .. })));
    }
    house
        .client
        .define(&name("a"), open_to_all(Durability::Memory))
        .await
        .unwrap();
    house.drawer("a").put(plain("k", "x")).await.unwrap();
    house.client.compact().await.unwrap();
    house.client.flush().await.unwrap();
    house.stop().await;
}

#[tokio::test]
async fn what_is_over_goes_by_itself_and_is_counted() {
    let disk = SimDisk::new(1);
    let house = House::on(&disk).await;
    for durability in ["memory", "journal"] {
        let drawer = house.drawer(durability);
        let mut watch = drawer.watch(Scope::Prefix(String::new()), 8).unwrap();
        drawer
            .put(plain("k", "x").lasting(Lifetime::For(Duration::from_millis(1))))
            .await
            .unwrap();
        watch.next().await.unwrap();
        let gone = tokio::time::timeout(Duration::from_secs(30), watch.next())
            .await
            .unwrap();
        let Some(Seen::Change(change)) = gone else {
            panic!("{gone:?}")
        };
        assert_eq!((change.cause.label(), change.after.is_none()), ("expired", true));
        assert_eq!((text(&drawer, "k"), drawer.extent().unwrap().entries), (None, 0));
    }
    let expired = async {
        while house.count("triarch_memory_removed_total", "expired") < 2 {
            tokio::task::yield_now().await;
        }
    };
    tokio::time::timeout(Duration::from_secs(30), expired).await.unwrap();
    assert_eq!(house.count("triarch_memory_writes_total", "done"), 2);
    house.stop().await;
}

#[tokio::test]
async fn retention_tells_in_a_dry_run_what_it_would_take_and_takes_it_when_its_time_has_come() {
    let disk = SimDisk::new(2);
    let rules = |durability| Rules {
        retention: Retention {
            max_entries: Some(3),
            ..Retention::default()
        },
        ..open_to_all(durability)
    };
    let both =
        [Durability::Memory, Durability::Journal].map(|durability| (name(durability.label()), rules(durability)));
    let config = Config {
        retain_every: Duration::from_millis(50),
        ..CALM
    };
    let house = House::begin(config, both.into(), Some(keeping(&disk, None)))
        .await
        .unwrap();
    for durability in ["memory", "journal"] {
        let drawer = house.drawer(durability);
        let ops = (0..10).map(|number| Op::Put(plain(&number.to_string(), "x"))).collect();
        drawer.batch(ops).await.unwrap();
        let more = Retention {
            max_entries: Some(2),
            ..Retention::default()
        };
        let report = house.client.retain(&name(durability), &more, true).await.unwrap();
        assert!(report.by_entries == 8 || report.by_entries == 1, "{report:?}");
        let taken = async {
            while drawer.count("").unwrap() > 3 {
                tokio::task::yield_now().await;
            }
        };
        tokio::time::timeout(Duration::from_secs(30), taken).await.unwrap();
        let report = house.client.retain(&name(durability), &more, false).await.unwrap();
        assert_eq!((report.by_entries, drawer.count("").unwrap()), (1, 2));
        assert_eq!(report.keys, [key("7")]);
        assert!(drawer.exists("9").unwrap());
    }
    house.stop().await;
}

#[tokio::test]
async fn what_was_written_anew_before_retention_came_to_it_stays_and_does_not_count_as_gone() {
    const ALL: u64 = 1_200;
    let notes = (name("memory"), open_to_all(Durability::Memory));
    let house = House::begin(CALM, vec![notes], None).await.unwrap();
    let drawer = house.drawer("memory");
    for number in 0..ALL {
        drawer.put(plain(&format!("k{number:04}"), "x")).await.unwrap();
    }
    let none = Retention {
        max_entries: Some(0),
        ..Retention::default()
    };
    let of = name("memory");
    let retained = house.client.retain(&of, &none, false);
    let writing = async {
        while drawer.count("").unwrap() as u64 == ALL {
            tokio::task::yield_now().await;
        }
        drawer.put(plain("k1199", "anew")).await.unwrap();
    };
    let (retained, ()) = tokio::join!(retained, writing);
    let retained = retained.unwrap();
    assert!(drawer.exists("k1199").unwrap());
    assert_eq!((retained.entries(), drawer.count("").unwrap()), (ALL - 1, 1));
    house.stop().await;
}
