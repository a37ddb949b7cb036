//! Level 3: the agent that writes what programs say to disk, and the reader of what it wrote.
//!
//! ```text
//!   programs ──batches──▶ scribe ──▶ <logs>/<team>/<agent>.log     the newest
//!              (bounded)     ▲       <logs>/<team>/<agent>.log.1   the one before, and so on
//!   supervisors ──events─────┘                │
//!                                             └──▶ Logs::read, Logs::follow
//! ```
//!
//! Nobody waits for it: a batch that finds no room, or whose agent has too much there already, is counted and gone, and
//! so is what the disk refuses.

mod actor;
mod backlog;
pub(crate) mod ends;
mod files;
mod line;
mod message;
mod reader;

pub(crate) use actor::{Scribe, Settings};
pub(crate) use backlog::Backlog;
pub use line::{LogLine, Source};
pub(crate) use message::{Notebook, Write, wall_clock};
pub use reader::{Following, LogError, Logs, Query};
