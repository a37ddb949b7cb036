//! The agent that keeps all tasks.

pub mod machine;
