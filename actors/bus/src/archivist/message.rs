//! What the archivist is sent.

use triarch_supervision::prelude::*;

use super::cursor::CursorKey;
use super::doubt::Ending;
use super::reading::Stored;
use crate::agenda::{Placed, Plan, ScheduleId};
use crate::envelope::Envelope;
use crate::error::{ArchiveError, ForgetError, PublishError};
use crate::topic::Pattern;

/// Who waits for an envelope to be on disk.
pub(crate) type Waiter = Reply<Result<Stored, PublishError>>;
/// Who waits for something planned to be on disk.
pub(crate) type Planner = Reply<Result<ScheduleId, PublishError>>;

/// What the archivist is asked for.
#[derive(Debug)]
pub(crate) enum Order {
    /// Store an envelope in a log, and then deliver it.
    Store(Pattern, Box<Envelope>, Option<Waiter>),
    /// Store one that was planned under this number, once.
    Due(Pattern, Box<Envelope>, u64),
    /// Write down what is to be published later.
    Plan(Box<(Placed, Plan)>, Planner),
    /// Call off what stands on disk under this number.
    Cancel(u64, Reply<Result<bool, ArchiveError>>),
    /// Call off what is due under this number and is for no log, and then let it end so.
    Over(u64, Ending),
    /// Write down what has moved: cursors and dead letters.
    Moved,
    /// Forget a cursor.
    Forget(CursorKey, Reply<Result<bool, ForgetError>>),
    /// Forget all that is in a log.
    Empty(Pattern, Reply<Result<bool, ForgetError>>),
    /// The snapshot of that number is written, or is not.
    Copied { number: u64, is_written: bool },
}

impl Message for Order {}
