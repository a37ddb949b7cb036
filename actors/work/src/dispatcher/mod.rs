//! Hands tasks to agents of teams, and tells the queue what became of them.
//!
//! ```text
//!   roster ──who takes tasks──▶ ┌───────┐ ──claim──▶ queue
//!                               │ Hands │ ◀─claims──
//!   agents ◀──post of a task─── │       │ ──tell───▶ begun, done, failed, abandoned, given back
//!          ───stages──────────▶ └───────┘ ◀─revoked─
//! ```

mod actor;
mod ahead;
mod anew;
mod asking;
mod brief;
mod crowd;
mod falls;
mod hands;
mod heard;
mod held;
mod holding;
mod lost;
mod no_room;
mod patience;
mod ranking;
mod roster;
mod shared;
mod spread;
mod staffing;
mod steps;

pub use actor::Dispatcher;
pub(crate) use actor::Settings;
pub use brief::as_value;
pub use holding::{InHand, Taking, Whereabouts};
pub use roster::{Roster, Taker, TakingTeam};
pub(crate) use shared::Shared;
