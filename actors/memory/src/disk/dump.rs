//! Snapshots and backups: the store as one file, which says itself whether it is whole.
//!
//! ```text
//!   TRMEMORY   length, checksum, record   length, checksum, record   …   length, checksum, End
//! ```

use std::io::{self, Read, Write};
use std::sync::Arc;

use super::codec::{CodecError, Image, Images, Place, Record, RulesText, decode, unseal};
use super::seal::Seal;
use crate::config::Rules;
use crate::entry::Entry;
use crate::name::{Key, Namespace};
use crate::space::{Cut, Space};
use crate::time::Anchor;

const MAGIC: &[u8; 8] = b"TRMEMORY";

/// So many bytes of entries, labels included, at least close a record.
const RECORD_BYTES: usize = 256 << 10;

/// So many entries at most are in a record.
const RECORD_ENTRIES: usize = 1_024;

/// No record is longer: entries are bounded.
const FRAME_MAX: u32 = 256 << 20;

/// Why a snapshot or backup is not read or written.
#[derive(Debug, thiserror::Error)]
pub enum DumpError {
    /// The file fails.
    #[error("the backup cannot be read or written; see its disk")]
    Io(#[from] io::Error),
    /// It is something else.
    #[error("this is no backup of a memory store; name one that `memory backup` wrote")]
    NoBackup,
    /// It is not as it was written.
    #[error("the backup is damaged at byte {offset}: {what}; take another one")]
    Damaged {
        /// Where.
        offset: u64,
        /// What is wrong.
        what: &'static str,
    },
    /// A record cannot be read.
    #[error("record {number} of the backup is not taken up")]
    Record {
        /// Which.
        number: u64,
        /// Why.
        #[source]
        fault: CodecError,
    },
}

/// Writes a store down.
pub(crate) struct Dump<'a> {
    to: &'a mut dyn Write,
    seal: &'a Seal,
    records: u64,
    pub(crate) entries: u64,
}

impl<'a> Dump<'a> {
    pub(crate) fn begin(to: &'a mut dyn Write, seal: &'a Seal, anchor: Anchor) -> Result<Self, DumpError> {
        to.write_all(MAGIC)?;
        let mut dump = Self {
            to,
            seal,
            records: 0,
            entries: 0,
        };
        dump.put(&Record::Anchor(anchor))?;
        Ok(dump)
    }

    /// How far numbers have risen.
    pub(crate) fn risen(&mut self, version: u64) -> Result<(), DumpError> {
        self.put(&Record::Risen { version })
    }

    /// A durable namespace with its entries, while writers go on: all is there that was there from now on to the end,
    /// and the journal has what came between.
    pub(crate) fn pages(&mut self, space: &Space, anchor: &Anchor) -> Result<(), DumpError> {
        self.define(space.name(), &space.rules())?;
        let mut page = Page::of(space.name(), anchor, space.published());
        let mut after: Option<Key> = None;
        loop {
            let keys = space.keys("", after.as_ref().map(Key::as_str), RECORD_ENTRIES);
            after = keys.last().cloned();
            let is_last = keys.len() < RECORD_ENTRIES;
            let mut held = keys
                .into_iter()
                .filter_map(|key| Some((space.peek(key.as_str())?, key)));
            held.try_for_each(|(entry, key)| page.add(self, key, entry))?;
            if is_last {
                return page.put(self);
            }
        }
    }

    /// A namespace as of one instant.
    pub(crate) fn cut(&mut self, mut cut: Cut, anchor: &Anchor) -> Result<(), DumpError> {
        let name = cut.name().clone();
        self.define(&name, &cut.rules)?;
        let mut page = Page::of(&name, anchor, cut.revision);
        page.is_cut = true;
        loop {
            let taken = cut.page();
            let mut entries = taken.entries.into_iter();
            entries.try_for_each(|(key, entry)| page.add(self, key, entry))?;
            if !taken.may_go_on {
                return page.put(self);
            }
        }
    }

    /// A namespace without its entries.
    pub(crate) fn define(&mut self, name: &Namespace, rules: &Rules) -> Result<(), DumpError> {
        self.put(&Record::Define {
            namespace: name.clone(),
            rules: RulesText::of(rules),
        })
    }

    /// The end, without which it is not whole.
    pub(crate) fn end(mut self) -> Result<u64, DumpError> {
        let records = self.records;
        self.put(&Record::End { records })?;
        self.to.flush()?;
        Ok(self.entries)
    }

    fn put(&mut self, record: &Record<'_>) -> Result<(), DumpError> {
        let number = self.records;
        let bytes = record.encode(self.seal, Place::File(number));
        let bytes = bytes.map_err(|fault| DumpError::Record { number, fault })?;
        let length = u32::try_from(bytes.len()).ok().filter(|length| *length <= FRAME_MAX);
        let length = length.ok_or_else(|| io::Error::from(io::ErrorKind::FileTooLarge))?;
        self.to.write_all(&length.to_le_bytes())?;
        self.to.write_all(&crc32c::crc32c(&bytes).to_le_bytes())?;
        self.to.write_all(&bytes)?;
        self.records += 1;
        Ok(())
    }
}

