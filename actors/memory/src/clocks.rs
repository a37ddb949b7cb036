//! What the machine's clocks say, at the edge.

use std::sync::OnceLock;
use std::time::{SystemTime, UNIX_EPOCH};

use rustix::time::{ClockId, clock_gettime};

use crate::time::Reading;

/// The number of the machine's start, which is the process's for life.
fn boot() -> &'static str {
    static BOOT: OnceLock<String> = OnceLock::new();
    BOOT.get_or_init(|| {
        let boot = std::fs::read_to_string("/proc/sys/kernel/random/boot_id").unwrap_or_default();
        boot.trim().to_owned()
    })
}

/// Now, by all clocks.
#[expect(
    clippy::disallowed_methods,
    reason = "the wall clock is all there is after a restart of the machine, and what people see"
)]
pub(crate) fn reading() -> Reading {
    let wall = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    let uptime = clock_gettime(ClockId::Boottime);
    let millis = uptime
        .tv_sec
        .saturating_mul(1_000)
        .saturating_add(uptime.tv_nsec / 1_000_000);
    Reading {
        wall: u64::try_from(wall.as_millis()).unwrap_or(u64::MAX),
        uptime: u64::try_from(millis).unwrap_or(0),
        boot: boot().to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn uptime_goes_forwards_within_one_start_of_the_machine() {
        let (one, other) = (reading(), reading());
        assert!(other.uptime >= one.uptime && one.wall > 0);
        assert!(one.boot == other.boot && !one.boot.is_empty());
    }
}
