//! Sending: the typed, cloneable, stable way to an agent.

use std::fmt;
use std::future::{Future, poll_fn};
use std::pin::{Pin, pin};
use std::sync::Arc;
use std::task::{Context, Poll, Wake, Waker, ready};
use std::time::Duration;

use crate::agent::current::{current, is_current};
use crate::ask::{Answer, NoAnswer, Reply, question};
use crate::clock::Moment;
use crate::dead_letter::DeadReason;
use crate::mailbox::{Mailbox, Parcel, Place, Queue, Refused, Stamp};
use crate::message::{Message, Overflow};
use crate::time::{Due, Key, Timekeeper};
use crate::tree::{Figures, MailboxFigures as _, Node};

/// After this many messages in a row a sender gives way, lest the receiver starve on the same thread.
const GIVE_WAY_EVERY: u64 = 64;

/// How often a sender looks for room before it stands in line.
const LINGER: u32 = 8;

/// The way to one agent: typed, cheap to clone, valid through all restarts.
///
/// It belongs to the agent's specification, not to one life of it. Messages sent while the agent is down wait
/// for its next incarnation; only when the agent leaves the tree is its address closed.
pub struct Address<M: Message> {
    mailbox: Arc<Mailbox<M>>,
}

/// Why a message was not queued.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Refusal {
    /// The mailbox is full.
    #[error("its mailbox is full; send later, wait with `send`, or give it a larger capacity")]
    Full,
    /// The agent is no longer part of the tree.
    #[error("it is no longer part of the tree; look its address up again")]
    Closed,
    /// There was no room before the message's deadline.
    #[error("there was no room in its mailbox before the deadline; allow more time or send less")]
    Expired,
    /// Waiting would never end: these agents wait for each other.
    #[error("waiting would never end, each waits for the next: {}; answer later, or send without waiting", .0.join(" → "))]
    Circle(Vec<Arc<str>>),
}

/// A message that was not queued, and why.
#[derive(Clone, PartialEq, Eq, thiserror::Error)]
#[error("cannot send to {to}: {why}")]
pub struct SendError<M> {
    /// The message.
    pub message: M,
    /// The path it was for.
    pub to: Arc<str>,
    /// Why.
    pub why: Refusal,
}

impl<M> fmt::Debug for SendError<M> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("SendError")
            .field("to", &self.to)
            .field("why", &self.why)
            .finish_non_exhaustive()
    }
}

/// A question without an answer.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum AskError {
    /// The question was not queued.
    #[error("cannot ask {to}: {why}")]
    NotSent {
        /// The path it was for.
        to: Arc<str>,
        /// Why.
        why: Refusal,
    },
    /// The question was queued and not answered.
    #[error("no answer from {from}: {why}")]
    NotAnswered {
        /// The path that was asked.
        from: Arc<str>,
        /// Why.
        why: NoAnswer,
    },
}

impl AskError {
    /// Whether the answer only took too long.
    pub fn is_timeout(&self) -> bool {
        matches!(
            self,
            Self::NotAnswered {
                why: NoAnswer::Timeout,
                ..
            }
        )
    }
}

impl<M: Message> Clone for Address<M> {
    fn clone(&self) -> Self {
        Self {
            mailbox: Arc::clone(&self.mailbox),
        }
    }
}

impl<M: Message> fmt::Debug for Address<M> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Address({})", self.path())
    }
}

impl<M: Message> PartialEq for Address<M> {
    fn eq(&self, other: &Self) -> bool {
        Arc::ptr_eq(&self.mailbox, &other.mailbox)
    }
}

impl<M: Message> Eq for Address<M> {}

impl<M: Message> Address<M> {
    pub(crate) fn new(mailbox: Arc<Mailbox<M>>) -> Self {
        Self { mailbox }
    }

    pub(crate) fn mailbox(&self) -> &Arc<Mailbox<M>> {
        &self.mailbox
    }

    /// Where the agent stands in the tree; before it is part of one, its name.
    pub fn path(&self) -> Arc<str> {
        self.mailbox.node.path()
    }

    /// The mailbox's figures now.
    pub fn figures(&self) -> Figures {
        self.mailbox.read()
    }

    /// Whether the agent has left the tree for good.
    pub fn is_closed(&self) -> bool {
        self.mailbox.queue.is_closed()
    }

