//! What is written of tasks before it is acknowledged. All chance and every decision is in a record, so that whoever
//! reads the records comes to the same state.

use std::time::Duration;

use serde::{Deserialize, Serialize};

use crate::bytes::Bytes;
use crate::task::{Affinity, Priority, Retry};
use crate::time::{Anchor, TaskTime, millis};
use crate::words::{Capability, Fence, Key, Kind, Tag, TaskId, Worker};

/// One change. The order of the variants is part of the format: new ones are added at the end.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(crate) enum Record {
    Submitted {
        at: TaskTime,
        tasks: Vec<Entrant>,
    },
    Claimed {
        at: TaskTime,
        task: TaskId,
        fence: Fence,
        worker: Worker,
        until: TaskTime,
    },
    Began {
        at: TaskTime,
        task: TaskId,
    },
    Prolonged {
        at: TaskTime,
        task: TaskId,
        until: TaskTime,
        percent: Option<u8>,
    },
    Done {
        at: TaskTime,
        task: TaskId,
        result: Bytes,
    },
    Failed {
        at: TaskTime,
        task: TaskId,
        why: Box<str>,
        then: Then,
    },
    Lapsed {
        at: TaskTime,
        task: TaskId,
        then: Then,
    },
    Returned {
        at: TaskTime,
        task: TaskId,
    },
    Cancelled {
        at: TaskTime,
        task: TaskId,
        why: Box<str>,
    },
    Expired {
        at: TaskTime,
        task: TaskId,
    },
    Missed {
        at: TaskTime,
        task: TaskId,
    },
    Retried {
        at: TaskTime,
        task: TaskId,
    },
    Dropped {
        at: TaskTime,
        task: TaskId,
    },
    Late(LateResult),
    Draining {
        at: TaskTime,
        on: bool,
    },
    Anchored(Anchor),
    Resumed {
        at: TaskTime,
        away_millis: u64,
    },
    /// From version 2 on: in records of version 1 it was written nowhere that tasks were shed.
    Shed {
        at: TaskTime,
        tasks: Vec<TaskId>,
    },
    /// As `Lapsed`, where it is known why.
    Left {
        at: TaskTime,
        task: TaskId,
        why: Box<str>,
        then: Then,
    },
    /// As `Left`, where the worker fell.
    Fell {
        at: TaskTime,
        task: TaskId,
        why: Box<str>,
        then: Then,
    },
    /// It was done in time, and its result waits for room.
    InTime {
        at: TaskTime,
        task: TaskId,
    },
}

impl Record {
    /// When it happened.
    pub(crate) fn at(&self) -> TaskTime {
        match self {
            Self::Submitted { at, .. }
            | Self::Claimed { at, .. }
            | Self::Began { at, .. }
            | Self::Prolonged { at, .. }
            | Self::Done { at, .. }
            | Self::Failed { at, .. }
            | Self::Lapsed { at, .. }
            | Self::Returned { at, .. }
            | Self::Cancelled { at, .. }
            | Self::Expired { at, .. }
            | Self::Missed { at, .. }
            | Self::Retried { at, .. }
            | Self::Dropped { at, .. }
            | Self::Draining { at, .. }
            | Self::Resumed { at, .. }
            | Self::Shed { at, .. }
            | Self::Left { at, .. }
            | Self::Fell { at, .. }
            | Self::InTime { at, .. } => *at,
            Self::Late(late) => late.at,
            Self::Anchored(anchor) => anchor.at,
        }
    }
}

/// What follows the end of an attempt that did not succeed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) enum Then {
    /// It is tried again, not before then.
    Again(TaskTime),
    /// It failed.
    Failed,
    /// It is dead.
    Dead,
}

/// A task as it is written once: with its times and prerequisites resolved.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(crate) struct Entrant {
    pub(crate) kind: Kind,
    pub(crate) body: Bytes,
    pub(crate) priority: Priority,
    pub(crate) deadline: TaskTime,
    pub(crate) cancel_when_missed: bool,
    pub(crate) not_before: TaskTime,
    pub(crate) tries: Tries,
    pub(crate) needs: Box<[Capability]>,
    pub(crate) more: Option<Box<More>>,
}

/// How a task is tried, in few bytes: waits in milliseconds, 0 for no timeout.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Tries {
    pub(crate) timeout: u32,
    pub(crate) first: u32,
    pub(crate) longest: u32,
    pub(crate) retries: u16,
    pub(crate) jitter_percent: u8,
}

impl Tries {
    /// How long an attempt may take.
    pub(crate) fn timeout(&self) -> Option<Duration> {
        (self.timeout > 0).then(|| Duration::from_millis(self.timeout.into()))
    }

    pub(crate) fn of(retry: &Retry, timeout: u32) -> Self {
        let short = |wait| u32::try_from(millis(wait)).unwrap_or(u32::MAX);
        Self {
            timeout,
            first: short(retry.first),
            longest: short(retry.longest),
            retries: retry.retries,
            jitter_percent: retry.jitter_percent.min(100),
        }
    }
}

/// What most tasks do not have.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub(crate) struct More {
    pub(crate) after: Box<[TaskId]>,
    pub(crate) affinity: Option<Box<Affinity>>,
    pub(crate) key: Option<Key>,
    pub(crate) labels: Box<[(Tag, Tag)]>,
    pub(crate) budget: Option<u64>,
    pub(crate) parent: Option<TaskId>,
    /// How its last attempts went, oldest first; none in a new one.
    pub(crate) past: Vec<Attempt>,
}

/// An attempt that ended without success.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Attempt {
    /// By whom.
    pub worker: Worker,
    /// Under which lease.
    pub fence: Fence,
    /// When it was claimed.
    pub claimed: TaskTime,
    /// When it ended.
    pub ended: TaskTime,
    /// How it ended.
    pub why: Box<str>,
}

/// What a worker said of a task after its lease had ended.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct LateResult {
    /// When it came.
    pub at: TaskTime,
    /// Of which task.
    pub task: TaskId,
    /// Under which lease.
    pub fence: Fence,
    /// Whether the worker was done with it.
    pub is_done: bool,
    /// The result, or why it failed; its beginning where it is long.
    pub text: Box<[u8]>,
}
