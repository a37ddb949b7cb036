//! The queue and the gate under schedules a machine thinks of.
//!
//! ```text
//! RUSTFLAGS="--cfg shuttle" cargo test -p triarch-supervision --target-dir target/shuttle --lib schedules
//! ```

mod flow;
mod gate;
mod line;
mod reader;

use std::future::poll_fn;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::task::{Context, Poll, Waker};

use shuttle::future::block_on;
use shuttle::thread::{self, JoinHandle};

use super::{Notes, Parcel, Place, Queue, Refused};
use crate::explore::explore;
use crate::message::{Message, Priority};

/// A message that says who sent it and as which of theirs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Letter<const LANES: bool = false> {
    from: usize,
    number: u64,
}

impl<const LANES: bool> Message for Letter<LANES> {
    const PRIORITY: Option<fn(&Self) -> Priority> = if LANES {
        Some(|letter| Priority::ALL[letter.from % Priority::COUNT])
    } else {
        None
    };
}

fn letter<const LANES: bool>(from: usize, number: u64) -> Letter<LANES> {
    Letter { from, number }
}

fn plain<M>(message: M) -> Parcel<M> {
    Parcel::plain(message)
}

fn bundle<M>(batch: Vec<M>) -> Parcel<M> {
    Parcel::many(batch)
}

fn message<M>(parcel: Parcel<M>) -> M {
    match parcel {
        Parcel::Plain(plain) => plain.message,
        _ => {
            panic!("the queue gives out plain messages where plain ones were put in")
        }
    }
}

/// A queue, and what an outsider counted of it. The counts are no scheduling points.
struct Subject<M> {
    queue: Queue<M>,
    /// Takes begun; one more than were taken while one is under way.
    begun: AtomicU64,
    /// How many may be queued beyond the limit.
    beyond: u64,
}

impl<M: Message> Subject<M> {
    fn new(capacity: u64) -> Arc<Self> {
        Arc::new(Self {
            queue: Queue::new(capacity, false),
            begun: AtomicU64::new(0),
            beyond: 0,
        })
    }

    fn evicting(capacity: u64) -> Arc<Self> {
        Arc::new(Self {
            queue: Queue::new(capacity, true),
            begun: AtomicU64::new(0),
            beyond: 1,
        })
    }

    fn try_send(&self, parcel: Parcel<M>) -> Result<u64, (Refused, Parcel<M>)> {
        let count = parcel.count();
        let number = match parcel {
            Parcel::Plain(plain) => {
                let offered = self.queue.offer_plain(plain.message);
                offered.map_err(|(refused, message)| (refused, Parcel::plain(message)))
            }
            parcel => self.queue.offer(parcel),
        }?;
        self.check_bound(number + count);
        Ok(number)
    }

    /// Sends as an address does: offers, and waits in line where that fails.
    async fn send(&self, parcel: Parcel<M>) -> Result<u64, Parcel<M>> {
        match self.try_send(parcel) {
            Ok(number) => Ok(number),
            Err((Refused::Closed, parcel)) => Err(parcel),
            Err((Refused::Full, parcel)) => self.in_line(parcel).await,
        }
    }

    fn in_line(&self, parcel: Parcel<M>) -> InLine<'_, M> {
        InLine {
            subject: self,
            parcel: Some(parcel),
            place: None,
        }
    }

    /// Whoever is admitted has what was taken or dropped, plus the capacity, as its bound.
    fn check_bound(&self, tail: u64) {
        let gone = self.begun.load(Ordering::SeqCst) + self.queue.evicted();
        let bound = gone + self.queue.capacity() + self.beyond;
        assert!(tail <= bound, "{tail} messages admitted where {bound} have room");
    }

    fn take(&self, notes: &mut Notes<M>) -> Option<Parcel<M>> {
        self.begun.fetch_add(1, Ordering::SeqCst);
        let taken = self.take_either_way(notes);
        if taken.is_none() {
            self.begun.fetch_sub(1, Ordering::SeqCst);
        }
        taken
    }

    /// As an agent does: from the row where there is one.
    fn take_either_way(&self, notes: &mut Notes<M>) -> Option<Parcel<M>> {
        if self.queue.plain_run(notes) > 0
            && let Some(message) = notes.take_plain()
        {
            self.queue.release_in_steps(notes);
            return Some(Parcel::plain(message));
        }
        self.queue.take(notes)
    }

    /// What is left, after which the room has to be whole: none lost, none given twice.
    fn empty(&self, notes: &mut Notes<M>) -> Vec<M> {
        let mut left = Vec::new();
        while let Some(parcel) = self.take(notes) {
            left.push(message(parcel));
        }
        self.queue.release(notes);
        assert_eq!(self.queue.depth(), 0);
        left
    }
}

