//! Level 2: the children of the room in their order, and what follows when one ends.
//!
//! ```text
//! programs      one_for_one: its agents need nothing of each other
//! ├─ logs       permanent: without it what programs say is lost, and counted
//! └─ reaper     permanent: without it ended orphans of programs keep their numbers
//! ```
//!
//! The programs themselves stand in the teams of the user, after this room, so that it sees all of them begin and end.

use std::fs::DirBuilder;
use std::io;
use std::os::unix::fs::DirBuilderExt;
use std::path::Path;
use std::sync::{Arc, OnceLock};
use std::time::Duration;

use tokio::sync::watch;
use triarch_supervision::metrics::Instruments;
use triarch_supervision::prelude::*;
use triarch_teams::PostOffice;
use triarch_telemetry::files::Bounds;

use crate::config::Config;
use crate::error::Error;
use crate::kind::Programs;
use crate::logs::{self, Logs, Scribe};
use crate::metrics::Metrics;
use crate::places::Places;
use crate::program::Links;
use crate::reaper::{self, Reaper};
use crate::records::Records;
use crate::services::NoServices;
use crate::sys::Owner;

/// So many batches of lines may wait to be written.
const BATCHES: usize = 4096;

/// As long as it may take to write the last lines.
const LAST_LINES: Duration = Duration::from_secs(2);

/// The room, to be a child of a root before all teams, and the kind of agents that it serves.
///
/// `state_dir` belongs to one runtime at a time: what an earlier one of it left running is killed when the room starts.
pub fn room(
    config: Config,
    state_dir: &Path,
    office: Arc<PostOffice>,
    instruments: &Instruments,
) -> Result<(Supervisor, Programs), Error> {
    let config = config.validated()?;
    let owner = owner(state_dir).map_err(|source| Error::StateFolder {
        path: state_dir.to_owned(),
        source,
    })?;
    let metrics = Metrics::new(instruments)?;
    let (room, programs) = make(&config, state_dir, owner, office, metrics);
    Ok((room, programs.sparing(state_dir)))
}

/// The kind alone, to check descriptions by: it touches no folder, and its agents are not to be started.
pub fn described(office: Arc<PostOffice>, instruments: &Instruments) -> Result<Programs, Error> {
    let metrics = Metrics::new(instruments)?;
    let (_, programs) = make(&Config::default(), Path::new(""), Owner::nobody(), office, metrics);
    Ok(programs)
}

fn make(
    config: &Config,
    state_dir: &Path,
    owner: Owner,
    office: Arc<PostOffice>,
    metrics: Metrics,
) -> (Supervisor, Programs) {
    let bounds = Bounds {
        file_bytes: config.log_file_bytes.0,
        files: config.log_files,
    };
    let (written, seen) = watch::channel(0);
    let settings = logs::Settings {
        folder: Config::logs(state_dir),
        bounds,
        metrics: metrics.clone(),
        written: Arc::new(written),
    };
    let folder = Arc::from(settings.folder.as_path());
    let scribe = Child::of::<Scribe>("logs", settings)
        .capacity(BATCHES)
        .shutdown(Shutdown::Within(LAST_LINES));
    let leftovers = Arc::new(OnceLock::new());
    let programs = Programs {
        logs: Logs::new(folder, bounds, seen),
        leftovers: Arc::clone(&leftovers),
        places: Places::of_process(),
        links: Links {
            owner: owner.clone(),
            office,
            scribe: scribe.address(),
            records: Records::default(),
            metrics: metrics.clone(),
            services: Arc::new(NoServices),
        },
    };
    let reaper = Child::of::<Reaper>(
        "reaper",
        reaper::Settings {
            owner,
            metrics,
            records: programs.links.records.clone(),
            leftovers,
        },
    )
    .capacity(1);
    (supervisor().child(scribe).child(reaper), programs)
}

fn supervisor() -> Supervisor {
    Supervisor::named("programs")
        .strategy(Strategy::OneForOne)
        .intensity(Intensity::new(5, Duration::from_mins(1)))
        .backoff(Backoff::exponential(
            Duration::from_millis(100),
            Duration::from_secs(10),
        ))
}

fn owner(state_dir: &Path) -> io::Result<Owner> {
    DirBuilder::new().recursive(true).mode(0o700).create(state_dir)?;
    Owner::of(state_dir)
}
