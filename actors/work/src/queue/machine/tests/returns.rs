//! Tasks that come back before anybody has begun.

use super::*;

#[test]
fn a_task_that_is_given_back_is_ready_at_once_and_loses_nothing() {
    let mut room = Room::with(Config {
        lapses: 1,
        ..Config::default()
    });
    let id = room.submit(task());
    for _ in 0..5 {
        let claim = room.claim();
        assert_eq!(claim.attempt, 1);
        room.give_back(&claim);
        assert_eq!(room.state(id), State::Ready);
    }
    let view = room.tasks.show(id, TaskTime::default()).unwrap();
    assert_eq!((view.attempts, view.past), (0, Vec::new()));
    room.check();
}

#[test]
fn the_time_for_which_a_task_waited_is_told_once_however_often_it_is_given_back() {
    let mut room = Room::new();
    room.submit(task());
    for _ in 0..3 {
        room.pass(secs(4));
        let claim = room.claim();
        room.pass(secs(10));
        room.give_back(&claim);
    }
    let waited = |event: &Event| match event {
        Event::Claimed { waited, .. } => Some(*waited),
        _ => None,
    };
    assert_eq!(room.heard.iter().filter_map(waited).collect::<Vec<_>>(), [secs(4); 3]);
    room.check();
}

#[test]
fn a_task_that_is_given_back_is_told_of_as_tried_again_once_for_each_attempt_before() {
    let mut room = Room::new();
    room.submit(retrying(3));
    let mut told = Vec::new();
    for _ in 0..2 {
        for _ in 0..3 {
            let claim = room.claim();
            room.give_back(&claim);
        }
        let claim = room.claim();
        room.fail(&claim).unwrap();
        room.pass(secs(10));
        let again = |event| match event {
            Event::Claimed { is_again, .. } => Some(is_again),
            _ => None,
        };
        told.push(room.heard.drain(..).filter_map(again).collect::<Vec<_>>());
    }
    assert_eq!(told, [[false; 4], [true, false, false, false]]);
    room.check();
}

#[test]
fn what_is_said_under_a_lease_that_was_given_back_is_late_and_no_failure_is_forgotten_for_it() {
    let mut room = Room::new();
    let id = room.submit(retrying(9));
    let claim = room.claim();
    room.fail(&claim).unwrap();
    room.pass(secs(10));
    for _ in 0..20 {
        let claim = room.claim();
        room.give_back(&claim);
        assert!(matches!(room.complete(&claim), Err(Refusal::Stale { .. })));
    }
    assert_eq!(room.tasks.late().len(), 20);
    let past = room.tasks.show(id, TaskTime::default()).unwrap().past;
    let whys: Vec<_> = past.iter().map(|attempt| &*attempt.why).collect();
    assert_eq!(whys, ["broken"]);
    room.check();
}

/// What may become of a claim with which nobody has begun.
fn ways_to_lose() -> [fn(&mut Room, &Claim); 4] {
    [
        |room, claim| room.give_back(claim),
        |room, _| room.pass(secs(30)),
        |room, claim| {
            room.run(|tasks, turn| tasks.leave(turn, claim.task, claim.fence, "its worker ended"))
                .unwrap();
        },
        |room, _| {
            room.run(|tasks, turn| tasks.abandon(turn, &worker("team/a"))).unwrap();
        },
    ]
}

#[test]
fn what_nobody_has_begun_has_its_place_and_its_age_again() {
    for lose in ways_to_lose() {
        let mut room = Room::new();
        let first = room.submit(of(Priority::Background));
        room.pass(secs(672));
        let claim = room.claim();
        let critical = room.submit(of(Priority::Critical));
        let younger = room.submit(of(Priority::Background));
        lose(&mut room, &claim);
        let ready_for = room.tasks.show(first, room.turn.now).unwrap().ready_for;
        assert!(ready_for >= Some(secs(672)), "{ready_for:?}");
        assert_eq!(claimed(&mut room), [first, critical, younger]);
        room.check();
    }
}

#[test]
fn what_was_begun_and_lost_is_behind_those_that_came_meanwhile() {
    let mut room = Room::new();
    let first = room.submit(task());
    let claim = room.claim();
    room.run(|tasks, turn| tasks.begin(turn, first, claim.fence)).unwrap();
    let second = room.submit(task());
    room.pass(secs(30));
    assert_eq!(claimed(&mut room), [second, first]);
    room.check();
}

#[test]
fn a_task_that_nobody_has_begun_is_kept_for_its_worker_for_as_long_as_it_was_to_be() {
    for (passes, is_reserved) in [(secs(4), true), (secs(5), false)] {
        let mut room = Room::new();
        let affinity = Affinity {
            worker: worker("team/b"),
            hold: Some(secs(5)),
        };
        room.submit(Submission {
            affinity: Some(affinity),
            ..task()
        });
        let claim = room.claim_as("team/b", &[]).unwrap();
        assert!(claim.is_reserved);
        room.pass(passes);
        room.give_back(&claim);
        assert_eq!(room.nothing_to_claim(), is_reserved);
        room.pass(secs(1));
        let again = room.claim_as("team/a", &[]);
        assert_eq!(again.is_some_and(|claim| !claim.is_reserved), is_reserved);
        room.check();
    }
}
