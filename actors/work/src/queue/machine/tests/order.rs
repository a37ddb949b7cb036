//! Who is next: classes, aging, deadlines, capabilities, affinity, time.

use super::*;

#[test]
fn more_urgent_classes_come_first() {
    let mut room = Room::new();
    let ids: Vec<_> = Priority::ALL
        .into_iter()
        .rev()
        .map(|priority| room.submit(of(priority)))
        .collect();
    assert_eq!(claimed(&mut room), ids.into_iter().rev().collect::<Vec<_>>());
    room.check();
}

#[test]
fn within_a_class_the_earliest_deadline_comes_first_and_those_without_come_in_their_order() {
    let mut room = Room::new();
    let due = |seconds| Submission {
        deadline: Some(secs(seconds)),
        ..task()
    };
    let ids = [task(), due(50), due(20), task(), due(30)].map(|submission| room.submit(submission));
    assert_eq!(claimed(&mut room), [ids[2], ids[4], ids[1], ids[0], ids[3]]);
    room.check();
}

#[test]
fn a_task_grows_more_urgent_with_its_age() {
    let mut room = Room::new();
    let background = room.submit(of(Priority::Background));
    room.pass(secs(671));
    let critical = room.submit(of(Priority::Critical));
    assert_eq!(
        claimed(&mut room),
        [critical, background],
        "its head starts sum up to 11 min 11 s"
    );
    let mut room = Room::new();
    let background = room.submit(of(Priority::Background));
    room.pass(secs(672));
    let critical = room.submit(of(Priority::Critical));
    assert_eq!(claimed(&mut room), [background, critical]);
    room.check();
}

#[test]
fn background_is_not_starved_by_a_stream_of_critical_tasks() {
    let mut room = Room::new();
    let background = room.submit(of(Priority::Background));
    let served = (0..2_000).position(|_| {
        room.submit(of(Priority::Critical));
        let claim = room.claim();
        room.complete(&claim).unwrap();
        room.pass(secs(1));
        claim.task == background
    });
    assert_eq!(served, Some(672));
    room.check();
}

#[test]
fn a_task_without_deadline_is_not_starved_by_those_with_near_ones() {
    let mut room = Room::new();
    let patient = room.submit(task());
    let due = || Submission {
        deadline: Some(secs(5)),
        ..task()
    };
    let served = (0..2_000).position(|_| {
        room.submit(due());
        let claim = room.claim();
        room.complete(&claim).unwrap();
        room.pass(secs(1));
        claim.task == patient
    });
    assert_eq!(served, Some(595), "its patience is 10 min");
    room.check();
}

#[test]
fn a_worker_gets_only_what_it_is_able_to_do() {
    let mut room = Room::new();
    let needing = |words: &[&str]| Submission {
        needs: able(words),
        ..task()
    };
    let both = room.submit(needing(&["net", "gpu", "net"]));
    let gpu = room.submit(needing(&["gpu"]));
    assert_eq!(room.claim_as("a", &["net"]), None);
    assert_eq!(room.claim_as("a", &["gpu"]).map(|claim| claim.task), Some(gpu));
    assert_eq!(
        room.claim_as("a", &["net", "disk", "gpu"]).map(|claim| claim.task),
        Some(both)
    );
    room.check();
}

#[test]
fn a_task_waits_for_the_worker_it_would_rather_have_and_no_longer_than_it_says() {
    let mut room = Room::new();
    let rather = |hold| {
        let worker = worker("team/b");
        Submission {
            affinity: Some(Affinity { worker, hold }),
            ..task()
        }
    };
    let first = room.submit(rather(Some(secs(5))));
    let second = room.submit(rather(Some(secs(5))));
    assert!(room.nothing_to_claim());
    assert_eq!(room.claim_as("team/b", &[]).map(|claim| claim.task), Some(first));
    room.pass(secs(5));
    assert_eq!(claimed(&mut room), [second]);
    for held in [first, second] {
        room.cancel(held).unwrap();
    }
    room.submit(rather(None));
    room.pass(secs(100_000));
    assert!(room.nothing_to_claim(), "that one waits without end");
    room.check();
}

