//! Level 3: the agent that takes to disk what is durable.
//!
//! ```text
//!   askers ──writes──▶ decided one after the other ──▶ group ──▶ scribe ──▶ disk
//!     ▲                 (nobody sees them yet)                                │
//!     └── told ◀── seen by readers and watchers ◀── published in order ◀──────┘
//! ```
//!
//! While a group is on its way to disk the next one waits in the mailbox, and goes as one.

mod actor;
mod beat;
mod begin;
mod flush;
mod group;
mod message;
mod waiting;

pub(crate) use actor::{Settings, StoreWriter};
pub(crate) use message::Wish;
pub(crate) use waiting::Waiting;
