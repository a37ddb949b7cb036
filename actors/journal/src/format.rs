//! What the bytes of a journal mean, version 1. All numbers are little-endian.
//!
//! ```text
//!  segment, snapshot    magic 8 │ version 2 │ kind 2 │ journal 8 │ seq 8 │ crc 4      then, in a segment, records
//!  record               crc 4 │ size 4 │ seq 8 │ settled 8 │ bytes …
//!  mark                 the same with no bytes and settled = seq
//!  end of a snapshot    size 8 │ crc 4, after its bytes
//! ```
//!
//! - The header's layout and checksum stay the same in all versions, so that a later one is told from a damaged one.
//! - `seq` of a segment is that of its first record; of a snapshot, that of the last record it stands for.
//! - The checksum of a record begins with its header's, so that no record passes in a segment it was not written to.
//! - `settled` is the last record that was known to be on disk when this one was written. What an unfinished commit
//!   left behind can have holes; a hole below what a later record calls settled is damage.

/// The version that is written.
pub(crate) const VERSION: u16 = 1;
/// Bytes of a header.
pub(crate) const HEADER: usize = 32;
/// Bytes of a record without its own.
pub(crate) const FRAME: usize = 24;
/// Bytes of a snapshot's end.
pub(crate) const SNAPSHOT_END: usize = 12;
/// The most bytes of a record that is believed, whatever a configuration says.
pub(crate) const RECORD_MAX: usize = 64 << 20;

const MAGIC: [u8; 8] = *b"TRIARCHJ";

/// What a file is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Kind {
    Segment,
    Snapshot,
}

impl Kind {
    const fn number(self) -> u16 {
        match self {
            Self::Segment => 1,
            Self::Snapshot => 2,
        }
    }

    /// The end of the names of such files.
    const fn suffix(self) -> &'static str {
        match self {
            Self::Segment => ".segment",
            Self::Snapshot => ".snapshot",
        }
    }

    /// The name of the file that begins at, or stands for, `seq`.
    pub(crate) fn name(self, seq: u64) -> String {
        format!("{seq:020}{}", self.suffix())
    }

    /// The number in such a name.
    pub(crate) fn seq(self, name: &str) -> Option<u64> {
        let seq = name.strip_suffix(self.suffix())?.parse().ok()?;
        let least = u64::from(self == Self::Segment);
        (self.name(seq) == name && (least..u64::MAX).contains(&seq)).then_some(seq)
    }
}

/// The end of the name of a file that is not finished.
pub(crate) const DRAFT: &str = ".draft";

/// The first bytes of a file.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Header {
    pub(crate) kind: Kind,
    pub(crate) journal: u64,
    pub(crate) seq: u64,
}

/// Why a header says nothing.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum NoHeader {
    Damaged,
    Version(u16),
}

impl Header {
    pub(crate) fn to_bytes(self) -> [u8; HEADER] {
        let mut bytes = [0; HEADER];
        bytes[..8].copy_from_slice(&MAGIC);
        bytes[8..10].copy_from_slice(&VERSION.to_le_bytes());
        bytes[10..12].copy_from_slice(&self.kind.number().to_le_bytes());
        bytes[12..20].copy_from_slice(&self.journal.to_le_bytes());
        bytes[20..28].copy_from_slice(&self.seq.to_le_bytes());
        let crc = crc32c::crc32c(&bytes[..28]);
        bytes[28..].copy_from_slice(&crc.to_le_bytes());
        bytes
    }

    /// What the checksums of its records begin with.
    pub(crate) fn seed(self) -> u32 {
        crc32c::crc32c(&self.to_bytes())
    }

