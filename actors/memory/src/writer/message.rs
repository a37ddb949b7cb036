//! What the writer is sent.

use std::sync::Arc;

use triarch_journal::{Ack, Draft, WriteError, Writer};
use triarch_supervision::prelude::*;

use super::waiting::Taken;
use crate::config::Rules;
use crate::error::Error;
use crate::name::Namespace;
use crate::op::{Done, Write};
use crate::retention::Chosen;
use crate::space::Space;

/// A wish of somebody, of a timer, or of another agent of the room.
#[derive(Debug)]
pub(crate) enum Wish {
    /// Entries of a durable namespace, with the room they take while they wait.
    Write(Arc<Space>, (Write, Taken), Reply<Result<Vec<Done>, Error>>),
    /// A namespace, new or with other rules.
    Define(Namespace, Rules, Reply<Result<(), Error>>),
    /// A namespace less; whether it was there.
    Forget(Namespace, Reply<Result<bool, Error>>),
    /// What retention takes of a durable namespace; what of it went.
    Retain(Arc<Space>, Vec<Chosen>, Reply<Result<Vec<Chosen>, Error>>),
    /// Whose time has come.
    Expire,
    /// There were more of them.
    ExpireMore,
    /// The journal failed; what is on disk is taken up.
    Reopen,
    /// Whoever came meanwhile goes to disk with the group that waits.
    Gather,
    /// Namespaces that are flushed.
    Flush,
    /// The same, for somebody who waits for it.
    FlushNow(Reply<Result<(), Error>>),
    /// The next part of what is flushed.
    FlushMore,
    /// A new segment, for a snapshot of what was written until now; nothing without a journal.
    Rotate(Reply<Rotated>),
}

/// What a snapshot takes: a new segment is on its way; nothing where there is no journal.
type Rotated = Option<Result<(Ack<Draft>, Writer), WriteError>>;

impl Message for Wish {
    const OVERFLOW: Overflow = Overflow::Wait;
}
