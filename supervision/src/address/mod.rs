//! Sending: the typed, cloneable, stable way to an agent.

mod edge;
mod error;
mod in_line;
mod question;
mod refused;
mod sending;

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

pub use self::error::{AskError, Refusal, SendError};
use self::refused::{Failed, block_on};
pub use self::sending::Sending;
use crate::ask::Reply;
use crate::clock::Moment;
use crate::mailbox::{Content, Mailbox, Parcel, Refused};
use crate::message::{Message, Overflow};
use crate::tree::{Figures, MailboxFigures as _};

/// After this many messages in a row a sender tells tokio that it has got on, lest the receiver starve on the same thread.
const GIVE_WAY_EVERY: u64 = 128;

/// The way to one agent: typed, cheap to clone, valid through all restarts.
///
/// It belongs to the agent's specification, not to one life of it. Messages sent while the agent is down wait
/// for its next incarnation; only when the agent leaves the tree is its address closed.
pub struct Address<M: Message> {
    mailbox: Arc<Mailbox<M>>,
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
    #[inline]
    pub fn send(&self, message: M) -> Sending<'_, M> {
        Sending::new(self, message)
    }

    /// Queues a message or gives it back at once.
    #[inline]
    pub fn try_send(&self, message: M) -> Result<(), SendError<M>> {
        match self.mailbox.offer_plain(message) {
            Ok(_) => Ok(()),
            Err((refused, message)) => self.settle_one(refused, message),
        }
    }

    /// Queues a message that is void after `deadline`: it is never handled then, and the sender is not held
    /// back longer.
    pub async fn send_before(&self, deadline: Moment, message: M) -> Result<(), SendError<M>> {
        let parcel = Parcel::special(Content::Until(deadline, message));
        let (refused, parcel) = match self.mailbox.offer(parcel) {
            Ok(number) => {
                give_way(number, 1).await;
                return Ok(());
            }
            Err(refusal) => refusal,
        };
        if refused != Refused::Full || self.mailbox.overflow != Overflow::Wait {
            return self.settle(refused, parcel).map_err(|failed| self.single(failed));
        }
        self.wait_for_room(Some(deadline), parcel).await
    }

    /// Queues a message once there is room for it, whatever the mailbox does with what overflows: for senders of whom nothing is
    /// lost when they wait. It is void after `deadline`, as with [`Address::send_before`].
    ///
    /// Cancel-safe, as [`Address::send`] is.
    pub async fn send_into_room(&self, deadline: Option<Moment>, message: M) -> Result<(), SendError<M>> {
        let parcel = match deadline {
            Some(deadline) => Parcel::special(Content::Until(deadline, message)),
            None => Parcel::plain(message),
        };
        match self.mailbox.offer(parcel) {
            Ok(number) => {
                give_way(number, 1).await;
                Ok(())
            }
            Err((Refused::Full, parcel)) => self.wait_for_room(deadline, parcel).await,
            Err((Refused::Closed, parcel)) => Err(self.single((parcel, Refusal::Closed))),
        }
    }

    async fn wait_for_room(&self, deadline: Option<Moment>, parcel: Parcel<M>) -> Result<(), SendError<M>> {
        let _held_back = self.held_back();
        let mut in_line = self.in_line(parcel);
        let waited = match deadline {
            Some(deadline) => tokio::time::timeout_at(deadline.instant(), &mut in_line).await,
            None => Ok((&mut in_line).await),
        };
        let failed = match waited {
            Ok(Ok(())) => None,
            Ok(Err(failed)) => Some(failed),
            Err(_) => in_line.parcel.take().map(|parcel| (parcel, Refusal::Expired)),
        };
        failed.map_or(Ok(()), |failed| Err(self.single(failed)))
    }

    /// Queues many messages with one ring of the bell, in their order.
    ///
    /// Room is taken for all of them at once, or for as many as the mailbox can hold at a time. Where there is not room
    /// for all, [`Overflow::Wait`] holds the sender back, [`Overflow::Reject`] queues none and gives all of them back
    /// (so more than the capacity are never queued), [`Overflow::DropNewest`] queues those that fit and drops the rest,
    /// and [`Overflow::DropOldest`] keeps the last of them. Where the mailbox is closed, what was not queued comes back.
    ///
    /// Cancel-safe as [`Address::send`] is: what a dropped future has not queued is dropped with it.
    pub async fn send_many(&self, mut batch: Vec<M>) -> Result<(), SendError<Vec<M>>> {
        let most = self.most_at_once();
        let mut rest = Vec::new().into_iter();
        if batch.len() > most {
            rest = batch.into_iter();
            batch = rest.by_ref().take(most).collect();
        }
        while !batch.is_empty() {
            if let Err((parcel, why)) = self.send_part(batch).await {
                let mut message = parcel.into_content().into_messages();
                message.extend(rest);
                let to = self.path();
                return Err(SendError { message, to, why });
            }
            batch = rest.by_ref().take(most).collect();
        }
        Ok(())
    }

    /// How many messages of a batch may ask for room together: one at least, also where no supervisor will bear with
    /// the capacity.
    fn most_at_once(&self) -> usize {
        match self.mailbox.overflow {
            Overflow::Reject => usize::MAX,
            _ => usize::try_from(self.mailbox.queue.capacity()).map_or(usize::MAX, |capacity| capacity.max(1)),
        }
    }

    async fn send_part(&self, part: Vec<M>) -> Result<(), Failed<M>> {
        let parcel = Parcel::many(part);
        let count = parcel.count();
        match self.mailbox.offer(parcel) {
            Ok(number) => {
                give_way(number, count).await;
                Ok(())
            }
            Err((refused, parcel)) => self.refused(refused, parcel).await,
        }
    }

    /// Queues a message from a thread that may block.
    ///
    /// Not for handlers: an agent must not block the thread that runs it.
    pub fn blocking_send(&self, message: M) -> Result<(), SendError<M>> {
        // It may be part of a task after all, whose turn goes on for as long as it blocks.
        block_on(tokio::task::coop::unconstrained(self.send(message)))
    }

    /// Asks: `question` makes the message from the way back, and the answer is waited for without limit.
    ///
    /// Cancel-safe: a question nobody waits for any more is not handled if it is still queued.
    pub async fn ask<T: Send + 'static>(&self, question: impl FnOnce(Reply<T>) -> M) -> Result<T, AskError> {
        self.inquire(question, None).await
    }

    /// Asks, and waits no longer than `limit` for room and answer together.
    pub async fn ask_within<T: Send + 'static>(
        &self,
        limit: Duration,
        question: impl FnOnce(Reply<T>) -> M,
    ) -> Result<T, AskError> {
        self.inquire(question, Some(limit)).await
    }
}

