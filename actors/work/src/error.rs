//! What can go wrong with tasks.

use std::time::Duration;

use triarch_supervision::metrics::InstrumentError;

use crate::codec::CodecError;
use crate::task::State;
use crate::words::{Fence, TaskId};

/// Why the room cannot be built.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// A setting that cannot be followed.
    #[error("the setting {setting} leaves no room for any task; raise it, or leave it out")]
    NoRoom {
        /// Which.
        setting: &'static str,
    },
    /// What it counts is not in the catalogue.
    #[error(transparent)]
    Instruments(#[from] InstrumentError),
}

/// Why what was asked of a task is not done.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum Refusal {
    /// No more tasks are taken.
    #[error("tasks are being drained, so none is taken; end the drain, or wait for the next start")]
    Draining,
    /// There are as many open tasks as may be, or as large ones.
    #[error("{open} tasks with {bytes} bytes are open, and {more} more are too many; wait until some are done")]
    Full {
        /// How many are open.
        open: usize,
        /// How many bytes their bodies have.
        bytes: usize,
        /// How many were to come.
        more: usize,
    },
    /// A batch that is too much to be written as one.
    #[error("what was submitted has {bytes} bytes, more than can be written as one; submit it in parts")]
    TooLarge {
        /// How many bytes it takes on disk.
        bytes: usize,
    },
    /// A task that cannot be taken as it is.
    #[error("the task at place {place} has {problem}; {remedy}")]
    Unfit {
        /// Its place in the batch, from 0.
        place: usize,
        /// What is wrong.
        problem: String,
        /// What to do.
        remedy: &'static str,
    },
    /// Tasks wait for each other in a circle.
    #[error("these tasks would wait for each other for ever: {}; leave one of them out", .cycle.join(" → "))]
    Cycle {
        /// Each of them by key or place, the first one again at the end.
        cycle: Vec<String>,
    },
    /// Nobody knows the task.
    #[error("there is no task {task}, or it is kept no more; list those there are")]
    NoSuchTask {
        /// Which.
        task: TaskId,
    },
    /// The lease is over.
    #[error("lease {fence} of task {task} is over, and the task is {}; what was done is kept as a late result, drop it", .state.label())]
    Stale {
        /// Which task.
        task: TaskId,
        /// Which lease.
        fence: Fence,
        /// Where the task stands.
        state: State,
    },
    /// No lease has that number yet.
    #[error("task {task} was never claimed under lease {fence}; show the number that its claim gave")]
    NeverClaimed {
        /// Which task.
        task: TaskId,
        /// Which lease.
        fence: Fence,
    },
    /// The task stands where this cannot be done.
    #[error("task {task} is {}, and {remedy}", .state.label())]
    WrongState {
        /// Which task.
        task: TaskId,
        /// Where it stands.
        state: State,
        /// What can be done.
        remedy: &'static str,
    },
    /// A lease of no length.
    #[error("a lease of {lease:?} cannot be; ask for 10 ms to 24 h")]
    Lease {
        /// What was asked for.
        lease: Duration,
    },
    /// What is to be written cannot be.
    #[error(transparent)]
    Codec(#[from] CodecError),
    /// Records that contradict each other.
    #[error(transparent)]
    Misfit(#[from] Misfit),
}

/// A record that does not fit the tasks there are.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error(
    "a record says that task {task} {what}, which cannot be where it is {found}; restore the journal from a backup"
)]
pub struct Misfit {
    /// Which task.
    pub task: TaskId,
    /// What the record says.
    pub what: &'static str,
    /// Where the task stands.
    pub found: &'static str,
}

/// Why tasks cannot be built from what was written.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum ReplayError {
    /// Bytes that are no record.
    #[error(transparent)]
    Codec(#[from] CodecError),
    /// A record that does not fit.
    #[error(transparent)]
    Misfit(#[from] Misfit),
}
