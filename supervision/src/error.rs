//! What can be wrong with a tree before it runs, and with starting it.

use std::fmt;

use crate::metrics::{CatalogueError, InstrumentError};
use crate::name::{Name, NameError};
use crate::reason::ExitReason;

/// Why a tree cannot be built as described.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum BuildError {
    /// The name of a supervisor is none.
    #[error(transparent)]
    Name(#[from] NameError),
    /// A child cannot be as its specification says.
    #[error(fmt = child_fault)]
    Child {
        /// Whose child.
        supervisor: Name,
        /// The child, by the name it was given.
        child: Name,
        /// What is wrong with it, and what to do about it.
        fault: ChildFault,
    },
    /// Restarts are allowed, within no time.
    #[error("supervisor {supervisor} allows {} within no time; give its intensity a period", crate::reason::so_many_restarts(*restarts))]
    IntensityWithoutPeriod {
        /// Whose intensity.
        supervisor: Name,
        /// How many restarts it allows.
        restarts: u32,
    },
    /// The waits that a supervisor gives its children cannot be.
    #[error("supervisor {supervisor} has a backoff with {fault}")]
    Backoff {
        /// Whose backoff.
        supervisor: Name,
        /// What is wrong with it, and what to do about it.
        fault: BackoffFault,
    },
    /// A team whose children restart together cannot be split.
    #[error(
        "supervisor {supervisor} restarts its children together and has {children} of them, more than its span {span}; raise the span, or make several supervisors"
    )]
    CannotSplit {
        /// Which supervisor.
        supervisor: Name,
        /// How many children it has.
        children: usize,
        /// How many one supervisor may have.
        span: usize,
    },
    /// A span of 0.
    #[error("supervisor {supervisor} has span 0; give each supervisor room for at least 1 child")]
    NoSpan {
        /// Which supervisor.
        supervisor: Name,
    },
}

fn child_fault(supervisor: &Name, child: &Name, fault: &ChildFault, f: &mut fmt::Formatter<'_>) -> fmt::Result {
    match fault {
        ChildFault::Name(error) => write!(f, "a child of supervisor {supervisor} cannot bear its name: {error}"),
        fault => write!(f, "child {child} of supervisor {supervisor} {fault}"),
    }
}

/// What is wrong with the specification of a child.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum ChildFault {
    /// Its name is none.
    #[error(transparent)]
    Name(#[from] NameError),
    /// It bears the name of another child of its supervisor.
    #[error("is there twice; rename one of them")]
    Duplicate,
    /// Its mailbox could never take a message.
    #[error("has a mailbox of capacity 0; give it at least 1")]
    NoCapacity,
    /// Its time budget is none that a handler could keep.
    #[error("allows its handlers no time at all; give handle_within more than 0")]
    NoBudget,
    /// Its time limit is none that a start could keep.
    #[error("allows its start no time at all; give start_within more than 0")]
    NoStartTime,
    /// Its time to stop is none.
    #[error("is given no time at all to stop; give shutdown more than 0, or say BrutalKill")]
    NoStopTime,
    /// Its mailbox was shaped after its address had been taken.
    #[error("got another capacity or overflow policy after its address was taken; set them first")]
    MailboxInUse,
    /// Its waits between restarts cannot be.
    #[error("has a backoff with {0}")]
    Backoff(#[from] BackoffFault),
    /// It is significant where that can have no meaning.
    #[error("is significant, which needs restart transient or temporary, and a supervisor with auto_shutdown")]
    Significant,
}

/// What is wrong with a backoff.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum BackoffFault {
    /// It shrinks, or its factor is no number.
    #[error("a factor below 1; give a factor of 1 or more")]
    Factor,
    /// It jitters by less than nothing or more than all.
    #[error("a jitter outside 0 to 1; give the share of the wait that chance may move")]
    Jitter,
    /// It begins beyond its end.
    #[error("a first wait beyond its maximum; raise the maximum or lower the first wait")]
    First,
}

/// Why a tree did not start.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum StartError {
    /// It cannot be built as described.
    #[error(transparent)]
    Build(#[from] BuildError),
    /// There is no runtime to live on.
    #[error(
        "a tree lives on a tokio runtime, and there is none here; start it within one, as `#[tokio::main]` makes it"
    )]
    NoRuntime,
    /// The runtime has no clock.
    #[error("a tree needs timers, and the tokio runtime here has none; build it with `enable_time` or `enable_all`")]
    NoClock,
    /// The instruments given to the root lack something that a tree counts.
    #[error(
        "the instruments given to the root do not fit: {0}; a tree counts in the sections of metrics::families::TREE"
    )]
    Instruments(#[from] InstrumentError),
    /// The families of this crate make no catalogue.
    #[error("the tree has no instruments of its own: {0}; give the root some")]
    Catalogue(#[from] CatalogueError),
    /// The root's own actor could not be spawned.
    #[error("the root could not be spawned: {0}; start the tree on a runtime that is not shutting down")]
    Spawn(String),
    /// A supervisor or agent of it did not start; what had started was stopped again.
    #[error("the tree did not start, and nothing of it runs: {0}; see to that, then start it again")]
    NotStarted(ExitReason),
}
