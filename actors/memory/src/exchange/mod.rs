//! What goes in and out of the store as a whole: lines of JSON, and backups.
//!
//! ```text
//!   {"key":"plans/1","json":{"a":1},"type":"plan","tags":["hot"],"metadata":{},"owner":"a/b","created":…,"updated":…,"expires_in":…}
//!   {"key":"picture","base64":"…"}
//! ```
//!
//! Times are milliseconds since the Unix epoch, `expires_in` milliseconds from now. What comes in is written as anybody
//! writes: it gets a version of its own, and belongs to whoever brings it in.

pub(crate) mod backup;

use std::collections::{BTreeMap, BTreeSet};
use std::io::BufRead;
use std::sync::Arc;
use std::time::{Duration, UNIX_EPOCH};

use backup::ExchangeError;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde::{Deserialize, Serialize};

use crate::client::{Client, Drawer};
use crate::config::BATCH_MAX;
use crate::entry::{Entry, Labels};
use crate::name::{Key, Namespace};
use crate::op::{Lifetime, Op, Put};
use crate::space::Space;
use crate::store::Store;
use crate::time::StoreTime;
use crate::value::Value;

/// So many bytes of values are written at once.
const BATCH_BYTES: usize = 512 << 10;

/// How many names are tried for an entry that makes way.
const NAMES_MAX: u32 = 1_000;

/// What becomes of an entry whose key is taken.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Conflicts {
    /// It takes the place of the one that is there.
    Overwrite,
    /// It is left out.
    Skip,
    /// JSON objects become one, the new fields first, and tags and metadata too; else it takes the place.
    Merge,
    /// It gets a key of its own: `key~1`, `key~2` and so on.
    Rename,
}

/// Entries by what became of them.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Exported {
    /// Written where nothing was.
    pub written: u64,
    /// Written over another.
    pub overwritten: u64,
    /// Merged with another.
    pub merged: u64,
    /// Written under another key.
    pub renamed: u64,
    /// Left out, because their key was taken.
    pub skipped: u64,
    /// Left out, because their time was over.
    pub expired: u64,
}

/// An entry as a line.
#[derive(Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Line {
    key: Key,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    json: Option<serde_json::Value>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    base64: Option<String>,
    #[serde(default, rename = "type", skip_serializing_if = "Option::is_none")]
    kind: Option<Arc<str>>,
    #[serde(default, skip_serializing_if = "BTreeSet::is_empty")]
    tags: BTreeSet<Arc<str>>,
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    metadata: BTreeMap<Arc<str>, Arc<str>>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    owner: Option<Arc<str>>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    created: Option<u64>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    updated: Option<u64>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    expires_in: Option<u64>,
}

/// An entry that is to be taken up.
#[derive(Debug)]
pub(crate) struct Incoming {
    key: Key,
    value: Value,
    labels: Labels,
    lifetime: Lifetime,
}

impl Incoming {
    /// As a backup of `then` had it; nothing where its time was over then.
    pub(crate) fn of(key: Key, entry: &Entry, then: StoreTime) -> Option<Self> {
        let lifetime = match entry.left(then) {
            None => Lifetime::Forever,
            Some(Duration::ZERO) => return None,
            Some(left) => Lifetime::For(left),
        };
        Some(Self {
            key,
            value: entry.value().clone(),
            labels: entry.labels().clone(),
            lifetime,
        })
    }
}

impl Line {
    fn of(key: Key, entry: &Entry, store: &Store, now: StoreTime) -> Self {
        let clock = store.clock();
        let wall = |time| {
            let since = clock.wall(time).duration_since(UNIX_EPOCH).unwrap_or_default();
            u64::try_from(since.as_millis()).ok()
        };
        let json = entry.value().as_json();
        let base64 = json.is_none().then(|| STANDARD.encode(entry.value().as_bytes()));
        let labels = entry.labels().clone();
        Self {
            key,
            json,
            base64,
            kind: labels.kind,
            tags: labels.tags,
            metadata: labels.metadata,
            owner: Some(entry.owner_shared()),
            created: wall(entry.created()),
            updated: wall(entry.updated()),
            expires_in: entry.left(now).and_then(|left| u64::try_from(left.as_millis()).ok()),
        }
    }

    /// `None` where its time is over.
    fn incoming(self) -> Result<Option<Incoming>, String> {
        let value = match (&self.json, &self.base64) {
            (Some(json), None) => Value::json(json),
            (None, Some(text)) => Value::bytes(STANDARD.decode(text).map_err(|fault| fault.to_string())?),
            (None, None) => Value::json(&serde_json::Value::Null),
            (Some(_), Some(_)) => return Err("it has both json and base64".to_owned()),
        };
        let lifetime = match self.expires_in {
            None => Lifetime::Forever,
            Some(0) => return Ok(None),
            Some(millis) => Lifetime::For(Duration::from_millis(millis)),
        };
        Ok(Some(Incoming {
            key: self.key,
            value,
            labels: Labels {
                kind: self.kind,
                tags: self.tags,
                metadata: self.metadata,
            },
            lifetime,
        }))
    }
}

/// Writes a namespace as lines; tells how many.
pub(crate) fn export(space: &Space, store: &Store, mut to: impl std::io::Write) -> Result<u64, ExchangeError> {
    let (mut after, mut count) = (None::<Key>, 0);
    loop {
        let keys = space.keys("", after.as_ref().map(Key::as_str), BATCH_MAX);
        let Some(last) = keys.last() else {
            to.flush()?;
            return Ok(count);
        };
        after = Some(last.clone());
        let now = store.clock().now();
        for key in keys {
            let Some(entry) = space.peek(key.as_str()).filter(|entry| !entry.has_expired(now)) else {
                continue;
            };
            let line = Line::of(key, &entry, store, now);
            serde_json::to_writer(&mut to, &line).map_err(std::io::Error::from)?;
            to.write_all(b"\n")?;
            count += 1;
        }
    }
}

