//! Level 3: the agent that a program is.

mod lines;
mod machine;
mod message;

pub(crate) use machine::Carried;
pub(crate) use message::Fault;
