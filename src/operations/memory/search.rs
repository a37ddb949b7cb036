//! Looking for entries.

use clap::{Args, ValueEnum};
use serde::{Deserialize, Serialize};
use triarch_memory::{Client, Clock, Found, Group, Hit, Namespace, Query, Sort};
use triarch_teams::Size;

use super::super::{Operation, Trouble};
use super::turns::SEARCHES;
use super::when::{When, between};
use super::{ANSWER_BYTES, EntrySeen, FoundSeen, meant, namespace};
use crate::fleet::Fleet;

pub(super) const MOST: usize = 100;

/// So many entries are shown at most, whatever is asked for: an answer has room for no more.
pub(crate) const SHOWN_MAX: usize = 100_000;

pub(super) fn most() -> usize {
    MOST
}

/// Looks for entries by words, tags and keys.
#[derive(Args, Clone, Debug, Default, Serialize, Deserialize)]
pub(crate) struct MemorySearch {
    /// The parts of the store to look in; without any, all.
    #[arg(value_name = "NAMESPACE", value_parser = namespace)]
    #[serde(default)]
    pub(crate) namespaces: Vec<Namespace>,
    #[command(flatten)]
    #[serde(default)]
    pub(crate) sought: Sought,
}

/// What is looked for: entries that are as each part says that is given.
#[derive(Args, Clone, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub(crate) struct Sought {
    /// Only those with all of these words, in whatever strings of their JSON.
    #[arg(long, value_name = "WORDS")]
    pub(crate) text: Option<String>,
    /// Only those with that tag; may be given several times.
    #[arg(long, value_name = "TAG")]
    #[serde(alias = "tags")]
    pub(crate) tag: Vec<String>,
    /// Only those of that type.
    #[arg(long = "type", value_name = "TYPE")]
    #[serde(rename = "type", alias = "kind")]
    pub(crate) kind: Option<String>,
    /// Only those that somebody made: the path of an agent.
    #[arg(long, value_name = "AGENT")]
    pub(crate) owner: Option<String>,
    /// Only those whose keys begin so; `*` stands for any text, and `?` for one character.
    #[arg(long, value_name = "PREFIX")]
    pub(crate) prefix: Option<String>,
    /// No more than so many.
    #[arg(long, value_name = "COUNT", default_value_t = MOST)]
    pub(crate) most: usize,
    /// So many are left out before those that are shown.
    #[arg(long, value_name = "COUNT", default_value_t = 0, hide_default_value = true)]
    pub(crate) offset: usize,
    /// Only those that came to be then or later: a time as in 2026-11-22T08:00:00Z, or how long ago, as in 1h.
    #[arg(long, value_name = "WHEN")]
    pub(crate) created_after: Option<When>,
    /// Only those that came to be then or before.
    #[arg(long, value_name = "WHEN")]
    pub(crate) created_before: Option<When>,
    /// Only those that were last written then or later.
    #[arg(long, value_name = "WHEN")]
    pub(crate) updated_after: Option<When>,
    /// Only those that were last written then or before.
    #[arg(long, value_name = "WHEN")]
    pub(crate) updated_before: Option<When>,
    /// Only those that were last read or written then or later.
    #[arg(long, value_name = "WHEN")]
    pub(crate) accessed_after: Option<When>,
    /// Only those that were last read or written then or before.
    #[arg(long, value_name = "WHEN")]
    pub(crate) accessed_before: Option<When>,
    /// Only those whose value has so many bytes or more, as in 64KiB.
    #[arg(long, value_name = "SIZE", value_parser = size)]
    pub(crate) min_size: Option<Size>,
    /// Only those whose value has so many bytes or less.
    #[arg(long, value_name = "SIZE", value_parser = size)]
    pub(crate) max_size: Option<Size>,
    /// By what they are sorted.
    #[arg(long, value_enum, value_name = "BY", default_value_t)]
    pub(crate) sort: SortBy,
    /// The last in that order first.
    #[arg(long)]
    pub(crate) descending: bool,
    /// Counts all that are found by this too, shown or not.
    #[arg(long, value_enum, value_name = "BY")]
    pub(crate) group: Option<GroupBy>,
}

fn size(text: &str) -> Result<Size, String> {
    serde_json::from_value(text.into()).map_err(|error: serde_json::Error| error.to_string())
}

/// The order of what is found; where two are alike, by namespace and key.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, ValueEnum)]
#[serde(rename_all = "snake_case")]
pub(crate) enum SortBy {
    /// Namespace and key.
    #[default]
    Key,
    /// When they came to be.
    Created,
    /// When they were last written.
    Updated,
    /// When they were last read or written.
    Accessed,
    /// How many bytes their values have.
    Size,
}

