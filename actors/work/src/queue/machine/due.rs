//! What falls due: waits that are over, leases that lapse, attempts that take too long, deadlines.

use crate::error::Refusal;
use crate::record::Record;
use crate::time::TaskTime;
use crate::words::TaskId;

use super::indexes::Alarm;
use super::kept::Condition;
use super::report::Mend;
use super::{Event, Tasks, Turn};

/// So much of what is due is looked at before each command, so that none waits long where a million fall due at once.
const PORTION: usize = 256;

impl Tasks {
    /// Looks at a portion of what is due, and returns when to look again; never where nothing is to come.
    pub fn tick(&mut self, turn: &mut Turn) -> Result<TaskTime, Refusal> {
        self.advance(turn)?;
        Ok(self.next_due())
    }

    /// When something falls due next.
    pub fn next_due(&self) -> TaskTime {
        let wake = self.indexes.wakes.first().map(|(at, _)| *at);
        let alarm = self.indexes.alarms.first().map(|(at, _, _)| *at);
        wake.into_iter().chain(alarm).min().unwrap_or(TaskTime::NEVER)
    }

    /// What comes before every command. Time never goes back.
    pub(super) fn advance(&mut self, turn: &mut Turn) -> Result<(), Refusal> {
        self.outline.now = self.outline.now.max(turn.now);
        turn.now = self.outline.now;
        self.wake(turn.now, PORTION, &mut turn.events);
        for _ in 0..PORTION {
            match self.indexes.alarms.first() {
                Some((at, id, alarm)) if *at <= turn.now => match alarm {
                    Alarm::Lease => self.end_lease(turn, *id)?,
                    Alarm::Deadline => self.miss(turn, *id)?,
                },
                _ => break,
            }
        }
        Ok(())
    }

    /// What changes by time alone.
    pub(super) fn wake(&mut self, now: TaskTime, most: usize, events: &mut Vec<Event>) {
        for _ in 0..most {
            match self.indexes.wakes.first() {
                Some((at, id)) if *at <= now => self.wake_one(*at, *id, events),
                _ => break,
            }
        }
    }

    fn wake_one(&mut self, at: TaskTime, id: TaskId, events: &mut Vec<Event>) {
        self.shift(id, |task| match task.condition {
            Condition::Ready { since, .. } => {
                let is_reserved = false;
                task.condition = Condition::Ready { since, is_reserved };
            }
            _ => task.condition = task.ready_since(at),
        });
        self.tell_ready(id, events);
    }

    /// A lease is over: the attempt took too long, or the worker was silent for too long.
    pub(super) fn end_lease(&mut self, turn: &mut Turn, id: TaskId) -> Result<(), Refusal> {
        let lease = self.known(id)?.lease();
        if lease.is_some_and(|lease| lease.gives_up <= turn.now) {
            self.revoke(id, &mut turn.events);
            return self.fail_attempt(turn, id, "it took longer than an attempt may", Mend::Possible);
        }
        self.lapse(turn, id)
    }

    fn miss(&mut self, turn: &mut Turn, task: TaskId) -> Result<(), Refusal> {
        let at = turn.now;
        if self.known(task)?.cancel_when_missed {
            self.commit(turn, Record::Expired { at, task })
        } else {
            self.commit(turn, Record::Missed { at, task })
        }
    }
}