/// After `count` messages from that of `number` on.
#[inline]
async fn give_way(number: u64, count: u64) {
    if is_time_to_give_way(number, count) {
        tokio::task::coop::consume_budget().await;
    }
}

#[inline]
const fn is_time_to_give_way(number: u64, count: u64) -> bool {
    number / GIVE_WAY_EVERY != (number + count) / GIVE_WAY_EVERY
}

#[cfg(all(test, not(shuttle)))]
mod tests {
    use std::sync::atomic::{AtomicBool, Ordering};

    use super::*;
    use crate::name::Name;
    use crate::tree::{Level, Node};

    #[derive(Debug, PartialEq)]
    struct Note(u32);

    impl Message for Note {}

    fn address(capacity: usize, overflow: Overflow) -> Address<Note> {
        let node = Node::new(Level::Agent, Name::unchecked("a"), "A");
        Address::new(Mailbox::new(node, capacity, overflow))
    }

    #[test]
    fn a_sender_gives_way_once_in_128_messages_and_after_a_batch_that_passes_such_a_number() {
        let at: Vec<_> = (0..600).filter(|&number| is_time_to_give_way(number, 1)).collect();
        assert_eq!(at, [127, 255, 383, 511]);
        assert!(is_time_to_give_way(100, 28) && is_time_to_give_way(0, 1000));
        assert!(!is_time_to_give_way(100, 27) && !is_time_to_give_way(128, 127));
    }

    /// Whether what runs beside it has its turn while one sends.
    async fn lets_others_run(sending: impl AsyncFnOnce(Address<Note>)) -> bool {
        let has_run = AtomicBool::new(false);
        let sending = async {
            sending(address(1 << 16, Overflow::Wait)).await;
            has_run.load(Ordering::Relaxed)
        };
        let other = async { has_run.store(true, Ordering::Relaxed) };
        tokio::join!(biased; sending, other).0
    }

    const MANY: u32 = 128 * 130;

