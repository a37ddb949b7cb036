//! Prerequisites, circles, cancels, retries by hand, what is kept.

use super::*;
use crate::error::Link;

#[test]
fn a_task_begins_when_all_before_it_are_done_and_gets_their_results() {
    let mut room = Room::new();
    let (one, two) = (room.submit(task()), room.submit(task()));
    let last = room.submit(after(&[two, one]));
    let claims = [room.claim(), room.claim()];
    assert!(room.nothing_to_claim());
    assert_eq!(
        room.tasks.show(last, TaskTime::default()).unwrap().waits_for,
        [two, one]
    );
    room.run(|tasks, turn| tasks.complete(turn, one, claims[0].fence, b"first".to_vec()))
        .unwrap();
    assert_eq!(room.state(last), State::Blocked);
    room.run(|tasks, turn| tasks.complete(turn, two, claims[1].fence, b"second".to_vec()))
        .unwrap();
    let claim = room.claim();
    let inputs: Vec<_> = claim.inputs.iter().map(|input| (input.task, &*input.result)).collect();
    assert_eq!(inputs, [(two, &b"second"[..]), (one, b"first")]);
    room.check();
}

#[test]
fn results_are_kept_for_as_long_as_somebody_waits_for_them() {
    let mut room = Room::with(Config {
        ended_max: 2,
        ..Config::default()
    });
    let first = room.submit(task());
    room.do_next();
    let later = room.submit(Submission {
        not_before: Some(secs(100)),
        ..after(&[first])
    });
    for _ in 0..10 {
        room.submit(task());
        room.do_next();
    }
    assert_eq!(room.tasks.overview(TaskTime::default()).ended_kept, 2);
    room.pass(secs(100));
    let claim = room.claim();
    assert_eq!((claim.task, claim.inputs.len()), (later, 1));
    assert!(room.run(|tasks, turn| tasks.drop_ended(turn, first)).is_err());
    room.complete(&claim).unwrap();
    room.submit(task());
    room.do_next();
    assert_eq!(room.tasks.state(first), None, "nobody waits for it any more");
    room.check();
}

#[test]
fn what_ended_is_bounded_by_bytes_too() {
    let mut room = Room::with(Config {
        ended_bytes_max: 10_000,
        ..Config::default()
    });
    for _ in 0..10 {
        room.submit(task());
        let claim = room.claim();
        room.run(|tasks, turn| tasks.complete(turn, claim.task, claim.fence, vec![0; 4_000]))
            .unwrap();
    }
    assert_eq!(room.tasks.overview(TaskTime::default()).ended_kept, 2);
    room.check();
}

#[test]
fn a_circle_is_refused_with_its_name_and_nothing_of_the_batch_is_taken() {
    let mut room = Room::new();
    let keyed = |key: &str, after: Vec<After>| Submission {
        key: Some(Key::new(key).unwrap()),
        after,
        ..task()
    };
    let key = |key: &str| After::Key(Key::new(key).unwrap());
    let batch = vec![
        task(),
        keyed("cut", vec![key("sew"), After::Place(0)]),
        Submission {
            after: vec![key("cut")],
            ..task()
        },
        keyed("sew", vec![After::Place(2)]),
    ];
    let refusal = room.batch(batch).unwrap_err();
    assert_eq!(
        refusal.to_string(),
        "these tasks would wait for each other for ever: cut → sew → place 2 → cut; leave one of them out"
    );
    let refusal = room
        .batch(vec![Submission {
            after: vec![After::Place(0)],
            ..task()
        }])
        .unwrap_err();
    assert!(matches!(refusal, Refusal::Cycle { cycle } if cycle == [Link::Place(0), Link::Place(0)]));
    assert_eq!((room.tasks.outline.totals.submitted, room.written.len()), (0, 0));
    room.check();
}

#[test]
fn tasks_of_a_batch_may_wait_for_later_ones_of_it() {
    let mut room = Room::new();
    let accepted = room
        .batch(vec![
            Submission {
                after: vec![After::Place(1)],
                ..task()
            },
            task(),
        ])
        .unwrap();
    let claim = room.claim();
    assert_eq!(claim.task, accepted[1].task);
    room.complete(&claim).unwrap();
    assert_eq!(room.claim().task, accepted[0].task);
    room.check();
}