/// Entries of a namespace that go into one record.
struct Page<'s> {
    name: &'s Namespace,
    anchor: &'s Anchor,
    revision: u64,
    is_cut: bool,
    entries: Vec<(Key, Arc<Entry>)>,
    bytes: usize,
}

impl<'s> Page<'s> {
    fn of(name: &'s Namespace, anchor: &'s Anchor, revision: u64) -> Self {
        Self {
            name,
            anchor,
            revision,
            is_cut: false,
            entries: Vec::new(),
            bytes: 0,
        }
    }

    fn add(&mut self, dump: &mut Dump<'_>, key: Key, entry: Arc<Entry>) -> Result<(), DumpError> {
        let size = usize::try_from(entry.size(&key)).unwrap_or(usize::MAX);
        self.bytes = self.bytes.saturating_add(size);
        self.entries.push((key, entry));
        if self.bytes >= RECORD_BYTES || self.entries.len() >= RECORD_ENTRIES {
            self.put(dump)?;
        }
        Ok(())
    }

    /// Writes what there is, also where that is nothing: the number of the last change must be known.
    fn put(&mut self, dump: &mut Dump<'_>) -> Result<(), DumpError> {
        let entries = std::mem::take(&mut self.entries);
        self.bytes = 0;
        dump.entries += entries.len() as u64;
        let images = entries
            .iter()
            .map(|(key, entry)| Image::of(key, entry.version(), Some(entry)));
        dump.put(&Record::Images(Images {
            namespace: self.name.clone(),
            at: self.anchor.time,
            revision: self.revision,
            is_last: true,
            is_cut: self.is_cut,
            all: images.collect(),
        }))
    }
}

/// Reads a snapshot or backup, record by record, and says whether it was whole.
pub(crate) struct DumpReader<'a, R> {
    from: R,
    seal: &'a Seal,
    records: u64,
    offset: u64,
}

impl<'a, R: Read> DumpReader<'a, R> {
    pub(crate) fn begin(mut from: R, seal: &'a Seal) -> Result<Self, DumpError> {
        let mut magic = [0; 8];
        match from.read_exact(&mut magic) {
            Err(fault) if fault.kind() == io::ErrorKind::UnexpectedEof => return Err(DumpError::NoBackup),
            read => read?,
        }
        if magic != *MAGIC {
            return Err(DumpError::NoBackup);
        }
        Ok(Self {
            from,
            seal,
            records: 0,
            offset: 8,
        })
    }

