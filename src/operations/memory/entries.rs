//! Single entries, and looking for them.

use std::str::FromStr;

use clap::Args;
use serde::{Deserialize, Serialize};
use tokio::sync::Semaphore;
use triarch_memory::{Client, Key, Lifetime, Namespace, Op, Put, Query, Value, Wanted};
use triarch_teams::Span;

use super::super::posts::span;
use super::super::{Code, Operation, Trouble};
use super::{EntrySeen, FoundSeen, WrittenSeen, key, meant, namespace, open};
use crate::fleet::Fleet;

/// Shows what is under a key.
#[derive(Args, Clone, Debug, Serialize, Deserialize)]
pub(crate) struct MemoryGet {
    /// The part of the store.
    #[arg(value_parser = namespace)]
    pub(crate) namespace: Namespace,
    /// Under which key.
    #[arg(value_parser = key)]
    pub(crate) key: Key,
}

impl Operation for MemoryGet {
    const NAME: &'static str = "memory.get";
    type Output = EntrySeen;

    async fn perform(self, fleet: &Fleet) -> Result<EntrySeen, Trouble> {
        let client = fleet.memory()?;
        let found = get(client, &self.namespace, &self.key)?;
        found.ok_or_else(|| nothing(&self.namespace, &self.key))
    }
}

/// What is under a key.
pub(crate) fn get(client: &Client, namespace: &Namespace, key: &Key) -> Result<Option<EntrySeen>, Trouble> {
    let entry = open(client, namespace.as_str())?.get(key.as_str())?;
    let seen = entry.map(|entry| EntrySeen::of(namespace, key.clone(), &entry, client.store().clock()));
    Ok(seen)
}

fn nothing(namespace: &Namespace, key: &Key) -> Trouble {
    Trouble::new(
        Code::NotFound,
        format!("there is nothing under {key} in {namespace}"),
        format!("`triarch memory list {namespace}` shows what there is"),
    )
}

/// Writes a value under a key.
#[derive(Args, Clone, Debug, Serialize, Deserialize)]
pub(crate) struct MemoryPut {
    /// The part of the store.
    #[arg(value_parser = namespace)]
    pub(crate) namespace: Namespace,
    /// Under which key.
    #[arg(value_parser = key)]
    pub(crate) key: Key,
    /// What: JSON, or text.
    pub(crate) value: Kept,
    /// How long it is there; as long as its namespace says where nothing is said.
    #[arg(long, value_name = "TIME", value_parser = span)]
    #[serde(default)]
    pub(crate) ttl: Option<Span>,
    /// A word it is found by; may be given several times.
    #[arg(long, value_name = "TAG")]
    #[serde(default)]
    pub(crate) tag: Vec<String>,
    /// What type of thing it is.
    #[arg(long = "type", value_name = "TYPE")]
    #[serde(default, rename = "type")]
    pub(crate) kind: Option<String>,
    /// Only if what is there is at that version; 0 if there is nothing.
    #[arg(long, value_name = "VERSION")]
    #[serde(default)]
    pub(crate) if_version: Option<u64>,
}

/// A value as it is to be kept: JSON, or text where it is none. Read from a word of the command line, what
/// JSON would not keep as it stands is refused.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
#[serde(transparent)]
pub(crate) struct Kept(pub(crate) serde_json::Value);

impl FromStr for Kept {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        if serde_json::from_str::<serde::de::IgnoredAny>(text).is_err() {
            return Ok(Self(serde_json::Value::String(text.to_owned())));
        }
        let value = Value::parse_json(text).map_err(|error| error.to_string())?;
        Ok(Self(value.as_json().unwrap_or_default()))
    }
}

impl Operation for MemoryPut {
    const NAME: &'static str = "memory.put";
    type Output = WrittenSeen;

    async fn perform(self, fleet: &Fleet) -> Result<WrittenSeen, Trouble> {
        put(fleet.memory()?, self).await
    }
}

/// Writes an entry.
pub(crate) async fn put(client: &Client, asked: MemoryPut) -> Result<WrittenSeen, Trouble> {
    let drawer = open(client, asked.namespace.as_str())?;
    let mut put = Put::new(asked.key.clone(), Value::from(asked.value.0));
    put.labels.kind = asked.kind.map(Into::into);
    put.labels.tags = asked.tag.into_iter().map(Into::into).collect();
    put.wanted = asked.if_version.map(Wanted::Version);
    put.lifetime = asked.ttl.map_or(Lifetime::Default, |Span(time)| Lifetime::For(time));
    let done = drawer.put(put).await?;
    Ok(WrittenSeen::of(&asked.namespace, asked.key, done, false))
}

