//! What can go wrong with tasks.

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use triarch_journal::{OpenError, RecoverError, WriteError};
use triarch_supervision::address::AskError;
use triarch_supervision::metrics::InstrumentError;

use crate::codec::CodecError;
use crate::task::State;
use crate::words::{Fence, Key, TaskId};

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
    /// A lease under which nothing could be claimed.
    #[error("a lease of {lease:?} cannot be; set 10 ms to 24 h")]
    Lease {
        /// What is set.
        lease: Duration,
    },
    /// Its journal would refuse a record that may have to be written.
    #[error(
        "the journal of tasks takes records of {asked} bytes at most, and one of tasks may have {least}; raise record_bytes_max of the journal"
    )]
    Records {
        /// What the journal's `record_bytes_max` is.
        asked: usize,
        /// What it has to be at least.
        least: usize,
    },
    /// Its journal cannot be kept.
    #[error(transparent)]
    Journal(#[from] triarch_journal::Error),
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
    /// Results that tasks wait for would take more room than they may.
    #[error(
        "results that tasks wait for may take {most} bytes, and would take {bytes}; hand on where a large one is kept, or try again when some of those tasks are done"
    )]
    Inputs {
        /// How many bytes they would take.
        bytes: usize,
        /// How many they may.
        most: usize,
        /// Whether a worker is at a task that got some of them, which makes room when it ends.
        may_ease: bool,
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
    #[error("these tasks would wait for each other for ever: {}; leave one of them out", circle(.cycle))]
    Cycle {
        /// Each of them, the first one again at the end.
        cycle: Vec<Link>,
    },
    /// Nobody knows the task.
    #[error("there is no task {task}, or it is kept no more; list those there are")]
    NoSuchTask {
        /// Which.
        task: TaskId,
    },
    /// A task that is submitted names another that cannot be what it is to be.
    #[error("the task at place {place}: {refusal}")]
    Names {
        /// At which place of the batch, from 0.
        place: usize,
        /// Why the other cannot.
        refusal: Box<Refusal>,
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

/// How a task is called that is submitted with others.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Link {
    /// By its key.
    Key(Key),
    /// By its place in the batch, from 0.
    Place(usize),
    /// By its line in the file that it comes from.
    Line(usize),
}

impl fmt::Display for Link {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Key(key) => write!(f, "{key}"),
            Self::Place(place) => write!(f, "place {place}"),
            Self::Line(line) => write!(f, "line {line}"),
        }
    }
}

fn circle(cycle: &[Link]) -> String {
    let links: Vec<_> = cycle.iter().map(ToString::to_string).collect();
    links.join(" → ")
}

/// Why a queue does not do what it was asked for.
#[derive(Clone, Debug, thiserror::Error)]
#[non_exhaustive]
pub enum TaskError {
    /// It cannot be done.
    #[error(transparent)]
    Refused(#[from] Refusal),
    /// It is not on disk, so it counts for nothing.
    #[error("it is not acknowledged, since the journal of tasks did not take it")]
    NotWritten(#[from] WriteError),
    /// Nothing is changed for now.
    #[error("tasks are not changed for now, since their journal takes nothing: {why}; free space or mend the disk")]
    Closed {
        /// Why the journal takes nothing.
        why: String,
    },
    /// So many wait already that nobody more may.
    #[error("so many wait for tasks that nobody more may; ask again later without waiting")]
    TooManyWait,
    /// The queue was not reached, or failed with it in hand.
    #[error(transparent)]
    Asked(#[from] AskError),
    /// The journal does not open.
    #[error("the journal of tasks cannot be had")]
    Journal(#[from] RecoverError),
    /// The journal cannot be read.
    #[error("the journal of tasks cannot be read")]
    Unread(#[from] Arc<OpenError>),
    /// What it says is not what tasks can be.
    #[error("the journal of tasks makes no sense")]
    Replay(#[from] ReplayError),
    /// What is to be written cannot be.
    #[error(transparent)]
    Codec(#[from] CodecError),
    /// What read the journal has failed.
    #[error("what read the journal of tasks has failed: {why}; report it")]
    Gone {
        /// In its own words.
        why: String,
    },
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
