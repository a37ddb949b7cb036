//! Level 1: the children of the root in start order; they stop in the reverse one.
//!
//! ```text
//! root             one_for_one: addresses outlive restarts, so nobody needs a neighbour's restart
//! ├─ telemetry     first, to see the others start and stop
//! └─ demo          a team
//! ```

use triarch::metrics::Instruments;
use triarch::prelude::*;
use triarch::telemetry::{self, Exposition, Health};

use crate::demo;

/// The rooms that the runtime does not work without.
const ROOMS: [&str; 1] = ["telemetry"];

/// The tree as it is described, before it starts.
pub(crate) fn root() -> Result<Root, Failure> {
    let instruments = Instruments::new(triarch::catalogue()?);
    let exposition = Exposition::new(instruments.clone(), Health::new(&ROOMS), env!("CARGO_PKG_VERSION"))?;
    let config = telemetry::Config::default();
    let telemetry = telemetry::room(config, telemetry::Output::stderr(), &exposition)?;
    Ok(Root::new()
        .instruments(instruments)
        .supervisor(telemetry)
        .supervisor(demo::team()))
}
