//! A sender held back by a full mailbox.

use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::task::{Context, Poll, Wake, Waker};

use futures_util::task::AtomicWaker;

use super::edge::{Edge, LOOKS};
use super::refused::Failed;
use super::{Address, Refusal};
use crate::agent::current::engaged;
use crate::mailbox::{Mailbox, Parcel, Place};
use crate::message::Message;
use crate::tree::{Awaited, Node};

/// What the sender learns when it has waited is `Closed` where the mailbox was closed meanwhile, and `Circle` where it is an agent
/// for whose message there can never be room.
pub(super) struct InLine<'a, M: Message> {
    mailbox: &'a Mailbox<M>,
    pub(super) parcel: Option<Parcel<M>>,
    place: Option<Place>,
    as_agent: Option<AsAgent>,
}

/// What is known of a sender that is an agent.
struct AsAgent {
    edge: Edge,
    turn: Arc<Turn>,
    /// How often it still looks for a circle where it is held back.
    looks: u8,
}

/// Has come when there is room, also before the agent runs again.
struct Turn {
    has_come: AtomicBool,
    task: AtomicWaker,
}

impl Awaited for Turn {
    fn has_come(&self) -> bool {
        self.has_come.load(Ordering::SeqCst)
    }
}

impl Wake for Turn {
    fn wake(self: Arc<Self>) {
        self.wake_by_ref();
    }

    fn wake_by_ref(self: &Arc<Self>) {
        self.has_come.store(true, Ordering::SeqCst);
        self.task.wake();
    }
}

impl<M: Message> Address<M> {
    pub(super) fn in_line(&self, parcel: Parcel<M>) -> InLine<'_, M> {
        InLine {
            mailbox: &self.mailbox,
            parcel: Some(parcel),
            place: None,
            as_agent: engaged().map(|sender| AsAgent::new(sender, &self.mailbox.node)),
        }
    }
}

impl AsAgent {
    fn new(sender: Arc<Node>, target: &Arc<Node>) -> Self {
        let turn = Arc::new(Turn {
            has_come: AtomicBool::new(false),
            task: AtomicWaker::new(),
        });
        Self {
            edge: Edge::of(sender, target, Arc::clone(&turn) as Arc<dyn Awaited>),
            turn,
            looks: LOOKS,
        }
    }

    /// The circle that its waiting closes, once that is sure.
    fn circle(&mut self) -> Option<Refusal> {
        if self.looks == 0 || self.turn.has_come() {
            return None;
        }
        let circle = self.edge.circle();
        self.looks = if circle.is_some() { self.looks - 1 } else { 0 };
        if self.looks > 0 {
            self.turn.task.wake();
            return None;
        }
        circle
    }
}

impl<M: Message> InLine<'_, M> {
    fn poll_offer(&mut self, cx: &Context<'_>) -> Poll<Result<u64, ()>> {
        let Some(sender) = &mut self.as_agent else {
            return self.mailbox.poll_offer(&mut self.parcel, &mut self.place, cx);
        };
        if sender.turn.has_come.swap(false, Ordering::SeqCst) {
            // Others may have taken it for let in, and looked no further.
            sender.looks = LOOKS;
        }
        sender.turn.task.register(cx.waker());
        let waker = Waker::from(Arc::clone(&sender.turn));
        let cx = Context::from_waker(&waker);
        self.mailbox.poll_offer(&mut self.parcel, &mut self.place, &cx)
    }

    fn leave(&mut self) {
        if let Some(place) = self.place.take() {
            self.mailbox.queue.leave(place);
        }
    }
}

impl<M: Message> Unpin for InLine<'_, M> {}

impl<M: Message> Future for InLine<'_, M> {
    type Output = Result<(), Failed<M>>;

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        let this = self.get_mut();
        let why = match this.poll_offer(cx) {
            Poll::Ready(Ok(_)) => return Poll::Ready(Ok(())),
            Poll::Ready(Err(())) => Some(Refusal::Closed),
            Poll::Pending => this.as_agent.as_mut().and_then(AsAgent::circle),
        };
        let Some(why) = why else { return Poll::Pending };
        this.leave();
        let parcel = this.parcel.take();
        parcel.map_or(Poll::Pending, |parcel| Poll::Ready(Err((parcel, why))))
    }
}

impl<M: Message> Drop for InLine<'_, M> {
    fn drop(&mut self) {
        self.leave();
    }
}

#[cfg(all(test, not(shuttle)))]
mod tests {
    use std::pin::pin;

    use super::*;
    use crate::message::Overflow;
    use crate::name::Name;
    use crate::tree::Level;

    #[derive(Debug)]
    struct Note;

    impl Message for Note {}

    fn node(name: &str) -> Arc<Node> {
        Node::new(Level::Agent, Name::unchecked(name), "A")
    }

    /// Whether it is granted, or let in when it looks.
    #[test]
    fn the_room_of_an_agent_has_come_before_it_runs_again() {
        for (count, release_each) in [(1, false), (2, true)] {
            let (sender, target) = (node("a"), node("b"));
            let address = Address::new(Mailbox::new(Arc::clone(&target), count, Overflow::Wait));
            while address.try_send(Note).is_ok() {}
            let mut waiting = address.in_line(Parcel::many((0..count).map(|_| Note).collect()));
            waiting.as_agent = Some(AsAgent::new(Arc::clone(&sender), &target));
            let mut waiting = pin!(waiting);
            let cx = &mut Context::from_waker(Waker::noop());
            assert!(waiting.as_mut().poll(cx).is_pending());
            assert!(target.circle_through(&sender).is_some());
            let mut hold = address.mailbox().sit_down().unwrap();
            for left in (0..count).rev() {
                assert!(address.mailbox().queue.take(&mut hold.notes).is_some());
                if release_each || left == 0 {
                    address.mailbox().queue.release(&hold.notes);
                }
            }
            assert_eq!(target.circle_through(&sender), None);
            assert!(waiting.as_mut().poll(cx).is_ready());
        }
    }
}
