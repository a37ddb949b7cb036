//! One incarnation: from its first message to its end.

use std::future::{Future, poll_fn};
use std::panic::AssertUnwindSafe;
use std::pin::pin;
use std::sync::Arc;
use std::task::Waker;
use std::time::Duration;

use futures_util::FutureExt;

use super::context::Context;
use super::current::Working;
use super::shell::{Failed, Stage};
use super::{Agent, OnError};
use crate::ask::{Ticket, drop_failed};
use crate::clock::Moment;
use crate::mailbox::{Again, Hold, Mailbox};
use crate::panics;
use crate::policy::StopLimit;
use crate::reason::{ExitReason, Failure};
use crate::tree::{Node, Phase};

mod control;
mod messages;
mod streak;

use control::in_time;
use streak::Streak;

/// What a child specification says about the handling of messages.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Handling {
    pub(crate) on_error: OnError,
    pub(crate) budget: Option<Duration>,
    pub(crate) stop_within: StopLimit,
}

/// An incarnation that runs. Whatever ends it, its drop hands the mailbox on and tells why it ended.
pub(super) struct Life<A: Agent> {
    agent: Option<A>,
    ctx: Context<A>,
    mailbox: Arc<Mailbox<A::Message>>,
    hold: Option<Box<Hold<A::Message>>>,
    hand: Hand<A::Message>,
    handled: u64,
    /// What its mailbox had taken in when it was asked to stop, where it handles that first; until then none is the last.
    last: u64,
    waker: Option<Waker>,
    has_left: bool,
    on_error: OnError,
    has_budget: bool,
    stop_within: StopLimit,
}

/// More than any mailbox ever takes in.
const NO_LAST: u64 = u64::MAX;

/// The message being handled, until its handler has it, and what is known of it beside.
struct Hand<M> {
    message: Option<M>,
    is_full: bool,
    /// It is one that the agent has asked for, and came by no queue.
    is_own: bool,
    ticket: Option<Ticket>,
    copy: Option<Box<Again<M>>>,
    /// When its handler began, where its times are measured.
    since: Option<Moment>,
}

/// What the incarnation does next. It carries no message: each move of a message through an enum costs as much as
/// handling a small one.
#[derive(Clone, Copy)]
enum Next {
    /// Handle the message in hand.
    Handle,
    /// Nothing waits.
    Rest,
    /// The agent is paused.
    Pause,
    /// Others are to run first.
    GiveWay,
    /// The agent was asked to stop.
    Stop,
    /// It has ended by its own wish.
    End,
}

impl<A: Agent> Life<A> {
    pub(super) fn new(agent: A, ctx: Context<A>, handling: Handling) -> Self {
        let mailbox = Arc::clone(&ctx.mailbox);
        Self {
            agent: Some(agent),
            handled: mailbox.node.handled(),
            hand: Hand {
                message: None,
                is_full: false,
                is_own: false,
                ticket: None,
                copy: None,
                since: None,
            },
            ctx,
            mailbox,
            hold: None,
            last: NO_LAST,
            waker: None,
            has_left: false,
            on_error: handling.on_error,
            has_budget: handling.budget.is_some(),
            stop_within: handling.stop_within,
        }
    }

    /// Lives until something ends it.
    pub(super) async fn live(mut self: Box<Self>) -> Result<Option<Stage>, Failed> {
        let Some(hold) = self.mailbox.sit_down() else {
            return self.depart(ExitReason::Error(Failure::new(
                "another incarnation still reads the mailbox",
            )));
        };
        self.hold = Some(hold);
        let mut node = Some(Arc::clone(&self.mailbox.node));
        let farewell = {
            let served = watched(&mut node, pin!(AssertUnwindSafe(self.serve()).catch_unwind())).await;
            match served {
                Ok(reason) => Box::pin(self.farewell(reason, node)),
                Err(panic) => return self.depart(panic),
            }
        };
        farewell.await
    }

    /// Lets the agent stop.
    async fn farewell(
        mut self: Box<Self>,
        reason: ExitReason,
        mut node: Option<Arc<Node>>,
    ) -> Result<Option<Stage>, Failed> {
        // One look at the clock for the letter and the history: nothing of the agent's own lies between them.
        let now = Moment::now();
        self.empty_hand(&reason, || now);
        self.release();
        let own = &self.mailbox.node;
        // A row that an error cut short has not told how many it handled before.
        own.has_handled(self.handled);
        own.enter(Phase::Stopping, self.ctx.incarnation, None, now);
        let limit = self.stop_limit();
        let Some(agent) = &mut self.agent else {
            return self.depart(reason);
        };
        let stopped = {
            // What `stop` does before there is a future is caught too.
            let stop = async { in_time(limit, agent.stop(&reason, &mut self.ctx)).await };
            watched(&mut node, pin!(AssertUnwindSafe(stop).catch_unwind())).await
        };
        match stopped {
            Ok(Ok(())) => self.depart(reason),
            Ok(Err(overdue)) => self.depart(overdue),
            Err(panic) => self.depart(panic),
        }
    }

