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
    // Who did a task was written in records alone.
    let [replayed, restored] = [replayed, restored].map(without_who_did_them);
    assert!(replayed == restored);
}

fn without_who_did_them(mut tasks: Tasks) -> Tasks {
    for (_, task) in tasks.by_id.iter_mut() {
        if let Condition::Ended(end) = &mut task.condition
            && end.state == State::Done
        {
            end.why = Box::default();
        }
    }
    tasks
}

#[test]
fn a_key_of_the_first_release_means_the_task_that_had_it_last() {
    for mut tasks in <[Tasks; 2]>::from(first_release()) {
        let mut turn = Turn::new(tasks.outline.now + secs(1), Seeded::new(1));
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

/// Three tasks with 20 s for an attempt, claimed at once. The second was begun after 5 s, and when those were over since the
/// claims, 2 s of rest beside, all three were failed.
const JOURNAL_OF_SECOND: &str = include_str!("../../../fixtures/journal-second.txt");
/// What it came to before the last heartbeat.
const SNAPSHOT_OF_SECOND: &str = include_str!("../../../fixtures/snapshot-second.txt");
/// So many records were written before tasks were failed.
const BEFORE_FAILURES: usize = 8;

/// When attempts of the second release end, in milliseconds.
fn ends(tasks: &Tasks) -> Vec<Option<u64>> {
    let leases = tasks.by_id.values().filter_map(|task| task.lease());
    let ends = leases.map(|lease| lease.gives_up.comes().then(|| lease.gives_up.as_millis()));
    ends.collect()
}

#[test]
fn what_was_claimed_and_not_begun_under_an_earlier_release_has_its_time_before_it_still() {
    let mut replayed = Tasks::new(Config::default());
    for line in JOURNAL_OF_SECOND.lines().take(BEFORE_FAILURES) {
        replayed.replay(&unhex(line)).unwrap();
    }
    assert_eq!(ends(&replayed), [None, Some(28_000), None]);
    let restored = Tasks::restore(Config::default(), &unhex(SNAPSHOT_OF_SECOND.trim())).unwrap();
    assert_eq!(
        ends(&restored),
        [None, Some(23_000), None],
        "what was begun ends when it was to"
    );
    let expected = [(1, State::Claimed), (2, State::Running), (3, State::Claimed)];
    assert_eq!(
        (states(&replayed), states(&restored)),
        (expected.to_vec(), expected.to_vec())
    );
}

#[test]
fn what_an_earlier_release_failed_by_its_own_count_stays_failed() {
    let mut replayed = Tasks::new(Config::default());
    for line in JOURNAL_OF_SECOND.lines() {
        replayed.replay(&unhex(line)).unwrap();
    }
    assert_eq!(
        states(&replayed),
        [(1, State::Failed), (2, State::Failed), (3, State::Failed)]
    );
}

/// What the third release made of that snapshot.
const SNAPSHOT_OF_THIRD: &str = include_str!("../../../fixtures/snapshot-third.txt");

#[test]
fn what_was_claimed_under_an_earlier_release_is_ready_since_then_where_nobody_has_begun() {
    let mut tasks = Tasks::restore(Config::default(), &unhex(SNAPSHOT_OF_THIRD.trim())).unwrap();
    assert_eq!(ends(&tasks), [None, Some(23_000), None]);
    let again = Tasks::restore(Config::default(), &tasks.image().encode().unwrap()).unwrap();
    assert!(again == tasks, "it is written as this release writes it");
    let lease = tasks.by_id.get(&TaskId::new(1)).and_then(|task| task.lease()).unwrap();
    let (claimed, fence) = (lease.claimed, lease.fence);
    let mut turn = Turn::new(tasks.outline.now + secs(1), Seeded::new(1));
    tasks.give_back(&mut turn, TaskId::new(1), fence).unwrap();
    let view = tasks.show(TaskId::new(1), turn.now).unwrap();
    assert_eq!(view.ready_for, Some(turn.now.since(claimed)));
}
