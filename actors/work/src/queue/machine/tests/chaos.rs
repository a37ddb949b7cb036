//! Many lives of tasks under chaos: workers that die, lie, come late and tell twice; cancels, retries, jumps of time; and crashes,
//! after each of which all comes from what was written. For as many as one likes:
//!
//! ```sh
//! TRIARCH_WORK_TASKS=1000000 cargo test --profile simulation -p triarch-work --lib chaos -- --nocapture
//! ```

use super::*;

const SEEDS: u64 = 8;
const TASKS: u64 = 100_000;
const WORKERS: u64 = 6;
/// One round of so many ends with a crash.
const CRASHES: u64 = 150;

struct Chaos {
    tasks: Tasks,
    turn: Turn,
    chance: Seeded,
    /// What workers believe to have; some of it is long over.
    believed: Vec<(TaskId, Fence)>,
    last_fence: u64,
    /// What was there after the last crash, and what was written since.
    base: Tasks,
    written: Vec<Vec<u8>>,
    crashes: u64,
    /// As events tell it.
    told: Told,
    done: BTreeMap<TaskId, u32>,
}

#[derive(Default)]
struct Told {
    submitted: u64,
    ended: u64,
    retried: u64,
}

impl Chaos {
    fn new(seed: u64) -> Self {
        let config = Config {
            lapses: 3,
            ended_max: 500,
            dead_max: 200,
            ..Config::default()
        };
        Self {
            base: Tasks::new(config.clone()),
            written: Vec::new(),
            crashes: 0,
            tasks: Tasks::new(config),
            turn: Turn::new(TaskTime::from_millis(1), Seeded::new(seed)),
            chance: Seeded::new(!seed),
            believed: Vec::new(),
            last_fence: 0,
            told: Told::default(),
            done: BTreeMap::new(),
        }
    }

    fn submit(&mut self) {
        let now = self.tasks.outline.next_task.number();
        let chance = &mut self.chance;
        let batch: Vec<_> = (0..=chance.below(8))
            .map(|_| {
                let mut submission = of(Priority::ALL[usize::try_from(chance.below(5)).unwrap()]);
                submission.retry.retries = u16::try_from(chance.below(3)).unwrap();
                submission.cancel_when_missed = chance.below(2) == 0;
                submission.deadline = (chance.below(4) == 0).then(|| secs(1 + chance.below(200)));
                submission.not_before = (chance.below(8) == 0).then(|| secs(chance.below(20)));
                submission.timeout = (chance.below(8) == 0).then(|| secs(1 + chance.below(40)));
                let earlier = now.saturating_sub(chance.below(20));
                if chance.below(6) == 0 && self.tasks.by_id.get(&TaskId::new(earlier)).is_some() {
                    submission.after = vec![After::Task(TaskId::new(earlier))];
                }
                submission
            })
            .collect();
        // One that waits for what has failed is refused, and the batch with it.
        drop(self.tasks.submit(&mut self.turn, batch));
    }

    fn claim(&mut self) {
        let name = worker(&format!("w{}", self.chance.below(WORKERS)));
        let most = usize::try_from(1 + self.chance.below(12)).unwrap();
        let claims = self.tasks.claim(&mut self.turn, &name, &[], most, None).unwrap();
        for claim in claims {
            assert!(claim.fence.number() > self.last_fence, "a lease number came again");
            self.last_fence = claim.fence.number();
            self.believed.push((claim.task, claim.fence));
        }
    }

    fn tell(&mut self) {
        for _ in 0..self.chance.below(16).min(self.believed.len() as u64) {
            let place = usize::try_from(self.chance.below(self.believed.len() as u64)).unwrap();
            let (task, fence) = self.believed[place];
            let turn = &mut self.turn;
            match self.chance.below(20) {
                0 => drop(self.tasks.begin(turn, task, fence)),
                1 => drop(self.tasks.beat(turn, task, fence, None, Some(50))),
                2 => drop(self.tasks.fail(turn, task, fence, "chaos", Mend::Possible)),
                3 => drop(self.tasks.give_back(turn, task, fence)),
                4 => {}
                _ => self.complete(task, fence),
            }
            // Some are told of again later.
            if self.chance.below(10) != 0 {
                self.believed.swap_remove(place);
            }
        }
    }

    fn complete(&mut self, task: TaskId, fence: Fence) {
        if self.tasks.complete(&mut self.turn, task, fence, Vec::new()).is_ok() {
            assert!(self.tasks.state(task).is_none_or(|state| state == State::Done));
        }
    }

    /// Everything stops: what nobody was told of is there in part, and workers go on believing what they did.
    fn crash(&mut self) {
        self.turn.now = self.turn.now.max(self.tasks.outline.now);
        while self.tasks.tick(&mut self.turn).unwrap() <= self.turn.now {}
        self.hear();
        let mut replayed = self.base.clone();
        for record in &self.written {
            replayed.replay(record).unwrap();
        }
        replayed.tick(&mut Turn::new(self.turn.now, Seeded::new(1))).unwrap();
        assert!(replayed == self.tasks, "what is replayed differs");
        let restored = Tasks::restore(self.tasks.config.clone(), &self.tasks.image().encode().unwrap()).unwrap();
        assert!(restored == self.tasks, "what is restored differs");
        let tail = self.unheard();
        let kept = usize::try_from(self.chance.below(tail.len() as u64 + 1)).unwrap();
        self.tasks = if self.chance.below(2) == 0 { replayed } else { restored };
        for record in &tail[..kept] {
            self.tasks.replay_heard(record, &mut self.turn.events).unwrap();
        }
        self.turn.now = self.tasks.outline.now + secs(self.chance.below(40));
        self.base = self.tasks.clone();
        self.written.clear();
        self.tasks.resume(&mut self.turn).unwrap();
        self.crashes += 1;
    }

