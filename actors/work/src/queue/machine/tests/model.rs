//! The machine against a model that looks at every task each time.

use proptest::prelude::*;

use super::*;

#[derive(Clone, Debug)]
enum Step {
    Submit(Plan),
    Claim { worker: usize, able: usize },
    Tell { claim: usize, what: Tell },
    Cancel(usize),
    Retry(usize),
    Abandon(usize),
    Image,
    Pass(u64),
}

#[derive(Clone, Copy, Debug)]
enum Tell {
    Begin,
    Beat,
    Complete,
    Fail,
    GiveBack,
}

#[derive(Clone, Debug)]
struct Plan {
    priority: usize,
    needs: usize,
    deadline: Option<u64>,
    cancel_when_missed: bool,
    not_before: Option<u64>,
    timeout: Option<u64>,
    retries: u16,
    after: Vec<usize>,
    rather: Option<(usize, Option<u64>)>,
}

const ABILITIES: [&[&str]; 4] = [&[], &["gpu"], &["net"], &["gpu", "net"]];
const WORKERS: [&str; 3] = ["a", "b", "c"];
const LAPSES: u16 = 3;
const LEASE: u64 = 30_000;

/// One task of the model. Times are milliseconds.
#[derive(Clone, Debug)]
struct Plain {
    plan: Plan,
    state: State,
    due: u64,
    /// When it may begin, or since when it is ready.
    time: u64,
    reserved: bool,
    lease: Option<(u64, usize, u64, u64)>,
    after: Vec<usize>,
    failures: u16,
    lapses: u16,
    missed: bool,
    ended_under: u64,
}

#[derive(Default)]
struct Model {
    tasks: Vec<Plain>,
    fences: u64,
    now: u64,
}

impl Model {
    fn advance(&mut self) {
        let now = self.now;
        for id in 0..self.tasks.len() {
            if self.tasks[id].state == State::Blocked && self.is_free(id) && self.tasks[id].time <= now {
                self.make_ready(id, self.tasks[id].time);
            }
            let task = &mut self.tasks[id];
            if let (State::Ready, Some((_, Some(hold)))) = (task.state, task.plan.rather) {
                task.reserved &= task.time + hold > now;
            }
        }
        let lease_due = |task: &Plain| task.lease.map(|(_, _, until, gives_up)| until.min(gives_up));
        let mut alarms = Vec::new();
        for (id, task) in self.tasks.iter().enumerate().filter(|(_, task)| !task.state.is_end()) {
            alarms.extend(lease_due(task).filter(|due| *due <= now).map(|due| (due, id, true)));
            alarms.extend((!task.missed && task.due <= now).then_some((task.due, id, false)));
        }
        alarms.sort_by_key(|(due, id, is_lease)| (*due, *id, !is_lease));
        for (_, id, is_lease) in alarms {
            if is_lease && self.tasks[id].lease.is_some() {
                let (_, _, _, gives_up) = self.tasks[id].lease.unwrap();
                if gives_up <= now {
                    self.failed(id);
                } else {
                    self.lapsed(id);
                }
            } else if !is_lease && !self.tasks[id].state.is_end() {
                self.tasks[id].missed = true;
                if self.tasks[id].plan.cancel_when_missed {
                    self.end(id, State::Expired);
                }
            }
        }
    }

    fn is_free(&self, id: usize) -> bool {
        self.tasks[id]
            .after
            .iter()
            .all(|earlier| self.tasks[*earlier].state == State::Done)
    }

    fn make_ready(&mut self, id: usize, since: u64) {
        let task = &mut self.tasks[id];
        (task.state, task.time, task.lease) = (State::Ready, since, None);
        task.reserved = task
            .plan
            .rather
            .is_some_and(|(_, hold)| hold.is_none_or(|hold| since + hold > self.now));
    }

    fn wait_until(&mut self, id: usize, time: u64) {
        (self.tasks[id].state, self.tasks[id].time, self.tasks[id].lease) = (State::Blocked, time, None);
        if time <= self.now && self.is_free(id) {
            self.make_ready(id, self.now);
        }
    }

    fn end(&mut self, id: usize, state: State) {
        if self.tasks[id].state.is_end() {
            return;
        }
        self.tasks[id].ended_under = self.tasks[id].lease.take().map_or(0, |(fence, ..)| fence);
        self.tasks[id].state = state;
        for later in 0..self.tasks.len() {
            let task = &self.tasks[later];
            if task.state != State::Blocked || !task.after.contains(&id) {
                continue;
            }
            if state != State::Done {
                self.end(later, State::Cancelled);
            } else if self.is_free(later) {
                self.wait_until(later, self.tasks[later].time);
            }
        }
    }

