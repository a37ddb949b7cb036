//! What the agent is told: nothing, it listens to the tree by itself; so there is no handle to it.

use triarch_supervision::prelude::*;

/// A message that there is none of.
#[derive(Debug)]
pub(crate) enum Never {}

impl Message for Never {}
