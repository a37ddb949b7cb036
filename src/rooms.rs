//! Level 1: the children of the root in start order; they stop in the reverse one.
//!
//! ```text
//! root             one_for_one: addresses outlive restarts, so nobody needs a neighbour's restart
//! ├─ telemetry     first, to see the others start and stop
//! └─ <team> …      last, so that what they use is there before them and after them
//! ```

use std::sync::Arc;

use triarch_supervision::metrics::Instruments;
use triarch_supervision::prelude::*;
use triarch_teams::room;
use triarch_telemetry::{self as telemetry, Exposition, Health};

use crate::catalogue::catalogue;
use crate::fleet::Ground;

/// The rooms that the runtime does not work without.
const ROOMS: [&str; 1] = ["telemetry"];

/// What everybody counts in.
pub(crate) fn instruments() -> Result<Instruments, Failure> {
    Ok(Instruments::new(catalogue()?))
}

/// The tree as it is described, before it starts.
pub(crate) fn root(ground: &Arc<Ground>) -> Result<Root, Failure> {
    let config = ground.config();
    let version = env!("CARGO_PKG_VERSION");
    let exposition = Exposition::new(ground.instruments.clone(), Health::new(&ROOMS), version)?;
    let telemetry = telemetry::room(
        config.telemetry.room(config.runtime.log.format),
        telemetry::Output::stderr(),
        &exposition,
    )?;
    let mut root = Root::new()
        .instruments(ground.instruments.clone())
        .supervisor(telemetry);
    for team in &config.teams {
        root = root.supervisor(room(team, &ground.kinds, config.runtime.span.get())?);
    }
    Ok(root)
}
