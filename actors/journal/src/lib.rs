//! What is acknowledged is on disk: an append-only journal with group commit, snapshots and verified recovery, over a real or a simulated disk.
//!
//! A room holds its state in memory, as a pure machine. What must not be lost it writes to its journal before it
//! acknowledges it, and it begins each life from the last snapshot and the records behind that.
//!
//! ```text
//!  owner ──records──▶ Writer ──▶ queue ──▶ scribe ──one write, one sync for all that gathered──▶ Disk
//!    ▲                                       │
//!    └── Ack: it is on disk ◀────────────────┘          00000000000000000042.snapshot   what 1 to 42 came to
//!                                                       00000000000000000043.segment    records from 43 on
//! ```
//!
//! # Alone
//!
//! A [`Journal`] blocks, and has one owner.
//!
//! ```
//! use std::sync::Arc;
//! use triarch_journal::{Config, Journal, RealDisk};
//!
//! # let folder = tempfile::tempdir()?;
//! # let path = folder.path().join("work");
//! let disk = Arc::new(RealDisk::at(path)?);
//! let (mut journal, recovered) = Journal::open(disk.clone(), Config::default())?;
//! assert_eq!((recovered.snapshot, recovered.records.count()), (None, 0));
//! journal.append(b"one")?;
//! journal.append(b"two")?;
//! let settled = journal.commit()?; // both are on disk, by one sync
//! assert_eq!(settled.number(), 2);
//!
//! let seq = journal.rotate()?; // what the records came to until here …
//! journal.install_snapshot(seq, b"one, two")?; // … stands for them from now on
//! journal.append(b"three")?;
//! journal.commit()?;
//! drop(journal);
//!
//! let (_journal, recovered) = Journal::open(disk, Config::default())?;
//! assert_eq!(recovered.snapshot.expect("there is one").bytes, b"one, two");
//! let records: Vec<_> = recovered.records.collect::<Result<_, _>>()?;
//! assert_eq!((records[0].seq.number(), &records[0].bytes[..]), (3, &b"three"[..]));
//! assert_eq!(recovered.report.cut, None);
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```
//!
//! # In a room
//!
//! A [`Scribe`] has the journal, and takes to disk what many write, with one sync for all that gathered meanwhile. Who
//! owns the journal [recovers](JournalAddress::recover) it when it starts, and is given the one right to write it.
//!
//! ```
//! # use std::sync::Arc;
//! # use triarch_journal::metrics::JOURNALS;
//! use triarch_journal::{Config, JournalAddress, RealDisk, Writer, scribe};
//! use triarch_supervision::metrics::Instruments;
//! use triarch_supervision::prelude::*;
//!
//! enum Tally {
//!     Add(u8, Reply<u64>),
//! }
//!
//! impl Message for Tally {}
//!
//! /// Sums what it is told, and answers when that is on disk.
//! struct Keeper {
//!     sum: u64,
//!     journal: Writer,
//! }
//!
//! impl Agent for Keeper {
//!     type Message = Tally;
//!     type Spec = JournalAddress;
//!
//!     async fn start(journal: JournalAddress, _ctx: &mut Context<Self>) -> Result<Self, Failure> {
//!         let (journal, recovered) = journal.recover().await?;
//!         // Reading blocks. Records are a room's own; here one is one number.
//!         let replay = move || recovered.records.map(|record| Ok(u64::from(record?.bytes[0]))).sum();
//!         let sum: Result<u64, triarch_journal::OpenError> = tokio::task::spawn_blocking(replay).await?;
//!         Ok(Self { sum: sum?, journal })
//!     }
//!
//!     async fn handle(&mut self, Tally::Add(more, reply): Tally, _ctx: &mut Context<Self>) -> Result<(), Failure> {
//!         self.sum += u64::from(more);
//!         let sum = self.sum;
//!         // It takes the next message at once; where this one is not on disk, nobody is told that it is.
//!         self.journal.write_then(vec![more], move |outcome| drop(outcome.map(|_seq| reply.send(sum)))).await?;
//!         Ok(())
//!     }
//! }
//!
//! # tokio::runtime::Builder::new_current_thread().enable_all().build()?.block_on(async {
//! # let folder = tempfile::tempdir()?;
//! # let path = folder.path().join("work");
//! for expected in [7, 14] {
//!     let instruments = Instruments::with_tree(&[JOURNALS])?;
//!     let disk = Arc::new(RealDisk::at(&path)?);
//!     let (scribe, journal) = scribe("scribe", "work", disk, Config::default(), &instruments)?;
//!     let keeper = Child::of::<Keeper>("keeper", journal);
//!     let address = keeper.address();
//!     // Whoever owns the journal begins anew with its scribe.
//!     let room = Supervisor::named("work").strategy(Strategy::RestForOne).child(scribe).child(keeper);
//!     let tree = Root::new().instruments(instruments).supervisor(room).start().await?;
//!     assert_eq!(address.ask(|reply| Tally::Add(7, reply)).await?, expected);
//!     tree.stop().await;
//! }
//! # Ok::<(), Box<dyn std::error::Error>>(()) })?;
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```
//!
//! A snapshot: [`Writer::rotate`] and, in the same breath, a copy of the state; then [`Writer::snapshot`] with the draft
//! that comes back. It is written beside the journal, which goes on meanwhile.
//!
//! # What may be relied on
//!
//! - What was acknowledged is there after a kill and after a power cut, in its order. Of what was not, a beginning may be
//!   there, and never anything without what was handed over before it.
//! - A record is there whole or not at all. Records of one batch are acknowledged together, and not one thing on disk.
//! - No record is believed whose checksum does not hold. The end of an unfinished write is cut off and reported;
//!   anything else that is not as it was written is an [`OpenError`] that says where, and what to do.
//! - What cannot be known: that whole files of the newest records were taken away, or that the very last commit was
//!   damaged before anything more was written, a mark of rest included.
//!
//! | what happens | whoever waits | and then |
//! |---|---|---|
//! | the disk is full | [`WriteError::Full`]: not written, nor is what was handed over after it | take back what was not acknowledged, [`Writer::renew`], write again when one likes |
//! | a write or a sync fails, that of the folder under a snapshot included | [`WriteError::Failed`]: not known; what came after it [`WriteError::Stale`]: not written | [`JournalAddress::recover`], which opens and verifies; begin anew from that |
//! | the scribe fails | [`WriteError::Crashed`]: not known; what came after it `Stale` | the same; its next life has verified |
//! | somebody else recovers | `Stale` | one owner at a time |
//! | a record is too large | [`WriteError::Refused`]: not written, and only it | ask [`Config::fits`] of [`Writer::config`] before anything is decided |
//! | too much is queued | is held back, or [`WriteError::Busy`] | - |
//!
//! What is on disk unacknowledged when a journal is opened is written once more and synced before it counts: a sync that
//! failed in an earlier life is not told again. For the same reason the snapshot and the last segment are given their names
//! again, and a journal whose folder could not be synced is closed.
#![forbid(unsafe_code)]

mod config;
mod error;
mod format;
#[cfg(test)]
#[path = "../../../tests/fuzz/mod.rs"]
mod fuzz;
#[cfg(test)]
mod fuzzed;
mod gathering;
mod journal;
pub mod metrics;
mod names;
mod proof;
mod reader;
mod records;
mod recovery;
mod room;
mod scribe;
mod snapshot;
mod sys;
#[cfg(feature = "testing")]
pub mod testing;

pub use config::Config;
pub use error::{AppendError, CommitError, ConfigError, Error, OpenError, RecoverError, SnapshotError, WriteError};
pub use gathering::Gathering;
pub use journal::{Journal, Seq};
pub use records::{Record, Records};
pub use recovery::{Cut, CutReason, Recovered, Report};
pub use room::scribe;
pub use scribe::{Ack, Batch, JournalAddress, Order, Scribe, Writer};
pub use snapshot::{Draft, Snapshot, Written};
pub use sys::{Claim, Disk, DiskFile, RealDisk};
