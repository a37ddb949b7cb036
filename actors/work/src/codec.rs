//! How records and snapshots are written: a byte for the version, then postcard.

use serde::Serialize;
use serde::de::DeserializeOwned;

/// The version that is written. What the earlier ones wrote reads the same.
pub(crate) const VERSION: u8 = 5;
const OLDEST: u8 = 1;

/// Why bytes are not what was written.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum CodecError {
    /// There is nothing.
    #[error("a record of tasks is empty; the journal is not that of this room")]
    Empty,
    /// It was written by a later release, or is none.
    #[error(
        "a record of tasks has version {found}, and this build reads {OLDEST} to {VERSION}; run the release that wrote it"
    )]
    Version {
        /// The version found.
        found: u8,
    },
    /// It ends early, goes on too long, or says what cannot be.
    #[error("a record of tasks does not read as one: {fault}; restore the journal from a backup")]
    Malformed {
        /// What is wrong.
        fault: postcard::Error,
    },
}

impl From<postcard::Error> for CodecError {
    fn from(fault: postcard::Error) -> Self {
        Self::Malformed { fault }
    }
}

pub(crate) fn encode<T: Serialize>(value: &T) -> Result<Vec<u8>, CodecError> {
    Ok(postcard::to_extend(value, vec![VERSION])?)
}

pub(crate) fn decode<T: DeserializeOwned>(bytes: &[u8]) -> Result<T, CodecError> {
    let (version, rest) = bytes.split_first().ok_or(CodecError::Empty)?;
    if !(OLDEST..=VERSION).contains(version) {
        return Err(CodecError::Version { found: *version });
    }
    let (value, left) = postcard::take_from_bytes(rest)?;
    if left.is_empty() {
        Ok(value)
    } else {
        Err(postcard::Error::DeserializeBadEncoding.into())
    }
}

