//! What the archivist is sent.

use triarch_journal::WriteError;
use triarch_supervision::prelude::*;

use super::cursor::CursorKey;
use super::reading::Stored;
use crate::envelope::Envelope;
use crate::error::PublishError;
use crate::topic::Pattern;

/// Who waits for an envelope to be on disk.
pub(crate) type Waiter = Reply<Result<Stored, PublishError>>;

/// What the archivist is asked for.
#[derive(Debug)]
pub(crate) enum Order {
    /// Store an envelope in a log, and then deliver it.
    Store(Pattern, Box<Envelope>, Option<Waiter>),
    /// Write down the cursors that have moved.
    Cursors,
    /// Forget a cursor.
    Forget(CursorKey, Reply<Result<bool, WriteError>>),
    /// A snapshot is written, or is not.
    Copied { is_written: bool },
}

impl Message for Order {}
