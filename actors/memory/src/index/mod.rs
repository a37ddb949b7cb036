//! The index of a namespace: which entries have which words, tags and types.
//!
//! Documents are versions of entries, and only ever appended; what is overwritten is marked dead, and a segment of which
//! half is dead is written anew, with its neighbour where both fit into one. So a write costs its own terms, now and then a
//! segment, and never the whole index.

mod segment;
mod words;

use std::sync::Arc;

use segment::{DOCUMENTS_MAX, Document, Segment};
pub(crate) use words::Words;

use crate::entry::Entry;
use crate::name::Key;
use crate::value::Value;

/// Marks the terms that are no words.
const TAG: char = '\u{1}';
const KIND: char = '\u{2}';

/// A segment that was closed before it was full takes up the one before it, if that has no more documents than these.
const FEW: usize = 256;

/// Which entries have which terms.
#[derive(Debug)]
pub(crate) struct Index {
    has_words: bool,
    bytes_max: usize,
    closed: Vec<Segment>,
    closed_bytes: usize,
    open: Segment,
    /// Live documents of which some words are not found.
    cut: u64,
}

/// What to look for: all of it.
#[derive(Clone, Debug, Default)]
pub(crate) struct Terms(Vec<String>);

/// Candidates, as far as was looked.
#[derive(Debug, Default)]
pub(crate) struct Candidates {
    pub(crate) documents: Vec<(Key, u64)>,
    /// From which version on the rest is to be looked for.
    pub(crate) next: Option<u64>,
}

impl Terms {
    pub(crate) fn tag(&mut self, tag: &str) {
        self.0.push(format!("{TAG}{tag}"));
    }

    pub(crate) fn kind(&mut self, kind: &str) {
        self.0.push(format!("{KIND}{kind}"));
    }

    pub(crate) fn words(&mut self, words: &Words) {
        self.0.extend(words.all.iter().cloned());
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }
}

impl Index {
    pub(crate) fn new(has_words: bool, bytes_max: usize) -> Self {
        Self {
            has_words,
            bytes_max,
            closed: Vec::new(),
            closed_bytes: 0,
            open: Segment::default(),
            cut: 0,
        }
    }

    /// Whether an entry has anything to be found by, where words are found or not.
    pub(crate) fn concerns(has_words: bool, entry: Option<&Arc<Entry>>) -> bool {
        entry.is_some_and(|entry| {
            let labels = entry.labels();
            (has_words && matches!(entry.value(), Value::Json(_))) || labels.kind.is_some() || !labels.tags.is_empty()
        })
    }

    /// Whether words are found here.
    pub(crate) fn has_words(&self) -> bool {
        self.has_words
    }

    /// How many entries have words that are not found.
    pub(crate) fn cut(&self) -> u64 {
        self.cut
    }

    /// About how many bytes it takes.
    pub(crate) fn bytes(&self) -> usize {
        self.closed_bytes + self.open.bytes()
    }

    /// The words of an entry, where they are found: those of a long text take their time, in which nobody has to wait for the index.
    pub(crate) fn words(has_words: bool, entry: Option<&Arc<Entry>>) -> Option<Words> {
        match entry.map(|entry| entry.value()) {
            Some(Value::Json(json)) if has_words => Some(Words::of_json(json.as_str())),
            _ => None,
        }
    }

    /// An entry was replaced, came or went.
    pub(crate) fn change(&mut self, key: &Key, before: Option<&Arc<Entry>>, after: Option<&Arc<Entry>>) {
        self.change_to(key, before, after, Self::words(self.has_words, after));
    }

    /// The same with the words of what is there now.
    pub(crate) fn change_to(
        &mut self,
        key: &Key,
        before: Option<&Arc<Entry>>,
        after: Option<&Arc<Entry>>,
        words: Option<Words>,
    ) {
        if let Some(entry) = before {
            self.bury(entry.version());
        }
        if let Some(entry) = after {
            self.add(key, entry, words);
        }
    }

    fn add(&mut self, key: &Key, entry: &Entry, words: Option<Words>) {
        let labels = entry.labels();
        let mut terms = Terms::default();
        labels.tags.iter().for_each(|tag| terms.tag(tag));
        labels.kind.iter().for_each(|kind| terms.kind(kind));
        let mut is_cut = false;
        if let Some(words) = words {
            is_cut = words.is_cut;
            if self.bytes() >= self.bytes_max {
                self.close_early();
            }
            if self.bytes() < self.bytes_max {
                terms.words(&words);
            } else {
                is_cut |= !words.all.is_empty();
            }
        }
        if terms.is_empty() && !is_cut {
            return;
        }
        let document = Document {
            version: entry.version(),
            key: key.clone(),
            is_dead: false,
            is_cut,
        };
        self.cut += u64::from(is_cut);
        self.open.push(document, terms.0.iter());
        if self.open.is_full() {
            let mut full = std::mem::take(&mut self.open);
            full.close();
            self.closed_bytes += full.bytes();
            self.closed.push(full);
        }
    }