/// What is counted together.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, ValueEnum)]
#[serde(rename_all = "snake_case")]
pub(crate) enum GroupBy {
    /// Of one namespace.
    Namespace,
    /// Of one type.
    #[serde(alias = "kind")]
    Type,
    /// Of one owner.
    Owner,
    /// With one tag; an entry counts for each of its tags.
    Tag,
}

impl From<SortBy> for Sort {
    fn from(by: SortBy) -> Self {
        match by {
            SortBy::Key => Self::Key,
            SortBy::Created => Self::Created,
            SortBy::Updated => Self::Updated,
            SortBy::Accessed => Self::Accessed,
            SortBy::Size => Self::Size,
        }
    }
}

impl From<GroupBy> for Group {
    fn from(by: GroupBy) -> Self {
        match by {
            GroupBy::Namespace => Self::Namespace,
            GroupBy::Type => Self::Kind,
            GroupBy::Owner => Self::Owner,
            GroupBy::Tag => Self::Tag,
        }
    }
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
            offset: 0,
            created_after: None,
            created_before: None,
            updated_after: None,
            updated_before: None,
            accessed_after: None,
            accessed_before: None,
            min_size: None,
            max_size: None,
            sort: SortBy::default(),
            descending: false,
            group: None,
        }
    }
}

impl Sought {
    fn query(self, clock: &Clock) -> Query {
        let bytes = |size: Option<Size>| size.map(|Size(bytes)| bytes);
        let (least, most) = (bytes(self.min_size), bytes(self.max_size));
        let is_sized = least.is_some() || most.is_some();
        Query {
            pattern: self.prefix.map(|prefix| prefix + "*"),
            tags: self.tag,
            owner: self.owner,
            kind: self.kind,
            text: self.text,
            created: between(self.created_after, self.created_before, clock),
            updated: between(self.updated_after, self.updated_before, clock),
            accessed: between(self.accessed_after, self.accessed_before, clock),
            size: is_sized.then(|| least.unwrap_or(0)..=most.unwrap_or(u64::MAX)),
            sort: self.sort.into(),
            is_descending: self.descending,
            offset: self.offset,
            limit: self.most.min(SHOWN_MAX),
            group: self.group.map(Group::from),
            ..Query::default()
        }
    }
}

impl Operation for MemorySearch {
    const NAME: &'static str = "memory.search";
    type Output = FoundSeen;

    fn joined(parts: Vec<FoundSeen>, mut rest: FoundSeen) -> FoundSeen {
        let entries = parts.into_iter().flat_map(|part| part.entries);
        rest.entries = entries.chain(rest.entries).collect();
        rest
    }

    async fn perform(self, fleet: &Fleet) -> Result<FoundSeen, Trouble> {
        let client = fleet.memory()?;
        let mut found = look(client, self).await?;
        let mut seen = FoundSeen::without_entries(&found);
        loop {
            let entries = fitting(&mut found, client.store().clock());
            if found.hits.is_empty() {
                seen.entries.extend(entries);
                return Ok(seen);
            }
            let mut part = FoundSeen {
                entries,
                ..FoundSeen::default()
            };
            if !fleet.tell_part(&part).await? {
                seen.entries.append(&mut part.entries);
            }
        }
    }
}

/// Looks for entries where it holds up nobody.
async fn look(client: &Client, asked: MemorySearch) -> Result<Found, Trouble> {
    let (namespaces, looking) = (asked.namespaces, client.clone());
    let query = asked.sought.query(client.store().clock());
    let looking = move || looking.search(&namespaces, &query);
    let found = SEARCHES.aside(client.who(), looking).await?;
    found.map_err(|error| meant(client, error))
}

/// Looks for entries, and tells as many as fit into an answer.
pub(crate) async fn search(client: &Client, asked: MemorySearch) -> Result<FoundSeen, Trouble> {
    let offset = asked.sought.offset;
    let mut found = look(client, asked).await?;
    let mut seen = FoundSeen::without_entries(&found);
    seen.entries = fitting(&mut found, client.store().clock());
    if !found.hits.is_empty() {
        let next = offset + seen.entries.len();
        seen.cuts
            .push(format!("no more fit into an answer; the next is at offset {next}"));
    }
    Ok(seen)
}

/// Takes the first of what was found, as many as fit into an answer: one at least.
fn fitting(found: &mut Found, clock: &Clock) -> Vec<EntrySeen> {
    let mut taken = 0;
    let is_beyond = |hit: &Hit| {
        let before = taken;
        taken += hit.bytes();
        before > 0 && taken > ANSWER_BYTES
    };
    let end = found.hits.iter().position(is_beyond).unwrap_or(found.hits.len());
    let hits = found.hits.drain(..end);
    hits.map(|hit| EntrySeen::of(&hit.namespace, hit.key, &hit.entry, clock))
        .collect()
}