#[test]
fn a_task_is_not_claimed_before_its_time() {
    let mut room = Room::new();
    let not_before = Some(secs(10));
    let id = room.submit(Submission { not_before, ..task() });
    room.pass(Duration::from_millis(9_999));
    assert!(room.nothing_to_claim());
    room.pass(Duration::from_millis(1));
    assert_eq!(claimed(&mut room), [id]);
    room.check();
}

#[test]
fn a_missed_deadline_is_told_once_and_ends_only_those_that_say_so() {
    let mut room = Room::new();
    let due = |cancel_when_missed| Submission {
        deadline: Some(secs(5)),
        cancel_when_missed,
        ..task()
    };
    let (goes_on, ends, done) = (room.submit(due(false)), room.submit(due(true)), room.submit(due(true)));
    let running = room.claim();
    room.run(|tasks, turn| tasks.cancel(turn, done, "")).unwrap();
    assert_eq!(running.task, goes_on);
    let running = room.claim();
    room.pass(secs(10));
    room.pass(secs(10));
    let missed = |task| Event::Missed {
        task,
        kind: Kind::new("build").unwrap(),
    };
    assert_eq!([goes_on, ends, done].map(|task| room.heard(&missed(task))), [1, 1, 0]);
    assert_eq!(
        (room.state(goes_on), room.state(ends)),
        (State::Claimed, State::Expired)
    );
    let worker = worker("team/a");
    assert_eq!(
        room.heard(&Event::Revoked {
            task: ends,
            fence: running.fence,
            worker
        }),
        1
    );
    assert!(matches!(
        room.complete(&running),
        Err(Refusal::Stale {
            state: State::Expired,
            ..
        })
    ));
    room.check();
}

#[test]
fn time_never_goes_back_and_a_restart_prolongs_leases_but_not_deadlines() {
    let mut room = Room::new();
    let timeout = Some(secs(40));
    let held = room.submit(Submission { timeout, ..task() });
    let due = room.submit(Submission {
        deadline: Some(secs(100)),
        cancel_when_missed: true,
        not_before: Some(secs(90)),
        ..task()
    });
    let claim = room.claim();
    room.run(|tasks, turn| tasks.begin(turn, held, claim.fence)).unwrap();
    room.run(|tasks, turn| {
        tasks.anchor(
            turn,
            crate::time::Sight {
                wall_millis: 5_000_000,
                boot: None,
            },
        )
    })
    .unwrap();
    let began = room.turn.now;
    room.turn.now = TaskTime::default();
    room.pass(Duration::ZERO);
    assert_eq!(room.turn.now, began);
    let woken = room.tasks.time_of(&crate::time::Sight {
        wall_millis: 5_095_000,
        boot: None,
    });
    assert_eq!(woken, began + secs(95));
    room.turn.now = woken;
    assert_eq!(room.run(Tasks::resume), Ok(secs(95)));
    let view = room.tasks.show(held, TaskTime::default()).unwrap();
    assert_eq!((view.state, view.lease_left), (State::Running, Some(secs(30))));
    assert_eq!(
        room.tasks.show(due, TaskTime::default()).unwrap().deadline_in,
        Some(secs(5))
    );
    assert_eq!(room.state(due), State::Ready);
    room.pass(secs(29));
    room.complete(&claim).unwrap();
    assert_eq!(room.state(due), State::Expired);
    room.check();
}

#[test]
fn an_old_task_brings_no_younger_ones_of_its_class_before_critical_ones() {
    let mut room = Room::new();
    let old = room.submit(of(Priority::Background));
    room.pass(secs(590));
    let younger = Submission {
        deadline: Some(secs(5)),
        ..of(Priority::Background)
    };
    let younger = [room.submit(younger.clone()), room.submit(younger)];
    room.pass(secs(90));
    let critical = room.submit(of(Priority::Critical));
    assert_eq!(
        claimed(&mut room),
        [old, critical, younger[0], younger[1]],
        "only the old one has waited for as long as that takes"
    );
    room.check();
}

#[test]
fn of_those_that_have_waited_for_long_enough_the_earliest_deadline_comes_first() {
    let mut room = Room::new();
    let old = room.submit(of(Priority::Low));
    let due = room.submit(Submission {
        deadline: Some(secs(400)),
        ..of(Priority::Low)
    });
    room.pass(secs(100));
    let critical = room.submit(of(Priority::Critical));
    assert_eq!(claimed(&mut room), [due, old, critical]);
    room.check();
}
