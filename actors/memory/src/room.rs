//! Level 2: the children of the room in their order, and what follows when one ends.
//!
//! ```text
//! memory           rest_for_one: whoever comes later works with those before
//! ├─ scribe        has the journal, where there is one
//! ├─ writer        decides what is durable, and takes it there
//! ├─ sweeper       takes away what goes by itself
//! └─ snapshots     keeps the journal short, where there is one
//! ```
//!
//! Reading needs none of them: whoever has a [`Client`] reads while all four are down.

use std::sync::Arc;
use std::time::Duration;

use triarch_journal::Disk;
use triarch_supervision::metrics::Instruments;
use triarch_supervision::prelude::*;

use crate::access::Identity;
use crate::client::{Client, Reach};
use crate::clocks;
use crate::config::{Config, Rules};
use crate::disk::{Seal, Secret};
use crate::metrics::Metrics;
use crate::name::Namespace;
use crate::snapshots::{self, Snapshots, Unkept};
use crate::store::Store;
use crate::sweeper::{self, Sweeper};
use crate::time::{Clock, Reading};
use crate::writer::{self, StoreWriter, Waiting};

/// So many writes wait for the disk before writers are held back.
const WISHES_MAX: usize = 4_096;

/// What a record takes beside the entries in it.
const RECORD_MARGIN: usize = 64 << 10;

/// As long as it may take to write the last of it.
const LAST_WRITES: Duration = Duration::from_secs(5);

/// Where the store is kept.
#[derive(Clone, Debug)]
pub struct Keeping {
    /// The folder of its journal.
    pub disk: Arc<dyn Disk>,
    /// How the journal is kept.
    pub journal: triarch_journal::Config,
    /// What it is sealed with, if it is.
    pub secret: Option<Secret>,
}

/// Why the room cannot be built.
#[derive(Debug, thiserror::Error)]
pub enum RoomError {
    /// The journal cannot be.
    #[error("the store's journal cannot be kept so")]
    Journal(#[from] triarch_journal::Error),
    /// The instruments do not know the room's metrics.
    #[error("the room's metrics cannot be had; put its section into the catalogue")]
    Instrument(#[from] triarch_supervision::metrics::InstrumentError),
}

/// The room, to be a child of a root, and the store as the runtime itself uses it. Without a place to keep it, all of it is
/// in memory alone.
pub fn room(
    config: Config,
    namespaces: Vec<(Namespace, Rules)>,
    keeping: Option<Keeping>,
    instruments: &Instruments,
) -> Result<(Supervisor, Client), RoomError> {
    room_by(clocks::reading, config, namespaces, keeping, instruments)
}

/// The same on a machine whose clocks are read so.
fn room_by(
    reading: fn() -> Reading,
    config: Config,
    namespaces: Vec<(Namespace, Rules)>,
    keeping: Option<Keeping>,
    instruments: &Instruments,
) -> Result<(Supervisor, Client), RoomError> {
    let secret = keeping.as_ref().and_then(|keeping| keeping.secret.as_ref());
    let seal = secret.map_or(Seal::none(), Seal::with);
    let (bytes_max, together_max) = bytes_max(keeping.as_ref());
    let (store, metrics) = (
        Store::new(Clock::running(), bytes_max as u64),
        Metrics::new(instruments)?,
    );
    let scribe =
        keeping.map(|keeping| triarch_journal::scribe("scribe", "memory", keeping.disk, keeping.journal, instruments));
    let (scribe, journal) = scribe.transpose()?.unzip();
    let has_journal = journal.is_some();
    let unkept = Unkept::default();
    let settings = writer::Settings {
        store: store.clone(),
        journal,
        seal: seal.clone(),
        namespaces,
        reading,
        flush_every: config.flush_every,
        bytes_max,
        together_max,
        unkept: unkept.clone(),
        metrics: metrics.clone(),
    };
    let writer = Child::of::<StoreWriter>("writer", settings)
        .capacity(WISHES_MAX)
        .start_without_limit();
    let writer = writer.shutdown(Shutdown::Within(LAST_WRITES));
    let address = writer.address();
    let sweeper = sweeper::Settings {
        store: store.clone(),
        writer: address.clone(),
        retain_every: config.retain_every,
        metrics: metrics.clone(),
    };
    let snapshots = snapshots::Settings {
        store: store.clone(),
        writer: address.clone(),
        seal: seal.clone(),
        every: config.snapshot_every,
        bytes: config.snapshot_bytes,
        unkept,
        metrics: metrics.clone(),
    };
    let snapshots = has_journal.then(|| Child::of::<Snapshots>("snapshots", snapshots).capacity(8));
    let reach = Reach {
        store,
        writer: address,
        waiting: Waiting::new(),
        snapshots: snapshots.as_ref().map(Child::address),
        seal,
        metrics,
    };
    let room = supervisor()
        .children(scribe)
        .child(writer)
        .child(Child::of::<Sweeper>("sweeper", sweeper).capacity(8))
        .children(snapshots);
    Ok((room, Client::new(reach, Identity::system())))
}

fn supervisor() -> Supervisor {
    let backoff = Backoff::exponential(Duration::from_millis(100), Duration::from_secs(10));
    Supervisor::named("memory")
        .strategy(Strategy::RestForOne)
        .intensity(Intensity::new(10, Duration::from_mins(1)))
        .backoff(backoff)
}

/// So many bytes go to disk at once, in one record; and with what must make room for them.
fn bytes_max(keeping: Option<&Keeping>) -> (usize, usize) {
    let most = keeping.map_or(usize::MAX, |keeping| keeping.journal.record_bytes_max);
    ((most / 2).saturating_sub(RECORD_MARGIN), most)
}

#[cfg(test)]
#[path = "room_test.rs"]
mod tests;
