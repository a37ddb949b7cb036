//! What the agent is told: by its own clock alone, so there is no handle to it.

use triarch_supervision::prelude::*;

/// See whether what was reported is still so.
#[derive(Debug)]
pub(crate) struct Look;

impl Message for Look {
    const OVERFLOW: Overflow = Overflow::Reject;
}
