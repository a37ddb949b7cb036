//! What nobody sees until it is wrong.

use super::*;

#[test]
fn a_lease_is_neither_too_short_nor_too_long() {
    let mut room = Room::new();
    room.submit(task());
    for lease in [Duration::from_millis(9), Duration::from_hours(24) + secs(1)] {
        let refused = room.run(|tasks, turn| tasks.claim(turn, &worker("team/a"), &[], 1, Some(lease)));
        assert_eq!(refused, Err(Refusal::Lease { lease }));
    }
    let claim = room.claim();
    let lease = Duration::ZERO;
    let refused = room.run(|tasks, turn| tasks.beat(turn, claim.task, claim.fence, Some(lease), None));
    assert_eq!(refused, Err(Refusal::Lease { lease }));
    room.check();
}

#[test]
fn a_claim_after_the_first_is_told_as_one() {
    let mut room = Room::new();
    let id = room.submit(task());
    let claim = room.claim();
    room.run(|tasks, turn| tasks.begin(turn, id, claim.fence)).unwrap();
    room.pass(secs(30));
    room.claim();
    let again = |is_again| Event::Claimed {
        task: id,
        kind: task().kind,
        waited: Duration::ZERO,
        is_again,
    };
    assert_eq!([room.heard(&again(false)), room.heard(&again(true))], [1, 1]);
    room.check();
}

#[test]
fn a_task_is_ready_since_its_time_and_not_since_somebody_looked() {
    let mut room = Room::new();
    let not_before = Some(secs(10));
    let id = room.submit(Submission { not_before, ..task() });
    room.pass(secs(15));
    assert_eq!(
        room.tasks.show(id, TaskTime::default()).unwrap().ready_for,
        Some(secs(5))
    );
    room.check();
}

#[test]
fn a_lease_that_is_over_does_not_count_however_much_else_is_due() {
    let mut room = Room::new();
    let claims: Vec<_> = (0..600)
        .map(|_| {
            room.submit(task());
            room.claim()
        })
        .collect();
    room.turn.now = room.turn.now + secs(30);
    for claim in claims.iter().rev() {
        assert!(matches!(room.complete(claim), Err(Refusal::Stale { .. })));
    }
    assert_eq!(room.ended(State::Done), 0);
    room.check();
}

#[test]
fn how_far_a_task_is_stays_until_more_is_said_and_is_never_more_than_all() {
    let mut room = Room::new();
    let id = room.submit(task());
    let claim = room.claim();
    for (said, shown) in [
        (None, None),
        (Some(40), Some(40)),
        (None, Some(40)),
        (Some(200), Some(100)),
    ] {
        room.run(|tasks, turn| tasks.beat(turn, id, claim.fence, None, said))
            .unwrap();
        assert_eq!(room.tasks.show(id, TaskTime::default()).unwrap().percent, shown);
    }
    room.check();
}

#[test]
fn an_attempt_takes_from_when_it_was_first_begun() {
    let mut room = Room::new();
    let task = room.submit(task());
    let claim = room.claim();
    for _ in 0..3 {
        room.pass(secs(5));
        room.run(|tasks, turn| tasks.begin(turn, task, claim.fence)).unwrap();
    }
    room.complete(&claim).unwrap();
    let ended = Event::Ended {
        task,
        kind: claim.kind,
        state: State::Done,
        took: Some(secs(10)),
    };
    assert_eq!(room.heard(&ended), 1);
    room.check();
}

#[test]
fn a_cancelled_attempt_is_known_by_its_lease_and_by_no_other() {
    let mut room = Room::new();
    let (id, other) = (room.submit(task()), room.submit(task()));
    let claims = [room.claim(), room.claim()];
    room.cancel(id).unwrap();
    assert_eq!(
        room.tasks.show(id, TaskTime::default()).unwrap().fence,
        Some(claims[0].fence)
    );
    assert!(matches!(room.complete(&claims[0]), Err(Refusal::Stale { .. })));
    let fence = claims[1].fence;
    let refusal = room.run(|tasks, turn| tasks.complete(turn, id, fence, Vec::new()));
    assert_eq!(refusal, Err(Refusal::NeverClaimed { task: id, fence }));
    assert_eq!(room.state(other), State::Claimed);
    room.check();
}

