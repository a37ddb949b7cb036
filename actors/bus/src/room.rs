//! Level 2: the children of the room in their order, and what follows when one ends.
//!
//! ```text
//! bus              rest_for_one: whoever comes later works with those before
//! ├─ scribe        has the journal, where there is one
//! ├─ copyist       keeps it short
//! ├─ archivist     takes there what is durable
//! └─ timers        what is due waits while it is down, and nothing else does
//! ```

use std::sync::Arc;
use std::time::Duration;

use triarch_journal::Disk;
use triarch_supervision::metrics::Instruments;
use triarch_supervision::prelude::*;

use crate::archivist::{Archivist, Copyist, GROUP_NEEDS, Settings};
use crate::bus::Bus;
use crate::error::Error;
use crate::timers::Timers;

/// As long as it may take to write the last of it.
const LAST_RECORDS: Duration = Duration::from_secs(5);
/// So many envelopes wait for the disk before publishers are held back.
const ORDERS_MAX: usize = 4096;
/// What a record takes beside the payload in it.
const RECORD_MARGIN: usize = 64 << 10;

/// The room of a bus, to be a child of a root. Publishing and subscribing need it for nothing but what falls due.
pub fn room(bus: &Bus) -> Supervisor {
    supervisor().child(timers(bus))
}

/// The room of a bus with a disk, on which its durable topics are.
pub fn room_on(
    bus: &Bus,
    disk: Arc<dyn Disk>,
    journal: triarch_journal::Config,
    instruments: &Instruments,
) -> Result<Supervisor, Error> {
    let hub = Arc::clone(&bus.0);
    let (payload_max, found) = (hub.config.payload_max, journal.record_bytes_max);
    let needed = payload_max.saturating_add(RECORD_MARGIN).max(GROUP_NEEDS);
    if needed > found {
        return Err(Error::SmallRecords {
            payload_max,
            needed,
            found,
        });
    }
    let (scribe, journal) = triarch_journal::scribe("scribe", "bus", disk, journal, instruments)?;
    let copyist = Child::of::<Copyist>("copyist", ()).capacity(1);
    let settings = Settings {
        hub: Arc::clone(&hub),
        journal,
        copyist: copyist.address(),
        record_bytes_max: found,
    };
    let archivist = Child::of::<Archivist>("archivist", settings)
        .capacity(ORDERS_MAX)
        .start_without_limit()
        .shutdown(Shutdown::Within(LAST_RECORDS));
    let address = archivist.address();
    hub.archive.archivist.set(address).map_err(|_| Error::HasDisk)?;
    Ok(supervisor()
        .child(scribe.shutdown(Shutdown::Within(LAST_RECORDS)))
        .child(copyist)
        .child(archivist)
        .child(timers(bus)))
}

fn timers(bus: &Bus) -> Child<Timers> {
    Child::of::<Timers>("timers", Arc::clone(&bus.0)).capacity(1)
}

fn supervisor() -> Supervisor {
    Supervisor::named("bus")
        .strategy(Strategy::RestForOne)
        .intensity(Intensity::new(5, Duration::from_mins(1)))
        .backoff(Backoff::exponential(
            Duration::from_millis(100),
            Duration::from_secs(10),
        ))
}