    /// Nothing comes after it.
    fn depart(&mut self, reason: ExitReason) -> Result<Option<Stage>, Failed> {
        let is_failure = reason.is_failure();
        self.leave(reason);
        if is_failure { Err(Failed) } else { Ok(None) }
    }

    /// Serves control, timers and messages until one of them ends the incarnation.
    async fn serve(&mut self) -> ExitReason {
        let mut streak = Streak::default();
        loop {
            let ended = match self.next(&mut streak) {
                Next::Handle => self.handle(&mut streak).await,
                Next::Rest => self.rest(&mut streak).await,
                Next::Pause => self.wait(false, &mut streak).await,
                Next::GiveWay => self.give_way().await,
                Next::Stop => Some(ExitReason::Shutdown),
                Next::End => Some(ExitReason::Normal),
            };
            if let Some(reason) = ended {
                return reason;
            }
        }
    }

    /// What comes first: control, then timers, then a message that crashed its handler, then the mailbox.
    #[inline]
    fn next(&mut self, streak: &mut Streak) -> Next {
        let is_due = streak.next_is_due();
        if is_due && streak.is_over(Moment::now) {
            return Next::GiveWay;
        }
        if self.mailbox.node.flags() != 0
            && let Some(next) = self.obey(streak)
        {
            return next;
        }
        if self.ctx.has_ended {
            return Next::End;
        }
        if is_due
            && streak.may_take_own()
            && let Some(message) = self.ctx.timer_due()
        {
            return self.begin_own(streak, message);
        }
        self.next_message(streak)
    }

    #[inline]
    fn next_message(&mut self, streak: &mut Streak) -> Next {
        loop {
            let Some(hold) = &mut self.hold else { return Next::Stop };
            if let Some(again) = hold.again.take() {
                if let Some(next) = self.open_again(*again) {
                    return next;
                }
                continue;
            }
            let Some(parcel) = self.mailbox.queue.take(&mut hold.notes) else {
                if self.last != NO_LAST {
                    return Next::Rest;
                }
                let own = self.news().or_else(|| self.ctx.timer_due());
                return own.map_or(Next::Rest, |message| self.begin_own(streak, message));
            };
            streak.took(1);
            if let Some(queued) = self.mailbox.queue.sampled(&hold.notes) {
                let now = Moment::now();
                self.hand.since = Some(now);
                if let Some(queued) = queued {
                    self.mailbox.node.meters().waited(now.since(queued));
                }
            }
            if let Some(next) = self.open(parcel) {
                return next;
            }
            // No handler begins: the next message may be long in coming.
            self.hand.since = None;
        }
    }
}

impl<A: Agent> Life<A> {
    /// Hands the mailbox on and tells why the incarnation ended; once.
    fn leave(&mut self, reason: ExitReason) {
        if std::mem::replace(&mut self.has_left, true) {
            return;
        }
        self.take_back_batch();
        self.empty_hand(&reason, Moment::now);
        // The messages in its timers are the agent's as much as what it holds itself.
        let agent = (self.agent.take(), self.ctx.take_timers());
        // An agent whose own drop panics has failed already; nothing else may fail with it.
        panics::quietly(|| {
            if reason.is_failure() {
                drop_failed(agent);
            } else {
                drop(agent);
            }
        });
        if let Some(hold) = self.hold.take() {
            self.mailbox.stand_up(hold);
        }
        let node = &self.mailbox.node;
        node.ends_handling();
        node.has_nothing_in_hand();
        node.has_handled(self.handled);
        node.ended(self.ctx.incarnation, reason, Moment::now());
    }
}

impl<A: Agent> Drop for Life<A> {
    fn drop(&mut self) {
        let killed = ExitReason::Killed(self.mailbox.node.kill_cause());
        self.leave(killed);
    }
}

/// Runs a callback in the name of `node`; what it panicked with becomes a reason.
///
/// It is handed over pinned, and this is no async function: one keeps each thing it is given twice.
pub(super) fn watched<T>(
    node: &mut Option<Arc<Node>>,
    mut callback: impl Future<Output = std::thread::Result<T>> + Unpin,
) -> impl Future<Output = Result<T, ExitReason>> {
    poll_fn(move |cx| {
        let _working = Working::enter(node);
        let outcome = callback.poll_unpin(cx);
        outcome.map_err(|payload| ExitReason::Panic(panics::report(payload)))
    })
}