    fn failed(&mut self, id: usize) {
        let task = &mut self.tasks[id];
        task.failures += 1;
        match task.plan.retries {
            retries if task.failures <= retries => {
                let wait = (1_000u64 << (task.failures - 1)).min(300_000);
                self.wait_until(id, self.now + wait);
            }
            0 => self.end(id, State::Failed),
            _ => self.end(id, State::Dead),
        }
    }

    fn lapsed(&mut self, id: usize) {
        self.tasks[id].lapses += 1;
        if self.tasks[id].lapses >= LAPSES {
            self.end(id, State::Dead);
        } else {
            self.lost(id);
        }
    }

    /// What nobody had begun has its place again.
    fn lost(&mut self, id: usize) {
        match self.tasks[id].state {
            State::Claimed => self.make_ready(id, self.tasks[id].time),
            _ => self.wait_until(id, self.now),
        }
    }

    fn submit(&mut self, plan: Plan) -> bool {
        let after: Vec<usize> = if self.tasks.is_empty() {
            Vec::new()
        } else {
            plan.after.iter().map(|place| place % self.tasks.len()).collect()
        };
        let fails = |id: &usize| self.tasks[*id].state.is_end() && self.tasks[*id].state != State::Done;
        if after.iter().any(fails) {
            return false;
        }
        let id = self.tasks.len();
        let time = plan.not_before.map_or(self.now, |time| self.now + time);
        let due = plan.deadline.map_or(u64::MAX, |time| self.now + time);
        self.tasks.push(Plain {
            plan,
            state: State::Blocked,
            due,
            time,
            reserved: false,
            lease: None,
            after,
            failures: 0,
            lapses: 0,
            missed: false,
            ended_under: 0,
        });
        if self.is_free(id) {
            self.wait_until(id, time);
        }
        true
    }

    fn claim(&mut self, worker: usize, able: usize) -> Option<usize> {
        let fits = |task: &Plain| {
            let needs = ABILITIES[task.plan.needs];
            let is_for = !task.reserved || task.plan.rather.is_some_and(|(rather, _)| rather == worker);
            task.state == State::Ready && is_for && needs.iter().all(|need| ABILITIES[able].contains(need))
        };
        let ready: Vec<usize> = (0..self.tasks.len()).filter(|id| fits(&self.tasks[*id])).collect();
        let head_start = |class: usize| [0, 1_000, 11_000, 71_000, 671_000][class];
        let class_of = |id: usize| self.tasks[id].plan.priority;
        let rank = |id: &usize| (self.tasks[*id].time + head_start(class_of(*id)), class_of(*id), *id);
        let oldest = *ready.iter().min_by_key(|id| rank(id))?;
        let of_class = ready.iter().filter(|id| class_of(**id) == class_of(oldest));
        let urgency = |id: &&usize| (self.tasks[**id].due.min(self.tasks[**id].time + 600_000), **id);
        let first_due = *of_class.min_by_key(urgency)?;
        let more_urgent = ready
            .iter()
            .filter(|id| class_of(**id) < class_of(oldest))
            .map(rank)
            .min();
        let id = if more_urgent.is_some_and(|other| other < rank(&first_due)) {
            oldest
        } else {
            first_due
        };
        self.fences += 1;
        self.tasks[id].lease = Some((self.fences, worker, self.now + LEASE, u64::MAX));
        self.tasks[id].state = State::Claimed;
        Some(id)
    }

    fn tell(&mut self, id: usize, fence: u64, what: Tell) -> bool {
        let Some((_, worker, until, gives_up)) = self.tasks[id].lease.filter(|(held, ..)| *held == fence) else {
            let task = &self.tasks[id];
            return task.ended_under == fence
                && match what {
                    Tell::Complete => task.state == State::Done,
                    Tell::Fail => matches!(task.state, State::Failed | State::Dead),
                    _ => false,
                };
        };
        match what {
            Tell::Begin if self.tasks[id].state == State::Running => {}
            Tell::Begin => {
                let gives_up = self.tasks[id].plan.timeout.map_or(u64::MAX, |time| self.now + time);
                self.tasks[id].lease = Some((fence, worker, until, gives_up));
                self.tasks[id].state = State::Running;
            }
            Tell::Beat => self.tasks[id].lease = Some((fence, worker, self.now + LEASE, gives_up)),
            Tell::Complete => self.end(id, State::Done),
            Tell::Fail => self.failed(id),
            Tell::GiveBack => self.make_ready(id, self.tasks[id].time),
        }
        true
    }

