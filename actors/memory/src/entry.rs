//! What the store holds under a key.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::Duration;

use crate::name::Key;
use crate::time::StoreTime;
use crate::value::Value;

/// What an entry takes beside its key, value and labels, in bytes, as quotas count it.
pub const ENTRY_OVERHEAD: u64 = 192;

/// What is said of a value beside itself.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Labels {
    /// What type of thing it is, as its users call it.
    pub kind: Option<Arc<str>>,
    /// Words it is found by.
    pub tags: BTreeSet<Arc<str>>,
    /// Whatever else its users note.
    pub metadata: BTreeMap<Arc<str>, Arc<str>>,
}

/// A value with all that is known of it. It never changes, but for when it was last read.
#[derive(Debug)]
pub struct Entry {
    value: Value,
    /// Nothing where there are none; shared with the entry before where only the value is another.
    labels: Option<Arc<Labels>>,
    owner: Arc<str>,
    version: u64,
    born: u64,
    created: StoreTime,
    updated: StoreTime,
    expires: Option<StoreTime>,
    checksum: u32,
    accessed: AtomicU64,
    is_referenced: AtomicBool,
}

/// What an entry is made of.
#[derive(Clone, Debug)]
pub(crate) struct Parts {
    pub(crate) value: Value,
    pub(crate) labels: Option<Arc<Labels>>,
    pub(crate) owner: Arc<str>,
    pub(crate) version: u64,
    /// The version at which the key last came to be.
    pub(crate) born: u64,
    pub(crate) created: StoreTime,
    pub(crate) updated: StoreTime,
    pub(crate) accessed: StoreTime,
    pub(crate) expires: Option<StoreTime>,
}

#[cfg(test)]
impl Parts {
    /// A key that came to be at that version, of nobody, at the beginning of time, for ever.
    pub(crate) fn of(value: Value, version: u64) -> Self {
        let at = StoreTime::default();
        Self {
            value,
            labels: None,
            owner: "".into(),
            version,
            born: version,
            created: at,
            updated: at,
            accessed: at,
            expires: None,
        }
    }
}

static NO_LABELS: Labels = Labels {
    kind: None,
    tags: BTreeSet::new(),
    metadata: BTreeMap::new(),
};

impl Entry {
    pub(crate) fn new(key: &Key, parts: Parts) -> Self {
        let checksum = checksum(key, &parts.value, parts.version);
        Self {
            value: parts.value,
            labels: parts.labels,
            owner: parts.owner,
            version: parts.version,
            born: parts.born,
            created: parts.created,
            updated: parts.updated,
            expires: parts.expires,
            checksum,
            accessed: AtomicU64::new(parts.accessed.as_millis()),
            is_referenced: AtomicBool::new(false),
        }
    }

    pub(crate) fn parts(&self) -> Parts {
        Parts {
            value: self.value.clone(),
            labels: self.labels_shared(),
            owner: Arc::clone(&self.owner),
            version: self.version,
            born: self.born,
            created: self.created,
            updated: self.updated,
            accessed: self.accessed(),
            expires: self.expires,
        }
    }

    /// The value.
    pub fn value(&self) -> &Value {
        &self.value
    }

    /// Type, tags and metadata.
    pub fn labels(&self) -> &Labels {
        self.labels.as_deref().unwrap_or(&NO_LABELS)
    }

    pub(crate) fn labels_shared(&self) -> Option<Arc<Labels>> {
        self.labels.clone()
    }

    /// Who made it.
    pub fn owner(&self) -> &str {
        &self.owner
    }

    pub(crate) fn owner_shared(&self) -> Arc<str> {
        Arc::clone(&self.owner)
    }

    /// The number of the change that made it so, which rises with every change of its namespace.
    pub fn version(&self) -> u64 {
        self.version
    }

    pub(crate) fn born(&self) -> u64 {
        self.born
    }

    /// When the key came to be.
    pub fn created(&self) -> StoreTime {
        self.created
    }

    /// When it was last written.
    pub fn updated(&self) -> StoreTime {
        self.updated
    }

    /// When it was last read or written, to the tenth of a second.
    pub fn accessed(&self) -> StoreTime {
        StoreTime::from_millis(self.accessed.load(Ordering::Relaxed))
    }

    /// When it goes by itself.
    pub fn expires(&self) -> Option<StoreTime> {
        self.expires
    }

