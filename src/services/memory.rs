//! The store that programs share, each in its own name.

use std::collections::BTreeMap;
use std::sync::Arc;

use serde::de::DeserializeOwned;
use serde::{Deserialize, Deserializer, Serialize};
use serde_json::{Map, Value, json};
use triarch_memory::{Client, Identity, Key, Namespace, Op, SHARED, Scope, Wanted};
use triarch_teams::Span;

use super::Rooms;
use super::watches::Place;
use crate::operations::memory::{
    self, Kept, MemoryCount, MemoryDelete, MemoryExists, MemoryIncrement, MemoryList, MemoryPut, MemorySearch, Sought,
    WrittenSeen,
};
use crate::operations::{Code, Trouble, written_as};

/// What a program wishes for of the store, as it writes it.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Wish {
    op: Deed,
    #[serde(default)]
    namespace: Option<Namespace>,
    #[serde(default)]
    key: Option<Key>,
    /// `null` is a value too.
    #[serde(default, deserialize_with = "given")]
    value: Option<Value>,
    #[serde(default)]
    base64: Option<String>,
    #[serde(default)]
    ttl: Option<Span>,
    #[serde(default)]
    tags: Vec<String>,
    #[serde(default)]
    metadata: BTreeMap<String, String>,
    // Of a line `type` says what line it is; in a batch both are understood.
    #[serde(default, alias = "type")]
    kind: Option<String>,
    #[serde(default)]
    version: Option<u64>,
    #[serde(default)]
    by: Option<i64>,
    #[serde(default)]
    prefix: Option<String>,
    #[serde(default)]
    after: Option<Key>,
    #[serde(default)]
    most: Option<usize>,
    /// What a batch does.
    #[serde(default)]
    ops: Vec<Self>,
}

/// What is looked for, and where.
#[derive(Debug, Deserialize)]
struct Searched {
    #[serde(default)]
    namespace: Option<Namespace>,
    #[serde(default)]
    namespaces: Vec<Namespace>,
}

/// What is to be done.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
enum Deed {
    Get,
    Put,
    Cas,
    Delete,
    Increment,
    Exists,
    Count,
    Batch,
    List,
    Search,
    Watch,
    Unwatch,
}

/// What a batch does.
const BATCHED: [Deed; 4] = [Deed::Put, Deed::Cas, Deed::Delete, Deed::Increment];

/// So many entries are told where nothing is said, and at most: a line of a program has room for no more.
const MOST: usize = 100;
const MOST_MAX: usize = 1_000;

/// Does what stands in `what`, in the name of that agent.
pub(super) async fn perform(rooms: &Rooms, agent: &Arc<str>, what: Map<String, Value>) -> Result<Value, Trouble> {
    let client = &rooms.memory.named(Identity::agent(agent));
    if what.get("op") == Some(&json!(Deed::Search)) {
        return search(client, what).await;
    }
    is_a_batch_of_writes(&what)?;
    let wish: Wish = read(what)?;
    wish.is_understood()?;
    match wish.op {
        Deed::Get => seen(&memory::get(client, &wish.namespace()?, &wish.key()?)?),
        Deed::Cas if wish.version.is_none() => Err(wish.lacks("version")),
        Deed::Put | Deed::Cas => seen(&memory::put(client, wish.put()?).await?),
        Deed::Delete => seen(&memory::delete(client, wish.delete()?).await?),
        Deed::Increment => seen(&memory::increment(client, &wish.increment()?).await?),
        Deed::Exists => {
            let (namespace, key) = (wish.namespace()?, wish.key()?);
            seen(&memory::exists(client, &MemoryExists { namespace, key })?)
        }
        Deed::Count => {
            let (namespace, prefix) = (wish.namespace()?, wish.prefix.unwrap_or_default());
            seen(&memory::count(client, MemoryCount { namespace, prefix }).await?)
        }
        Deed::Batch => batch(client, wish).await,
        Deed::List => {
            let asked = MemoryList {
                namespace: wish.namespace()?,
                most: wish.most.unwrap_or(MOST).min(MOST_MAX),
                prefix: wish.prefix.unwrap_or_default(),
                after: wish.after,
            };
            seen(&memory::list(client, asked).await?)
        }
        // What is looked for is read as it is asked for elsewhere.
        Deed::Search => Err(wish.lacks("op")),
        Deed::Watch => {
            let place = wish.place()?;
            rooms.watches.begin(agent, place.clone())?;
            Ok(told(&place))
        }
        Deed::Unwatch => {
            let place = wish.place()?;
            if rooms.watches.end(agent, &place) {
                return Ok(told(&place));
            }
            let remedy = "name the place as it was when it began to watch it";
            Err(Trouble::new(Code::NotFound, "it does not watch there", remedy))
        }
    }
}

const EXAMPLE: &str = "write it as in {\"type\":\"memory\",\"op\":\"put\",\"key\":\"a\",\"value\":1}";

