//! Level 3: the agent that writes a journal for all who have something to write.
//!
//! ```text
//!  owner ──▶ Writer ──records──▶ queue ──all that gathered──▶ scribe ──one write, one sync──▶ Journal
//!    ▲                (bounded by bytes)                        │      (on a thread that may block)
//!    └───────────────────────── Ack ◀───────────────────────────┘
//! ```
//!
//! While one sync is under way further records gather for the next, and for a moment after it the thread waits for more. A writer belongs to one recovery: after a failure,
//! or when somebody else recovered the journal, nothing of it is written any more, so that the journal has no gaps.

mod actor;
mod lingering;
mod message;
mod queue;
mod round;
mod writer;

pub use actor::Scribe;
pub(crate) use actor::Settings;
pub use message::Order;
pub(crate) use queue::Queue;
pub use writer::{Ack, Batch, JournalAddress, Writer};
