//! Questions: a message that carries the way back.

use std::cell::Cell;
use std::fmt;
use std::sync::Arc;
use std::task::{Context, Poll, Waker};

use serde::Serialize;

use crate::sync::{AtomicBool, AtomicU8, Mutex, Ordering, lock};

/// Why an answer never came.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, thiserror::Error)]
#[serde(rename_all = "snake_case")]
#[repr(u8)]
pub enum NoAnswer {
    /// The mailbox was full and its overflow policy turned the question away.
    #[error("its mailbox is full; ask later, or give it a larger capacity")]
    Full = 16,
    /// The mailbox is closed: the agent is no longer part of the tree.
    #[error("it is no longer part of the tree; look its address up again")]
    Closed,
    /// The question was void before the agent came to it.
    #[error("the question was void before the agent came to it; allow more time, or ask less")]
    Expired,
    /// The agent failed while it had the question in hand.
    #[error("it failed with the question in hand; see why, then ask again")]
    Crashed,
    /// The question crashed the agent too often and was set aside.
    #[error("the question crashed it too often and was set aside as poison; see the dead letters")]
    Poison,
    /// The agent dropped the reply without using it.
    #[error("it handled the question and answered nothing; the handler has to use the reply")]
    Unanswered,
    /// No answer within the time the asker allowed.
    #[error("no answer came in time; allow more time, or see what it is doing")]
    Timeout,
}

const WAITING: u8 = 0;
const ANSWERED: u8 = 1;
/// The reply was dropped unused while a handler had it in hand; how that handler ends says what it means.
const DROPPED: u8 = 2;
const ABANDONED: u8 = 3;

const FAILURES: [NoAnswer; 7] = [
    NoAnswer::Full,
    NoAnswer::Closed,
    NoAnswer::Expired,
    NoAnswer::Crashed,
    NoAnswer::Poison,
    NoAnswer::Unanswered,
    NoAnswer::Timeout,
];

fn failure(state: u8) -> Option<NoAnswer> {
    FAILURES.into_iter().find(|failure| *failure as u8 == state)
}

thread_local! {
    /// Whether this thread drops an agent that failed, and with it the replies it had kept for later.
    static FAILING: Cell<bool> = const { Cell::new(false) };
}

/// Drops what a failed agent held: who waits for a reply among it learns that it failed.
pub(crate) fn drop_failed<T>(held: T) {
    struct Restore(bool);
    impl Drop for Restore {
        fn drop(&mut self) {
            FAILING.set(self.0);
        }
    }
    let _restore = Restore(FAILING.replace(true));
    drop(held);
}

/// What asker, question and reply share, whatever the type of the answer.
#[derive(Debug, Default)]
pub(crate) struct Gate {
    state: AtomicU8,
    in_hand: AtomicBool,
    waker: Mutex<Option<Waker>>,
}

impl Gate {
    fn settle(&self, state: u8) -> bool {
        let settled = self.change(WAITING, state) || (state >= NoAnswer::Full as u8 && self.change(DROPPED, state));
        if settled && state != ABANDONED {
            let waker = lock(&self.waker).take();
            if let Some(waker) = waker {
                waker.wake();
            }
        }
        settled
    }

    fn change(&self, from: u8, to: u8) -> bool {
        self.state
            .compare_exchange(from, to, Ordering::SeqCst, Ordering::SeqCst)
            .is_ok()
    }

    /// Settles the question as failed; the first to settle wins.
    pub(crate) fn fail(&self, why: NoAnswer) -> bool {
        self.settle(why as u8)
    }

    fn reply_dropped(&self) {
        if self.change(WAITING, DROPPED) && !self.in_hand.load(Ordering::SeqCst) {
            self.fail(if FAILING.get() {
                NoAnswer::Crashed
            } else {
                NoAnswer::Unanswered
            });
        }
    }
}

/// The part of a question that lies in the queue beside the message.
#[derive(Debug)]
pub(crate) struct Ticket(Arc<Gate>);

impl Ticket {
    /// Whether somebody still waits for the answer.
    pub(crate) fn is_wanted(&self) -> bool {
        self.0.state.load(Ordering::SeqCst) == WAITING
    }

    pub(crate) fn fail(&self, why: NoAnswer) {
        self.0.fail(why);
    }

    /// A handler begins.
    pub(crate) fn begin(&self) {
        self.0.in_hand.store(true, Ordering::SeqCst);
    }

    /// The handler ended; if it dropped the reply unused, `why` is what the asker learns.
    pub(crate) fn end(&self, why: NoAnswer) {
        self.0.in_hand.store(false, Ordering::SeqCst);
        if self.0.state.load(Ordering::SeqCst) == DROPPED {
            self.0.fail(why);
        }
    }
}

/// The way back to the asker, for one answer.
///
/// Dropping it unused tells the asker so at once.
pub struct Reply<T> {
    gate: Arc<Gate>,
    answer: Arc<Mutex<Option<T>>>,
}

