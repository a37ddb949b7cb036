//! What a callback can reach.

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use super::timers::{TimerId, Timers};
use crate::Agent;
use crate::address::Address;
use crate::clock::Moment;
use crate::mailbox::{Hold, Mailbox};
use crate::message::Message;
use crate::reason::ExitReason;
use crate::tree::{Observer, Shared, Watcher};

/// The shortest period of a repeated timer: at zero it would be due for ever, and nothing else ever served.
const SHORTEST_BEAT: Duration = Duration::from_millis(1);

/// Where a callback stands: the agent's own address, its timers, its tree.
pub struct Context<A: Agent> {
    pub(super) mailbox: Arc<Mailbox<A::Message>>,
    pub(super) shared: Arc<Shared>,
    pub(super) incarnation: u64,
    /// Made when the first timer is set: most agents have none.
    timers: Option<Box<Timers<A::Message>>>,
    /// Lent to a handler that takes batches, while it has a message of one.
    pub(super) hold: Option<Box<Hold<A::Message>>>,
    /// How many messages it has taken beside the one it was given.
    pub(super) taken: u32,
    pub(super) takes_batches: bool,
    pub(super) has_ended: bool,
}

/// The end of a watched agent's incarnation.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Down {
    /// Whose.
    pub path: Arc<str>,
    /// Why it ended.
    pub reason: ExitReason,
}

impl<A: Agent> fmt::Debug for Context<A> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Context")
            .field("path", &self.path())
            .field("incarnation", &self.incarnation)
            .finish_non_exhaustive()
    }
}

impl<A: Agent> Drop for Context<A> {
    fn drop(&mut self) {
        self.mailbox.move_out();
    }
}

impl<A: Agent> Context<A> {
    pub(super) fn new(mailbox: Arc<Mailbox<A::Message>>, shared: Arc<Shared>, incarnation: u64) -> Self {
        mailbox.move_in();
        Self {
            mailbox,
            shared,
            incarnation,
            timers: None,
            hold: None,
            taken: 0,
            takes_batches: false,
            has_ended: false,
        }
    }

    /// Takes all timers, and the messages that lie in them.
    pub(super) fn take_timers(&mut self) -> impl Sized + use<A> {
        self.timers.take()
    }

    fn timers(&mut self) -> &mut Timers<A::Message> {
        let life = self.incarnation;
        self.timers.get_or_insert_with(|| Box::new(Timers::of_life(life)))
    }

    pub(super) fn next_timer(&self) -> Option<Moment> {
        self.timers.as_ref()?.next()
    }

    /// The message of a timer that is due now.
    pub(super) fn timer_due(&mut self) -> Option<A::Message> {
        let timers = self.timers.as_mut()?;
        timers.next()?;
        timers.due(Moment::now())
    }

    /// The same place, for an agent wrapped in this one. What it leaves there is taken over by
    /// [`Context::take_back`].
    #[cfg(feature = "testing")]
    pub(crate) fn lend<B: Agent<Message = A::Message>>(&mut self) -> Context<B> {
        let mut lent = Context::new(Arc::clone(&self.mailbox), Arc::clone(&self.shared), self.incarnation);
        lent.timers = self.timers.take();
        lent.hold = self.hold.take();
        lent.has_ended = self.has_ended;
        lent
    }

    #[cfg(feature = "testing")]
    pub(crate) fn take_back<B: Agent<Message = A::Message>>(&mut self, lent: &mut Context<B>) {
        self.timers = lent.timers.take();
        self.hold = lent.hold.take();
        self.taken += lent.taken;
        self.takes_batches |= lent.takes_batches;
        self.has_ended = lent.has_ended;
    }

    /// The agent's own address.
    pub fn address(&self) -> Address<A::Message> {
        Address::new(Arc::clone(&self.mailbox))
    }

    /// Its place in the tree.
    pub fn path(&self) -> Arc<str> {
        self.mailbox.node.path()
    }

    /// Which life this is, from 1.
    pub fn incarnation(&self) -> u64 {
        self.incarnation
    }

    /// Sees the tree, to look others up.
    pub fn observer(&self) -> Observer {
        Observer::new(Arc::clone(&self.shared))
    }

