//! What the journal of the bus is told: a byte for the version, then what it says, by postcard. Logs and cursors are of
//! version 1, what is planned and dead letters of version 2, so that a runtime that does not know them says so.

use serde::{Deserialize, Serialize};

/// The newest version. Every version that was ever written is read.
const VERSION: u8 = 2;
/// The version of logs and cursors.
const FIRST: u8 = 1;

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
    /// Something is to be published later.
    Planned {
        number: u64,
        /// When first, by the clock of the world.
        first: u64,
        again: Again,
        envelope: &'a [u8],
    },
    /// It is called off.
    CalledOff { number: u64 },
    /// It came for good: an envelope was published, as in [`Record::Stored`].
    Came {
        number: u64,
        log: &'a str,
        offset: u64,
        time: u64,
        envelope: &'a [u8],
    },
    /// The numbers up to this one were given to what is to be published later.
    Numbered { last: u64 },
    /// Something is dead.
    Dead(#[serde(borrow)] Letter<'a>),
    /// Dead letters are no more: they were replayed, or made room.
    Gone { numbers: Vec<u64> },
    /// What is counted of dead letters.
    Counted { last: u64, forgotten: u64 },
}

/// How often something comes.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) enum Again {
    Never,
    /// With this beat, in microseconds.
    Every(u64),
    /// At these times of day, as they are written.
    Daily(String),
}

/// A dead letter.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Letter<'a> {
    pub(crate) number: u64,
    pub(crate) time: u64,
    pub(crate) subscriber: &'a str,
    pub(crate) name: Option<&'a str>,
    pub(crate) cause: &'a str,
    pub(crate) why: Option<&'a str>,
    pub(crate) failures: u32,
    pub(crate) envelope: &'a [u8],
}

/// Why a record of the journal is not understood.
#[derive(Debug, thiserror::Error)]
pub(crate) enum RecordError {
    #[error(
        "a record of the bus is of version {0}, and this runtime reads versions up to {VERSION}; start the one that wrote it"
    )]
    UnknownVersion(u8),
    #[error("a record of the bus is not understood: {0}; restore the folder from a backup")]
    Damaged(#[from] postcard::Error),
    #[error("a record of the bus has no bytes; restore the folder from a backup")]
    Empty,
    #[error("a record of the bus says {what} {found:?}, and there is none; restore the folder from a backup")]
    Unknown { what: &'static str, found: String },
}

impl<'a> Record<'a> {
    pub(crate) fn encode(&self) -> Result<Vec<u8>, postcard::Error> {
        let room = match self {
            Self::Stored { envelope, .. } | Self::Came { envelope, .. } | Self::Planned { envelope, .. } => {
                envelope.len() + 64
            }
            Self::Dead(letter) => letter.envelope.len() + letter.why.map_or(0, str::len) + 128,
            _ => 64,
        };
        let mut bytes = Vec::with_capacity(room);
        bytes.push(match self {
            Self::Stored { .. } | Self::Moved { .. } | Self::Forgotten { .. } | Self::Begins { .. } => FIRST,
            _ => VERSION,
        });
        postcard::to_extend(self, bytes)
    }

    pub(crate) fn decode(bytes: &'a [u8]) -> Result<Self, RecordError> {
        match bytes.split_first() {
            None => Err(RecordError::Empty),
            Some((FIRST..=VERSION, rest)) => Ok(postcard::from_bytes(rest)?),
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
        assert!(matches!(Record::decode(&[3, 0]), Err(RecordError::UnknownVersion(3))));
        assert!(matches!(Record::decode(&[]), Err(RecordError::Empty)));
        assert!(matches!(Record::decode(&[1, 9]), Err(RecordError::Damaged(_))));
    }

    #[test]
    fn the_bytes_of_version_two_stay_as_they_are() {
        let planned = |again| Record::Planned {
            number: 3,
            first: 300,
            again,
            envelope: &[9],
        };
        let came = Record::Came {
            number: 3,
            log: "a",
            offset: 1,
            time: 2,
            envelope: &[9],
        };
        let dead = |name, why| {
            Record::Dead(Letter {
                number: 1,
                time: 2,
                subscriber: "t/a",
                name,
                cause: "failed",
                why,
                failures: 5,
                envelope: &[9],
            })
        };
        for (record, bytes) in [
            (planned(Again::Never), &b"\x02\x04\x03\xac\x02\x00\x01\x09"[..]),
            (planned(Again::Every(5)), b"\x02\x04\x03\xac\x02\x01\x05\x01\x09"),
            (
                planned(Again::Daily("06:00".into())),
                b"\x02\x04\x03\xac\x02\x02\x0506:00\x01\x09",
            ),
            (Record::CalledOff { number: 3 }, b"\x02\x05\x03"),
            (came, b"\x02\x06\x03\x01a\x01\x02\x01\x09"),
            (Record::Numbered { last: 3 }, b"\x02\x07\x03"),
            (
                dead(None, None),
                b"\x02\x08\x01\x02\x03t/a\x00\x06failed\x00\x05\x01\x09",
            ),
            (
                dead(Some("n"), Some("w")),
                b"\x02\x08\x01\x02\x03t/a\x01\x01n\x06failed\x01\x01w\x05\x01\x09",
            ),
            (Record::Gone { numbers: vec![1, 2] }, b"\x02\x09\x02\x01\x02"),
            (Record::Counted { last: 4, forgotten: 1 }, b"\x02\x0a\x04\x01"),
        ] {
            assert_eq!(record.encode().unwrap(), bytes);
            assert_eq!(Record::decode(bytes).unwrap(), record);
        }
    }

    #[test]
    fn a_snapshot_is_read_record_by_record() {
        let snapshot = b"\x02\x00\x00\x00ab\x00\x00\x00\x00\x01\x00\x00\x00c";
        let records: Vec<_> = records_of(snapshot).collect();
        assert_eq!(records, [&b"ab"[..], b"", b"c"]);
        assert_eq!(records_of(&[9, 0, 0, 0, 1]).collect::<Vec<_>>(), [&[][..] as &[u8]]);
    }
}
