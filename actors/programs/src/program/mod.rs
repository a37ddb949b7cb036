//! Level 3: the agent that a program is.
//!
//! ```text
//!   mailbox ──▶ actor ──▶ talk ──▶ machine ──▶ pipes ──▶ the program
//!                 │         ▲                              │
//!                 │         └── hearing ◀── lines ◀────────┘
//!                 └──────▶ exec: one process per post
//! ```

mod actor;
mod begin;
mod chronicle;
mod ends;
mod exec;
#[cfg(test)]
mod fuzzed;
mod health;
mod hearing;
mod knock;
mod lines;
mod machine;
mod message;
mod outbox;
mod pipes;
mod plan;
mod recent;
mod talk;
mod unborn;
mod vigil;
mod waits;
mod wishes;

pub use actor::Program;
pub(crate) use message::Fault;
pub(crate) use plan::Links;
pub use plan::Plan;
