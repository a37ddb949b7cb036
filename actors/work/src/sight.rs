//! What the clocks outside show. Machines never ask: only who begins a life, and who notes it for the next one.

use std::time::SystemTime;

use rustix::time::{ClockId, clock_gettime};

use crate::time::{Boot, Sight};

/// Which start of the machine this is.
const BOOT_ID: &str = "/proc/sys/kernel/random/boot_id";

/// Looks at the clocks.
pub(crate) fn look() -> Sight {
    Sight {
        wall_millis: wall_millis(),
        boot: boot(),
    }
}

#[expect(
    clippy::disallowed_methods,
    reason = "only the wall clock tells how long the machine was off"
)]
fn wall_millis() -> u64 {
    let since = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH);
    since.map_or(0, |since| u64::try_from(since.as_millis()).unwrap_or(u64::MAX))
}

fn boot() -> Option<Boot> {
    let id = std::fs::read_to_string(BOOT_ID).ok()?;
    let id = u128::from_str_radix(&id.trim().replace('-', ""), 16).ok()?;
    let time = clock_gettime(ClockId::Boottime);
    let millis = u64::try_from(time.tv_sec).ok()? * 1_000 + u64::try_from(time.tv_nsec).ok()? / 1_000_000;
    Some(Boot { id, millis })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn this_machine_tells_how_long_it_has_run() {
        let (before, after) = (look(), look());
        let (then, now) = (before.boot.unwrap(), after.boot.unwrap());
        assert!(then.id == now.id && then.id != 0 && then.millis > 0);
        assert!(now.millis >= then.millis && after.wall_millis > 1_600_000_000_000);
    }
}