#[test]
fn what_a_dead_task_would_need_again_is_kept_for_as_long_as_it_is() {
    let mut room = Room::with(Config {
        ended_max: 0,
        ..Config::default()
    });
    let (first, dead) = {
        let first = room.submit(task());
        let mut later = retrying(1);
        later.after = vec![After::Task(first)];
        (first, room.submit(later))
    };
    room.do_next();
    for _ in 0..2 {
        let claim = room.claim();
        room.fail(&claim).unwrap();
        room.pass(secs(2));
    }
    assert_eq!((room.state(dead), room.state(first)), (State::Dead, State::Done));
    assert_eq!(room.tasks.overview(TaskTime::default()).inputs_bytes, 386);
    room.run(|tasks, turn| tasks.drop_ended(turn, dead)).unwrap();
    assert_eq!(room.tasks.overview(TaskTime::default()).inputs_bytes, 0);
    assert_eq!(room.tasks.state(first), None, "nobody needs it any more");
    room.check();
}

#[test]
fn of_two_that_rank_alike_the_more_urgent_comes_first() {
    let mut room = Room::new();
    let old = room.submit(of(Priority::Background));
    room.pass(secs(5));
    let younger = room.submit(Submission {
        deadline: Some(secs(5)),
        ..of(Priority::Background)
    });
    room.pass(secs(671));
    let critical = room.submit(of(Priority::Critical));
    assert_eq!(
        [room.claim().task, room.claim().task, room.claim().task],
        [old, critical, younger]
    );
    room.check();
}

#[test]
fn of_many_attempts_the_last_are_remembered() {
    let mut room = Room::new();
    let id = room.submit(task());
    for _ in 0..12 {
        room.claim();
        room.pass(secs(30));
    }
    let past = room.tasks.show(id, TaskTime::default()).unwrap().past;
    let fences: Vec<_> = past.iter().map(|attempt| attempt.fence.number()).collect();
    assert_eq!(fences, [5, 6, 7, 8, 9, 10, 11, 12]);
    room.check();
}

#[test]
fn a_short_result_is_taken_though_the_settings_allow_less_by_now() {
    let mut room = Room::new();
    let first = room.submit(task());
    room.submit(after(&[first]));
    let claim = room.claim();
    room.tasks.config.inputs_bytes_max = 0;
    let mut told = |bytes| room.run(|tasks, turn| tasks.complete(turn, first, claim.fence, vec![0; bytes]));
    assert!(matches!(told(129), Err(Refusal::Unfit { .. })));
    assert_eq!(told(128), Ok(()));
    room.check();
}

#[test]
fn a_task_is_tried_again_only_where_one_would_be_taken() {
    let mut room = Room::with(Config {
        open_max: 1,
        ..Config::default()
    });
    let id = room.submit(task());
    let claim = room.claim();
    room.fail(&claim).unwrap();
    room.submit(task());
    assert!(matches!(room.retry(id), Err(Refusal::Full { open: 1, more: 1, .. })));
    room.do_next();
    room.run(|tasks, turn| tasks.drain(turn, true)).unwrap();
    assert_eq!(room.retry(id), Err(Refusal::Draining));
    room.run(|tasks, turn| tasks.drain(turn, false)).unwrap();
    room.retry(id).unwrap();
    room.check();
}

#[test]
fn time_is_never_before_the_last_record_whatever_the_clocks_show() {
    let mut room = Room::new();
    let sight = crate::time::Sight {
        wall_millis: 5_000_000,
        boot: None,
    };
    room.run(|tasks, turn| tasks.anchor(turn, sight)).unwrap();
    room.pass(secs(4));
    room.submit(task());
    assert_eq!(room.tasks.time_of(&sight), room.turn.now);
    room.check();
}

#[test]
fn an_image_of_tasks_copies_none_and_a_change_meanwhile_copies_those_beside_it_alone() {
    let mut room = Room::new();
    let ids: Vec<_> = (0..20).flat_map(|_| room.batch(vec![task(); 1_000]).unwrap()).collect();
    let image = room.tasks.image();
    let (shards, own) = room.tasks.by_id.shards_beside(&image.tasks);
    assert_eq!((shards, own), (79, 0));
    let then = image.encode().unwrap();
    room.cancel(ids[12_345].task).unwrap();
    room.cancel(ids[12_346].task).unwrap();
    assert_eq!(room.tasks.by_id.shards_beside(&image.tasks), (79, 1));
    assert!(image.encode().unwrap() == then && room.tasks.image().encode().unwrap() != then);
    room.check();
}

