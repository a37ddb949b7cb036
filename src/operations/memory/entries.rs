//! Single entries, and looking for them.

use std::str::FromStr;

use clap::Args;
use serde::{Deserialize, Serialize};
use triarch_memory::{Client, Key, Lifetime, Namespace, Op, Put, Value, Wanted};
use triarch_teams::Span;

use super::super::{Code, Operation, Trouble};
use super::search::{MOST, SHOWN_MAX, most};
use super::turns::SEARCHES;
use super::{
    ANSWER_BYTES, CountSeen, EntrySeen, ExistsSeen, ListedSeen, NumberSeen, WrittenSeen, key, namespace, open,
};
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
    /// What, where that is JSON.
    #[arg(skip)]
    #[serde(default)]
    pub(crate) value: Kept,
    /// What, where that is bytes.
    #[arg(skip)]
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) base64: Option<String>,
    /// How long it is there; as long as its namespace says where nothing is said.
    #[arg(long, value_name = "TIME")]
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
    /// A note beside the value; may be given several times.
    #[arg(long, value_name = "NAME=NOTE", value_parser = note)]
    #[serde(default)]
    pub(crate) metadata: Vec<(String, String)>,
    /// Only if what is there is at that version; 0 if there is nothing.
    #[arg(long, value_name = "VERSION")]
    #[serde(default)]
    pub(crate) if_version: Option<u64>,
}

fn note(text: &str) -> Result<(String, String), String> {
    let note = text.split_once('=').filter(|(name, _)| !name.is_empty());
    let (name, note) = note.ok_or("write it as in from=field-7")?;
    Ok((name.to_owned(), note.to_owned()))
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
    let (namespace, key) = (asked.namespace.clone(), asked.key.clone());
    let done = drawer.put(asked.put()?).await?;
    Ok(WrittenSeen::of(&namespace, key, done, false))
}

impl MemoryPut {
    /// As the store takes it.
    pub(crate) fn put(self) -> Result<Put, Trouble> {
        let value = match (self.value.0, self.base64) {
            (value, None) => Ok(Value::from(value)),
            (serde_json::Value::Null, Some(text)) => Value::parse_base64(&text),
            (_, Some(_)) => Err("`value` and `base64` are both given".to_owned()),
        };
        let value = value.map_err(|problem| Trouble::new(Code::Usage, problem, "give one of `value` and `base64`"))?;
        let mut put = Put::new(self.key, value);
        put.labels.kind = self.kind.map(Into::into);
        put.labels.tags = self.tag.into_iter().map(Into::into).collect();
        let notes = self.metadata.into_iter();
        put.labels.metadata = notes.map(|(name, note)| (name.into(), note.into())).collect();
        put.wanted = self.if_version.map(Wanted::Version);
        put.lifetime = self.ttl.map_or(Lifetime::Default, |Span(time)| Lifetime::For(time));
        Ok(put)
    }
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

/// Adds to a whole number.
#[derive(Args, Clone, Debug, Serialize, Deserialize)]
pub(crate) struct MemoryIncrement {
    /// The part of the store.
    #[arg(value_parser = namespace)]
    pub(crate) namespace: Namespace,
    /// Under which key; where nothing is, 0 is.
    #[arg(value_parser = key)]
    pub(crate) key: Key,
    /// How much is added.
    #[arg(default_value_t = 1, allow_negative_numbers = true)]
    #[serde(default = "one")]
    pub(crate) by: i64,
}

fn one() -> i64 {
    1
}

impl Operation for MemoryIncrement {
    const NAME: &'static str = "memory.increment";
    type Output = NumberSeen;

