//! Readers and writers at once, on threads of their own.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};

use triarch_journal::testing::SimDisk;
use triarch_memory::{Op, Scope, Seen, Value};

use super::house::{House, key, plain};

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn no_reader_sees_a_torn_or_an_older_value_while_writers_write() {
    let disk = SimDisk::new(1);
    let house = House::on(&disk).await;
    for durability in ["memory", "journal"] {
        let drawer = house.drawer(durability);
        let (is_over, reads) = (Arc::new(AtomicBool::new(false)), Arc::new(AtomicU64::new(0)));
        let readers: Vec<_> = (0..4)
            .map(|_| {
                let (drawer, is_over, reads) = (drawer.clone(), Arc::clone(&is_over), Arc::clone(&reads));
                tokio::task::spawn_blocking(move || {
                    let mut seen = [0; 8];
                    // Once more after the last write: a reader may not have had a turn before.
                    loop {
                        let was_over = is_over.load(Ordering::Relaxed);
                        for (number, last) in (0..).zip(&mut seen) {
                            let name = key(&format!("k{number}"));
                            let Some(entry) = drawer.get(name.as_str()).unwrap() else {
                                continue;
                            };
                            assert!(entry.is_whole(&name), "torn");
                            let bytes = entry.value().as_bytes();
                            assert!(bytes.iter().all(|byte| *byte == bytes[0]), "mixed");
                            assert!(entry.version() >= *last, "older");
                            *last = entry.version();
                            reads.fetch_add(1, Ordering::Relaxed);
                        }
                        if was_over {
                            break;
                        }
                    }
                })
            })
            .collect();
        let writes = (0..4_u8).map(|writer| {
            let drawer = drawer.clone();
            async move {
                for round in 0..300_usize {
                    let letter = char::from(b'a' + (writer * 5 + u8::try_from(round % 20).unwrap()) % 26);
                    let text = letter.to_string().repeat(1 + round % 700);
                    drawer
                        .put(plain(&format!("k{}", (round + usize::from(writer)) % 8), &text))
                        .await
                        .unwrap();
                    tokio::task::yield_now().await;
                }
            }
        });
        futures_util::future::join_all(writes).await;
        is_over.store(true, Ordering::Relaxed);
        for reader in readers {
            reader.await.unwrap();
        }
        assert!(reads.load(Ordering::Relaxed) > 0);
    }
    house.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn watchers_see_every_change_once_and_in_order_whoever_writes() {
    let disk = SimDisk::new(2);
    let house = House::on(&disk).await;
    for durability in ["memory", "journal", "relaxed"] {
        let drawer = house.drawer(durability);
        let mut watch = drawer.watch(Scope::Prefix(String::new()), 10_000).unwrap();
        let writes = (0..8).map(|writer| {
            let drawer = drawer.clone();
            async move {
                for round in 0..100 {
                    let own = Op::Put(plain(&format!("w{writer}/{}", round % 7), "x"));
                    drawer.batch(vec![own, Op::Increment(key("shared"), 1)]).await.unwrap();
                }
            }
        });
        futures_util::future::join_all(writes).await;
        let (mut last, mut count, mut number) = (0, 0, 0);
        while let Some(seen) = watch.try_next() {
            let Seen::Change(change) = seen else {
                panic!("missed some")
            };
            assert_eq!(change.version, last + 1, "every one, in order");
            last = change.version;
            count += 1;
            if change.key == key("shared") {
                number += 1;
                assert_eq!(
                    change.after.as_ref().unwrap().value(),
                    &Value::parse_json(&number.to_string()).unwrap()
                );
            }
        }
        assert_eq!((count, number), (1_600, 800));
    }
    house.stop().await;
}

#[tokio::test]
async fn a_watcher_that_lags_is_told_and_holds_up_nobody() {
    let house = House::on(&SimDisk::new(3)).await;
    let drawer = house.drawer("memory");
    let mut watch = drawer.watch(Scope::Key(key("k")), 4).unwrap();
    for number in 0..100 {
        drawer.put(plain("k", &number.to_string())).await.unwrap();
    }
    let mut seen = Vec::new();
    while let Some(one) = watch.try_next() {
        seen.push(match one {
            Seen::Change(change) => change.version,
            Seen::Missed(count) => 1_000 + count,
        });
    }
    assert_eq!(seen, [1, 2, 3, 4, 1_096]);
    house.stop().await;
}
