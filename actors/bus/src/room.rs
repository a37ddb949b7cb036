//! Level 2: the children of the room in their order, and what follows when one ends.
//!
//! ```text
//! bus              one_for_one
//! └─ timers        permanent: what is due waits while it is down, and nothing else does
//! ```

use std::sync::Arc;
use std::time::Duration;

use triarch_supervision::prelude::*;

use crate::bus::Bus;
use crate::timers::Timers;

/// The room of a bus, to be a child of a root. Publishing and subscribing need it for nothing but what falls due.
pub fn room(bus: &Bus) -> Supervisor {
    Supervisor::named("bus")
        .strategy(Strategy::OneForOne)
        .intensity(Intensity::new(5, Duration::from_mins(1)))
        .backoff(Backoff::exponential(
            Duration::from_millis(100),
            Duration::from_secs(10),
        ))
        .child(Child::of::<Timers>("timers", Arc::clone(&bus.0)).capacity(1))
}