    /// Queues a message; held back while the mailbox is full, if its overflow policy is to wait.
    ///
    /// Cancel-safe: a dropped future has queued the message or not, and leaves its place in line.
    pub async fn send(&self, message: M) -> Result<(), SendError<M>> {
        match self.mailbox.queue.offer(plain(message)) {
            Ok(number) => {
                give_way(number).await;
                Ok(())
            }
            Err((refused, parcel)) => self
                .refused(refused, parcel)
                .await
                .map_err(|failed| self.single(failed)),
        }
    }

    /// Queues a message or gives it back at once.
    pub fn try_send(&self, message: M) -> Result<(), SendError<M>> {
        match self.mailbox.queue.offer(plain(message)) {
            Ok(_) => Ok(()),
            Err((refused, parcel)) => self.settle(refused, parcel).map_err(|failed| self.single(failed)),
        }
    }

    /// Queues a message that is void after `deadline`: it is never handled then, and the sender is not held
    /// back longer.
    pub async fn send_before(&self, message: M, deadline: Moment) -> Result<(), SendError<M>> {
        let parcel = Parcel::Until {
            stamp: Stamp::default(),
            until: deadline,
            message,
        };
        let (refused, parcel) = match self.mailbox.queue.offer(parcel) {
            Ok(number) => {
                give_way(number).await;
                return Ok(());
            }
            Err(refusal) => refusal,
        };
        if refused != Refused::Full || self.mailbox.overflow != Overflow::Wait {
            return self.settle(refused, parcel).map_err(|failed| self.single(failed));
        }
        let mut in_line = self.in_line(parcel).map_err(|failed| self.single(failed))?;
        let waited = tokio::time::timeout_at(deadline.instant(), &mut in_line).await;
        let failed = match waited {
            Ok(Ok(())) => None,
            Ok(Err(parcel)) => Some((parcel, Refusal::Closed)),
            Err(_) => in_line.parcel.take().map(|parcel| (parcel, Refusal::Expired)),
        };
        failed.map_or(Ok(()), |failed| Err(self.single(failed)))
    }

    /// Queues many messages with one ring of the bell, in their order.
    ///
    /// Room is taken for all of them at once, or for as many as the mailbox can hold at a time. Cancel-safe as
    /// [`Address::send`] is: what a dropped future has not queued is dropped with it.
    pub async fn send_many(&self, mut batch: Vec<M>) -> Result<(), SendError<Vec<M>>> {
        let most = usize::try_from(self.mailbox.queue.capacity()).unwrap_or(usize::MAX);
        while !batch.is_empty() {
            let rest = if batch.len() > most {
                batch.split_off(most)
            } else {
                Vec::new()
            };
            let parcel = Parcel::Many {
                stamp: Stamp::default(),
                batch,
            };
            let queued = match self.mailbox.queue.offer(parcel) {
                Ok(_) => Ok(()),
                Err((refused, parcel)) => self.refused(refused, parcel).await,
            };
            if let Err((parcel, why)) = queued {
                let mut message = into_messages(parcel);
                message.extend(rest);
                return Err(SendError {
                    message,
                    to: self.path(),
                    why,
                });
            }
            batch = rest;
        }
        tokio::task::coop::consume_budget().await;
        Ok(())
    }

    /// Queues a message from a thread that may block.
    ///
    /// Not for handlers: an agent must not block the thread that runs it.
    pub fn blocking_send(&self, message: M) -> Result<(), SendError<M>> {
        match self.mailbox.queue.offer(plain(message)) {
            Ok(_) => Ok(()),
            Err((refused, parcel)) => block_on(self.refused(refused, parcel)).map_err(|failed| self.single(failed)),
        }
    }

    /// Asks: `question` makes the message from the way back, and the answer is waited for without limit.
    ///
    /// Cancel-safe: a question nobody waits for any more is not handled if it is still queued.
    pub async fn ask<T>(&self, question: impl FnOnce(Reply<T>) -> M) -> Result<T, AskError> {
        self.inquire(question, None).await
    }

    /// Asks, and waits no longer than `limit` for room and answer together.
    pub async fn ask_within<T>(&self, limit: Duration, question: impl FnOnce(Reply<T>) -> M) -> Result<T, AskError> {
        if self.mailbox.shared.get().is_some() {
            return self.inquire(question, Some(limit)).await;
        }
        let asked = tokio::time::timeout(limit, self.inquire(question, None)).await;
        asked.unwrap_or_else(|_| Err(self.unanswered(NoAnswer::Timeout)))
    }

