//! One incarnation: from its first message to its end.

use std::future::{Future, poll_fn};
use std::panic::AssertUnwindSafe;
use std::pin::{Pin, pin};
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::task::{Poll, Waker};
use std::time::Duration;

use futures_util::FutureExt;

use super::context::Context;
use super::current::Working;
use super::{Agent, OnError};
use crate::ask::{NoAnswer, Ticket};
use crate::clock::Moment;
use crate::dead_letter::DeadReason;
use crate::mailbox::{Again, Hold, Mailbox, Parcel, Take};
use crate::message::Message;
use crate::panics;
use crate::reason::{ExitReason, Failure};
use crate::tree::{KILL, NOTICE, Node, OBSERVE, Observation, PAUSE, Phase, STOP};

/// After this many messages in a row the agent gives way to others on its thread.
const BATCH: u32 = 256;

/// How often a busy agent looks at its timers, in messages.
const TIMER_CHECK: u32 = 16;

/// What a child specification says about the handling of messages.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Handling {
    pub(crate) on_error: OnError,
    pub(crate) budget: Option<Duration>,
}

/// An incarnation that runs. Whatever ends it, its drop hands the mailbox on and tells why it ended.
pub(crate) struct Life<A: Agent> {
    agent: Option<A>,
    ctx: Context<A>,
    mailbox: Arc<Mailbox<A::Message>>,
    hold: Option<Box<Hold<A::Message>>>,
    handling: Handling,
    hand: Hand<A::Message>,
    handled: u64,
    waker: Option<Waker>,
    reason: Option<ExitReason>,
}

/// What is known of the message being handled, beside the message itself.
struct Hand<M> {
    is_full: bool,
    ticket: Option<Ticket>,
    copy: Option<Again<M>>,
}

/// Why the incarnation ends, if it does.
type Ended = Option<ExitReason>;

impl<A: Agent> Life<A> {
    pub(super) fn new(agent: A, ctx: Context<A>, handling: Handling) -> Self {
        let mailbox = Arc::clone(&ctx.mailbox);
        let handled = mailbox.node.handled.load(Ordering::Relaxed);
        let hand = Hand { is_full: false, ticket: None, copy: None };
        Self { agent: Some(agent), ctx, mailbox, hold: None, handling, hand, handled, waker: None, reason: None }
    }

    /// Lives until something ends it, and returns what did.
    pub(super) async fn live(mut self: Box<Self>) -> ExitReason {
        let Some(hold) = self.mailbox.sit_down() else {
            return self.depart(ExitReason::Error(Failure::new("another incarnation still reads the mailbox")));
        };
        self.hold = Some(hold);
        let mut node = Some(Arc::clone(&self.mailbox.node));
        let reason = match watched(&mut node, self.serve()).await {
            Ok(reason) => reason,
            Err(panic) => return self.depart(panic),
        };
        self.empty_hand(&reason);
        self.release(false);
        self.mailbox.node.enter(Phase::Stopping, self.ctx.incarnation, None, Moment::now());
        if let Some(agent) = &mut self.agent
            && let Err(panic) = watched(&mut node, agent.stop(&reason, &mut self.ctx)).await
        {
            return self.depart(panic);
        }
        self.depart(reason)
    }

    fn depart(mut self: Box<Self>, reason: ExitReason) -> ExitReason {
        self.reason = Some(reason.clone());
        drop(self);
        reason
    }

    /// Serves control, timers and messages until one of them ends the incarnation.
    async fn serve(&mut self) -> ExitReason {
        let mut streak = 0;
        let mut ended = self.ctx.ends.take();
        while ended.is_none() {
            if self.mailbox.node.flags() != 0 {
                ended = self.attend().await;
            }
            if ended.is_none() && streak % TIMER_CHECK == 0 {
                ended = self.fire_timers().await;
            }
            if ended.is_none() {
                ended = self.serve_next(&mut streak).await;
            }
            streak += 1;
            if streak >= BATCH {
                streak = 0;
                tokio::task::yield_now().await;
            }
        }
        ended.unwrap_or(ExitReason::Shutdown)
    }

    async fn serve_next(&mut self, streak: &mut u32) -> Ended {
        let hold = self.hold.as_mut()?;
        if let Some(again) = hold.again.take() {
            return self.handle_again(again).await;
        }
        match self.mailbox.queue.take(&mut hold.notes) {
            Take::Next(parcel) => self.handle_parcel(parcel).await,
            Take::Soon => {
                tokio::task::yield_now().await;
                None
            }
            Take::Empty => {
                *streak = BATCH;
                self.rest().await
            }
        }
    }

