//! What can go wrong in this room.

use std::sync::Arc;
use std::time::Duration;

use triarch_journal::WriteError;
use triarch_supervision::address::AskError;
use triarch_supervision::metrics::InstrumentError;

use crate::access::NotAllowed;
use crate::agenda::AgendaFull;
use crate::codec::{CodecError, TooLarge};
use crate::envelope::PAYLOAD_LIMIT;
use crate::metrics::COUNTED_MAX;
use crate::topic::{Pattern, Topic, TopicError};

/// Why there is no bus.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// A limit of nothing.
    #[error("bus.{key} is 0, and then nothing would work; allow at least 1")]
    Zero {
        /// The setting.
        key: &'static str,
    },
    /// Payloads that no journal takes.
    #[error("bus.payload_max is {found} bytes; allow {PAYLOAD_LIMIT} or fewer")]
    LargePayloads {
        /// What was asked for.
        found: usize,
    },
    /// Less room than the largest payload takes.
    #[error("bus.{key} is {found} bytes, and a payload may have {payload}; allow as many, or lower bus.payload_max")]
    NoRoomForOne {
        /// The setting.
        key: &'static str,
        /// What was asked for.
        found: u64,
        /// The largest payload.
        payload: usize,
    },
    /// More patterns than are counted.
    #[error("bus.counted has {found} patterns; name {COUNTED_MAX} or fewer, the others are counted together")]
    TooManyCounted {
        /// How many there are.
        found: usize,
    },
    /// A pattern that is none.
    #[error(transparent)]
    Topic(#[from] TopicError),
    /// A mistake in the program.
    #[error(transparent)]
    Instrument(#[from] InstrumentError),
    /// The journal of durable topics cannot be kept so.
    #[error(transparent)]
    Journal(#[from] triarch_journal::Error),
    /// The journal has no room for the largest payload.
    #[error(
        "a payload of {payload_max} bytes needs records of {needed} in the journal, and {found} are allowed; raise its record_bytes_max, or lower bus.payload_max"
    )]
    SmallRecords {
        /// The largest payload.
        payload_max: usize,
        /// What a record needs.
        needed: usize,
        /// What a record may have.
        found: usize,
    },
    /// The room of this bus was built before.
    #[error("this bus has its disk already; build its room once")]
    HasDisk,
}