    async fn perform(self, fleet: &Fleet) -> Result<NumberSeen, Trouble> {
        increment(fleet.memory()?, &self).await
    }
}

/// Adds to a whole number.
pub(crate) async fn increment(client: &Client, asked: &MemoryIncrement) -> Result<NumberSeen, Trouble> {
    let drawer = open(client, asked.namespace.as_str())?;
    let number = drawer.increment(&asked.key, asked.by).await?;
    Ok(NumberSeen { number })
}

/// Tells whether there is something under a key.
#[derive(Args, Clone, Debug, Serialize, Deserialize)]
pub(crate) struct MemoryExists {
    /// The part of the store.
    #[arg(value_parser = namespace)]
    pub(crate) namespace: Namespace,
    /// Under which key.
    #[arg(value_parser = key)]
    pub(crate) key: Key,
}

impl Operation for MemoryExists {
    const NAME: &'static str = "memory.exists";
    type Output = ExistsSeen;

    async fn perform(self, fleet: &Fleet) -> Result<ExistsSeen, Trouble> {
        exists(fleet.memory()?, &self)
    }
}

/// Whether there is something under a key.
pub(crate) fn exists(client: &Client, asked: &MemoryExists) -> Result<ExistsSeen, Trouble> {
    let exists = open(client, asked.namespace.as_str())?.exists(asked.key.as_str())?;
    Ok(ExistsSeen { exists })
}

/// Counts entries.
#[derive(Args, Clone, Debug, Serialize, Deserialize)]
pub(crate) struct MemoryCount {
    /// The part of the store.
    #[arg(value_parser = namespace)]
    pub(crate) namespace: Namespace,
    /// Only those whose keys begin so.
    #[arg(default_value = "", hide_default_value = true)]
    #[serde(default)]
    pub(crate) prefix: String,
}

impl Operation for MemoryCount {
    const NAME: &'static str = "memory.count";
    type Output = CountSeen;

    async fn perform(self, fleet: &Fleet) -> Result<CountSeen, Trouble> {
        count(fleet.memory()?, self).await
    }
}

/// Counts entries where it holds up nobody.
pub(crate) async fn count(client: &Client, asked: MemoryCount) -> Result<CountSeen, Trouble> {
    let drawer = open(client, asked.namespace.as_str())?;
    let counting = move || drawer.count(&asked.prefix);
    let entries = SEARCHES.aside(client.who(), counting).await??;
    Ok(CountSeen { entries })
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

impl Operation for MemoryList {
    const NAME: &'static str = "memory.list";
    type Output = Vec<EntrySeen>;

    fn joined(parts: Vec<Vec<EntrySeen>>, rest: Vec<EntrySeen>) -> Vec<EntrySeen> {
        parts.into_iter().chain([rest]).flatten().collect()
    }

    async fn perform(self, fleet: &Fleet) -> Result<Vec<EntrySeen>, Trouble> {
        let client = fleet.memory()?;
        let (mut asked, mut told) = (self, Vec::new());
        asked.most = asked.most.min(SHOWN_MAX + 1);
        loop {
            let listed = list(client, asked.clone()).await?;
            asked.most -= listed.entries.len();
            let last = listed.entries.last().map(|last| last.key.clone());
            let is_over = !listed.more || asked.most == 0 || last.is_none();
            asked.after = last;
            if is_over || !fleet.tell_part(&listed.entries).await? {
                told.extend(listed.entries);
            }
            if is_over {
                return Ok(told);
            }
        }
    }
}

/// Entries in the order of their keys, as many as fit into an answer. Those of others are passed over one by one, where that
/// holds up nobody.
pub(crate) async fn list(client: &Client, asked: MemoryList) -> Result<ListedSeen, Trouble> {
    let drawer = open(client, asked.namespace.as_str())?;
    let (prefix, after, most) = (asked.prefix, asked.after, asked.most);
    let looking = move || drawer.page(&prefix, after.as_ref(), (most, ANSWER_BYTES));
    let page = SEARCHES.aside(client.who(), looking).await??;
    let clock = client.store().clock();
    let seen = page
        .entries
        .into_iter()
        .map(|(key, entry)| EntrySeen::of(&asked.namespace, key, &entry, clock));
    Ok(ListedSeen {
        entries: seen.collect(),
        more: page.has_more,
    })
}