#[test]
fn a_prerequisite_that_there_is_not_or_that_did_not_succeed_is_refused() {
    let mut room = Room::new();
    assert!(matches!(
        room.batch(vec![after(&[TaskId::new(1)])]),
        Err(Refusal::Unfit { place: 0, .. })
    ));
    let id = room.submit(task());
    room.cancel(id).unwrap();
    let refused = room.batch(vec![task(), after(&[id])]).unwrap_err();
    let told = "the task at place 1: task 1 is cancelled, and it will hand nothing on; leave it out";
    assert_eq!(refused.to_string(), told);
    room.check();
}

#[test]
fn who_waits_for_what_did_not_succeed_is_called_off_with_all_behind_it() {
    let mut room = Room::new();
    let first = room.submit(task());
    let other = room.submit(task());
    let left = room.submit(after(&[first, other]));
    let right = room.submit(after(&[first]));
    let last = room.submit(after(&[left, right]));
    let claim = room.claim();
    room.fail(&claim).unwrap();
    assert_eq!(
        [first, left, right, last].map(|id| room.state(id)),
        [State::Failed, State::Cancelled, State::Cancelled, State::Cancelled]
    );
    assert_eq!(
        room.tasks.show(right, TaskTime::default()).unwrap().why.as_deref(),
        Some("task 1, which it waited for, is failed")
    );
    assert_eq!(room.state(other), State::Ready);
    assert!(room.tasks.waits.is_empty());
    room.check();
}

#[test]
fn a_long_row_of_tasks_is_called_off_without_a_deep_stack() {
    let mut room = Room::new();
    let row = (0..9_999).map(|place| Submission {
        after: vec![After::Place(place)],
        ..task()
    });
    let accepted = room.batch([task()].into_iter().chain(row).collect()).unwrap();
    room.cancel(accepted[0].task).unwrap();
    assert_eq!(room.ended(State::Cancelled), 10_000);
    room.check();
}

#[test]
fn cancel_reaches_who_has_the_task_and_is_final() {
    let mut room = Room::new();
    let id = room.submit(retrying(5));
    let claim = room.claim();
    room.cancel(id).unwrap();
    room.cancel(id).unwrap();
    let (fence, worker) = (claim.fence, worker("team/a"));
    assert_eq!(
        room.heard(&Event::Revoked {
            task: id,
            fence,
            worker
        }),
        1
    );
    assert!(matches!(
        room.complete(&claim),
        Err(Refusal::Stale {
            state: State::Cancelled,
            ..
        })
    ));
    assert!(room.fail(&claim).is_err());
    assert!(room.run(|tasks, turn| tasks.begin(turn, id, fence)).is_err());
    assert!(room.run(|tasks, turn| tasks.beat(turn, id, fence, None, None)).is_err());
    assert!(room.run(|tasks, turn| tasks.give_back(turn, id, fence)).is_err());
    assert!(room.retry(id).is_err());
    assert_eq!(room.state(id), State::Cancelled);
    assert_eq!(room.ended(State::Cancelled), 1);
    room.check();
}

#[test]
fn a_dead_task_is_tried_again_by_hand_with_all_attempts_before_it_or_dropped() {
    let mut room = Room::new();
    let first = room.submit(task());
    room.do_next();
    let submission = Submission {
        deadline: Some(secs(1)),
        body: b"1".to_vec(),
        ..retrying(1)
    };
    let id = room.submit(Submission {
        after: vec![After::Task(first)],
        ..submission
    });
    let die = |room: &mut Room| {
        for _ in 0..2 {
            let claim = room.claim();
            assert_eq!((claim.body.as_slice(), claim.inputs.len()), (&b"1"[..], 1));
            room.fail(&claim).unwrap();
            room.pass(secs(2));
        }
        assert_eq!(room.state(id), State::Dead);
    };
    die(&mut room);
    room.retry(id).unwrap();
    assert_eq!((room.state(id), room.ended(State::Dead)), (State::Ready, 0));
    die(&mut room);
    room.check();
    room.run(|tasks, turn| tasks.drop_ended(turn, id)).unwrap();
    assert_eq!((room.tasks.state(id), room.ended(State::Dead)), (None, 1));
    room.check();
}

