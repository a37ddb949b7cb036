//! A task as the machine keeps it.

use std::sync::Arc;

use serde::{Deserialize, Serialize};

use crate::bytes::Bytes;
use crate::record::{Attempt, Entrant, More, Tries};
use crate::task::{Affinity, Priority, State};
use crate::time::TaskTime;
use crate::words::{Capability, Fence, Key, Kind, Tag, TaskId, Worker};

use super::written::Written;

/// What is said of an attempt that was none: nobody began, and nothing is counted.
const RETURNED: &str = "it was given back";
/// So many ended attempts of a task are remembered.
const PAST_MAX: usize = 8;
/// What an ended task counts beside its result while somebody waits for that.
const INPUT_BYTES: usize = 384;
/// A result of so many bytes is taken in any case.
pub(super) const SHORT: usize = 128;
/// What is set aside for a result that somebody waits for and that is still to come.
pub(super) const RESERVE: usize = INPUT_BYTES + SHORT;

/// What is said of a task beside what every task has, in bytes: all of it counts, or a task of few bytes would take much room.
pub(super) fn bytes_said<'a>(body: usize, after: usize, texts: impl Iterator<Item = &'a str>) -> usize {
    let texts = texts.map(|text| size_of::<Tag>() + text.len());
    body + after * size_of::<TaskId>() + texts.sum::<usize>()
}

/// What tasks of one sort need; shared by all of them.
pub(super) type Needs = Arc<[Capability]>;

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(super) struct Kept {
    pub(super) kind: Kind,
    pub(super) body: Bytes,
    pub(super) needs: Needs,
    pub(super) more: Option<Box<More>>,
    pub(super) condition: Condition,
    pub(super) submitted: TaskTime,
    pub(super) deadline: TaskTime,
    pub(super) tries: Tries,
    pub(super) attempts: u32,
    pub(super) failures: u16,
    pub(super) losses: Losses,
    pub(super) priority: Priority,
    pub(super) cancel_when_missed: bool,
    pub(super) is_missed: bool,
}

/// How often a task was lost. Written as one number, which is that of its lapses where no agent fell: so it was before those were
/// counted.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(from = "u32", into = "u32")]
pub(super) struct Losses {
    pub(super) lapses: u16,
    /// How often an agent fell with it in hand; each of them is a lapse too.
    pub(super) deaths: u16,
}

impl From<u32> for Losses {
    fn from(written: u32) -> Self {
        let [a, b, c, d] = written.to_le_bytes();
        Self {
            lapses: u16::from_le_bytes([a, b]),
            deaths: u16::from_le_bytes([c, d]),
        }
    }
}

impl From<Losses> for u32 {
    fn from(losses: Losses) -> Self {
        Self::from(losses.deaths) << 16 | Self::from(losses.lapses)
    }
}

