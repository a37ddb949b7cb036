//! The testing kit: a disk in memory that loses what was not synced, and fails on demand.
//!
//! ```
//! use std::sync::Arc;
//! use triarch_journal::testing::SimDisk;
//! use triarch_journal::{Config, Journal};
//!
//! let disk = Arc::new(SimDisk::new(7));
//! let (mut journal, _) = Journal::open(disk.clone(), Config::default())?;
//! journal.append(b"kept")?;
//! journal.commit()?;
//! journal.append(b"not committed")?;
//! disk.cut_power();
//! assert!(journal.commit().is_err());
//! drop(journal);
//! let (_journal, recovered) = Journal::open(disk, Config::default())?;
//! assert_eq!(recovered.records.count(), 1);
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```

pub use crate::sys::simulated::{Call, Fault, SimDisk};
