//! Claims, leases, fences, late results, retries.

use super::*;

#[test]
fn a_task_is_claimed_begun_and_done_and_its_result_is_kept() {
    let mut room = Room::new();
    let body = b"{}".to_vec();
    let id = room.submit(Submission { body, ..task() });
    room.pass(secs(3));
    let claim = room.claim();
    assert_eq!((claim.task, claim.attempt, claim.body.as_slice()), (id, 1, &b"{}"[..]));
    assert_eq!(room.state(id), State::Claimed);
    room.run(|tasks, turn| tasks.begin(turn, id, claim.fence)).unwrap();
    assert_eq!(room.state(id), State::Running);
    room.complete(&claim).unwrap();
    let view = room.tasks.show(id, TaskTime::default()).unwrap();
    assert_eq!((view.state, view.result), (State::Done, Some(b"ok".to_vec())));
    let waited = secs(3);
    let kind = task().kind;
    assert_eq!(
        room.heard(&Event::Claimed {
            task: id,
            kind,
            waited,
            is_again: false
        }),
        1
    );
    room.check();
}

#[test]
fn two_claimants_never_get_one_task() {
    let mut room = Room::new();
    let first = room.submit(task());
    let second = room.submit(task());
    let claims = [
        room.claim_as("a", &[]),
        room.claim_as("b", &[]),
        room.claim_as("a", &[]),
    ];
    let got: Vec<_> = claims.iter().flatten().map(|claim| claim.task).collect();
    assert_eq!(got, [first, second]);
    let fences: Vec<_> = claims.iter().flatten().map(|claim| claim.fence.number()).collect();
    assert_eq!(fences, [1, 2]);
    room.check();
}

#[test]
fn a_lapsed_lease_makes_the_task_ready_and_a_late_result_is_refused_and_kept() {
    let mut room = Room::new();
    let id = room.submit(task());
    let first = room.claim();
    room.pass(secs(29));
    assert_eq!(room.state(id), State::Claimed);
    room.pass(secs(1));
    assert_eq!(room.state(id), State::Ready);
    let second = room.claim_as("team/b", &[]).unwrap();
    assert!(second.fence > first.fence);
    let refusal = room.complete(&first).unwrap_err();
    assert_eq!(
        refusal.to_string(),
        "lease 1 of task 1 is over, and the task is claimed; what was done is kept as a late result, drop it"
    );
    assert_eq!(
        room.tasks
            .late()
            .map(|late| (late.fence, late.is_done))
            .collect::<Vec<_>>(),
        [(first.fence, true)]
    );
    room.complete(&second).unwrap();
    assert_eq!(room.state(id), State::Done);
    room.check();
}

#[test]
fn a_result_that_comes_after_the_lease_is_late_though_nobody_has_looked_since() {
    let mut room = Room::new();
    let id = room.submit(task());
    let claim = room.claim();
    room.turn.now = room.turn.now + secs(30);
    assert!(matches!(
        room.complete(&claim),
        Err(Refusal::Stale {
            state: State::Ready,
            ..
        })
    ));
    assert_eq!((room.state(id), room.tasks.late().len()), (State::Ready, 1));
    room.check();
}

#[test]
fn late_results_are_bounded() {
    let late_max = 3;
    let mut room = Room::with(Config {
        late_max,
        ..Config::default()
    });
    room.submit(task());
    let claim = room.claim();
    room.pass(secs(60));
    for _ in 0..10 {
        let long = vec![b'x'; 1 << 20];
        room.run(|tasks, turn| tasks.complete(turn, claim.task, claim.fence, long))
            .unwrap_err();
    }
    assert_eq!(room.tasks.late().len(), 3);
    assert!(room.tasks.late().all(|late| late.text.len() == 64 << 10));
    room.check();
}

#[test]
fn a_heartbeat_prolongs_the_lease_and_shows_how_far_it_is() {
    let mut room = Room::new();
    let id = room.submit(task());
    let claim = room.claim();
    for _ in 0..10 {
        room.pass(secs(20));
        room.run(|tasks, turn| tasks.beat(turn, id, claim.fence, None, Some(40)))
            .unwrap();
    }
    let view = room.tasks.show(id, TaskTime::default()).unwrap();
    assert_eq!((view.lease_left, view.percent), (Some(secs(30)), Some(40)));
    room.complete(&claim).unwrap();
    assert_eq!(room.tasks.show(id, TaskTime::default()).unwrap().attempts, 1);
    room.check();
}

