//! The store as operations show it.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use serde::{Deserialize, Serialize};
use triarch_memory::{Client, Clock, Done, Entry, Found, Grouped, Key, Namespace, Refusal, Shown};

use super::super::seen::millis;
use super::kept::KeptText;

/// What is under a key.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(crate) struct EntrySeen {
    pub(crate) namespace: Namespace,
    pub(crate) key: Key,
    /// Its value, where that is JSON.
    pub(crate) value: KeptText,
    /// Its value, where that is bytes.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) base64: Option<String>,
    #[serde(rename = "type")]
    pub(crate) kind: Option<Arc<str>>,
    pub(crate) tags: BTreeSet<Arc<str>>,
    pub(crate) metadata: BTreeMap<Arc<str>, Arc<str>>,
    /// Who made it.
    pub(crate) owner: Arc<str>,
    pub(crate) version: u64,
    /// How long ago it came to be.
    pub(crate) age_ms: u64,
    /// How long ago it was last written.
    pub(crate) written_ago_ms: u64,
    /// How long ago it was last read or written, to the tenth of a second.
    #[serde(default)]
    pub(crate) accessed_ago_ms: u64,
    pub(crate) expires_in_ms: Option<u64>,
    /// CRC-32C over key, value and version, as eight hexadecimal digits.
    #[serde(default)]
    pub(crate) checksum: String,
}

impl EntrySeen {
    pub(crate) fn of(namespace: &Namespace, key: Key, entry: &Entry, clock: &Clock) -> Self {
        let (now, labels) = (clock.now(), entry.labels().clone());
        Self {
            namespace: namespace.clone(),
            key,
            value: KeptText::of(entry.value()),
            base64: entry.value().as_base64(),
            kind: labels.kind,
            tags: labels.tags,
            metadata: labels.metadata,
            owner: entry.owner().into(),
            version: entry.version(),
            age_ms: millis(now.since(entry.created())),
            written_ago_ms: millis(now.since(entry.updated())),
            accessed_ago_ms: millis(now.since(entry.accessed())),
            expires_in_ms: entry.left(now).map(millis),
            checksum: format!("{:08x}", entry.checksum()),
        }
    }
}

/// Entries in the order of their keys.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub(crate) struct ListedSeen {
    pub(crate) entries: Vec<EntrySeen>,
    /// Whether there are more, after the last of them.
    pub(crate) more: bool,
}

/// What came of a write.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct WrittenSeen {
    pub(crate) namespace: Namespace,
    pub(crate) key: Key,
    /// The number of the change; of what was deleted, that of the deletion.
    pub(crate) version: u64,
    /// Whether something was there before.
    pub(crate) existed: bool,
    /// Whether it is gone.
    pub(crate) is_deleted: bool,
}

impl WrittenSeen {
    pub(crate) fn of(namespace: &Namespace, key: Key, done: Done, is_deleted: bool) -> Self {
        Self {
            namespace: namespace.clone(),
            key,
            version: done.version,
            existed: done.existed,
            is_deleted,
        }
    }
}

/// What a number came to.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct NumberSeen {
    pub(crate) number: i64,
}

/// Whether there is something.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct ExistsSeen {
    pub(crate) exists: bool,
}

/// How many there are.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct CountSeen {
    pub(crate) entries: u64,
}

/// What a search came to.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub(crate) struct FoundSeen {
    pub(crate) entries: Vec<EntrySeen>,
    /// How many there are, shown or not.
    pub(crate) matched: u64,
    /// How many were looked at.
    pub(crate) examined: u64,
    /// What is counted together, the most first.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub(crate) groups: Vec<GroupSeen>,
    /// Why there may be more, in sentences.
    pub(crate) cuts: Vec<String>,
}

/// Entries that are counted together.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct GroupSeen {
    /// What they have in common; empty where they have no such thing.
    pub(crate) name: String,
    pub(crate) entries: u64,
    pub(crate) size_bytes: u64,
}

impl From<&Grouped> for GroupSeen {
    fn from(group: &Grouped) -> Self {
        Self {
            name: group.name.clone(),
            entries: group.entries,
            size_bytes: group.bytes,
        }
    }
}

