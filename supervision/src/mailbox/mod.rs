//! The mailbox of one child specification: it outlives the incarnations that read it.
//!
//! ```text
//!  senders ──admit, put──▶ hatch: word, tray ──take away──▶ the agent's ractor actor
//!             │                                 │     ▲
//!             └─ full: the line ◀──── room ─────┘     │
//!                                         bell ───────┘ rung once, when the mailbox was idle
//! ```
//!
//! Life, links and kills are ractor's. What is written here is what neither it nor a channel has: the bound that
//! also covers what was taken and not begun, the line of held-back senders, the bell.

mod bell;
mod burial;
mod hatch;
mod intake;
mod lanes;
mod line;
mod parcel;
mod queue;
mod word;

#[cfg(not(shuttle))]
#[cfg(test)]
mod ages_test;
#[cfg(not(shuttle))]
#[cfg(test)]
mod model_test;
#[cfg(shuttle)]
#[cfg(test)]
mod schedules;

use std::collections::VecDeque;
use std::sync::atomic::{AtomicU32, AtomicU64, Ordering};
use std::sync::{Arc, OnceLock, Weak};

pub(crate) use bell::Bell;
pub(crate) use intake::ByPriority;
use intake::Tally;
pub(crate) use line::Place;
pub(crate) use parcel::{Content, Parcel, Plain, Special, Stamp};
pub(crate) use queue::{Notes, Queue, SAMPLE_EVERY};
pub(crate) use word::Refused;

use self::burial::Burial;
use crate::ask::{NoAnswer, Ticket};
use crate::clock::Moment;
use crate::dead_letter::{DeadReason, Letter, Replay};
use crate::message::{Declared as _, Message, Overflow};
use crate::panics::drop_quietly;
use crate::reason::ExitReason;
use crate::sync::lock;
use crate::tree::{Door, Figures, Glance, MailboxFigures, NOTICE, Node, Shared};

/// How many messages may wait where a child specification says nothing.
pub(crate) const CAPACITY: usize = 1024;

/// A mailbox: a queue, whose it is, and what became of messages.
///
/// The order of the fields keeps what the agent reads for each message off the cache line at the queue's end, which
/// senders write: what is seldom touched lies between.
#[derive(Debug)]
#[repr(C)]
pub(crate) struct Mailbox<M> {
    pub(crate) queue: Queue<M>,
    #[expect(
        clippy::box_collection,
        reason = "few agents ever watch another: a word for most, not four"
    )]
    notices: std::sync::Mutex<Option<Box<VecDeque<M>>>>,
    seat: std::sync::Mutex<Option<Box<Hold<M>>>>,
    dropped: AtomicU64,
    tally: Tally,
    /// Messages dropped before there was a tree to tell of it.
    untold: AtomicU64,
    /// Incarnations of which something is left: one, or none.
    incarnations: AtomicU32,
    pub(crate) overflow: Overflow,
    pub(crate) node: Arc<Node>,
    pub(crate) shared: OnceLock<Arc<Shared>>,
}

/// What the reader of a mailbox holds, and hands on to the next incarnation.
#[derive(Debug)]
pub(crate) struct Hold<M> {
    pub(crate) notes: Notes<M>,
    pub(crate) again: Option<Box<Again<M>>>,
}

/// A message to hand out again.
#[derive(Debug)]
pub(crate) struct Again<M> {
    pub(crate) message: M,
    /// After which it is void.
    pub(crate) until: Option<Moment>,
    /// How often it was handed out already, after the first time.
    pub(crate) attempts: u32,
    /// Of a question whose reply the copy shares.
    pub(crate) ticket: Option<Ticket>,
}

impl<M> Again<M> {
    /// Whether it is not to be handled any more.
    pub(crate) fn is_void(&self) -> bool {
        self.until.is_some_and(|until| Moment::now() > until)
            || self.ticket.as_ref().is_some_and(|ticket| !ticket.is_wanted())
    }

    pub(crate) fn into_parcel(self) -> Parcel<M> {
        match self.ticket {
            Some(ticket) => Parcel::special(Content::Ask(ticket, self.message)),
            None => Parcel::plain(self.message),
        }
    }
}

impl<M> Default for Hold<M> {
    fn default() -> Self {
        Self {
            notes: Notes::default(),
            again: None,
        }
    }
}

impl<M: Message> Mailbox<M> {
    pub(crate) fn new(node: Arc<Node>, capacity: usize, overflow: Overflow) -> Arc<Self> {
        let mailbox = Arc::new(Self {
            queue: Queue::new(capacity as u64, overflow == Overflow::DropOldest),
            node,
            overflow,
            shared: OnceLock::new(),
            seat: std::sync::Mutex::new(Some(Box::default())),
            notices: std::sync::Mutex::new(None),
            dropped: AtomicU64::new(0),
            tally: Tally::new(M::LANES),
            untold: AtomicU64::new(0),
            incarnations: AtomicU32::new(0),
        });
        let figures: Weak<Self> = Arc::downgrade(&mailbox);
        mailbox.node.set_figures(figures);
        mailbox
    }