    #[tokio::test]
    async fn who_sends_without_end_lets_others_run() {
        let one_by_one = async |address: Address<Note>| {
            for number in 0..MANY {
                address.send(Note(number)).await.expect("there is room");
            }
        };
        assert!(lets_others_run(one_by_one).await);
        let before_a_deadline = async |address: Address<Note>| {
            for number in 0..MANY {
                let sent = address.send_before(Moment::now(), Note(number));
                sent.await.expect("there is room");
            }
        };
        assert!(lets_others_run(before_a_deadline).await);
        let in_batches = async |address: Address<Note>| {
            for _ in 0..MANY / 128 {
                let sent = address.send_many((0..128).map(Note).collect());
                sent.await.expect("there is room");
            }
        };
        assert!(lets_others_run(in_batches).await);
    }

    #[tokio::test]
    async fn who_sends_a_thousand_is_not_interrupted() {
        let a_thousand = async |address: Address<Note>| {
            for number in 0..1000 {
                address.send(Note(number)).await.expect("there is room");
            }
        };
        assert!(!lets_others_run(a_thousand).await);
    }

    #[tokio::test(start_paused = true)]
    async fn a_deadline_changes_nothing_where_a_full_mailbox_holds_nobody_back() {
        for overflow in [Overflow::Reject, Overflow::DropNewest, Overflow::DropOldest] {
            let address = address(1, overflow);
            address.try_send(Note(1)).expect("there is room");
            let far = Moment::now() + Duration::from_hours(1);
            let sent = tokio::time::timeout(Duration::from_mins(1), address.send_before(far, Note(2))).await;
            let refused = sent.expect("it was held back").map_err(|error| error.why);
            let expected = if overflow == Overflow::Reject {
                Err(Refusal::Full)
            } else {
                Ok(())
            };
            assert_eq!(refused, expected, "{overflow:?}");
        }
    }

    #[tokio::test(start_paused = true)]
    async fn who_sends_into_room_waits_whatever_a_full_mailbox_does_with_others() {
        for overflow in [
            Overflow::Wait,
            Overflow::Reject,
            Overflow::DropNewest,
            Overflow::DropOldest,
        ] {
            let address = address(1, overflow);
            address.send_into_room(None, Note(1)).await.expect("there is room");
            let waits = tokio::time::timeout(Duration::from_mins(1), address.send_into_room(None, Note(2)));
            assert!(waits.await.is_err(), "{overflow:?}");
            let soon = Moment::now() + Duration::from_secs(1);
            let late = address.send_into_room(Some(soon), Note(3)).await.unwrap_err();
            assert_eq!((late.message, late.why), (Note(3), Refusal::Expired), "{overflow:?}");
            assert_eq!(
                (address.figures().depth, address.figures().dropped),
                (1, 0),
                "{overflow:?}"
            );
            address.mailbox().close();
            let closed = address.send_into_room(None, Note(4)).await.unwrap_err();
            assert_eq!((closed.message, closed.why), (Note(4), Refusal::Closed), "{overflow:?}");
        }
    }

    #[tokio::test(start_paused = true)]
    async fn a_batch_for_a_mailbox_without_any_room_fares_as_one_message_does() {
        let batch = || vec![Note(1), Note(2)];
        let refused = address(0, Overflow::Reject).send_many(batch()).await.unwrap_err();
        assert_eq!((refused.message, refused.why), (batch(), Refusal::Full));
        for overflow in [Overflow::DropNewest, Overflow::DropOldest] {
            let dropping = address(0, overflow);
            assert!(dropping.send_many(batch()).await.is_ok());
            assert!(dropping.try_send(Note(3)).is_ok());
            assert_eq!(dropping.figures().dropped, 3, "{overflow:?}");
        }
        let waiting = address(0, Overflow::Wait);
        let mut sending = Box::pin(waiting.send_many(batch()));
        let early = tokio::time::timeout(Duration::from_hours(1), &mut sending).await;
        assert!(early.is_err(), "{early:?}");
        waiting.mailbox().close();
        let refused = sending.await.unwrap_err();
        assert_eq!((refused.message, refused.why), (batch(), Refusal::Closed));
    }

    #[test]
    fn an_address_says_whose_it_is() {
        let address = address(1, Overflow::Wait);
        assert_eq!(format!("{address:?}"), "Address(a)");
        assert_eq!(format!("{:?}", address.send(Note(1))), "Sending(a)");
    }
}
