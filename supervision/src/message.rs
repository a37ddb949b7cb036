//! What a message type declares about itself.

use std::fmt;

use serde::{Deserialize, Serialize};

use crate::dead_letter::DeadReason;
use crate::panics::quietly;

/// A type that travels through a mailbox.
///
/// The defaults suit most: held-back senders, one lane, no redelivery.
///
/// ```
/// use triarch_supervision::message::{Message, Overflow, Priority, Redelivery};
///
/// #[derive(Clone)]
/// enum Order { Cancel(u64), Place(u64) }
///
/// impl Message for Order {
///     const OVERFLOW: Overflow = Overflow::Reject;
///     const PRIORITY: Option<fn(&Self) -> Priority> = Some(|order| match order {
///         Order::Cancel(_) => Priority::High,
///         Order::Place(_) => Priority::Normal,
///     });
///     const REDELIVERY: Option<Redelivery<Self>> = Some(Redelivery::cloned(2));
/// }
/// ```
pub trait Message: Send + Sized + 'static {
    /// What happens when the mailbox is full; a child specification may say otherwise.
    const OVERFLOW: Overflow = Overflow::Wait;

    /// The priority of a message, where its type has any: then the mailbox has a lane for each. It may be asked more
    /// than once, and answers the same. A type without priorities pays nothing for lanes.
    const PRIORITY: Option<fn(&Self) -> Priority> = None;

    /// Whether and how a message whose handling crashed is handed out again. A type without redelivery pays nothing for
    /// it.
    const REDELIVERY: Option<Redelivery<Self>> = None;

    /// Whether it is measured how long messages wait and how long their handling takes. A type that says no costs its
    /// senders no look at the clock; it is counted, and has no ages and no times.
    const TIMED: bool = true;

    /// What a message is told each time that it is handed out, right before a handler gets it. A type without pays nothing for it.
    const HANDED: Option<fn(&Self)> = None;

    /// What a message is told when it becomes a dead letter, once, before it is kept or dropped: in the name of whoever closed its
    /// mailbox, sent what there was no room for, or read it.
    const DIED: Option<fn(&mut Self, DeadReason)> = None;
}

/// A message that there is none of: for agents that do what they do by themselves, as by [`attend`](crate::Agent::attend).
#[derive(Debug)]
pub enum Nothing {}

impl Message for Nothing {}

/// What a mailbox reads in the declarations of a message type, while it is compiled.
pub(crate) trait Declared: Message {
    const LANES: bool = Self::PRIORITY.is_some();

    const REDELIVERIES: u32 = match Self::REDELIVERY {
        Some(redelivery) => redelivery.times,
        None => 0,
    };

    #[inline]
    fn priority(&self) -> Priority {
        Self::PRIORITY.map_or(Priority::Normal, |priority| priority(self))
    }

    #[inline]
    fn again(&self) -> Option<Self> {
        Self::REDELIVERY.and_then(|redelivery| (redelivery.again)(self))
    }

    #[inline]
    fn died(&mut self, reason: DeadReason) {
        if let Some(died) = Self::DIED {
            quietly(|| died(self, reason));
        }
    }
}

impl<M: Message> Declared for M {}

/// How often a message whose handling crashed is handed out again before it counts as poison, and how the copy is made
/// that this takes.
pub struct Redelivery<M> {
    times: u32,
    again: fn(&M) -> Option<M>,
}

