//! What goes in and out of the store as a whole: lines of JSON, and backups.
//!
//! ```text
//!   {"key":"plans/1","json":{"a":1},"type":"plan","tags":["hot"],"metadata":{},"owner":"a/b","created":…,"updated":…,"expires_in":…}
//!   {"key":"picture","base64":"…"}
//! ```
//!
//! Times are milliseconds since the Unix epoch, `expires_in` milliseconds from now. What comes in is written as anybody
//! writes: it gets a version of its own, and belongs to whoever brings it in. The runtime alone is believed whose it was,
//! and since when it is there.

pub(crate) mod backup;
mod dry;
mod placing;
mod refused;

use std::collections::{BTreeMap, BTreeSet};
use std::io::{BufRead, BufReader, Read};
use std::sync::Arc;
use std::time::{Duration, UNIX_EPOCH};

use backup::ExchangeError;
use placing::Placing;
pub use refused::{Refused, RefusedLine};
use serde::{Deserialize, Serialize};

use crate::client::{Client, blocking};
use crate::config::BATCH_MAX;
use crate::entry::{Entry, Labels};
use crate::error::Error;
use crate::exact;
use crate::name::{Key, Namespace};
use crate::op::{Lifetime, Origin, Put};
use crate::space::Space;
use crate::store::Store;
use crate::time::{Anchor, Clock, StoreTime};
use crate::value::Value;

/// So many lines are read at once, of so many bytes or little more.
const LINES_AT_ONCE: usize = 256;
const LINES_BYTES: usize = 4 << 20;

/// The longest line; what it says is larger than any value.
const LINE_MAX: usize = 64 << 20;

/// What becomes of an entry whose key is taken.
///
/// Whatever is chosen: what somebody else writes while entries come in is newer than these, and is not overwritten.
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
    /// Left out, because somebody wrote under their key meanwhile.
    pub newer: u64,
}

/// An entry as a line of JSON, as it is exported and imported, and shown to programs.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Line {
    key: Key,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    json: Option<serde_json::Value>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    base64: Option<String>,
    #[serde(default, rename = "type", alias = "kind", skip_serializing_if = "Option::is_none")]
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
    #[serde(default, skip_serializing_if = "Option::is_none")]
    version: Option<u64>,
}

/// An entry that is to be taken up.
#[derive(Clone, Debug)]
pub(crate) struct Incoming {
    key: Key,
    value: Value,
    labels: Labels,
    lifetime: Lifetime,
    origin: Origin,
}

impl Incoming {
    /// As a backup of `then` had it; nothing where its time was over then.
    pub(crate) fn of(key: Key, entry: &Entry, then: &Anchor, clock: &Clock) -> Option<Self> {
        let lifetime = match entry.left(then.time) {
            None => Lifetime::Forever,
            Some(Duration::ZERO) => return None,
            Some(left) => Lifetime::For(left),
        };
        // Each store has a time of its own; the wall clock is what they share.
        let wall = |time: StoreTime| UNIX_EPOCH + Duration::from_millis(then.reading.wall) - then.time.since(time);
        Some(Self {
            key,
            value: entry.value().clone(),
            labels: entry.labels().clone(),
            lifetime,
            origin: Origin {
                owner: Some(entry.owner_shared()),
                created: Some(clock.time_of(wall(entry.created()))),
                updated: Some(clock.time_of(wall(entry.updated()))),
            },
        })
    }

    fn put(self) -> Put {
        Put {
            labels: self.labels,
            origin: Some(Box::new(self.origin)),
            ..Put::new(self.key, self.value).lasting(self.lifetime)
        }
    }
}

impl Line {
    /// An entry as it is shown, by this clock.
    pub fn of(key: Key, entry: &Entry, clock: &Clock) -> Self {
        let wall = |time| {
            let since = clock.wall(time).duration_since(UNIX_EPOCH).unwrap_or_default();
            u64::try_from(since.as_millis()).ok()
        };
        let labels = entry.labels().clone();
        Self {
            key,
            json: entry.value().as_json(),
            base64: entry.value().as_base64(),
            kind: labels.kind,
            tags: labels.tags,
            metadata: labels.metadata,
            owner: Some(entry.owner_shared()),
            created: wall(entry.created()),
            updated: wall(entry.updated()),
            expires_in: entry
                .left(clock.now())
                .and_then(|left| u64::try_from(left.as_millis()).ok()),
            version: Some(entry.version()),
        }
    }

    /// What is to be written where somebody writes such a line; whose it was, since when and at which version counts for
    /// nothing. An entry lasts as it says, and where it says nothing as its namespace says.
    pub fn put(self, clock: &Clock) -> Result<Put, Error> {
        let lifetime = self.expires_in.map_or(Lifetime::Default, |millis| {
            Lifetime::For(Duration::from_millis(millis.max(1)))
        });
        let line = Self {
            expires_in: None,
            ..self
        };
        let incoming = line.incoming(clock).map_err(|fault| Error::NotJson { fault })?;
        let put = incoming.map(Incoming::put);
        let mut put = put.ok_or_else(|| Error::NotJson {
            fault: "its time is over".to_owned(),
        })?;
        put.origin = None;
        Ok(put.lasting(lifetime))
    }

