//! From a snapshot and the records behind it to what is there.

use std::collections::{BTreeMap, HashMap};

use super::codec::{CodecError, Images, Place, Record, decode, unseal};
use super::dump::{DumpError, DumpReader};
use super::seal::Seal;
use crate::config::Rules;
use crate::entry::Entry;
use crate::name::{Key, Namespace};
use crate::time::{Anchor, StoreTime};

/// Why what is on disk is not taken up.
#[derive(Debug, thiserror::Error)]
pub enum RecoveryError {
    /// The snapshot.
    #[error("the snapshot of the store is not taken up")]
    Snapshot(#[from] DumpError),
    /// A record.
    #[error("record {seq} of the store's journal: {fault}")]
    Record {
        /// Which.
        seq: u64,
        /// Why.
        #[source]
        fault: CodecError,
    },
    /// The journal itself.
    #[error("the journal of the store cannot be read")]
    Journal(#[from] triarch_journal::OpenError),
}

/// What is there, as far as it has been read.
pub(crate) struct Recovering<'a> {
    seal: &'a Seal,
    spaces: BTreeMap<Namespace, Held>,
    anchor: Anchor,
    latest: StoreTime,
}

/// What was there.
#[derive(Debug, Default)]
pub(crate) struct Recovery {
    pub(crate) spaces: BTreeMap<Namespace, Held>,
    /// The last time that was written down beside the clocks.
    pub(crate) anchor: Anchor,
    /// The last time that was written down at all.
    pub(crate) latest: StoreTime,
}

/// A namespace as it was.
#[derive(Debug, Default)]
pub(crate) struct Held {
    pub(crate) rules: Rules,
    pub(crate) entries: HashMap<Key, Entry>,
    pub(crate) revision: u64,
    /// All changes up to this one are in the snapshot, and what was flushed before is older than that.
    cut: u64,
    /// Parts of a write that has not ended yet.
    parts: Vec<(Key, u64, Option<Entry>)>,
}

impl<'a> Recovering<'a> {
    pub(crate) fn new(seal: &'a Seal) -> Self {
        Self {
            seal,
            spaces: BTreeMap::new(),
            anchor: Anchor::default(),
            latest: StoreTime::default(),
        }
    }

    pub(crate) fn snapshot(&mut self, bytes: &[u8]) -> Result<(), RecoveryError> {
        let mut reader = DumpReader::begin(bytes, self.seal)?;
        Ok(reader.each(|record| self.take(record))?)
    }

    pub(crate) fn record(&mut self, seq: u64, bytes: &[u8]) -> Result<(), RecoveryError> {
        let fault = |fault| RecoveryError::Record { seq, fault };
        let plain = unseal(bytes, self.seal, Place::Journal).map_err(fault)?;
        self.take(decode(&plain).map_err(fault)?).map_err(fault)
    }

    pub(crate) fn take(&mut self, record: Record<'_>) -> Result<(), CodecError> {
        match record {
            Record::Images(images) => self.images(images)?,
            Record::Define { namespace, rules } => {
                self.spaces.entry(namespace).or_default().rules = rules.rules()?;
            }
            Record::Forget { namespace } => {
                self.spaces.remove(&namespace);
            }
            Record::Anchor(anchor) => {
                self.latest = self.latest.max(anchor.time);
                self.anchor = anchor;
            }
            Record::End { .. } => {}
        }
        Ok(())
    }

    fn images(&mut self, images: Images<'_>) -> Result<(), CodecError> {
        self.latest = self.latest.max(images.at);
        // Of a namespace that went nothing is left, not even what was under way.
        let Some(held) = self.spaces.get_mut(&images.namespace) else {
            return Ok(());
        };
        if images.is_cut {
            held.cut = images.revision;
        } else if images.revision <= held.cut {
            return Ok(());
        }
        for image in images.all {
            let entry = image
                .entry
                .map(|entry| entry.entry(&image.key, image.version))
                .transpose()?;
            held.parts.push((image.key, image.version, entry));
        }
        if images.is_last {
            held.revision = held.revision.max(images.revision);
            held.end_write();
        }
        Ok(())
    }

    /// What it came to. A write that has not ended never was.
    pub(crate) fn end(self) -> Recovery {
        Recovery {
            spaces: self.spaces,
            anchor: self.anchor,
            latest: self.latest,
        }
    }
}

impl Held {
    fn end_write(&mut self) {
        for (key, version, entry) in self.parts.drain(..) {
            // A snapshot may be ahead of the first records behind it.
            if self.entries.get(&key).is_some_and(|held| held.version() > version) {
                continue;
            }
            match entry {
                Some(entry) => self.entries.insert(key, entry),
                None => self.entries.remove(&key),
            };
        }
    }
}
