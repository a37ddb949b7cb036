//! The way of a message that was refused at first.

use std::future::Future;
use std::pin::pin;
use std::sync::Arc;
use std::task::{Context, Poll, Wake, Waker};

use super::{Address, Refusal, SendError};
use crate::clock::Moment;
use crate::mailbox::{Content, Parcel, Refused};
use crate::message::{Message, Overflow};
use crate::tree::Node;

/// A parcel that was not queued, and why.
pub(super) type Failed<M> = (Parcel<M>, Refusal);

impl<M: Message> Address<M> {
    /// What the overflow policy makes of a refused message, waiting where it says so.
    pub(super) async fn refused(&self, refused: Refused, parcel: Parcel<M>) -> Result<(), Failed<M>> {
        if refused != Refused::Full || self.mailbox.overflow != Overflow::Wait {
            return self.settle(refused, parcel);
        }
        let _held_back = self.held_back();
        self.in_line(parcel).await
    }

    /// What the overflow policy makes of a refused message, without waiting.
    pub(super) fn settle(&self, refused: Refused, parcel: Parcel<M>) -> Result<(), Failed<M>> {
        match (refused, self.mailbox.overflow) {
            (Refused::Closed, _) => Err((parcel, Refusal::Closed)),
            (Refused::Full, Overflow::Wait | Overflow::Reject) => Err((parcel, Refusal::Full)),
            (Refused::Full, Overflow::DropNewest) if matches!(parcel, Parcel::Many(_)) => {
                Self::each(parcel, |parcel| self.put_or_drop(parcel))
            }
            (Refused::Full, Overflow::DropNewest) => {
                self.mailbox.turn_away(parcel);
                Ok(())
            }
            (Refused::Full, Overflow::DropOldest) => Self::each(parcel, |parcel| self.mailbox.displace(parcel)),
        }
    }

    #[cold]
    pub(super) fn settle_one(&self, refused: Refused, message: M) -> Result<(), SendError<M>> {
        self.settle(refused, Parcel::plain(message))
            .map_err(|failed| self.single(failed))
    }

    /// Puts what a full mailbox refused, message by message: there may be room for some. Fails where it is closed.
    fn each(parcel: Parcel<M>, put: impl Fn(Parcel<M>) -> Result<(), Parcel<M>>) -> Result<(), Failed<M>> {
        if !matches!(parcel, Parcel::Many(_)) {
            return put(parcel).map_err(|parcel| (parcel, Refusal::Closed));
        }
        let mut messages = parcel.into_content().into_messages().into_iter();
        while let Some(message) = messages.next() {
            if let Err(parcel) = put(Parcel::plain(message)) {
                let mut back = parcel.into_content().into_messages();
                back.extend(messages);
                return Err((Parcel::many(back), Refusal::Closed));
            }
        }
        Ok(())
    }

    fn put_or_drop(&self, parcel: Parcel<M>) -> Result<(), Parcel<M>> {
        match self.mailbox.offer(parcel) {
            Ok(_) => Ok(()),
            Err((Refused::Closed, parcel)) => Err(parcel),
            Err((Refused::Full, parcel)) => {
                self.mailbox.turn_away(parcel);
                Ok(())
            }
        }
    }

    pub(super) fn held_back(&self) -> HeldBack<'_> {
        HeldBack {
            node: &self.mailbox.node,
            since: Moment::now(),
        }
    }

    pub(super) fn single(&self, (parcel, why): Failed<M>) -> SendError<M> {
        match parcel.into_content() {
            Content::One(message) | Content::Until(_, message) | Content::Ask(_, message) => SendError {
                message,
                to: self.path(),
                why,
            },
            Content::Many(_) => unreachable!("only send_many makes a parcel of many, and it unpacks its own"),
        }
    }
}

/// Counts the time a sender is held back, however that ends.
pub(super) struct HeldBack<'a> {
    node: &'a Node,
    since: Moment,
}

impl Drop for HeldBack<'_> {
    fn drop(&mut self) {
        self.node.meters().held_back(Moment::now().since(self.since));
    }
}

/// Runs a future on a thread that may block.
pub(super) fn block_on<T>(future: impl Future<Output = T>) -> T {
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

#[cfg(all(test, not(shuttle)))]
mod tests {
    use super::*;
    use crate::mailbox::Mailbox;
    use crate::name::Name;
    use crate::tree::Level;

    #[derive(Debug, PartialEq)]
    struct Note(u32);

    impl Message for Note {}

    fn closed(overflow: Overflow) -> Address<Note> {
        let node = Node::new(Level::Agent, Name::unchecked("a"), "A");
        let address = Address::new(Mailbox::new(node, 1, overflow));
        address.mailbox().close();
        address
    }

    /// A sender may find the mailbox full, and closed when it looks again.
    #[test]
    fn a_message_comes_back_where_the_mailbox_closes_before_there_is_room() {
        let address = closed(Overflow::DropOldest);
        let failed = address.settle(Refused::Full, Parcel::plain(Note(7))).unwrap_err();
        let error = address.single(failed);
        assert_eq!((error.message, error.why), (Note(7), Refusal::Closed));
    }

    #[test]
    fn so_do_many() {
        for overflow in [Overflow::DropNewest, Overflow::DropOldest] {
            let many = Parcel::many(vec![Note(7), Note(8)]);
            let (back, why) = closed(overflow).settle(Refused::Full, many).unwrap_err();
            assert_eq!(why, Refusal::Closed);
            assert_eq!(back.into_content().into_messages(), [Note(7), Note(8)], "{overflow:?}");
        }
    }
}