    /// Where there is no room, and half of what came last is dead, the dead make room.
    fn close_early(&mut self) {
        if self.open.dead() == 0 || self.open.dead() < self.open.live() {
            return;
        }
        let mut open = std::mem::take(&mut self.open);
        if open.live() == 0 {
            return;
        }
        open.close();
        let fits = |last: &mut Segment| last.live() <= FEW && last.live() + open.live() <= DOCUMENTS_MAX;
        let last = self.closed.pop_if(fits);
        self.closed_bytes -= last.as_ref().map_or(0, Segment::bytes);
        let parts: Vec<&Segment> = last.iter().chain([&open]).collect();
        let merged = Segment::merged(&parts);
        if merged.live() > 0 {
            self.closed_bytes += merged.bytes();
            self.closed.push(merged);
        }
    }

    fn bury(&mut self, version: u64) {
        let was_cut = if version >= self.open.first() {
            self.open.bury(version)
        } else {
            let number = self.closed.partition_point(|segment| segment.last() < version);
            let buried = self.closed.get_mut(number).and_then(|segment| segment.bury(version));
            if buried.is_some() {
                self.tidy(number);
            }
            buried
        };
        self.cut -= u64::from(was_cut == Some(true));
    }

    /// Writes a segment anew once half of it is dead, together with the one behind it where both fit into one.
    fn tidy(&mut self, number: usize) {
        let Some(segment) = self.closed.get(number) else { return };
        if segment.dead() < segment.live() {
            return;
        }
        let next = self.closed.get(number + 1);
        let next = next.filter(|next| next.live() + segment.live() <= DOCUMENTS_MAX);
        let parts: Vec<&Segment> = std::iter::once(segment).chain(next).collect();
        let before: usize = parts.iter().map(|part| part.bytes()).sum();
        let (merged, count) = (Segment::merged(&parts), parts.len());
        self.closed_bytes = (self.closed_bytes + merged.bytes()).saturating_sub(before);
        let merged = (merged.live() > 0).then_some(merged);
        self.closed.splice(number..number + count, merged);
    }

    /// Entries that have all terms, from `from` on, of one segment.
    pub(crate) fn candidates(&self, terms: &Terms, from: u64) -> Candidates {
        let number = self.closed.partition_point(|segment| segment.last() < from);
        let segment = self.closed.get(number).unwrap_or(&self.open);
        let documents = segment.with_all(&terms.0).filter(|document| document.version >= from);
        Candidates {
            documents: documents
                .map(|document| (document.key.clone(), document.version))
                .collect(),
            next: (number < self.closed.len()).then(|| segment.last() + 1),
        }
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use proptest::prelude::*;

    use super::*;
    use crate::entry::{Labels, Parts};

    fn entry(key: &Key, version: u64, text: &str, tag: Option<&str>) -> Arc<Entry> {
        let parts = Parts {
            labels: Labels {
                tags: tag.into_iter().map(Arc::from).collect(),
                ..Labels::default()
            }
            .shared(),
            ..Parts::of(Value::json(&serde_json::json!({ "text": text })), version)
        };
        Arc::new(Entry::new(key, parts))
    }

    fn found(index: &Index, terms: &Terms) -> Vec<(Key, u64)> {
        let (mut all, mut from) = (Vec::new(), Some(0));
        while let Some(version) = from {
            let some = index.candidates(terms, version);
            all.extend(some.documents);
            from = some.next;
        }
        all.sort();
        all
    }

    fn words(text: &str) -> Terms {
        let mut terms = Terms::default();
        terms.words(&Words::of(text));
        terms
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(8))]

