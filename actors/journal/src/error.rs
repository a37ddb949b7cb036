//! What can go wrong with a journal.

use std::io;
use std::path::PathBuf;
use std::sync::Arc;

use triarch_supervision::address::AskError;
use triarch_supervision::metrics::InstrumentError;

use crate::journal::Seq;

/// Why a journal cannot be kept as it is described.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ConfigError {
    /// No such size of records.
    #[error("records of at most {asked} bytes cannot be; give record_bytes_max from 1 to {most}")]
    Record {
        /// What was asked for.
        asked: usize,
        /// The most there can be.
        most: usize,
    },
    /// Less room than one record takes, or more than can be counted.
    #[error(
        "{asked} bytes cannot be queued; give queued_bytes_max from {least}, which one record takes, to 4294967295"
    )]
    Queued {
        /// What was asked for.
        asked: usize,
        /// What one record takes.
        least: usize,
    },
    /// A bound of nothing.
    #[error("nothing could be written; give segment_bytes and gather_bytes more than 0")]
    Nothing,
}

/// Why a journal does not open.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum OpenError {
    /// It cannot be kept as described.
    #[error("the journal cannot be kept so")]
    Config(#[from] ConfigError),
    /// Another runtime writes it.
    #[error("{} is in use by another runtime; stop that one, or give this one a folder of its own", place.display())]
    Claimed {
        /// The folder.
        place: PathBuf,
    },
    /// The disk refused.
    #[error("{doing} {} failed; see to the disk and its rights", path.display())]
    Disk {
        /// What was tried.
        doing: &'static str,
        /// On what.
        path: PathBuf,
        /// What the disk said.
        #[source]
        source: io::Error,
    },
    /// Written by a later version.
    #[error("{} is of format {found}, and this version reads format {known}; start the version that wrote it, or a later one", path.display())]
    Version {
        /// The file.
        path: PathBuf,
        /// Its format.
        found: u16,
        /// What this version reads.
        known: u16,
    },
    /// Something that was on disk is not any more.
    #[error("{} is damaged at byte {offset}: {what}; copy the folder away, then restore it from a backup, or cut it by hand and lose what follows", path.display())]
    Damaged {
        /// The file.
        path: PathBuf,
        /// Where in it.
        offset: u64,
        /// What was found.
        what: String,
    },
    /// A file that should be there is not.
    #[error("records {from} to {to} are missing: they lie neither in a snapshot nor in a segment of {}; put the lost file back, or restore the folder from a backup", place.display())]
    Missing {
        /// The folder.
        place: PathBuf,
        /// The first that is missing.
        from: Seq,
        /// The last that is missing.
        to: Seq,
    },
    /// A file that does not belong there.
    #[error("{} does not belong here: {what}; move it out of the folder", path.display())]
    Foreign {
        /// The file.
        path: PathBuf,
        /// Why not.
        what: String,
    },
}

/// Why a record is not taken.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum AppendError {
    /// It is too large; [`Config::fits`](crate::Config::fits) would have said so.
    #[error(
        "a record of {bytes} bytes is larger than the {most} that are allowed; raise record_bytes_max, or write less"
    )]
    TooLarge {
        /// How large.
        bytes: usize,
        /// The bound.
        most: usize,
    },
    /// Too much waits for a commit.
    #[error("so much is gathered already that nothing more is taken; commit it first")]
    Gathered,
}

/// Why a commit failed.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum CommitError {
    /// There is no space. Nothing of it was written; it is gone from the buffer, and what comes next may be tried.
    #[error("{} cannot grow: the disk is full; free space, then write again", path.display())]
    Full {
        /// The file.
        path: PathBuf,
        /// What the disk said.
        #[source]
        source: io::Error,
    },
    /// The disk failed. Whether it is written is known once the journal was opened again.
    #[error("{doing} {} failed; nothing more is written until the journal is opened again and verified", path.display())]
    Failed {
        /// What was tried.
        doing: &'static str,
        /// On what.
        path: PathBuf,
        /// What the disk said.
        #[source]
        source: io::Error,
    },
    /// It failed before. Nothing of it was written.
    #[error("the journal in {} takes nothing since a failure; open it again", place.display())]
    Closed {
        /// The folder.
        place: PathBuf,
    },
}

