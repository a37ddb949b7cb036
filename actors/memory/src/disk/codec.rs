//! Records as they stand in the journal, in snapshots and in backups.
//!
//! ```text
//!   1  postcard of a Record                                  plain
//!   2  24 bytes of nonce, then the same, sealed              where the store has a key
//! ```
//!
//! The first byte is the format. Rules are JSON within, so that they may grow; the rest is laid out for ever.

use std::borrow::Cow;
use std::collections::{BTreeMap, BTreeSet, HashSet};
use std::sync::Arc;

use serde::{Deserialize, Deserializer, Serialize, Serializer};

use super::seal::{Seal, SealError};
use crate::config::Rules;
use crate::entry::{Entry, Labels, Parts};
use crate::name::{Key, Namespace};
use crate::time::{Anchor, StoreTime};
use crate::value::Value;

/// One record.
#[derive(Debug, PartialEq, Serialize, Deserialize)]
pub(crate) enum Record<'a> {
    /// Entries as they are after a write; of one write that is too long for one record, a part.
    #[serde(borrow)]
    Images(Images<'a>),
    /// A namespace came to be, or has other rules.
    Define { namespace: Namespace, rules: RulesText },
    /// A namespace went.
    Forget { namespace: Namespace },
    /// The store's time beside the clocks.
    Anchor(Anchor),
    /// The end of a snapshot or backup, and how many records were before it.
    End { records: u64 },
    /// No number of a change up to this one is given again, where it is not known which were.
    Risen { version: u64 },
    /// A part of a flush, which counts for nothing without all other parts of the same.
    #[serde(borrow)]
    Flushed(Flushed<'a>),
}

/// Entries of a namespace.
#[derive(Debug, PartialEq, Serialize, Deserialize)]
pub(crate) struct Images<'a> {
    pub(crate) namespace: Namespace,
    /// When they were written.
    pub(crate) at: StoreTime,
    /// The number of the last change that they show.
    pub(crate) revision: u64,
    /// Whether the write ends with them.
    pub(crate) is_last: bool,
    /// Whether they show all that there is, as of one instant.
    pub(crate) is_cut: bool,
    #[serde(borrow)]
    pub(crate) all: Vec<Image<'a>>,
}

/// A part of a flush.
#[derive(Debug, PartialEq, Serialize, Deserialize)]
pub(crate) struct Flushed<'a> {
    /// Which flush; each has its own.
    pub(crate) flush: u64,
    #[serde(borrow)]
    pub(crate) images: Images<'a>,
}

/// What is under a key.
#[derive(Debug, PartialEq, Serialize, Deserialize)]
pub(crate) struct Image<'a> {
    pub(crate) key: Key,
    /// The number of the change.
    pub(crate) version: u64,
    #[serde(borrow)]
    pub(crate) entry: Option<Written<'a>>,
}

/// An entry as it is written down.
#[derive(Debug, PartialEq, Serialize, Deserialize)]
pub(crate) struct Written<'a> {
    is_json: bool,
    #[serde(borrow)]
    value: Bytes<'a>,
    kind: Option<Arc<str>>,
    tags: BTreeSet<Arc<str>>,
    metadata: BTreeMap<Arc<str>, Arc<str>>,
    #[serde(borrow)]
    owner: &'a str,
    born: u64,
    created: StoreTime,
    updated: StoreTime,
    accessed: StoreTime,
    expires: Option<StoreTime>,
}

/// Owners that were read before, whose names entries share.
#[derive(Debug, Default)]
pub(crate) struct Owners(HashSet<Arc<str>, foldhash::fast::RandomState>);

/// So many owners are remembered.
const OWNERS_MAX: usize = 4_096;

/// Bytes that are read where they stand.
#[derive(Debug, PartialEq)]
struct Bytes<'a>(&'a [u8]);

/// Rules as text.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(transparent)]
pub(crate) struct RulesText(String);

/// Why a record cannot be read.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum CodecError {
    /// A format of another time.
    #[error("it is of format {0}, and this version reads 1 and 2; run the version that wrote it, or a newer one")]
    Format(u8),
    /// It is sealed otherwise.
    #[error(transparent)]
    Seal(#[from] SealError),
    /// It says nothing.
    #[error("it cannot be read ({0}); restore a backup")]
    Unreadable(String),
}

pub(crate) const PLAIN: u8 = 1;
pub(crate) const SEALED: u8 = 2;

