//! Level 1: the children of the root in start order; they stop in the reverse one.
//!
//! ```text
//! root             one_for_one: addresses outlive restarts, so nobody needs a neighbour's restart
//! ├─ telemetry     first, to see the others start and stop
//! └─ <team> …      last, so that what they use is there before them and after them
//! ```

use std::sync::Arc;

use triarch_supervision::metrics::families::TREE;
use triarch_supervision::metrics::{Catalogue, CatalogueError, Instruments, TELEMETRY};
use triarch_supervision::prelude::*;
use triarch_teams::metrics::TEAMS;
use triarch_teams::room;
use triarch_telemetry as telemetry;

use crate::fleet::Ground;

/// What everybody counts in.
pub(crate) fn instruments() -> Result<Instruments, Failure> {
    Ok(Instruments::new(catalogue()?))
}

/// All that is counted.
pub(crate) fn catalogue() -> Result<Catalogue, CatalogueError> {
    let sections = [&TREE[..], &[telemetry::metrics::LIFECYCLE, TEAMS, TELEMETRY]].concat();
    Catalogue::new(&sections)
}

/// The tree as it is described, before it starts.
pub(crate) fn root(ground: &Arc<Ground>) -> Result<Root, Failure> {
    let telemetry = telemetry::room(
        telemetry::Config::default(),
        telemetry::Output::stderr(),
        &ground.instruments,
    )?;
    let mut root = Root::new()
        .instruments(ground.instruments.clone())
        .supervisor(telemetry);
    for team in ground.described_teams() {
        root = root.supervisor(room(&team, &ground.kinds, ground.span)?);
    }
    Ok(root)
}
