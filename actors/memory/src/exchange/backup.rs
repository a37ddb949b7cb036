//! Backup and restore: the whole store in one file, verified before it counts.

use std::collections::BTreeMap;
use std::fs::File;
use std::io::{self, BufReader, BufWriter, Seek, SeekFrom};

use serde::Serialize;

use super::{Conflicts, Exported, Incoming, Placing};
use crate::client::Client;
use crate::clocks;
use crate::disk::{Dump, DumpError, DumpReader, Recovering, Recovery, Seal};
use crate::error::Error;
use crate::name::Namespace;
use crate::space::cut_together;
use crate::store::Store;
use crate::time::Anchor;

/// Why something does not get in or out of the store as a whole.
#[derive(Debug, thiserror::Error)]
pub enum ExchangeError {
    /// The backup.
    #[error(transparent)]
    Dump(#[from] DumpError),
    /// The file fails.
    #[error("the file cannot be read or written; see its disk")]
    Io(#[from] io::Error),
    /// The store.
    #[error(transparent)]
    Store(#[from] Error),
    /// A line.
    #[error("line {number} is no entry: {fault}; mend it, nothing behind it was taken")]
    Line {
        /// Which, from 1.
        number: u64,
        /// Why.
        fault: String,
    },
    /// A snapshot.
    #[error("the snapshot was not taken: {fault}; the journal has everything meanwhile")]
    Snapshot {
        /// Why.
        fault: String,
    },
}

/// A backup that was written, and read again.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
pub struct BackedUp {
    /// How many entries are in it.
    pub entries: u64,
    /// How many bytes it has.
    pub bytes: u64,
}

/// What a restore did, or would do, by namespace.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct RestoreReport {
    /// Namespaces that were not there.
    pub defined: Vec<Namespace>,
    /// Entries by what became of them.
    pub namespaces: BTreeMap<Namespace, Exported>,
}

/// Writes all namespaces to a file, as of one instant of them all, syncs it, and reads it again.
pub(crate) fn back_up(store: &Store, mut file: &File, seal: &Seal) -> Result<BackedUp, ExchangeError> {
    let cuts = cut_together(&store.spaces());
    let anchor = Anchor {
        time: store.clock().now(),
        reading: clocks::reading(),
    };
    let mut to = BufWriter::new(file);
    let mut dump = Dump::begin(&mut to, seal, anchor.clone())?;
    cuts.into_iter().try_for_each(|cut| dump.cut(cut, &anchor))?;
    let entries = dump.end()?;
    drop(to);
    file.sync_all()?;
    let bytes = file.stream_position()?;
    file.seek(SeekFrom::Start(0))?;
    DumpReader::begin(BufReader::new(file), seal)?.each(|_| Ok(()))?;
    Ok(BackedUp { entries, bytes })
}

/// A backup as it was read: all of it, and verified.
pub(crate) struct Restoring(Recovery);

/// Reads a backup whole.
pub(crate) fn restore(file: &mut File, seal: &Seal) -> Result<Restoring, ExchangeError> {
    let mut recovering = Recovering::new(seal);
    DumpReader::begin(BufReader::new(file), seal)?.each(|record| recovering.take(record))?;
    Ok(Restoring(recovering.end()))
}

impl Restoring {
    /// Makes the namespaces that are not there, and takes up the entries.
    pub(crate) async fn take_up(
        self,
        client: &Client,
        conflicts: Conflicts,
        is_dry: bool,
    ) -> Result<RestoreReport, ExchangeError> {
        let mut report = RestoreReport::default();
        let then = self.0.anchor;
        for (name, held) in self.0.spaces {
            let is_new = client.store().space(name.as_str()).is_err();
            if is_new {
                report.defined.push(name.clone());
                if is_dry {
                    let written = held.entries.len() as u64;
                    let counted = Exported {
                        written,
                        ..Exported::default()
                    };
                    report.namespaces.insert(name, counted);
                    continue;
                }
                client.define(&name, held.rules).await?;
            }
            let mut placing = Placing::new(client, &name, conflicts, is_dry)?;
            let mut entries: Vec<_> = held.entries.into_iter().collect();
            entries.sort_by_key(|(_, entry)| entry.version());
            for (key, entry) in entries {
                let incoming = Incoming::of(key, &entry, &then, client.store().clock());
                placing.take(incoming.map_or_else(|| Err(()), Ok)).await?;
            }
            report.namespaces.insert(name, placing.end().await?);
        }
        Ok(report)
    }
}