/// Why a snapshot is not installed. The journal is as it was before, but after [`SnapshotError::Unsynced`].
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum SnapshotError {
    /// No segment begins behind it.
    #[error("no segment begins behind record {seq}; rotate first, and snapshot what was there then")]
    NotRotated {
        /// What it was to stand for.
        seq: Seq,
    },
    /// A newer one is there.
    #[error("there is a snapshot of record {newest} already, which is newer than {seq}")]
    Outdated {
        /// What it was to stand for.
        seq: Seq,
        /// What the newest stands for.
        newest: Seq,
    },
    /// The disk refused.
    #[error("{doing} {} failed; the journal goes on without the snapshot, try again later", path.display())]
    Disk {
        /// What was tried.
        doing: &'static str,
        /// On what.
        path: PathBuf,
        /// What the disk said.
        #[source]
        source: io::Error,
    },
    /// The folder was not synced. Names of other files may be lost with that of the snapshot, so the journal is closed.
    #[error("syncing {} failed; nothing more is written until the journal is opened again and verified", place.display())]
    Unsynced {
        /// The folder.
        place: PathBuf,
        /// What the disk said.
        #[source]
        source: io::Error,
    },
    /// The writer of it has failed.
    #[error("the snapshot is not written: {why}")]
    Crashed {
        /// In its own words.
        why: String,
    },
    /// The journal does not take it.
    #[error("the journal does not take the snapshot")]
    Write(#[from] WriteError),
}

impl SnapshotError {
    /// Whether it is certain that there is no such snapshot.
    pub const fn is_certain(&self) -> bool {
        match self {
            // It never got its name.
            Self::Disk { .. } => true,
            Self::Write(why) => why.is_certain(),
            Self::NotRotated { .. } | Self::Outdated { .. } | Self::Unsynced { .. } | Self::Crashed { .. } => false,
        }
    }
}

/// Why a write is not acknowledged.
#[derive(Clone, Debug, thiserror::Error)]
#[non_exhaustive]
pub enum WriteError {
    /// There is no space; it is not written, and neither is anything that was handed over after it. After
    /// [`Writer::renew`](crate::Writer::renew) the next may be tried.
    #[error("it is not written")]
    Full(#[source] Arc<CommitError>),
    /// The disk failed under it; whether it is written is known after a recovery.
    #[error("whether it is written is not known; recover the journal")]
    Failed(#[source] Arc<CommitError>),
    /// The scribe failed with it in hand; whether it is written is known after a recovery.
    #[error("the scribe failed with it in hand; recover the journal")]
    Crashed,
    /// Something before it failed, or the journal was recovered since; it is not written.
    #[error(
        "it is not written: the journal has failed or was recovered since; recover it, and go on with the new writer"
    )]
    Stale,
    /// It is too large; it is not written. What was handed over before and after it is written all the same, so an
    /// owner that had decided on it already is ahead of its journal: ask [`Config::fits`](crate::Config::fits) first.
    #[error("it is not written")]
    Refused(#[from] AppendError),
    /// There is a snapshot of all that was written already: a further one would stand for nothing more.
    #[error("there is a snapshot of all that was written already; write something first")]
    Kept,
    /// So much is queued that it would have to wait; it is not written.
    #[error("it is not written: too much waits for the disk; write later, or less")]
    Busy,
}

impl WriteError {
    /// Whether it is certain that nothing of it is or will be in the journal.
    pub const fn is_certain(&self) -> bool {
        !matches!(self, Self::Failed(_) | Self::Crashed)
    }
}

/// Why a journal is not recovered.
#[derive(Clone, Debug, thiserror::Error)]
#[non_exhaustive]
pub enum RecoverError {
    /// It does not open.
    #[error("the journal does not open")]
    Open(#[source] Arc<OpenError>),
    /// The scribe is not there, or failed meanwhile.
    #[error("the scribe has no answer")]
    Scribe(#[source] AskError),
}

/// Why a scribe cannot be described.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The journal cannot be kept so.
    #[error("the journal cannot be kept so")]
    Config(#[from] ConfigError),
    /// The instruments do not know the metrics of journals.
    #[error("the metrics of journals cannot be had; put their section into the catalogue")]
    Instrument(#[from] InstrumentError),
}
