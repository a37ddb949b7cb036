//! What changes while the runtime runs.

use crate::fleet::Fleet;
use crate::operations::{Reloaded, Trouble};

pub(crate) async fn reload(_fleet: &Fleet) -> Result<Reloaded, Trouble> {
    Ok(Reloaded::default())
}
