//! The agent that keeps all tasks.
//!
//! ```text
//!  TaskAddress ──order──▶ Queue ──command──▶ machine ──records, events──┐
//!       ▲                                                               │
//!       └──── answer, once they are on disk ◀──── scribe ◀──records─────┘
//! ```
//!
//! The machine is ahead of the disk by what is on its way there. Where that does not arrive, nobody has been told of it:
//! the machine is built anew from the journal, and until the disk takes something again tasks are shown and not changed. While
//! the journal cannot be opened they are taken back to what it is known to have.

mod actor;
mod anew;
mod award;
mod ends;
mod handle;
mod looking;
pub mod machine;
mod message;
mod outcome;
mod portions;
mod reading;
mod recovered;
mod teller;
mod waiting;

pub use actor::Queue;
pub(crate) use actor::Settings;
pub use handle::TaskAddress;
pub use message::{Order, Rank, Request, Word};
pub(crate) use teller::Teller;

#[cfg(test)]
mod tests;
