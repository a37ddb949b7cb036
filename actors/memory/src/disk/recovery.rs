//! From a snapshot and the records behind it to what is there.

use std::collections::BTreeMap;
use std::sync::Arc;

use super::codec::{CodecError, Flushed, Images, Owners, Place, Record, decode, unseal};
use super::dump::{DumpError, DumpReader};
use super::entries::Entries;
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
    #[error("record {seq} of the store's journal is not taken up")]
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
    owners: Owners,
    anchor: Anchor,
    began: Option<StoreTime>,
    latest: StoreTime,
    risen: u64,
    flush: u64,
    unkept: u64,
}

/// What was there.
#[derive(Debug, Default)]
pub(crate) struct Recovery {
    pub(crate) spaces: BTreeMap<Namespace, Held>,
    /// The last time that was written down beside the clocks.
    pub(crate) anchor: Anchor,
    /// The first such time: that of the snapshot, or of the journal's beginning where there is none.
    pub(crate) began: Option<StoreTime>,
    /// The last time that was written down at all.
    pub(crate) latest: StoreTime,
    /// No number up to this one is given again to what has lost its own.
    pub(crate) risen: u64,
    /// The last flush that was begun.
    pub(crate) flush: u64,
    /// How many bytes of namespaces and entries are in no snapshot.
    pub(crate) unkept: u64,
}

/// A namespace as it was.
#[derive(Debug, Default)]
pub(crate) struct Held {
    pub(crate) rules: Rules,
    pub(crate) entries: Entries,
    pub(crate) revision: u64,
    /// All changes up to this one are in the snapshot, and what was flushed before is older than that.
    cut: u64,
    /// Parts of a write that has not ended yet, and of which flush they are.
    parts: Vec<(Key, u64, Option<Arc<Entry>>)>,
    flush: u64,
}

impl<'a> Recovering<'a> {
    pub(crate) fn new(seal: &'a Seal) -> Self {
        Self {
            seal,
            spaces: BTreeMap::new(),
            owners: Owners::default(),
            anchor: Anchor::default(),
            began: None,
            latest: StoreTime::default(),
            risen: 0,
            flush: 0,
            unkept: 0,
        }
    }

    pub(crate) fn snapshot(&mut self, bytes: &[u8]) -> Result<(), RecoveryError> {
        let mut reader = DumpReader::begin(bytes, self.seal)?;
        Ok(reader.each(|record| self.take(record))?)
    }

    pub(crate) fn record(&mut self, seq: u64, bytes: &[u8]) -> Result<(), RecoveryError> {
        let fault = |fault| RecoveryError::Record { seq, fault };
        let plain = unseal(bytes, self.seal, Place::Journal).map_err(fault)?;
        let record = decode(&plain).map_err(fault)?;
        // Of how far time and numbers came each life writes something, whether anything happens in it or not.
        if !matches!(record, Record::Anchor(_) | Record::Risen { .. }) {
            self.unkept += bytes.len() as u64;
        }
        self.take(record).map_err(fault)
    }

    pub(crate) fn take(&mut self, record: Record<'_>) -> Result<(), CodecError> {
        match record {
            Record::Images(images) => self.images(0, images)?,
            Record::Flushed(Flushed { flush, images }) => {
                self.flush = self.flush.max(flush);
                self.images(flush, images)?;
            }
            Record::Define { namespace, rules } => {
                self.spaces.entry(namespace).or_default().rules = rules.rules()?;
            }
            Record::Forget { namespace } => {
                let gone = self.spaces.remove(&namespace);
                self.risen = self.risen.max(gone.map_or(0, |held| held.revision));
            }
            // The last one counts: an orderly end says how far it really came.
            Record::Risen { version } => self.risen = version,
            Record::Anchor(anchor) => {
                self.latest = self.latest.max(anchor.time);
                self.began.get_or_insert(anchor.time);
                self.anchor = anchor;
            }
            Record::End { .. } => {}
        }
        Ok(())
    }

    fn images(&mut self, flush: u64, images: Images<'_>) -> Result<(), CodecError> {
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
        if held.flush != flush {
            // What was begun before was cut short, and what it was of is older than this.
            held.parts.clear();
            held.flush = flush;
        }
        for image in images.all {
            let entry = image
                .entry
                .map(|entry| entry.entry(&image.key, image.version, &mut self.owners))
                .transpose()?;
            held.parts.push((image.key, image.version, entry.map(Arc::new)));
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
            began: self.began,
            latest: self.latest,
            risen: self.risen,
            flush: self.flush,
            unkept: self.unkept,
        }
    }
}

