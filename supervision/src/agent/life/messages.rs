//! What an incarnation does with one message, and what becomes of it when its handler fails.

use std::future::{Future, poll_fn};
use std::pin::{Pin, pin};
use std::sync::atomic::Ordering;
use std::task::Poll;

use super::{Life, Next};
use crate::agent::{Agent, OnError};
use crate::ask::NoAnswer;
use crate::clock::Moment;
use crate::dead_letter::DeadReason;
use crate::mailbox::{Again, Parcel};
use crate::message::Message;
use crate::reason::{ExitReason, Failure};
use crate::tree::Observation;

impl<A: Agent> Life<A> {
    /// Opens a parcel; `None` where its message is not to be handled any more.
    #[inline]
    pub(super) fn open(&mut self, parcel: Parcel<A::Message>) -> Option<Next> {
        self.mailbox
            .node
            .in_hand
            .store(parcel.stamp().as_mark(), Ordering::Relaxed);
        let (message, until) = match parcel {
            Parcel::Plain { message, .. } => (message, None),
            Parcel::Until { until, .. } if Moment::now() > until => {
                self.mailbox.discard(parcel, DeadReason::Expired, None);
                return None;
            }
            Parcel::Ask { ref ticket, .. } if !ticket.is_wanted() => {
                self.mailbox.discard(parcel, DeadReason::Expired, None);
                return None;
            }
            Parcel::Until { message, until, .. } => (message, Some(until)),
            Parcel::Ask { ticket, message, .. } => {
                ticket.begin();
                self.hand.ticket = Some(ticket);
                (message, None)
            }
            // The queue unpacks them.
            Parcel::Many { .. } => return None,
        };
        self.hand.copy = copy_of(&message, until, 0);
        Some(self.begin(message))
    }

    pub(super) fn open_again(
        &mut self,
        Again {
            message,
            until,
            attempts,
        }: Again<A::Message>,
    ) -> Option<Next> {
        if until.is_some_and(|until| Moment::now() > until) {
            self.mailbox.dead_letter(Some(message), DeadReason::Expired, None);
            return None;
        }
        self.hand.copy = copy_of(&message, until, attempts);
        Some(self.begin(message))
    }

    #[inline]
    pub(super) fn begin(&mut self, message: A::Message) -> Next {
        self.hand.is_full = true;
        if self.has_budget {
            self.mailbox
                .node
                .handling_since
                .store(Moment::now().as_nanos(), Ordering::Relaxed);
        }
        self.hand.message = Some(message);
        Next::Handle
    }

    pub(super) async fn handle(&mut self) -> Option<ExitReason> {
        let (Some(agent), Some(hold)) = (&mut self.agent, &mut self.hold) else {
            return Some(ExitReason::Shutdown);
        };
        let message = self.hand.message.take()?;
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
        if let Some(since) = self.hand.since.take() {
            self.mailbox.node.meters().handled(Moment::now().since(since));
        }
        self.handled += 1;
        self.mailbox.node.handled.store(self.handled, Ordering::Relaxed);
        if self.has_budget {
            self.mailbox.node.handling_since.store(0, Ordering::Relaxed);
        }
        if let Err(failure) = handled {
            return self.failed(failure);
        }
        self.hand.is_full = false;
        if let Some(ticket) = self.hand.ticket.take() {
            ticket.end(NoAnswer::Unanswered);
        }
        None
    }

    /// What the failure of a callback means.
    pub(super) fn failed(&mut self, failure: Failure) -> Option<ExitReason> {
        self.mailbox.node.failed.fetch_add(1, Ordering::Relaxed);
        let reason = ExitReason::Error(failure);
        if self.on_error == OnError::Fail {
            return Some(reason);
        }
        self.hand.copy = None;
        self.empty_hand(&reason);
        if let ExitReason::Error(failure) = reason {
            let (agent, incarnation) = (self.mailbox.node.path(), self.ctx.incarnation);
            let resumed = Observation::Resumed {
                agent,
                incarnation,
                failure,
            };
            self.ctx.shared.observe(&self.mailbox.node, resumed);
        }
        None
    }

    /// Decides what becomes of the message in hand when its handler did not return well.
    pub(super) fn empty_hand(&mut self, reason: &ExitReason) {
        if !std::mem::take(&mut self.hand.is_full) {
            return;
        }
        if let Some(ticket) = self.hand.ticket.take() {
            ticket.end(NoAnswer::Crashed);
        }
        match (self.hand.copy.take(), &mut self.hold) {
            (Some(mut copy), Some(hold)) if copy.attempts < A::Message::REDELIVERIES => {
                copy.attempts += 1;
                hold.again = Some(copy);
            }
            (Some(copy), _) => {
                let message = copy.message;
                self.mailbox
                    .dead_letter(Some(message), DeadReason::Poison, Some(reason));
            }
            (None, _) => self.mailbox.dead_letter(None, DeadReason::Crashed, Some(reason)),
        }
    }
}

fn copy_of<M: Message>(message: &M, until: Option<Moment>, attempts: u32) -> Option<Box<Again<M>>> {
    if M::REDELIVERIES == 0 {
        return None;
    }
    message.again().map(|message| {
        Box::new(Again {
            message,
            until,
            attempts,
        })
    })
}

async fn poll_once<F: Future>(mut future: Pin<&mut F>) -> Poll<F::Output> {
    poll_fn(|cx| Poll::Ready(future.as_mut().poll(cx))).await
}
