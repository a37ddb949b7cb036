//! What to look for.

use std::ops::RangeInclusive;

use crate::entry::Entry;
use crate::index::Words;
use crate::name::Key;
use crate::time::StoreTime;

/// Entries to look for: all conditions hold for what is found. An empty query finds everything.
#[derive(Clone, Debug)]
pub struct Query {
    /// The key: `*` stands for any text, `?` for one character.
    pub pattern: Option<String>,
    /// All of these tags.
    pub tags: Vec<String>,
    /// The owner.
    pub owner: Option<String>,
    /// The type.
    pub kind: Option<String>,
    /// When it came to be.
    pub created: Option<RangeInclusive<StoreTime>>,
    /// When it was last written.
    pub updated: Option<RangeInclusive<StoreTime>>,
    /// When it was last read or written.
    pub accessed: Option<RangeInclusive<StoreTime>>,
    /// Bytes of its value.
    pub size: Option<RangeInclusive<u64>>,
    /// All of these words, in whatever strings of its JSON.
    pub text: Option<String>,
    /// By what it is sorted.
    pub sort: Sort,
    /// The largest first.
    pub is_descending: bool,
    /// So many are left out first.
    pub offset: usize,
    /// So many are shown.
    pub limit: usize,
    /// So many are looked at, in each namespace.
    pub examined_max: usize,
    /// What is found is counted by this.
    pub group: Option<Group>,
}

/// The order of what is found; where two are alike, by namespace and key.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Sort {
    /// By namespace and key.
    #[default]
    Key,
    /// When it came to be.
    Created,
    /// When it was last written.
    Updated,
    /// When it was last read or written.
    Accessed,
    /// Bytes of its value.
    Size,
}

/// What is counted together.
#[derive(Clone, Copy, Debug, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Group {
    /// By namespace.
    Namespace,
    /// By type.
    Kind,
    /// By owner.
    Owner,
    /// By tag; an entry counts for each of its tags.
    Tag,
}

impl Default for Query {
    fn default() -> Self {
        Self {
            pattern: None,
            tags: Vec::new(),
            owner: None,
            kind: None,
            created: None,
            updated: None,
            accessed: None,
            size: None,
            text: None,
            sort: Sort::Key,
            is_descending: false,
            offset: 0,
            limit: 100,
            examined_max: 1_000_000,
            group: None,
        }
    }
}

impl Query {
    /// Whether an entry is looked for whose key has that shape, as far as its words do not matter.
    pub(crate) fn fits(&self, shape: Option<&Shape>, key: &Key, entry: &Entry) -> bool {
        let labels = entry.labels();
        let within =
            |range: &Option<RangeInclusive<StoreTime>>, time| range.as_ref().is_none_or(|range| range.contains(&time));
        shape.is_none_or(|shape| shape.is_of(key.as_str()))
            && self.tags.iter().all(|tag| labels.tags.contains(tag.as_str()))
            && self.owner.as_ref().is_none_or(|owner| owner == entry.owner())
            && self
                .kind
                .as_ref()
                .is_none_or(|kind| labels.kind.as_deref() == Some(kind))
            && within(&self.created, entry.created())
            && within(&self.updated, entry.updated())
            && within(&self.accessed, entry.accessed())
            && self
                .size
                .as_ref()
                .is_none_or(|size| size.contains(&(entry.value().len() as u64)))
    }

    /// How keys look that fit.
    pub(crate) fn shape(&self) -> Option<Shape> {
        self.pattern.as_deref().map(Shape::of)
    }

    /// How every key begins that fits.
    pub(crate) fn prefix(&self) -> &str {
        let pattern = self.pattern.as_deref().unwrap_or_default();
        let end = pattern.find(['*', '?']).unwrap_or(pattern.len());
        pattern.get(..end).unwrap_or_default()
    }

    pub(crate) fn words(&self) -> Option<Words> {
        self.text.as_deref().map(Words::of)
    }
}