    /// Takes the next message of the batch that the message in hand came in, by [`Address::send_many`](crate::address::Address::send_many):
    /// for a handler that does less for many at once than for each by itself. What falls due meanwhile waits until it returns.
    ///
    /// Whoever takes it is done with the one before: if the handler fails then, it has failed at the last it took. What it has taken
    /// keeps its room in the mailbox until the handler waits for something, or returns.
    ///
    /// None is to be had where the agent asks for the first time, where it is to stop, to pause or to show itself, and before one message in
    /// 256, whose times are measured. A batch is taken apart on its way into a mailbox with [priorities](Message::PRIORITY) or one that
    /// [drops the oldest](crate::message::Overflow::DropOldest), and each message is handed out by itself where it is to be watched: by
    /// [redelivery](crate::message::Redelivery) or a [time budget](crate::child::Child::handle_within).
    ///
    /// ```
    /// # use triarch_supervision::prelude::*;
    /// struct Line(String);
    ///
    /// impl Message for Line {}
    ///
    /// struct Table {
    ///     rows: Vec<String>,
    /// }
    ///
    /// impl Agent for Table {
    ///     # type Message = Line;
    ///     # type Spec = ();
    ///     # async fn start((): (), _: &mut Context<Self>) -> Result<Self, Failure> { Ok(Self { rows: Vec::new() }) }
    ///     async fn handle(&mut self, Line(first): Line, ctx: &mut Context<Self>) -> Result<(), Failure> {
    ///         let mut together = vec![first];
    ///         while let Some(Line(next)) = ctx.next_of_batch() {
    ///             together.push(next);
    ///         }
    ///         self.rows.append(&mut together); // one transaction for all of them
    ///         Ok(())
    ///     }
    /// }
    /// ```
    #[inline]
    pub fn next_of_batch(&mut self) -> Option<A::Message> {
        self.takes_batches = true;
        let hold = self.hold.as_mut()?;
        if self.has_ended || self.mailbox.node.flags() != 0 || hold.notes.next_is_measured() {
            return None;
        }
        let message = hold.notes.take_of_batch()?;
        self.taken += 1;
        self.mailbox.node.has_handled(self.mailbox.node.handled() + 1);
        if let Some(handed) = A::HANDED {
            handed(&message);
        }
        Some(message)
    }

    /// Ends this incarnation normally once the present callback has returned.
    pub fn stop(&mut self) {
        self.has_ended = true;
    }

    /// Sends the agent `message` after `delay`. Timers end with their incarnation.
    pub fn send_after(&mut self, delay: Duration, message: A::Message) -> TimerId {
        self.timers().once(Moment::now() + delay, message)
    }

    /// Sends the agent a message every `period`, the first after one period. Beats that pass while a handler
    /// runs are skipped, not piled up. A period below a millisecond, the clock's own beat, counts as one.
    pub fn send_every(&mut self, period: Duration, make: impl FnMut() -> A::Message + Send + 'static) -> TimerId {
        let period = period.max(SHORTEST_BEAT);
        self.timers().every(Moment::now() + period, period, Box::new(make))
    }

    /// The same, in step with all others that do so with this period: those who do little at each beat wake the machine once
    /// for all of them. The first comes within one period.
    pub fn send_in_step(&mut self, period: Duration, make: impl FnMut() -> A::Message + Send + 'static) -> TimerId {
        let period = period.max(SHORTEST_BEAT);
        self.timers()
            .every(Moment::now().next_step(period), period, Box::new(make))
    }

    /// Calls a timer off; returns whether it was still to fire.
    pub fn cancel(&mut self, timer: TimerId) -> bool {
        self.timers.as_mut().is_some_and(|timers| timers.cancel(timer))
    }

    /// Sends the agent what `tell` makes of it when the present incarnation of `other` ends. Told once; where
    /// no incarnation is alive, when the next one ends, and where none will be, because `other` has left the tree,
    /// at once: of its last end, or of [`ExitReason::Shutdown`] where it never ran.
    pub fn watch<M: Message>(&self, other: &Address<M>, tell: impl FnOnce(Down) -> A::Message + Send + 'static) {
        let (mailbox, path) = (Arc::downgrade(&self.mailbox), other.path());
        let incarnation = self.incarnation;
        other.mailbox().node.watch(Watcher {
            who: Arc::downgrade(&self.mailbox.node),
            incarnation,
            tell: Box::new(move |reason| {
                if let Some(mailbox) = mailbox.upgrade() {
                    let reason = reason.clone();
                    mailbox.notify(incarnation, tell(Down { path, reason }));
                }
            }),
        });
    }
}
