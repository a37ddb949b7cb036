//! What follows the end of a task: those after it go on or are called off, and who ended long ago is forgotten.

use crate::bytes::Bytes;
use crate::task::State;
use crate::time::TaskTime;
use crate::words::{Fence, TaskId};

use super::kept::{Condition, End};
use super::{Event, Tasks};

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
            if !self.by_id.get(&id).is_some_and(|task| task.is_open()) {
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
        self.shed();
        self.tell_drained(events);
    }

    fn followers(&self, id: TaskId) -> Vec<TaskId> {
        let waits = self.waits.range((id, TaskId::new(0))..(id.next(), TaskId::new(0)));
        waits.map(|(_, later)| *later).collect()
    }

    fn end_one(&mut self, id: TaskId, ending: Ending, events: &mut Vec<Event>) {
        let Some(task) = self.by_id.get(&id) else { return };
        let took = task
            .lease()
            .map(|lease| ending.at.since(lease.began.unwrap_or(lease.claimed)));
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
                fence: ending.fence,
                result: ending.result,
                why: ending.why,
                pins: 0,
            };
            task.condition = Condition::Ended(Box::new(end));
            if !state.is_retryable() {
                task.body = Bytes::default();
            }
        });
        if let Some(ended) = self.totals.at(state) {
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
            // One that it still waits for has not been pinned by it.
            if !self.waits.remove(&(earlier, id)) {
                self.unpin(earlier);
            }
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

    /// Forgets tasks that ended first, where there are too many.
    pub(super) fn shed(&mut self) {
        let bytes_max = self.config.ended_bytes_max;
        loop {
            let (ended, dead) = (&self.indexes.ended, &self.indexes.dead);
            let surplus = ended.surplus(self.config.ended_max, bytes_max);
            let surplus = surplus.or_else(|| dead.surplus(self.config.dead_max, bytes_max));
            match surplus {
                Some(id) => self.forget(id),
                None => break,
            }
        }
    }

    /// Forgets an ended task, and its key with it.
    pub(super) fn forget(&mut self, id: TaskId) {
        let Some(task) = self.by_id.get(&id) else { return };
        self.indexes.leave(id, task, &self.config);
        let Some(task) = self.by_id.remove(&id) else { return };
        if let Some(key) = task.more.as_ref().and_then(|more| more.key.as_ref()) {
            self.keys.remove(key);
        }
        if task.wants_inputs() {
            for earlier in task.after() {
                self.unpin(*earlier);
            }
        }
    }
}