impl<M> Redelivery<M> {
    /// Hands out up to `times` more what `again` makes of a message before it is handled; one of which it makes nothing
    /// is not handed out again.
    ///
    /// A [`Reply`](crate::ask::Reply) cannot be copied. A question whose copies share one, as in
    /// `Arc<Mutex<Option<Reply<T>>>>`, can still be answered by a later life; the asker of one that is poison is told
    /// so. Where the copies have none, the asker is told at the first crash.
    ///
    /// ```
    /// use std::sync::{Arc, Mutex, PoisonError};
    /// use triarch_supervision::prelude::*;
    ///
    /// /// A question that outlives two crashes of who handles it.
    /// #[derive(Clone)]
    /// struct Square(u64, Arc<Mutex<Option<Reply<u64>>>>);
    ///
    /// impl Square {
    ///     fn new(number: u64, reply: Reply<u64>) -> Self {
    ///         Self(number, Arc::new(Mutex::new(Some(reply))))
    ///     }
    ///
    ///     /// Called when the work is done: who takes the reply sooner loses it with a crash.
    ///     fn answer(&self, square: u64) {
    ///         let reply = self.1.lock().unwrap_or_else(PoisonError::into_inner).take();
    ///         reply.into_iter().for_each(|reply| reply.send(square));
    ///     }
    /// }
    ///
    /// impl Message for Square {
    ///     const REDELIVERY: Option<Redelivery<Self>> = Some(Redelivery::cloned(2));
    /// }
    ///
    /// async fn ask(worker: &Address<Square>) -> Result<u64, AskError> {
    ///     worker.ask(|reply| Square::new(7, reply)).await
    /// }
    /// ```
    pub const fn new(times: u32, again: fn(&M) -> Option<M>) -> Self {
        Self { times, again }
    }
}

impl<M: Clone> Redelivery<M> {
    /// Hands out up to `times` more a clone of the message.
    pub const fn cloned(times: u32) -> Self {
        Self::new(times, |message| Some(message.clone()))
    }
}

impl<M> Clone for Redelivery<M> {
    fn clone(&self) -> Self {
        *self
    }
}

impl<M> Copy for Redelivery<M> {}

impl<M> fmt::Debug for Redelivery<M> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Redelivery")
            .field("times", &self.times)
            .finish_non_exhaustive()
    }
}

/// What happens to a message that finds the mailbox full.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Overflow {
    /// The sender is held back until there is room.
    #[default]
    Wait,
    /// It comes back to the sender in the error.
    Reject,
    /// It becomes a dead letter.
    DropNewest,
    /// The oldest message of the least urgent lane becomes a dead letter and makes room.
    DropOldest,
}

/// The lanes of a mailbox, most urgent first.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Priority {
    /// Before everything.
    Critical,
    /// Before what is normal.
    High,
    /// What most are.
    #[default]
    Normal,
    /// After what is normal.
    Low,
    /// When nothing else waits.
    Background,
}

impl Priority {
    /// How many there are.
    pub const COUNT: usize = 5;

    /// All of them, most urgent first.
    pub const ALL: [Self; Self::COUNT] = [Self::Critical, Self::High, Self::Normal, Self::Low, Self::Background];

    /// The word used in metrics and screens.
    pub const fn label(self) -> &'static str {
        match self {
            Self::Critical => "critical",
            Self::High => "high",
            Self::Normal => "normal",
            Self::Low => "low",
            Self::Background => "background",
        }
    }

    pub(crate) const fn lane(self) -> usize {
        self as usize
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[derive(Clone, Debug, PartialEq)]
    struct Plain;

    impl Message for Plain {}

    #[derive(Clone, Debug, PartialEq)]
    struct Rich(u32);

    impl Message for Rich {
        const PRIORITY: Option<fn(&Self) -> Priority> = Some(|_| Priority::High);
        const REDELIVERY: Option<Redelivery<Self>> =
            Some(Redelivery::new(3, |rich| (rich.0 > 0).then(|| rich.clone())));
    }

    #[test]
    fn what_a_type_does_not_declare_it_does_not_have() {
        const { assert!(!Plain::LANES && Plain::REDELIVERIES == 0) };
        assert_eq!((Plain.priority(), Plain.again()), (Priority::Normal, None));
    }

    #[test]
    fn what_a_type_declares_is_asked_of_each_message() {
        const { assert!(Rich::LANES && Rich::REDELIVERIES == 3) };
        assert_eq!((Rich(1).priority(), Rich(1).again()), (Priority::High, Some(Rich(1))));
        assert_eq!(Rich(0).again(), None);
    }
}
