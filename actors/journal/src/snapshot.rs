//! Snapshots: what the records up to one came to, in one file.

use std::io::{self, Write};
use std::path::PathBuf;
use std::sync::Arc;

use crate::error::{OpenError, SnapshotError, WriteError};
use crate::format::NoHeader;
use crate::format::{DRAFT, HEADER, Header, Kind, SNAPSHOT_END, VERSION, u32_at, u64_at};
use crate::journal::Seq;
use crate::names::{Names, NotNamed};
use crate::sys::{Disk, DiskFile};

/// So much is written at once.
const CHUNK: usize = 256 << 10;

/// A snapshot as it is read again.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Snapshot {
    /// The last record it stands for.
    pub seq: Seq,
    /// What it was given.
    pub bytes: Vec<u8>,
}

/// A snapshot that is to be written: what of the journal that takes.
///
/// It is written beside the journal, which goes on meanwhile; then [`Journal::install`](crate::Journal::install) takes it up.
#[derive(Clone, Debug)]
pub struct Draft {
    pub(crate) disk: Arc<dyn Disk>,
    pub(crate) names: Arc<Names>,
    pub(crate) journal: u64,
    pub(crate) seq: Seq,
}

/// A snapshot that is on disk under its name. The journal takes it up with its next commit, if nobody has it taken up before.
#[derive(Debug)]
pub struct Written {
    pub(crate) seq: Seq,
    pub(crate) bytes: u64,
}

impl Written {
    /// How many bytes it was given.
    pub const fn bytes(&self) -> u64 {
        self.bytes
    }
}

impl Draft {
    /// Writes what `fill` writes, and returns once it is on disk whole. Blocks. After [`SnapshotError::Unsynced`] the
    /// journal is closed.
    pub fn write(self, fill: impl FnOnce(&mut dyn Write) -> io::Result<()>) -> Result<Written, SnapshotError> {
        let (name, draft) = (Kind::Snapshot.name(self.seq.number()), self.draft());
        let written = self.fill(&draft, fill);
        let bytes = written.inspect_err(|_| {
            // The next opening removes what stays.
            let _removed = self.disk.remove(&draft);
        })?;
        let named = self.names.give_snapshot(&draft, self.seq.number());
        named.map_err(|not| self.not_named(not, &draft, &name))?;
        Ok(Written { seq: self.seq, bytes })
    }

    fn not_named(&self, not: NotNamed, draft: &str, name: &str) -> SnapshotError {
        let source = match not {
            NotNamed::Syncing(source) => {
                let place = self.disk.place().to_owned();
                return SnapshotError::Unsynced { place, source };
            }
            NotNamed::Renaming(source) => Some(source),
            NotNamed::Over => None,
        };
        let _removed = self.disk.remove(draft);
        source.map_or(WriteError::Stale.into(), |source| self.refused("naming", name, source))
    }

    /// A name that no other draft has: an earlier scribe's may still be written.
    fn draft(&self) -> String {
        format!("{:020}-{:016x}{DRAFT}", self.seq.number(), self.disk.draw())
    }

    fn fill(&self, draft: &str, fill: impl FnOnce(&mut dyn Write) -> io::Result<()>) -> Result<u64, SnapshotError> {
        let made = self.disk.create(draft);
        let made = made.map_err(|source| self.refused("making", draft, source))?;
        let header = Header {
            kind: Kind::Snapshot,
            journal: self.journal,
            seq: self.seq.number(),
        };
        let mut page = Page::new(made, header);
        let filled = fill(&mut page).and_then(|()| page.end());
        filled.map_err(|source| self.refused("writing", draft, source))
    }

    fn refused(&self, doing: &'static str, name: &str, source: io::Error) -> SnapshotError {
        SnapshotError::Disk {
            doing,
            path: self.disk.place().join(name),
            source,
        }
    }
}

/// Gathers what is written, and keeps its checksum.
struct Page {
    file: Box<dyn DiskFile>,
    offset: u64,
    gathered: Vec<u8>,
    crc: u32,
    bytes: u64,
}

impl Page {
    fn new(file: Box<dyn DiskFile>, header: Header) -> Self {
        Self {
            file,
            offset: 0,
            gathered: header.to_bytes().to_vec(),
            crc: header.seed(),
            bytes: 0,
        }
    }

    fn put(&mut self) -> io::Result<()> {
        self.file.write_at(self.offset, &self.gathered)?;
        self.offset += self.gathered.len() as u64;
        self.gathered.clear();
        Ok(())
    }

    fn end(mut self) -> io::Result<u64> {
        self.gathered.extend(self.bytes.to_le_bytes());
        self.gathered.extend(self.crc.to_le_bytes());
        self.put()?;
        self.file.sync()?;
        Ok(self.bytes)
    }
}

impl Write for Page {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.crc = crc32c::crc32c_append(self.crc, bytes);
        self.bytes += bytes.len() as u64;
        self.gathered.extend(bytes);
        if self.gathered.len() >= CHUNK {
            self.put()?;
        }
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

/// Reads the snapshot of `seq`, all of it verified, and whose it is.
pub(crate) fn read(disk: &dyn Disk, seq: u64) -> Result<(u64, Snapshot), OpenError> {
    let name = Kind::Snapshot.name(seq);
    let path = disk.place().join(&name);
    let mut bytes = whole(disk, &name).map_err(|source| OpenError::Disk {
        doing: "reading",
        path: path.clone(),
        source,
    })?;
    let header = Header::read(&bytes, Kind::Snapshot).map_err(|why| no_header(why, path.clone()))?;
    if header.seq != seq {
        let what = format!("it is a copy of the snapshot of record {}", header.seq);
        return Err(OpenError::Foreign { path, what });
    }
    let damaged = |what: &str| OpenError::Damaged {
        path: path.clone(),
        offset: HEADER as u64,
        what: what.to_owned(),
    };
    let end = bytes.len().checked_sub(SNAPSHOT_END).filter(|end| *end >= HEADER);
    let end = end.ok_or_else(|| damaged("the snapshot has no end"))?;
    if u64_at(&bytes, end) != (end - HEADER) as u64 {
        return Err(damaged("the snapshot is not as long as it says"));
    }
    if u32_at(&bytes, end + 8) != crc32c::crc32c_append(header.seed(), &bytes[HEADER..end]) {
        return Err(damaged("the snapshot does not have its checksum"));
    }
    bytes.truncate(end);
    bytes.drain(..HEADER);
    let seq = Seq::of(seq);
    Ok((header.journal, Snapshot { seq, bytes }))
}

fn whole(disk: &dyn Disk, name: &str) -> io::Result<Vec<u8>> {
    let file = disk.open(name)?;
    let size = usize::try_from(file.size()?).map_err(io::Error::other)?;
    let mut bytes = vec![0; size];
    let read = file.read_at(0, &mut bytes)?;
    bytes.truncate(read);
    Ok(bytes)
}

/// What a header that says nothing means for whoever opens the file.
pub(crate) fn no_header(why: NoHeader, path: PathBuf) -> OpenError {
    match why {
        NoHeader::Damaged => OpenError::Damaged {
            path,
            offset: 0,
            what: "its header does not have its checksum".to_owned(),
        },
        NoHeader::Version(found) => OpenError::Version {
            path,
            found,
            known: VERSION,
        },
    }
}