    /// How long it will be there yet; nothing where it does not go by itself.
    pub fn left(&self, now: StoreTime) -> Option<Duration> {
        self.expires.map(|expires| expires.since(now))
    }

    /// Over key, value and version.
    pub fn checksum(&self) -> u32 {
        self.checksum
    }

    /// Whether key, value and version are those it was made of.
    pub fn is_whole(&self, key: &Key) -> bool {
        self.checksum == checksum(key, &self.value, self.version)
    }

    pub(crate) fn has_expired(&self, now: StoreTime) -> bool {
        self.expires.is_some_and(|expires| expires <= now)
    }

    /// Somebody read it. Written only where it changes something, so that readers share the line.
    pub(crate) fn touch(&self, now: StoreTime) {
        if self.accessed.load(Ordering::Relaxed) < now.as_millis() {
            self.accessed.store(now.as_millis(), Ordering::Relaxed);
        }
        if !self.is_referenced.load(Ordering::Relaxed) {
            self.is_referenced.store(true, Ordering::Relaxed);
        }
    }

    /// Whether it was read since this was last asked.
    pub(crate) fn take_reference(&self) -> bool {
        self.is_referenced.swap(false, Ordering::Relaxed)
    }

    /// How many bytes it takes with its key, as quotas count.
    pub fn size(&self, key: &Key) -> u64 {
        size(key, &self.value, self.labels())
    }

    /// How many bytes it would take.
    pub(crate) fn sized(key: &Key, parts: &Parts) -> u64 {
        size(key, &parts.value, parts.labels.as_deref().unwrap_or(&NO_LABELS))
    }
}

impl Labels {
    /// For as many entries as say the same; nothing where nothing is said.
    pub(crate) fn shared(self) -> Option<Arc<Self>> {
        (self != NO_LABELS).then(|| Arc::new(self))
    }

    fn size(&self) -> usize {
        let kind = self.kind.as_ref().map_or(0, |kind| kind.len());
        let tags: usize = self.tags.iter().map(|tag| tag.len() + 32).sum();
        let notes: usize = self
            .metadata
            .iter()
            .map(|(name, note)| name.len() + note.len() + 64)
            .sum();
        kind + tags + notes
    }
}

/// How many bytes that takes, as quotas count.
pub(crate) fn size(key: &Key, value: &Value, labels: &Labels) -> u64 {
    (key.as_str().len() + value.len() + labels.size()) as u64 + ENTRY_OVERHEAD
}

fn checksum(key: &Key, value: &Value, version: u64) -> u32 {
    let of_key = crc32c::crc32c(key.as_str().as_bytes());
    let of_both = crc32c::crc32c_append(of_key, value.as_bytes());
    crc32c::crc32c_append(of_both, &version.to_le_bytes())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn entry(key: &Key, value: &str) -> Entry {
        let parts = Parts {
            owner: "a/b".into(),
            expires: Some(StoreTime::from_millis(10)),
            ..Parts::of(Value::bytes(value.as_bytes()), 3)
        };
        Entry::new(key, parts)
    }

    #[test]
    fn a_checksum_covers_key_value_and_version() {
        let (a, b) = (Key::new("a").unwrap(), Key::new("b").unwrap());
        let one = entry(&a, "x");
        assert!(one.is_whole(&a));
        assert!(!one.is_whole(&b));
        assert_ne!(one.checksum(), entry(&a, "y").checksum());
        let torn = Entry {
            version: 4,
            ..entry(&a, "x")
        };
        assert!(!torn.is_whole(&a));
    }

    #[test]
    fn an_entry_goes_at_its_instant_and_not_before() {
        let one = entry(&Key::new("a").unwrap(), "x");
        assert!(!one.has_expired(StoreTime::from_millis(9)));
        assert!(one.has_expired(StoreTime::from_millis(10)));
        assert_eq!(one.left(StoreTime::from_millis(4)), Some(Duration::from_millis(6)));
    }

    #[test]
    fn labels_count_towards_the_size() {
        let key = Key::new("a").unwrap();
        let mut parts = entry(&key, "x").parts();
        let bare = entry(&key, "x").size(&key);
        let labels = Labels {
            kind: None,
            tags: BTreeSet::from(["blue".into()]),
            metadata: BTreeMap::from([("from".into(), "b".into())]),
        };
        parts.labels = labels.shared();
        assert_eq!(Entry::new(&key, parts).size(&key), bare + 4 + 32 + 5 + 64);
    }
}
