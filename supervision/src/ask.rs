//! Questions: a message that carries the way back.

use std::cell::Cell;
use std::fmt;
use std::sync::Arc;
use std::task::{Context, Poll, Waker};

use serde::Serialize;

use crate::sync::{AtomicU8, Ordering, Spin};
use crate::tree::Awaited;

/// Why an answer never came.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, thiserror::Error)]
#[serde(rename_all = "snake_case")]
#[repr(u8)]
#[non_exhaustive]
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
/// A handler has the question in hand; how it ends says what a reply dropped meanwhile means.
const IN_HAND: u8 = 1;
const DROPPED: u8 = 2;
const ANSWERED: u8 = 3;
const ABANDONED: u8 = 4;

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

/// What asker, question and reply share.
struct Shared<T> {
    state: AtomicU8,
    slot: Spin<Slot<T>>,
}

struct Slot<T> {
    answer: Option<T>,
    asker: Option<Waker>,
}

/// A question, whatever the type of its answer.
pub(crate) trait Gate: Send + Sync {
    fn state(&self) -> &AtomicU8;

    /// Whom to wake when the question is settled.
    fn asker(&self) -> Option<Waker>;
}

impl<T: Send> Gate for Shared<T> {
    fn state(&self) -> &AtomicU8 {
        &self.state
    }

    fn asker(&self) -> Option<Waker> {
        self.slot.lock().asker.take()
    }
}

impl<T: Send> Awaited for Shared<T> {
    /// A reply that its handler has dropped says nothing before that ends.
    fn has_come(&self) -> bool {
        !matches!(self.state.load(Ordering::SeqCst), WAITING | IN_HAND | DROPPED)
    }
}

/// Changes the state to `to` where it is one of `from`.
fn change(state: &AtomicU8, from: &[u8], to: u8) -> bool {
    let change = |found| from.contains(&found).then_some(to);
    state.fetch_update(Ordering::SeqCst, Ordering::SeqCst, change).is_ok()
}

impl dyn Gate {
    /// Settles the question as failed; the first to settle wins.
    pub(crate) fn fail(&self, why: NoAnswer) -> bool {
        let settled = change(self.state(), &[WAITING, IN_HAND, DROPPED], why as u8);
        if settled && let Some(asker) = self.asker() {
            asker.wake();
        }
        settled
    }

    fn is_wanted(&self) -> bool {
        is_wanted(self.state())
    }
}

fn is_wanted(state: &AtomicU8) -> bool {
    matches!(state.load(Ordering::SeqCst), WAITING | IN_HAND)
}

/// The part of a question that lies in the queue beside the message.
pub(crate) struct Ticket(Arc<dyn Gate>);

impl fmt::Debug for Ticket {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Ticket").field("is_wanted", &self.is_wanted()).finish()
    }
}

impl Ticket {
    /// Whether somebody still waits for the answer.
    pub(crate) fn is_wanted(&self) -> bool {
        self.0.is_wanted()
    }

    pub(crate) fn fail(&self, why: NoAnswer) {
        self.0.fail(why);
    }

    /// A handler begins.
    pub(crate) fn begin(&self) {
        change(self.0.state(), &[WAITING], IN_HAND);
    }

    /// The handler ended; if it dropped the reply unused, `why` is what the asker learns.
    pub(crate) fn end(&self, why: NoAnswer) {
        match self.0.state().load(Ordering::SeqCst) {
            IN_HAND if change(self.0.state(), &[IN_HAND], WAITING) => {}
            IN_HAND | DROPPED => {
                self.0.fail(why);
            }
            _ => {}
        }
    }
}

/// The way back to the asker, for one answer.
///
/// One that is dropped unused tells the asker so: inside a handler once that has returned, elsewhere at once.
pub struct Reply<T: Send + 'static>(Arc<Shared<T>>);

impl<T: Send + 'static> Reply<T> {
    /// Answers. An answer nobody waits for any more is dropped.
    pub fn send(self, answer: T) {
        drop(self.try_send(answer));
    }

    /// Answers, and gives the answer back where nobody waits for it any more.
    pub fn try_send(self, answer: T) -> Result<(), T> {
        let mut slot = self.0.slot.lock();
        if !change(&self.0.state, &[WAITING, IN_HAND], ANSWERED) {
            return Err(answer);
        }
        slot.answer = Some(answer);
        let asker = slot.asker.take();
        drop(slot);
        if let Some(asker) = asker {
            asker.wake();
        }
        Ok(())
    }

    /// Whether somebody still waits for the answer.
    pub fn is_wanted(&self) -> bool {
        is_wanted(&self.0.state)
    }
}

impl<T: Send + 'static> Drop for Reply<T> {
    fn drop(&mut self) {
        let state = &self.0.state;
        if state.load(Ordering::SeqCst) == ANSWERED || change(state, &[IN_HAND], DROPPED) {
            return;
        }
        let gate: &dyn Gate = &*self.0;
        gate.fail(if FAILING.get() {
            NoAnswer::Crashed
        } else {
            NoAnswer::Unanswered
        });
    }
}

impl<T: Send + 'static> fmt::Debug for Reply<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Reply").field("is_wanted", &self.is_wanted()).finish()
    }
}

/// The asker's end.
pub(crate) struct Answer<T: Send + 'static>(Arc<Shared<T>>);