    /// Hands every record but the last to `take`, and returns once all of them are verified.
    pub(crate) fn each(&mut self, mut take: impl FnMut(Record<'_>) -> Result<(), CodecError>) -> Result<(), DumpError> {
        loop {
            let bytes = self.frame()?;
            let number = self.records;
            let fault = |fault| DumpError::Record { number, fault };
            let plain = unseal(&bytes, self.seal, Place::File(number)).map_err(fault)?;
            match decode(&plain).map_err(fault)? {
                Record::End { records } if records == number => return self.is_over(),
                Record::End { .. } => return Err(self.damaged("it ends before its end")),
                record => take(record).map_err(fault)?,
            }
            self.records += 1;
        }
    }

    fn is_over(&mut self) -> Result<(), DumpError> {
        match self.from.read(&mut [0])? {
            0 => Ok(()),
            _ => Err(self.damaged("it goes on after its end")),
        }
    }

    fn frame(&mut self) -> Result<Vec<u8>, DumpError> {
        let mut head = [0; 8];
        self.fill(&mut head)?;
        let [a, b, c, d, checksum @ ..] = head;
        let length = u32::from_le_bytes([a, b, c, d]);
        if length > FRAME_MAX {
            return Err(self.damaged("a record is longer than any"));
        }
        // Read as it comes: a length that lies takes no room.
        let mut bytes = Vec::new();
        let read = (&mut self.from).take(u64::from(length)).read_to_end(&mut bytes)?;
        if read as u64 != u64::from(length) {
            return Err(self.damaged("it is cut off"));
        }
        if crc32c::crc32c(&bytes) != u32::from_le_bytes(checksum) {
            return Err(self.damaged("a checksum does not hold"));
        }
        self.offset += 8 + u64::from(length);
        Ok(bytes)
    }

    fn fill(&mut self, into: &mut [u8]) -> Result<(), DumpError> {
        match self.from.read_exact(into) {
            Err(fault) if fault.kind() == io::ErrorKind::UnexpectedEof => Err(self.damaged("it is cut off")),
            read => Ok(read?),
        }
    }

    fn damaged(&self, what: &'static str) -> DumpError {
        DumpError::Damaged {
            offset: self.offset,
            what,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::access::Identity;
    use crate::op::{Op, Put};
    use crate::space::Shared;
    use crate::time::StoreTime;
    use crate::value::Value;

    /// A store of one namespace with values of these sizes, as a file.
    fn dumped(sizes: &[usize]) -> Vec<u8> {
        let space = Space::new(Namespace::new("one").unwrap(), &Rules::default(), Shared::default());
        for (number, size) in sizes.iter().enumerate() {
            let key = Key::new(&format!("k{number}")).unwrap();
            let put = Op::Put(Put::new(key, Value::bytes(vec![7; *size])));
            let now = StoreTime::from_millis(1);
            space.write_one(&Identity::system(), &put, now).unwrap();
        }
        file(&space)
    }

    fn file(space: &Space) -> Vec<u8> {
        let (mut bytes, seal, anchor) = (Vec::new(), Seal::none(), Anchor::default());
        let mut dump = Dump::begin(&mut bytes, &seal, anchor.clone()).unwrap();
        dump.pages(space, &anchor).unwrap();
        assert_eq!(dump.end().unwrap(), space.extent().entries);
        bytes
    }

    /// What a file has: of each of its records with entries, how many; or why it is not read.
    fn read(from: impl Read) -> Result<Vec<usize>, DumpError> {
        let (seal, mut pages) = (Seal::none(), Vec::new());
        DumpReader::begin(from, &seal)?.each(|record| {
            if let Record::Images(images) = record {
                pages.push(images.all.len());
            }
            Ok(())
        })?;
        Ok(pages)
    }

    fn damage(bytes: &[u8]) -> (u64, &'static str) {
        match read(bytes).unwrap_err() {
            DumpError::Damaged { offset, what } => (offset, what),
            other => panic!("{other}"),
        }
    }

    /// Where its records begin, and where the last of them ends.
    fn offsets(bytes: &[u8]) -> Vec<usize> {
        let after = |at: &usize| {
            let length = bytes.get(*at..*at + 4)?.try_into().ok()?;
            Some(*at + 8 + usize::try_from(u32::from_le_bytes(length)).ok()?)
        };
        std::iter::successors(Some(8), after).collect()
    }

    #[test]
    fn a_record_has_entries_until_they_are_many_bytes() {
        assert_eq!(read(&*dumped(&[1, 2, 3])).unwrap(), [3]);
        assert_eq!(read(&*dumped(&[1, RECORD_BYTES - 1, 3])).unwrap(), [2, 1]);
        assert_eq!(read(&*dumped(&[])).unwrap(), [0]);
        assert_eq!(read(&*dumped(&[0; RECORD_ENTRIES + 5])).unwrap(), [RECORD_ENTRIES, 5]);
    }

    #[test]
    fn what_is_said_beside_values_counts_towards_a_record() {
        let space = Space::new(Namespace::new("one").unwrap(), &Rules::default(), Shared::default());
        let note = "x".repeat(RECORD_BYTES / 2);
        for key in ["a", "b", "c"] {
            let put = Put::new(Key::new(key).unwrap(), Value::bytes(*b"")).note("why", &note);
            let now = StoreTime::from_millis(1);
            space.write_one(&Identity::system(), &Op::Put(put), now).unwrap();
        }
        assert_eq!(read(&*file(&space)).unwrap(), [2, 1]);
    }

    #[test]
    fn a_file_that_lacks_a_record_or_has_more_is_refused_with_the_place() {
        assert!(matches!(read(&MAGIC[..3]), Err(DumpError::NoBackup)));
        let bytes = dumped(&[1, 2, 3]);
        let at = offsets(&bytes);
        let end = at.len() - 2;
        for cut in [at[2], at[2] + 3, at[end]] {
            let begun = *at.iter().rfind(|start| **start <= cut).unwrap();
            assert_eq!(damage(&bytes[..cut]), (begun as u64, "it is cut off"));
        }
        let lacking = [&bytes[..at[end - 1]], &bytes[at[end]..]].concat();
        assert_eq!(damage(&lacking).1, "it ends before its end");
        let longer = [&*bytes, b"x"].concat();
        assert_eq!(damage(&longer).1, "it goes on after its end");
        let mut lies = bytes;
        for (length, what) in [
            (u32::MAX, "a record is longer than any"),
            (FRAME_MAX + 1, "a record is longer than any"),
            (FRAME_MAX, "it is cut off"),
        ] {
            lies[at[1]..at[1] + 4].copy_from_slice(&length.to_le_bytes());
            assert_eq!(damage(&lies), (at[1] as u64, what));
        }
    }

    /// A disk that fails after its first bytes.
    struct Failing<'a>(&'a [u8]);

    impl Read for Failing<'_> {
        fn read(&mut self, into: &mut [u8]) -> io::Result<usize> {
            match self.0.read(into)? {
                0 => Err(io::Error::other("no light")),
                read => Ok(read),
            }
        }
    }

    #[test]
    fn a_disk_that_fails_is_not_taken_for_a_file_that_is_damaged() {
        let bytes = dumped(&[1]);
        for end in [3, offsets(&bytes)[1], bytes.len()] {
            assert!(matches!(read(Failing(&bytes[..end])), Err(DumpError::Io(_))), "{end}");
        }
    }
}