impl<T> Reply<T> {
    /// Answers. Gives the answer back where nobody waits for it any more.
    pub fn send(self, answer: T) -> Result<(), T> {
        *lock(&self.answer) = Some(answer);
        if self.gate.settle(ANSWERED) {
            return Ok(());
        }
        let unwanted = lock(&self.answer).take();
        unwanted.map_or(Ok(()), Err)
    }

    /// Whether somebody still waits for the answer.
    pub fn is_wanted(&self) -> bool {
        self.gate.state.load(Ordering::SeqCst) == WAITING
    }
}

impl<T> Drop for Reply<T> {
    fn drop(&mut self) {
        self.gate.reply_dropped();
    }
}

impl<T> fmt::Debug for Reply<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Reply").field("is_wanted", &self.is_wanted()).finish()
    }
}

/// The asker's end.
#[derive(Debug)]
pub(crate) struct Answer<T> {
    gate: Arc<Gate>,
    answer: Arc<Mutex<Option<T>>>,
}

impl<T> Answer<T> {
    pub(crate) fn gate(&self) -> &Arc<Gate> {
        &self.gate
    }

    pub(crate) fn poll(&self, cx: &Context<'_>) -> Poll<Result<T, NoAnswer>> {
        if let Some(settled) = self.settled() {
            return Poll::Ready(settled);
        }
        *lock(&self.gate.waker) = Some(cx.waker().clone());
        self.settled().map_or(Poll::Pending, Poll::Ready)
    }

    fn settled(&self) -> Option<Result<T, NoAnswer>> {
        match self.gate.state.load(Ordering::SeqCst) {
            ANSWERED => {
                let answer = lock(&self.answer).take();
                Some(answer.ok_or(NoAnswer::Unanswered))
            }
            state => failure(state).map(Err),
        }
    }
}

impl<T> Drop for Answer<T> {
    fn drop(&mut self) {
        self.gate.settle(ABANDONED);
    }
}

/// The three ends of a question.
pub(crate) fn question<T>() -> (Reply<T>, Ticket, Answer<T>) {
    let (gate, answer) = (Arc::new(Gate::default()), Arc::new(Mutex::new(None)));
    let reply = Reply {
        gate: Arc::clone(&gate),
        answer: Arc::clone(&answer),
    };
    (reply, Ticket(Arc::clone(&gate)), Answer { gate, answer })
}

#[cfg(all(test, not(shuttle)))]
mod tests {
    use super::*;

    fn poll<T>(answer: &Answer<T>) -> Poll<Result<T, NoAnswer>> {
        answer.poll(&Context::from_waker(futures_util::task::noop_waker_ref()))
    }

    #[test]
    fn an_answer_reaches_the_asker() {
        let (reply, _ticket, answer) = question();
        assert_eq!(poll(&answer), Poll::Pending);
        assert_eq!(reply.send(7), Ok(()));
        assert_eq!(poll(&answer), Poll::Ready(Ok(7)));
    }

    #[test]
    fn an_answer_nobody_waits_for_comes_back() {
        let (reply, ticket, answer) = question();
        drop(answer);
        assert!(!reply.is_wanted() && !ticket.is_wanted());
        assert_eq!(reply.send(7), Err(7));
    }

    #[test]
    fn a_dropped_reply_tells_the_asker_what_the_handlers_end_means() {
        for why in [NoAnswer::Unanswered, NoAnswer::Crashed] {
            let (reply, ticket, answer) = question::<()>();
            ticket.begin();
            drop(reply);
            assert_eq!(poll(&answer), Poll::Pending, "the handler has not ended");
            ticket.end(why);
            assert_eq!(poll(&answer), Poll::Ready(Err(why)));
        }
    }

    #[test]
    fn a_reply_dropped_outside_a_handler_says_so_at_once() {
        let (reply, ticket, answer) = question::<()>();
        ticket.begin();
        ticket.end(NoAnswer::Unanswered);
        assert_eq!(poll(&answer), Poll::Pending, "the reply was kept for later");
        drop(reply);
        assert_eq!(poll(&answer), Poll::Ready(Err(NoAnswer::Unanswered)));
    }

    #[test]
    fn who_settles_first_wins() {
        let (reply, ticket, answer) = question();
        ticket.fail(NoAnswer::Timeout);
        ticket.fail(NoAnswer::Closed);
        assert_eq!(reply.send(1), Err(1));
        assert_eq!(poll(&answer), Poll::Ready(Err(NoAnswer::Timeout)));
    }

    #[test]
    fn each_failure_is_read_back_as_itself() {
        for why in FAILURES {
            assert_eq!(failure(why as u8), Some(why));
        }
        assert!(
            [WAITING, ANSWERED, DROPPED, ABANDONED]
                .into_iter()
                .all(|state| failure(state).is_none())
        );
    }
}
