//! What a message type declares about itself.

use serde::Serialize;

/// A type that travels through a mailbox.
///
/// The defaults suit most: held-back senders, one lane, no redelivery.
///
/// ```
/// use triarch_supervision::message::{Message, Overflow, Priority};
///
/// enum Order { Cancel(u64), Place(u64) }
///
/// impl Message for Order {
///     const OVERFLOW: Overflow = Overflow::Reject;
///     const LANES: bool = true;
///
///     fn priority(&self) -> Priority {
///         match self {
///             Order::Cancel(_) => Priority::High,
///             Order::Place(_) => Priority::Normal,
///         }
///     }
/// }
/// ```
pub trait Message: Send + Sized + 'static {
    /// What happens when the mailbox is full; a child specification may say otherwise.
    const OVERFLOW: Overflow = Overflow::Wait;

    /// Whether messages have priorities. A type without them pays nothing for lanes.
    const LANES: bool = false;

    /// How often a message whose handling crashed is handed out again before it counts as poison.
    /// Needs [`Message::again`].
    const REDELIVERIES: u32 = 0;

    /// Whether it is measured how long messages wait and how long their handling takes. A type that says no costs its
    /// senders no look at the clock; it is counted, and has no ages and no times.
    const TIMED: bool = true;

    /// The lane this message travels in, where [`Message::LANES`] is true; may be asked more than once, and answers the
    /// same.
    fn priority(&self) -> Priority {
        Priority::Normal
    }

    /// A copy to hand out again if handling this one crashes. Asked for only where
    /// [`Message::REDELIVERIES`] is not 0.
    ///
    /// A [`Reply`](crate::ask::Reply) cannot be copied. A question whose copies share one, as in
    /// `Arc<Mutex<Option<Reply<T>>>>`, can still be answered by a later life; the asker of one that is poison is told
    /// so. Where the copies have none, the asker is told at the first crash.
    fn again(&self) -> Option<Self> {
        None
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
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
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
