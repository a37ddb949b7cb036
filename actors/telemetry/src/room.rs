//! Level 2: the children of the room in their order, and what follows when one ends.
//!
//! ```text
//! telemetry        one_for_one: its agents need nothing of each other
//! └─ lifecycle     permanent: a tree without it runs on, but unseen
//! ```

use std::time::Duration;

use triarch_supervision::metrics::Instruments;
use triarch_supervision::prelude::*;

use crate::config::Config;
use crate::error::Error;
use crate::lifecycle::{Lifecycle, Settings};
use crate::metrics::Metrics;
use crate::output::Output;

/// As long as it may take to write the last lines.
const LAST_LINES: Duration = Duration::from_secs(2);

/// The room, to be the first child of a root.
pub fn room(config: Config, output: Output, instruments: &Instruments) -> Result<Supervisor, Error> {
    let settings = Settings {
        config: config.validated()?,
        output,
        metrics: Metrics::new(instruments)?,
    };
    let lifecycle = Child::of::<Lifecycle>("lifecycle", settings)
        .capacity(1)
        .shutdown(Shutdown::Within(LAST_LINES));
    Ok(Supervisor::named("telemetry")
        .strategy(Strategy::OneForOne)
        .intensity(Intensity::new(5, Duration::from_mins(1)))
        .backoff(Backoff::exponential(
            Duration::from_millis(100),
            Duration::from_secs(10),
        ))
        .child(lifecycle))
}
