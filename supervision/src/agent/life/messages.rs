//! What an incarnation does with one message, and what becomes of it when its handler fails.

use std::future::{Future, poll_fn};
use std::pin::pin;

use super::{Life, Next, Streak};
use crate::agent::{Agent, OnError};
use crate::ask::{NoAnswer, Ticket};
use crate::clock::Moment;
use crate::dead_letter::DeadReason;
use crate::mailbox::{Again, Content, Parcel, Plain, Special};
use crate::message::{Declared as _, Message};
use crate::reason::{ExitReason, Failure};
use crate::tree::Observation;

impl<A: Agent> Life<A> {
    /// Opens a parcel; `None` where its message is not to be handled any more.
    #[inline]
    pub(super) fn open(&mut self, parcel: Parcel<A::Message>) -> Option<Next> {
        self.mailbox.node.has_in_hand(parcel.stamp());
        let (message, until) = match parcel {
            Parcel::Plain(Plain { message, .. }) => (message, None),
            Parcel::Special(special) => self.open_special(special)?,
            // The queue unpacks the one and uses up the other.
            Parcel::Many(_) | Parcel::Mark(_) => return None,
        };
        // What follows may go wrong already: it is in hand from here on.
        self.hand.is_full = true;
        self.hand.copy = copy_of(&message, until, 0);
        Some(self.begin(message))
    }

    fn open_special(&mut self, special: Box<Special<A::Message>>) -> Option<(A::Message, Option<Moment>)> {
        let is_void = match &special.content {
            Content::Until(until, _) => Moment::now() > *until,
            Content::Ask(ticket, _) => !ticket.is_wanted(),
            Content::One(_) | Content::Many(_) => false,
        };
        if is_void {
            self.mailbox
                .discard(Parcel::Special(special), DeadReason::Expired, None);
            return None;
        }
        match special.content {
            Content::One(message) => Some((message, None)),
            Content::Until(until, message) => Some((message, Some(until))),
            Content::Ask(ticket, message) => {
                ticket.begin();
                self.hand.ticket = Some(ticket);
                Some((message, None))
            }
            // The queue unpacks them.
            Content::Many(_) => None,
        }
    }

    pub(super) fn open_again(&mut self, again: Again<A::Message>) -> Option<Next> {
        if again.is_void() {
            self.mailbox.discard(again.into_parcel(), DeadReason::Expired, None);
            return None;
        }
        self.hand.ticket = again.ticket.inspect(Ticket::begin);
        self.hand.is_full = true;
        self.hand.copy = copy_of(&again.message, again.until, again.attempts);
        Some(self.begin(again.message))
    }

    #[inline]
    pub(super) fn begin(&mut self, message: A::Message) -> Next {
        self.hand.is_full = true;
        if self.has_budget {
            self.mailbox.node.begins_handling(Moment::now());
        }
        self.hand.message = Some(message);
        Next::Handle
    }

    /// Handles the message in hand, and after it plain ones for as long as nothing else may be due.
    ///
    /// One loop, and one place where a handler is called: each future a message passes through moves it through
    /// memory once more.
    pub(super) async fn handle(&mut self, streak: &mut Streak) -> Option<ExitReason> {
        let most = self.most_in_a_row(streak);
        let mut in_a_row = 0_u32;
        loop {
            // Nothing that holds a message may live on while its handler runs.
            let is_first = in_a_row == 0;
            let Some(message) = self.upcoming(is_first) else {
                // The one that would have been the next has not come.
                in_a_row = in_a_row.saturating_sub(1);
                break;
            };
            let lent_at = self.lend_batch();
            let Some(agent) = &mut self.agent else {
                return Some(ExitReason::Shutdown);
            };
            if let Some(handed) = A::HANDED {
                handed(&message);
            }
            let outcome = {
                let mut handling = pin!(agent.handle(message, &mut self.ctx));
                let (mailbox, handled, hold) = (&self.mailbox, self.handled, &mut self.hold);
                poll_fn(|cx| {
                    let polled = handling.as_mut().poll(cx);
                    match hold {
                        _ if polled.is_ready() => {}
                        Some(hold) => {
                            mailbox.node.has_handled(handled);
                            if !is_first {
                                mailbox.node.has_in_hand(hold.notes.stamp());
                            }
                            mailbox.queue.release(&hold.notes);
                        }
                        // The handler has it, and tells the node of each message that it takes.
                        None => mailbox
                            .queue
                            .release_up_to(lent_at + (mailbox.node.handled() - handled)),
                    }
                    polled
                })
                .await
            };
            in_a_row += self.take_back_batch();
            if let Some(ended) = self.settle(outcome, is_first) {
                return Some(ended);
            }
            if in_a_row >= most {
                break;
            }
            in_a_row += 1;
        }
        self.ran(streak, in_a_row)
    }

