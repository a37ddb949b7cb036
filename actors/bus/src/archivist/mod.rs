//! Durable topics: what is published there is on disk before it is acknowledged, and can be read again.
//!
//! ```text
//!  publish_durably ──▶ archivist ──one group of records──▶ scribe ──▶ disk
//!        ▲                                                             │
//!        └── offset ◀── log ◀── it is on disk ◀────────────────────────┘
//!                        │ └──▶ inboxes of whoever subscribes to what comes
//!                        └────▶ feeds: from an offset, from a time, or from where somebody has acknowledged
//! ```
//!
//! Each pattern of the configuration is one log, with one count of offsets and one bound. A feed takes from the log what
//! its inbox has room for, so that the log itself is the queue of whoever is slow.
//!
//! Logs are in memory too, as records, and the journal holds them with the cursors: a snapshot is the records that are kept.
//! So reading asks nobody, a power cut is the journal's to bear, and a bound in bytes is a bound of memory. Cursors and dead
//! letters go to disk with whatever is published, or alone; one round at a time, however many acknowledge. What is to be
//! published later on durable topics is there before it is acknowledged, and until it came.

mod actor;
mod archive;
#[cfg(test)]
mod closed_test;
mod copyist;
mod cursor;
mod doubt;
mod feed;
mod group;
mod later;
mod log;
mod message;
mod outcome;
mod reading;
mod record;
mod replay;
mod rest;
mod unkept;

pub(crate) use actor::{Archivist, GROUP_NEEDS, Settings};
pub(crate) use archive::{Archive, NAMES_MAX};
pub(crate) use copyist::Copyist;
pub(crate) use cursor::CursorKey;
pub(crate) use feed::Feed;
pub use feed::Start;
pub(crate) use log::Retention;
pub(crate) use message::Order;
pub use reading::{CursorView, LogView, Stored, StoredEnvelope};