    // ---- control ----

    /// Does what the node's flags ask for.
    async fn attend(&mut self) -> Ended {
        let node = Arc::clone(&self.mailbox.node);
        if node.has_flag(KILL) {
            // ractor serves the signal when this task is polled next.
            tokio::task::yield_now().await;
        }
        if node.has_flag(STOP) {
            return Some(ExitReason::Shutdown);
        }
        if node.lower(OBSERVE) {
            node.set_view(self.agent.as_ref().and_then(A::state));
        }
        if node.lower(NOTICE) {
            while let Some(message) = self.mailbox.take_notice() {
                if let Some(end) = self.handle(message, None, None).await {
                    return Some(end);
                }
            }
        }
        if node.has_flag(PAUSE) {
            self.release(true);
            self.wait(false).await;
        }
        None
    }

    fn release(&mut self, look_ahead: bool) {
        if let Some(hold) = &mut self.hold {
            self.mailbox.queue.release(&mut hold.notes);
            if look_ahead {
                self.mailbox.queue.look_ahead(&mut hold.notes);
            }
        }
    }

    async fn fire_timers(&mut self) -> Ended {
        self.ctx.timers.next()?;
        let now = Moment::now();
        while let Some(message) = self.ctx.timers.due(now) {
            if let Some(end) = self.handle(message, None, None).await {
                return Some(end);
            }
        }
        None
    }

    /// Nothing waits: tells the agent, and waits until something does.
    async fn rest(&mut self) -> Ended {
        if let Some(agent) = &mut self.agent {
            let idled = agent.idle(&mut self.ctx).await;
            if let Some(end) = self.after(idled) {
                return Some(end);
            }
        }
        let hold = self.hold.as_mut()?;
        if self.mailbox.queue.rest(&mut hold.notes) {
            self.wait(true).await;
        }
        None
    }

    /// Waits for a flag, a timer or, where `for_messages`, a message.
    async fn wait(&mut self, for_messages: bool) {
        let flags = if for_messages { 0 } else { PAUSE };
        let next = if for_messages { self.ctx.timers.next() } else { None };
        let mut sleep = next.map(|next| Box::pin(tokio::time::sleep_until(next.instant())));
        let (mailbox, answering) = (&self.mailbox, &mut self.waker);
        poll_fn(|cx| {
            if !answering.as_ref().is_some_and(|waker| waker.will_wake(cx.waker())) {
                mailbox.queue.bell.answer_with(cx.waker());
                *answering = Some(cx.waker().clone());
            }
            let is_called = mailbox.node.flags() != flags || (for_messages && !mailbox.queue.is_idle());
            if is_called || sleep.as_mut().is_some_and(|sleep| sleep.as_mut().poll(cx).is_ready()) {
                return Poll::Ready(());
            }
            Poll::Pending
        })
        .await;
    }

    // ---- messages ----

    async fn handle_again(&mut self, Again { message, until, attempts }: Again<A::Message>) -> Ended {
        if until.is_some_and(|until| Moment::now() > until) {
            self.mailbox.dead_letter(Some(message), DeadReason::Expired, None);
            return None;
        }
        let copy = copy_of(&message, until, attempts);
        self.handle(message, None, copy).await
    }

    async fn handle_parcel(&mut self, parcel: Parcel<A::Message>) -> Ended {
        self.mailbox.queue.note_oldest(parcel.stamp());
        let (message, until, ticket) = match parcel {
            Parcel::Until { until, .. } if Moment::now() > until => {
                self.mailbox.discard(parcel, DeadReason::Expired, None);
                return None;
            }
            Parcel::Ask { ref ticket, .. } if !ticket.is_wanted() => {
                self.mailbox.discard(parcel, DeadReason::Expired, None);
                return None;
            }
            Parcel::Plain { message, .. } => (message, None, None),
            Parcel::Until { message, until, .. } => (message, Some(until), None),
            Parcel::Ask { ticket, message, .. } => {
                ticket.begin();
                (message, None, Some(ticket))
            }
            // The queue unpacks them.
            Parcel::Many { .. } => return None,
        };
        let copy = copy_of(&message, until, 0);
        self.handle(message, ticket, copy).await
    }

