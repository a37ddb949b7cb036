//! Level 2: the children of the room in their order, and what follows when one ends.
//!
//! ```text
//! telemetry        one_for_one: its agents need nothing of each other
//! ├─ lifecycle     permanent: a tree without it runs on, but unseen
//! ├─ events        the same on disk, whole; permanent too, and no matter of the other: a log that nobody reads holds it up
//! ├─ health        follows how everybody is
//! ├─ heartbeat     tells that ready work runs, and how late
//! └─ upkeep        drains what other libraries count
//! ```

use std::time::Duration;

use triarch_supervision::metrics::Instruments;
use triarch_supervision::prelude::*;

use crate::error::Error;
use crate::events::{self, EventLog, Recorder};
use crate::exposition::Exposition;
use crate::health::Watcher;
use crate::heartbeat::{self, Heartbeat};
use crate::lifecycle::{Lifecycle, Settings};
use crate::loudness::Loudness;
use crate::metrics::{EventMetrics, Metrics, RUNTIME_SCHEDULER_LAG_SECONDS};
use crate::output::Output;
use crate::upkeep::Upkeep;

/// As long as it may take to write the last lines.
const LAST_LINES: Duration = Duration::from_secs(2);

/// The room, to be the first child of a root. Who keeps its [`Loudness`] can change that while it runs. Events are kept
/// on disk where there is a log for them.
pub fn room(
    config: impl Into<Loudness>,
    output: Output,
    events: Option<EventLog>,
    exposition: &Exposition,
) -> Result<Supervisor, Error> {
    let loudness = config.into();
    let config = loudness.config().validated()?;
    let instruments = exposition.instruments();
    let recorder = match events {
        Some(log) => Some(recorder(log, config.limits.passers_by, instruments)?),
        None => None,
    };
    let settings = Settings {
        loudness,
        output,
        metrics: Metrics::new(instruments)?,
    };
    let lifecycle = Child::of::<Lifecycle>("lifecycle", settings)
        .capacity(1)
        .shutdown(Shutdown::Within(LAST_LINES));
    let heartbeat = heartbeat::Settings {
        health: exposition.health().clone(),
        lag: instruments.single(&RUNTIME_SCHEDULER_LAG_SECONDS)?,
    };
    Ok(Supervisor::named("telemetry")
        .strategy(Strategy::OneForOne)
        .intensity(Intensity::new(5, Duration::from_mins(1)))
        .backoff(Backoff::exponential(
            Duration::from_millis(100),
            Duration::from_secs(10),
        ))
        .child(lifecycle)
        .children(recorder)
        .child(Child::of::<Watcher>("health", exposition.health().clone()).capacity(1))
        .child(Child::of::<Heartbeat>("heartbeat", heartbeat).capacity(1))
        .child(Child::of::<Upkeep>("upkeep", ()).capacity(1)))
}

fn recorder(
    log: EventLog,
    passers_by: &'static [&'static str],
    instruments: &Instruments,
) -> Result<Child<Recorder>, Error> {
    let settings = events::Settings {
        log,
        metrics: EventMetrics::new(instruments)?,
        passers_by,
    };
    let recorder = Child::of::<Recorder>("events", settings).capacity(1);
    Ok(recorder.shutdown(Shutdown::Within(LAST_LINES)))
}
