//! Records become state: the same whether they were just decided or are read again.

use std::time::Duration;

use crate::bytes::Bytes;
use crate::error::Misfit;
use crate::record::{LateResult, Record, Then};
use crate::task::State;
use crate::time::TaskTime;
use crate::words::TaskId;

use super::ending::Ending;
use super::kept::{Condition, Lease, Losses};
use super::{Event, Tasks};

/// Why an attempt ended of whose worker nothing was heard.
const LAPSED: &str = "its lease lapsed";

impl Tasks {
    pub(super) fn apply(&mut self, record: Record, events: &mut Vec<Event>) -> Result<(), Misfit> {
        self.outline.now = self.outline.now.max(record.at());
        match record {
            Record::Submitted { at, tasks } => self.apply_submitted(at, tasks, events),
            Record::Claimed {
                at,
                task,
                fence,
                worker,
                until,
            } => {
                return self.apply_claimed(at, task, Lease::new(fence, worker, at, until), events);
            }
            Record::Began { at, task } => return self.apply_began(at, task, events),
            Record::Prolonged {
                task, until, percent, ..
            } => return self.apply_prolonged(task, until, percent),
            Record::InTime { task, .. } => return self.apply_in_time(task),
            Record::Done { at, task, result } => return self.apply_done(at, task, result, events),
            Record::Failed { at, task, why, then } => return self.apply_failed(at, task, &why, then, events),
            Record::Lapsed { at, task, then } => return self.apply_lapsed(at, task, LAPSED, then, events),
            Record::Left { at, task, why, then } => return self.apply_lapsed(at, task, &why, then, events),
            Record::Fell { at, task, why, then } => return self.apply_fell(at, task, &why, then, events),
            Record::Returned { at, task } => return self.apply_returned(at, task, events),
            Record::Cancelled { at, task, why } => {
                return self.apply_end(task, Ending::of(State::Cancelled, at, why), events);
            }
            Record::Expired { at, task } => {
                self.miss_deadline(task, events);
                let why = "its deadline passed".into();
                return self.apply_end(task, Ending::of(State::Expired, at, why), events);
            }
            Record::Missed { task, .. } => self.miss_deadline(task, events),
            Record::Retried { at, task } => return self.apply_retried(at, task, events),
            Record::Dropped { task, .. } => return self.forget_ended(task),
            Record::Shed { tasks, .. } => return tasks.into_iter().try_for_each(|task| self.forget_ended(task)),
            Record::Late(late) => self.apply_late(late, events),
            Record::Draining { on, .. } => {
                self.outline.is_draining = on;
                events.push(Event::Draining { on });
                self.tell_drained(events);
            }
            Record::Anchored(anchor) => self.outline.anchor = Some(anchor),
            Record::Resumed { away_millis, .. } => self.apply_resumed(Duration::from_millis(away_millis)),
        }
        Ok(())
    }

    fn apply_began(&mut self, at: TaskTime, task: TaskId, events: &mut Vec<Event>) -> Result<(), Misfit> {
        self.held(task, "began")?;
        let timeout = self.by_id.get(&task).and_then(|task| task.tries.timeout());
        self.shift_lease(task, |lease| {
            // Said twice, it counts once.
            if lease.began.is_none() {
                lease.began = Some(at);
                lease.gives_up = timeout.map_or(TaskTime::NEVER, |timeout| at + timeout);
            }
        });
        events.push(Event::Began { task });
        Ok(())
    }

    fn apply_prolonged(&mut self, task: TaskId, until: TaskTime, percent: Option<u8>) -> Result<(), Misfit> {
        self.held(task, "goes on")?;
        self.shift_lease(task, |lease| {
            lease.until = until;
            lease.percent = percent.or(lease.percent);
        });
        Ok(())
    }

    fn apply_in_time(&mut self, task: TaskId) -> Result<(), Misfit> {
        self.held(task, "was done in time")?;
        self.shift_lease(task, |lease| lease.gives_up = TaskTime::NEVER);
        Ok(())
    }

    fn apply_done(&mut self, at: TaskTime, task: TaskId, result: Bytes, events: &mut Vec<Event>) -> Result<(), Misfit> {
        let lease = self.held(task, "is done")?;
        let fence = Some(lease.fence);
        let ending = Ending::of(State::Done, at, lease.worker.as_str().into());
        self.end(
            task,
            Ending {
                fence,
                result,
                ..ending
            },
            events,
        );
        Ok(())
    }

    fn apply_returned(&mut self, at: TaskTime, task: TaskId, events: &mut Vec<Event>) -> Result<(), Misfit> {
        let since = self.held(task, "came back")?.since;
        if let Some(task) = self.by_id.get_mut(&task) {
            task.remember_return(at);
        }
        self.place_again(task, since, at, events);
        Ok(())
    }

    fn apply_end(&mut self, task: TaskId, ending: Ending, events: &mut Vec<Event>) -> Result<(), Misfit> {
        if !self.by_id.get(&task).is_some_and(super::kept::Kept::is_open) {
            return Err(self.misfit(task, "ends"));
        }
        self.end(task, ending, events);
        Ok(())
    }

    fn apply_late(&mut self, late: LateResult, events: &mut Vec<Event>) {
        events.push(Event::Late { task: late.task });
        self.before.note_late(&self.late);
        self.late.push_back(late.into());
        while self.late.len() > self.config.late_max {
            self.late.pop_front();
        }
    }