    // ---- the way a question goes ----

    async fn inquire<T>(&self, make: impl FnOnce(Reply<T>) -> M, limit: Option<Duration>) -> Result<T, AskError> {
        let (reply, ticket, answer) = question();
        let _edge = Edge::to(&self.mailbox.node).map_err(|why| AskError::NotSent { to: self.path(), why })?;
        let _alarm = limit.and_then(|limit| self.arm(limit, &answer));
        let parcel = Parcel::Ask {
            stamp: Stamp::default(),
            ticket,
            message: make(reply),
        };
        if let Err((refused, parcel)) = self.mailbox.queue.offer(parcel) {
            self.queue_question(refused, parcel, &answer).await?;
        }
        let settled = poll_fn(|cx| answer.poll(cx)).await;
        settled.map_err(|why| self.unanswered(why))
    }

    async fn queue_question<T>(&self, refused: Refused, parcel: Parcel<M>, answer: &Answer<T>) -> Result<(), AskError> {
        let mut queueing = pin!(self.refused(refused, parcel));
        poll_fn(|cx| {
            if let Poll::Ready(Err(why)) = answer.poll(cx) {
                return Poll::Ready(Err(self.unanswered(why)));
            }
            queueing
                .as_mut()
                .poll(cx)
                .map_err(|(_, why)| AskError::NotSent { to: self.path(), why })
        })
        .await
    }

    fn arm<T>(&self, limit: Duration, answer: &Answer<T>) -> Option<Armed<'_>> {
        let timekeeper = &self.mailbox.shared.get()?.timekeeper;
        let key = timekeeper.arm(Moment::now() + limit, Due::Timeout(Arc::clone(answer.gate())));
        Some(Armed { timekeeper, key })
    }

    fn unanswered(&self, why: NoAnswer) -> AskError {
        AskError::NotAnswered { from: self.path(), why }
    }

    // ---- the way of a message that was refused at first ----

    /// What the overflow policy makes of a refused message, waiting where it says so.
    async fn refused(&self, refused: Refused, parcel: Parcel<M>) -> Result<(), Failed<M>> {
        if refused != Refused::Full || self.mailbox.overflow != Overflow::Wait {
            return self.settle(refused, parcel);
        }
        let parcel = match self.linger(parcel).await {
            Ok(()) => return Ok(()),
            Err(parcel) => parcel,
        };
        self.in_line(parcel)?.await.map_err(|parcel| (parcel, Refusal::Closed))
    }

    /// Looks a few times whether there is room, before standing in line: that would cost both sides a system call
    /// where they run on different threads.
    async fn linger(&self, mut parcel: Parcel<M>) -> Result<(), Parcel<M>> {
        for _ in 0..LINGER {
            tokio::task::yield_now().await;
            match self.mailbox.queue.offer(parcel) {
                Ok(_) => return Ok(()),
                Err((_, back)) => parcel = back,
            }
        }
        Err(parcel)
    }

    /// What the overflow policy makes of a refused message, without waiting.
    fn settle(&self, refused: Refused, parcel: Parcel<M>) -> Result<(), Failed<M>> {
        match (refused, self.mailbox.overflow) {
            (Refused::Closed, _) => Err((parcel, Refusal::Closed)),
            (Refused::Full, Overflow::Wait | Overflow::Reject) => Err((parcel, Refusal::Full)),
            (Refused::Full, Overflow::DropNewest) => {
                self.mailbox.discard(parcel, DeadReason::Full, None);
                Ok(())
            }
            (Refused::Full, Overflow::DropOldest) => self.displace(parcel),
        }
    }

    fn displace(&self, parcel: Parcel<M>) -> Result<(), Failed<M>> {
        let parcels: Vec<_> = match parcel {
            Parcel::Many { batch, .. } => batch.into_iter().map(plain).collect(),
            single => vec![single],
        };
        let mut parcels = parcels.into_iter();
        while let Some(parcel) = parcels.next() {
            match self.mailbox.queue.displace(parcel) {
                Ok((_, Some(oldest))) => self.mailbox.discard(oldest, DeadReason::Full, None),
                Ok((_, None)) => {}
                Err(parcel) => {
                    let batch = into_messages(parcel)
                        .into_iter()
                        .chain(parcels.flat_map(into_messages))
                        .collect();
                    let rest = Parcel::Many {
                        stamp: Stamp::default(),
                        batch,
                    };
                    return Err((rest, Refusal::Closed));
                }
            }
        }
        Ok(())
    }

    fn in_line(&self, parcel: Parcel<M>) -> Result<InLine<'_, M>, Failed<M>> {
        if is_current(self.mailbox.node.id) {
            return Err((parcel, Refusal::Circle(vec![self.path(), self.path()])));
        }
        match Edge::to(&self.mailbox.node) {
            Ok(edge) => Ok(InLine {
                queue: &self.mailbox.queue,
                parcel: Some(parcel),
                place: None,
                _edge: edge,
            }),
            Err(why) => Err((parcel, why)),
        }
    }

    fn single(&self, (parcel, why): Failed<M>) -> SendError<M> {
        match parcel {
            Parcel::Plain { message, .. } | Parcel::Until { message, .. } | Parcel::Ask { message, .. } => SendError {
                message,
                to: self.path(),
                why,
            },
            Parcel::Many { .. } => unreachable!("only send_many makes a parcel of many, and it unpacks its own"),
        }
    }
}

