//! The store that programs share, each in its own name.

use std::sync::Arc;

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value, json};
use triarch_memory::{Client, Identity, Key, Namespace, SHARED, Scope};
use triarch_teams::Span;

use super::Rooms;
use super::watches::Place;
use crate::operations::memory::{self, Kept, MemoryDelete, MemoryList, MemoryPut, MemorySearch, Sought};
use crate::operations::{Code, Trouble, word};

/// What a program wishes for of the store, as it writes it.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Wish {
    op: Deed,
    #[serde(default)]
    namespace: Option<Namespace>,
    #[serde(default)]
    key: Option<Key>,
    #[serde(default)]
    value: Value,
    #[serde(default)]
    ttl: Option<Span>,
    #[serde(default)]
    tags: Vec<String>,
    #[serde(default)]
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
    text: Option<String>,
    #[serde(default)]
    owner: Option<String>,
    #[serde(default)]
    most: Option<usize>,
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
    List,
    Search,
    Watch,
    Unwatch,
}

/// So many entries are told where nothing is said, and at most: a line of a program has room for no more.
const MOST: usize = 100;
const MOST_MAX: usize = 1_000;

/// Does what stands in `what`, in the name of that agent.
pub(super) async fn perform(rooms: &Rooms, agent: &Arc<str>, what: Map<String, Value>) -> Result<Value, Trouble> {
    let client = &rooms.memory.named(Identity::agent(agent));
    let wish: Wish = serde_json::from_value(Value::Object(what)).map_err(|error| {
        let message = format!("that is nothing to ask of the store: {error}");
        Trouble::new(Code::Usage, message, EXAMPLE)
    })?;
    match wish.op {
        Deed::Get => seen(&memory::get(client, &wish.namespace()?, &wish.key()?)?),
        Deed::Cas if wish.version.is_none() => Err(wish.lacks("version")),
        Deed::Put | Deed::Cas => seen(&memory::put(client, wish.put()?).await?),
        Deed::Delete => {
            let asked = MemoryDelete {
                namespace: wish.namespace()?,
                key: wish.key()?,
                if_version: wish.version,
            };
            seen(&memory::delete(client, asked).await?)
        }
        Deed::Increment => increment(client, &wish).await,
        Deed::List => {
            let asked = MemoryList {
                namespace: wish.namespace()?,
                most: wish.most(),
                prefix: wish.prefix.unwrap_or_default(),
                after: wish.after,
            };
            seen(&memory::list(client, &asked)?)
        }
        Deed::Search => seen(&memory::search(client, wish.search()).await?),
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

async fn increment(client: &Client, wish: &Wish) -> Result<Value, Trouble> {
    let drawer = memory::open(client, wish.namespace()?.as_str())?;
    let number = drawer.increment(&wish.key()?, wish.by.unwrap_or(1)).await?;
    Ok(json!({ "number": number }))
}

fn seen(answer: &impl Serialize) -> Result<Value, Trouble> {
    serde_json::to_value(answer).map_err(|error| Trouble::failed(error.to_string()))
}

impl Wish {
    fn lacks(&self, key: &str) -> Trouble {
        Trouble::new(Code::Usage, format!("`{}` needs `{key}`", word(&self.op)), EXAMPLE)
    }

    /// The one that is meant: where none is said, the one that all share.
    fn namespace(&self) -> Result<Namespace, Trouble> {
        let named = self.namespace.clone().map_or_else(|| Namespace::new(SHARED), Ok);
        Ok(named?)
    }

    fn key(&self) -> Result<Key, Trouble> {
        self.key.clone().ok_or_else(|| self.lacks("key"))
    }

    fn most(&self) -> usize {
        self.most.unwrap_or(MOST).min(MOST_MAX)
    }

    /// One key, or all that begin so.
    fn place(self) -> Result<Place, Trouble> {
        let namespace = self.namespace()?;
        let prefix = self.prefix.unwrap_or_default();
        let scope = self.key.map_or(Scope::Prefix(prefix), Scope::Key);
        Ok(Place { namespace, scope })
    }

    fn put(self) -> Result<MemoryPut, Trouble> {
        Ok(MemoryPut {
            namespace: self.namespace()?,
            key: self.key()?,
            value: Kept(self.value),
            ttl: self.ttl,
            tag: self.tags,
            kind: self.kind,
            if_version: self.version,
        })
    }

    fn search(self) -> MemorySearch {
        MemorySearch {
            sought: Sought {
                most: self.most(),
                text: self.text,
                tag: self.tags,
                kind: self.kind,
                owner: self.owner,
                prefix: self.prefix,
            },
            namespaces: self.namespace.into_iter().collect(),
        }
    }
}