#[cfg(test)]
pub(crate) mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::record::{Entrant, LateResult, More, Record, Then, Tries};
    use crate::task::{Affinity, Priority, Retry};
    use crate::time::{Anchor, Boot, Sight, TaskTime};
    use crate::words::{Capability, Fence, Key, Kind, Tag, TaskId, Worker};

    /// One record of each sort as each version wrote them: never to be changed.
    const WRITTEN: [&str; 5] = [
        include_str!("fixtures/records-v1.txt"),
        include_str!("fixtures/records-second.txt"),
        include_str!("fixtures/records-third.txt"),
        include_str!("fixtures/records-fourth.txt"),
        include_str!("fixtures/records-fifth.txt"),
    ];

    fn entrant() -> Entrant {
        let worker = Worker::new("team/a").unwrap();
        let tag = |text: &str| Tag::new(text).unwrap();
        Entrant {
            kind: Kind::new("build").unwrap(),
            body: b"{}".to_vec().into(),
            priority: Priority::High,
            deadline: TaskTime::from_millis(90_000),
            cancel_when_missed: true,
            not_before: TaskTime::from_millis(2_000),
            tries: Tries::of(&Retry::default(), 60_000),
            needs: [Capability::new("gpu").unwrap()].into(),
            more: Some(Box::new(More {
                after: [TaskId::new(3)].into(),
                affinity: Some(Box::new(Affinity { worker, hold: None })),
                key: Some(Key::new("nightly").unwrap()),
                labels: [(tag("who"), tag("ann"))].into(),
                budget: Some(7),
                parent: Some(TaskId::new(1)),
                past: Vec::new(),
            })),
        }
    }

    fn records() -> Vec<Record> {
        let (at, task, fence) = (TaskTime::from_millis(1_500), TaskId::new(4), Fence::new(9));
        let (worker, until) = (Worker::new("team/a").unwrap(), TaskTime::from_millis(31_500));
        let boot = Some(Boot { id: 77, millis: 5 });
        let sight = Sight {
            wall_millis: 1_700_000_000_000,
            boot,
        };
        vec![
            Record::Submitted {
                at,
                tasks: vec![entrant()],
            },
            Record::Claimed {
                at,
                task,
                fence,
                worker,
                until,
            },
            Record::Began { at, task },
            Record::Prolonged {
                at,
                task,
                until,
                percent: Some(40),
            },
            Record::Done {
                at,
                task,
                result: b"ok".to_vec().into(),
            },
            Record::Failed {
                at,
                task,
                why: "no".into(),
                then: Then::Again(until),
            },
            Record::Lapsed {
                at,
                task,
                then: Then::Dead,
            },
            Record::Returned { at, task },
            Record::Cancelled {
                at,
                task,
                why: "no".into(),
            },
            Record::Expired { at, task },
            Record::Missed { at, task },
            Record::Retried { at, task },
            Record::Dropped { at, task },
            Record::Late(LateResult {
                at,
                task,
                fence,
                is_done: true,
                text: b"ok".as_slice().into(),
            }),
            Record::Draining { at, on: true },
            Record::Anchored(Anchor { at, sight }),
            Record::Resumed { at, away_millis: 600 },
        ]
    }

    /// Those that version 1 did not have.
    fn later_records() -> Vec<Record> {
        let (at, task) = (TaskTime::from_millis(1_500), TaskId::new(4));
        vec![
            Record::Shed {
                at,
                tasks: vec![task, TaskId::new(300)],
            },
            Record::Left {
                at,
                task,
                why: "killed".into(),
                then: Then::Again(at),
            },
            Record::Fell {
                at,
                task,
                why: "killed".into(),
                then: Then::Again(at),
            },
            Record::InTime { at, task },
        ]
    }

    pub(crate) fn unhex(line: &str) -> Vec<u8> {
        let pairs = line.as_bytes().chunks(2).map(|pair| std::str::from_utf8(pair).unwrap());
        pairs.map(|pair| u8::from_str_radix(pair, 16).unwrap()).collect()
    }

    fn hex(bytes: &[u8]) -> String {
        let digit = |nibble: u8| char::from_digit(nibble.into(), 16).unwrap();
        bytes
            .iter()
            .flat_map(|byte| [digit(byte >> 4), digit(byte & 15)])
            .collect()
    }

    #[test]
    fn records_of_all_versions_stay_readable() {
        let records = [records(), later_records()].concat();
        let written: Vec<_> = records.iter().map(|record| hex(&encode(record).unwrap())).collect();
        assert_eq!(written, WRITTEN[4].lines().collect::<Vec<_>>());
        for (version, lines) in (1..).zip(WRITTEN) {
            let bytes: Vec<_> = lines.lines().map(unhex).collect();
            assert!(bytes.iter().all(|bytes| bytes[0] == version));
            let read: Vec<Record> = bytes.iter().map(|bytes| decode(bytes).unwrap()).collect();
            let known = [17, 19, 20, 20, 21][usize::from(version) - 1];
            assert_eq!(read, records[..known], "version {version}");
        }
    }

    #[test]
    fn what_is_no_record_of_this_version_is_refused_by_name() {
        let mut bytes = encode(&records()[0]).unwrap();
        assert_eq!(decode::<Record>(&[]), Err(CodecError::Empty));
        for end in 1..bytes.len() {
            assert!(
                matches!(decode::<Record>(&bytes[..end]), Err(CodecError::Malformed { .. })),
                "{end}"
            );
        }
        bytes.push(0);
        assert!(
            matches!(decode::<Record>(&bytes), Err(CodecError::Malformed { .. })),
            "it goes on"
        );
        bytes[0] = 6;
        assert_eq!(
            decode::<Record>(&bytes).unwrap_err().to_string(),
            "a record of tasks has version 6, and this build reads 1 to 5; run the release that wrote it"
        );
    }

    proptest! {
        #[test]
        fn whatever_is_read_is_refused_or_written_alike(bytes in prop::collection::vec(any::<u8>(), 0..200)) {
            if let Ok(record) = decode::<Record>(&[&[VERSION], bytes.as_slice()].concat()) {
                prop_assert_eq!(decode::<Record>(&encode(&record).unwrap()).unwrap(), record);
            }
        }
    }
}
