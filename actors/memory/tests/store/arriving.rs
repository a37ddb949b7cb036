//! What comes in while others write, and what goes out of it.

use std::collections::VecDeque;
use std::fs::File;
use std::io::{Read, Seek};
use std::time::Duration;

use futures_util::FutureExt;
use serde_json::{Value as Json, json};
use triarch_journal::testing::SimDisk;
use triarch_memory::{Access, Conflicts, Drawer, Durability, Exported, Identity, Level, Line, Op, Put, Rules, Value};

use super::exchange::{Paper, file, imported};
use super::house::{CALM, House, keeping, key, name, open_to_all, plain, text};

/// A line, then a moment in which somebody else has the store, then the end.
struct Interrupted(VecDeque<Vec<u8>>, Option<Box<dyn FnOnce() + Send>>);

impl Read for Interrupted {
    fn read(&mut self, into: &mut [u8]) -> std::io::Result<usize> {
        let Some(line) = self.0.pop_front() else {
            self.1.take().into_iter().for_each(|interrupt| interrupt());
            return Ok(0);
        };
        into[..line.len()].copy_from_slice(&line);
        Ok(line.len())
    }
}

fn at_once(drawer: &Drawer, op: Op) {
    drawer.batch(vec![op]).now_or_never().unwrap().unwrap();
}

