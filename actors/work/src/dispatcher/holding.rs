//! A task in the hands of an agent, and an agent that takes tasks.

use std::sync::Arc;
use std::time::Duration;

use triarch_supervision::clock::Moment;
use triarch_teams::TaskRules;

use super::ahead::Ahead;
use super::ranking::Ranking;
use crate::dispatch::{self, Service};
use crate::queue::{Rank, Word};
use crate::task::Claim;
use crate::words::{Capability, Fence, TaskId, Worker};

/// What is to be done.
#[derive(Debug, PartialEq)]
pub(super) enum Effect {
    /// Claim up to so many tasks for a worker.
    Ask {
        worker: Worker,
        able: Arc<[Capability]>,
        most: usize,
        rank: Option<Rank>,
        /// Whether it is said where there is nothing for it yet: then it has some of what others have not begun.
        tries: bool,
    },
    /// Give these ranks to the claims with which a worker waits.
    Rank { worker: Worker, places: Vec<u64> },
    /// Let a worker wait no more for tasks that it has asked for.
    Withdraw(Worker),
    /// Send a worker the task.
    Hand { worker: Worker, claim: Claim },
    /// Tell the worker that the task under this lease is not its own any more.
    Recall(Fence),
    /// Tell the queue.
    Tell { task: TaskId, fence: Fence, word: Word },
}

/// Where a task stands with the agent that has it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, serde::Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Whereabouts {
    /// It is kept ready for it.
    Ahead,
    /// It lies in its mailbox.
    Handed,
    /// The agent has begun.
    Begun,
    /// The agent is through with it, and the queue has yet to hear so.
    Over,
    /// It is not the agent's any more, which has yet to leave it.
    Recalled,
}

/// A task in the hands of an agent.
#[derive(Clone, Debug, PartialEq, Eq, serde::Serialize)]
pub struct InHand {
    /// Which.
    pub task: TaskId,
    /// Under which lease.
    pub fence: Fence,
    /// Where it stands.
    pub standing: Whereabouts,
}

/// Whether an agent is given tasks, and if not, why.
#[derive(Clone, Copy, Debug, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Taking {
    /// It has room for more, and gets the next that it can do.
    Free,
    /// It has as many as it may have.
    Full,
    /// It is paused, or it does not live at present.
    Away,
    /// A task was lost with it: it is looked for before it gets the next.
    PutOff,
    /// It left a task lying in its mailbox for a minute, and has handled nothing since.
    StandsStill,
    /// It takes tasks no more, and only finishes those that it has.
    Leaving,
}

#[derive(Debug)]
pub(super) enum Step {
    Ahead(Box<Claim>),
    /// How it lies in the mailbox, once somebody has looked.
    Handed(Option<InMailbox>),
    Begun(Moment),
    /// It was recalled where it lies in the mailbox, and lies there still.
    Lying,
    /// It was recalled, and its agent is at it.
    Recalled {
        /// Whether its agent was at it before that; else it came to it later, and for the queue nobody has begun.
        had_begun: bool,
        /// Since when it is recalled, once somebody has looked.
        since: Option<Moment>,
    },
    Over(Word),
}

#[derive(Debug)]
pub(super) struct Holding {
    pub(super) task: TaskId,
    pub(super) worker: Worker,
    pub(super) step: Step,
}

/// One agent that takes tasks.
#[derive(Debug)]
pub(super) struct Hand {
    pub(super) team: Arc<str>,
    /// Where it stands in its team; nowhere once it takes tasks no more, and only has to finish.
    pub(super) place: Option<usize>,
    pub(super) able: Arc<[Capability]>,
    pub(super) rules: TaskRules,
    pub(super) is_here: bool,
    /// Whether it left a task lying in its mailbox for too long, and has handled nothing since.
    pub(super) is_stuck: bool,
    /// Whether that is so though it handles other messages: what it does of these says nothing of its tasks.
    pub(super) is_deaf: bool,
    /// How many tasks its mailbox had room for when it refused one; it gets no more than these, and one more with each look.
    pub(super) fits: Option<usize>,
    pub(super) setbacks: Setbacks,
    pub(super) moved: Option<Moved>,
    pub(super) asking: usize,
    pub(super) busy_with: usize,
    pub(super) ahead: Ahead,
    pub(super) hunger: Hunger,
    pub(super) service: Service,
    pub(super) ranking: Ranking,
}

