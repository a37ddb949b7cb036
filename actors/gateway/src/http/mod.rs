//! Level 3: the agent at the HTTP door, and one for each connection.
//!
//! | route | answer |
//! |---|---|
//! | `GET /metrics` | the exposition, as text for Prometheus |
//! | `GET /health/live` | 200 while ready work runs, else 503 |
//! | `GET /health/ready` | 200 while the runtime takes work, else 503; with reasons either way |

mod actor;
mod admission;
mod answer;
mod connection;
#[cfg(test)]
mod fuzzed;
mod route;
mod stream;

use std::time::Duration;

pub(crate) use actor::{Http, Settings};
pub(crate) use admission::Hosts;

use crate::patience::Limits;

/// How long a head may take, and how long a connection may be kept for later.
pub(crate) const LIMITS: Limits = Limits {
    listening: Duration::from_secs(5),
    waiting: Duration::from_mins(1),
};

/// The largest head of a request.
pub(super) const HEAD_MAX: usize = 16 * 1024;

/// The most header lines of a request.
pub(super) const HEADERS_MAX: usize = 64;
