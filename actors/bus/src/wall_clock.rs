//! The time of the world. People read it on envelopes and dead letters; what comes at times of day, or was planned to outlive
//! the runtime, is due by it. How long anything else takes is measured by a clock that nobody sets.

#[cfg(not(test))]
use std::time::{SystemTime, UNIX_EPOCH};

use crate::envelope::Timestamp;

#[cfg(not(test))]
#[expect(
    clippy::disallowed_methods,
    reason = "people are told when it was published, and times of day are theirs"
)]
pub(crate) fn timestamp() -> Timestamp {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    Timestamp(u64::try_from(since.as_micros()).unwrap_or(u64::MAX))
}

/// As tests have it, it goes with their own clock, from a Friday of 2026 on.
#[cfg(test)]
pub(crate) fn timestamp() -> Timestamp {
    const BEGAN: u64 = 1_767_312_000_000_000;
    Timestamp(BEGAN + triarch_supervision::clock::Moment::now().as_nanos() / 1000)
}
