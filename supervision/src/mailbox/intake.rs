//! The way into a mailbox: the queue's own, and what is counted of it.

use std::sync::atomic::{AtomicU64, Ordering};
use std::task::{Context, Poll};

use super::{Content, Mailbox, Parcel, Place, Refused};
use crate::clock::Moment;
use crate::dead_letter::DeadReason;
use crate::message::{Declared as _, Message, Priority};

/// How many messages of each priority, the most urgent first.
pub(crate) type ByPriority = [u64; Priority::COUNT];

/// What was taken in by priority since somebody last looked; nothing is kept for a type without priorities.
#[derive(Debug)]
pub(super) struct Tally(Option<Box<[AtomicU64; Priority::COUNT]>>);

impl Tally {
    pub(super) fn new(has_priorities: bool) -> Self {
        Self(has_priorities.then(Box::default))
    }

    fn add(&self, many: &ByPriority) {
        for (count, many) in self.0.iter().flat_map(|counts| counts.iter()).zip(many) {
            if *many > 0 {
                count.fetch_add(*many, Ordering::Relaxed);
            }
        }
    }

    fn add_one(&self, priority: Priority) {
        if let Some(count) = self.0.as_ref().and_then(|counts| counts.get(priority.lane())) {
            count.fetch_add(1, Ordering::Relaxed);
        }
    }

    /// Each message is told once, whoever looks.
    pub(super) fn take(&self) -> Option<ByPriority> {
        let counts = self.0.as_ref()?;
        let take = |count: &AtomicU64| match count.load(Ordering::Relaxed) {
            0 => 0,
            _ => count.swap(0, Ordering::Relaxed),
        };
        Some(counts.each_ref().map(take))
    }
}

/// Of a type without priorities nothing is asked.
fn priorities<M: Message>(parcel: &Parcel<M>) -> ByPriority {
    let mut many = ByPriority::default();
    let mut count = |message: &M| {
        if let Some(many) = many.get_mut(message.priority().lane()) {
            *many += 1;
        }
    };
    match parcel {
        _ if !M::LANES => {}
        Parcel::Plain(plain) => count(&plain.message),
        Parcel::Many(batch) => batch.iter().for_each(count),
        Parcel::Mark(_) => {}
        Parcel::Special(special) => match &special.content {
            Content::One(message) | Content::Until(_, message) | Content::Ask(_, message) => count(message),
            Content::Many(batch) => batch.iter().for_each(count),
        },
    }
    many
}

impl<M: Message> Mailbox<M> {
    fn count(&self, many: &ByPriority) {
        if M::LANES {
            self.tally.add(many);
        }
    }

    /// Queues `parcel` if there is room and nobody waits for it. Returns the message's number.
    #[inline]
    pub(crate) fn offer(&self, parcel: Parcel<M>) -> Result<u64, (Refused, Parcel<M>)> {
        self.offer_at(None, parcel)
    }

    /// As [`Mailbox::offer`], by one who knows what time it is.
    #[inline]
    pub(crate) fn offer_at(&self, now: Option<Moment>, parcel: Parcel<M>) -> Result<u64, (Refused, Parcel<M>)> {
        let many = priorities(&parcel);
        self.queue.offer_at(now, parcel).inspect(|_| self.count(&many))
    }

    /// As [`Mailbox::offer`], for what most messages are.
    #[expect(
        clippy::inline_always,
        reason = "a call would lay the message down once more on its way"
    )]
    #[inline(always)]
    pub(crate) fn offer_plain(&self, message: M) -> Result<u64, (Refused, M)> {
        if !M::LANES {
            return self.queue.offer_plain(message);
        }
        let priority = message.priority();
        let offered = self.queue.offer_plain(message);
        offered.inspect(|_| self.tally.add_one(priority))
    }

    /// Waits in line for room for `parcel`, as the queue does.
    pub(crate) fn poll_offer(
        &self,
        parcel: &mut Option<Parcel<M>>,
        place: &mut Option<Place>,
        cx: &Context<'_>,
    ) -> Poll<Result<u64, ()>> {
        let many = parcel.as_ref().map(priorities).unwrap_or_default();
        self.queue.poll_offer(parcel, place, cx).map_ok(|number| {
            self.count(&many);
            number
        })
    }

    /// Queues `parcel`, in the room of the oldest message if need be, which becomes a dead letter. `Err` gives it back
    /// where the mailbox is closed.
    pub(crate) fn displace(&self, parcel: Parcel<M>) -> Result<(), Parcel<M>> {
        if self.queue.capacity() == 0 {
            // There is no room that anybody could make.
            self.turn_away(parcel);
            return Ok(());
        }
        let many = priorities(&parcel);
        let (_, oldest) = self.queue.displace(parcel)?;
        self.count(&many);
        if let Some(oldest) = oldest {
            self.discard(oldest, DeadReason::Full, None);
        }
        Ok(())
    }

    /// Takes in what there is no room for, and drops it at once.
    pub(crate) fn turn_away(&self, parcel: Parcel<M>) {
        self.count(&priorities(&parcel));
        self.node.count_beside(parcel.count());
        self.discard(parcel, DeadReason::Full, None);
    }

    /// Takes in a message that the agent itself has asked for, and that needs no room.
    pub(crate) fn takes_in_own(&self, message: &M) {
        if M::LANES {
            self.tally.add_one(message.priority());
        }
        self.node.count_beside(1);
    }
}

#[cfg(all(test, not(shuttle)))]
mod tests {
    use super::*;

    struct Plain;

    impl Message for Plain {}

    #[test]
    fn a_message_of_a_type_without_priorities_is_counted_by_none() {
        for parcel in [
            Parcel::plain(Plain),
            Parcel::many(vec![Plain]),
            Parcel::special(Content::One(Plain)),
        ] {
            assert_eq!(priorities(&parcel), ByPriority::default());
        }
    }
}