/// Takes away what is under a key.
#[derive(Args, Clone, Debug, Serialize, Deserialize)]
pub(crate) struct MemoryDelete {
    /// The part of the store.
    #[arg(value_parser = namespace)]
    pub(crate) namespace: Namespace,
    /// Under which key.
    #[arg(value_parser = key)]
    pub(crate) key: Key,
    /// Only if what is there is at that version.
    #[arg(long, value_name = "VERSION")]
    #[serde(default)]
    pub(crate) if_version: Option<u64>,
}

impl Operation for MemoryDelete {
    const NAME: &'static str = "memory.delete";
    type Output = WrittenSeen;

    async fn perform(self, fleet: &Fleet) -> Result<WrittenSeen, Trouble> {
        let nothing = nothing(&self.namespace, &self.key);
        let deleted = delete(fleet.memory()?, self).await?;
        if deleted.existed { Ok(deleted) } else { Err(nothing) }
    }
}

/// Takes an entry away.
pub(crate) async fn delete(client: &Client, asked: MemoryDelete) -> Result<WrittenSeen, Trouble> {
    let drawer = open(client, asked.namespace.as_str())?;
    let wanted = asked.if_version.map(Wanted::Version);
    let done = drawer.batch(vec![Op::Delete(asked.key.clone(), wanted)]).await?;
    let done = done.into_iter().next().unwrap_or_default();
    Ok(WrittenSeen::of(&asked.namespace, asked.key, done, true))
}

/// Lists entries, in the order of their keys.
#[derive(Args, Clone, Debug, Serialize, Deserialize)]
pub(crate) struct MemoryList {
    /// The part of the store.
    #[arg(value_parser = namespace)]
    pub(crate) namespace: Namespace,
    /// Only those whose keys begin so.
    #[arg(default_value = "", hide_default_value = true)]
    #[serde(default)]
    pub(crate) prefix: String,
    /// Only those after that key.
    #[arg(long, value_name = "KEY", value_parser = key)]
    #[serde(default)]
    pub(crate) after: Option<Key>,
    /// No more than so many.
    #[arg(long, value_name = "COUNT", default_value_t = MOST)]
    #[serde(default = "most")]
    pub(crate) most: usize,
}

const MOST: usize = 100;

/// So many entries are shown at most, whatever is asked for: an answer has room for no more.
const SHOWN_MAX: usize = 100_000;

fn most() -> usize {
    MOST
}

impl Operation for MemoryList {
    const NAME: &'static str = "memory.list";
    type Output = Vec<EntrySeen>;

    async fn perform(self, fleet: &Fleet) -> Result<Vec<EntrySeen>, Trouble> {
        list(fleet.memory()?, &self)
    }
}

/// Entries in the order of their keys.
pub(crate) fn list(client: &Client, asked: &MemoryList) -> Result<Vec<EntrySeen>, Trouble> {
    let drawer = open(client, asked.namespace.as_str())?;
    let listed = drawer.list(&asked.prefix, asked.after.as_ref(), asked.most.min(SHOWN_MAX))?;
    let clock = client.store().clock();
    let seen = listed
        .into_iter()
        .map(|(key, entry)| EntrySeen::of(&asked.namespace, key, &entry, clock));
    Ok(seen.collect())
}

/// Looks for entries by words, tags and keys.
#[derive(Args, Clone, Debug, Default, Serialize, Deserialize)]
pub(crate) struct MemorySearch {
    /// The parts of the store to look in; without any, all.
    #[arg(value_name = "NAMESPACE", value_parser = namespace)]
    #[serde(default)]
    pub(crate) namespaces: Vec<Namespace>,
    #[command(flatten)]
    #[serde(flatten)]
    pub(crate) sought: Sought,
}

