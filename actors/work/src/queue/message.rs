//! What the queue is sent.

use std::sync::Arc;
use std::time::Duration;

use triarch_supervision::prelude::*;

use super::award::Award;
use super::machine::{Filter, Mend, Overview, View};
use crate::error::TaskError;
use crate::record::LateResult;
use crate::task::{Accepted, Submission};
use crate::words::{Capability, Fence, TaskId, Worker};

pub(super) type Answer<T> = Reply<Result<T, TaskError>>;

/// What a queue is asked for; sent by a [`TaskAddress`](crate::TaskAddress).
#[derive(Debug)]
pub struct Order(pub(super) Wanted);

#[derive(Debug)]
pub(super) enum Wanted {
    Submit(Vec<Submission>, Answer<Vec<Accepted>>),
    Claim(Request, Answer<Award>),
    Tell(TaskId, Fence, Word, Answer<()>),
    Abandon(Worker, Answer<usize>),
    Cancel(TaskId, String, Answer<()>),
    Retry(TaskId, Answer<()>),
    Drop(TaskId, Answer<()>),
    Drain(bool, Answer<Overview>),
    Read(Question),
    /// The claims with which a worker waits are to have these ranks.
    Rank(Worker, Vec<u64>),
    /// Something is due, or the queue is to look whether it can write again.
    Look,
}

/// What is asked of tasks without changing them.
#[derive(Debug)]
pub(super) enum Question {
    Show(TaskId, Answer<View>),
    List(Filter, usize, Answer<Vec<View>>),
    Overview(Answer<Overview>),
    Late(Answer<Vec<LateResult>>),
    Wait(TaskId, Answer<View>),
}

impl Message for Order {}

/// What a worker asks for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Request {
    /// Who it is.
    pub worker: Worker,
    /// What it is able to do.
    pub able: Vec<Capability>,
    /// The most tasks it takes.
    pub most: usize,
    /// For how long it claims them; as configured where nothing is said.
    pub lease: Option<Duration>,
    /// Whether it waits until there is a task for it.
    pub waits: bool,
    /// Where it stands among those of its team who wait too; in the order in which they came where nothing is said.
    pub rank: Option<Rank>,
}

/// Which of those of a team who wait for a task that they are able to do is served first. What a team gets beside others does
/// not depend on it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Rank {
    /// Of which team.
    pub team: Arc<str>,
    /// Whoever has the lowest is served first, and of several whoever came first.
    pub place: u64,
}

/// What a worker says of a task that it has.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Word {
    /// It has begun.
    Began,
    /// It is alive, and as far as this, in hundredths.
    Alive {
        /// For how much longer it claims the task; as configured where nothing is said.
        lease: Option<Duration>,
        /// How far it is.
        percent: Option<u8>,
    },
    /// It is done.
    Done {
        /// With this result.
        result: Vec<u8>,
    },
    /// It could not do it.
    Failed {
        /// Why.
        why: String,
        /// Whether another attempt may mend it.
        mend: Mend,
    },
    /// It gives the task back as it took it.
    GivenBack,
    /// It left the task that it had in hand: as if its lease had lapsed.
    Abandoned {
        /// How that was.
        why: String,
    },
    /// It fell with the task in hand, which may be why: as if its lease had lapsed, and the task is dead sooner.
    Fell {
        /// How it ended.
        why: String,
    },
}
