//! Workers take tasks.

use std::time::Duration;

use crate::config::LEASES;
use crate::error::Refusal;
use crate::record::Record;
use crate::task::{Claim, Input};
use crate::time::TaskTime;
use crate::words::{Capability, Fence, TaskId, Worker};

use super::kept::{Condition, Kept, Lease};
use super::shelves::reserved_for;
use super::{Event, Tasks, Turn};

/// The most tasks of one claim.
const CLAIM_MAX: usize = 256;
/// With so many bytes of bodies and inputs a claim is full.
pub(super) const CLAIM_BYTES: usize = 4 << 20;

impl Tasks {
    /// Gives `worker` up to so many tasks that it is able to do, each under a lease of its own.
    pub fn claim(
        &mut self,
        turn: &mut Turn,
        worker: &Worker,
        able: &[Capability],
        most: usize,
        lease: Option<Duration>,
    ) -> Result<Vec<Claim>, Refusal> {
        self.advance(turn)?;
        let lease = self.lease_of(lease)?;
        let mut able = able.to_vec();
        able.sort_unstable();
        let (mut claims, mut bytes) = (Vec::new(), 0);
        while claims.len() < most.min(CLAIM_MAX) && bytes < CLAIM_BYTES {
            let Some(task) = self.next_for(worker, &able) else {
                break;
            };
            let (at, fence) = (turn.now, self.outline.next_fence);
            let is_reserved = self.by_id.get(&task).is_some_and(|task| reserved_for(task).is_some());
            let record = Record::Claimed {
                at,
                task,
                fence,
                worker: worker.clone(),
                until: at + lease,
            };
            self.commit(turn, record)?;
            let claim = self.claimed(task, at, is_reserved);
            bytes += claim.as_ref().map_or(0, bytes_of);
            claims.extend(claim);
        }
        Ok(claims)
    }

    /// What a worker must be able to do for a task that is ready, and the one it is reserved for.
    pub(crate) fn asks(&self, task: TaskId) -> Option<(&[Capability], Option<&Worker>)> {
        let task = self.by_id.get(&task)?;
        matches!(task.condition, Condition::Ready { .. }).then(|| (&*task.needs, reserved_for(task)))
    }

    fn next_for(&self, worker: &Worker, able: &[Capability]) -> Option<TaskId> {
        let since = |id| match self.by_id.get(&id).map(|task| &task.condition) {
            Some(Condition::Ready { since, .. }) => *since,
            _ => TaskTime::default(),
        };
        self.indexes.shelves.next_for(worker, able, &self.config, since)
    }

    pub(super) fn lease_of(&self, asked: Option<Duration>) -> Result<Duration, Refusal> {
        let lease = asked.unwrap_or(self.config.lease);
        if LEASES.contains(&lease) {
            Ok(lease)
        } else {
            Err(Refusal::Lease { lease })
        }
    }

    fn claimed(&self, id: TaskId, now: TaskTime, is_reserved: bool) -> Option<Claim> {
        let task = self.by_id.get(&id)?;
        let lease = task.lease()?;
        let left = |time: TaskTime| time.comes().then(|| time.since(now));
        Some(Claim {
            task: id,
            fence: lease.fence,
            kind: task.kind.clone(),
            body: task.body.to_vec(),
            inputs: task.after().iter().filter_map(|earlier| self.input(*earlier)).collect(),
            attempt: task.attempts,
            lease: lease.until.since(now),
            timeout: task.tries.timeout(),
            deadline: left(task.deadline),
            budget: task.more.as_ref().and_then(|more| more.budget),
            is_reserved,
        })
    }

    fn input(&self, task: TaskId) -> Option<Input> {
        let result = (&self.by_id.get(&task)?.end()?.result).into();
        Some(Input { task, result })
    }

    pub(super) fn apply_claimed(
        &mut self,
        at: TaskTime,
        id: TaskId,
        lease: Lease,
        events: &mut Vec<Event>,
    ) -> Result<(), super::Misfit> {
        let found = self.by_id.get(&id).map(|task| (&task.condition, task));
        let Some((Condition::Ready { since, .. }, task)) = found else {
            return Err(self.misfit(id, "was claimed"));
        };
        events.push(Event::Claimed {
            task: id,
            kind: task.kind.clone(),
            waited: at.since(task.returned_at().unwrap_or(*since)),
            is_again: task.attempts > 0 && task.returned_at().is_none(),
        });
        let lease = Lease { since: *since, ..lease };
        self.outline.next_fence = self.outline.next_fence.max(lease.fence.next());
        self.shift(id, |task| take(task, lease));
        Ok(())
    }
}

/// What whoever gets a claim has to read.
fn bytes_of(claim: &Claim) -> usize {
    let inputs = claim.inputs.iter().map(|input| input.result.len());
    claim.body.len() + inputs.sum::<usize>()
}

fn take(task: &mut Kept, lease: Lease) {
    task.attempts = task.attempts.saturating_add(1);
    task.condition = Condition::Held(Box::new(lease));
}

impl Lease {
    pub(super) fn new(fence: Fence, worker: Worker, claimed: TaskTime, until: TaskTime) -> Self {
        Self {
            fence,
            worker,
            claimed,
            since: claimed,
            until,
            gives_up: TaskTime::NEVER,
            began: None,
            percent: None,
        }
    }
}
