//! The tree: what it knows of its nodes, and the root it hangs on.

mod figures;
mod ground;
mod metering;
mod node;
mod observer;
mod office;
mod order;
mod root;
mod sampling;
mod shared;

pub use figures::Figures;
pub(crate) use figures::{Glance, MailboxFigures};
pub(crate) use node::{Awaited, DORMANT, KILL, NOTICE, Node, OBSERVE, PAUSE, STOP, Watcher};
pub use node::{Change, HISTORY_LENGTH, Level, Phase};
pub use observer::{Events, NodeView, NotFound, Observer};
pub use office::RestartBudget;
#[cfg(feature = "testing")]
pub(crate) use root::random_seed;
pub use root::{Late, Root, RootEnd, Tree};
pub(crate) use shared::{Door, RootState, Shared};
pub use shared::{EVENTS_KEPT, Event, Fact, Observation};