impl Held {
    fn end_write(&mut self) {
        for (key, version, entry) in self.parts.drain(..) {
            // A snapshot may be ahead of the first records behind it.
            match entry {
                Some(entry) => self.entries.insert(key, entry),
                None if self.entries.get(&key).is_some_and(|held| held.version() > version) => {}
                None => drop(self.entries.remove(&key)),
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::Durability;
    use crate::disk::codec::{Image, RulesText};
    use crate::entry::Parts;
    use crate::value::Value;

    fn entry(key: &Key, version: u64) -> Entry {
        let parts = Parts::of(Value::bytes(version.to_string().into_bytes()), version);
        Entry::new(key, parts)
    }

    /// What is written of a namespace: (key, version, whether it is there), as of a revision.
    struct Shown(&'static [(&'static str, u64, bool)], u64);

    fn take(recovering: &mut Recovering<'_>, Shown(shown, revision): &Shown, is_last: bool, is_cut: bool) {
        let keys = shown
            .iter()
            .map(|(key, version, is_there)| (Key::new(key).unwrap(), *version, *is_there));
        let entries: Vec<_> = keys
            .map(|(key, version, is_there)| (entry(&key, version), key, is_there))
            .collect();
        let all = entries.iter();
        let all = all.map(|(entry, key, is_there)| Image::of(key, entry.version(), is_there.then_some(entry)));
        let images = Images {
            namespace: Namespace::new("n").unwrap(),
            at: StoreTime::default(),
            revision: *revision,
            is_last,
            is_cut,
            all: all.collect(),
        };
        recovering.take(Record::Images(images)).unwrap();
    }

    fn begun(seal: &Seal) -> Recovering<'_> {
        let mut recovering = Recovering::new(seal);
        let rules = Rules {
            durability: Durability::Relaxed,
            ..Rules::default()
        };
        let define = Record::Define {
            namespace: Namespace::new("n").unwrap(),
            rules: RulesText::of(&rules),
        };
        recovering.take(define).unwrap();
        recovering
    }

    fn held(recovering: Recovering<'_>) -> Vec<(String, u64)> {
        let recovery = recovering.end();
        let entries = recovery
            .spaces
            .into_values()
            .flat_map(|held| held.entries.into_entries());
        let mut all: Vec<_> = entries.map(|(key, entry)| (key.to_string(), entry.version())).collect();
        all.sort();
        all
    }

    #[test]
    fn a_flush_that_is_older_than_the_snapshot_is_passed_over() {
        let seal = Seal::none();
        let mut recovering = begun(&seal);
        take(
            &mut recovering,
            &Shown(&[("a", 5, true), ("b", 6, true)], 6),
            true,
            true,
        );
        // Flushed before the snapshot was taken, and behind it in the journal.
        take(
            &mut recovering,
            &Shown(&[("a", 3, true), ("c", 4, true)], 4),
            true,
            false,
        );
        take(
            &mut recovering,
            &Shown(&[("b", 7, false), ("d", 7, true)], 7),
            true,
            false,
        );
        assert_eq!(held(recovering), [("a".to_owned(), 5), ("d".to_owned(), 7)]);
    }

    #[test]
    fn a_write_that_did_not_end_never_was() {
        let seal = Seal::none();
        let mut recovering = begun(&seal);
        take(&mut recovering, &Shown(&[("a", 1, true)], 2), false, false);
        take(&mut recovering, &Shown(&[("b", 2, true)], 2), true, false);
        take(&mut recovering, &Shown(&[("a", 3, true)], 4), false, false);
        assert_eq!(held(recovering), [("a".to_owned(), 1), ("b".to_owned(), 2)]);
    }

    fn flush(recovering: &mut Recovering<'_>, flush: u64, Shown(shown, revision): &Shown, is_last: bool) {
        let keys = shown.iter().map(|(key, version, _)| (Key::new(key).unwrap(), *version));
        let entries: Vec<_> = keys.map(|(key, version)| (entry(&key, version), key)).collect();
        let images = Images {
            namespace: Namespace::new("n").unwrap(),
            at: StoreTime::default(),
            revision: *revision,
            is_last,
            is_cut: false,
            all: entries
                .iter()
                .map(|(entry, key)| Image::of(key, entry.version(), Some(entry)))
                .collect(),
        };
        recovering.take(Record::Flushed(Flushed { flush, images })).unwrap();
    }

    #[test]
    fn a_flush_that_was_cut_short_is_no_part_of_the_next() {
        let seal = Seal::none();
        let mut recovering = begun(&seal);
        flush(&mut recovering, 1, &Shown(&[("a", 2, true)], 4), true);
        flush(&mut recovering, 2, &Shown(&[("a", 7, true)], 9), false);
        flush(&mut recovering, 3, &Shown(&[("b", 5, true)], 6), false);
        flush(&mut recovering, 3, &Shown(&[("c", 6, true)], 6), true);
        let held_then = held(recovering);
        assert_eq!(
            held_then,
            [("a".to_owned(), 2), ("b".to_owned(), 5), ("c".to_owned(), 6)]
        );
    }

    #[test]
    fn numbers_of_what_is_gone_are_remembered_and_an_orderly_end_says_how_far_they_came() {
        let seal = Seal::none();
        let mut recovering = begun(&seal);
        recovering.take(Record::Risen { version: 1_000 }).unwrap();
        recovering.take(Record::Risen { version: 7 }).unwrap();
        take(&mut recovering, &Shown(&[("a", 9, true)], 9), true, false);
        let namespace = Namespace::new("n").unwrap();
        recovering.take(Record::Forget { namespace }).unwrap();
        assert_eq!(recovering.end().risen, 9);
    }

    #[test]
    fn a_snapshot_that_is_ahead_of_the_journal_is_not_set_back() {
        let seal = Seal::none();
        let mut recovering = begun(&seal);
        take(&mut recovering, &Shown(&[("a", 9, true)], 2), true, false);
        take(&mut recovering, &Shown(&[("a", 3, true)], 3), true, false);
        take(&mut recovering, &Shown(&[("a", 4, false)], 4), true, false);
        assert_eq!(held(recovering), [("a".to_owned(), 9)]);
    }
}
