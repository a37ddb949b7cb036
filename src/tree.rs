//! Level 1: the children of the root in start order; they stop in the reverse one.
//!
//! ```text
//! root             one_for_one: addresses outlive restarts, so nobody needs a neighbour's restart
//! ├─ telemetry     first, to see the others start and stop
//! └─ demo          a team
//! ```

use triarch::metrics::families::TREE;
use triarch::metrics::{Catalogue, CatalogueError, Instruments, TELEMETRY};
use triarch::prelude::*;
use triarch::telemetry;

use crate::demo;

/// The tree as it is described, before it starts.
pub(crate) fn root() -> Result<Root, Failure> {
    let instruments = Instruments::new(catalogue()?);
    let config = telemetry::Config::default();
    let telemetry = telemetry::room(config, telemetry::Output::stderr(), &instruments)?;
    let root = Root::new().instruments(instruments);
    Ok(root.supervisor(telemetry).supervisor(demo::team()))
}

/// All that is counted in this process: what the tree counts, and then its rooms.
fn catalogue() -> Result<Catalogue, CatalogueError> {
    Catalogue::new(&[&TREE[..], &[telemetry::metrics::LIFECYCLE, TELEMETRY]].concat())
}

#[cfg(test)]
mod tests {
    use triarch::metrics::families::ACTORS;
    use triarch::telemetry::metrics::LIFECYCLE;

    use super::*;

    #[tokio::test]
    async fn the_tree_and_its_rooms_count_in_one_set_of_instruments() {
        let tree = root().unwrap().start().await.unwrap();
        let found: Vec<_> = tree
            .instruments()
            .read()
            .iter()
            .map(|reading| reading.family.name)
            .collect();
        tree.stop().await;
        let rooms = LIFECYCLE.families.iter().map(|family| family.name);
        for family in rooms.chain([ACTORS.name]) {
            assert!(found.contains(&family), "{family} is not among {found:?}");
        }
    }
}