    /// What is being written as everything stops.
    fn unheard(&mut self) -> Vec<Vec<u8>> {
        let (believed, last_fence) = (self.believed.clone(), self.last_fence);
        self.submit();
        self.claim();
        self.tell();
        (self.believed, self.last_fence) = (believed, last_fence);
        self.turn.events.clear();
        std::mem::take(&mut self.turn.records)
    }

    fn disturb(&mut self) {
        let recent = self
            .tasks
            .outline
            .next_task
            .number()
            .saturating_sub(self.chance.below(60));
        let turn = &mut self.turn;
        match self.chance.below(40) {
            0 => drop(self.tasks.cancel(turn, TaskId::new(recent), "chaos")),
            1 => self.told.retried += u64::from(self.tasks.retry(turn, TaskId::new(recent)).is_ok()),
            2 => drop(
                self.tasks
                    .abandon(turn, &worker(&format!("w{}", self.chance.below(WORKERS)))),
            ),
            3 => turn.now = TaskTime::default(),
            4 => turn.now = turn.now + secs(self.chance.below(90)),
            5 => self.believed.truncate(self.believed.len() / 2),
            _ => turn.now = turn.now + Duration::from_millis(self.chance.below(200)),
        }
    }

    fn hear(&mut self) {
        self.written.append(&mut self.turn.records);
        for event in self.turn.events.drain(..) {
            match event {
                Event::Submitted { .. } => self.told.submitted += 1,
                Event::Ended { task, state, .. } => {
                    self.told.ended += 1;
                    *self.done.entry(task).or_default() += u32::from(state == State::Done);
                }
                _ => {}
            }
        }
        let open = self.tasks.indexes.open as u64;
        let totals = self.tasks.outline.totals;
        assert_eq!(totals.submitted, totals.ended.iter().sum::<u64>() + open);
        assert_eq!(self.told.submitted + self.told.retried, self.told.ended + open);
    }

    fn settle(&mut self) {
        while self.tasks.indexes.open > 0 {
            self.claim();
            self.tell();
            self.turn.now = self.turn.now + secs(10);
            self.hear();
        }
        assert_conserved(&self.tasks);
        assert_eq!(self.tasks.indexes.leases.len(), 0);
        assert!(self.tasks.indexes.alarms.is_empty() && self.tasks.indexes.wakes.is_empty());
        assert!(self.tasks.waits.is_empty() && self.tasks.census().next().is_none());
        // Each failed or dead one may keep the one before it.
        assert!(
            self.tasks.by_id.len() <= 1_400,
            "ended tasks are bounded: {}",
            self.tasks.by_id.len()
        );
    }
}

fn run(seed: u64, lives: u64) -> u64 {
    let mut chaos = Chaos::new(seed);
    let mut rounds = 0;
    while chaos.tasks.outline.totals.submitted < lives {
        chaos.submit();
        chaos.claim();
        chaos.tell();
        chaos.disturb();
        chaos.hear();
        if chaos.chance.below(CRASHES) == 0 {
            chaos.crash();
        }
        rounds += 1;
        if rounds % 5_000 == 0 {
            assert_conserved(&chaos.tasks);
        }
    }
    chaos.settle();
    assert!(
        chaos.done.values().all(|times| *times <= 1),
        "seed {seed}: a task was done twice"
    );
    for state in [
        State::Done,
        State::Failed,
        State::Cancelled,
        State::Expired,
        State::Dead,
    ] {
        assert!(
            chaos.tasks.outline.totals.of(state) > lives / 1_000,
            "seed {seed}: too few are {state:?}: {:?}",
            chaos.tasks.outline.totals
        );
    }
    assert!(chaos.crashes > lives / 5_000, "seed {seed}: {} crashes", chaos.crashes);
    chaos.tasks.outline.totals.submitted
}

#[test]
fn tasks_are_conserved_under_chaos_and_through_crashes() {
    let wanted = std::env::var("TRIARCH_WORK_TASKS").ok();
    let wanted: u64 = wanted.map_or(TASKS, |text| text.parse().unwrap());
    let lives: u64 = std::thread::scope(|scope| {
        let half = |half| {
            (0..SEEDS)
                .filter(move |seed| seed % 2 == half)
                .map(|seed| run(seed, wanted.div_ceil(SEEDS)))
        };
        let halves = [0, 1].map(|which| scope.spawn(move || half(which).sum::<u64>()));
        halves.map(|half| half.join().unwrap()).iter().sum()
    });
    assert!(lives >= wanted, "{lives}");
}

#[test]
fn what_was_done_is_taken_back_with_all_that_follows_from_it() {
    for seed in 0..SEEDS {
        let mut chaos = Chaos::new(seed);
        let round = |chaos: &mut Chaos| {
            chaos.submit();
            chaos.claim();
            chaos.tell();
            chaos.disturb();
            chaos.hear();
        };
        (0..300).for_each(|_| round(&mut chaos));
        let before = Tasks::of(chaos.tasks.config.clone(), chaos.tasks.image());
        chaos.tasks.begin_undo();
        let mut undos = Vec::new();
        for _ in 0..20 {
            (0..10).for_each(|_| round(&mut chaos));
            undos.extend(chaos.tasks.take_undo());
        }
        assert!(undos.len() == 20 && chaos.tasks != before, "seed {seed}");
        let back = chaos.tasks.taken_back(undos.into_iter().rev());
        assert!(back == before, "seed {seed}");
    }
}
