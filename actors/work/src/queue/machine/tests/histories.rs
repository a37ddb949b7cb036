//! Whatever is asked, in whatever order: what was written comes to what is there, a snapshot too, and what is taken back never was.

use proptest::prelude::*;

use super::*;
use crate::time::Sight;

/// What is asked, with numbers that say of what.
type Step = (u8, u16, u16, u16);

const WORKERS: [&str; 3] = ["team/a", "team/b", "team/c"];

fn small() -> Config {
    Config {
        lapses: 4,
        deaths: 2,
        open_max: 30,
        ended_max: 6,
        dead_max: 3,
        ended_bytes_max: 20_000,
        inputs_bytes_max: 6_000,
        late_max: 3,
        ..Config::default()
    }
}

/// A room whose leases are all remembered, those that are over too.
struct History {
    room: Room,
    claims: Vec<(TaskId, Fence)>,
}

impl History {
    fn step(&mut self, (what, one, other, third): Step) {
        let Self { room, claims } = self;
        let id = TaskId::new(u64::from(one) % (room.tasks.outline.next_task.number() + 1));
        let held = claims.iter().rev().nth(usize::from(one) % 6).copied();
        let (task, fence) = held.unwrap_or((id, Fence::new(1)));
        let who = worker(WORKERS[usize::from(other) % 3]);
        room.run(|tasks, turn| match what {
            0..=4 => drop(tasks.submit(turn, batch(tasks.outline.next_task, (one, other, third)))),
            5..=8 => {
                let able = able([&["gpu"][..], &["gpu"], &[]][usize::from(one) % 3]);
                let lease = [None, Some(secs(5))][usize::from(third) % 2];
                let got = tasks.claim(turn, &who, &able, 2, lease).unwrap();
                claims.extend(got.iter().map(|claim| (claim.task, claim.fence)));
            }
            9 | 10 => drop(tasks.begin(turn, task, fence)),
            11 => drop(tasks.beat(turn, task, fence, None, Some(7))),
            12..=15 => drop(tasks.complete(turn, task, fence, vec![7; usize::from(third) % 5_000])),
            16 => {
                let mend = [Mend::Possible, Mend::Hopeless][usize::from(third) % 2];
                drop(tasks.fail(turn, task, fence, "broken", mend));
            }
            17 => drop(tasks.give_back(turn, task, fence)),
            18 => drop(tasks.leave(turn, task, fence, "gone")),
            19 => drop(tasks.fall(turn, task, fence, "fell")),
            20 => drop(tasks.cancel(turn, id, "not wanted")),
            21 => drop(tasks.retry(turn, id)),
            22 => drop(tasks.drop_ended(turn, id)),
            23 => drop(tasks.drain(turn, third % 4 == 0)),
            24 => drop(tasks.abandon(turn, &who)),
            25 => tasks.anchor(turn, Sight::default()).unwrap(),
            26 => drop(tasks.resume(turn).unwrap()),
            _ => turn.now = turn.now + Duration::from_millis(u64::from(third) * 2),
        });
        // As the queue does it.
        room.run(Tasks::shed).unwrap();
    }
}

fn batch(next: TaskId, (one, other, third): (u16, u16, u16)) -> Vec<Submission> {
    let back = |by: u16| TaskId::new(next.number().saturating_sub(1 + u64::from(by % 4)));
    let mut first = retrying(one % 3);
    first.priority = Priority::ALL[usize::from(other) % 5];
    first.timeout = [None, Some(secs(8))][usize::from(third) % 2];
    first.deadline = [None, None, Some(secs(60))][usize::from(one / 3) % 3];
    first.cancel_when_missed = other.is_multiple_of(2);
    first.not_before = [None, None, Some(secs(20))][usize::from(third / 2) % 3];
    first.needs = able([&["gpu"][..], &[], &[], &[]][usize::from(other / 5) % 4]);
    first.key = (third % 5 == 0).then(|| Key::new(format!("key{}", other % 4)).unwrap());
    first.affinity = (one % 7 == 0).then(|| Affinity {
        worker: worker(WORKERS[usize::from(third) % 3]),
        hold: [None, Some(secs(30))][usize::from(other) % 2],
    });
    if third % 2 == 0 {
        first.after = vec![After::Task(back(one)), After::Task(back(other))];
    }
    let second = Submission {
        after: vec![After::Place(0)],
        ..task()
    };
    [vec![first.clone()], vec![first, second]][usize::from(one / 7) % 2].clone()
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 1_500, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn whatever_is_asked_what_was_written_comes_to_what_is_there_and_what_is_taken_back_never_was(
        steps in prop::collection::vec((0..30u8, any::<u16>(), any::<u16>(), any::<u16>()), 1..160),
    ) {
        let mut room = Room::with(small());
        room.turn = Turn::new(room.turn.now, Seeded::new(7)).shedding_later();
        let mut history = History { room, claims: Vec::new() };
        for steps in steps.chunks(12) {
            let before = history.room.tasks.clone();
            history.room.tasks.begin_undo();
            let mut undos = Vec::new();
            for step in steps {
                history.step(*step);
                undos.extend(history.room.tasks.take_undo());
            }
            let back = history.room.tasks.clone().taken_back(undos.into_iter().rev());
            prop_assert!(back == before, "what was taken back is not what was there");
            history.room.check();
        }
    }
}
