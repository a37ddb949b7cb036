//! What the agents of this door are told: nothing, so there is no handle to them. They attend to who comes.

use triarch_supervision::prelude::*;

/// There is none.
#[derive(Debug)]
pub(crate) enum Never {}

impl Message for Never {}