    /// An incarnation begins to exist.
    pub(crate) fn move_in(&self) {
        self.incarnations.fetch_add(1, Ordering::AcqRel);
    }

    /// Nothing is left of an incarnation.
    pub(crate) fn move_out(&self) {
        self.incarnations.fetch_sub(1, Ordering::AcqRel);
    }

    pub(crate) fn is_vacant(&self) -> bool {
        self.incarnations.load(Ordering::Acquire) == 0
    }

    /// Takes the reader's seat. One reader at a time: `None` while another sits there.
    pub(crate) fn sit_down(&self) -> Option<Box<Hold<M>>> {
        lock(&self.seat).take()
    }

    /// Leaves the reader's seat to the next incarnation.
    pub(crate) fn stand_up(&self, mut hold: Box<Hold<M>>) {
        self.queue.bell.mute();
        self.queue.release(&hold.notes);
        self.queue.look_ahead(&mut hold.notes);
        *lock(&self.seat) = Some(hold);
        if self.queue.is_closed() {
            self.bury();
        }
    }

    /// Puts a message before all others, beyond the bound; for what this very incarnation has asked for.
    pub(crate) fn notify(&self, incarnation: u64, message: M) {
        let mut notices = lock(&self.notices);
        // The next one begins before it has the notices of the last cleared.
        if self.node.incarnation() != incarnation {
            drop(notices);
            return drop_quietly(message);
        }
        notices.get_or_insert_default().push_back(message);
        drop(notices);
        self.node.raise(NOTICE);
        self.queue.bell.ring();
    }

    /// Forgets what an earlier incarnation was to be told.
    pub(crate) fn clear_notices(&self) {
        let forgotten = lock(&self.notices).take();
        self.node.lower(NOTICE);
        forgotten
            .into_iter()
            .flat_map(|notices| *notices)
            .for_each(drop_quietly);
    }

    pub(crate) fn take_notice(&self) -> Option<M> {
        lock(&self.notices).as_mut()?.pop_front()
    }

    /// Closes for good: senders get `closed`, and what lies in it becomes dead letters.
    pub(crate) fn close(&self) {
        if self.queue.close() {
            self.bury();
        }
    }

    /// Makes dead letters of what lies in a closed mailbox, if nobody reads it.
    fn bury(&self) {
        let Some(mut hold) = self.sit_down() else { return };
        self.clear_notices();
        let mut burial = Burial::new();
        while let Some(parcel) = self.queue.take(&mut hold.notes) {
            burial.take(parcel);
        }
        if let Some(again) = hold.again.take() {
            burial.take(again.into_parcel());
        }
        self.queue.release(&hold.notes);
        *lock(&self.seat) = Some(hold);
        self.keep_last(burial);
    }

    /// Counts those that lay in a closed mailbox, and keeps the last of them with their messages.
    fn keep_last(&self, Burial { count, last }: Burial<M>) {
        if count == 0 {
            return;
        }
        let reason = DeadReason::Closed;
        self.dropped.fetch_add(count, Ordering::Relaxed);
        let Some(shared) = self.shared.get() else {
            return last.into_iter().for_each(drop_quietly);
        };
        self.node.meters().messages_died(reason, count);
        let at = Moment::now();
        let letters = last.into_iter().map(|message| self.letter(message, reason, None, at));
        shared.dead_letters.keep_last(reason, count, letters.collect());
    }

    /// Makes a message a dead letter.
    pub(crate) fn discard(&self, parcel: Parcel<M>, reason: DeadReason, cause: Option<&ExitReason>) {
        let at = Moment::now();
        match parcel.into_content() {
            Content::One(message) | Content::Until(_, message) => {
                self.dead_letter(Some(message), reason, cause, at);
            }
            Content::Ask(ticket, message) => {
                refuse(&ticket, message, reason);
                self.dead_letter(None, reason, cause, at);
            }
            Content::Many(batch) => {
                for message in batch {
                    self.dead_letter(Some(message), reason, cause, at);
                }
            }
        }
    }

    /// Counts a dead letter and keeps it with its message, where there is one.
    pub(crate) fn dead_letter(
        &self,
        mut message: Option<M>,
        reason: DeadReason,
        cause: Option<&ExitReason>,
        at: Moment,
    ) {
        if let Some(message) = &mut message {
            message.died(reason);
        }
        if reason.was_begun() {
            self.node.count_failed();
        } else {
            self.dropped.fetch_add(1, Ordering::Relaxed);
        }
        let Some(shared) = self.shared.get() else {
            return self.died_untold(reason);
        };
        self.node.meters().messages_died(reason, 1);
        let letter = self.letter(message, reason, cause, at);
        shared.dead_letters.keep(letter);
    }

    fn letter(&self, message: Option<M>, reason: DeadReason, cause: Option<&ExitReason>, at: Moment) -> Letter {
        Letter {
            to: self.node.path(),
            message_type: std::any::type_name::<M>(),
            reason,
            cause: cause.cloned(),
            at,
            replay: message.and_then(|message| self.replay(message)),
        }
    }

