//! What workers tell of the tasks they have. All of it counts under the lease that they show, and under no other.

use std::time::Duration;

use triarch_supervision::clock::Chance;

use crate::error::Refusal;
use crate::record::{LateResult, Record, Then};
use crate::task::State;
use crate::words::{Fence, TaskId, Worker};

use super::kept::Kept;
use super::submit::BODY_MAX;
use super::{Tasks, Turn};

/// So much of a late result is kept.
const LATE_BYTES: usize = 64 << 10;
/// So much is kept of why something failed.
pub(super) const WHY_BYTES: usize = 512;

/// Whether another attempt may mend a failure.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Mend {
    /// It may.
    Possible,
    /// It will not: the task is not tried again.
    Hopeless,
}

impl Tasks {
    /// The worker has begun.
    pub fn begin(&mut self, turn: &mut Turn, task: TaskId, fence: Fence) -> Result<(), Refusal> {
        self.under_lease(turn, task, fence)?;
        self.commit(turn, Record::Began { at: turn.now, task })
    }

    /// The worker is alive, and as far as this; the lease begins anew.
    pub fn beat(
        &mut self,
        turn: &mut Turn,
        task: TaskId,
        fence: Fence,
        lease: Option<Duration>,
        percent: Option<u8>,
    ) -> Result<(), Refusal> {
        self.under_lease(turn, task, fence)?;
        let until = turn.now + self.lease_of(lease)?;
        let percent = percent.map(|percent| percent.min(100));
        let at = turn.now;
        self.commit(
            turn,
            Record::Prolonged {
                at,
                task,
                until,
                percent,
            },
        )
    }

    /// The worker is done. Said twice under one lease, it counts once.
    pub fn complete(&mut self, turn: &mut Turn, task: TaskId, fence: Fence, result: Vec<u8>) -> Result<(), Refusal> {
        if result.len() > BODY_MAX {
            let problem = format!("a result of {} bytes, more than {BODY_MAX}", result.len());
            let remedy = "keep it elsewhere, and hand on where";
            return Err(Refusal::Unfit {
                place: 0,
                problem,
                remedy,
            });
        }
        match self.under_lease(turn, task, fence) {
            Ok(()) => {
                self.takes_result(turn, task, result.len())?;
                let (at, result) = (turn.now, result.into());
                self.commit(turn, Record::Done { at, task, result })
            }
            Err(_) if self.ended_by(task, fence, &[State::Done]) => Ok(()),
            Err(refusal) => self.keep_late(turn, refusal, true, &result),
        }
    }

    /// A result that waits for room came in time: its attempt takes no longer, and only its worker's silence ends it.
    fn takes_result(&mut self, turn: &mut Turn, task: TaskId, bytes: usize) -> Result<(), Refusal> {
        let taken = self.has_room_for_result(task, bytes);
        let may_give_up = self.known(task)?.lease().is_some_and(|lease| lease.gives_up.comes());
        if may_give_up && matches!(taken, Err(Refusal::Inputs { .. })) {
            self.commit(turn, Record::InTime { at: turn.now, task })?;
        }
        taken
    }

    /// The worker could not do it.
    pub fn fail(&mut self, turn: &mut Turn, task: TaskId, fence: Fence, why: &str, mend: Mend) -> Result<(), Refusal> {
        match self.under_lease(turn, task, fence) {
            Ok(()) => self.fail_attempt(turn, task, why, mend),
            Err(_) if self.ended_by(task, fence, &[State::Failed, State::Dead]) => Ok(()),
            Err(refusal) => self.keep_late(turn, refusal, false, why.as_bytes()),
        }
    }

    /// The worker gives a task back as it took it: no attempt failed, and it is ready at once.
    pub fn give_back(&mut self, turn: &mut Turn, task: TaskId, fence: Fence) -> Result<(), Refusal> {
        self.under_lease(turn, task, fence)?;
        self.commit(turn, Record::Returned { at: turn.now, task })
    }

    /// The worker ended with a task in hand: that lease lapses now.
    pub fn leave(&mut self, turn: &mut Turn, task: TaskId, fence: Fence, why: &str) -> Result<(), Refusal> {
        self.under_lease(turn, task, fence)?;
        let (at, then) = (turn.now, self.after_lapse(turn, task)?);
        let why = beginning(why, WHY_BYTES).into();
        self.commit(turn, Record::Left { at, task, why, then })
    }

