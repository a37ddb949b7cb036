//! Durable tasks: submitted once, claimed under a lease with a fencing number, done once.

mod bytes;
mod codec;
pub mod config;
pub mod error;
pub mod metrics;
mod queue;
mod record;
mod room;
mod sight;
mod snapshots;
pub mod task;
pub mod time;
pub mod words;

pub use codec::CodecError;
pub use queue::{Order, Queue, Request, TaskAddress, Word, machine};
pub use record::{Attempt, LateResult};
pub use room::{Events, Work, room};