    /// The agent is part of a tree from now on, and enlisted there.
    pub(crate) fn joins(&self, shared: &Arc<Shared>) {
        // A mailbox belongs to one tree for life, so a second call has nothing to add.
        let _first = self.shared.set(Arc::clone(shared));
        self.tell_untold();
    }

    /// Only a full mailbox drops messages before it is part of a tree, save one that will never be.
    fn died_untold(&self, reason: DeadReason) {
        if reason == DeadReason::Full {
            self.untold.fetch_add(1, Ordering::SeqCst);
            // It may have joined meanwhile.
            self.tell_untold();
        }
    }

    fn tell_untold(&self) {
        if let Some(shared) = self.shared.get() {
            let many = self.untold.swap(0, Ordering::SeqCst);
            shared.dead_letters.count_many(DeadReason::Full, many);
            self.node.meters().messages_died(DeadReason::Full, many);
        }
    }

    /// When the oldest message that waits or is in hand was queued.
    fn oldest(&self) -> Option<Stamp> {
        if !M::TIMED {
            return None;
        }
        let waiting = || {
            if self.queue.depth() > 0 {
                self.queue.oldest()
            } else {
                None
            }
        };
        self.node.in_hand().or_else(waiting)
    }

    fn replay(&self, message: M) -> Option<Replay> {
        // Weak: the letter lies in what it would otherwise keep alive.
        let shared = Arc::downgrade(self.shared.get()?);
        let path = self.node.path();
        let mut kept = Some(message);
        Some(Box::new(move || {
            let shared = shared.upgrade().ok_or(Refused::Closed)?;
            let mailbox = shared
                .find(&path)
                .and_then(|entry| entry.door.as_any().downcast::<Self>().ok());
            let mailbox = mailbox.ok_or(Refused::Closed)?;
            let message = kept.take().ok_or(Refused::Closed)?;
            let Err((why, back)) = mailbox.offer(Parcel::plain(message)) else {
                return Ok(());
            };
            kept = back.into_content().into_messages().pop();
            Err(why)
        }))
    }
}

/// Tells who asked; the question is not kept, for nobody waits for its answer any more.
fn refuse<M: Message>(ticket: &Ticket, mut question: M, why: DeadReason) {
    ticket.fail(no_answer(why));
    question.died(why);
    drop_quietly(question);
}

fn no_answer(reason: DeadReason) -> NoAnswer {
    match reason {
        DeadReason::Full => NoAnswer::Full,
        DeadReason::Closed | DeadReason::NoSuchAgent => NoAnswer::Closed,
        DeadReason::Expired => NoAnswer::Expired,
        DeadReason::Crashed => NoAnswer::Crashed,
        DeadReason::Poison => NoAnswer::Poison,
    }
}

impl<M: Message> MailboxFigures for Mailbox<M> {
    fn is_idle(&self) -> bool {
        self.queue.is_idle()
    }

    fn glance(&self, now: Moment) -> Glance {
        let admitted = self.queue.admitted();
        if self.queue.is_idle() {
            // Most are, and then the lines that only the taker writes are left alone.
            return Glance::idle(admitted);
        }
        Glance {
            is_idle: false,
            depth: self.queue.depth(),
            oldest_age: self.oldest().map(|stamp| stamp.age(now)).unwrap_or_default(),
            admitted,
        }
    }

    fn taken_in_by_priority(&self) -> Option<ByPriority> {
        if M::LANES { self.tally.take() } else { None }
    }

    #[cfg(feature = "testing")]
    fn is_read(&self) -> bool {
        lock(&self.seat).is_none()
    }

    fn read(&self) -> Figures {
        let depth = self.queue.depth();
        Figures {
            depth,
            capacity: self.queue.capacity(),
            high_water: self.queue.high_water().max(depth),
            oldest_age: self.oldest().map(|stamp| stamp.age(Moment::now())),
            enqueued: self.queue.admitted() + self.node.beside(),
            handled: self.node.handled(),
            failed: self.node.failed(),
            dropped: self.dropped.load(Ordering::Relaxed),
            overflow: self.overflow,
        }
    }
}

impl<M: Message> Door for Mailbox<M> {
    fn ring(&self) {
        self.queue.bell.ring();
    }

    fn as_any(self: Arc<Self>) -> Arc<dyn std::any::Any + Send + Sync> {
        self
    }

    fn figures(&self) -> Option<&dyn MailboxFigures> {
        Some(self)
    }

    fn bring_near(&self) {
        self.queue.bring_near();
    }
}

#[cfg(all(test, not(shuttle)))]
mod tests {
    use super::*;

    #[tokio::test(start_paused = true)]
    async fn a_message_to_hand_out_again_is_void_after_its_moment_and_not_at_it() {
        let now = Moment::now();
        let nanosecond = std::time::Duration::from_nanos(1);
        let is_void = |until| {
            let (message, attempts, ticket) = ((), 0, None);
            Again {
                message,
                until,
                attempts,
                ticket,
            }
            .is_void()
        };
        assert!(!is_void(None));
        assert!(!is_void(Some(now + nanosecond)));
        assert!(!is_void(Some(now)));
        assert!(is_void(Some(now - nanosecond)));
    }
}