    fn cancel(&mut self, id: usize) -> bool {
        if self.tasks[id].state.is_end() {
            return self.tasks[id].state == State::Cancelled;
        }
        self.end(id, State::Cancelled);
        true
    }

    fn retry(&mut self, id: usize) -> bool {
        let now = self.now;
        let task = &mut self.tasks[id];
        if !matches!(task.state, State::Failed | State::Dead) {
            return false;
        }
        (task.failures, task.lapses) = (0, 0);
        task.missed |= task.due <= now;
        self.make_ready(id, now);
        true
    }

    fn abandon(&mut self, worker: usize) {
        let held = |id: &usize| self.tasks[*id].lease.is_some_and(|(_, by, ..)| by == worker);
        let mut ids: Vec<_> = (0..self.tasks.len()).filter(held).collect();
        ids.sort_by_key(|id| self.tasks[*id].lease.map(|(fence, ..)| fence));
        for id in ids {
            self.lapsed(id);
        }
    }
}

fn submission(plan: &Plan, known: usize) -> Submission {
    let millis = |time: Option<u64>| time.map(Duration::from_millis);
    let after = plan.after.iter().take(if known == 0 { 0 } else { usize::MAX });
    Submission {
        priority: Priority::ALL[plan.priority],
        needs: able(ABILITIES[plan.needs]),
        deadline: millis(plan.deadline),
        cancel_when_missed: plan.cancel_when_missed,
        not_before: millis(plan.not_before),
        timeout: millis(plan.timeout),
        retry: Retry {
            retries: plan.retries,
            jitter_percent: 0,
            ..Retry::default()
        },
        after: after
            .map(|place| After::Task(TaskId::new((place % known + 1) as u64)))
            .collect(),
        affinity: plan.rather.map(|(rather, hold)| Affinity {
            worker: worker(WORKERS[rather]),
            hold: millis(hold),
        }),
        ..task()
    }
}

/// Both at once.
struct Pair {
    room: Room,
    model: Model,
    claims: Vec<(usize, u64)>,
    /// Images of tasks, with what they were when they were made.
    images: Vec<(Image, Vec<u8>)>,
}

impl Pair {
    fn step(&mut self, step: Step) {
        let Self {
            room,
            model,
            claims,
            images,
        } = self;
        model.advance();
        let known = model.tasks.len();
        let id = |place: usize| TaskId::new((place % known.max(1) + 1) as u64);
        match step {
            Step::Pass(millis) => {
                model.now += millis;
                model.advance();
                room.pass(Duration::from_millis(millis));
            }
            Step::Submit(plan) => {
                let is_taken = room.batch(vec![submission(&plan, known)]).is_ok();
                assert_eq!(is_taken, model.submit(plan));
            }
            Step::Claim { worker, able } => {
                let claim = room.claim_as(WORKERS[worker], ABILITIES[able]);
                let expected = model.claim(worker, able);
                assert_eq!(claim.as_ref().map(|claim| claim.task), expected.map(id));
                claims.extend(claim.map(|claim| (expected.unwrap(), claim.fence.number())));
            }
            Step::Tell { .. } if claims.is_empty() => {}
            Step::Tell { claim, what } => {
                let (place, fence) = claims[claim % claims.len()];
                let is_taken = tell(room, id(place), Fence::new(fence), what);
                assert_eq!(is_taken, model.tell(place, fence, what), "{what:?}");
            }
            Step::Cancel(place) if known > 0 => assert_eq!(room.cancel(id(place)).is_ok(), model.cancel(place % known)),
            Step::Retry(place) if known > 0 => assert_eq!(room.retry(id(place)).is_ok(), model.retry(place % known)),
            Step::Abandon(by) => {
                room.run(|tasks, turn| tasks.abandon(turn, &worker(WORKERS[by])))
                    .unwrap();
                model.abandon(by);
            }
            Step::Cancel(_) | Step::Retry(_) => {}
            Step::Image => {
                let image = room.tasks.image();
                let bytes = image.encode().unwrap();
                images.push((image, bytes));
            }
        }
        self.check_lists();
        let states: Vec<_> = self.room.tasks.by_id.values().map(Kept::state).collect();
        assert_eq!(
            states,
            self.model.tasks.iter().map(|task| task.state).collect::<Vec<_>>()
        );
    }
}

