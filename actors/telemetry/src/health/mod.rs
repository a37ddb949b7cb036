//! Level 3: the agent that follows how the tree is, so that a health check asks no agent.
//!
//! ```text
//!   supervisors ──events──▶ watcher ──▶ machine ──report──▶ Health ◀── the doors, the exposition
//!   heartbeat ─────────────────────────beats──────────────▶   ▲
//!   the runtime ───────────────────────drain──────────────────┘
//! ```

mod actor;
mod handle;
mod machine;
mod message;
mod report;

pub(crate) use actor::Watcher;
pub use handle::{BEAT_AGE_MAX, Health, Sign};
pub use report::{Cause, Reason, Report, State};