/// Where a task stands, with what must be remembered for it.
#[derive(Clone, Debug, PartialEq, Deserialize)]
#[serde(from = "Written<Box<End>, Box<Lease>>")]
pub(super) enum Condition {
    /// It waits for so many tasks, and then until its time.
    Blocked { unmet: u32, until: TaskTime },
    /// It waits for its time.
    Waiting { until: TaskTime },
    /// It may be claimed; for now by the worker it is for alone, where it is reserved.
    Ready { since: TaskTime, is_reserved: bool },
    /// A worker has it.
    Held(Box<Lease>),
    /// Nothing more happens to it by itself.
    Ended(Box<End>),
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(super) struct Lease {
    pub(super) fence: Fence,
    pub(super) worker: Worker,
    pub(super) claimed: TaskTime,
    /// Since when it had been ready: where nobody begins, it has that place again.
    pub(super) since: TaskTime,
    /// When it ends where no heartbeat comes.
    pub(super) until: TaskTime,
    /// When the attempt has taken too long, heartbeats or not; never before it has begun.
    pub(super) gives_up: TaskTime,
    pub(super) began: Option<TaskTime>,
    pub(super) percent: Option<u8>,
}

impl Lease {
    /// When somebody has to look at it.
    pub(super) fn due(&self) -> TaskTime {
        self.until.min(self.gives_up)
    }
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(super) struct End {
    pub(super) state: State,
    pub(super) at: TaskTime,
    /// Under which lease it ended, where a worker ended it.
    pub(super) fence: Option<Fence>,
    pub(super) result: Bytes,
    /// Why it ended; of one that is done, which needs no reason, who did it.
    pub(super) why: Box<str>,
    /// So many tasks still want its result.
    pub(super) pins: u32,
}

impl End {
    /// What it takes while somebody waits for its result.
    pub(super) fn input_bytes(&self) -> usize {
        input_bytes(self.result.len())
    }
}

pub(super) const fn input_bytes(result: usize) -> usize {
    INPUT_BYTES + result
}

/// What an open task counts, whatever its condition.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct Stake {
    pub(super) bytes: usize,
    /// When somebody has to look at it because of its deadline.
    pub(super) deadline: Option<TaskTime>,
}

impl Kept {
    pub(super) fn of(new: Entrant, at: TaskTime, needs: Needs) -> Self {
        let unmet = new.more.as_ref().map_or(0, |more| more.after.len());
        Self {
            kind: new.kind,
            body: new.body,
            needs,
            more: new.more,
            condition: Condition::Blocked {
                unmet: u32::try_from(unmet).unwrap_or(u32::MAX),
                until: new.not_before,
            },
            submitted: at,
            deadline: new.deadline,
            tries: new.tries,
            attempts: 0,
            failures: 0,
            losses: Losses::default(),
            priority: new.priority,
            cancel_when_missed: new.cancel_when_missed,
            is_missed: false,
        }
    }

    pub(super) fn state(&self) -> State {
        match &self.condition {
            Condition::Blocked { .. } | Condition::Waiting { .. } => State::Blocked,
            Condition::Ready { .. } => State::Ready,
            Condition::Held(lease) if lease.began.is_some() => State::Running,
            Condition::Held(_) => State::Claimed,
            Condition::Ended(end) => end.state,
        }
    }

    pub(super) fn lease(&self) -> Option<&Lease> {
        match &self.condition {
            Condition::Held(lease) => Some(lease),
            _ => None,
        }
    }

    pub(super) fn end(&self) -> Option<&End> {
        match &self.condition {
            Condition::Ended(end) => Some(end),
            _ => None,
        }
    }

    pub(super) fn is_open(&self) -> bool {
        self.end().is_none()
    }

    pub(super) fn after(&self) -> &[TaskId] {
        self.more.as_ref().map_or(&[], |more| &more.after)
    }

    pub(super) fn affinity(&self) -> Option<&Affinity> {
        self.more.as_ref()?.affinity.as_deref()
    }

    /// Whether its prerequisites' results are still wanted.
    pub(super) fn wants_inputs(&self) -> bool {
        !self.state().is_end() || self.state().is_retryable()
    }

    /// What it counts for as long as it is open.
    pub(super) fn stake(&self) -> Option<Stake> {
        self.is_open().then(|| Stake {
            bytes: self.bytes_said(),
            deadline: (self.deadline.comes() && !self.is_missed).then_some(self.deadline),
        })
    }

    /// What counts of it as long as it is open.
    pub(super) fn bytes_said(&self) -> usize {
        let more = self.more.as_deref();
        let labels = more.into_iter().flat_map(|more| &more.labels);
        let labels = labels.flat_map(|(name, value)| [name.as_str(), value.as_str()]);
        let key = more.and_then(|more| more.key.as_ref()).map(Key::as_str);
        let worker = self.affinity().map(|affinity| affinity.worker.as_str());
        bytes_said(self.body.len(), self.after().len(), labels.chain(key).chain(worker))
    }