    /// `None` where its time is over.
    fn incoming(self, clock: &Clock) -> Result<Option<Incoming>, String> {
        let value = match (&self.json, &self.base64) {
            (Some(json), None) => Value::json(json),
            (None, Some(text)) => Value::parse_base64(text)?,
            (None, None) => Value::json(&serde_json::Value::Null),
            (Some(_), Some(_)) => return Err("it has both json and base64".to_owned()),
        };
        let lifetime = match self.expires_in {
            None => Lifetime::Forever,
            Some(0) => return Ok(None),
            Some(millis) => Lifetime::For(Duration::from_millis(millis)),
        };
        let time = |millis| clock.time_of(UNIX_EPOCH + Duration::from_millis(millis));
        Ok(Some(Incoming {
            origin: Origin {
                owner: self.owner,
                created: self.created.map(time),
                updated: self.updated.map(time),
            },
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
            let line = Line::of(key, &entry, store.clock());
            serde_json::to_writer(&mut to, &line).map_err(std::io::Error::from)?;
            to.write_all(b"\n")?;
            count += 1;
        }
    }
}

/// Lines on their way into a namespace, in one piece or in several.
///
/// What was taken up before something went wrong stays so, and [`Intake::taken`] tells how much that is. A line that is no
/// entry is left out, and [`Intake::take_refused`] tells of it.
pub struct Intake {
    placing: Placing,
    store: Store,
    number: u64,
}

impl Intake {
    pub(crate) fn new(
        client: &Client,
        namespace: &Namespace,
        conflicts: Conflicts,
        is_dry: bool,
    ) -> Result<Self, ExchangeError> {
        Ok(Self {
            placing: Placing::new(client, namespace, conflicts, is_dry)?,
            store: client.store().clone(),
            number: 0,
        })
    }

    /// How many lines there were so far.
    pub fn lines(&self) -> u64 {
        self.number
    }

    /// What was taken up so far, or would have been.
    pub fn taken(&self) -> Exported {
        self.placing.taken()
    }

    /// Which lines were left out since this was last asked, by their numbers among all there were.
    pub fn take_refused(&mut self) -> Refused {
        self.placing.take_refused()
    }

    /// Takes up the next lines, all but those that are no entries, or none that the namespace holds.
    pub async fn take(&mut self, from: impl Read + Send + 'static) -> Result<(), ExchangeError> {
        let read = Box::pin(self.read(BufReader::new(from))).await;
        // What stands before a fault is taken up.
        self.placing.write().await?;
        read
    }

    async fn read(&mut self, mut from: impl BufRead + Send + 'static) -> Result<(), ExchangeError> {
        loop {
            let (rest, lines) = blocking(move || read_lines(from)).await?;
            from = rest;
            if lines.is_empty() {
                return Ok(());
            }
            for line in lines {
                self.number += 1;
                let number = self.number;
                let line = line.map_err(|fault| ExchangeError::Line { number, fault })?;
                match self.incoming(&line) {
                    Ok(Some(incoming)) => self.placing.take(number, incoming).await?,
                    Ok(None) => {}
                    Err(fault) => self.placing.refuse(number, fault),
                }
            }
        }
    }

    /// What a line says; nothing where it is empty.
    fn incoming(&self, line: &[u8]) -> Result<Option<Result<Incoming, ()>>, String> {
        let line = str::from_utf8(line).map_err(|fault| fault.to_string())?;
        if line.trim().is_empty() {
            return Ok(None);
        }
        if let Some(why) = exact::fault(line) {
            return Err(why);
        }
        let line: Line = serde_json::from_str(line).map_err(|why| why.to_string())?;
        Ok(Some(line.incoming(self.store.clock())?.ok_or(())))
    }
}

/// A line, or why there is nothing behind it.
type ReadLine = Result<Vec<u8>, String>;

/// The next lines, and what is behind them; none at the end.
fn read_lines<R: BufRead>(mut from: R) -> Result<(R, Vec<ReadLine>), ExchangeError> {
    let mut lines = Vec::new();
    let mut bytes = 0;
    while lines.len() < LINES_AT_ONCE && bytes < LINES_BYTES {
        let mut line = Vec::new();
        let read = (&mut from).take(LINE_MAX as u64 + 1).read_until(b'\n', &mut line)?;
        if read == 0 {
            break;
        }
        bytes += read;
        if read > LINE_MAX {
            lines.push(Err(format!("it is longer than {LINE_MAX} bytes")));
            break;
        }
        lines.push(Ok(line));
    }
    Ok((from, lines))
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