impl<T: Send + 'static> Answer<T> {
    pub(crate) fn gate(&self) -> Arc<dyn Gate> {
        Arc::clone(&self.0) as Arc<dyn Gate>
    }

    pub(crate) fn awaited(&self) -> Arc<dyn Awaited> {
        Arc::clone(&self.0) as Arc<dyn Awaited>
    }

    pub(crate) fn poll(&self, cx: &Context<'_>) -> Poll<Result<T, NoAnswer>> {
        if let Some(settled) = self.settled() {
            return Poll::Ready(settled);
        }
        let asker = cx.waker().clone();
        let before = self.0.slot.lock().asker.replace(asker);
        drop(before);
        self.settled().map_or(Poll::Pending, Poll::Ready)
    }

    /// What came of it, where anything did.
    pub(crate) fn settled(&self) -> Option<Result<T, NoAnswer>> {
        match self.0.state.load(Ordering::SeqCst) {
            ANSWERED => {
                let answer = self.0.slot.lock().answer.take();
                Some(answer.ok_or(NoAnswer::Unanswered))
            }
            state => failure(state).map(Err),
        }
    }
}

impl<T: Send + 'static> Drop for Answer<T> {
    fn drop(&mut self) {
        if is_wanted(&self.0.state) {
            change(&self.0.state, &[WAITING, IN_HAND, DROPPED], ABANDONED);
        }
    }
}

/// The three ends of a question.
#[cfg(test)]
pub(crate) fn question<T: Send + 'static>() -> (Reply<T>, Ticket, Answer<T>) {
    question_of(None)
}

/// The three ends of a question of somebody who is woken when it is settled.
pub(crate) fn question_of<T: Send + 'static>(asker: Option<Waker>) -> (Reply<T>, Ticket, Answer<T>) {
    let shared = Arc::new(Shared {
        state: AtomicU8::new(WAITING),
        slot: Spin::new(Slot { answer: None, asker }),
    });
    let gate: Arc<dyn Gate> = Arc::clone(&shared) as Arc<dyn Gate>;
    (Reply(Arc::clone(&shared)), Ticket(gate), Answer(shared))
}

#[cfg(all(test, not(shuttle)))]
mod tests {
    use super::*;

    fn poll<T: Send + 'static>(answer: &Answer<T>) -> Poll<Result<T, NoAnswer>> {
        answer.poll(&Context::from_waker(futures_util::task::noop_waker_ref()))
    }

    #[test]
    fn an_answer_reaches_the_asker() {
        let (reply, _ticket, answer) = question();
        assert_eq!(poll(&answer), Poll::Pending);
        assert_eq!(reply.try_send(7), Ok(()));
        assert_eq!(poll(&answer), Poll::Ready(Ok(7)));
    }

    #[test]
    fn an_answer_nobody_waits_for_comes_back() {
        let (reply, ticket, answer) = question();
        drop(answer);
        assert!(!reply.is_wanted() && !ticket.is_wanted());
        assert_eq!(reply.try_send(7), Err(7));
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
        assert_eq!(reply.try_send(1), Err(1));
        assert_eq!(poll(&answer), Poll::Ready(Err(NoAnswer::Timeout)));
    }

    #[test]
    fn each_failure_is_read_back_as_itself() {
        for why in FAILURES {
            assert_eq!(failure(why as u8), Some(why));
        }
        assert!(
            [WAITING, IN_HAND, ANSWERED, DROPPED, ABANDONED]
                .into_iter()
                .all(|state| failure(state).is_none())
        );
    }

    #[test]
    fn a_reply_that_a_failed_agent_kept_says_that_it_failed_and_one_dropped_later_does_not() {
        let ((kept, _first, failed), (later, _second, unanswered)) = (question::<()>(), question::<()>());
        drop_failed(kept);
        drop(later);
        assert_eq!(poll(&failed), Poll::Ready(Err(NoAnswer::Crashed)));
        assert_eq!(poll(&unanswered), Poll::Ready(Err(NoAnswer::Unanswered)));
    }

    #[test]
    fn an_answer_has_come_before_the_asker_takes_it_and_a_reply_dropped_in_a_handler_only_when_that_ends() {
        let (reply, ticket, answer) = question::<()>();
        ticket.begin();
        assert!(!answer.awaited().has_come());
        drop(reply);
        assert!(!answer.awaited().has_come());
        ticket.end(NoAnswer::Unanswered);
        assert!(answer.awaited().has_come());
        let (reply, _ticket, answer) = question::<()>();
        reply.send(());
        assert!(answer.awaited().has_come());
    }

    #[test]
    fn whoever_waits_is_woken_when_the_question_fails() {
        struct Woken(std::sync::atomic::AtomicBool);
        impl std::task::Wake for Woken {
            fn wake(self: Arc<Self>) {
                self.0.store(true, Ordering::Relaxed);
            }
        }
        let (_reply, ticket, answer) = question::<()>();
        let woken = Arc::new(Woken(false.into()));
        assert_eq!(
            answer.poll(&Context::from_waker(&Arc::clone(&woken).into())),
            Poll::Pending
        );
        ticket.fail(NoAnswer::Full);
        assert!(woken.0.load(Ordering::Relaxed));
    }

    #[test]
    fn a_question_is_wanted_until_it_is_settled_and_its_ends_say_so() {
        let (reply, ticket, _answer) = question::<()>();
        for wanted in [true, false] {
            assert_eq!((reply.is_wanted(), ticket.is_wanted()), (wanted, wanted));
            assert_eq!(format!("{reply:?}"), format!("Reply {{ is_wanted: {wanted} }}"));
            assert_eq!(format!("{ticket:?}"), format!("Ticket {{ is_wanted: {wanted} }}"));
            ticket.fail(NoAnswer::Timeout);
        }
    }
}
