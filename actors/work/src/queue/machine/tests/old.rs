//! What the first release wrote: it reads for ever.

use super::*;
use crate::codec::tests::unhex;

/// A story of which two things were written nowhere: that task 1 was shed, and that its key was free again.
const JOURNAL: &str = include_str!("../../../fixtures/journal-v1.txt");
/// What it came to.
const SNAPSHOT: &str = include_str!("../../../fixtures/snapshot-v1.txt");

fn states(tasks: &Tasks) -> Vec<(u64, State)> {
    let states = tasks.by_id.iter().map(|(id, task)| (id.number(), task.state()));
    states.collect()
}

fn first_release() -> (Tasks, Tasks) {
    let config = Config {
        ended_max: 1,
        ..Config::default()
    };
    let mut tasks = Tasks::new(config.clone());
    for line in JOURNAL.lines() {
        tasks.replay(&unhex(line)).unwrap();
    }
    (tasks, Tasks::restore(config, &unhex(SNAPSHOT.trim())).unwrap())
}

#[test]
fn a_journal_and_a_snapshot_of_the_first_release_come_to_the_same() {
    let expected = [
        (2, State::Done),
        (3, State::Claimed),
        (4, State::Blocked),
        (5, State::Blocked),
        (6, State::Cancelled),
        (7, State::Running),
    ];
    let (replayed, restored) = first_release();
    assert_eq!(states(&restored), expected);
    assert_eq!(
        states(&replayed),
        expected,
        "task 1 has lost its key, so it was forgotten"
    );
    assert!(replayed == restored);
}

#[test]
fn a_key_of_the_first_release_means_the_task_that_had_it_last() {
    for mut tasks in <[Tasks; 2]>::from(first_release()) {
        let mut turn = Turn::new(tasks.now + secs(1), Seeded::new(1));
        tasks.resume(&mut turn).unwrap();
        tasks.drain(&mut turn, false).unwrap();
        let key = Some(Key::new("nightly").unwrap());
        let accepted = tasks.submit(&mut turn, vec![Submission { key, ..task() }]).unwrap();
        assert_eq!(
            accepted,
            [Accepted {
                task: TaskId::new(3),
                is_known: true
            }]
        );
    }
}