impl Record<'_> {
    /// As bytes, sealed where there is a key. `place` tells a record of a journal from the n-th of a file.
    pub(crate) fn encode(&self, seal: &Seal, place: Place) -> Result<Vec<u8>, CodecError> {
        let plain =
            postcard::to_extend(self, vec![PLAIN]).map_err(|fault| CodecError::Unreadable(fault.to_string()))?;
        Ok(seal.close(plain, place)?)
    }
}

/// Where a record stands, so that a sealed one is believed nowhere else.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Place {
    /// In the journal, whose numbers the journal itself checks.
    Journal,
    /// The n-th of a snapshot or backup.
    File(u64),
}

/// The plain bytes of a record, format included. Where there is a key, nothing is read that has no seal.
pub(crate) fn unseal<'b>(bytes: &'b [u8], seal: &Seal, place: Place) -> Result<Cow<'b, [u8]>, CodecError> {
    match bytes.first() {
        Some(&PLAIN) if seal.has_key() => Err(SealError::Unsealed.into()),
        Some(&PLAIN) => Ok(Cow::Borrowed(bytes)),
        Some(&SEALED) => Ok(Cow::Owned(seal.open(bytes, place)?)),
        Some(other) => Err(CodecError::Format(*other)),
        None => Err(CodecError::Unreadable("it is empty".to_owned())),
    }
}

/// A record from its plain bytes.
pub(crate) fn decode(plain: &[u8]) -> Result<Record<'_>, CodecError> {
    let Some((&PLAIN, body)) = plain.split_first() else {
        return Err(CodecError::Format(plain.first().copied().unwrap_or_default()));
    };
    match postcard::take_from_bytes(body) {
        Ok((record, [])) => Ok(record),
        Ok((_, rest)) => Err(CodecError::Unreadable(format!("{} bytes too many", rest.len()))),
        Err(fault) => Err(CodecError::Unreadable(fault.to_string())),
    }
}

impl<'a> Image<'a> {
    pub(crate) fn of(key: &Key, version: u64, entry: Option<&'a Entry>) -> Self {
        Self {
            key: key.clone(),
            version,
            entry: entry.map(Written::of),
        }
    }
}

impl<'a> Written<'a> {
    fn of(entry: &'a Entry) -> Self {
        let labels = entry.labels();
        Self {
            is_json: matches!(entry.value(), Value::Json(_)),
            value: Bytes(entry.value().as_bytes()),
            kind: labels.kind.clone(),
            tags: labels.tags.clone(),
            metadata: labels.metadata.clone(),
            owner: entry.owner(),
            born: entry.born(),
            created: entry.created(),
            updated: entry.updated(),
            accessed: entry.accessed(),
            expires: entry.expires(),
        }
    }

    /// The entry, at that version.
    pub(crate) fn entry(self, key: &Key, version: u64, owners: &mut Owners) -> Result<Entry, CodecError> {
        let parts = Parts {
            value: Value::stored(self.is_json, self.value.0)
                .ok_or_else(|| CodecError::Unreadable(format!("the value of {key} is no text")))?,
            labels: Labels {
                kind: self.kind,
                tags: self.tags,
                metadata: self.metadata,
            }
            .shared(),
            owner: owners.shared(self.owner),
            version,
            born: self.born,
            created: self.created,
            updated: self.updated,
            accessed: self.accessed,
            expires: self.expires,
        };
        Ok(Entry::new(key, parts))
    }
}

impl Owners {
    fn shared(&mut self, owner: &str) -> Arc<str> {
        if let Some(known) = self.0.get(owner) {
            return Arc::clone(known);
        }
        if self.0.len() >= OWNERS_MAX {
            self.0.clear();
        }
        let owner: Arc<str> = owner.into();
        self.0.insert(Arc::clone(&owner));
        owner
    }
}

impl RulesText {
    pub(crate) fn of(rules: &Rules) -> Self {
        Self(serde_json::to_string(rules).unwrap_or_default())
    }

    pub(crate) fn rules(&self) -> Result<Rules, CodecError> {
        serde_json::from_str(&self.0).map_err(|fault| CodecError::Unreadable(fault.to_string()))
    }
}

impl Serialize for Bytes<'_> {
    fn serialize<S: Serializer>(&self, to: S) -> Result<S::Ok, S::Error> {
        to.serialize_bytes(self.0)
    }
}