/// Whether tasks were lost with an agent.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Setbacks {
    /// One of its own was: it gets the next once it was looked for, as one that is away.
    pub(super) is_put_off: bool,
    /// One that it had begun, and that was its own no more, since it began the last: that one may be what it ended at.
    pub(super) is_shaken: bool,
}

/// What is known of an agent that has nothing, and waits.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Hunger {
    /// It is being asked whether there is something for it at once.
    pub(super) is_tried: bool,
    /// It had nothing when it was last looked, and got nothing since.
    pub(super) is_seen: bool,
}

/// What an agent did of its messages, and has yet to do.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Messages {
    /// How many it is through with, well or not.
    pub(super) handled: u64,
    pub(super) waiting: u64,
}

/// A task in a mailbox.
#[derive(Clone, Copy, Debug)]
pub(super) struct InMailbox {
    pub(super) since: Moment,
    /// Once the agent is through with so many messages, none is left that came before it.
    last_before: u64,
    /// When that was first seen to be so.
    passed_over: Option<Moment>,
}

impl InMailbox {
    pub(super) const fn new(now: Moment, messages: Messages) -> Self {
        Self {
            since: now,
            last_before: messages.handled + messages.waiting,
            passed_over: None,
        }
    }

    /// Whether its agent has taken it, has not begun it, and has not for so long.
    pub(super) fn is_passed_over(&mut self, now: Moment, messages: Messages, time: Duration) -> bool {
        if messages.handled < self.last_before {
            return false;
        }
        now.since(*self.passed_over.get_or_insert(now)) >= time
    }

    /// Nobody looked until now.
    pub(super) const fn looked_away(&mut self, now: Moment) {
        (self.since, self.passed_over) = (now, None);
    }
}

/// How an agent got on with its mailbox, as it was last looked at for a task that lay there.
#[derive(Clone, Copy, Debug)]
pub(super) struct Moved {
    /// How many messages it had handled.
    pub(super) handled: u64,
    /// When that was first seen.
    pub(super) at: Moment,
}

/// What a hand asks for and has, in figures.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Tally {
    pub(super) asking: usize,
    pub(super) busy_with: usize,
    pub(super) ahead: usize,
    /// How much of what is ahead others may have too.
    pub(super) open: usize,
    pub(super) has_room: bool,
    /// Whether it has nothing, and waits for something.
    pub(super) starves: bool,
}

impl Tally {
    pub(super) const fn tasks(self) -> usize {
        self.asking + self.busy_with + self.ahead
    }
}

impl Hand {
    pub(super) const fn is_gone(&self) -> bool {
        self.place.is_none()
    }

    /// Whether it is there as far as is known, and need not be looked for first.
    pub(super) const fn is_known_here(&self) -> bool {
        self.is_here && !self.setbacks.is_put_off
    }

    /// Whether it is given tasks at present.
    pub(super) const fn takes(&self) -> bool {
        !self.is_gone() && self.is_known_here() && !self.is_stuck
    }

    /// Whether it has nothing to do.
    pub(super) fn is_idle(&self) -> bool {
        self.busy_with == 0 && self.ahead.is_empty()
    }

    /// How many more it may ask for.
    pub(super) fn room(&self) -> usize {
        if !self.takes() {
            return 0;
        }
        self.unfilled().saturating_sub(self.asking)
    }

    /// How many more it may have than it has.
    fn unfilled(&self) -> usize {
        let most = self.rules.at_once as usize + self.rules.ahead as usize;
        let most = self.fits.map_or(most, |fits| fits.min(most));
        most.saturating_sub(self.busy_with + self.ahead.len())
    }

    pub(super) fn tally(&self) -> Tally {
        Tally {
            asking: self.asking,
            busy_with: self.busy_with,
            ahead: self.ahead.len(),
            open: self.ahead.open(),
            has_room: self.room() > 0,
            starves: self.takes() && self.is_idle() && self.asking > 0,
        }
    }

    pub(super) fn taking(&self) -> Taking {
        match self {
            _ if self.is_gone() => Taking::Leaving,
            _ if !self.is_here => Taking::Away,
            _ if self.is_stuck => Taking::StandsStill,
            _ if self.setbacks.is_put_off => Taking::PutOff,
            _ if self.unfilled() == 0 => Taking::Full,
            _ => Taking::Free,
        }
    }

    pub(super) fn standing(&self) -> dispatch::Standing {
        dispatch::Standing {
            tasks: self.tally().tasks(),
            weight: self.rules.weight,
            abilities: self.able.len(),
            service: self.service,
        }
    }
}
