//! The time of logs, where they are read again while the runtime goes on.

use std::time::Duration;

use triarch_supervision::testing::World;

use super::super::log::Entry;
use super::*;
use crate::config::DurableConfig;
use crate::envelope::Timestamp;

const MINUTE: Duration = Duration::from_mins(1);

fn entry(time: LogTime) -> Entry {
    Entry {
        time,
        topic: Topic::new("a.b").unwrap(),
        published: Timestamp(0),
        record: Arc::from([1]),
        envelope_at: 0,
    }
}

/// What is on disk: entries of these times.
fn on_disk(archive: &Archive, times: &[LogTime]) -> Replay {
    let mut replay = Replay::default();
    let log = replay.log("a.*", archive.rules()).unwrap();
    for time in times {
        log.push(log.next(), entry(*time));
    }
    replay
}

#[test]
fn logs_that_are_read_again_are_no_younger_and_what_was_too_old_stays_gone() {
    World::new(1).run(async |world| {
        let durable = DurableConfig {
            topics: "a.*".to_owned(),
            age: MINUTE * 50,
            ..DurableConfig::default()
        };
        let config = Config {
            durable: vec![durable],
            ..Config::default()
        };
        let archive = Archive::new(&config).unwrap();
        let first = LogTime(9_000_000);
        archive.install(on_disk(&archive, &[first]));
        world.advance(MINUTE * 10).await;
        let second = archive.now();
        world.advance(MINUTE * 45).await;
        let before = archive.now();
        archive.install(on_disk(&archive, &[first, second]));
        assert!(archive.now() >= before, "{:?} {before:?}", archive.now());
        assert!(before.0 - second.0 >= 45 * 60_000);
        let (_, log) = archive.logs().remove(0);
        let offsets: Vec<_> = unpoisoned(log.read()).from(0).map(|(offset, _)| offset).collect();
        assert_eq!(offsets, [1], "the first is older than it may be");
    });
}