#[test]
fn ages_go_on_though_nothing_happens() {
    let mut room = Room::new();
    let id = room.submit(task());
    let later = room.turn.now + secs(4);
    let view = room.tasks.show(id, later).unwrap();
    assert_eq!((view.age, view.ready_for), (secs(4), Some(secs(4))));
    let listed = room.tasks.list(&Filter::default(), 1, later);
    assert_eq!(listed[0].age, secs(4));
    assert_eq!(room.tasks.overview(later).oldest_ready, Some(secs(4)));
    let before = TaskTime::default();
    assert_eq!(
        room.tasks.show(id, before).unwrap().age,
        Duration::ZERO,
        "it never goes back"
    );
}

#[test]
fn a_task_that_is_tried_again_misses_its_deadline_when_that_comes_and_once() {
    let mut room = Room::new();
    let deadline = Some(secs(60));
    let id = room.submit(Submission { deadline, ..task() });
    let fail = |room: &mut Room| {
        let claim = room.claim();
        room.fail(&claim).unwrap();
    };
    let missed = Event::Missed {
        task: id,
        kind: task().kind,
    };
    fail(&mut room);
    room.retry(id).unwrap();
    room.pass(secs(59));
    assert_eq!(room.heard(&missed), 0);
    room.pass(secs(1));
    assert_eq!(room.heard(&missed), 1);
    fail(&mut room);
    room.retry(id).unwrap();
    room.pass(secs(60));
    assert_eq!(room.heard(&missed), 1);
    room.check();
}

#[test]
fn only_a_lease_that_a_task_had_is_late_and_any_other_was_never_its_own() {
    let mut room = Room::new();
    let (id, other) = (room.submit(task()), room.submit(task()));
    let is_late = |room: &mut Room, number: u64| {
        let fence = Fence::new(number);
        match room.run(|tasks, turn| tasks.complete(turn, id, fence, Vec::new())) {
            Err(Refusal::Stale { .. }) => true,
            Err(Refusal::NeverClaimed { .. }) => false,
            other => panic!("{other:?}"),
        }
    };
    let first = room.claim();
    let of_other = room.claim();
    assert_eq!((first.task, of_other.task), (id, other));
    assert!(!is_late(&mut room, of_other.fence.number()), "that is the other's");
    room.fail(&first).unwrap();
    assert!(is_late(&mut room, first.fence.number()));
    assert!(!is_late(&mut room, of_other.fence.number()));
    assert!(!is_late(&mut room, 99));
    room.complete(&of_other).unwrap();
    let refused = room.run(|tasks, turn| tasks.complete(turn, other, first.fence, Vec::new()));
    assert!(matches!(refused, Err(Refusal::NeverClaimed { .. })), "{refused:?}");
    room.check();
}

#[test]
fn of_forgotten_attempts_any_older_lease_may_have_been_one_and_no_younger_one() {
    let mut room = Room::with(Config {
        lapses: 100,
        ..Config::default()
    });
    let (other, id) = (room.submit(of(Priority::Critical)), room.submit(task()));
    let before = room.claim();
    assert_eq!(before.task, other);
    let mut ask = |count: usize| {
        for _ in 0..count {
            let claim = room.claim();
            assert_eq!(claim.task, id);
            room.run(|tasks, turn| tasks.leave(turn, id, claim.fence, "its worker ended"))
                .unwrap();
        }
        let refused = room.run(|tasks, turn| tasks.complete(turn, id, before.fence, Vec::new()));
        matches!(refused, Err(Refusal::Stale { .. }))
    };
    assert!(!ask(7), "all its attempts are remembered");
    assert!(ask(5), "of its first attempts nobody knows any more");
}

#[test]
fn a_worker_that_ends_leaves_its_task_ready_at_once_with_the_reason() {
    let mut room = Room::new();
    let id = room.submit(task());
    let claim = room.claim();
    let leave = |room: &mut Room, fence| room.run(|tasks, turn| tasks.leave(turn, id, fence, "its worker ended"));
    assert!(leave(&mut room, Fence::new(99)).is_err());
    leave(&mut room, claim.fence).unwrap();
    assert_eq!(room.state(id), State::Ready);
    assert!(matches!(room.complete(&claim), Err(Refusal::Stale { .. })));
    assert_ne!(room.claim().fence, claim.fence);
    room.check();
}