#[test]
fn a_result_that_is_told_twice_counts_once() {
    let mut room = Room::new();
    let id = room.submit(task());
    let claim = room.claim();
    room.complete(&claim).unwrap();
    let written = room.written.len();
    room.complete(&claim).unwrap();
    assert_eq!(room.written.len(), written, "nothing is written of it");
    assert_eq!((room.ended(State::Done), room.tasks.late().len()), (1, 0));
    assert!(
        matches!(room.fail(&claim), Err(Refusal::Stale { .. })),
        "done is not failed"
    );
    assert_eq!(room.state(id), State::Done);
    room.check();
}

#[test]
fn a_lease_that_was_never_given_is_refused_and_nothing_is_kept() {
    let mut room = Room::new();
    let id = room.submit(task());
    let fence = Fence::new(1);
    let refusal = room.run(|tasks, turn| tasks.complete(turn, id, fence, Vec::new()));
    assert_eq!(refusal, Err(Refusal::NeverClaimed { task: id, fence }));
    assert_eq!(room.tasks.late().len(), 0);
    let unknown = TaskId::new(99);
    assert_eq!(room.cancel(unknown), Err(Refusal::NoSuchTask { task: unknown }));
    room.check();
}

#[test]
fn a_failed_attempt_is_tried_again_after_growing_waits_and_is_dead_at_last() {
    let mut room = Room::new();
    let id = room.submit(retrying(3));
    let mut waits = Vec::new();
    for _ in 0..3 {
        let claim = room.claim();
        room.fail(&claim).unwrap();
        assert!(room.nothing_to_claim());
        waits.push(room.tasks.show(id, TaskTime::default()).unwrap().begins_in.unwrap());
        room.pass(secs(300));
    }
    for (wait, whole) in waits.iter().zip([1, 2, 4]) {
        assert!(*wait <= secs(whole) && *wait >= secs(whole).mul_f64(0.749), "{waits:?}");
    }
    assert!(
        waits.iter().any(|wait| wait.subsec_millis() != 0),
        "chance has a say: {waits:?}"
    );
    let claim = room.claim();
    assert_eq!(claim.attempt, 4);
    room.fail(&claim).unwrap();
    assert_eq!(room.state(id), State::Dead);
    assert_eq!(room.tasks.dead().collect::<Vec<_>>(), [id]);
    let past = room.tasks.show(id, TaskTime::default()).unwrap().past;
    assert_eq!(
        past.iter().map(|attempt| attempt.fence.number()).collect::<Vec<_>>(),
        [1, 2, 3, 4]
    );
    room.check();
}

#[test]
fn waits_never_exceed_the_longest() {
    let mut room = Room::new();
    let retry = Retry {
        retries: 60,
        first: secs(1),
        longest: secs(10),
        jitter_percent: 0,
    };
    let id = room.submit(Submission { retry, ..task() });
    for failure in 0..60 {
        let claim = room.claim();
        room.fail(&claim).unwrap();
        let wait = room.tasks.show(id, TaskTime::default()).unwrap().begins_in.unwrap();
        assert_eq!(wait, secs(10.min(1 << failure.min(10))));
        room.pass(secs(10));
    }
    room.check();
}

#[test]
fn a_first_wait_is_as_long_as_was_asked_for_and_none_is_longer_than_the_longest() {
    let mut room = Room::new();
    let hour = secs(3_600);
    let retry = Retry::after(hour, 3);
    let id = room.submit(Submission { retry, ..task() });
    let claim = room.claim();
    room.fail(&claim).unwrap();
    let wait = room.tasks.show(id, TaskTime::default()).unwrap().begins_in.unwrap();
    assert!((hour * 3 / 4..=hour).contains(&wait), "{wait:?}");
    let longest = secs(3_599);
    let retry = Retry { longest, ..retry };
    let refused = room.batch(vec![Submission { retry, ..task() }]).unwrap_err();
    let told = refused.to_string();
    assert!(
        told.contains("has a first wait that is longer than its longest"),
        "{told}"
    );
    room.check();
}

