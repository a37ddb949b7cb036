//! Search: by index where there are words, tags or a type to look for, else along the keys.
//!
//! The order of a namespace is held for one segment of the index, or a few keys, at a time: writers go on. What is found is
//! looked up as readers do, and held against all conditions again, so nothing is shown that was not so at some instant during
//! the search.

mod query;
#[cfg(test)]
mod scan_test;

use std::collections::{BTreeMap, HashSet};
use std::sync::Arc;

use query::Shape;
pub use query::{Group, Query, Sort};
use serde::Serialize;

use crate::entry::Entry;
use crate::index::{Terms, Words};
use crate::name::{Key, Namespace};
use crate::space::Space;
use crate::time::{Clock, StoreTime};

/// So many keys are taken at a time.
const PAGE: usize = 1_024;

/// How many groups are told.
const GROUPS_MAX: usize = 10_000;

/// An entry that was found.
#[derive(Clone, Debug)]
pub struct Hit {
    /// Where.
    pub namespace: Namespace,
    /// Under which key.
    pub key: Key,
    /// What.
    pub entry: Arc<Entry>,
}

impl Hit {
    /// About how many bytes it has, as quotas count.
    pub fn bytes(&self) -> u64 {
        self.entry.size(&self.key)
    }
}

/// What a search came to.
#[derive(Clone, Debug, Default)]
pub struct Found {
    /// What is shown of it.
    pub hits: Vec<Hit>,
    /// How many there are, shown or not.
    pub matched: u64,
    /// How many were looked at.
    pub examined: u64,
    /// What is counted together, the most first.
    pub groups: Vec<Grouped>,
    /// Why there may be more.
    pub cuts: Cuts,
}

/// Entries that are counted together.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Grouped {
    /// What they have in common; empty where they have no such thing.
    pub name: String,
    /// How many.
    pub entries: u64,
    /// How many bytes, as quotas count.
    pub bytes: u64,
}

/// Why a search may not show all there is.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
#[expect(
    clippy::struct_excessive_bools,
    reason = "each is a reason of its own, and any of them may hold"
)]
pub struct Cuts {
    /// There are more hits than the limit, or before the offset.
    pub by_limit: bool,
    /// More entries would have had to be looked at than [`Query::examined_max`].
    pub by_examined: bool,
    /// So many entries have words that are not in the index.
    pub unindexed: u64,
    /// So many namespaces have no index of words, and were left out.
    pub without_words: u64,
    /// There are more groups than are told.
    pub by_groups: bool,
    /// A word is longer than any in the index, and nothing was looked for.
    pub by_word: bool,
}

/// Keys that were found in a namespace already.
type Seen = HashSet<Key, foldhash::fast::RandomState>;

/// A search at work.
pub(crate) struct Search<'a> {
    query: &'a Query,
    shape: Option<Shape>,
    words: Option<Words>,
    now: StoreTime,
    hits: Vec<Hit>,
    groups: BTreeMap<String, (u64, u64)>,
    found: Found,
}

impl<'a> Search<'a> {
    pub(crate) fn new(query: &'a Query, clock: &'a Clock) -> Self {
        Self {
            shape: query.shape(),
            words: query.words(),
            query,
            now: clock.now(),
            hits: Vec::new(),
            groups: BTreeMap::new(),
            found: Found::default(),
        }
    }

    /// Looks in a namespace; where `owner` is given, at theirs alone.
    pub(crate) fn look_in(&mut self, space: &Space, owner: Option<&str>) {
        let mut terms = Terms::default();
        self.query.tags.iter().for_each(|tag| terms.tag(tag));
        self.query.kind.iter().for_each(|kind| terms.kind(kind));
        if let Some(words) = &self.words {
            let (has_words, unindexed) = space.words_found();
            if !has_words {
                self.found.cuts.without_words += 1;
                return;
            }
            self.found.cuts.unindexed += unindexed;
            self.found.cuts.by_word |= words.is_cut;
            terms.words(words);
            if words.all.is_empty() || words.is_cut {
                return; // a text without words stands nowhere
            }
        }
        if terms.is_empty() {
            self.along_keys(space, owner);
        } else {
            self.by_terms(space, &terms, owner);
        }
    }

    fn by_terms(&mut self, space: &Space, terms: &Terms, owner: Option<&str>) {
        let (mut from, mut examined, mut seen) = (Some(0), 0, Seen::default());
        while let Some(version) = from {
            let some = space.candidates(terms, version);
            for (key, version) in some.documents {
                if examined >= self.query.examined_max {
                    self.found.cuts.by_examined = true;
                    return;
                }
                examined += 1;
                self.look_at(space, key, version, owner, &mut seen);
            }
            from = some.next;
        }
    }

