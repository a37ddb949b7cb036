//! Level 1: the children of the root in start order; they stop in the reverse one.
//!
//! ```text
//! root             one_for_one: addresses outlive restarts, so nobody needs a neighbour's restart
//! ├─ telemetry     first, to see the others start and stop
//! └─ demo          a team
//! ```

use triarch::metrics::{Catalogue, Instruments, TELEMETRY};
use triarch::prelude::*;
use triarch::telemetry;

use crate::demo;

/// The tree as it is described, before it starts.
pub(crate) fn root() -> Result<Root, Failure> {
    let instruments = Instruments::new(Catalogue::new(&[telemetry::metrics::LIFECYCLE, TELEMETRY])?);
    let config = telemetry::Config::default();
    let telemetry = telemetry::room(config, telemetry::Output::stderr(), &instruments)?;
    Ok(Root::new().supervisor(telemetry).supervisor(demo::team()))
}
