//! What comes of sending and asking in vain.

use std::fmt;
use std::sync::Arc;

use crate::ask::NoAnswer;

/// Why a message was not queued.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum Refusal {
    /// The mailbox is full.
    #[error("its mailbox is full; send later, wait with `send`, or give it a larger capacity")]
    Full,
    /// The agent is no longer part of the tree.
    #[error("it is no longer part of the tree; look its address up again")]
    Closed,
    /// Nobody stands at the path.
    #[error("nobody stands there; the tree's snapshot lists who does")]
    NoSuchAgent,
    /// Who stands at the path takes other messages.
    #[error("it does not take messages of this type; send to one who does")]
    OtherType,
    /// There was no room before the message's deadline.
    #[error("there was no room in its mailbox before the deadline; allow more time or send less")]
    Expired,
    /// Waiting would never end: these agents wait for each other.
    #[error("waiting would never end, each waits for the next: {}; answer later, or send without waiting", .0.join(" → "))]
    Circle(Vec<Arc<str>>),
}

/// A message that was not queued, and why.
#[derive(Clone, PartialEq, Eq, thiserror::Error)]
#[error("cannot send to {to}: {why}")]
#[non_exhaustive]
pub struct SendError<M> {
    /// The message.
    pub message: M,
    /// The path it was for.
    pub to: Arc<str>,
    /// Why.
    pub why: Refusal,
}

impl<M> fmt::Debug for SendError<M> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("SendError")
            .field("to", &self.to)
            .field("why", &self.why)
            .finish_non_exhaustive()
    }
}

/// A question without an answer.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum AskError {
    /// The question was not queued.
    #[error("cannot ask {to}: {why}")]
    NotSent {
        /// The path it was for.
        to: Arc<str>,
        /// Why.
        why: Refusal,
    },
    /// The question was queued and not answered.
    #[error("no answer from {from}: {why}")]
    NotAnswered {
        /// The path that was asked.
        from: Arc<str>,
        /// Why.
        why: NoAnswer,
    },
}

impl AskError {
    /// Whether the answer only took too long.
    pub fn is_timeout(&self) -> bool {
        matches!(
            self,
            Self::NotAnswered {
                why: NoAnswer::Timeout,
                ..
            }
        )
    }
}