    /// Lends the handler the rest of the batch that its message came in, where it is known to take it. Returns how many messages
    /// were taken until then.
    #[inline]
    fn lend_batch(&mut self) -> u64 {
        let takes_it = A::Message::REDELIVERIES == 0 && self.ctx.takes_batches && !self.has_budget;
        let has_come_alone = std::mem::take(&mut self.hand.is_own);
        if !takes_it || has_come_alone {
            return 0;
        }
        let Some(hold) = self.hold.take_if(|hold| hold.notes.is_in_batch()) else {
            return 0;
        };
        self.mailbox.node.has_in_hand(hold.notes.stamp());
        self.mailbox.node.has_handled(self.handled);
        let taken = hold.notes.taken();
        self.ctx.hold = Some(hold);
        taken
    }

    /// Takes back what was lent; returns how many messages were taken of it, each of which says that one before is handled.
    #[inline]
    pub(super) fn take_back_batch(&mut self) -> u32 {
        if let Some(hold) = self.ctx.hold.take() {
            self.hold = Some(hold);
        }
        let taken = std::mem::take(&mut self.ctx.taken);
        self.handled += u64::from(taken);
        taken
    }

    /// What becomes of the message in hand when its handler has returned.
    #[inline]
    fn settle(&mut self, outcome: Result<(), Failure>, is_first: bool) -> Option<ExitReason> {
        if is_first {
            self.settle_first();
        }
        if let Err(failure) = outcome {
            return self.failed(failure);
        }
        self.handled += 1;
        self.hand.is_full = false;
        if A::Message::REDELIVERIES > 0 {
            // It may share the reply, which is to be dropped before it is known what that means.
            self.hand.copy = None;
        }
        if is_first && let Some(ticket) = self.hand.ticket.take() {
            ticket.end(NoAnswer::Unanswered);
        }
        None
    }

    /// Only the first in a row may be measured, or be one that somebody waits for.
    fn settle_first(&mut self) {
        if let Some(since) = self.hand.since.take() {
            self.mailbox.node.meters().handled(Moment::now().since(since));
        }
        if self.has_budget {
            self.mailbox.node.ends_handling();
        }
    }

    /// How many plain messages may be handled before the agent looks at what else there is.
    fn most_in_a_row(&self, streak: &Streak) -> u32 {
        let Some(hold) = &self.hold else { return 0 };
        if A::Message::REDELIVERIES > 0 || self.has_budget || hold.again.is_some() {
            return 0;
        }
        let of_queue = u32::try_from(self.mailbox.queue.plain_run(&hold.notes)).unwrap_or(u32::MAX);
        of_queue.min(streak.until_due())
    }

    #[expect(
        clippy::inline_always,
        reason = "a call would move each message through memory once more"
    )]
    #[inline(always)]
    fn upcoming(&mut self, is_first: bool) -> Option<A::Message> {
        if is_first {
            return self.hand.message.take();
        }
        if self.mailbox.node.flags() != 0 || self.ctx.has_ended {
            return None;
        }
        let message = self.hold.as_mut()?.notes.take_plain()?;
        self.hand.is_full = true;
        Some(message)
    }

    /// Tells what a row of messages came to.
    fn ran(&mut self, streak: &mut Streak, in_a_row: u32) -> Option<ExitReason> {
        self.mailbox.node.has_handled(self.handled);
        if in_a_row > 0 {
            streak.took_row(in_a_row);
            let hold = self.hold.as_mut()?;
            self.mailbox.queue.release_in_steps(&mut hold.notes);
        }
        None
    }

    /// What the failure of a callback means.
    pub(super) fn failed(&mut self, failure: Failure) -> Option<ExitReason> {
        let reason = ExitReason::Error(failure);
        if self.on_error == OnError::Fail {
            return Some(reason);
        }
        self.hand.copy = None;
        self.empty_hand(&reason, Moment::now);
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
    pub(super) fn empty_hand(&mut self, reason: &ExitReason, clock: impl FnOnce() -> Moment) {
        if !std::mem::take(&mut self.hand.is_full) {
            return;
        }
        let ticket = self.hand.ticket.take();
        match (self.hand.copy.take(), &mut self.hold) {
            (Some(mut copy), Some(hold)) if copy.attempts < A::Message::REDELIVERIES => {
                copy.attempts += 1;
                // Where the copy shares the reply, a later life may still answer.
                copy.ticket = ticket.filter(|ticket| {
                    ticket.end(NoAnswer::Crashed);
                    ticket.is_wanted()
                });
                hold.again = Some(copy);
            }
            (Some(copy), _) => {
                let message = copy.message;
                if let Some(ticket) = ticket {
                    ticket.fail(NoAnswer::Poison);
                }
                self.mailbox
                    .dead_letter(Some(message), DeadReason::Poison, Some(reason), clock());
            }
            (None, _) => {
                if let Some(ticket) = ticket {
                    ticket.end(NoAnswer::Crashed);
                }
                self.mailbox
                    .dead_letter(None, DeadReason::Crashed, Some(reason), clock());
            }
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
            ticket: None,
        })
    })
}
