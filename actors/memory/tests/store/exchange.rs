//! In and out as a whole.

use std::fs::File;
use std::io::{Cursor, Seek, Write};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use serde_json::{Value as Json, json};
use triarch_journal::testing::SimDisk;
use triarch_memory::{
    Conflicts, DumpError, Durability, Eviction, ExchangeError, Exported, Identity, Lifetime, Put, Rules, StoreTime,
    Value,
};

use super::house::{CALM, House, keeping, key, name, open_to_all, plain, text};

/// Paper that is read afterwards.
#[derive(Clone, Default)]
pub(crate) struct Paper(pub(crate) Arc<Mutex<Vec<u8>>>);

impl Write for Paper {
    fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
        self.0.lock().unwrap().extend(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> std::io::Result<()> {
        Ok(())
    }
}

pub(crate) fn file(folder: &tempfile::TempDir) -> File {
    let path = folder.path().join("backup");
    File::options()
        .read(true)
        .write(true)
        .create(true)
        .truncate(true)
        .open(path)
        .unwrap()
}

fn json_put(name: &str, value: &Json) -> Put {
    Put::new(key(name), Value::json(value))
}

#[tokio::test]
async fn a_backup_comes_back_whole_into_an_empty_store() {
    let folder = tempfile::tempdir().unwrap();
    let house = House::on(&SimDisk::new(1)).await;
    for durability in ["memory", "journal", "relaxed"] {
        let drawer = house.drawer(durability);
        for number in 0..2_500 {
            drawer
                .put(plain(&format!("k{number}"), &"x".repeat(number % 300)))
                .await
                .unwrap();
        }
        let put = json_put("tagged", &json!({ "a": "red fox" }))
            .kind("note")
            .tag("hot")
            .note("from", "b");
        drawer
            .put(put.lasting(Lifetime::For(Duration::from_hours(1))))
            .await
            .unwrap();
    }
    let mut backup = file(&folder);
    let written = house.client.back_up(backup.try_clone().unwrap()).await.unwrap();
    assert_eq!(
        (written.entries, written.bytes),
        (7_503, backup.metadata().unwrap().len())
    );
    let other = House::begin(CALM, Vec::new(), Some(keeping(&SimDisk::new(2), None)))
        .await
        .unwrap();
    backup.rewind().unwrap();
    let dry = other
        .client
        .restore(backup.try_clone().unwrap(), Conflicts::Skip, true)
        .await
        .unwrap();
    assert_eq!((dry.defined.len(), other.client.namespaces().len()), (3, 0));
    backup.rewind().unwrap();
    let report = other
        .client
        .restore(backup.try_clone().unwrap(), Conflicts::Skip, false)
        .await
        .unwrap();
    assert_eq!(report.namespaces[&name("journal")].written, 2_501);
    for durability in ["memory", "journal", "relaxed"] {
        let (one, same) = (house.drawer(durability), other.drawer(durability));
        let all = one.list("", None, 10_000).unwrap();
        for (key, entry) in all {
            let restored = same.get(key.as_str()).unwrap().unwrap();
            assert_eq!((restored.value(), restored.labels()), (entry.value(), entry.labels()));
            assert_eq!(restored.expires().is_some(), entry.expires().is_some());
        }
    }
    house.stop().await;
    other.stop().await;
}

#[tokio::test]
async fn a_damaged_backup_is_refused_before_anything_of_it_is_taken() {
    let folder = tempfile::tempdir().unwrap();
    let house = House::on(&SimDisk::new(3)).await;
    let drawer = house.drawer("memory");
    for number in 0..20 {
        drawer.put(plain(&format!("k{number}"), "x")).await.unwrap();
    }
    let backup = file(&folder);
    house.client.back_up(backup.try_clone().unwrap()).await.unwrap();
    let whole = std::fs::read(folder.path().join("backup")).unwrap();
    let other = House::begin(CALM, Vec::new(), None).await.unwrap();
    let mut bad: Vec<Vec<u8>> = (0..whole.len()).step_by(7).map(|cut| whole[..cut].to_vec()).collect();
    bad.extend((0..whole.len()).step_by(11).map(|place| {
        let mut bent = whole.clone();
        bent[place] ^= 1;
        bent
    }));
    bad.push([&whole[..], b"x"].concat());
    bad.push(b"something else altogether".to_vec());
    for (number, bytes) in bad.iter().enumerate() {
        let path = folder.path().join("bad");
        std::fs::write(&path, bytes).unwrap();
        let refused = other
            .client
            .restore(File::open(&path).unwrap(), Conflicts::Overwrite, false)
            .await;
        assert!(matches!(refused, Err(ExchangeError::Dump(_))), "{number}: {refused:?}");
    }
    let nothing = other
        .client
        .restore(File::open(folder.path().join("bad")).unwrap(), Conflicts::Skip, false)
        .await;
    assert!(matches!(nothing, Err(ExchangeError::Dump(DumpError::NoBackup))));
    assert!(other.client.namespaces().is_empty());
    house.stop().await;
    other.stop().await;
}

#[tokio::test]
async fn only_the_runtime_takes_and_restores_backups() {
    let folder = tempfile::tempdir().unwrap();
    let house = House::on(&SimDisk::new(4)).await;
    let client = house.client.named(Identity::agent("a/b"));
    assert!(matches!(
        client.back_up(file(&folder)).await,
        Err(ExchangeError::Store(_))
    ));
    assert!(matches!(
        client.restore(file(&folder), Conflicts::Skip, true).await,
        Err(ExchangeError::Store(_))
    ));
    assert!(matches!(client.compact().await, Err(ExchangeError::Store(_))));
    house.stop().await;
}

pub(crate) async fn imported(
    house: &House,
    lines: &str,
    conflicts: Conflicts,
    is_dry: bool,
) -> Result<Exported, ExchangeError> {
    let lines = lines.to_owned().into_bytes();
    house
        .client
        .import(&name("memory"), Cursor::new(lines), conflicts, is_dry)
        .await
}

#[tokio::test]
async fn what_is_exported_is_imported_alike() {
    let house = House::on(&SimDisk::new(5)).await;
    let drawer = house.drawer("memory");
    drawer
        .put(
            json_put("j", &json!({ "a": [1, "zwei"] }))
                .kind("note")
                .tag("hot")
                .note("n", "m"),
        )
        .await
        .unwrap();
    drawer
        .put(Put::new(key("b"), Value::bytes(vec![0, 255, 10])))
        .await
        .unwrap();
    drawer
        .put(plain("short", "x").lasting(Lifetime::For(Duration::from_hours(1))))
        .await
        .unwrap();
    drawer.put(json_put("null", &Json::Null)).await.unwrap();
    let paper = Paper::default();
    assert_eq!(house.client.export(&name("memory"), paper.clone()).await.unwrap(), 4);
    let before = drawer.list("", None, 10).unwrap();
    for (key, _) in &before {
        drawer.delete(key).await.unwrap();
    }
    let lines = String::from_utf8(paper.0.lock().unwrap().clone()).unwrap();
    let report = imported(&house, &lines, Conflicts::Skip, false).await.unwrap();
    assert_eq!(report.written, 4);
    let after = drawer.list("", None, 10).unwrap();
    for ((name, entry), (other, same)) in before.iter().zip(&after) {
        assert_eq!(
            (name, entry.value(), entry.labels()),
            (other, same.value(), same.labels())
        );
        assert_eq!(entry.expires().is_some(), same.expires().is_some());
    }
    house.stop().await;
}

#[tokio::test]
async fn a_taken_key_is_dealt_with_as_one_wishes() {
    let lines = "{\"key\":\"k\",\"json\":{\"b\":{\"c\":2},\"d\":1},\"tags\":[\"new\"]}\n\n{\"key\":\"free\",\"base64\":\"AAE=\"}\n";
    let cases = [
        (Conflicts::Overwrite, r#"{"b":{"c":2},"d":1}"#, (1, 0, 0, 0)),
        (Conflicts::Skip, r#"{"a":1,"b":{"x":1}}"#, (0, 0, 0, 1)),
        (Conflicts::Merge, r#"{"a":1,"b":{"x":1,"c":2},"d":1}"#, (0, 1, 0, 0)),
        (Conflicts::Rename, r#"{"a":1,"b":{"x":1}}"#, (0, 0, 1, 0)),
    ];
    for (conflicts, held, counts) in cases {
        let house = House::on(&SimDisk::new(6)).await;
        let drawer = house.drawer("memory");
        drawer
            .put(json_put("k", &json!({ "a": 1, "b": { "x": 1 } })).tag("old"))
            .await
            .unwrap();
        let version = drawer.get("k").unwrap().unwrap().version();
        let dry = imported(&house, lines, conflicts, true).await.unwrap();
        assert_eq!(
            (drawer.get("k").unwrap().unwrap().version(), drawer.count("").unwrap()),
            (version, 1),
            "dry"
        );
        let report = imported(&house, lines, conflicts, false).await.unwrap();
        assert_eq!(report, dry);
        assert_eq!(
            (report.overwritten, report.merged, report.renamed, report.skipped),
            counts
        );
        assert_eq!(
            (report.written, text(&drawer, "k").as_deref()),
            (1, Some(held)),
            "{conflicts:?}"
        );
        let tags = drawer.get("k").unwrap().unwrap().labels().tags.len();
        assert_eq!(tags, if conflicts == Conflicts::Merge { 2 } else { 1 });
        assert_eq!(drawer.exists("k~1").unwrap(), conflicts == Conflicts::Rename);
        house.stop().await;
    }
}

#[tokio::test]
async fn the_same_key_twice_is_a_conflict_too_dry_or_not() {
    let lines = "{\"key\":\"k\",\"json\":1}\n{\"key\":\"k\",\"json\":2}\n";
    let house = House::on(&SimDisk::new(7)).await;
    let dry = imported(&house, lines, Conflicts::Rename, true).await.unwrap();
    let report = imported(&house, lines, Conflicts::Rename, false).await.unwrap();
    assert_eq!((report, report.written, report.renamed), (dry, 1, 1));
    assert_eq!(text(&house.drawer("memory"), "k~1").as_deref(), Some("2"));
    house.stop().await;
}

#[tokio::test]
async fn a_line_that_is_no_entry_is_named_and_all_others_are_taken_up() {
    let house = House::on(&SimDisk::new(8)).await;
    for (bad, says) in [
        ("{", "EOF"),
        ("{\"key\":\"\"}", "cannot be a key"),
        ("{\"key\":\"a\",\"colour\":1}", "unknown field"),
        ("{\"key\":\"a\",\"json\":1,\"base64\":\"\"}", "both"),
        ("{\"key\":\"a\",\"base64\":\"?\"}", "Invalid"),
    ] {
        let lines = format!("{{\"key\":\"before\"}}\n{bad}\n{{\"key\":\"behind\"}}\n");
        let drawer = house.drawer("memory");
        for key in ["before", "behind"].map(key) {
            drawer.delete(&key).await.unwrap();
        }
        let fault = imported(&house, &lines, Conflicts::Overwrite, false)
            .await
            .unwrap_err()
            .to_string();
        assert!(
            fault.starts_with("line 2 is left out: ") && fault.contains(says),
            "{fault}"
        );
        assert_eq!(drawer.count("").unwrap(), 2, "all others are there");
    }
    house.stop().await;
}

#[tokio::test]
async fn what_is_imported_keeps_its_numbers_exactly_or_is_refused() {
    let house = House::on(&SimDisk::new(9)).await;
    let drawer = house.drawer("memory");
    for (given, held) in [
        ("18446744073709551615", "18446744073709551615"),
        ("-9223372036854775808", "-9223372036854775808"),
        ("9007199254740993", "9007199254740993"),
        ("0.1", "0.1"),
        ("1.50", "1.5"),
        (r#"{"a":[-2.5,"1e400"]}"#, r#"{"a":[-2.5,"1e400"]}"#),
    ] {
        let lines = format!("{{\"key\":\"k\",\"json\":{given}}}\n");
        imported(&house, &lines, Conflicts::Overwrite, false).await.unwrap();
        assert_eq!(text(&drawer, "k").as_deref(), Some(held));
        let paper = Paper::default();
        house.client.export(&name("memory"), paper.clone()).await.unwrap();
        let exported = String::from_utf8(paper.0.lock().unwrap().clone()).unwrap();
        assert!(exported.contains(&format!("\"json\":{held},")), "{exported}");
    }
    for (given, says) in [
        ("18446744073709551616", "the number 18446744073709551616"),
        ("0.12345678901234567890", "the number 0.12345678901234567890"),
        ("9007199254740993.0", "the number 9007199254740993.0"),
        (r#"{"a":["x",1e400]}"#, "the number 1e400"),
        (r#"{"a":1,"a":2}"#, "\"a\" stands twice"),
    ] {
        let lines = format!("{{\"key\":\"other\",\"json\":{given}}}\n");
        let refused = imported(&house, &lines, Conflicts::Overwrite, false).await;
        let said = refused.unwrap_err().to_string();
        assert!(
            said.starts_with("line 1 is left out: ") && said.contains(says),
            "{said}"
        );
        assert!(!drawer.exists("other").unwrap(), "{given}");
    }
    house.stop().await;
}

/// A namespace of few and small entries, where others make room or nobody does.
/// When each entry was read last.
fn read_at(house: &House) -> Vec<StoreTime> {
    // That alone lets the store's time go on, which is when whoever reads is noted to have read.
    house.client.store().clock().now();
    let held = house.drawer("memory").list("", None, 10).unwrap();
    held.iter().map(|(_, entry)| entry.accessed()).collect()
}

#[tokio::test(start_paused = true)]
async fn a_dry_run_leaves_no_mark_that_anything_was_read() {
    let (house, folder) = (House::on(&SimDisk::new(1)).await, tempfile::tempdir().unwrap());
    let drawer = house.drawer("memory");
    for number in 0..3 {
        drawer.put(plain(&format!("k{number}"), "x")).await.unwrap();
    }
    let mut backup = file(&folder);
    house.client.back_up(backup.try_clone().unwrap()).await.unwrap();
    let before = read_at(&house);
    tokio::time::advance(Duration::from_mins(1)).await;
    for conflicts in [
        Conflicts::Skip,
        Conflicts::Overwrite,
        Conflicts::Merge,
        Conflicts::Rename,
    ] {
        read_at(&house);
        let (memory, lines) = (name("memory"), Cursor::new(r#"{"key":"k0","json":1}"#));
        let imported = house.client.import(&memory, lines, conflicts, true);
        imported.await.unwrap();
        backup.rewind().unwrap();
        let restored = house.client.restore(backup.try_clone().unwrap(), conflicts, true);
        restored.await.unwrap();
        assert_eq!(read_at(&house), before, "{conflicts:?}");
    }
    drawer.get("k0").unwrap();
    assert_ne!(read_at(&house), before);
    house.stop().await;
}

fn narrow(eviction: Option<Eviction>) -> Rules {
    let mut rules = open_to_all(Durability::Memory);
    (rules.quota.entries, rules.quota.value_bytes) = (3, 20);
    rules.eviction = eviction;
    rules
}

#[tokio::test]
async fn what_is_too_large_is_left_out_and_takes_no_other_with_it() {
    let folder = tempfile::tempdir().unwrap();
    let house = House::begin(CALM, vec![(name("memory"), narrow(None))], None)
        .await
        .unwrap();
    let large = "x".repeat(30);
    let lines = format!("{{\"key\":\"a\"}}\n{{\"key\":\"b\",\"json\":\"{large}\"}}\n\n{{\"key\":\"c\"}}\n");
    for is_dry in [true, false] {
        let mut intake = house.client.intake(&name("memory"), Conflicts::Skip, is_dry).unwrap();
        intake.take(Cursor::new(lines.clone())).await.unwrap();
        let refused = intake.take_refused();
        assert_eq!((refused.count, refused.first[0].number), (1, 2), "{refused:?}");
        assert!(
            refused.first[0]
                .fault
                .contains("memory/b has 32 bytes and 20 are allowed"),
            "{refused:?}"
        );
        assert_eq!((intake.taken().written, intake.take_refused().count), (2, 0));
    }
    assert_eq!(house.drawer("memory").count("").unwrap(), 2);
    // A backup of it goes into a namespace that takes less, but for what is too large there.
    let mut rules = narrow(None);
    rules.quota.value_bytes = 40;
    house.client.define(&name("memory"), rules).await.unwrap();
    house.drawer("memory").put(plain("b", &large)).await.unwrap();
    let mut backup = file(&folder);
    house.client.back_up(backup.try_clone().unwrap()).await.unwrap();
    let other = House::begin(CALM, vec![(name("memory"), narrow(None))], None)
        .await
        .unwrap();
    backup.rewind().unwrap();
    let restored = other.client.restore(backup, Conflicts::Skip, false).await;
    let Err(ExchangeError::Midway { fault, taken }) = restored else {
        panic!("{restored:?}")
    };
    assert!(fault.to_string().contains("memory/b has 30 bytes"), "{fault}");
    assert_eq!(taken.namespaces[&name("memory")].written, 2);
    assert_eq!(other.drawer("memory").count("").unwrap(), 2);
    house.stop().await;
    other.stop().await;
}

#[tokio::test]
async fn what_has_room_is_taken_up_and_where_others_make_room_all_of_it() {
    let line = |number| format!("{{\"key\":\"k{number}\"}}\n");
    let lines = (0..9).map(line).collect::<String>();
    for (eviction, written, left) in [
        (None, 3, ["k0", "k1", "k2"]),
        (Some(Eviction::Fifo), 9, ["k6", "k7", "k8"]),
    ] {
        let house = House::begin(CALM, vec![(name("memory"), narrow(eviction))], None)
            .await
            .unwrap();
        for is_dry in [true, false] {
            let mut intake = house.client.intake(&name("memory"), Conflicts::Skip, is_dry).unwrap();
            let taken = intake.take(Cursor::new(lines.clone())).await;
            assert_eq!((taken.is_ok(), intake.taken().written), (eviction.is_some(), written));
        }
        let there = house.drawer("memory").list("", None, 10).unwrap();
        let keys: Vec<_> = there.iter().map(|(key, _)| key.as_str()).collect();
        assert_eq!(keys, left);
        house.stop().await;
    }
}
