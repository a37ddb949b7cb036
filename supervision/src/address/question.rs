//! The way a question goes.

use std::future::{Future as _, poll_fn};
use std::pin::{Pin, pin};
use std::task::{Context, Poll};
use std::time::Duration;

use tokio::time::Sleep;

use super::edge::Edge;
use super::{Address, AskError};
use crate::agent::current::engaged;
use crate::ask::{Answer, NoAnswer, Reply, question_of};
use crate::clock::Moment;
use crate::mailbox::{Content, Parcel, Refused};
use crate::message::Message;
use crate::time::{Due, Key, Timekeeper};

impl<M: Message> Address<M> {
    pub(super) async fn inquire<T: Send + 'static>(
        &self,
        make: impl FnOnce(Reply<T>) -> M,
        limit: Option<Duration>,
    ) -> Result<T, AskError> {
        let asker = poll_fn(|cx| Poll::Ready(cx.waker().clone())).await;
        let (reply, ticket, answer) = question_of(Some(asker));
        let edge = engaged().map(|asker| Edge::of(asker, &self.mailbox.node, answer.awaited()));
        // For as long as it is still this poll.
        let mut is_known = true;
        if let Some(edge) = &edge {
            let is_open = edge.is_open().await;
            is_known = is_open.map_err(|why| AskError::NotSent { to: self.path(), why })?;
        }
        let (now, end) = limit.map(Moment::with_end).unzip();
        let mut limit = end.map(|end| self.arm(end, &answer));
        // Time that runs out elsewhere has to be waited for too.
        is_known &= !matches!(limit, Some(Limit::Apart(_)));
        let parcel = Parcel::special(Content::Ask(ticket, make(reply)));
        if let Err((refused, parcel)) = self.mailbox.offer_at(now, parcel) {
            // The way back may have gone elsewhere too: who knows the answer may be quicker than the line.
            if let Some(settled) = self.queue_question(refused, parcel, &answer, &mut limit).await? {
                return Ok(settled);
            }
            is_known = false;
        }
        let outcome = poll_fn(|cx| {
            if std::mem::take(&mut is_known) {
                return answer.settled().map_or(Poll::Pending, Poll::Ready);
            }
            poll_in_time(&answer, &mut limit, cx)
        });
        outcome.await.map_err(|why| self.unanswered(why))
    }

    /// Waits until the question is queued, or is answered before that.
    async fn queue_question<T: Send + 'static>(
        &self,
        refused: Refused,
        parcel: Parcel<M>,
        answer: &Answer<T>,
        limit: &mut Option<Limit<'_>>,
    ) -> Result<Option<T>, AskError> {
        let mut queueing = pin!(self.refused(refused, parcel));
        poll_fn(|cx| {
            if let Poll::Ready(settled) = poll_in_time(answer, limit, cx) {
                return Poll::Ready(settled.map(Some).map_err(|why| self.unanswered(why)));
            }
            let queued = queueing.as_mut().poll(cx).map_ok(|()| None);
            queued.map_err(|(_, why)| AskError::NotSent { to: self.path(), why })
        })
        .await
    }

    fn arm<T: Send + 'static>(&self, at: Moment, answer: &Answer<T>) -> Limit<'_> {
        let Some(shared) = self.mailbox.shared.get() else {
            return Limit::Apart(Box::pin(tokio::time::sleep_until(at.instant())));
        };
        let timekeeper = &shared.timekeeper;
        let key = timekeeper.arm(at, Due::Timeout(answer.gate()));
        Limit::Armed { timekeeper, key }
    }

    pub(super) fn unanswered(&self, why: NoAnswer) -> AskError {
        AskError::NotAnswered { from: self.path(), why }
    }
}

/// How long an answer is waited for; called off when it is there.
enum Limit<'a> {
    /// By the tree that the agent is part of.
    Armed { timekeeper: &'a Timekeeper, key: Key },
    /// The agent is part of none yet.
    Apart(Pin<Box<Sleep>>),
}

impl Drop for Limit<'_> {
    fn drop(&mut self) {
        if let Self::Armed { timekeeper, key } = self {
            timekeeper.disarm(*key);
        }
    }
}

/// What comes of a question whose agent may be part of no tree, which would tell that time is up.
fn poll_in_time<T: Send + 'static>(
    answer: &Answer<T>,
    limit: &mut Option<Limit<'_>>,
    cx: &mut Context<'_>,
) -> Poll<Result<T, NoAnswer>> {
    let settled = answer.poll(cx);
    if settled.is_pending()
        && let Some(Limit::Apart(sleep)) = limit
    {
        return sleep.as_mut().poll(cx).map(|()| Err(NoAnswer::Timeout));
    }
    settled
}

#[cfg(all(test, not(shuttle)))]
mod tests {
    use std::sync::{Arc, Mutex};

    use super::*;
    use crate::mailbox::Mailbox;
    use crate::message::Overflow;
    use crate::name::Name;
    use crate::sync::lock;
    use crate::tree::{Level, Node, Root};

    struct Question(#[expect(dead_code, reason = "nobody answers")] Reply<()>);

    impl Message for Question {}

    #[tokio::test(start_paused = true)]
    async fn who_asks_no_longer_leaves_no_timeout_behind() {
        let seen = Mutex::default();
        let see = |shared: &Arc<_>| *lock(&seen) = Some(Arc::clone(shared));
        let tree = Root::new().start_seen(see, std::future::pending()).await.unwrap();
        let shared = lock(&seen).take().unwrap();
        let node = Node::new(Level::Agent, Name::unchecked("a"), "A");
        let address = Address::new(Mailbox::new(node, 1, Overflow::Wait));
        address.mailbox().joins(&shared);
        let are_there = || format!("{:?}", shared.timekeeper).contains("Timeout");
        {
            let mut asking = pin!(address.ask_within(Duration::from_hours(1), Question));
            let cx = &mut Context::from_waker(std::task::Waker::noop());
            assert!(asking.as_mut().poll(cx).is_pending());
            assert!(are_there());
        }
        assert!(!are_there());
        tree.stop().await;
    }
}
