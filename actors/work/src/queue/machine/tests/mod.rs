//! What the machine promises, sentence by sentence; then by model, by chaos and by replay.

mod bounds;
mod chaos;
mod conduct;
mod details;
mod ends;
mod histories;
mod model;
mod old;
mod order;
mod returns;

use std::time::Duration;

use triarch_supervision::clock::Seeded;

use super::report::Mend;
use super::*;
use crate::task::{Accepted, Affinity, After, Claim, Priority, Retry, State, Submission};
use crate::words::{Capability, Kind, Tag, Worker};

/// Tasks with all that was ever written of them.
struct Room {
    tasks: Tasks,
    turn: Turn,
    written: Vec<Vec<u8>>,
    heard: Vec<Event>,
}

const fn secs(secs: u64) -> Duration {
    Duration::from_secs(secs)
}

fn worker(name: &str) -> Worker {
    Worker::new(name).unwrap()
}

fn able(words: &[&str]) -> Vec<Capability> {
    words.iter().map(|word| Capability::new(word).unwrap()).collect()
}

fn task() -> Submission {
    Submission::of(Kind::new("build").unwrap())
}

fn of(priority: Priority) -> Submission {
    Submission { priority, ..task() }
}

fn after(tasks: &[TaskId]) -> Submission {
    let after = tasks.iter().map(|task| After::Task(*task)).collect();
    Submission { after, ..task() }
}

fn retrying(retries: u16) -> Submission {
    let retry = Retry {
        retries,
        ..Retry::default()
    };
    Submission { retry, ..task() }
}

impl Room {
    fn new() -> Self {
        Self::with(Config::default())
    }

    fn with(config: Config) -> Self {
        Self {
            tasks: Tasks::new(config),
            turn: Turn::new(TaskTime::from_millis(1_000), Seeded::new(7)),
            written: Vec::new(),
            heard: Vec::new(),
        }
    }

    fn run<T>(&mut self, command: impl FnOnce(&mut Tasks, &mut Turn) -> T) -> T {
        let outcome = command(&mut self.tasks, &mut self.turn);
        self.written.append(&mut self.turn.records);
        self.heard.append(&mut self.turn.events);
        outcome
    }

    fn pass(&mut self, time: Duration) {
        self.turn.now = self.turn.now + time;
        self.run(Tasks::tick).unwrap();
    }

    fn batch(&mut self, batch: Vec<Submission>) -> Result<Vec<Accepted>, Refusal> {
        self.run(|tasks, turn| tasks.submit(turn, batch))
    }

    fn submit(&mut self, submission: Submission) -> TaskId {
        self.batch(vec![submission]).unwrap()[0].task
    }

    fn claim_as(&mut self, name: &str, words: &[&str]) -> Option<Claim> {
        let claims = self.run(|tasks, turn| tasks.claim(turn, &worker(name), &able(words), 1, None));
        claims.unwrap().pop()
    }

    fn claim(&mut self) -> Claim {
        self.claim_as("team/a", &[]).unwrap()
    }

    fn nothing_to_claim(&mut self) -> bool {
        self.claim_as("team/a", &[]).is_none()
    }

    fn complete(&mut self, claim: &Claim) -> Result<(), Refusal> {
        self.run(|tasks, turn| tasks.complete(turn, claim.task, claim.fence, b"ok".to_vec()))
    }

    fn fail(&mut self, claim: &Claim) -> Result<(), Refusal> {
        self.run(|tasks, turn| tasks.fail(turn, claim.task, claim.fence, "broken", Mend::Possible))
    }

    fn give_back(&mut self, claim: &Claim) {
        self.run(|tasks, turn| tasks.give_back(turn, claim.task, claim.fence))
            .unwrap();
    }

    fn cancel(&mut self, task: TaskId) -> Result<(), Refusal> {
        self.run(|tasks, turn| tasks.cancel(turn, task, "not wanted"))
    }

    fn retry(&mut self, task: TaskId) -> Result<(), Refusal> {
        self.run(|tasks, turn| tasks.retry(turn, task))
    }

    fn state(&self, task: TaskId) -> State {
        self.tasks.state(task).unwrap()
    }

    fn heard(&self, event: &Event) -> usize {
        self.heard.iter().filter(|heard| *heard == event).count()
    }

    /// Everything comes to the same: replayed from the first record, or from a snapshot.
    fn check(&mut self) {
        self.pass(Duration::ZERO);
        assert_conserved(&self.tasks);
        let mut replayed = Tasks::new(self.tasks.config.clone());
        for record in &self.written {
            replayed.replay(record).unwrap();
        }
        let mut turn = Turn::new(self.turn.now, Seeded::new(8));
        replayed.tick(&mut turn).unwrap();
        assert!(turn.records.is_empty(), "all that was due had been written");
        assert!(replayed == self.tasks, "what is replayed differs");
        let restored = Tasks::restore(self.tasks.config.clone(), &self.tasks.image().encode().unwrap()).unwrap();
        assert!(restored == self.tasks, "what is restored differs");
    }
}

/// All that one worker can claim, in that order.
fn claimed(room: &mut Room) -> Vec<TaskId> {
    std::iter::from_fn(|| room.claim_as("team/a", &[]))
        .map(|claim| claim.task)
        .collect()
}

/// Each task that was submitted is open or has ended, and no two leases have one number.
fn assert_conserved(tasks: &Tasks) {
    let totals = tasks.totals;
    let open = tasks.by_id.values().filter(|task| task.is_open()).count();
    assert_eq!(open, tasks.indexes.open);
    assert_eq!(totals.submitted, totals.ended.iter().sum::<u64>() + open as u64);
    let leases: Vec<_> = tasks
        .by_id
        .iter()
        .filter_map(|(id, task)| Some((task.lease()?.fence, *id)))
        .collect();
    let by_fence: BTreeMap<_, _> = leases.iter().copied().collect();
    assert_eq!(by_fence.len(), leases.len(), "two live leases with one number");
    assert_eq!(by_fence, tasks.indexes.leases);
    let counted: usize = tasks.census().flat_map(|(_, counts)| counts).sum();
    assert_eq!(counted, open);
}
