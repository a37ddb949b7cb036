//! The real binary under torture: programs that do their worst, machines that have run out of something, and a look at all
//! processes afterwards that knows nothing of how the runtime looks.
//!
//! Each test is bounded, so that all of them take no more than a few minutes. `TRIARCH_TORTURE=full` makes the long ones as
//! long as they are meant to be: `TRIARCH_TORTURE=full cargo test -p triarch --test torture`.
#![expect(clippy::unwrap_used, clippy::panic, reason = "a wrong outcome ends the test")]

// Tests begin in the order of their names: the one that takes longest is here.
mod acknowledged;
mod canary;
mod chance;
mod clock;
mod crowd;
mod cycles;
mod disk;
mod exhaustion;
mod failing_disk;
mod full_disk;
mod hostility;
mod kills;
mod kin;
mod ledger;
mod misbehaviour;
mod pairs;
mod programs;
#[expect(dead_code, reason = "other tests need more of it")]
#[path = "../it/running.rs"]
mod running;
mod small_disk;
mod starts;
mod storm;
mod terms;
mod yard;

use std::time::Duration;

/// Far longer than anything here takes: whoever waits this long waits in vain.
const PATIENCE: Duration = Duration::from_mins(2);
