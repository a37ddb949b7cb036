//! What an incarnation does between messages: its flags, its rest, its waits.

use std::future::{Future, poll_fn};
use std::pin::pin;
use std::task::Poll;
use std::time::Duration;

use super::{Life, NO_LAST, Next, Streak};
use crate::agent::Agent;
use crate::agent::current::Attending;
use crate::reason::{ExitReason, Failure, KillCause};
use crate::tree::{KILL, NOTICE, OBSERVE, PAUSE, STOP};

impl<A: Agent> Life<A> {
    /// Does what the node's flags ask for.
    pub(super) fn obey(&mut self, streak: &mut Streak) -> Option<Next> {
        let node = &self.mailbox.node;
        if node.has_flag(KILL) {
            // ractor serves the signal when this task is polled next.
            return Some(Next::GiveWay);
        }
        if node.has_flag(STOP) {
            return Some(self.last_before_stop(streak));
        }
        if node.lower(OBSERVE) {
            node.set_view(self.agent.as_ref().and_then(A::state));
        }
        if node.has_flag(PAUSE) {
            let hold = self.hold.as_mut()?;
            self.mailbox.queue.release(&hold.notes);
            self.mailbox.queue.look_ahead(&mut hold.notes);
            self.mailbox.node.has_nothing_in_hand();
            return Some(Next::Pause);
        }
        let message = streak.may_take_own().then(|| self.news()).flatten()?;
        Some(self.begin_own(streak, message))
    }

    /// What comes before its stop, where anything does: what lay there when it was asked to. One that is paused handles nothing.
    fn last_before_stop(&mut self, streak: &mut Streak) -> Next {
        if !A::EMPTIES_ITS_MAILBOX || self.ctx.has_ended || self.mailbox.node.has_flag(PAUSE) {
            return Next::Stop;
        }
        if self.last == NO_LAST {
            self.last = self.mailbox.queue.admitted();
        }
        let last = self.last;
        let Some(hold) = &self.hold else { return Next::Stop };
        if hold.again.is_none() && self.mailbox.queue.gone_by(&hold.notes) >= last {
            return Next::Stop;
        }
        match self.next_message(streak) {
            Next::Rest => Next::Stop,
            next => next,
        }
    }

    /// What it is to be told of others.
    pub(super) fn news(&self) -> Option<A::Message> {
        let node = &self.mailbox.node;
        let message = node.lower(NOTICE).then(|| self.mailbox.take_notice()).flatten()?;
        // There may be more: look again afterwards.
        node.raise(NOTICE);
        Some(message)
    }

    /// Begins with a message that the agent itself has asked for.
    pub(super) fn begin_own(&mut self, streak: &mut Streak, message: A::Message) -> Next {
        streak.took_own();
        self.mailbox.takes_in_own(&message);
        self.hand.is_own = true;
        self.begin(message)
    }

    /// How long its `stop` may take where nobody asked it to end; else its supervisor sees to that.
    pub(super) fn stop_limit(&self) -> Option<Duration> {
        let is_asked = self.mailbox.node.has_flag(STOP);
        self.stop_within.time().filter(|_| !is_asked)
    }

    /// Tells senders of the room that handled messages have left.
    pub(super) fn release(&mut self) {
        if let Some(hold) = &mut self.hold {
            self.mailbox.queue.release(&hold.notes);
        }
    }

    /// Nothing waits: tells the agent, and waits until something does.
    pub(super) async fn rest(&mut self, streak: &mut Streak) -> Option<ExitReason> {
        // It may take its time over being idle.
        self.release();
        self.mailbox.node.has_nothing_in_hand();
        if let Some(agent) = &mut self.agent {
            let idled = agent.idle(&mut self.ctx).await;
            if let Err(failure) = idled
                && let Some(end) = self.failed(failure)
            {
                return Some(end);
            }
        }
        let hold = self.hold.as_mut()?;
        if !self.ctx.has_ended && self.mailbox.queue.rest(&mut hold.notes) {
            return self.wait(true, streak).await;
        }
        None
    }

    /// Lets others run first. What the agent attends to gets a turn too, or a stream of messages would keep it away.
    pub(super) async fn give_way(&mut self) -> Option<ExitReason> {
        tokio::task::yield_now().await;
        let agent = self.agent.as_mut()?;
        let attended = {
            let mut attending = pin!(agent.attend(&mut self.ctx));
            poll_fn(|cx| {
                let _attends = Attending::enter();
                Poll::Ready(attending.as_mut().poll(cx))
            })
            .await
        };
        self.attended(attended)
    }

    fn attended(&mut self, attended: Poll<Result<(), Failure>>) -> Option<ExitReason> {
        match attended {
            Poll::Ready(Err(failure)) => self.failed(failure),
            Poll::Ready(Ok(())) | Poll::Pending => None,
        }
    }

    /// Waits for a flag, a timer or, where `for_messages`, a message. Meanwhile the agent attends to what else it has.
    pub(super) async fn wait(&mut self, for_messages: bool, streak: &mut Streak) -> Option<ExitReason> {
        // What the agent is told of others waits with its messages.
        let (flags, ignored) = if for_messages { (0, 0) } else { (PAUSE, NOTICE) };
        let next = if for_messages { self.ctx.next_timer() } else { None };
        let mut sleep = next.map(|next| Box::pin(tokio::time::sleep_until(next.instant())));
        let (mailbox, answering) = (&self.mailbox, &mut self.waker);
        let mut has_waited = false;
        let agent = self.agent.as_mut()?;
        let attended = {
            let mut attending = pin!(agent.attend(&mut self.ctx));
            poll_fn(|cx| {
                if !answering.as_ref().is_some_and(|waker| waker.will_wake(cx.waker())) {
                    mailbox.queue.bell.answer_with(cx.waker());
                    *answering = Some(cx.waker().clone());
                }
                let is_called = mailbox.node.flags() & !ignored != flags || (for_messages && !mailbox.queue.is_idle());
                if is_called || sleep.as_mut().is_some_and(|sleep| sleep.as_mut().poll(cx).is_ready()) {
                    return Poll::Ready(Poll::Pending);
                }
                let _attends = Attending::enter();
                let attended = attending.as_mut().poll(cx);
                has_waited |= attended.is_pending();
                attended.map(Poll::Ready)
            })
            .await
        };
        if attended.is_ready() {
            // One that has something to do at each look must not keep its thread for ever.
            tokio::task::coop::consume_budget().await;
        }
        if has_waited {
            *streak = Streak::default();
        }
        self.attended(attended)
    }
}

/// Waits for a `stop` as long as it may take; one that takes longer ends there, as by a kill.
pub(super) async fn in_time(limit: Option<Duration>, stop: impl Future<Output = ()>) -> Result<(), ExitReason> {
    let mut stop = pin!(stop);
    // Most have nothing to wait for, and need no timer.
    if poll_fn(|cx| Poll::Ready(stop.as_mut().poll(cx).is_ready())).await {
        return Ok(());
    }
    let Some(limit) = limit else {
        stop.await;
        return Ok(());
    };
    let stopped = tokio::time::timeout(limit, stop).await;
    stopped.map_err(|_| ExitReason::Killed(KillCause::Overdue))
}