#[test]
fn what_does_not_fit_is_refused_whole() {
    let mut room = Room::with(Config {
        open_max: 3,
        body_bytes_max: 10,
        needs_max: 2,
        ..Config::default()
    });
    let needing = |word| Submission {
        needs: able(&[word]),
        ..task()
    };
    assert!(matches!(
        room.batch(vec![task(), task(), task(), task()]),
        Err(Refusal::Full { open: 0, more: 4, .. })
    ));
    assert!(matches!(
        room.batch(vec![Submission {
            body: vec![0; 11],
            ..task()
        }]),
        Err(Refusal::Full { .. })
    ));
    assert!(matches!(
        room.batch(vec![needing("a"), needing("b"), needing("c")]),
        Err(Refusal::Unfit { .. })
    ));
    room.submit(needing("a"));
    room.submit(needing("b"));
    assert!(room.batch(vec![task()]).is_err(), "no needs are needs of a sort");
    room.submit(needing("a"));
    assert!(matches!(
        room.batch(vec![needing("a")]),
        Err(Refusal::Full { open: 3, .. })
    ));
    room.check();
    let mut room = Room::new();
    let long = Submission {
        timeout: Some(Duration::from_hours(1_000)),
        ..task()
    };
    let refusal = room.batch(vec![task(), long]).unwrap_err();
    assert_eq!(
        refusal.to_string(),
        "the task at place 1 has a timeout or a wait of more than 30 days; submit it with less"
    );
    let whole: Vec<_> = (0..5)
        .map(|_| Submission {
            body: vec![0; 1 << 20],
            ..task()
        })
        .collect();
    assert!(matches!(room.batch(whole), Err(Refusal::TooLarge { .. })));
    assert_eq!(room.tasks.outline.totals.submitted, 0);
    room.check();
}

#[test]
fn tasks_are_listed_in_order_by_state_kind_and_label() {
    let mut room = Room::new();
    let tag = |text: &str| Tag::new(text).unwrap();
    let labels: BTreeMap<_, _> = [(tag("who"), tag("ann"))].into();
    let ids = [
        task(),
        Submission { labels, ..task() },
        Submission::of(Kind::new("test").unwrap()),
    ]
    .map(|one| room.submit(one));
    room.claim();
    let listed = |filter: &Filter| {
        room.tasks
            .list(filter, 10, TaskTime::default())
            .iter()
            .map(|view| view.task)
            .collect::<Vec<_>>()
    };
    assert_eq!(listed(&Filter::default()), ids);
    assert_eq!(
        listed(&Filter {
            states: vec![State::Ready],
            ..Filter::default()
        }),
        ids[1..]
    );
    assert_eq!(
        listed(&Filter {
            kind: Some(Kind::new("test").unwrap()),
            ..Filter::default()
        }),
        ids[2..]
    );
    assert_eq!(
        listed(&Filter {
            label: Some((tag("who"), tag("ann"))),
            ..Filter::default()
        }),
        ids[1..2]
    );
    assert_eq!(
        listed(&Filter {
            after: Some(ids[0]),
            ..Filter::default()
        }),
        ids[1..]
    );
    assert_eq!(room.tasks.list(&Filter::default(), 2, TaskTime::default()).len(), 2);
}

fn replayed(room: &Room, config: Config) -> Tasks {
    let mut tasks = Tasks::new(config);
    for record in &room.written {
        tasks.replay(record).unwrap();
    }
    tasks
}

#[test]
fn what_was_forgotten_stays_forgotten_and_nothing_else_whatever_the_settings_are_now() {
    let with = |ended_max| Config {
        ended_max,
        ..Config::default()
    };
    let mut room = Room::with(with(3));
    for _ in 0..8 {
        room.submit(task());
        room.do_next();
    }
    for ended_max in [0, 1, 3, 100] {
        let tasks = replayed(&room, with(ended_max));
        assert!(tasks.by_id.keys().eq(room.tasks.by_id.keys()), "with {ended_max}");
    }
    room.check();
}