impl Pair {
    /// Whatever states are asked for, those tasks are listed that are in one of them.
    fn check_lists(&self) {
        let tasks = &self.room.tasks;
        let (after, before) = (Some(TaskId::new(2)), Some(TaskId::new(20)));
        for states in [
            vec![State::Dead],
            vec![State::Claimed, State::Running],
            vec![State::Running, State::Dead],
            vec![State::Claimed, State::Ready],
        ] {
            let is_one = |(id, task): &(&TaskId, &Kept)| {
                states.contains(&task.state()) && after < Some(**id) && Some(**id) < before
            };
            let mut expected: Vec<_> = tasks.by_id.iter().filter(is_one).map(|(id, _)| *id).collect();
            for latest_first in [false, true] {
                let filter = Filter {
                    states: states.clone(),
                    after,
                    before,
                    latest_first,
                    ..Filter::default()
                };
                let listed: Vec<_> = tasks
                    .list(&filter, 50, TaskTime::default())
                    .iter()
                    .map(|view| view.task)
                    .collect();
                assert_eq!(listed, expected, "{filter:?}");
                expected.reverse();
            }
        }
    }
}

fn tell(room: &mut Room, task: TaskId, fence: Fence, what: Tell) -> bool {
    room.run(|tasks, turn| match what {
        Tell::Begin => tasks.begin(turn, task, fence),
        Tell::Beat => tasks.beat(turn, task, fence, None, None),
        Tell::Complete => tasks.complete(turn, task, fence, Vec::new()),
        Tell::Fail => tasks.fail(turn, task, fence, "", Mend::Possible),
        Tell::GiveBack => tasks.give_back(turn, task, fence),
    })
    .is_ok()
}

fn plan() -> impl Strategy<Value = Plan> {
    let times = (
        prop::option::weighted(0.4, 1u64..200_000),
        any::<bool>(),
        prop::option::weighted(0.2, 0u64..60_000),
        prop::option::weighted(0.3, 1u64..60_000),
    );
    let bonds = (
        prop::collection::vec(0usize..50, 0..3),
        prop::option::weighted(0.2, (0usize..3, prop::option::of(0u64..20_000))),
    );
    (0usize..5, 0usize..4, 0u16..3, times, bonds).prop_map(|(priority, needs, retries, times, bonds)| Plan {
        priority,
        needs,
        deadline: times.0,
        cancel_when_missed: times.1,
        not_before: times.2,
        timeout: times.3,
        retries,
        after: bonds.0,
        rather: bonds.1,
    })
}

fn step() -> impl Strategy<Value = Step> {
    let what = prop::sample::select(vec![
        Tell::Begin,
        Tell::Beat,
        Tell::Complete,
        Tell::Complete,
        Tell::Fail,
        Tell::GiveBack,
    ]);
    prop_oneof![
        4 => plan().prop_map(Step::Submit),
        4 => (0usize..3, 0usize..4).prop_map(|(worker, able)| Step::Claim { worker, able }),
        4 => (0usize..200, what).prop_map(|(claim, what)| Step::Tell { claim, what }),
        1 => (0usize..50).prop_map(Step::Cancel),
        1 => (0usize..50).prop_map(Step::Retry),
        1 => (0usize..3).prop_map(Step::Abandon),
        1 => Just(Step::Image),
        3 => prop_oneof![0u64..5_000, 0u64..40_000, 0u64..700_000].prop_map(Step::Pass),
    ]
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 1_000, ..ProptestConfig::default() })]

    #[test]
    fn the_machine_does_what_a_plain_model_does(steps in prop::collection::vec(step(), 1..80)) {
        let room = Room::with(Config { lapses: LAPSES, ..Config::default() });
        let model = Model { now: room.turn.now.as_millis(), ..Model::default() };
        let mut pair = Pair { room, model, claims: Vec::new(), images: Vec::new() };
        for step in steps {
            pair.step(step);
        }
        for (image, then) in &pair.images {
            prop_assert!(image.encode().unwrap() == *then, "a snapshot is not what tasks were at its begin");
        }
        pair.room.check();
    }
}