/// Why something was not published.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum PublishError {
    /// The payload is too large.
    #[error(transparent)]
    TooLarge(#[from] TooLarge),
    /// The sender or the kind is no word.
    #[error(transparent)]
    Form(#[from] CodecError),
    /// The sender's team may not.
    #[error(transparent)]
    NotAllowed(#[from] NotAllowed),
    /// Nobody takes envelopes at that path.
    #[error("no agent takes envelopes at {path}; see who does, or publish on a topic")]
    NoSuchAgent {
        /// The path.
        path: Arc<str>,
    },
    /// Somebody is at that path, and cannot be attached.
    #[error(transparent)]
    NotAttached(#[from] SubscribeError),
    /// Too much is to be published later.
    #[error(transparent)]
    AgendaFull(#[from] AgendaFull),
    /// The topic is durable, and this would not wait for the disk.
    #[error("{topic} is a durable topic; publish on it durably, and wait until it is on disk")]
    Durable {
        /// The topic.
        topic: Topic,
    },
    /// The topic is not durable.
    #[error("{topic} is no durable topic; add it to bus.durable, or publish on it as on others")]
    NotDurable {
        /// The topic.
        topic: Topic,
    },
    /// It is not on disk, or nobody knows.
    #[error("it is not acknowledged, since the journal of durable topics did not take it")]
    NotStored(#[source] WriteError),
    /// The logs are not reached.
    #[error(transparent)]
    Archive(#[from] ArchiveError),
}

/// Why the logs of durable topics are not reached.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ArchiveError {
    /// The bus has no disk.
    #[error("nothing is durable here: the bus runs without a disk; build its room with one")]
    NoDisk,
    /// The agent that writes is not there, or failed meanwhile.
    #[error("it is not known whether it is on disk: {0}; look into the log, or publish it again under the same key")]
    Archivist(AskError),
    /// The disk refused.
    #[error("the journal of durable topics does not take it")]
    Disk(#[source] WriteError),
    /// The journal does not open, and is tried again and again.
    #[error("nothing of durable topics goes to disk for now, since their journal takes nothing: {why}")]
    Closed {
        /// Why, and what to do.
        why: String,
    },
    /// There is no log, or there are several.
    #[error("no one log has all of {pattern}; name topics of one pattern of bus.durable")]
    NotOneLog {
        /// What was asked for.
        pattern: Pattern,
    },
}

/// Why a name is not forgotten, or a log.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ForgetError {
    /// Somebody has subscribed under it.
    #[error("{subscriber} listens as {name:?} now; end that subscription first, then forget the name")]
    Attended {
        /// Whose name it is.
        subscriber: Arc<str>,
        /// The name.
        name: Arc<str>,
    },
    /// The configuration has the log.
    #[error("the log {log} is one of `bus.durable`; take it out there and start again, then forget it")]
    Named {
        /// The log.
        log: Pattern,
    },
    /// The logs are not reached.
    #[error(transparent)]
    Archive(#[from] ArchiveError),
}

impl From<WriteError> for ForgetError {
    fn from(why: WriteError) -> Self {
        Self::Archive(ArchiveError::Disk(why))
    }
}

/// Why somebody does not subscribe.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum SubscribeError {
    /// The subscriber is no word.
    #[error(transparent)]
    Form(#[from] CodecError),
    /// The subscriber's team may not.
    #[error(transparent)]
    NotAllowed(#[from] NotAllowed),
    /// It reads a log, and is of a group.
    #[error("who reads what durable topics have kept is of no group; leave out the group, or the name and the start")]
    GroupOfReaders,
    /// The name is one of another log.
    #[error("that name has its place in {log}, and {pattern} is of another log; forget the name, or take another")]
    OtherLog {
        /// Where the place is.
        log: Pattern,
        /// What was asked for.
        pattern: Pattern,
    },
    /// The logs are not reached.
    #[error(transparent)]
    Archive(#[from] ArchiveError),
    /// There are as many as there may be.
    #[error("there are {limit} subscriptions, which is the limit; end some, or use wildcards in fewer")]
    Full {
        /// The limit.
        limit: usize,
    },
}

/// Why a request has no answer.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum RequestError {
    /// It was not published.
    #[error(transparent)]
    NotPublished(#[from] PublishError),
    /// Nobody subscribes there.
    #[error("nobody hears requests on {to}; see who subscribes, and whether their filters accept it")]
    NobodyHears {
        /// Where it went.
        to: String,
    },
    /// There are as many as there may be.
    #[error("{limit} requests wait for their answers, which is the limit; wait for some")]
    Full {
        /// The limit.
        limit: usize,
    },
    /// No answer came in time.
    #[error("no answer from {to} within {within:?}; allow more time, or see what its subscribers do")]
    Timeout {
        /// Where it went.
        to: String,
        /// How long was waited.
        within: Duration,
    },
}

/// Why an answer is of no use.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ReplyError {
    /// It is no envelope.
    #[error(transparent)]
    NotSent(#[from] PublishError),
    /// Who asked does not wait any more, or never did.
    #[error("nobody waits for an answer to {0}; answer sooner, or publish it on a topic")]
    NobodyWaits(crate::envelope::EnvelopeId),
}

/// Why a dead letter is not replayed.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum ReplayError {
    /// There is none of that number.
    #[error("there is no dead letter {0}; list those there are")]
    NoSuchLetter(u64),
    /// Its subscription has ended, or takes no such envelopes any more.
    #[error("no subscription of {subscriber} takes the dead letter {number} any more; publish its payload again")]
    NobodyTakes {
        /// The letter.
        number: u64,
        /// Whose it was.
        subscriber: Arc<str>,
    },
    /// As many wait for its subscription as that bears.
    #[error("{subscriber} has no room for the dead letter {number}; replay it again when less waits there")]
    Full {
        /// The letter.
        number: u64,
        /// Whose it was.
        subscriber: Arc<str>,
    },
}