    /// The bytes it is kept by once it has ended. Of its attempts no more are told then.
    pub(super) fn bytes(&self) -> usize {
        let end = self.end().map_or(0, |end| end.result.len() + end.why.len());
        let past = self.more.as_deref().into_iter().flat_map(|more| &more.past);
        let past = past.map(|attempt| size_of::<Attempt>() + attempt.worker.as_str().len() + attempt.why.len());
        size_of::<Self>() + size_of::<End>() + self.bytes_said() + end + past.sum::<usize>()
    }

    /// What it becomes once nothing stands before it but its time.
    pub(super) fn ready_at(&self, time: TaskTime, now: TaskTime) -> Condition {
        if time > now {
            Condition::Waiting { until: time }
        } else {
            self.ready_since(now)
        }
    }

    pub(super) fn ready_since(&self, since: TaskTime) -> Condition {
        let is_reserved = self.affinity().is_some();
        Condition::Ready { since, is_reserved }
    }

    /// What it becomes where it was claimed, and nobody began: it is as it would be had nobody claimed it.
    pub(super) fn ready_again(&self, since: TaskTime, now: TaskTime) -> Condition {
        let opens = |affinity: &Affinity| affinity.hold.map_or(TaskTime::NEVER, |hold| since + hold);
        let is_reserved = self.affinity().is_some_and(|affinity| opens(affinity) > now);
        Condition::Ready { since, is_reserved }
    }

    /// When it was given back, where it was since it was last tried.
    pub(super) fn returned_at(&self) -> Option<TaskTime> {
        let last = self.more.as_ref().and_then(|more| more.past.last());
        last.filter(|last| was_returned(last)).map(|last| last.ended)
    }

    /// Its last attempts that did not succeed, oldest first.
    pub(super) fn past(&self) -> impl Iterator<Item = &Attempt> {
        let past = self.more.as_ref().map_or(&[][..], |more| &more.past);
        past.iter().filter(|attempt| !was_returned(attempt))
    }

    /// Whether it may have been claimed under that lease. Of its earliest attempts, and of one that was called off in the first
    /// version, nobody knows any more.
    pub(super) fn may_have_been_under(&self, fence: Fence) -> bool {
        let past = self.more.as_ref().map_or(&[][..], |more| &more.past);
        let is_forgotten = past.len() >= PAST_MAX && past.first().is_some_and(|oldest| fence < oldest.fence);
        let is_told = past.iter().any(|attempt| attempt.fence == fence);
        let is_last = match &self.condition {
            Condition::Held(lease) => lease.fence == fence,
            Condition::Ended(end) => end
                .fence
                .map_or_else(|| past.len() < self.attempts as usize, |last| last == fence),
            _ => false,
        };
        is_last || is_told || is_forgotten
    }

    /// Who has it, or had it when it ended, as far as that is known.
    pub(super) fn worker(&self) -> Option<Worker> {
        let end = match &self.condition {
            Condition::Held(lease) => return Some(lease.worker.clone()),
            Condition::Ended(end) => end,
            _ => return None,
        };
        if end.state == State::Done {
            return Worker::new(&*end.why).ok();
        }
        let last = self.more.as_ref()?.past.last()?;
        (Some(last.fence) == end.fence).then(|| last.worker.clone())
    }

    /// The attempt in hand as one that ended.
    pub(super) fn remember_attempt(&mut self, ended: TaskTime, why: &str) {
        let Condition::Held(lease) = &self.condition else {
            return;
        };
        let attempt = Attempt {
            worker: lease.worker.clone(),
            fence: lease.fence,
            claimed: lease.claimed,
            ended,
            why: why.into(),
        };
        let past = &mut self.more.get_or_insert_default().past;
        if past.len() >= PAST_MAX {
            past.remove(past.iter().position(was_returned).unwrap_or(0));
        }
        past.push(attempt);
    }

    /// The attempt in hand was none: only its lease is remembered, as what is said under it is late.
    pub(super) fn remember_return(&mut self, at: TaskTime) {
        self.remember_attempt(at, RETURNED);
        self.attempts = self.attempts.saturating_sub(1);
    }
}

fn was_returned(attempt: &Attempt) -> bool {
    &*attempt.why == RETURNED
}