/// Takes up lines.
pub(crate) async fn import(
    client: &Client,
    namespace: &Namespace,
    from: impl BufRead,
    conflicts: Conflicts,
    is_dry: bool,
) -> Result<Exported, ExchangeError> {
    let mut placing = Placing::new(client, namespace, conflicts, is_dry)?;
    for (number, line) in (1..).zip(from.lines()) {
        let line = line?;
        if line.trim().is_empty() {
            continue;
        }
        let fault = |fault: String| ExchangeError::Line { number, fault };
        let line: Line = serde_json::from_str(&line).map_err(|why| fault(why.to_string()))?;
        let incoming = line.incoming().map_err(fault)?;
        placing.take(incoming.ok_or(())).await?;
    }
    placing.end().await
}

/// Entries on their way into a namespace.
pub(crate) struct Placing {
    drawer: Drawer,
    conflicts: Conflicts,
    is_dry: bool,
    ops: Vec<Op>,
    bytes: usize,
    /// Keys that are taken by what was placed and is not there yet, or never will be in a dry run.
    taken: BTreeMap<Key, (Value, Labels)>,
    report: Exported,
}

impl Placing {
    pub(crate) fn new(
        client: &Client,
        namespace: &Namespace,
        conflicts: Conflicts,
        is_dry: bool,
    ) -> Result<Self, ExchangeError> {
        Ok(Self {
            drawer: client.open(namespace.as_str())?,
            conflicts,
            is_dry,
            ops: Vec::new(),
            bytes: 0,
            taken: BTreeMap::new(),
            report: Exported::default(),
        })
    }

    /// The next entry, or one whose time was over.
    pub(crate) async fn take(&mut self, incoming: Result<Incoming, ()>) -> Result<(), ExchangeError> {
        let Ok(incoming) = incoming else {
            self.report.expired += 1;
            return Ok(());
        };
        let there = self.there(&incoming.key)?;
        let placed = match (there, self.conflicts) {
            (None, _) => {
                self.report.written += 1;
                incoming
            }
            (Some(_), Conflicts::Overwrite) => {
                self.report.overwritten += 1;
                incoming
            }
            (Some(_), Conflicts::Skip) => {
                self.report.skipped += 1;
                return Ok(());
            }
            (Some(there), Conflicts::Merge) => {
                self.report.merged += 1;
                merged(incoming, there)
            }
            (Some(_), Conflicts::Rename) => {
                self.report.renamed += 1;
                let key = self.free(&incoming.key)?;
                Incoming { key, ..incoming }
            }
        };
        self.place(placed).await
    }

    fn there(&self, key: &Key) -> Result<Option<(Value, Labels)>, ExchangeError> {
        if let Some(taken) = self.taken.get(key) {
            return Ok(Some(taken.clone()));
        }
        let entry = self.drawer.get(key.as_str())?;
        Ok(entry.map(|entry| (entry.value().clone(), entry.labels().clone())))
    }

    fn free(&self, key: &Key) -> Result<Key, ExchangeError> {
        for number in 1..NAMES_MAX {
            let other = Key::new(&format!("{key}~{number}"))?;
            if self.there(&other)?.is_none() {
                return Ok(other);
            }
        }
        Err(ExchangeError::Store(crate::error::Error::Key {
            key: key.to_string(),
            fault: "a thousand others have made way for it",
        }))
    }

    async fn place(&mut self, incoming: Incoming) -> Result<(), ExchangeError> {
        self.bytes += incoming.value.len();
        self.taken
            .insert(incoming.key.clone(), (incoming.value.clone(), incoming.labels.clone()));
        self.ops.push(Op::Put(Put {
            key: incoming.key,
            value: incoming.value,
            labels: incoming.labels,
            lifetime: incoming.lifetime,
            wanted: None,
        }));
        if self.ops.len() >= BATCH_MAX || self.bytes >= BATCH_BYTES {
            self.write().await?;
        }
        Ok(())
    }

    async fn write(&mut self) -> Result<(), ExchangeError> {
        let ops = std::mem::take(&mut self.ops);
        self.bytes = 0;
        if !self.is_dry && !ops.is_empty() {
            self.drawer.batch(ops).await?;
            self.taken.clear();
        }
        Ok(())
    }

    /// What became of all of them.
    pub(crate) async fn end(mut self) -> Result<Exported, ExchangeError> {
        self.write().await?;
        Ok(self.report)
    }
}

fn merged(incoming: Incoming, (value, mut labels): (Value, Labels)) -> Incoming {
    let value = match (value.as_json(), incoming.value.as_json()) {
        (Some(mut there), Some(new)) if there.is_object() && new.is_object() => {
            merge(&mut there, new);
            Value::json(&there)
        }
        _ => incoming.value,
    };
    labels.tags.extend(incoming.labels.tags);
    labels.metadata.extend(incoming.labels.metadata);
    labels.kind = incoming.labels.kind.or(labels.kind);
    Incoming {
        value,
        labels,
        ..incoming
    }
}

/// Field by field; where both are no objects the new one holds. As deep as JSON may be read.
fn merge(there: &mut serde_json::Value, new: serde_json::Value) {
    match (there, new) {
        (serde_json::Value::Object(there), serde_json::Value::Object(new)) => {
            for (name, value) in new {
                merge(there.entry(name).or_insert(serde_json::Value::Null), value);
            }
        }
        (there, new) => *there = new,
    }
}
