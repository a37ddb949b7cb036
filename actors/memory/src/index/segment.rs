//! A part of an index: so many documents, and where each term stands.
//!
//! ```text
//!   documents   0 1 2 3 …      versions rise; the dead stay in their place until the segment is written anew
//!   open        term ─▶ places                         grows with each document
//!   closed      terms, end to end, sorted │ places     never changes; a term is found by halving
//! ```

use std::collections::HashMap;

use crate::name::Key;

/// How many documents a segment has room for.
pub(crate) const DOCUMENTS_MAX: usize = 4_096;

/// A version of an entry, as an index knows it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Document {
    pub(crate) version: u64,
    pub(crate) key: Key,
    pub(crate) is_dead: bool,
    /// Some of its words are not found.
    pub(crate) is_cut: bool,
}

/// Documents with their terms.
#[derive(Debug, Default)]
pub(crate) struct Segment {
    documents: Vec<Document>,
    dead: usize,
    terms: Terms,
}

#[derive(Debug)]
enum Terms {
    Open(HashMap<Box<str>, Places, foldhash::fast::RandomState>, usize),
    Closed(Box<Closed>),
}

/// Where a term stands. Most stand in one place.
#[derive(Debug)]
enum Places {
    One(u16),
    More(Vec<u16>),
}

#[derive(Debug, Default)]
struct Closed {
    text: String,
    ends: Vec<u32>,
    places: Vec<u16>,
    place_ends: Vec<u32>,
}

impl Default for Terms {
    fn default() -> Self {
        Self::Open(HashMap::default(), 0)
    }
}

impl Segment {
    pub(crate) fn is_full(&self) -> bool {
        self.documents.len() >= DOCUMENTS_MAX
    }

    pub(crate) fn live(&self) -> usize {
        self.documents.len() - self.dead
    }

    pub(crate) fn dead(&self) -> usize {
        self.dead
    }

    pub(crate) fn first(&self) -> u64 {
        self.documents.first().map_or(u64::MAX, |document| document.version)
    }

    pub(crate) fn last(&self) -> u64 {
        self.documents.last().map_or(0, |document| document.version)
    }

    /// About how many bytes it takes.
    pub(crate) fn bytes(&self) -> usize {
        let terms = match &self.terms {
            Terms::Open(_, bytes) => *bytes,
            Terms::Closed(closed) => closed.bytes(),
        };
        terms + self.documents.len() * size_of::<Document>()
    }

    /// One more document, newer than all before it. There is room for it.
    pub(crate) fn push(&mut self, document: Document, terms: impl Iterator<Item = impl AsRef<str>>) {
        let Ok(place) = u16::try_from(self.documents.len()) else {
            return;
        };
        if let Terms::Open(open, bytes) = &mut self.terms {
            for term in terms {
                let term = term.as_ref();
                if let Some(places) = open.get_mut(term) {
                    places.push(place);
                } else {
                    *bytes += term.len() + 64;
                    open.insert(term.into(), Places::One(place));
                }
                *bytes += size_of::<u16>();
            }
        }
        self.documents.push(document);
    }

    /// The document of that version is not there any more; tells whether its words had been cut.
    pub(crate) fn bury(&mut self, version: u64) -> Option<bool> {
        let place = self
            .documents
            .binary_search_by_key(&version, |document| document.version)
            .ok()?;
        let document = self.documents.get_mut(place).filter(|document| !document.is_dead)?;
        document.is_dead = true;
        self.dead += 1;
        Some(document.is_cut)
    }

