//! What a journal promises, a test for each sentence.

#![expect(clippy::unwrap_used, reason = "a wrong outcome ends the test")]

mod damage;
mod fixtures;
mod kills;
mod openers;
mod refusals;
mod scribe;
mod snapshots;

use std::sync::Arc;

use triarch_journal::testing::SimDisk;
use triarch_journal::{Config, Disk, Journal, OpenError, Record, Recovered};

/// Small segments, so that there are many.
pub(crate) const SMALL: Config = Config {
    segment_bytes: 400,
    record_bytes_max: 1000,
    gather_bytes: 500,
    queued_bytes_max: 100_000,
};

pub(crate) fn open(disk: &SimDisk) -> Result<(Journal, Recovered), OpenError> {
    Journal::open(Arc::new(disk.clone()), SMALL)
}

pub(crate) fn texts(recovered: Recovered) -> Vec<String> {
    let text = |record: Result<Record, OpenError>| String::from_utf8(record.unwrap().bytes).unwrap();
    recovered.records.map(text).collect()
}

/// Appends and commits each of them for itself.
pub(crate) fn write(journal: &mut Journal, records: impl IntoIterator<Item = impl AsRef<[u8]>>) {
    for record in records {
        journal.append(record.as_ref()).unwrap();
        journal.commit().unwrap();
    }
}

/// Opens and reads all of it, and lets go of it.
pub(crate) fn read(disk: impl Disk) -> Vec<String> {
    let (_journal, recovered) = Journal::open(Arc::new(disk), SMALL).unwrap();
    texts(recovered)
}
