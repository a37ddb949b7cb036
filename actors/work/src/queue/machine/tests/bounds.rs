//! What is bounded, and in what.

use super::*;

#[test]
fn a_task_is_tried_again_only_where_there_is_room_for_its_body_and_for_what_it_needs() {
    for (body_bytes_max, needs_max) in [(10, 9), (99, 1)] {
        let mut room = Room::with(Config {
            body_bytes_max,
            needs_max,
            ..Config::default()
        });
        let needing = |word: &str| Submission {
            body: vec![b'1'; 6],
            needs: able(&[word]),
            ..task()
        };
        let id = room.submit(needing("a"));
        let claim = room.claim_as("team/a", &["a"]).unwrap();
        room.fail(&claim).unwrap();
        let other = room.submit(needing("b"));
        assert!(room.retry(id).is_err(), "{body_bytes_max} bytes, {needs_max} needs");
        room.cancel(other).unwrap();
        room.retry(id).unwrap();
        room.check();
    }
}

#[test]
fn all_that_is_said_of_tasks_counts_and_not_their_bodies_alone() {
    let mut room = Room::with(Config {
        body_bytes_max: 1 << 20,
        ended_bytes_max: 1 << 20,
        ..Config::default()
    });
    let long = |number: usize| Tag::new(format!("{number:0128}")).unwrap();
    let labels: BTreeMap<_, _> = (0..16).map(|number| (long(number), long(number))).collect();
    let labelled = Submission { labels, ..task() };
    let mut open = 0;
    while room.batch(vec![labelled.clone()]).is_ok() {
        open += 1;
    }
    assert!((100..256).contains(&open), "{open} of 4 KiB each");
    while let Some(claim) = room.claim_as("team/a", &[]) {
        room.complete(&claim).unwrap();
    }
    let overview = room.tasks.overview(TaskTime::default());
    assert_eq!(overview.body_bytes, 0);
    for _ in 0..open {
        room.submit(labelled.clone());
        room.do_next();
    }
    let kept = room.tasks.overview(TaskTime::default()).ended_kept;
    assert!((100..256).contains(&kept), "{kept} of 4 KiB each");
    room.check();
}

#[test]
fn tasks_are_kept_for_so_many_workers_and_no_more() {
    let mut room = Room::new();
    let for_worker = |number: usize| Submission {
        affinity: Some(Affinity {
            worker: worker(&format!("team/{number}")),
            hold: Some(secs(60)),
        }),
        ..task()
    };
    for first in (0..16_384).step_by(4_096) {
        room.batch((first..first + 4_096).map(for_worker).collect()).unwrap();
    }
    room.submit(for_worker(7));
    assert!(matches!(
        room.batch(vec![for_worker(16_384)]),
        Err(Refusal::Unfit { .. })
    ));
    room.cancel(TaskId::new(10)).unwrap();
    room.submit(for_worker(16_384));
    room.check();
}

#[test]
fn many_tasks_that_get_one_result_share_it_and_a_claim_is_full_where_it_has_much_to_read() {
    let mut room = Room::new();
    let first = room.submit(task());
    let claim = room.claim();
    room.run(|tasks, turn| tasks.complete(turn, first, claim.fence, vec![7; 1 << 20]))
        .unwrap();
    room.batch(vec![after(&[first]); 256]).unwrap();
    let claims = room.run(|tasks, turn| tasks.claim(turn, &worker("team/a"), &[], 256, None));
    let claims = claims.unwrap();
    assert_eq!(claims.len(), 4, "each has 1 MiB to read");
    for claim in &claims {
        assert!(Arc::ptr_eq(&claim.inputs[0].result, &claims[0].inputs[0].result));
    }
    room.check();
}

#[test]
fn a_task_that_comes_after_far_too_many_is_refused_before_any_of_them_is_looked_for() {
    let mut room = Room::new();
    let after = (0..1_025)
        .map(|place| After::Task(TaskId::new(place + 1_000)))
        .collect();
    let refused = room.batch(vec![Submission { after, ..task() }]).unwrap_err();
    assert_eq!(
        refused.to_string(),
        "the task at place 0 has 1025 prerequisites, more than 1024; submit it with less"
    );
}

#[test]
fn whether_results_may_find_room_is_told_by_tasks_that_got_some_and_are_to_be_done() {
    let mut room = Room::with(Config {
        inputs_bytes_max: 10_000,
        ..Config::default()
    });
    let earlier: Vec<_> = (0..4).map(|_| room.submit(task())).collect();
    let claims: Vec<_> = earlier.iter().map(|_| room.claim()).collect();
    room.submit(after(&earlier[..2]));
    room.submit(after(&earlier[2..3]));
    let done = |room: &mut Room, place: usize, bytes: usize| {
        let claim = &claims[place];
        room.run(|tasks, turn| tasks.complete(turn, claim.task, claim.fence, vec![0; bytes]))
    };
    let may_ease = |told| match told {
        Err(Refusal::Inputs { may_ease, .. }) => may_ease,
        told => panic!("{told:?}"),
    };
    done(&mut room, 0, 6_000).unwrap();
    assert!(
        !may_ease(done(&mut room, 1, 6_000)),
        "who waits for both waits for this one"
    );
    done(&mut room, 2, 1).unwrap();
    assert!(may_ease(done(&mut room, 1, 6_000)), "one may be claimed");
    let fed = room.claim();
    assert!(may_ease(done(&mut room, 1, 6_000)), "and is");
    room.give_back(&fed);
    assert!(may_ease(done(&mut room, 1, 6_000)));
    let fed = room.claim();
    room.check();
    room.complete(&fed).unwrap();
    assert!(!may_ease(done(&mut room, 1, 6_000)));
    room.submit(after(&earlier[3..]));
    assert!(
        matches!(done(&mut room, 3, 10_000), Err(Refusal::Unfit { .. })),
        "there never is"
    );
    room.check();
}

#[test]
fn a_result_that_came_in_time_waits_for_room_longer_than_an_attempt_may_take() {
    let mut room = Room::with(Config {
        inputs_bytes_max: 1 << 20,
        ..Config::default()
    });
    let timeout = Some(secs(60));
    let earlier = [(); 2].map(|()| room.submit(Submission { timeout, ..task() }));
    let claims = earlier.map(|_| room.claim());
    for claim in &claims {
        room.submit(after(&[claim.task]));
        room.run(|tasks, turn| tasks.begin(turn, claim.task, claim.fence))
            .unwrap();
    }
    let done = |room: &mut Room, place: usize| {
        let claim: &Claim = &claims[place];
        room.run(|tasks, turn| tasks.complete(turn, claim.task, claim.fence, vec![0; 700_000]))
    };
    done(&mut room, 0).unwrap();
    let next = room.claim();
    for _ in 0..12 {
        assert!(matches!(done(&mut room, 1), Err(Refusal::Inputs { .. })));
        room.check();
        let written = room.written.len();
        assert!(matches!(done(&mut room, 1), Err(Refusal::Inputs { .. })));
        assert_eq!(room.written.len(), written, "it is written once");
        for claim in [&claims[1], &next] {
            room.run(|tasks, turn| tasks.beat(turn, claim.task, claim.fence, None, None))
                .unwrap();
        }
        room.pass(secs(10));
    }
    room.complete(&next).unwrap();
    done(&mut room, 1).unwrap();
    assert_eq!(room.state(earlier[1]), State::Done);
    room.check();
}