    /// The live documents that have all these terms.
    pub(crate) fn with_all<'s>(&'s self, terms: &[String]) -> impl Iterator<Item = &'s Document> {
        let mut places: Vec<&[u16]> = terms.iter().map(|term| self.places(term)).collect();
        places.sort_by_key(|places| places.len());
        let (rarest, others) = places
            .split_first()
            .map_or((&[][..], &[][..]), |(first, rest)| (*first, rest));
        let others = others.to_vec();
        let in_all = move |place: &&u16| others.iter().all(|others| others.binary_search(place).is_ok());
        let documents = rarest.iter().filter(in_all);
        documents
            .filter_map(|place| self.documents.get(usize::from(*place)))
            .filter(|document| !document.is_dead)
    }

    fn places(&self, term: &str) -> &[u16] {
        match &self.terms {
            Terms::Open(open, _) => open.get(term).map_or(&[], Places::as_slice),
            Terms::Closed(closed) => closed.places(term),
        }
    }

    /// It takes no more documents, and less room.
    pub(crate) fn close(&mut self) {
        let Terms::Open(open, _) = &mut self.terms else { return };
        let mut sorted: Vec<(Box<str>, Places)> = open.drain().collect();
        sorted.sort_unstable_by(|(a, _), (b, _)| a.cmp(b));
        let mut closed = Closed::default();
        for (term, places) in sorted {
            closed.push(&term, places.as_slice().iter().copied());
        }
        closed.fit();
        self.terms = Terms::Closed(Box::new(closed));
    }

    /// The live documents of closed segments as one closed segment, in their order. Together they are no more than fit.
    pub(crate) fn merged(parts: &[&Self]) -> Self {
        let mut documents = Vec::new();
        let mut moved = Vec::new();
        for part in parts {
            let mut of_part = Vec::with_capacity(part.documents.len());
            for document in &part.documents {
                of_part.push(
                    (!document.is_dead)
                        .then_some(documents.len())
                        .and_then(|place| u16::try_from(place).ok()),
                );
                if !document.is_dead {
                    documents.push(document.clone());
                }
            }
            moved.push(of_part);
        }
        let mut terms: Vec<&str> = parts.iter().flat_map(|part| part.closed_terms()).collect();
        terms.sort_unstable();
        terms.dedup();
        let mut closed = Closed::default();
        for term in terms {
            let places = parts.iter().zip(&moved).flat_map(|(part, moved)| {
                let of_part = part.places(term).iter();
                of_part.filter_map(|place| moved.get(usize::from(*place)).copied().flatten())
            });
            closed.push(term, places);
        }
        closed.fit();
        Self {
            documents,
            dead: 0,
            terms: Terms::Closed(Box::new(closed)),
        }
    }

    fn closed_terms(&self) -> impl Iterator<Item = &str> {
        let closed = match &self.terms {
            Terms::Open(..) => None,
            Terms::Closed(closed) => Some(closed),
        };
        closed
            .into_iter()
            .flat_map(|closed| (0..closed.ends.len()).map(|number| closed.term(number)))
    }
}

impl Places {
    fn push(&mut self, place: u16) {
        match self {
            Self::One(first) => *self = Self::More(vec![*first, place]),
            Self::More(places) => places.push(place),
        }
    }

    fn as_slice(&self) -> &[u16] {
        match self {
            Self::One(place) => std::slice::from_ref(place),
            Self::More(places) => places,
        }
    }
}

impl Closed {
    /// The next term in order, unless it stands nowhere.
    fn push(&mut self, term: &str, places: impl Iterator<Item = u16>) {
        let before = self.places.len();
        self.places.extend(places);
        if self.places.len() > before {
            self.text.push_str(term);
            self.ends.push(count(self.text.len()));
            self.place_ends.push(count(self.places.len()));
        }
    }

    fn fit(&mut self) {
        self.text.shrink_to_fit();
        self.ends.shrink_to_fit();
        self.places.shrink_to_fit();
        self.place_ends.shrink_to_fit();
    }

    fn bytes(&self) -> usize {
        self.text.len()
            + (self.ends.len() + self.place_ends.len()) * size_of::<u32>()
            + self.places.len() * size_of::<u16>()
    }

    fn term(&self, number: usize) -> &str {
        self.text.get(between(&self.ends, number)).unwrap_or_default()
    }

