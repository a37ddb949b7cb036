//! Figures of one mailbox.

use std::time::Duration;

use serde::Serialize;

use crate::clock::Moment;
use crate::mailbox::ByPriority;
use crate::message::Overflow;

/// What a mailbox shows of itself without being asked.
pub(crate) trait MailboxFigures: Send + Sync {
    fn is_idle(&self) -> bool;
    fn read(&self) -> Figures;
    /// What a sample needs of it, without a look at the clock.
    fn glance(&self, now: Moment) -> Glance;
    /// What it has taken in by priority since this was last asked, where its messages have priorities.
    fn taken_in_by_priority(&self) -> Option<ByPriority>;
    /// Whether an incarnation sits in the reader's seat.
    #[cfg(feature = "testing")]
    fn is_read(&self) -> bool;
}

/// What a sample needs of a mailbox.
pub(crate) struct Glance {
    pub(crate) is_idle: bool,
    pub(crate) depth: u64,
    pub(crate) oldest_age: Duration,
    /// What lay in the queue so far; the node knows what came in beside it.
    pub(crate) admitted: u64,
}

impl Glance {
    pub(crate) fn idle(admitted: u64) -> Self {
        Self {
            is_idle: true,
            depth: 0,
            oldest_age: Duration::ZERO,
            admitted,
        }
    }
}

/// The figures of one mailbox at one moment.
///
/// Each message ends in exactly one of three: `handled`, `failed`, `dropped`. So while the agent has none in hand, and
/// none to be handed out again,
///
/// ```text
/// enqueued = handled + failed + dropped + depth
/// ```
///
/// and else one more. Those that `failed` or were `dropped` are the mailbox's dead letters. A message that is handed
/// out again is counted once, when it is done with; one that is replayed counts as a new one.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[non_exhaustive]
pub struct Figures {
    /// Messages waiting.
    pub depth: u64,
    /// How many may wait.
    pub capacity: u64,
    /// The most that ever waited, as seen whenever room was released or refused.
    pub high_water: u64,
    /// How long the oldest message that waits or is in hand has been there: exact to 65 µs while no more than
    /// 16 wait, above that up to 128 messages too old; `None` where there is none, or where
    /// the type is not [timed](crate::Message::TIMED).
    #[serde(rename = "oldest_age_ms", serialize_with = "as_millis")]
    pub oldest_age: Option<Duration>,
    /// Messages ever taken in: those queued, those that a full mailbox dropped at once, and those that the agent's own
    /// timers and watches brought.
    pub enqueued: u64,
    /// Messages whose handler returned well, over all incarnations.
    pub handled: u64,
    /// Messages whose handler failed: returned an error, panicked, or was killed. A failure between messages, such as
    /// that of [`Agent::idle`](crate::Agent::idle), is none of a message.
    pub failed: u64,
    /// Messages that reached no handler: there was no room, the mailbox closed, or they were void.
    pub dropped: u64,
    /// What happens when it is full.
    pub overflow: Overflow,
}

#[expect(clippy::ref_option, reason = "serde hands fields over by reference")]
fn as_millis<S: serde::Serializer>(age: &Option<Duration>, serializer: S) -> Result<S::Ok, S::Error> {
    match age {
        Some(age) => serializer.serialize_some(&(age.as_secs_f64() * 1e3)),
        None => serializer.serialize_none(),
    }
}