    async fn handle(&mut self, message: A::Message, ticket: Option<Ticket>, copy: Option<Again<A::Message>>) -> Ended {
        let (Some(agent), Some(hold)) = (&mut self.agent, &mut self.hold) else { return Some(ExitReason::Shutdown) };
        self.hand = Hand { is_full: true, ticket, copy };
        let is_budgeted = self.handling.budget.is_some();
        if is_budgeted {
            self.mailbox.node.handling_since.store(Moment::now().as_nanos(), Ordering::Relaxed);
        }
        let handled = {
            let mut handling = pin!(agent.handle(message, &mut self.ctx));
            match poll_once(handling.as_mut()).await {
                Poll::Ready(handled) => handled,
                Poll::Pending => {
                    self.mailbox.queue.release(&mut hold.notes);
                    handling.await
                }
            }
        };
        if is_budgeted {
            self.mailbox.node.handling_since.store(0, Ordering::Relaxed);
        }
        self.handled += 1;
        self.mailbox.node.handled.store(self.handled, Ordering::Relaxed);
        self.after(handled)
    }

    /// What the return of a callback means.
    fn after(&mut self, returned: Result<(), Failure>) -> Ended {
        if let Err(failure) = returned {
            return self.failed(failure);
        }
        if self.hand.is_full {
            self.hand.is_full = false;
            if let Some(ticket) = self.hand.ticket.take() {
                ticket.end(NoAnswer::Unanswered);
            }
        }
        self.ctx.ends.take()
    }

    fn failed(&mut self, failure: Failure) -> Ended {
        self.mailbox.node.failed.fetch_add(1, Ordering::Relaxed);
        let reason = ExitReason::Error(failure);
        if self.handling.on_error == OnError::Fail {
            return Some(reason);
        }
        self.hand.copy = None;
        self.empty_hand(&reason);
        if let ExitReason::Error(failure) = reason {
            self.ctx.shared.observe(&self.mailbox.node, Observation::Resumed {
                agent: self.mailbox.node.path(),
                incarnation: self.ctx.incarnation,
                failure,
            });
        }
        self.ctx.ends.take()
    }

    /// Decides what becomes of the message in hand when its handler did not return well.
    fn empty_hand(&mut self, reason: &ExitReason) {
        if !std::mem::take(&mut self.hand.is_full) {
            return;
        }
        if let Some(ticket) = self.hand.ticket.take() {
            ticket.end(NoAnswer::Crashed);
        }
        match (self.hand.copy.take(), &mut self.hold) {
            (Some(copy), Some(hold)) if copy.attempts < A::Message::REDELIVERIES => {
                hold.again = Some(Again { attempts: copy.attempts + 1, ..copy });
            }
            (Some(Again { message, .. }), _) => self.mailbox.dead_letter(Some(message), DeadReason::Poison, Some(reason)),
            (None, _) => self.mailbox.dead_letter(None, DeadReason::Crashed, Some(reason)),
        }
    }
}

impl<A: Agent> Drop for Life<A> {
    fn drop(&mut self) {
        let node = Arc::clone(&self.mailbox.node);
        let reason = self.reason.take().unwrap_or_else(|| ExitReason::Killed(node.kill_cause()));
        self.empty_hand(&reason);
        let agent = self.agent.take();
        // An agent whose own drop panics has failed already; nothing else may fail with it.
        let _dropped = std::panic::catch_unwind(AssertUnwindSafe(|| drop(agent)));
        if let Some(hold) = self.hold.take() {
            self.mailbox.stand_up(hold);
        }
        node.handling_since.store(0, Ordering::Relaxed);
        node.ended(self.ctx.incarnation, reason, Moment::now());
    }
}

fn copy_of<M: Message>(message: &M, until: Option<Moment>, attempts: u32) -> Option<Again<M>> {
    if M::REDELIVERIES == 0 {
        return None;
    }
    message.again().map(|message| Again { message, until, attempts })
}

async fn poll_once<F: Future>(mut future: Pin<&mut F>) -> Poll<F::Output> {
    poll_fn(|cx| Poll::Ready(future.as_mut().poll(cx))).await
}

/// Runs a callback in the name of `node` and catches its panic.
pub(super) async fn watched<T>(node: &mut Option<Arc<Node>>, callback: impl Future<Output = T>) -> Result<T, ExitReason> {
    let mut callback = pin!(AssertUnwindSafe(callback).catch_unwind());
    let outcome = poll_fn(|cx| {
        let _working = Working::enter(node);
        callback.as_mut().poll(cx)
    })
    .await;
    outcome.map_err(|payload| ExitReason::Panic(panics::report(&*payload)))
}