#[test]
fn a_task_without_retries_fails_and_so_does_one_beyond_mending() {
    let mut room = Room::new();
    let plain = room.submit(task());
    let claim = room.claim();
    room.fail(&claim).unwrap();
    room.fail(&claim).unwrap();
    assert_eq!(room.state(plain), State::Failed);
    let hopeless = room.submit(retrying(9));
    let claim = room.claim();
    room.run(|tasks, turn| tasks.fail(turn, hopeless, claim.fence, "no", Mend::Hopeless))
        .unwrap();
    assert_eq!(room.state(hopeless), State::Failed);
    assert_eq!(room.ended(State::Failed), 2);
    room.check();
}

#[test]
fn what_waits_for_its_worker_loses_none_of_its_time() {
    let mut room = Room::new();
    let timeout = Some(secs(50));
    let id = room.submit(Submission { timeout, ..task() });
    let claim = room.claim();
    for _ in 0..10 {
        room.pass(secs(20));
        room.run(|tasks, turn| tasks.beat(turn, id, claim.fence, None, None))
            .unwrap();
    }
    assert_eq!(room.state(id), State::Claimed);
    room.run(|tasks, turn| tasks.begin(turn, id, claim.fence)).unwrap();
    for _ in 0..2 {
        room.pass(secs(20));
        room.run(|tasks, turn| tasks.beat(turn, id, claim.fence, None, None))
            .unwrap();
    }
    room.pass(secs(9));
    assert_eq!(room.state(id), State::Running);
    room.pass(secs(1));
    assert_eq!(room.state(id), State::Failed);
    room.check();
}

#[test]
fn a_worker_that_never_begins_is_bound_by_its_lease() {
    let mut room = Room::new();
    let timeout = Some(secs(5));
    let id = room.submit(Submission { timeout, ..task() });
    room.claim();
    room.pass(secs(29));
    assert_eq!(room.state(id), State::Claimed);
    room.pass(secs(1));
    assert_eq!(room.state(id), State::Ready);
    room.check();
}

#[test]
fn an_attempt_that_takes_too_long_fails_though_heartbeats_come() {
    let mut room = Room::new();
    let timeout = Some(secs(50));
    let id = room.submit(Submission { timeout, ..retrying(1) });
    let claim = room.claim();
    assert_eq!(claim.timeout, timeout);
    room.run(|tasks, turn| tasks.begin(turn, id, claim.fence)).unwrap();
    room.pass(secs(25));
    room.run(|tasks, turn| tasks.beat(turn, id, claim.fence, None, None))
        .unwrap();
    room.pass(secs(24));
    assert_eq!(room.state(id), State::Running);
    // Said twice, it began once.
    room.run(|tasks, turn| tasks.begin(turn, id, claim.fence)).unwrap();
    room.pass(secs(1));
    assert_eq!(room.state(id), State::Blocked);
    let (fence, worker) = (claim.fence, worker("team/a"));
    assert_eq!(
        room.heard(&Event::Revoked {
            task: id,
            fence,
            worker
        }),
        1
    );
    assert_eq!(
        &*room.tasks.show(id, TaskTime::default()).unwrap().past[0].why,
        "it took longer than an attempt may"
    );
    room.check();
}

#[test]
fn a_task_that_is_lost_too_often_is_dead() {
    let mut room = Room::with(Config {
        lapses: 3,
        ..Config::default()
    });
    let id = room.submit(retrying(100));
    for _ in 0..3 {
        room.claim();
        room.pass(secs(30));
    }
    assert_eq!(room.state(id), State::Dead);
    room.check();
}

#[test]
fn a_task_by_which_too_many_agents_fell_is_dead_long_before_one_that_was_lost() {
    let mut room = Room::new();
    let id = room.submit(retrying(100));
    let lost = room.submit(retrying(100));
    let leave = |room: &mut Room, word: fn(&mut Tasks, &mut Turn, TaskId, Fence) -> Result<(), Refusal>| {
        let claim = room.claim();
        room.run(|tasks, turn| word(tasks, turn, claim.task, claim.fence))
            .unwrap();
    };
    for _ in 0..3 {
        assert_eq!(room.state(id), State::Ready);
        leave(&mut room, |tasks, turn, task, fence| {
            tasks.fall(turn, task, fence, "code 3")
        });
    }
    let view = room.tasks.show(id, TaskTime::default()).unwrap();
    assert_eq!((view.state, view.attempts), (State::Dead, 3));
    assert_eq!(
        view.why.as_deref(),
        Some("so many agents have fallen with it in hand: 3; the last: code 3")
    );
    for _ in 0..15 {
        leave(&mut room, |tasks, turn, task, fence| {
            tasks.leave(turn, task, fence, "stopped")
        });
        assert_eq!(room.state(lost), State::Ready);
    }
    room.check();
    // Who has it tried again begins to count anew, also of what a snapshot says.
    room.retry(id).unwrap();
    room.cancel(lost).unwrap();
    leave(&mut room, |tasks, turn, task, fence| {
        tasks.fall(turn, task, fence, "code 3")
    });
    let image = room.tasks.image().encode().unwrap();
    room.tasks = Tasks::restore(Config::default(), &image).unwrap();
    leave(&mut room, |tasks, turn, task, fence| {
        tasks.fall(turn, task, fence, "code 3")
    });
    assert_eq!(room.state(id), State::Ready);
    leave(&mut room, |tasks, turn, task, fence| {
        tasks.fall(turn, task, fence, "code 3")
    });
    assert_eq!(room.state(id), State::Dead);
}