#[tokio::test]
async fn what_comes_in_takes_the_place_of_nothing_that_is_newer() {
    let put = |value: &str| Op::Put(Put::new(key("k"), Value::parse_json(value).unwrap()));
    let gone = || Op::Delete(key("k"), None);
    let (old, newer) = (r#"{"o":1}"#, r#"{"n":1}"#);
    let nothing = Exported::default();
    let (left, written) = (Exported { newer: 1, ..nothing }, Exported { written: 1, ..nothing });
    let (skipped, merged) = (Exported { skipped: 1, ..nothing }, Exported { merged: 1, ..nothing });
    let renamed = Exported { renamed: 1, ..nothing };
    let cases = [
        (Conflicts::Overwrite, Some(old), put(newer), left, newer),
        (Conflicts::Overwrite, None, put(newer), left, newer),
        (Conflicts::Overwrite, Some(old), gone(), written, r#"{"i":1}"#),
        (Conflicts::Skip, None, put(newer), skipped, newer),
        (Conflicts::Merge, Some(old), put(newer), merged, r#"{"i":1,"n":1}"#),
        (Conflicts::Rename, None, put(newer), renamed, newer),
    ];
    for (conflicts, before, meanwhile, expected, held) in cases {
        let house = House::on(&SimDisk::new(9)).await;
        let drawer = house.drawer("memory");
        if let Some(before) = before {
            at_once(&drawer, put(before));
        }
        let interrupt = {
            let drawer = drawer.clone();
            move || at_once(&drawer, meanwhile)
        };
        let line = b"{\"key\":\"k\",\"json\":{\"i\":1}}\n".to_vec();
        // Empty ones behind it, so that it is decided on and waits when the end is read.
        let lines = std::iter::once(line).chain(std::iter::repeat_n(b"\n".to_vec(), 300));
        let lines = Interrupted(lines.collect(), Some(Box::new(interrupt)));
        let report = house.client.import(&name("memory"), lines, conflicts, false).await;
        assert_eq!(report.unwrap(), expected, "{conflicts:?}");
        let json = drawer.get("k").unwrap().unwrap().value().as_json().unwrap();
        assert_eq!(json, serde_json::from_str::<Json>(held).unwrap(), "{conflicts:?}");
        assert_eq!(drawer.exists("k~1").unwrap(), conflicts == Conflicts::Rename);
        house.stop().await;
    }
}

#[tokio::test]
async fn what_comes_in_twice_is_not_taken_for_somebody_elses() {
    let line = |number: u32| json!({ "key": format!("k{}", number % 1_200), "json": number }).to_string();
    let lines = (0..2_500).map(line).collect::<Vec<_>>().join("\n");
    let house = House::on(&SimDisk::new(10)).await;
    let report = imported(&house, &lines, Conflicts::Overwrite, false).await.unwrap();
    assert_eq!((report.written, report.overwritten, report.newer), (1_200, 1_300, 0));
    assert_eq!(text(&house.drawer("memory"), "k0").as_deref(), Some("2400"));
    house.stop().await;
}

fn everybodys_own() -> Rules {
    Rules {
        access: Access {
            read: Level::Private,
            write: Level::Private,
            delete: Level::Private,
            administer: Level::Public,
        },
        ..Rules::default()
    }
}

#[tokio::test]
async fn what_is_restored_belongs_to_whom_it_belonged_and_is_as_old() {
    let folder = tempfile::tempdir().unwrap();
    let house = House::begin(CALM, vec![(name("own"), everybodys_own())], None)
        .await
        .unwrap();
    for who in ["a/one", "a/other"] {
        let drawer = house.client.named(Identity::agent(who)).open("own").unwrap();
        drawer.put(plain(who, "x")).await.unwrap();
    }
    let begun = house.client.store().clock().now();
    while house.client.store().clock().now().since(begun) < Duration::from_millis(30) {
        tokio::task::yield_now().await;
    }
    let mut backup = file(&folder);
    house.client.back_up(backup.try_clone().unwrap()).await.unwrap();
    let paper = Paper::default();
    house.client.export(&name("own"), paper.clone()).await.unwrap();
    let wall = |house: &House| {
        let entry = house.drawer("own").get("a/one").unwrap().unwrap();
        let clock = house.client.store().clock();
        assert_eq!(entry.owner(), "a/one");
        [entry.created(), entry.updated()].map(|time| clock.wall(time))
    };
    let before = wall(&house);
    for is_by_backup in [true, false] {
        house.client.forget(&name("own")).await.unwrap();
        house.client.define(&name("own"), everybodys_own()).await.unwrap();
        if is_by_backup {
            backup.rewind().unwrap();
            let backup = backup.try_clone().unwrap();
            house.client.restore(backup, Conflicts::Overwrite, false).await.unwrap();
        } else {
            let lines = std::io::Cursor::new(paper.0.lock().unwrap().clone());
            house
                .client
                .import(&name("own"), lines, Conflicts::Skip, false)
                .await
                .unwrap();
        }
        for (now, then) in wall(&house).into_iter().zip(before) {
            let apart = now.duration_since(then).unwrap_or_else(|ahead| ahead.duration());
            assert!(apart < Duration::from_millis(20), "{apart:?}");
        }
        let other = house.client.named(Identity::agent("a/other")).open("own").unwrap();
        assert!(other.get("a/one").is_err() && other.get("a/other").unwrap().is_some());
    }
    house.stop().await;
}

#[tokio::test]
async fn whose_an_entry_was_is_believed_of_the_runtime_alone() {
    let house = House::begin(CALM, vec![(name("own"), everybodys_own())], None)
        .await
        .unwrap();
    let line = std::io::Cursor::new(b"{\"key\":\"k\",\"json\":1,\"owner\":\"a/victim\",\"created\":1}\n".to_vec());
    let client = house.client.named(Identity::agent("a/thief"));
    client.import(&name("own"), line, Conflicts::Skip, false).await.unwrap();
    let entry = house.drawer("own").get("k").unwrap().unwrap();
    assert_eq!((entry.owner(), entry.created()), ("a/thief", entry.updated()));
    house.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_backup_is_of_one_instant_of_all_namespaces() {
    let folder = tempfile::tempdir().unwrap();
    let namespaces = [
        ("a", Durability::Journal),
        ("b", Durability::Memory),
        ("c", Durability::Relaxed),
    ];
    let namespaces = namespaces.map(|(namespace, durability)| (name(namespace), open_to_all(durability)));
    let house = House::begin(CALM, namespaces.into(), Some(keeping(&SimDisk::new(11), None)))
        .await
        .unwrap();
    let drawers = ["a", "b", "c"].map(|namespace| house.drawer(namespace));
    for drawer in &drawers {
        for batch in 0..3 {
            let ops = (0..1_000).map(|number| Op::Put(plain(&format!("{batch}.{number}"), "filler")));
            drawer.batch(ops.collect()).await.unwrap();
        }
    }
    let writing = async {
        for _ in 0..1_500 {
            for drawer in &drawers {
                drawer.increment(&key("n"), 1).await.unwrap();
            }
        }
    };
    let backing = async {
        let mut backups = Vec::new();
        for number in 0..3 {
            let path = folder.path().join(number.to_string());
            let backup = File::options()
                .read(true)
                .write(true)
                .create_new(true)
                .open(path)
                .unwrap();
            house.client.back_up(backup.try_clone().unwrap()).await.unwrap();
            backups.push(backup);
        }
        backups
    };
    let ((), backups) = tokio::join!(writing, backing);
    for mut backup in backups {
        let other = House::begin(CALM, Vec::new(), Some(keeping(&SimDisk::new(12), None))).await;
        let other = other.unwrap();
        backup.rewind().unwrap();
        other.client.restore(backup, Conflicts::Overwrite, false).await.unwrap();
        let [a, b, c] = ["a", "b", "c"].map(|namespace| {
            let text = text(&other.drawer(namespace), "n").unwrap_or_else(|| "0".to_owned());
            text.parse::<u64>().unwrap()
        });
        // They are counted one after the other, so that at any instant the first is at most one ahead.
        assert!(a >= b && b >= c && a <= c + 1, "{a} {b} {c}");
        other.stop().await;
    }
    house.stop().await;
}

#[tokio::test]
async fn a_line_is_shown_and_written_as_it_is() {
    let house = House::begin(CALM, vec![(name("own"), everybodys_own())], None)
        .await
        .unwrap();
    let (client, clock) = (house.client.named(Identity::agent("a/b")), house.client.store().clock());
    let drawer = client.open("own").unwrap();
    let line =
        r#"{"key":"k","json":{"a":1},"type":"plan","tags":["hot"],"owner":"a/victim","version":77,"expires_in":9000}"#;
    let line: Line = serde_json::from_str(line).unwrap();
    let done = drawer.put(line.put(clock).unwrap()).await.unwrap();
    let entry = drawer.get("k").unwrap().unwrap();
    assert!(entry.expires().is_some() && entry.owner() == "a/b");
    let shown = serde_json::to_value(Line::of(key("k"), &entry, clock)).unwrap();
    assert_eq!(
        (&shown["json"], &shown["type"], &shown["owner"]),
        (&json!({ "a": 1 }), &json!("plan"), &json!("a/b"))
    );
    assert_eq!(shown["version"], json!(done.version));
    // The runtime does not take a line for an origin either, where it is only asked to write.
    let line = r#"{"key":"s","json":1,"owner":"a/victim","created":5}"#;
    let line: Line = serde_json::from_str(line).unwrap();
    house.drawer("own").put(line.put(clock).unwrap()).await.unwrap();
    assert_eq!(house.drawer("own").get("s").unwrap().unwrap().owner(), "system");
    let lines = r#"{"key":"k","json":{"b":2},"owner":"a/victim"}"#.as_bytes();
    let own = name("own");
    let merging = house.client.import(&own, lines, Conflicts::Merge, false);
    assert_eq!(merging.await.unwrap().merged, 1);
    assert_eq!(drawer.get("k").unwrap().unwrap().owner(), "a/b", "it stays whose it is");
    let both: Line = serde_json::from_str(r#"{"key":"k","json":1,"base64":""}"#).unwrap();
    assert!(both.put(clock).is_err());
    house.stop().await;
}

#[tokio::test]
async fn a_line_that_never_ends_is_refused_before_it_is_held_whole() {
    let house = House::on(&SimDisk::new(13)).await;
    let endless = std::io::repeat(b'x').take(1 << 40);
    let refused = house
        .client
        .import(&name("memory"), endless, Conflicts::Skip, false)
        .await;
    let fault = refused.unwrap_err().to_string();
    assert!(fault.starts_with("line 1 is no entry: it is longer than"), "{fault}");
    house.stop().await;
}