    /// An entry of which the index knew a version a moment ago. Where it is another by now, that one is held against the
    /// words, since the index may tell of it before, behind, or not at all.
    fn look_at(&mut self, space: &Space, key: Key, version: u64, owner: Option<&str>, seen: &mut Seen) {
        let Some(entry) = space.peek(key.as_str()) else { return };
        let is_it = entry.version() == version || self.words.as_ref().is_none_or(|words| words.are_in(entry.value()));
        if is_it && !seen.contains(&key) && self.consider(space, key.clone(), entry, owner) {
            seen.insert(key);
        }
    }

    fn along_keys(&mut self, space: &Space, owner: Option<&str>) {
        let (mut after, mut examined): (Option<Key>, usize) = (None, 0);
        loop {
            let keys = space.keys(self.query.prefix(), after.as_ref().map(Key::as_str), PAGE);
            let is_last = keys.len() < PAGE;
            after = keys.last().cloned();
            for key in keys {
                if examined >= self.query.examined_max {
                    self.found.cuts.by_examined = true;
                    return;
                }
                examined += 1;
                if let Some(entry) = space.peek(key.as_str()) {
                    self.consider(space, key, entry, owner);
                }
            }
            if is_last {
                return;
            }
        }
    }

    /// Tells whether it is found.
    fn consider(&mut self, space: &Space, key: Key, entry: Arc<Entry>, owner: Option<&str>) -> bool {
        if owner.is_some_and(|owner| owner != entry.owner()) {
            return false;
        }
        self.found.examined += 1;
        if entry.has_expired(self.now) || !self.query.fits(self.shape.as_ref(), &key, &entry) {
            return false;
        }
        self.found.matched += 1;
        self.group(space, &key, &entry);
        let namespace = space.name().clone();
        self.hits.push(Hit { namespace, key, entry });
        let shown = self.query.offset.saturating_add(self.query.limit);
        if self.hits.len() >= shown.saturating_mul(2).max(PAGE) {
            self.keep(shown);
        }
        true
    }

    fn group(&mut self, space: &Space, key: &Key, entry: &Entry) {
        let labels = entry.labels();
        let names: Vec<&str> = match self.query.group {
            None => return,
            Some(Group::Namespace) => vec![space.name().as_str()],
            Some(Group::Kind) => vec![labels.kind.as_deref().unwrap_or_default()],
            Some(Group::Owner) => vec![entry.owner()],
            Some(Group::Tag) if labels.tags.is_empty() => vec![""],
            Some(Group::Tag) => labels.tags.iter().map(|tag| &**tag).collect(),
        };
        for name in names {
            if self.groups.len() >= GROUPS_MAX && !self.groups.contains_key(name) {
                self.found.cuts.by_groups = true;
                continue;
            }
            let (entries, bytes) = self.groups.entry(name.to_owned()).or_default();
            *entries += 1;
            *bytes += entry.size(key);
        }
    }

    /// Keeps the first `most`, in the order that was asked for.
    fn keep(&mut self, most: usize) {
        let (sort, is_descending) = (self.query.sort, self.query.is_descending);
        let value = |hit: &Hit| match sort {
            Sort::Key => 0,
            Sort::Created => hit.entry.created().as_millis(),
            Sort::Updated => hit.entry.updated().as_millis(),
            Sort::Accessed => hit.entry.accessed().as_millis(),
            Sort::Size => hit.entry.value().len() as u64,
        };
        // Read once: what is read meanwhile must not change its place while it is sorted.
        let mut keyed: Vec<(u64, Hit)> = self.hits.drain(..).map(|hit| (value(&hit), hit)).collect();
        keyed.sort_by(|(one, a), (other, b)| {
            let order = one
                .cmp(other)
                .then_with(|| (&a.namespace, &a.key).cmp(&(&b.namespace, &b.key)));
            if is_descending { order.reverse() } else { order }
        });
        self.hits.extend(keyed.into_iter().take(most).map(|(_, hit)| hit));
    }

    /// What it came to.
    pub(crate) fn end(mut self) -> Found {
        self.keep(self.query.offset.saturating_add(self.query.limit));
        let mut found = self.found;
        found.hits = self.hits.into_iter().skip(self.query.offset).collect();
        found.cuts.by_limit = (found.hits.len() as u64) < found.matched;
        let groups = self.groups.into_iter();
        found.groups = groups
            .map(|(name, (entries, bytes))| Grouped { name, entries, bytes })
            .collect();
        found
            .groups
            .sort_by(|a, b| b.entries.cmp(&a.entries).then_with(|| a.name.cmp(&b.name)));
        found
    }
}