/// A place that is watched, as its program named it.
fn told(place: &Place) -> Value {
    match &place.scope {
        Scope::Key(key) => json!({ "namespace": place.namespace, "key": key }),
        Scope::Prefix(prefix) => json!({ "namespace": place.namespace, "prefix": prefix }),
    }
}

fn read<T: DeserializeOwned>(what: Map<String, Value>) -> Result<T, Trouble> {
    serde_json::from_value(Value::Object(what)).map_err(|error| {
        let message = format!("that is nothing to ask of the store: {error}");
        Trouble::new(Code::Usage, message, EXAMPLE)
    })
}

async fn search(client: &Client, mut what: Map<String, Value>) -> Result<Value, Trouble> {
    let places = ["namespace", "namespaces"].map(|place| what.remove_entry(place));
    let Searched { namespace, namespaces } = read(places.into_iter().flatten().collect())?;
    what.remove("op");
    let mut sought: Sought = read(what)?;
    sought.most = sought.most.min(MOST_MAX);
    let namespaces = namespace.into_iter().chain(namespaces).collect();
    let mut found = memory::search(client, MemorySearch { namespaces, sought }).await?;
    if found.groups.len() > MOST_MAX {
        found.cuts.push(format!("there are {} groups", found.groups.len()));
        found.groups.truncate(MOST_MAX);
    }
    seen(&found)
}

/// What a batch does not do is told before what is said beside it, which only that other operation may take.
fn is_a_batch_of_writes(what: &Map<String, Value>) -> Result<(), Trouble> {
    if what.get("op") != Some(&json!(Deed::Batch)) {
        return Ok(());
    }
    let ops = what.get("ops").and_then(Value::as_array).into_iter().flatten();
    let mut named = ops.filter_map(|op| op.get("op")?.as_str());
    let other = named.find(|op| !BATCHED.iter().any(|deed| written_as(deed) == *op));
    other.map_or(Ok(()), |op| Err(nothing_in_a_batch(op)))
}

fn nothing_in_a_batch(op: &str) -> Trouble {
    let message = format!("`{op}` is nothing to do in a batch");
    Trouble::new(Code::Usage, message, "there are put, cas, delete and increment")
}

/// All of it, or nothing.
async fn batch(client: &Client, wish: Wish) -> Result<Value, Trouble> {
    let namespace = wish.namespace()?;
    if wish.ops.is_empty() {
        return Err(wish.lacks("ops"));
    }
    let ops: Vec<Op> = wish.ops.into_iter().map(Wish::op).collect::<Result<_, _>>()?;
    let told: Vec<_> = ops
        .iter()
        .map(|op| (op.key().clone(), matches!(op, Op::Delete(..))))
        .collect();
    let done = memory::open(client, namespace.as_str())?.batch(ops).await?;
    let done = told.into_iter().zip(done);
    let done: Vec<_> = done
        .map(|((key, is_deleted), done)| BatchedSeen {
            number: done.number,
            written: WrittenSeen::of(&namespace, key, done, is_deleted),
        })
        .collect();
    seen(&done)
}

/// What came of one operation of a batch.
#[derive(Serialize)]
struct BatchedSeen {
    #[serde(flatten)]
    written: WrittenSeen,
    #[serde(skip_serializing_if = "Option::is_none")]
    number: Option<i64>,
}

fn given<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<Value>, D::Error> {
    Value::deserialize(deserializer).map(Some)
}

fn seen(answer: &impl Serialize) -> Result<Value, Trouble> {
    serde_json::to_value(answer).map_err(|error| Trouble::failed(error.to_string()))
}

impl Deed {
    /// What may be said beside it.
    const fn takes(self) -> &'static [&'static str] {
        match self {
            Self::Get | Self::Exists => &["namespace", "key"],
            Self::Put | Self::Cas => &[
                "namespace",
                "key",
                "value",
                "base64",
                "ttl",
                "tags",
                "kind",
                "metadata",
                "version",
            ],
            Self::Delete => &["namespace", "key", "version"],
            Self::Increment => &["namespace", "key", "by"],
            Self::Count => &["namespace", "prefix"],
            Self::Batch => &["namespace", "ops"],
            Self::List => &["namespace", "prefix", "after", "most"],
            // It is read elsewhere.
            Self::Search => &[],
            Self::Watch | Self::Unwatch => &["namespace", "key", "prefix"],
        }
    }
}

