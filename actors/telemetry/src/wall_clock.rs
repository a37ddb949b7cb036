//! The time of the world, which machines and agents never ask: only what people read has it.

use std::time::SystemTime;

#[expect(
    clippy::disallowed_methods,
    reason = "a log is the edge where lines get the time of the world"
)]
pub(crate) fn wall_clock() -> SystemTime {
    SystemTime::now()
}
