//! A million records are read again. Alone in its process, as whoever measures memory is in another.
#![expect(clippy::unwrap_used, reason = "a test fails where it stands")]

use std::time::Instant;

use triarch_supervision::clock::Seeded;
use triarch_work::config::Config;
use triarch_work::machine::{Tasks, Turn};
use triarch_work::task::Submission;
use triarch_work::time::TaskTime;
use triarch_work::words::{Kind, Worker};

const MANY: usize = 1_000_000;

/// All that is written of tasks that are submitted one by one, claimed and done, in as many records.
fn story(records: usize) -> (Tasks, Vec<Vec<u8>>) {
    let (mut tasks, worker) = (Tasks::new(Config::default()), Worker::new("team/a").unwrap());
    let mut turn = Turn::new(TaskTime::from_millis(1_000), Seeded::new(1));
    let submission = Submission::of(Kind::new("build").unwrap());
    while turn.records.len() < records {
        tasks.submit(&mut turn, vec![submission.clone()]).unwrap();
        for claim in tasks.claim(&mut turn, &worker, &[], 1, None).unwrap() {
            tasks
                .complete(&mut turn, claim.task, claim.fence, b"ok".to_vec())
                .unwrap();
        }
        turn.events.clear();
    }
    (tasks, turn.records)
}

#[test]
fn a_million_records_come_to_the_same_again() {
    let (tasks, records) = story(MANY);
    let mut replayed = Tasks::new(Config::default());
    let begun = Instant::now();
    for record in &records {
        replayed.replay(record).unwrap();
    }
    println!("{} records replayed in {:?}", records.len(), begun.elapsed());
    assert!(replayed == tasks, "what is replayed differs");
}