/// What is looked for: entries that are as each part says that is given.
#[derive(Args, Clone, Debug, Serialize, Deserialize)]
pub(crate) struct Sought {
    /// Only those with all of these words, in whatever strings of their JSON.
    #[arg(long, value_name = "WORDS")]
    #[serde(default)]
    pub(crate) text: Option<String>,
    /// Only those with that tag; may be given several times.
    #[arg(long, value_name = "TAG")]
    #[serde(default)]
    pub(crate) tag: Vec<String>,
    /// Only those of that type.
    #[arg(long = "type", value_name = "TYPE")]
    #[serde(default, rename = "type")]
    pub(crate) kind: Option<String>,
    /// Only those that somebody made: the path of an agent.
    #[arg(long, value_name = "AGENT")]
    #[serde(default)]
    pub(crate) owner: Option<String>,
    /// Only those whose keys begin so; `*` stands for any text, and `?` for one character.
    #[arg(long, value_name = "PREFIX")]
    #[serde(default)]
    pub(crate) prefix: Option<String>,
    /// No more than so many.
    #[arg(long, value_name = "COUNT", default_value_t = MOST)]
    #[serde(default = "most")]
    pub(crate) most: usize,
}

impl Default for Sought {
    fn default() -> Self {
        Self {
            text: None,
            tag: Vec::new(),
            kind: None,
            owner: None,
            prefix: None,
            most: MOST,
        }
    }
}

impl From<Sought> for Query {
    fn from(sought: Sought) -> Self {
        Self {
            pattern: sought.prefix.map(|prefix| prefix + "*"),
            tags: sought.tag,
            owner: sought.owner,
            kind: sought.kind,
            text: sought.text,
            limit: sought.most.min(SHOWN_MAX),
            ..Self::default()
        }
    }
}

impl Operation for MemorySearch {
    const NAME: &'static str = "memory.search";
    type Output = FoundSeen;

    async fn perform(self, fleet: &Fleet) -> Result<FoundSeen, Trouble> {
        search(fleet.memory()?, self).await
    }
}

/// So many searches of the command line and of programs are at work at once; others wait for their turn.
static SEARCHES: Semaphore = Semaphore::const_new(4);

/// Looks for entries where it holds up nobody.
pub(crate) async fn search(client: &Client, asked: MemorySearch) -> Result<FoundSeen, Trouble> {
    let (namespaces, query, looking) = (asked.namespaces, Query::from(asked.sought), client.clone());
    let found = aside(&SEARCHES, move || looking.search(&namespaces, &query)).await?;
    let found = found.map_err(|error| meant(client, error))?;
    Ok(FoundSeen::of(found, client.store().clock()))
}

/// Works on a thread that may block, once there is room for it.
async fn aside<T: Send + 'static>(
    room: &'static Semaphore,
    work: impl FnOnce() -> T + Send + 'static,
) -> Result<T, Trouble> {
    let permit = room.acquire().await;
    let worked = tokio::task::spawn_blocking(move || {
        // Who asked may have gone; the thread is busy until the work is done.
        let _permit = permit;
        work()
    });
    worked
        .await
        .map_err(|error| Trouble::failed(format!("the search ended early: {error}")))
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicUsize, Ordering};
    use std::sync::{Arc, Mutex, mpsc};

    use futures_util::FutureExt as _;
    use futures_util::future::join_all;

    use super::*;

    static ROOM: Semaphore = Semaphore::const_new(2);

    #[tokio::test]
    async fn no_more_searches_are_at_work_at_once_than_there_is_room_for() {
        static AT_WORK: AtomicUsize = AtomicUsize::new(0);
        let (go_on, waits) = mpsc::sync_channel::<()>(6);
        let (begun, begins) = mpsc::sync_channel(6);
        let waits = Arc::new(Mutex::new(waits));
        let work = || {
            let (waits, begun) = (waits.clone(), begun.clone());
            aside(&ROOM, move || {
                let at_work = AT_WORK.fetch_add(1, Ordering::SeqCst) + 1;
                begun.send(at_work).unwrap();
                waits.lock().unwrap().recv().unwrap();
                AT_WORK.fetch_sub(1, Ordering::SeqCst);
            })
        };
        let mut all = Box::pin(join_all((0..6).map(|_| work())));
        assert!((&mut all).now_or_never().is_none());
        assert_eq!(ROOM.available_permits(), 0, "as many are at work as there is room for");
        (0..6).for_each(|_| go_on.send(()).unwrap());
        for done in all.await {
            done.unwrap();
        }
        let most = begins.try_iter().max();
        assert!(most.is_some_and(|most| most <= 2), "{most:?} at once");
        assert_eq!(ROOM.available_permits(), 2);
    }
}