impl Wish {
    /// What is said beside `op`.
    fn said(&self) -> impl Iterator<Item = &'static str> {
        let said = [
            ("namespace", self.namespace.is_some()),
            ("key", self.key.is_some()),
            ("value", self.value.is_some()),
            ("base64", self.base64.is_some()),
            ("ttl", self.ttl.is_some()),
            ("tags", !self.tags.is_empty()),
            ("kind", self.kind.is_some()),
            ("metadata", !self.metadata.is_empty()),
            ("version", self.version.is_some()),
            ("by", self.by.is_some()),
            ("prefix", self.prefix.is_some()),
            ("after", self.after.is_some()),
            ("most", self.most.is_some()),
            ("ops", !self.ops.is_empty()),
        ];
        said.into_iter().filter_map(|(key, is_said)| is_said.then_some(key))
    }

    /// What would be passed over is refused: whoever says it relies on it.
    fn is_understood(&self) -> Result<(), Trouble> {
        let takes = self.op.takes();
        let Some(other) = self.said().find(|said| !takes.contains(said)) else {
            return Ok(());
        };
        let message = format!("`{}` takes no `{other}`", written_as(&self.op));
        Err(Trouble::new(
            Code::Usage,
            message,
            format!("it takes {}", takes.join(", ")),
        ))
    }

    fn lacks(&self, key: &str) -> Trouble {
        Trouble::new(
            Code::Usage,
            format!("`{}` needs `{key}`", written_as(&self.op)),
            EXAMPLE,
        )
    }

    /// The one that is meant: where none is said, the one that all share.
    fn namespace(&self) -> Result<Namespace, Trouble> {
        let named = self.namespace.clone().map_or_else(|| Namespace::new(SHARED), Ok);
        Ok(named?)
    }

    fn key(&self) -> Result<Key, Trouble> {
        self.key.clone().ok_or_else(|| self.lacks("key"))
    }

    /// One key, or all that begin so.
    fn place(self) -> Result<Place, Trouble> {
        let namespace = self.namespace()?;
        let prefix = self.prefix.unwrap_or_default();
        let scope = self.key.map_or(Scope::Prefix(prefix), Scope::Key);
        Ok(Place { namespace, scope })
    }

    /// As one operation of a batch, whose namespace that is.
    fn op(self) -> Result<Op, Trouble> {
        if self.namespace.is_some() {
            let remedy = "name it beside `ops`";
            return Err(Trouble::new(Code::Usage, "a batch has one namespace", remedy));
        }
        self.is_understood()?;
        match self.op {
            Deed::Cas if self.version.is_none() => Err(self.lacks("version")),
            Deed::Put | Deed::Cas => Ok(Op::Put(self.put()?.put()?)),
            Deed::Delete => Ok(Op::Delete(self.key()?, self.version.map(Wanted::Version))),
            Deed::Increment => Ok(Op::Increment(self.key()?, self.by.unwrap_or(1))),
            other => Err(nothing_in_a_batch(&written_as(&other))),
        }
    }

    fn delete(self) -> Result<MemoryDelete, Trouble> {
        Ok(MemoryDelete {
            namespace: self.namespace()?,
            key: self.key()?,
            if_version: self.version,
        })
    }

    fn increment(self) -> Result<MemoryIncrement, Trouble> {
        Ok(MemoryIncrement {
            namespace: self.namespace()?,
            key: self.key()?,
            by: self.by.unwrap_or(1),
        })
    }

    fn put(self) -> Result<MemoryPut, Trouble> {
        if self.value.is_none() && self.base64.is_none() {
            return Err(self.lacks("value"));
        }
        Ok(MemoryPut {
            namespace: self.namespace()?,
            key: self.key()?,
            value: Kept(self.value.unwrap_or_default()),
            base64: self.base64,
            ttl: self.ttl,
            tag: self.tags,
            metadata: self.metadata.into_iter().collect(),
            kind: self.kind,
            if_version: self.version,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn refused(what: Value) -> String {
        let Value::Object(what) = what else { panic!("{what}") };
        let read = is_a_batch_of_writes(&what).and_then(|()| read::<Wish>(what));
        let done = read.and_then(|wish| wish.ops.into_iter().map(Wish::op).collect::<Result<Vec<_>, _>>());
        done.map_or_else(
            |trouble| format!("{}: {}", trouble.message, trouble.remedy),
            |_| String::new(),
        )
    }

    #[test]
    fn what_a_batch_does_not_do_is_told_with_what_it_does_whatever_is_said_beside_it() {
        let does = "is nothing to do in a batch: there are put, cas, delete and increment";
        for (op, name) in [
            (json!({ "op": "search", "text": "fox" }), "search"),
            (json!({ "op": "search", "key": "a" }), "search"),
            (json!({ "op": "get", "key": "a", "value": 1 }), "get"),
            (json!({ "op": "serch" }), "serch"),
        ] {
            let told = refused(json!({ "op": "batch", "ops": [{ "op": "delete", "key": "a" }, op] }));
            assert_eq!(told, format!("`{name}` {does}"));
        }
        for deed in BATCHED {
            let op = json!({ "op": deed, "key": "a", "value": 1, "version": 1, "colour": "red" });
            let told = refused(json!({ "op": "batch", "ops": [op] }));
            assert!(told.contains("unknown field `colour`"), "{told}");
        }
    }
}
