//! The time of the world, where something of this process meets it.

use std::time::SystemTime;

#[expect(
    clippy::disallowed_methods,
    reason = "people, logs and ids of posts go by the time of the world"
)]
pub(crate) fn wall_clock() -> SystemTime {
    SystemTime::now()
}
