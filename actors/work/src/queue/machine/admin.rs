//! What people and the runtime ask for.

use std::sync::Arc;
use std::time::Duration;

use crate::codec::{self, CodecError};
use crate::error::Refusal;
use crate::record::{LateResult, Record};
use crate::task::State;
use crate::time::{Anchor, Sight, TaskTime};
use crate::words::TaskId;

use super::report::{WHY_BYTES, beginning};
use super::{Tasks, Turn};

impl Tasks {
    /// Calls a task off, for good; whoever has it is told.
    pub fn cancel(&mut self, turn: &mut Turn, task: TaskId, why: &str) -> Result<(), Refusal> {
        self.advance(turn)?;
        let state = self.known(task)?.state();
        if state == State::Cancelled {
            return Ok(());
        }
        if state.is_end() {
            let remedy = "nothing is left to call off";
            return Err(Refusal::WrongState { task, state, remedy });
        }
        let (at, why) = (turn.now, beginning(why, WHY_BYTES).into());
        self.commit(turn, Record::Cancelled { at, task, why })
    }

    /// Has a task tried again that failed or is dead, with all its attempts before it.
    pub fn retry(&mut self, turn: &mut Turn, task: TaskId) -> Result<(), Refusal> {
        self.advance(turn)?;
        let state = self.known(task)?.state();
        if !state.is_retryable() {
            let remedy = "only what failed or is dead is tried again; submit it anew";
            return Err(Refusal::WrongState { task, state, remedy });
        }
        if self.outline.is_draining {
            return Err(Refusal::Draining);
        }
        let kept = self.known(task)?;
        self.has_room(1, kept.bytes_said())?;
        let worker = kept.affinity().map(|affinity| &affinity.worker);
        self.has_shelves_for([&*kept.needs].into_iter(), worker.into_iter())?;
        self.commit(turn, Record::Retried { at: turn.now, task })
    }

    /// Forgets a task that has ended and whose result nobody waits for.
    pub fn drop_ended(&mut self, turn: &mut Turn, task: TaskId) -> Result<(), Refusal> {
        self.advance(turn)?;
        let kept = self.known(task)?;
        let is_free = kept.end().is_some_and(|end| end.pins == 0);
        if !is_free {
            let state = kept.state();
            let remedy = "it is needed; drop it when it and those after it have ended";
            return Err(Refusal::WrongState { task, state, remedy });
        }
        self.commit(turn, Record::Dropped { at: turn.now, task })
    }

    /// Takes no more tasks, or takes them again; those there are go on.
    pub fn drain(&mut self, turn: &mut Turn, on: bool) -> Result<(), Refusal> {
        self.advance(turn)?;
        if self.outline.is_draining == on {
            return Ok(());
        }
        self.commit(turn, Record::Draining { at: turn.now, on })
    }

    /// Whether no more tasks are taken.
    pub fn is_draining(&self) -> bool {
        self.outline.is_draining
    }

    /// Notes what the clocks outside show, for the next life.
    pub fn anchor(&mut self, turn: &mut Turn, sight: Sight) -> Result<(), Refusal> {
        self.advance(turn)?;
        let at = turn.now;
        self.commit(turn, Record::Anchored(Anchor { at, sight }))
    }

    /// Whether it was noted no longer ago than that what the clocks outside show.
    pub fn is_anchored_since(&self, now: TaskTime, time: Duration) -> bool {
        self.outline.anchor.is_some_and(|anchor| now.since(anchor.at) < time)
    }

    /// An orderly end: the next life takes tasks again, and knows for how long nobody was here.
    pub fn rest(&mut self, turn: &mut Turn, sight: Sight) -> Result<(), Refusal> {
        self.drain(turn, false)?;
        self.anchor(turn, sight)
    }

    /// That nothing could be written until now, and what the clocks outside show, as it would be written; without a change
    /// yet.
    pub fn going_on(&self, now: TaskTime, sight: Sight) -> Result<Vec<Vec<u8>>, CodecError> {
        let at = now.max(self.outline.now);
        let resumed = Record::Resumed {
            at,
            away_millis: away_millis(at, self.outline.now),
        };
        Ok(vec![
            codec::encode(&resumed)?,
            codec::encode(&Record::Anchored(Anchor { at, sight }))?,
        ])
    }

    /// What time it is when the clocks outside show `now`, before anything is asked of tasks that were rebuilt.
    pub fn time_of(&self, now: &Sight) -> TaskTime {
        let told = self.outline.anchor.map(|anchor| anchor.time_of(now));
        told.unwrap_or_default().max(self.outline.now)
    }

    /// For how long nothing was asked of it, and nothing looked at.
    pub fn left_for(&self, now: TaskTime) -> Duration {
        now.since(self.outline.now)
    }

    /// Nobody was there until now. Leases and attempts go on as if there had been no such time; deadlines and waits do
    /// not.
    pub fn resume(&mut self, turn: &mut Turn) -> Result<Duration, Refusal> {
        self.resume_since(turn, self.outline.now)
    }

    /// The same where somebody would have been there until then had there been anything to do.
    pub(crate) fn resume_since(&mut self, turn: &mut Turn, last: TaskTime) -> Result<Duration, Refusal> {
        let (at, last) = (turn.now.max(self.outline.now), last.max(self.outline.now));
        let away = at.since(last);
        let away_millis = away_millis(at, last);
        self.commit(turn, Record::Resumed { at, away_millis })?;
        self.advance(turn)?;
        Ok(away)
    }

    /// The late results that are kept, oldest first.
    pub fn late(&self) -> impl ExactSizeIterator<Item = &LateResult> {
        self.late.iter().map(Arc::as_ref)
    }
}

fn away_millis(now: TaskTime, last: TaskTime) -> u64 {
    now.as_millis().saturating_sub(last.as_millis())
}