#[test]
fn a_worker_that_is_gone_leaves_its_tasks_at_once_and_others_keep_theirs() {
    let mut room = Room::new();
    for _ in 0..3 {
        room.submit(task());
    }
    let mine = [room.claim(), room.claim()];
    let other = room.claim_as("team/b", &[]).unwrap();
    assert_eq!(room.run(|tasks, turn| tasks.abandon(turn, &worker("team/a"))), Ok(2));
    assert!(mine.iter().all(|claim| room.state(claim.task) == State::Ready));
    assert_eq!(room.state(other.task), State::Claimed);
    room.check();
}

#[test]
fn a_key_gives_the_first_task_back_for_as_long_as_it_is_kept() {
    let mut room = Room::new();
    let keyed = || Submission {
        key: Some(Key::new("nightly").unwrap()),
        ..task()
    };
    let accepted = room.batch(vec![keyed(), keyed(), task()]).unwrap();
    let told: Vec<_> = accepted.iter().map(|one| (one.task.number(), one.is_known)).collect();
    assert_eq!(told, [(1, false), (1, true), (2, false)]);
    let claim = room.claim();
    room.complete(&claim).unwrap();
    assert!(room.batch(vec![keyed()]).unwrap()[0].is_known, "also once it is done");
    room.run(|tasks, turn| tasks.drop_ended(turn, claim.task)).unwrap();
    assert_eq!(room.submit(keyed()).number(), 3);
    assert_eq!(room.tasks.outline.totals.submitted, 3);
    room.check();
}

#[test]
fn while_tasks_are_drained_none_is_taken_and_the_end_is_told() {
    let mut room = Room::new();
    let id = room.submit(task());
    room.run(|tasks, turn| tasks.drain(turn, true)).unwrap();
    assert_eq!(room.batch(vec![task()]), Err(Refusal::Draining));
    let claim = room.claim();
    assert_eq!(room.heard(&Event::Drained), 0);
    room.complete(&claim).unwrap();
    assert_eq!(room.heard(&Event::Drained), 1);
    assert_eq!(room.state(id), State::Done);
    room.run(|tasks, turn| tasks.drain(turn, false)).unwrap();
    room.submit(task());
    room.check();
}

#[test]
fn a_lease_of_another_task_is_refused_and_nothing_is_kept_of_it() {
    let mut room = Room::new();
    let (one, other) = (room.submit(task()), room.submit(task()));
    let claims = [room.claim(), room.claim()];
    let fence = claims[1].fence;
    assert_eq!(claims[1].task, other);
    let refusal = room.run(|tasks, turn| tasks.complete(turn, one, fence, Vec::new()));
    assert_eq!(refusal, Err(Refusal::NeverClaimed { task: one, fence }));
    assert_eq!(room.tasks.late().len(), 0);
    room.check();
}

#[test]
fn whatever_lease_of_a_task_is_over_what_is_said_under_it_is_late() {
    let mut room = Room::with(Config {
        lapses: 100,
        ..Config::default()
    });
    let id = room.submit(task());
    let claims: Vec<_> = (0..12)
        .map(|_| {
            let claim = room.claim();
            room.pass(secs(30));
            claim
        })
        .collect();
    for claim in &claims {
        assert!(matches!(room.complete(claim), Err(Refusal::Stale { .. })), "{claim:?}");
    }
    let last = room.claim();
    room.cancel(id).unwrap();
    assert!(matches!(room.complete(&last), Err(Refusal::Stale { .. })));
    assert_eq!(room.tasks.late().len(), 13);
    room.check();
}