    /// The worker fell with a task in hand: that lease lapses now, and if others fell by it too, it is not tried again.
    pub fn fall(&mut self, turn: &mut Turn, task: TaskId, fence: Fence, why: &str) -> Result<(), Refusal> {
        self.under_lease(turn, task, fence)?;
        let deaths = self.known(task)?.losses.deaths.saturating_add(1);
        let is_last = deaths >= self.config.deaths;
        let (at, mut then, mut why) = (turn.now, self.after_lapse(turn, task)?, why.to_owned());
        if is_last {
            why = format!("so many agents have fallen with it in hand: {deaths}; the last: {why}");
            then = Then::Dead;
        }
        let why = beginning(&why, WHY_BYTES).into();
        self.commit(turn, Record::Fell { at, task, why, then })
    }

    /// The worker is gone: its leases lapse now. Returns how many.
    pub fn abandon(&mut self, turn: &mut Turn, worker: &Worker) -> Result<usize, Refusal> {
        self.advance(turn)?;
        let held_by = |task: &&TaskId| {
            let lease = self.by_id.get(task).and_then(|task| task.lease());
            lease.is_some_and(|lease| lease.worker == *worker)
        };
        let held: Vec<TaskId> = self.indexes.leases.values().filter(held_by).copied().collect();
        for task in &held {
            self.lapse(turn, *task)?;
        }
        Ok(held.len())
    }

    pub(super) fn fail_attempt(&mut self, turn: &mut Turn, id: TaskId, why: &str, mend: Mend) -> Result<(), Refusal> {
        let task = self.known(id)?;
        let tries = task.tries;
        let then = match mend {
            Mend::Possible if task.failures < tries.retries => Then::Again(turn.now + wait(task, &mut turn.chance)),
            Mend::Possible if tries.retries > 0 => Then::Dead,
            _ => Then::Failed,
        };
        let (at, why) = (turn.now, beginning(why, WHY_BYTES).into());
        self.commit(
            turn,
            Record::Failed {
                at,
                task: id,
                why,
                then,
            },
        )
    }

    pub(super) fn lapse(&mut self, turn: &mut Turn, id: TaskId) -> Result<(), Refusal> {
        let (at, then) = (turn.now, self.after_lapse(turn, id)?);
        self.commit(turn, Record::Lapsed { at, task: id, then })
    }

    fn after_lapse(&self, turn: &Turn, id: TaskId) -> Result<Then, Refusal> {
        let lapses = self.known(id)?.losses.lapses.saturating_add(1);
        let is_last = lapses >= self.config.lapses;
        Ok(if is_last { Then::Dead } else { Then::Again(turn.now) })
    }

    /// Whether what is said of `id` under `fence` counts.
    fn under_lease(&mut self, turn: &mut Turn, id: TaskId, fence: Fence) -> Result<(), Refusal> {
        self.advance(turn)?;
        let task = self.known(id)?;
        let lease = task.lease().filter(|lease| lease.fence == fence);
        let Some(due) = lease.map(super::kept::Lease::due) else {
            let state = task.state();
            return Err(if task.may_have_been_under(fence) {
                Refusal::Stale { task: id, fence, state }
            } else {
                Refusal::NeverClaimed { task: id, fence }
            });
        };
        if due > turn.now {
            return Ok(());
        }
        // So many things are due that nobody has come to this one.
        self.end_lease(turn, id)?;
        let state = self.known(id)?.state();
        Err(Refusal::Stale { task: id, fence, state })
    }

    fn ended_by(&self, id: TaskId, fence: Fence, states: &[State]) -> bool {
        let end = self.by_id.get(&id).and_then(|task| task.end());
        end.is_some_and(|end| end.fence == Some(fence) && states.contains(&end.state))
    }

    fn keep_late(&mut self, turn: &mut Turn, refusal: Refusal, is_done: bool, text: &[u8]) -> Result<(), Refusal> {
        if let Refusal::Stale { task, fence, .. } = refusal {
            let text = text.get(..LATE_BYTES).unwrap_or(text).into();
            let at = turn.now;
            let late = LateResult {
                at,
                task,
                fence,
                is_done,
                text,
            };
            self.commit(turn, Record::Late(late))?;
        }
        Err(refusal)
    }
}

/// The wait before another attempt: doubled with each failure, and some of it left off by chance.
fn wait(task: &Kept, chance: &mut impl Chance) -> Duration {
    let doubled = u64::from(task.tries.first) << task.failures.min(31);
    let wait = doubled.min(task.tries.longest.into());
    let left_off = f64::from(task.tries.jitter_percent) / 100.0 * chance.unit();
    Duration::from_millis(wait).mul_f64(1.0 - left_off)
}

/// As much of a text as fits into so many bytes.
pub(super) fn beginning(text: &str, most: usize) -> &str {
    text.get(..text.floor_char_boundary(most)).unwrap_or_default()
}
