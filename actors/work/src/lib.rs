//! Durable tasks: submitted once, claimed under a lease with a fencing number, done once.

mod bytes;
mod codec;
pub mod config;
pub mod error;
mod queue;
mod record;
pub mod task;
pub mod time;
pub mod words;

pub use codec::CodecError;
pub use queue::machine;
