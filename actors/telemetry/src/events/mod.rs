//! Level 3: the agent that keeps every event of the tree on disk, and the reader of what it and those before it kept.
//!
//! ```text
//!   supervisors ──events──▶ recorder ──batches──▶ <state>/events/events.jsonl     the newest
//!                                                 <state>/events/events.jsonl.1   the one before, and so on
//!                                                        │ what goes
//!                                                        ▼
//!                                                 <state>/events/kept.jsonl       the last hundred of each agent
//! ```
//!
//! Nobody waits for it, and nobody ends with it: what the disk refuses is counted and gone.

mod actor;
mod kept;
mod line;
mod log;

pub(crate) use actor::{Recorder, Settings};
pub use line::PastChange;
pub use log::EventLog;