impl<const LANES: bool> Subject<Letter<LANES>> {
    fn assert_room_is_whole(&self, notes: &mut Notes<Letter<LANES>>) {
        assert!(self.empty(notes).is_empty(), "all had been taken");
        let room = (0..=self.queue.capacity())
            .take_while(|&number| self.queue.offer(plain(letter(0, number))).is_ok())
            .count();
        assert_eq!(room as u64, self.queue.capacity(), "the room there is when all is over");
    }
}

/// The future of a held-back sender, as the address has it.
struct InLine<'a, M: Message> {
    subject: &'a Subject<M>,
    parcel: Option<Parcel<M>>,
    place: Option<Place>,
}

impl<M: Message> Unpin for InLine<'_, M> {}

impl<M: Message> Future for InLine<'_, M> {
    type Output = Result<u64, Parcel<M>>;

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        let this = self.get_mut();
        let count = this.parcel.as_ref().map_or(0, Parcel::count);
        match std::task::ready!(this.subject.queue.poll_offer(&mut this.parcel, &mut this.place, cx)) {
            Ok(number) => {
                this.subject.check_bound(number + count);
                Poll::Ready(Ok(number))
            }
            Err(()) => Poll::Ready(Err(this.parcel.take().expect("who is sent away keeps its message"))),
        }
    }
}

impl<M: Message> Drop for InLine<'_, M> {
    fn drop(&mut self) {
        if let Some(place) = self.place.take() {
            self.subject.queue.leave(place);
        }
    }
}

/// Takes as `Life` does: yields at `Soon`, rests at `Empty`, answers the bell.
struct Taker<M> {
    subject: Arc<Subject<M>>,
    notes: Notes<M>,
    answering: Option<Waker>,
}

impl<M: Message> Taker<M> {
    fn new(subject: &Arc<Subject<M>>) -> Self {
        Self::taking_over(subject, Notes::default())
    }

    fn taking_over(subject: &Arc<Subject<M>>, notes: Notes<M>) -> Self {
        Self {
            subject: Arc::clone(subject),
            notes,
            answering: None,
        }
    }

    async fn next(&mut self) -> M {
        loop {
            match self.subject.take(&mut self.notes) {
                Some(parcel) => return message(parcel),
                None => {
                    if self.subject.queue.rest(&mut self.notes) {
                        self.rung().await;
                    }
                }
            }
        }
    }

    async fn rung(&mut self) {
        let (queue, answering) = (&self.subject.queue, &mut self.answering);
        poll_fn(|cx| {
            if !answering.as_ref().is_some_and(|waker| waker.will_wake(cx.waker())) {
                queue.bell.answer_with(cx.waker());
                *answering = Some(cx.waker().clone());
            }
            if queue.is_idle() {
                Poll::Pending
            } else {
                Poll::Ready(())
            }
        })
        .await;
    }

    async fn next_many(&mut self, count: u64) -> Vec<M> {
        let mut taken = Vec::new();
        for _ in 0..count {
            taken.push(self.next().await);
        }
        taken
    }

    /// What `Life` does before it waits for anything but messages.
    fn pause(&mut self) {
        self.subject.queue.release(&self.notes);
        self.subject.queue.look_ahead(&mut self.notes);
    }

    /// What the mailbox does when an incarnation ends.
    fn stand_up(mut self) -> Notes<M> {
        self.subject.queue.bell.mute();
        self.subject.queue.look_ahead(&mut self.notes);
        self.notes
    }
}

/// Sends letters 0 to `count` in the name of `from`, each held back where it must be.
fn sender<const LANES: bool>(subject: &Arc<Subject<Letter<LANES>>>, from: usize, count: u64) -> JoinHandle<()> {
    let subject = Arc::clone(subject);
    thread::spawn(move || {
        for number in 0..count {
            block_on(subject.send(plain(letter(from, number)))).expect("nobody closes it");
        }
    })
}

fn join(handles: impl IntoIterator<Item = JoinHandle<()>>) {
    for handle in handles {
        handle.join().unwrap();
    }
}

/// Each sender's letters, in the order they were taken, are 0 to `count`.
fn assert_each_in_order<const LANES: bool>(taken: &[Letter<LANES>], senders: usize, count: u64) {
    for from in 0..senders {
        let numbers = taken
            .iter()
            .filter(|letter| letter.from == from)
            .map(|letter| letter.number);
        assert!(numbers.eq(0..count), "sender {from}: {taken:?}");
    }
    assert_eq!(taken.len() as u64, senders as u64 * count, "{taken:?}");
}