impl<'de: 'a, 'a> Deserialize<'de> for Bytes<'a> {
    fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        <&[u8]>::deserialize(from).map(Bytes)
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::disk::seal::Secret;
    use crate::time::Reading;

    fn entry(key: &Key) -> Entry {
        let parts = Parts {
            value: Value::parse_json("{\"a\":[1,\"zwei\"]}").unwrap(),
            labels: Labels {
                kind: Some("plan".into()),
                tags: BTreeSet::from(["hot".into(), "red".into()]),
                metadata: BTreeMap::from([("from".into(), "b".into())]),
            }
            .shared(),
            owner: "team/agent".into(),
            version: 300,
            born: 7,
            created: StoreTime::from_millis(1_000),
            updated: StoreTime::from_millis(2_000),
            accessed: StoreTime::from_millis(3_000),
            expires: Some(StoreTime::from_millis(400_000)),
        };
        Entry::new(key, parts)
    }

    fn images<'a>(key: &Key, entry: &'a Entry) -> Record<'a> {
        Record::Images(Images {
            namespace: Namespace::new("notes").unwrap(),
            at: StoreTime::from_millis(3_000),
            revision: 301,
            is_last: true,
            is_cut: false,
            all: vec![
                Image::of(key, entry.version(), Some(entry)),
                Image::of(&Key::new("gone").unwrap(), 301, None),
            ],
        })
    }

    /// What version 1 wrote; it is read for ever.
    const FIXTURE: &str = "0100056e6f746573b817ad0201000209706c616e732f323032ac020101107b2261223a5b312c227a776569225d7d0104706c616e0203686f7403726564010466726f6d01620a7465616d2f6167656e7407e807d00fb8170180b51804676f6e65ad0200";

    fn hex(bytes: &[u8]) -> String {
        let digit = |half: u8| char::from_digit(u32::from(half), 16).unwrap();
        bytes
            .iter()
            .flat_map(|byte| [digit(byte >> 4), digit(byte & 15)])
            .collect()
    }

    #[test]
    fn what_version_1_wrote_is_read_and_written_alike() {
        let key = Key::new("plans/202").unwrap();
        let entry = entry(&key);
        let bytes = images(&key, &entry).encode(&Seal::none(), Place::Journal).unwrap();
        assert_eq!(hex(&bytes), FIXTURE);
        assert_eq!(decode(&bytes).unwrap(), images(&key, &entry));
        let Record::Images(read) = decode(&bytes).unwrap() else {
            panic!("no images")
        };
        let read = read
            .all
            .into_iter()
            .next()
            .unwrap()
            .entry
            .unwrap()
            .entry(&key, 300, &mut Owners::default())
            .unwrap();
        assert_eq!(
            (read.checksum(), read.labels(), read.size(&key)),
            (entry.checksum(), entry.labels(), entry.size(&key))
        );
    }

    /// What version 1 wrote of each kind but entries, which is read for ever.
    #[test]
    fn the_bytes_of_version_one_stay_as_they_are() {
        let namespace = || Namespace::new("notes").unwrap();
        let rules = RulesText(r#"{"durability":"journal"}"#.to_owned());
        let anchor = Anchor {
            time: StoreTime::from_millis(300),
            reading: Reading {
                boot: "b-1".into(),
                uptime: 7,
                wall: 1_000,
            },
        };
        let flushed = Flushed {
            flush: 300,
            images: Images {
                namespace: namespace(),
                at: StoreTime::from_millis(9),
                revision: 8,
                is_last: true,
                is_cut: true,
                all: vec![Image::of(&Key::new("gone").unwrap(), 8, None)],
            },
        };
        for (record, bytes) in [
            (
                Record::Define {
                    namespace: namespace(),
                    rules,
                },
                &b"\x01\x01\x05notes\x18{\"durability\":\"journal\"}"[..],
            ),
            (Record::Forget { namespace: namespace() }, b"\x01\x02\x05notes"),
            (Record::Anchor(anchor), b"\x01\x03\xac\x02\xe8\x07\x07\x03b-1"),
            (Record::End { records: 300 }, b"\x01\x04\xac\x02"),
            (Record::Risen { version: 300 }, b"\x01\x05\xac\x02"),
            (
                Record::Flushed(flushed),
                b"\x01\x06\xac\x02\x05notes\x09\x08\x01\x01\x01\x04gone\x08\x00",
            ),
        ] {
            assert_eq!(
                record.encode(&Seal::none(), Place::Journal).unwrap(),
                bytes,
                "{record:?}"
            );
            assert_eq!(decode(bytes).unwrap(), record);
        }
        let described = RulesText(r#"{"durability":"journal"}"#.to_owned()).rules().unwrap();
        assert_eq!(
            described.durability,
            crate::config::Durability::Journal,
            "rules may grow"
        );
    }

    /// What is sealed has a nonce of its own each time: it is read for ever, and never written alike.
    const SEALED_FIXTURE: &str =
        "021b3b1614c6f19c9a8a674bddece70dc8d1416f032623e25580e62a39b473e080a3e843ef73f36ce6d898e4f00495c314";

    #[test]
    fn what_was_sealed_in_its_place_is_opened_for_ever() {
        let seal = Seal::with(&Secret::of([7; 32]));
        let forget = Record::Forget {
            namespace: Namespace::new("notes").unwrap(),
        };
        let sealed: Vec<u8> = SEALED_FIXTURE
            .as_bytes()
            .chunks(2)
            .map(|pair| u8::from_str_radix(std::str::from_utf8(pair).unwrap(), 16).unwrap())
            .collect();
        let plain = unseal(&sealed, &seal, Place::File(3)).unwrap();
        assert_eq!(decode(&plain).unwrap(), forget);
    }

    #[test]
    fn entries_of_one_owner_share_the_name_and_only_so_many_names_are_remembered() {
        let mut owners = Owners::default();
        let one = owners.shared("one");
        let _other = owners.shared("other");
        assert!(Arc::ptr_eq(&one, &owners.shared("one")));
        for number in 0..OWNERS_MAX + 9 {
            owners.shared(&number.to_string());
            assert!(owners.0.len() <= OWNERS_MAX);
        }
        assert_eq!(&*owners.shared("one"), "one");
    }

    #[test]
    fn another_format_is_refused_by_its_number() {
        let seal = Seal::none();
        assert_eq!(unseal(&[9, 1, 2], &seal, Place::Journal), Err(CodecError::Format(9)));
        assert!(matches!(
            unseal(&[], &seal, Place::Journal),
            Err(CodecError::Unreadable(_))
        ));
    }

    #[test]
    fn what_is_not_sealed_is_not_believed_where_there_is_a_key() {
        let key = Key::new("plans/202").unwrap();
        let (entry, seal) = (entry(&key), Seal::with(&Secret::of([7; 32])));
        let plain = images(&key, &entry).encode(&Seal::none(), Place::Journal).unwrap();
        let refused = Err(CodecError::Seal(SealError::Unsealed));
        assert_eq!(unseal(&plain, &seal, Place::Journal), refused);
        assert!(unseal(&plain, &Seal::none(), Place::Journal).is_ok());
    }

    #[test]
    fn what_is_sealed_is_believed_in_its_place_and_by_its_key_alone() {
        let key = Key::new("plans/202").unwrap();
        let (entry, seal) = (entry(&key), Seal::with(&Secret::of([7; 32])));
        let bytes = images(&key, &entry).encode(&seal, Place::File(3)).unwrap();
        assert!(!bytes.windows(4).any(|window| window == b"zwei"));
        assert_eq!(
            decode(&unseal(&bytes, &seal, Place::File(3)).unwrap()).unwrap(),
            images(&key, &entry)
        );
        for place in [Place::File(2), Place::Journal] {
            assert_eq!(unseal(&bytes, &seal, place), Err(CodecError::Seal(SealError::WrongKey)));
        }
        let other = Seal::with(&Secret::of([8; 32]));
        assert_eq!(
            unseal(&bytes, &other, Place::File(3)),
            Err(CodecError::Seal(SealError::WrongKey))
        );
        assert_eq!(
            unseal(&bytes, &Seal::none(), Place::File(3)),
            Err(CodecError::Seal(SealError::NoKey))
        );
    }

    proptest! {
        #[test]
        fn no_bytes_bring_the_reader_down(bytes in prop::collection::vec(any::<u8>(), 0..200), cut in 0_usize..100) {
            let _ = decode(&bytes);
            let key = Key::new("plans/202").unwrap();
            let entry = entry(&key);
            let mut whole = images(&key, &entry).encode(&Seal::none(), Place::Journal).unwrap();
            whole.truncate(cut.min(whole.len() - 1));
            prop_assert!(decode(&whole).is_err());
            for (place, byte) in bytes.iter().enumerate().take(4) {
                let mut bent = images(&key, &entry).encode(&Seal::none(), Place::Journal).unwrap();
                let place = (place * 37 + usize::from(*byte)) % bent.len();
                bent[place] ^= byte | 1;
                let _ = decode(&bent);
            }
        }
    }
}
