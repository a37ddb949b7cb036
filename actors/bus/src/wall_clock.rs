//! The time of the world, which no decision is made by: people read it on envelopes.

use std::time::{SystemTime, UNIX_EPOCH};

use crate::envelope::Timestamp;

#[expect(
    clippy::disallowed_methods,
    reason = "an envelope says to people when it was published"
)]
pub(crate) fn timestamp() -> Timestamp {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    Timestamp(u64::try_from(since.as_micros()).unwrap_or(u64::MAX))
}
