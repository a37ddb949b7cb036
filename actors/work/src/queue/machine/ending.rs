//! What follows the end of a task: those after it go on or are called off, and who ended long ago is forgotten.

use crate::bytes::Bytes;
use crate::error::{Misfit, Refusal};
use crate::record::Record;
use crate::task::State;
use crate::time::TaskTime;
use crate::words::{Fence, TaskId};

use super::kept::{Condition, End};
use super::{Event, Tasks, Turn};

/// So many are forgotten by one record.
const SHED_PORTION: usize = 4_096;

pub(super) struct Ending {
    pub(super) at: TaskTime,
    pub(super) state: State,
    pub(super) fence: Option<Fence>,
    pub(super) result: Bytes,
    pub(super) why: Box<str>,
}

impl Ending {
    pub(super) fn of(state: State, at: TaskTime, why: Box<str>) -> Self {
        Self {
            at,
            state,
            fence: None,
            result: Bytes::default(),
            why,
        }
    }
}

impl Tasks {
    /// Ends an open task, and with it those that cannot begin any more.
    pub(super) fn end(&mut self, id: TaskId, ending: Ending, events: &mut Vec<Event>) {
        let mut endings = vec![(id, ending)];
        while let Some((id, ending)) = endings.pop() {
            // Two of those it waits for may end at once.
            if !self.by_id.get(&id).is_some_and(super::kept::Kept::is_open) {
                continue;
            }
            let (at, state) = (ending.at, ending.state);
            self.end_one(id, ending, events);
            for later in self.followers(id) {
                self.waits.remove(&(id, later));
                if state == State::Done {
                    self.pin(id);
                    self.unblock(later, at, events);
                } else {
                    let why = format!("task {id}, which it waited for, is {}", state.label());
                    endings.push((later, Ending::of(State::Cancelled, at, why.into())));
                }
            }
        }
        self.tell_drained(events);
    }

    pub(super) fn followers(&self, id: TaskId) -> Vec<TaskId> {
        let waits = self.waits.range((id, TaskId::new(0))..(id.next(), TaskId::new(0)));
        waits.map(|(_, later)| *later).collect()
    }

    fn end_one(&mut self, id: TaskId, ending: Ending, events: &mut Vec<Event>) {
        let Some(task) = self.by_id.get(&id) else { return };
        let took = task
            .lease()
            .map(|lease| ending.at.since(lease.began.unwrap_or(lease.claimed)));
        let fence = ending.fence.or(task.lease().map(|lease| lease.fence));
        let kind = task.kind.clone();
        let state = ending.state;
        if matches!(state, State::Cancelled | State::Expired) {
            self.revoke(id, events);
        }
        events.push(Event::Ended {
            task: id,
            kind,
            state,
            took,
        });
        self.shift(id, |task| {
            let end = End {
                state,
                at: ending.at,
                fence,
                result: ending.result,
                why: ending.why,
                pins: 0,
            };
            task.condition = Condition::Ended(Box::new(end));
            if !state.is_retryable() {
                task.body = Bytes::default();
            }
        });
        if let Some(ended) = self.outline.totals.at(state) {
            *ended += 1;
        }
        self.let_inputs_go(id);
    }

    fn unblock(&mut self, id: TaskId, at: TaskTime, events: &mut Vec<Event>) {
        let Some(Condition::Blocked { unmet, until }) = self.by_id.get(&id).map(|task| &task.condition) else {
            return;
        };
        let (unmet, until) = (unmet.saturating_sub(1), *until);
        if unmet == 0 {
            self.place_at(id, until, at, events);
        } else {
            self.shift(id, |task| task.condition = Condition::Blocked { unmet, until });
        }
    }

    /// A task waits for nothing any more, and wants no results of others.
    fn let_inputs_go(&mut self, id: TaskId) {
        let Some(task) = self.by_id.get(&id) else { return };
        if task.wants_inputs() {
            return;
        }
        for earlier in task.after().to_vec() {
            // It pins what has ended, and waits for what has not.
            self.waits.remove(&(earlier, id));
            self.unpin(earlier);
        }
    }

    /// One more task wants the result of this one.
    pub(super) fn pin(&mut self, id: TaskId) {
        self.shift_end(id, |end| end.pins += 1);
    }

    fn unpin(&mut self, id: TaskId) {
        self.shift_end(id, |end| end.pins = end.pins.saturating_sub(1));
    }

    fn shift_end(&mut self, id: TaskId, change: impl FnOnce(&mut End)) {
        self.shift(id, |task| {
            if let Condition::Ended(end) = &mut task.condition {
                change(end);
            }
        });
    }

    /// Forgets tasks that ended first, where there are too many. That is written: who replays it may have other settings.
    pub(crate) fn shed(&mut self, turn: &mut Turn) -> Result<(), Refusal> {
        loop {
            let tasks = self.surplus();
            if tasks.is_empty() {
                return Ok(());
            }
            self.write(turn, Record::Shed { at: turn.now, tasks })?;
        }
    }

    fn surplus(&self) -> Vec<TaskId> {
        let bytes_of = |id: TaskId| self.by_id.get(&id).map_or(0, super::kept::Kept::bytes);
        let (config, bytes_max) = (&self.config, self.config.ended_bytes_max);
        let ended = self.indexes.ended.surplus(config.ended_max, bytes_max, bytes_of);
        let dead = self.indexes.dead.surplus(config.dead_max, bytes_max, bytes_of);
        ended.chain(dead).take(SHED_PORTION).collect()
    }

    pub(super) fn forget_ended(&mut self, id: TaskId) -> Result<(), Misfit> {
        if self.by_id.get(&id).is_some_and(super::kept::Kept::is_open) {
            return Err(self.misfit(id, "is forgotten"));
        }
        self.forget(id);
        Ok(())
    }

    /// Forgets an ended task, and its key with it, unless that means another one by now.
    pub(super) fn forget(&mut self, id: TaskId) {
        let Some(task) = self.by_id.get(&id) else { return };
        self.indexes.leave(id, task, &self.config);
        let Some(task) = self.by_id.remove(&id) else { return };
        let key = task.more.as_ref().and_then(|more| more.key.as_ref());
        if let Some(key) = key.filter(|key| self.keys.get(key) == Some(&id)) {
            self.keys.remove(key);
        }
        if task.wants_inputs() {
            for earlier in task.after() {
                self.unpin(*earlier);
            }
        }
    }
}