        /// Writes in such numbers that segments close, die and are merged.
        #[test]
        fn what_is_found_is_what_a_scan_finds(seed in any::<u64>(), keys in 1_u64..20_000) {
            let mut random = triarch_supervision::clock::Seeded::new(seed);
            let mut index = Index::new(true, usize::MAX);
            let mut model: BTreeMap<Key, (Arc<Entry>, Vec<&str>)> = BTreeMap::new();
            let vocabulary = ["red", "blue", "fox", "hen", "owl"];
            for version in 1..=12_000 {
                let key = Key::new(&format!("k{}", random.below(keys))).unwrap();
                let before = model.remove(&key);
                let text: Vec<&str> = vocabulary.into_iter().filter(|_| random.below(3) == 0).collect();
                let after = (random.below(10) > 0).then(|| entry(&key, version, &text.join(" "), None));
                index.change(&key, before.as_ref().map(|(entry, _)| entry), after.as_ref());
                if let Some(after) = after {
                    model.insert(key, (after, text));
                }
            }
            for wanted in [&["red"][..], &["fox", "owl"], &["red", "blue", "hen"]] {
                let naive: Vec<(Key, u64)> = model.iter()
                    .filter(|(_, (_, text))| wanted.iter().all(|word| text.contains(word)))
                    .map(|(key, (entry, _))| (key.clone(), entry.version()))
                    .collect();
                prop_assert_eq!(found(&index, &words(&wanted.join(" "))), naive);
            }
            prop_assert!(index.closed.iter().all(|segment| segment.dead() < segment.live()));
            prop_assert!(index.closed.iter().all(|segment| segment.live() + segment.dead() <= DOCUMENTS_MAX));
            prop_assert_eq!(index.closed_bytes, index.closed.iter().map(Segment::bytes).sum::<usize>());
        }
    }

    #[test]
    fn what_was_overwritten_takes_no_room_from_what_is_there() {
        for others in [0, 1] {
            let (mut index, key) = (Index::new(true, 20_000), Key::new("k").unwrap());
            let once = Key::new("once").unwrap();
            for version in 0..others {
                index.change(&once, None, Some(&entry(&once, version, "once", None)));
            }
            let mut before = None;
            for version in 2..=2_000 {
                let after = entry(&key, version, &format!("word{version}"), None);
                index.change(&key, before.as_ref(), Some(&after));
                before = Some(after);
            }
            assert_eq!(found(&index, &words("word2000")), [(key, 2_000)]);
            assert_eq!(found(&index, &words("once")).len(), index.closed.len());
            assert!(found(&index, &words("word1999")).is_empty());
            assert_eq!((index.cut(), index.closed.len() as u64), (0, others));
            assert!(index.bytes() < 21_000, "{}", index.bytes());
            assert_eq!(
                index.closed_bytes,
                index.closed.iter().map(Segment::bytes).sum::<usize>()
            );
        }
    }

    #[test]
    fn a_tag_is_no_word_and_a_word_no_tag() {
        let mut index = Index::new(true, usize::MAX);
        let (a, b) = (Key::new("a").unwrap(), Key::new("b").unwrap());
        index.change(&a, None, Some(&entry(&a, 1, "blue", None)));
        index.change(&b, None, Some(&entry(&b, 2, "", Some("blue"))));
        let mut tag = Terms::default();
        tag.tag("blue");
        assert_eq!(
            (found(&index, &words("blue")), found(&index, &tag)),
            (vec![(a, 1)], vec![(b, 2)])
        );
    }

    #[test]
    fn an_index_that_is_full_counts_whose_words_it_lacks() {
        let mut index = Index::new(true, 2_000);
        let entries: Vec<_> = (1..=50)
            .map(|version| {
                let key = Key::new(&format!("k{version}")).unwrap();
                (key.clone(), entry(&key, version, &format!("word{version}"), Some("t")))
            })
            .collect();
        for (key, entry) in &entries {
            index.change(key, None, Some(entry));
        }
        let cut = index.cut();
        assert!((1..50).contains(&cut), "{cut}");
        assert!(found(&index, &words("word50")).is_empty());
        let mut tag = Terms::default();
        tag.tag("t");
        assert_eq!(found(&index, &tag).len(), 50);
        for (key, entry) in &entries {
            index.change(key, Some(entry), None);
        }
        assert_eq!(index.cut(), 0);
    }

    #[test]
    fn an_index_without_room_counts_an_entry_that_has_words_alone() {
        let (mut index, key) = (Index::new(true, 0), Key::new("a").unwrap());
        index.change(&key, None, Some(&entry(&key, 1, "red", None)));
        assert_eq!((index.cut(), found(&index, &words("red")).len()), (1, 0));
        let silent = entry(&key, 2, "", None);
        index.change(&key, Some(&entry(&key, 1, "red", None)), Some(&silent));
        assert_eq!(index.cut(), 0, "nobody looks for what has no words");
    }

    #[test]
    fn an_index_is_asked_only_of_entries_that_have_anything_to_be_found_by() {
        let labelled = |labels: Labels, value: Value| {
            let parts = Parts {
                labels: labels.shared(),
                ..Parts::of(value, 1)
            };
            Some(Arc::new(Entry::new(&Key::new("a").unwrap(), parts)))
        };
        let tagged = || Labels {
            tags: ["t".into()].into(),
            ..Labels::default()
        };
        let typed = || Labels {
            kind: Some("k".into()),
            ..Labels::default()
        };
        let (json, bytes) = (|| Value::json(&serde_json::json!("red")), || Value::bytes(*b"red"));
        let concerned = |entry: Option<Arc<Entry>>| [true, false].map(|words| Index::concerns(words, entry.as_ref()));
        assert_eq!(concerned(None), [false, false]);
        assert_eq!(concerned(labelled(Labels::default(), bytes())), [false, false]);
        assert_eq!(concerned(labelled(Labels::default(), json())), [true, false]);
        for labels in [tagged, typed] {
            assert_eq!(concerned(labelled(labels(), bytes())), [true, true]);
            assert_eq!(concerned(labelled(labels(), json())), [true, true]);
        }
    }

    /// So many entries with a tag, of the versions from 1.
    fn tagged(count: usize) -> (Index, Vec<(Key, Arc<Entry>)>) {
        let mut index = Index::new(true, usize::MAX);
        let entries: Vec<_> = (1..=count as u64)
            .map(|version| {
                let key = Key::new(&format!("k{version}")).unwrap();
                (key.clone(), entry(&key, version, "", Some("t")))
            })
            .collect();
        for (key, entry) in &entries {
            index.change(key, None, Some(entry));
        }
        (index, entries)
    }

    /// How many are there and how many are gone, of each segment.
    fn filled(index: &Index) -> Vec<(usize, usize)> {
        let closed = index.closed.iter();
        closed.map(|segment| (segment.live(), segment.dead())).collect()
    }

    #[test]
    fn a_segment_is_written_anew_once_half_of_it_is_dead_and_with_its_neighbour_where_both_fit() {
        let (mut index, entries) = tagged(2 * DOCUMENTS_MAX);
        let bury = |index: &mut Index, numbers: std::ops::Range<usize>| {
            for (key, entry) in &entries[numbers] {
                index.change(key, Some(entry), None);
            }
            assert_eq!(
                index.closed_bytes,
                index.closed.iter().map(Segment::bytes).sum::<usize>()
            );
        };
        let (all, half, quarter) = (DOCUMENTS_MAX, DOCUMENTS_MAX / 2, DOCUMENTS_MAX / 4);
        bury(&mut index, 0..half - 1);
        assert_eq!(filled(&index), [(half + 1, half - 1), (all, 0)]);
        bury(&mut index, half - 1..half);
        assert_eq!(filled(&index), [(half, 0), (all, 0)], "both do not fit into one");
        bury(&mut index, half..half + quarter - 1);
        assert_eq!(filled(&index), [(quarter + 1, quarter - 1), (all, 0)]);
        bury(&mut index, half + quarter - 1..half + quarter);
        assert_eq!(filled(&index), [(quarter, 0), (all, 0)]);
        bury(&mut index, all..all + half);
        assert_eq!(filled(&index), [(quarter, 0), (half, 0)]);
        bury(&mut index, half + quarter..half + quarter + quarter / 2);
        assert_eq!(filled(&index), [(quarter / 2 + half, 0)], "both fit into one");
        bury(&mut index, half + quarter + quarter / 2..all);
        bury(&mut index, all + half..2 * all);
        assert_eq!((filled(&index), index.bytes()), (vec![], 0));
    }

    #[test]
    fn two_segments_that_fill_one_become_one() {
        let (mut index, entries) = tagged(2 * DOCUMENTS_MAX);
        let half = DOCUMENTS_MAX / 2;
        for begin in [DOCUMENTS_MAX, 0] {
            for (key, entry) in &entries[begin..begin + half] {
                index.change(key, Some(entry), None);
            }
        }
        assert_eq!(filled(&index), [(DOCUMENTS_MAX, 0)]);
        let mut tag = Terms::default();
        tag.tag("t");
        assert_eq!(found(&index, &tag).len(), DOCUMENTS_MAX);
    }

    #[test]
    fn what_is_looked_for_from_the_last_of_a_segment_on_begins_with_it() {
        let (index, _entries) = tagged(DOCUMENTS_MAX + 1);
        let mut tag = Terms::default();
        tag.tag("t");
        let some = index.candidates(&tag, DOCUMENTS_MAX as u64);
        let versions: Vec<u64> = some.documents.iter().map(|(_, version)| *version).collect();
        assert_eq!((versions, some.next), (vec![4_096], Some(4_097)));
        let rest = index.candidates(&tag, 4_097);
        assert_eq!((rest.documents.len(), rest.next), (1, None));
    }
}
