//! What a command brings, and what it leaves.

use std::time::Duration;

use triarch_supervision::clock::Seeded;

use crate::task::{Priority, State};
use crate::time::TaskTime;
use crate::words::{Fence, Kind, TaskId, Worker};

/// The surroundings of one or more commands.
#[derive(Debug)]
pub struct Turn {
    /// What time it is.
    pub now: TaskTime,
    /// For the jitter of waits.
    pub chance: Seeded,
    /// What is to be written, in this order, before anything is acknowledged; also where a command was refused.
    pub records: Vec<Vec<u8>>,
    /// What has happened, in this order.
    pub events: Vec<Event>,
    /// Whether what is too much of what ended goes only once the caller says so.
    pub(super) sheds_later: bool,
}

impl Turn {
    /// At `now`, with nothing written yet.
    pub const fn new(now: TaskTime, chance: Seeded) -> Self {
        Self {
            now,
            chance,
            records: Vec::new(),
            events: Vec::new(),
            sheds_later: false,
        }
    }

    /// What ended can be looked at until the caller has it shed.
    #[must_use]
    pub(crate) const fn shedding_later(mut self) -> Self {
        self.sheds_later = true;
        self
    }
}

/// What has happened to a task.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Event {
    /// It was submitted.
    Submitted {
        /// Which.
        task: TaskId,
        /// Its kind.
        kind: Kind,
        /// Its priority.
        priority: Priority,
    },
    /// It may be claimed.
    Ready {
        /// Which.
        task: TaskId,
    },
    /// It was claimed.
    Claimed {
        /// Which.
        task: TaskId,
        /// Its kind.
        kind: Kind,
        /// For how long it was ready, or since it was given back.
        waited: Duration,
        /// Whether it was tried before; where it was given back since, that was told.
        is_again: bool,
    },
    /// A worker has begun.
    Began {
        /// Which.
        task: TaskId,
    },
    /// An attempt was lost: its lease ended without a word of the worker, or the worker left it or fell.
    Lapsed {
        /// Which.
        task: TaskId,
        /// Its kind.
        kind: Kind,
    },
    /// An attempt failed.
    Failed {
        /// Which.
        task: TaskId,
        /// Its kind.
        kind: Kind,
    },
    /// A worker that has it is to stop: nothing it says of this attempt counts any more.
    Revoked {
        /// Which.
        task: TaskId,
        /// The lease that is over.
        fence: Fence,
        /// Who had it.
        worker: Worker,
    },
    /// Its deadline passed.
    Missed {
        /// Which.
        task: TaskId,
        /// Its kind.
        kind: Kind,
    },
    /// It ended.
    Ended {
        /// Which.
        task: TaskId,
        /// Its kind.
        kind: Kind,
        /// As what.
        state: State,
        /// How long ago the attempt began that was in hand, or was claimed where nobody had begun.
        took: Option<Duration>,
    },
    /// Something was said of it after its lease was over.
    Late {
        /// Which.
        task: TaskId,
    },
    /// Whether tasks are taken has changed.
    Draining {
        /// Whether none is taken any more.
        on: bool,
    },
    /// Tasks are being drained, and none is open any more.
    Drained,
}
