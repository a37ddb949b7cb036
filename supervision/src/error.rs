//! What can be wrong with a tree before it runs, and with starting it.

use crate::metrics::{CatalogueError, InstrumentError};
use crate::name::{Name, NameError};
use crate::reason::ExitReason;

/// Why a tree cannot be built as described.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum BuildError {
    /// A name that is none.
    #[error(transparent)]
    Name(#[from] NameError),
    /// Two children of one supervisor bear one name.
    #[error("supervisor {supervisor} has two children named {child}; rename one of them")]
    Duplicate {
        /// Whose children.
        supervisor: Name,
        /// The name that stands twice.
        child: Name,
    },
    /// A mailbox that could never take a message.
    #[error("child {child} has a mailbox of capacity 0; give it at least 1")]
    NoCapacity {
        /// Whose mailbox.
        child: Name,
    },
    /// A time budget that no handler could keep.
    #[error("child {child} allows its handlers no time at all; give handle_within more than 0")]
    NoBudget {
        /// Whose budget.
        child: Name,
    },
    /// A time limit that no start could keep.
    #[error("child {child} allows its start no time at all; give start_within more than 0")]
    NoStartTime {
        /// Whose start.
        child: Name,
    },
    /// A time to stop that is none.
    #[error("child {child} is given no time at all to stop; give shutdown more than 0, or say BrutalKill")]
    NoStopTime {
        /// Whose stop.
        child: Name,
    },
    /// The mailbox was shaped after its address had been taken.
    #[error("child {child} got another capacity or overflow policy after its address was taken; set them first")]
    MailboxInUse {
        /// Whose mailbox.
        child: Name,
    },
    /// Restarts are allowed, within no time.
    #[error("supervisor {supervisor} allows {restarts} restarts within no time; give its intensity a period")]
    IntensityWithoutPeriod {
        /// Whose intensity.
        supervisor: Name,
        /// How many restarts it allows.
        restarts: u32,
    },
    /// A backoff that shrinks, or jitters by more than all.
    #[error("{of} has a backoff with {fault}; {remedy}")]
    Backoff {
        /// Whose backoff.
        of: Name,
        /// What is wrong with it.
        fault: &'static str,
        /// What to do about it.
        remedy: &'static str,
    },
    /// `significant` where it can have no meaning.
    #[error(
        "child {child} of {supervisor} is significant, which needs restart transient or temporary, and a supervisor with auto_shutdown"
    )]
    Significant {
        /// Whose child.
        supervisor: Name,
        /// The child.
        child: Name,
    },
    /// A group that hangs together cannot be split.
    #[error(
        "{supervisor} restarts its children together and has {children} of them, more than its span {span}; raise the span, or make several supervisors"
    )]
    CannotSplit {
        /// The group.
        supervisor: Name,
        /// How many children it has.
        children: usize,
        /// How many one supervisor may have.
        span: usize,
    },
    /// A span of 0.
    #[error("{supervisor} has span 0; give each supervisor room for at least 1 child")]
    NoSpan {
        /// The group.
        supervisor: Name,
    },
}

/// Why a tree did not start.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum StartError {
    /// It cannot be built as described.
    #[error(transparent)]
    Build(#[from] BuildError),
    /// The instruments given to the root lack something that a tree counts.
    #[error(
        "the instruments given to the root do not fit: {0}; a tree counts in SUPERVISION, MAILBOX and AGENT of metrics::families"
    )]
    Instruments(#[from] InstrumentError),
    /// The families of this crate make no catalogue.
    #[error("the tree has no instruments of its own: {0}; give the root some")]
    Catalogue(#[from] CatalogueError),
    /// The root's own actor could not be spawned.
    #[error("the root could not be spawned: {0}")]
    Spawn(String),
    /// A supervisor or agent of it did not start; what had started was stopped again.
    #[error("the tree did not start: {0}")]
    NotStarted(ExitReason),
}
