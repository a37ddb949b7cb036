//! What a scribe is sent.

use std::sync::Arc;

use triarch_supervision::prelude::*;

use crate::error::OpenError;
use crate::recovery::Recovered;
use crate::scribe::queue::Pass;

/// What a scribe is asked for; sent by a [`JournalAddress`](crate::JournalAddress) and by writers.
#[derive(Debug)]
pub struct Order(pub(super) Wanted);

#[derive(Debug)]
pub(super) enum Wanted {
    /// Something lies in the queue.
    Gather,
    /// Read what is on disk, and let a new owner write.
    Recover(Reply<Result<(Pass, Recovered), Arc<OpenError>>>),
}

impl Message for Order {
    const OVERFLOW: Overflow = Overflow::Reject;
}