impl FoundSeen {
    /// What there is to tell beside the entries.
    pub(crate) fn without_entries(found: &Found) -> Self {
        let cuts = found.cuts;
        let told = [
            (cuts.by_examined, "not all entries were looked at".to_owned()),
            (cuts.by_word, "a word is longer than any that is indexed".to_owned()),
            (cuts.by_groups, "there are more groups than are counted".to_owned()),
            (
                cuts.unindexed > 0,
                format!("{} entries have words that are not indexed", cuts.unindexed),
            ),
            (
                cuts.without_words > 0,
                format!("{} namespaces have no index of words", cuts.without_words),
            ),
        ];
        Self {
            entries: Vec::new(),
            matched: found.matched,
            examined: found.examined,
            groups: found.groups.iter().map(GroupSeen::from).collect(),
            cuts: told
                .into_iter()
                .filter_map(|(is_so, told)| is_so.then_some(told))
                .collect(),
        }
    }
}

/// A namespace: how it is, and how much it holds.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct NamespaceSeen {
    pub(crate) namespace: Namespace,
    pub(crate) durability: String,
    pub(crate) team: Option<Arc<str>>,
    #[serde(default)]
    pub(crate) project: Option<Arc<str>>,
    /// To whom each verb is open.
    pub(crate) access: BTreeMap<String, String>,
    pub(crate) entries: u64,
    pub(crate) entries_max: u64,
    pub(crate) size_bytes: u64,
    pub(crate) size_bytes_max: u64,
    pub(crate) index_bytes: u64,
    /// How long entries are there whose writer says nothing.
    pub(crate) ttl_ms: Option<u64>,
    /// The number of its last change.
    pub(crate) revision: u64,
}

impl From<Shown> for NamespaceSeen {
    fn from(shown: Shown) -> Self {
        let (rules, extent) = (shown.rules, shown.extent.unwrap_or_default());
        let access = rules.access;
        let levels = [
            ("read", access.read),
            ("write", access.write),
            ("delete", access.delete),
            ("administer", access.administer),
        ];
        Self {
            namespace: shown.namespace,
            durability: rules.durability.label().to_owned(),
            team: rules.belonging.team,
            project: rules.belonging.project,
            access: levels
                .map(|(verb, level)| (verb.to_owned(), level.label().to_owned()))
                .into(),
            entries: extent.entries,
            entries_max: rules.quota.entries,
            size_bytes: extent.bytes,
            size_bytes_max: rules.quota.bytes,
            index_bytes: extent.index_bytes,
            ttl_ms: rules.ttl.map(millis),
            revision: extent.revision,
        }
    }
}

/// The whole store in figures.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct StoreSeen {
    pub(crate) namespaces: u64,
    pub(crate) entries: u64,
    pub(crate) size_bytes: u64,
    pub(crate) index_bytes: u64,
    /// How often somebody was not let through.
    pub(crate) refused: u64,
    /// The last of them, the latest first.
    pub(crate) refusals: Vec<RefusalSeen>,
    /// Why nothing durable is written, while that is so.
    pub(crate) closed: Option<String>,
}

/// Somebody was not let through.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct RefusalSeen {
    pub(crate) at: String,
    pub(crate) ago_ms: u64,
    pub(crate) who: String,
    pub(crate) verb: String,
    pub(crate) namespace: Namespace,
    /// To whom that is open.
    pub(crate) level: String,
}

impl RefusalSeen {
    pub(crate) fn of(refusal: &Refusal, clock: &Clock) -> Self {
        Self {
            at: humantime::format_rfc3339_millis(clock.wall(refusal.at)).to_string(),
            ago_ms: millis(clock.now().since(refusal.at)),
            who: refusal.who.as_ref().to_owned(),
            verb: refusal.verb.label().to_owned(),
            namespace: refusal.namespace.clone(),
            level: refusal.level.label().to_owned(),
        }
    }

    /// What happened, in a sentence.
    pub(crate) fn told(&self) -> String {
        let Self {
            who,
            verb,
            namespace,
            level,
            ..
        } = self;
        format!("{who} may not {verb} in {namespace}, where that is {level}")
    }
}

/// So many refusals are told.
const REFUSALS: usize = 5;

impl StoreSeen {
    pub(crate) fn of(client: &Client) -> Self {
        let (store, namespaces) = (client.store(), client.namespaces());
        let extents = || namespaces.iter().filter_map(|shown| shown.extent);
        let refusals = store.refusals();
        let last = refusals.iter().rev().take(REFUSALS);
        let last = last.map(|refusal| RefusalSeen::of(refusal, store.clock()));
        Self {
            namespaces: namespaces.len() as u64,
            entries: extents().map(|extent| extent.entries).sum(),
            size_bytes: extents().map(|extent| extent.bytes).sum(),
            index_bytes: extents().map(|extent| extent.index_bytes).sum(),
            refused: store.refused(),
            refusals: last.collect(),
            closed: store.closed().map(|why| why.to_string()),
        }
    }
}
