//! Records become state: the same whether they were just decided or are read again.

use std::time::Duration;

use crate::error::Misfit;
use crate::record::{Record, Then};
use crate::task::State;
use crate::time::TaskTime;
use crate::words::TaskId;

use super::ending::Ending;
use super::kept::{Condition, Kept, Lease};
use super::{Event, Tasks};

impl Tasks {
    pub(super) fn apply(&mut self, record: Record, events: &mut Vec<Event>) -> Result<(), Misfit> {
        self.now = self.now.max(record.at());
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
            Record::Began { at, task } => {
                self.held(task, "began")?;
                self.shift_lease(task, |lease| lease.began = lease.began.or(Some(at)));
                events.push(Event::Began { task });
            }
            Record::Prolonged {
                task, until, percent, ..
            } => {
                self.held(task, "goes on")?;
                self.shift_lease(task, |lease| {
                    lease.until = until;
                    lease.percent = percent.or(lease.percent);
                });
            }
            Record::Done { at, task, result } => {
                let fence = Some(self.held(task, "is done")?.fence);
                self.end(
                    task,
                    Ending {
                        at,
                        state: State::Done,
                        fence,
                        result,
                        why: Box::default(),
                    },
                    events,
                );
            }
            Record::Failed { at, task, why, then } => self.apply_failed(at, task, &why, then, events)?,
            Record::Lapsed { at, task, then } => self.apply_lapsed(at, task, then, events)?,
            Record::Returned { at, task } => {
                self.held(task, "came back")?;
                self.remember(task, at, "it was given back");
                self.place_at(task, at, at, events);
            }
            Record::Cancelled { at, task, why } => {
                self.open(task, "is cancelled")?;
                self.end(task, Ending::of(State::Cancelled, at, why), events);
            }
            Record::Expired { at, task } => {
                self.open(task, "is expired")?;
                self.miss_deadline(task, events);
                self.end(
                    task,
                    Ending::of(State::Expired, at, "its deadline passed".into()),
                    events,
                );
            }
            Record::Missed { task, .. } => {
                self.open(task, "missed its deadline")?;
                self.miss_deadline(task, events);
            }
            Record::Retried { at, task } => self.apply_retried(at, task, events)?,
            Record::Dropped { task, .. } => {
                self.forget(task);
                self.shed();
            }
            Record::Late(late) => {
                events.push(Event::Late { task: late.task });
                self.late.push_back(late);
                while self.late.len() > self.config.late_max {
                    self.late.pop_front();
                }
            }
            Record::Draining { on, .. } => {
                self.is_draining = on;
                self.tell_drained(events);
            }
            Record::Anchored(anchor) => self.anchor = Some(anchor),
            Record::Resumed { away_millis, .. } => self.apply_resumed(Duration::from_millis(away_millis)),
        }
        Ok(())
    }

    fn held(&self, id: TaskId, what: &'static str) -> Result<&Lease, Misfit> {
        let lease = self.tasks.get(&id).and_then(|task| task.lease());
        lease.ok_or_else(|| self.misfit(id, what))
    }

    fn open(&self, id: TaskId, what: &'static str) -> Result<(), Misfit> {
        let is_open = self.tasks.get(&id).is_some_and(|task| task.is_open());
        if is_open { Ok(()) } else { Err(self.misfit(id, what)) }
    }

    fn shift_lease(&mut self, id: TaskId, change: impl FnOnce(&mut Lease)) {
        self.shift(id, |task| {
            if let Condition::Held(lease) = &mut task.condition {
                change(lease);
            }
        });
    }

    fn remember(&mut self, id: TaskId, at: TaskTime, why: &str) {
        if let Some(task) = self.tasks.get_mut(&id) {
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
        if let Some(task) = self.tasks.get_mut(&id) {
            task.failures = task.failures.saturating_add(1);
            let kind = task.kind.clone();
            events.push(Event::Failed { task: id, kind });
        }
        self.follow(at, id, why, then, events);
        Ok(())
    }

    fn apply_lapsed(&mut self, at: TaskTime, id: TaskId, then: Then, events: &mut Vec<Event>) -> Result<(), Misfit> {
        self.held(id, "lapsed")?;
        if let Some(task) = self.tasks.get_mut(&id) {
            task.lapses = task.lapses.saturating_add(1);
            let kind = task.kind.clone();
            events.push(Event::Lapsed { task: id, kind });
        }
        self.revoke(id, events);
        self.follow(at, id, "its lease lapsed", then, events);
        Ok(())
    }

    fn follow(&mut self, at: TaskTime, id: TaskId, why: &str, then: Then, events: &mut Vec<Event>) {
        self.remember(id, at, why);
        let state = match then {
            Then::Again(until) => return self.place_at(id, until, at, events),
            Then::Failed => State::Failed,
            Then::Dead => State::Dead,
        };
        let fence = self.tasks.get(&id).and_then(|task| Some(task.lease()?.fence));
        let ending = Ending::of(state, at, why.into());
        self.end(id, Ending { fence, ..ending }, events);
    }

    fn apply_retried(&mut self, at: TaskTime, id: TaskId, events: &mut Vec<Event>) -> Result<(), Misfit> {
        let state = self.tasks.get(&id).map(|task| task.state());
        let Some(state) = state.filter(|state| state.is_retryable()) else {
            return Err(self.misfit(id, "is tried again"));
        };
        if let Some(ended) = self.totals.at(state) {
            *ended = ended.saturating_sub(1);
        }
        self.shift(id, |task| {
            (task.failures, task.lapses) = (0, 0);
            task.is_missed |= task.deadline <= at;
            task.condition = task.ready_since(at);
        });
        self.tell_ready(id, events);
        Ok(())
    }

    fn miss_deadline(&mut self, id: TaskId, events: &mut Vec<Event>) {
        self.shift(id, |task| task.is_missed = true);
        if let Some(task) = self.tasks.get(&id) {
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
        if let Some(lease) = self.tasks.get(&id).and_then(|task: &Box<Kept>| task.lease()) {
            events.push(Event::Revoked {
                task: id,
                fence: lease.fence,
                worker: lease.worker.clone(),
            });
        }
    }

    pub(super) fn tell_drained(&self, events: &mut Vec<Event>) {
        if self.is_draining && self.indexes.open == 0 {
            events.push(Event::Drained);
        }
    }
}