#[test]
fn who_may_have_a_task_is_told_only_of_one_that_is_ready() {
    let mut room = Room::new();
    let needs = able(&["gpu"]);
    let id = room.submit(Submission {
        needs: needs.clone(),
        ..task()
    });
    assert_eq!(room.tasks.asks(id), Some((&*needs, None)));
    room.claim_as("team/a", &["gpu"]).unwrap();
    assert_eq!(room.tasks.asks(id), None);
    assert_eq!(room.tasks.asks(TaskId::new(99)), None);
}

#[test]
fn a_prerequisite_that_there_is_not_is_named() {
    let mut room = Room::new();
    let refused = room.batch(vec![after(&[TaskId::new(99)])]).unwrap_err();
    assert!(refused.to_string().contains("no task 99"), "{refused}");
}

#[test]
fn who_did_a_task_is_known_when_it_has_ended_and_no_reason_is_told_of_one_that_is_done() {
    let mut room = Room::new();
    let plain = Submission {
        body: b"page 7".to_vec(),
        budget: Some(9),
        timeout: Some(secs(60)),
        ..retrying(2)
    };
    let [done, failed, called_off] = [plain.clone(), task(), task()].map(|task| room.submit(task));
    let seen = |room: &Room, id| room.tasks.show(id, TaskTime::default()).unwrap();
    let view = seen(&room, done);
    assert_eq!(
        (view.body, view.budget, view.timeout, view.retries),
        (Some(plain.body), Some(9), Some(secs(60)), 2)
    );
    let claim = room.claim_as("team/b", &[]).unwrap();
    room.complete(&claim).unwrap();
    let claim = room.claim();
    room.fail(&claim).unwrap();
    room.cancel(called_off).unwrap();
    for restored in [false, true] {
        if restored {
            let image = room.tasks.image().encode().unwrap();
            room.tasks = Tasks::restore(Config::default(), &image).unwrap();
        }
        let told = [done, failed, called_off].map(|id| {
            let view = seen(&room, id);
            (view.worker, view.why)
        });
        let expected = [
            (Some(worker("team/b")), None),
            (Some(worker("team/a")), Some("broken".to_owned())),
            (None, Some("not wanted".to_owned())),
        ];
        assert_eq!(told, expected);
    }
    room.check();
}

#[test]
fn tasks_are_listed_from_the_latest_back_and_between_two_of_them() {
    let mut room = Room::new();
    let ids: Vec<_> = (0..600).map(|_| room.submit(task())).collect();
    let listed = |after: Option<TaskId>, before: Option<TaskId>, latest_first: bool| {
        let filter = Filter {
            after,
            before,
            latest_first,
            ..Filter::default()
        };
        let views = room.tasks.list(&filter, 3, TaskTime::default());
        views.iter().map(|view| view.task).collect::<Vec<_>>()
    };
    assert_eq!(listed(None, None, true), [ids[599], ids[598], ids[597]]);
    assert_eq!(listed(None, Some(ids[256]), true), [ids[255], ids[254], ids[253]]);
    assert_eq!(listed(Some(ids[300]), Some(ids[302]), true), [ids[301]]);
    assert_eq!(listed(Some(ids[300]), Some(ids[302]), false), [ids[301]]);
    assert_eq!(listed(Some(ids[2]), Some(ids[0]), true), []);
}

#[test]
fn a_task_that_names_one_that_is_kept_no_more_is_refused_by_its_place() {
    let mut room = Room::new();
    let id = room.submit(task());
    room.cancel(id).unwrap();
    room.run(|tasks, turn| tasks.drop_ended(turn, id)).unwrap();
    let part = Submission {
        parent: Some(id),
        ..task()
    };
    for named in [after(&[id]), part] {
        let refused = room.batch(vec![task(), named]).unwrap_err();
        let told = "the task at place 1: there is no task 1, or it is kept no more; list those there are";
        assert_eq!(refused.to_string(), told);
    }
    room.check();
}
