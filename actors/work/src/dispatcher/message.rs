//! What the dispatcher is sent: nothing, since all it hears comes by ways of its own.

use triarch_supervision::Message;

/// Nothing there is.
#[derive(Debug)]
pub enum Nothing {}

impl Message for Nothing {}