#[test]
fn fewer_are_kept_from_the_start_on_where_the_settings_allow_fewer() {
    let mut room = Room::new();
    for _ in 0..8 {
        room.submit(task());
        room.do_next();
    }
    let mut room = Room {
        tasks: replayed(
            &room,
            Config {
                ended_max: 2,
                ..Config::default()
            },
        ),
        ..room
    };
    assert_eq!(room.tasks.overview(TaskTime::default()).ended_kept, 8);
    room.run(Tasks::resume).unwrap();
    assert_eq!(room.tasks.overview(TaskTime::default()).ended_kept, 2);
    room.check();
}

#[test]
fn why_a_task_is_called_off_is_kept_in_few_bytes() {
    let mut room = Room::new();
    let id = room.submit(task());
    room.run(|tasks, turn| tasks.cancel(turn, id, &"x".repeat(5 << 20)))
        .unwrap();
    assert_eq!(
        room.tasks
            .show(id, TaskTime::default())
            .unwrap()
            .why
            .map(|why| why.len()),
        Some(512)
    );
    room.check();
}

#[test]
fn results_that_are_waited_for_are_bounded_and_short_ones_are_always_taken() {
    let most = 20_000;
    let mut room = Room::with(Config {
        inputs_bytes_max: most,
        ..Config::default()
    });
    let earlier: Vec<_> = (0..30).map(|_| room.submit(task())).collect();
    let long = |room: &mut Room, bytes: usize| {
        let claim = room.claim();
        let told = room.run(|tasks, turn| tasks.complete(turn, claim.task, claim.fence, vec![0; bytes]));
        (claim, told)
    };
    let last = room.submit(after(&earlier));
    assert_eq!(room.tasks.overview(TaskTime::default()).inputs_bytes, 30 * 512);
    assert_eq!(long(&mut room, 4_000).1, Ok(()));
    let bytes = 29 * 512 + 4_384 + 872;
    let (claim, told) = long(&mut room, 1_000);
    assert_eq!(
        told,
        Err(Refusal::Inputs {
            bytes,
            most,
            may_ease: false
        }),
        "{}",
        room.tasks.overview(TaskTime::default()).inputs_bytes
    );
    assert_eq!(room.state(claim.task), State::Claimed, "and its worker still has it");
    room.complete(&claim).unwrap();
    assert!(matches!(
        room.batch(vec![after(&[earlier[29], earlier[28], earlier[27]])]),
        Err(Refusal::Inputs { .. })
    ));
    while room.state(last) == State::Blocked {
        assert_eq!(long(&mut room, 128).1, Ok(()));
    }
    assert!(room.tasks.overview(TaskTime::default()).inputs_bytes <= most);
    let claim = room.claim();
    assert_eq!(claim.inputs.len(), 30);
    room.complete(&claim).unwrap();
    assert_eq!(room.tasks.overview(TaskTime::default()).inputs_bytes, 0);
    room.check();
}

#[test]
fn a_kept_result_takes_room_from_when_somebody_waits_for_it() {
    let inputs_bytes_max = 6_000;
    let mut room = Room::with(Config {
        inputs_bytes_max,
        ..Config::default()
    });
    let done = [room.submit(task()), room.submit(task())];
    for _ in &done {
        let claim = room.claim();
        room.run(|tasks, turn| tasks.complete(turn, claim.task, claim.fence, vec![0; 4_000]))
            .unwrap();
    }
    room.submit(after(&done[..1]));
    room.submit(after(&done[..1]));
    assert_eq!(
        room.tasks.overview(TaskTime::default()).inputs_bytes,
        4_384,
        "it is kept once"
    );
    assert!(matches!(
        room.batch(vec![after(&done[1..])]),
        Err(Refusal::Inputs { bytes: 8_768, .. })
    ));
    room.submit(task());
    room.check();
}