    fn held(&self, id: TaskId, what: &'static str) -> Result<&Lease, Misfit> {
        let lease = self.by_id.get(&id).and_then(|task| task.lease());
        lease.ok_or_else(|| self.misfit(id, what))
    }

    fn shift_lease(&mut self, id: TaskId, change: impl FnOnce(&mut Lease)) {
        self.shift(id, |task| {
            if let Condition::Held(lease) = &mut task.condition {
                change(lease);
            }
        });
    }

    fn remember(&mut self, id: TaskId, at: TaskTime, why: &str) {
        if let Some(task) = self.by_id.get_mut(&id) {
            task.remember_attempt(at, why);
        }
    }

    fn apply_failed(
        &mut self,
        at: TaskTime,
        id: TaskId,
        why: &str,
        then: Then,
        events: &mut Vec<Event>,
    ) -> Result<(), Misfit> {
        self.held(id, "failed")?;
        if let Some(task) = self.by_id.get_mut(&id) {
            task.failures = task.failures.saturating_add(1);
            let kind = task.kind.clone();
            events.push(Event::Failed { task: id, kind });
        }
        self.follow(at, id, why, then, events);
        Ok(())
    }

    fn apply_lapsed(
        &mut self,
        at: TaskTime,
        id: TaskId,
        why: &str,
        then: Then,
        events: &mut Vec<Event>,
    ) -> Result<(), Misfit> {
        let lease = self.held(id, "lapsed")?;
        let unbegun = lease.began.is_none().then_some(lease.since);
        if let Some(task) = self.by_id.get_mut(&id) {
            task.losses.lapses = task.losses.lapses.saturating_add(1);
            let kind = task.kind.clone();
            events.push(Event::Lapsed { task: id, kind });
        }
        self.revoke(id, events);
        if let (Then::Again(_), Some(since)) = (then, unbegun) {
            self.remember(id, at, why);
            self.place_again(id, since, at, events);
        } else {
            self.follow(at, id, why, then, events);
        }
        Ok(())
    }

    fn apply_fell(
        &mut self,
        at: TaskTime,
        id: TaskId,
        why: &str,
        then: Then,
        events: &mut Vec<Event>,
    ) -> Result<(), Misfit> {
        self.held(id, "fell")?;
        if let Some(task) = self.by_id.get_mut(&id) {
            task.losses.deaths = task.losses.deaths.saturating_add(1);
        }
        self.apply_lapsed(at, id, why, then, events)
    }

    fn follow(&mut self, at: TaskTime, id: TaskId, why: &str, then: Then, events: &mut Vec<Event>) {
        self.remember(id, at, why);
        let state = match then {
            Then::Again(until) => return self.place_at(id, until, at, events),
            Then::Failed => State::Failed,
            Then::Dead => State::Dead,
        };
        let fence = self.by_id.get(&id).and_then(|task| Some(task.lease()?.fence));
        let ending = Ending::of(state, at, why.into());
        self.end(id, Ending { fence, ..ending }, events);
    }

    /// Nobody has begun: a task has the place again that it had before it was claimed.
    fn place_again(&mut self, id: TaskId, since: TaskTime, now: TaskTime, events: &mut Vec<Event>) {
        self.shift(id, |task| task.condition = task.ready_again(since, now));
        self.tell_ready(id, events);
    }

    fn apply_retried(&mut self, at: TaskTime, id: TaskId, events: &mut Vec<Event>) -> Result<(), Misfit> {
        let state = self.by_id.get(&id).map(super::kept::Kept::state);
        let Some(state) = state.filter(|state| state.is_retryable()) else {
            return Err(self.misfit(id, "is tried again"));
        };
        if let Some(ended) = self.outline.totals.at(state) {
            *ended = ended.saturating_sub(1);
        }
        self.shift(id, |task| {
            (task.failures, task.losses) = (0, Losses::default());
            task.is_missed |= task.deadline <= at;
            task.condition = task.ready_since(at);
        });
        self.tell_ready(id, events);
        Ok(())
    }

    fn miss_deadline(&mut self, id: TaskId, events: &mut Vec<Event>) {
        self.shift(id, |task| task.is_missed = true);
        if let Some(task) = self.by_id.get(&id) {
            let kind = task.kind.clone();
            events.push(Event::Missed { task: id, kind });
        }
    }

    fn apply_resumed(&mut self, away: Duration) {
        let held: Vec<TaskId> = self.indexes.leases.values().copied().collect();
        for id in held {
            self.shift_lease(id, |lease| {
                lease.until = lease.until + away;
                lease.gives_up = lease.gives_up + away;
            });
        }
    }

    /// Whoever has the task is to stop.
    pub(super) fn revoke(&self, id: TaskId, events: &mut Vec<Event>) {
        if let Some(lease) = self.by_id.get(&id).and_then(|task| task.lease()) {
            events.push(Event::Revoked {
                task: id,
                fence: lease.fence,
                worker: lease.worker.clone(),
            });
        }
    }

    pub(super) fn tell_drained(&self, events: &mut Vec<Event>) {
        if self.outline.is_draining && self.indexes.open == 0 {
            events.push(Event::Drained);
        }
    }
}