    fn places(&self, term: &str) -> &[u16] {
        let (mut low, mut high) = (0, self.ends.len());
        while low < high {
            let middle = low.midpoint(high);
            match self.term(middle).cmp(term) {
                std::cmp::Ordering::Less => low = middle + 1,
                std::cmp::Ordering::Greater => high = middle,
                std::cmp::Ordering::Equal => {
                    return self.places.get(between(&self.place_ends, middle)).unwrap_or_default();
                }
            }
        }
        &[]
    }
}

/// What lies between the end before and that of `number`.
fn between(ends: &[u32], number: usize) -> std::ops::Range<usize> {
    let end = |number: usize| ends.get(number).map_or(0, |end| *end as usize);
    let start = number.checked_sub(1).map_or(0, end);
    start..end(number)
}

/// A segment's text is bounded by its documents, far below 4 GiB.
fn count(count: usize) -> u32 {
    u32::try_from(count).unwrap_or(u32::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn segment(from: u64, texts: &[&str]) -> Segment {
        let mut segment = Segment::default();
        for (version, text) in (from..).zip(texts) {
            let document = Document {
                version,
                key: Key::new(&format!("k{version}")).unwrap(),
                is_dead: false,
                is_cut: false,
            };
            segment.push(document, text.split(' '));
        }
        segment
    }

    fn found(segment: &Segment, terms: &str) -> Vec<u64> {
        let terms: Vec<String> = terms.split(' ').map(str::to_owned).collect();
        segment.with_all(&terms).map(|document| document.version).collect()
    }

    #[test]
    fn documents_with_all_terms_are_found_open_and_closed() {
        let mut segment = segment(7, &["red fox", "red hen", "blue fox red"]);
        for _ in 0..2 {
            assert_eq!(found(&segment, "red"), [7, 8, 9]);
            assert_eq!(found(&segment, "fox red"), [7, 9]);
            assert_eq!(found(&segment, "blue hen"), [0; 0]);
            assert_eq!(found(&segment, "re"), [0; 0]);
            segment.close();
        }
    }

    #[test]
    fn the_buried_are_not_found_and_buried_once() {
        let mut segment = segment(1, &["red", "red", "red"]);
        assert!(segment.dead() == 0 && !segment.is_full());
        assert_eq!(segment.bury(2), Some(false));
        assert_eq!((segment.bury(2), segment.bury(9)), (None, None));
        assert_eq!(found(&segment, "red"), [1, 3]);
        assert_eq!((segment.live(), segment.dead()), (2, 1));
    }

    #[test]
    fn merged_segments_have_the_living_and_the_terms_of_the_living() {
        let (mut one, mut two) = (
            segment(1, &["red fox", "blue", "red"]),
            segment(4, &["fox", "green red"]),
        );
        one.bury(2);
        two.bury(5);
        one.close();
        two.close();
        let both = Segment::merged(&[&one, &two]);
        assert_eq!((found(&both, "red"), found(&both, "fox")), (vec![1, 3], vec![1, 4]));
        assert_eq!(both.closed_terms().collect::<Vec<_>>(), ["fox", "red"]);
        assert_eq!((both.first(), both.last(), both.live()), (1, 4, 3));
        assert!(both.bytes() < one.bytes() + two.bytes());
    }

    #[test]
    fn a_segment_takes_what_lies_in_it_and_keeps_no_room_to_spare() {
        let mut segment = segment(1, &["red fox", "red hare", "red fox"]);
        let documents = 3 * size_of::<Document>();
        let (letters, terms, places) = ("redfoxhare".len(), 3, 6);
        assert_eq!(segment.bytes(), documents + letters + terms * 64 + places * 2);
        segment.close();
        assert_eq!(segment.bytes(), documents + letters + terms * 8 + places * 2);
        let Terms::Closed(closed) = &segment.terms else {
            panic!("it is open")
        };
        let rooms = [closed.ends.capacity(), closed.place_ends.capacity()];
        assert_eq!((closed.text.capacity(), rooms), (letters, [terms, terms]));
        assert_eq!(closed.places.capacity(), places);
    }
}
