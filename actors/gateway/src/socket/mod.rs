//! Level 3: the agent at the Unix socket, and one for each connection.

mod actor;
mod connection;

use std::time::Duration;

pub(crate) use actor::{Settings, Socket};

use crate::patience::Limits;

/// Who has nothing to ask need not be connected.
pub(crate) const LIMITS: Limits = Limits {
    listening: Duration::from_mins(1),
    waiting: Duration::from_mins(1),
};