/// A pattern, read once for all texts that are held against it.
#[derive(Debug)]
pub(crate) struct Shape(Vec<char>);

impl Shape {
    fn of(pattern: &str) -> Self {
        let mut letters: Vec<char> = pattern.chars().collect();
        // Several stars stand for no more than one.
        letters.dedup_by(|letter, before| (*letter, *before) == ('*', '*'));
        Self(letters)
    }

    /// Whether a text is as the pattern says. Takes time by the square of the text at worst, however long the pattern is.
    fn is_of(&self, text: &str) -> bool {
        let (text, pattern): (Vec<char>, &[char]) = (text.chars().collect(), &self.0);
        let (mut at, mut of, mut star) = (0, 0, None);
        while at < text.len() {
            match pattern.get(of) {
                Some('*') => {
                    of += 1;
                    star = Some((of, at));
                }
                Some(letter) if *letter == '?' || Some(letter) == text.get(at) => (at, of) = (at + 1, of + 1),
                _ => {
                    // What the last star stands for is one longer.
                    let Some((behind, covered)) = star else { return false };
                    (at, of) = (covered + 1, behind);
                    star = Some((behind, at));
                }
            }
        }
        pattern
            .get(of..)
            .is_none_or(|rest| rest.iter().all(|letter| *letter == '*'))
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::entry::{Labels, Parts};
    use crate::value::Value;

    fn naive(text: &[char], pattern: &[char]) -> bool {
        match pattern.split_first() {
            None => text.is_empty(),
            Some(('*', rest)) => (0..=text.len()).any(|skipped| naive(&text[skipped..], rest)),
            Some((letter, rest)) => text
                .split_first()
                .is_some_and(|(first, more)| (*letter == '?' || letter == first) && naive(more, rest)),
        }
    }

    proptest! {
        #[test]
        fn patterns_are_read_as_the_naive_reader_reads_them(text in "[abä]{0,8}", pattern in "[abä*?]{0,7}") {
            let chars = |text: &str| text.chars().collect::<Vec<_>>();
            prop_assert_eq!(Shape::of(&pattern).is_of(&text), naive(&chars(&text), &chars(&pattern)));
        }
    }

    #[test]
    fn an_entry_fits_where_all_fits_that_was_asked_for() {
        let key = Key::new("k").unwrap();
        let mut parts = Parts {
            owner: "a/b".into(),
            ..Parts::of(Value::bytes(*b"red"), 1)
        };
        let labels = Labels {
            kind: Some("note".into()),
            ..Labels::default()
        };
        parts.labels = labels.shared();
        let entry = Entry::new(&key, parts);
        let fits = |query: Query| query.fits(query.shape().as_ref(), &key, &entry);
        for (word, holds) in [("note", true), ("plan", false)] {
            let kind = Some(word.to_owned());
            assert_eq!(
                fits(Query {
                    kind,
                    ..Query::default()
                }),
                holds,
                "{word}"
            );
        }
        for (who, holds) in [("a/b", true), ("a/c", false)] {
            let owner = Some(who.to_owned());
            assert_eq!(
                fits(Query {
                    owner,
                    ..Query::default()
                }),
                holds,
                "{who}"
            );
        }
        for (size, holds) in [(0..=2, false), (3..=3, true), (4..=9, false)] {
            let size = Some(size);
            assert_eq!(
                fits(Query {
                    size,
                    ..Query::default()
                }),
                holds
            );
        }
        let tags = vec!["hot".to_owned()];
        assert!(!fits(Query {
            tags,
            ..Query::default()
        }));
    }

    #[test]
    fn the_prefix_ends_where_the_pattern_begins_to_be_one() {
        let prefix = |pattern: &str| {
            let query = Query {
                pattern: Some(pattern.to_owned()),
                ..Query::default()
            };
            query.prefix().to_owned()
        };
        assert_eq!(
            ["plans/*/a", "a?", "plain", "*"].map(prefix),
            ["plans/", "a", "plain", ""]
        );
    }
}