/// A parcel that was not queued, and why.
type Failed<M> = (Parcel<M>, Refusal);

fn plain<M>(message: M) -> Parcel<M> {
    Parcel::Plain {
        stamp: Stamp::default(),
        message,
    }
}

fn into_messages<M>(parcel: Parcel<M>) -> Vec<M> {
    match parcel {
        Parcel::Plain { message, .. } | Parcel::Until { message, .. } | Parcel::Ask { message, .. } => vec![message],
        Parcel::Many { batch, .. } => batch,
    }
}

async fn give_way(number: u64) {
    if number % GIVE_WAY_EVERY == GIVE_WAY_EVERY - 1 {
        tokio::task::coop::consume_budget().await;
    }
}

/// A timeout that is called off when the answer is there.
struct Armed<'a> {
    timekeeper: &'a Timekeeper,
    key: Key,
}

impl Drop for Armed<'_> {
    fn drop(&mut self) {
        self.timekeeper.disarm(self.key);
    }
}

/// For as long as it lives, the agent on this thread is known to wait for another.
#[derive(Debug)]
struct Edge(Option<(Arc<Node>, Arc<Node>)>);

impl Edge {
    fn to(target: &Arc<Node>) -> Result<Self, Refusal> {
        let Some(waiter) = current() else { return Ok(Self(None)) };
        // First say so, then look: of two that turn to each other, one at least sees the other.
        waiter.wait_for(Arc::clone(target));
        let circle = waiter.circle_through(target);
        let edge = Self(Some((waiter, Arc::clone(target))));
        circle.map_or(Ok(edge), |circle| Err(Refusal::Circle(circle)))
    }
}

impl Drop for Edge {
    fn drop(&mut self) {
        if let Some((waiter, target)) = &self.0 {
            waiter.wait_no_longer(target);
        }
    }
}

/// A sender held back by a full mailbox.
struct InLine<'a, M: Message> {
    queue: &'a Queue<M>,
    parcel: Option<Parcel<M>>,
    place: Option<Place>,
    _edge: Edge,
}

impl<M: Message> Unpin for InLine<'_, M> {}

impl<M: Message> Future for InLine<'_, M> {
    type Output = Result<(), Parcel<M>>;

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        let this = self.get_mut();
        match ready!(this.queue.poll_offer(&mut this.parcel, &mut this.place, cx)) {
            Ok(_) => Poll::Ready(Ok(())),
            Err(()) => this
                .parcel
                .take()
                .map_or(Poll::Pending, |parcel| Poll::Ready(Err(parcel))),
        }
    }
}

impl<M: Message> Drop for InLine<'_, M> {
    fn drop(&mut self) {
        if let Some(place) = self.place.take() {
            self.queue.leave(place);
        }
    }
}

/// Runs a future on a thread that may block.
fn block_on<T>(future: impl Future<Output = T>) -> T {
    struct Unpark(std::thread::Thread);
    impl Wake for Unpark {
        fn wake(self: Arc<Self>) {
            self.0.unpark();
        }
    }
    let waker = Waker::from(Arc::new(Unpark(std::thread::current())));
    let mut cx = Context::from_waker(&waker);
    let mut future = pin!(future);
    loop {
        match future.as_mut().poll(&mut cx) {
            Poll::Ready(value) => return value,
            Poll::Pending => std::thread::park(),
        }
    }
}
