//! Level 3: the agent that follows the tree's events and writes what it sees.

mod actor;
mod line;
mod machine;
mod message;

pub(crate) use actor::{Lifecycle, Settings};
pub use line::Level;
pub(crate) use machine::is_news;
