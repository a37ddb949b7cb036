//! A message on its way into a mailbox.

use std::fmt;
use std::future::Future;
use std::pin::{Pin, pin};
use std::task::{Context, Poll, ready};

use super::in_line::InLine;
use super::refused::HeldBack;
use super::{Address, SendError, is_time_to_give_way};
use crate::mailbox::{Parcel, Refused};
use crate::message::{Message, Overflow};

/// What [`Address::send`] returns: queues its message when it is awaited.
///
/// A type of its own and not an async function, so that the way of a message that finds room is small enough to
/// become part of its caller: each future a message passes through moves it through memory once more.
#[must_use = "a message is sent when its future is awaited"]
pub struct Sending<'a, M: Message> {
    address: &'a Address<M>,
    message: Option<M>,
    then: Then<'a, M>,
}

/// What is left to do once the message was offered.
enum Then<'a, M: Message> {
    /// Nothing, or nothing yet.
    Nothing,
    /// To let others run.
    GiveWay,
    /// To wait for room.
    Wait {
        in_line: InLine<'a, M>,
        /// Counts the time until it is dropped.
        _held_back: HeldBack<'a>,
    },
}

impl<'a, M: Message> Sending<'a, M> {
    #[inline]
    pub(super) fn new(address: &'a Address<M>, message: M) -> Self {
        Self {
            address,
            message: Some(message),
            then: Then::Nothing,
        }
    }

    #[cold]
    fn refused(&mut self, refused: Refused, message: M) -> Result<(), SendError<M>> {
        let address = self.address;
        if refused != Refused::Full || address.mailbox.overflow != Overflow::Wait {
            return address.settle_one(refused, message);
        }
        let held_back = address.held_back();
        self.then = Then::Wait {
            in_line: address.in_line(Parcel::plain(message)),
            _held_back: held_back,
        };
        Ok(())
    }

    #[cold]
    fn poll_on(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), SendError<M>>> {
        let outcome = match &mut self.then {
            Then::Nothing => Ok(()),
            Then::GiveWay => {
                ready!(pin!(tokio::task::coop::consume_budget()).poll(cx));
                Ok(())
            }
            Then::Wait { in_line, .. } => {
                ready!(Pin::new(in_line).poll(cx)).map_err(|failed| self.address.single(failed))
            }
        };
        self.then = Then::Nothing;
        Poll::Ready(outcome)
    }
}

impl<M: Message> Unpin for Sending<'_, M> {}

impl<M: Message> Future for Sending<'_, M> {
    type Output = Result<(), SendError<M>>;

    #[expect(
        clippy::inline_always,
        reason = "a call would lay the message down once more on its way"
    )]
    #[inline(always)]
    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        let this = self.get_mut();
        if let Some(message) = this.message.take() {
            match this.address.mailbox.offer_plain(message) {
                Ok(number) if !is_time_to_give_way(number, 1) => return Poll::Ready(Ok(())),
                Ok(_) => this.then = Then::GiveWay,
                Err((refused, message)) => {
                    if let Err(failed) = this.refused(refused, message) {
                        return Poll::Ready(Err(failed));
                    }
                }
            }
        }
        this.poll_on(cx)
    }
}

impl<M: Message> fmt::Debug for Sending<'_, M> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Sending({})", self.address.path())
    }
}

#[cfg(all(test, not(shuttle)))]
mod tests {
    use super::*;
    use crate::mailbox::Mailbox;
    use crate::name::Name;
    use crate::tree::{Level, Node};

    struct Note;

    impl Message for Note {}

    #[tokio::test]
    async fn a_message_is_queued_once_however_often_its_future_is_asked() {
        let node = Node::new(Level::Agent, Name::unchecked("a"), "A");
        let address = Address::new(Mailbox::new(node, 8, Overflow::Wait));
        let mut sending = address.send(Note);
        for _ in 0..3 {
            assert!((&mut sending).await.is_ok());
        }
        assert_eq!(address.figures().enqueued, 1);
    }

    #[tokio::test]
    async fn held_back_and_let_in_a_message_is_queued_once_and_leaves_no_place_in_line() {
        let node = Node::new(Level::Agent, Name::unchecked("a"), "A");
        let address = Address::new(Mailbox::new(node, 1, Overflow::Wait));
        address.try_send(Note).expect("there is room");
        let mut sending = address.send(Note);
        let cx = &mut Context::from_waker(std::task::Waker::noop());
        assert!(Pin::new(&mut sending).poll(cx).is_pending());
        let mut hold = address.mailbox().sit_down().expect("nobody reads it");
        assert!(address.mailbox().queue.take(&mut hold.notes).is_some());
        assert!((&mut sending).await.is_ok());
        assert!((&mut sending).await.is_ok());
        assert_eq!(address.figures().enqueued, 2);
        drop(sending);
        assert!(address.mailbox().queue.take(&mut hold.notes).is_some());
        address.try_send(Note).expect("there is room, and nobody waits");
        address.try_send(Note).expect_err("for one");
    }
}