    pub(crate) fn read(bytes: &[u8], kind: Kind) -> Result<Self, NoHeader> {
        let bytes = bytes.first_chunk::<HEADER>().ok_or(NoHeader::Damaged)?;
        if bytes[..8] != MAGIC || u32_at(bytes, 28) != crc32c::crc32c(&bytes[..28]) {
            return Err(NoHeader::Damaged);
        }
        let version = u16_at(bytes, 8);
        if version != VERSION {
            return Err(NoHeader::Version(version));
        }
        if u16_at(bytes, 10) != kind.number() {
            return Err(NoHeader::Damaged);
        }
        Ok(Self {
            kind,
            journal: u64_at(bytes, 12),
            seq: u64_at(bytes, 20),
        })
    }
}

/// The fixed part of a record or a mark.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Frame {
    pub(crate) crc: u32,
    /// Bytes of the record.
    pub(crate) size: usize,
    pub(crate) seq: u64,
    pub(crate) settled: u64,
}

impl Frame {
    /// What stands there, if it can be a frame at all: nothing is believed before [`Frame::holds`] says so.
    pub(crate) fn read(bytes: &[u8]) -> Option<Self> {
        let bytes = bytes.first_chunk::<FRAME>()?;
        let frame = Self {
            crc: u32_at(bytes, 0),
            size: usize::try_from(u32_at(bytes, 4)).ok()?,
            seq: u64_at(bytes, 8),
            settled: u64_at(bytes, 16),
        };
        let is_mark = frame.settled == frame.seq && frame.size == 0;
        (frame.size <= RECORD_MAX && (is_mark || frame.settled < frame.seq)).then_some(frame)
    }

    /// Bytes of it with its record.
    pub(crate) const fn whole(&self) -> usize {
        FRAME + self.size
    }

    pub(crate) const fn is_mark(&self) -> bool {
        self.settled == self.seq
    }

    /// Whether `bytes`, frame and record, are what was written.
    pub(crate) fn holds(&self, seed: u32, bytes: &[u8]) -> bool {
        bytes.len() == self.whole() && checksum(seed, &bytes[4..]) == self.crc
    }
}

/// Adds a record.
pub(crate) fn push_record(to: &mut Vec<u8>, seed: u32, seq: u64, settled: u64, record: &[u8]) {
    let begin = to.len();
    let size = u32::try_from(record.len()).unwrap_or(u32::MAX);
    to.extend([0; 4]);
    to.extend(size.to_le_bytes());
    to.extend(seq.to_le_bytes());
    to.extend(settled.to_le_bytes());
    to.extend(record);
    let crc = crc32c::crc32c_append(seed, &to[begin + 4..]);
    to[begin..begin + 4].copy_from_slice(&crc.to_le_bytes());
}

/// That all up to `seq` is on disk.
pub(crate) fn mark(seed: u32, seq: u64) -> Vec<u8> {
    let mut bytes = Vec::with_capacity(FRAME);
    push_record(&mut bytes, seed, seq, seq, &[]);
    bytes
}

/// The checksum of what `begun` is that of, with these bytes behind it.
pub(crate) fn checksum(begun: u32, bytes: &[u8]) -> u32 {
    #[cfg(test)]
    SUMMED.with(|summed| summed.set(summed.get() + bytes.len()));
    crc32c::crc32c_append(begun, bytes)
}

#[cfg(test)]
thread_local! {
    /// How many bytes this thread has looked at for their checksum.
    pub(crate) static SUMMED: std::cell::Cell<usize> = const { std::cell::Cell::new(0) };
}

pub(crate) fn u32_at(bytes: &[u8], at: usize) -> u32 {
    u32::from_le_bytes(array(bytes, at))
}

pub(crate) fn u64_at(bytes: &[u8], at: usize) -> u64 {
    u64::from_le_bytes(array(bytes, at))
}

fn u16_at(bytes: &[u8], at: usize) -> u16 {
    u16::from_le_bytes(array(bytes, at))
}

/// The bytes from `at` on; what lies beyond the end is zero.
fn array<const N: usize>(bytes: &[u8], at: usize) -> [u8; N] {
    bytes
        .get(at..)
        .and_then(|rest| rest.first_chunk())
        .copied()
        .unwrap_or([0; N])
}
