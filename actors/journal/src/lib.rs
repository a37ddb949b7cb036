//! What is acknowledged is on disk: an append-only journal with group commit, snapshots and verified recovery, over a real or a simulated disk.
#![forbid(unsafe_code)]

mod config;
mod error;
mod format;
mod journal;
mod reader;
mod recovery;
mod snapshot;
mod sys;

pub use config::Config;
pub use error::{AppendError, CommitError, ConfigError, Error, OpenError, ScribeError, SnapshotError, WriteError};
pub use journal::{Journal, Seq};
pub use recovery::{Cut, CutReason, Record, Records, Recovered, Report};
pub use snapshot::{Draft, Snapshot, Written};
pub use sys::{Claim, Disk, DiskFile, RealDisk};
