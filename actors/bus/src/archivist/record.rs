//! What the journal of the bus is told, version 1: a byte for the version, then what it says, by postcard.

use serde::{Deserialize, Serialize};

/// The version that is written. Every version that was ever written is read.
const VERSION: u8 = 1;

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) enum Record<'a> {
    /// An envelope was published. It stands last, so that it can be found from the end.
    Stored {
        log: &'a str,
        offset: u64,
        time: u64,
        envelope: &'a [u8],
    },
    /// A cursor is there.
    Moved {
        subscriber: &'a str,
        name: &'a str,
        log: &'a str,
        floor: u64,
        above: Vec<(u64, u64)>,
    },
    /// A cursor is there no more.
    Forgotten { subscriber: &'a str, name: &'a str },
    /// The offsets of a log below this one were given.
    Begins { log: &'a str, next: u64 },
}

/// Why a record of the journal is not understood.
#[derive(Debug, thiserror::Error)]
pub(crate) enum RecordError {
    #[error(
        "a record of the bus is of version {0}, and this runtime reads version {VERSION}; start the one that wrote it"
    )]
    UnknownVersion(u8),
    #[error("a record of the bus is not understood: {0}; restore the folder from a backup")]
    Damaged(#[from] postcard::Error),
    #[error("a record of the bus has no bytes; restore the folder from a backup")]
    Empty,
}

impl<'a> Record<'a> {
    pub(crate) fn encode(&self) -> Result<Vec<u8>, postcard::Error> {
        let room = match self {
            Self::Stored { envelope, .. } => envelope.len() + 64,
            _ => 64,
        };
        let mut bytes = Vec::with_capacity(room);
        bytes.push(VERSION);
        postcard::to_extend(self, bytes)
    }

    pub(crate) fn decode(bytes: &'a [u8]) -> Result<Self, RecordError> {
        match bytes.split_first() {
            None => Err(RecordError::Empty),
            Some((&VERSION, rest)) => Ok(postcard::from_bytes(rest)?),
            Some((other, _)) => Err(RecordError::UnknownVersion(*other)),
        }
    }
}

/// The records that a snapshot is made of: each behind its length.
pub(crate) fn records_of(mut snapshot: &[u8]) -> impl Iterator<Item = &[u8]> {
    std::iter::from_fn(move || {
        let (length, rest) = snapshot.split_first_chunk::<4>()?;
        let length = usize::try_from(u32::from_le_bytes(*length)).ok()?;
        // One that is cut off is refused when it is decoded; the journal has verified that there is none.
        let (record, rest) = rest.split_at_checked(length).unwrap_or((&[], &[]));
        snapshot = rest;
        Some(record)
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_bytes_of_version_one_stay_as_they_are() {
        let stored = Record::Stored {
            log: "a.**",
            offset: 300,
            time: 7,
            envelope: &[9, 8],
        };
        let moved = Record::Moved {
            subscriber: "t/a",
            name: "n",
            log: "a.**",
            floor: 2,
            above: vec![(4, 5)],
        };
        let forgotten = Record::Forgotten {
            subscriber: "t/a",
            name: "n",
        };
        let begins = Record::Begins { log: "a.**", next: 9 };
        for (record, bytes) in [
            (stored, &b"\x01\x00\x04a.**\xac\x02\x07\x02\x09\x08"[..]),
            (moved, b"\x01\x01\x03t/a\x01n\x04a.**\x02\x01\x04\x05"),
            (forgotten, b"\x01\x02\x03t/a\x01n"),
            (begins, b"\x01\x03\x04a.**\x09"),
        ] {
            assert_eq!(record.encode().unwrap(), bytes);
            assert_eq!(Record::decode(bytes).unwrap(), record);
        }
        assert!(matches!(Record::decode(&[2, 0]), Err(RecordError::UnknownVersion(2))));
        assert!(matches!(Record::decode(&[]), Err(RecordError::Empty)));
        assert!(matches!(Record::decode(&[1, 9]), Err(RecordError::Damaged(_))));
    }

    #[test]
    fn a_snapshot_is_read_record_by_record() {
        let snapshot = b"\x02\x00\x00\x00ab\x00\x00\x00\x00\x01\x00\x00\x00c";
        let records: Vec<_> = records_of(snapshot).collect();
        assert_eq!(records, [&b"ab"[..], b"", b"c"]);
        assert_eq!(records_of(&[9, 0, 0, 0, 1]).collect::<Vec<_>>(), [&[][..] as &[u8]]);
    }
}
