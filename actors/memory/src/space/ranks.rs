//! Who makes room: entries in the order in which they may go.
//!
//! ```text
//!   clock, fifo, adaptive   line:  front ▯▯▯▯▯▯▯ back      the clock's hand is the front: what was read goes to the back
//!   lru, adaptive           reads: ▯▯▯▯▯▯▯ by last known read; one read since then is put where it belongs when its turn comes
//!   adaptive                ghosts: who went, by whose choice; one that comes again is a regret of that choice
//! ```
//!
//! Readers take no part in it: they leave a mark in the entry. What is gone or was born anew is passed over when its
//! turn comes.

use std::collections::{BTreeSet, HashMap, VecDeque};
use std::sync::Arc;

use crate::config::Eviction;
use crate::entry::Entry;
use crate::name::Key;
use crate::time::StoreTime;

/// How many of those that went are remembered.
const GHOSTS_MAX: usize = 4_096;

/// So many that were read are put where they belong for one that goes. Where more were, the one that was read least lately of
/// these goes: whoever writes does not wait until all have been looked at.
const MOVED_MAX: usize = 256;

/// Beyond so many regrets of both choices, half of them is forgotten.
const REGRETS_MAX: u32 = 64;

/// Entries in the order in which they may go.
#[derive(Debug)]
pub(crate) struct Ranks {
    eviction: Eviction,
    line: VecDeque<(Key, u64)>,
    reads: BTreeSet<(StoreTime, u64, Key)>,
    /// Who was chosen and has not gone yet, the first first, and by which choice: in the order of the other its place is left.
    chosen: VecDeque<(Key, Choice)>,
    ghosts: Ghosts,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Choice {
    Line,
    Reads,
}

/// Who went, and what it was worth.
#[derive(Debug, Default)]
struct Ghosts {
    by: HashMap<Key, Choice>,
    order: VecDeque<Key>,
    regrets_of_line: u32,
    regrets_of_reads: u32,
}

impl Ranks {
    pub(crate) fn new(eviction: Eviction) -> Self {
        Self {
            eviction,
            line: VecDeque::new(),
            reads: BTreeSet::new(),
            chosen: VecDeque::new(),
            ghosts: Ghosts::default(),
        }
    }

    /// A key came to be.
    pub(crate) fn add(&mut self, key: &Key, entry: &Entry) {
        if self.has_line() {
            self.line.push_back((key.clone(), entry.born()));
        }
        if self.has_reads() {
            self.reads.insert((entry.accessed(), entry.born(), key.clone()));
        }
        if self.eviction == Eviction::Adaptive {
            self.ghosts.came_again(key);
        }
    }

    /// What was chosen last stays after all, where it was.
    pub(crate) fn give_back(&mut self, key: &Key, entry: &Entry) {
        // Who has taken a place anew meanwhile was chosen by nobody.
        let Some((_, choice)) = self.chosen.pop_back_if(|(chosen, _)| chosen == key) else {
            return;
        };
        match choice {
            Choice::Line => self.line.push_front((key.clone(), entry.born())),
            Choice::Reads => drop(self.reads.insert((entry.accessed(), entry.born(), key.clone()))),
        }
        self.ghosts.stays(key);
    }

    /// What was chosen first has gone.
    pub(crate) fn has_gone(&mut self, key: &Key) {
        drop(self.chosen.pop_front_if(|(chosen, _)| chosen == key));
    }

    /// Who goes next, of those that are held and not spared.
    pub(crate) fn victim(
        &mut self,
        held: impl Fn(&Key) -> Option<Arc<Entry>>,
        is_spared: impl Fn(&Key) -> bool,
    ) -> Option<(Key, Arc<Entry>)> {
        let choice = match self.eviction {
            Eviction::Clock | Eviction::Fifo => Choice::Line,
            Eviction::Lru => Choice::Reads,
            Eviction::Adaptive => self.ghosts.choice(),
        };
        let victim = match choice {
            Choice::Line => self.of_line(&held, &is_spared),
            Choice::Reads => self.of_reads(&held, &is_spared),
        }?;
        if self.eviction == Eviction::Adaptive {
            self.ghosts.went(&victim.0, choice);
        }
        self.chosen.push_back((victim.0.clone(), choice));
        Some(victim)
    }

    /// Forgets those that are gone, once they are more than those that are there.
    pub(crate) fn tidy(&mut self, live: usize, held: impl Fn(&Key) -> Option<Arc<Entry>>) {
        let most = live * 2 + 64;
        if self.line.len() > most {
            self.line
                .retain(|(key, born)| held(key).is_some_and(|entry| entry.born() == *born));
        }
        if self.reads.len() > most {
            self.reads
                .retain(|(_, born, key)| held(key).is_some_and(|entry| entry.born() == *born));
        }
    }

    /// How much is remembered in all.
    #[cfg(test)]
    pub(crate) fn places(&self) -> usize {
        self.line.len() + self.reads.len() + self.chosen.len() + self.ghosts.order.len()
    }

    fn has_line(&self) -> bool {
        self.eviction != Eviction::Lru
    }

    fn has_reads(&self) -> bool {
        matches!(self.eviction, Eviction::Lru | Eviction::Adaptive)
    }

    fn of_line(
        &mut self,
        held: &impl Fn(&Key) -> Option<Arc<Entry>>,
        is_spared: &impl Fn(&Key) -> bool,
    ) -> Option<(Key, Arc<Entry>)> {
        let mut spared = Vec::new();
        let mut found = None;
        // Each has one more turn at most, however busy its readers are.
        let mut turns = self.line.len().min(MOVED_MAX);
        while let Some((key, born)) = self.line.pop_front() {
            let Some(entry) = held(&key).filter(|entry| entry.born() == born) else {
                continue;
            };
            if is_spared(&key) {
                spared.push((key, born));
            } else if self.eviction == Eviction::Clock && turns > 0 && entry.take_reference() {
                turns -= 1;
                self.line.push_back((key, born));
            } else {
                found = Some((key, entry));
                break;
            }
        }
        for one in spared.into_iter().rev() {
            self.line.push_front(one);
        }
        found
    }

    fn of_reads(
        &mut self,
        held: &impl Fn(&Key) -> Option<Arc<Entry>>,
        is_spared: &impl Fn(&Key) -> bool,
    ) -> Option<(Key, Arc<Entry>)> {
        let (mut spared, mut found) = (Vec::new(), None);
        let (mut moved, mut last) = (0, None);
        while let Some((read, born, key)) = self.reads.pop_first() {
            let Some(entry) = held(&key).filter(|entry| entry.born() == born) else {
                continue;
            };
            if is_spared(&key) {
                spared.push((read, born, key));
            } else if entry.accessed() > read {
                let place = (entry.accessed(), born, key);
                let is_last = |(before, _): &(_, _)| place < *before;
                if last.as_ref().is_none_or(is_last) {
                    last = Some((place.clone(), entry));
                }
                self.reads.insert(place);
                moved += 1;
                if moved == MOVED_MAX {
                    break;
                }
            } else {
                found = Some((key, entry));
                break;
            }
        }
        if let (None, Some((place, entry))) = (&found, last) {
            self.reads.remove(&place);
            found = Some((place.2, entry));
        }
        self.reads.extend(spared);
        found
    }
}

impl Ghosts {
    fn choice(&self) -> Choice {
        if self.regrets_of_reads > self.regrets_of_line {
            Choice::Line
        } else {
            Choice::Reads
        }
    }

    fn went(&mut self, key: &Key, choice: Choice) {
        if self.by.insert(key.clone(), choice).is_none() {
            self.order.push_back(key.clone());
        }
        if self.order.len() > GHOSTS_MAX
            && let Some(oldest) = self.order.pop_front()
        {
            self.by.remove(&oldest);
        }
    }

    /// Who went last has not gone after all.
    fn stays(&mut self, key: &Key) {
        if self.order.pop_back_if(|last| last == key).is_some() {
            self.by.remove(key);
        }
    }

    fn came_again(&mut self, key: &Key) {
        match self.by.remove(key) {
            None => return,
            Some(Choice::Line) => self.regrets_of_line += 1,
            Some(Choice::Reads) => self.regrets_of_reads += 1,
        }
        self.order.retain(|ghost| ghost != key);
        if self.regrets_of_line + self.regrets_of_reads > REGRETS_MAX {
            self.regrets_of_line /= 2;
            self.regrets_of_reads /= 2;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::entry::Parts;
    use crate::value::Value;

    /// A namespace of one-letter keys, as the ranks see it.
    struct Stage {
        ranks: Ranks,
        held: HashMap<Key, Arc<Entry>>,
        now: u64,
    }

    impl Stage {
        fn new(eviction: Eviction) -> Self {
            Self {
                ranks: Ranks::new(eviction),
                held: HashMap::new(),
                now: 0,
            }
        }

        fn put(&mut self, name: &str) {
            self.now += 1;
            let (key, time) = (Key::new(name).unwrap(), StoreTime::from_millis(self.now));
            let parts = Parts {
                value: Value::bytes(*b""),
                labels: None,
                owner: "".into(),
                version: self.now,
                born: self.now,
                created: time,
                updated: time,
                accessed: time,
                expires: None,
            };
            let entry = Arc::new(Entry::new(&key, parts));
            self.ranks.add(&key, &entry);
            self.held.insert(key, entry);
        }

        fn read(&mut self, name: &str) {
            self.now += 1;
            self.held[name].touch(StoreTime::from_millis(self.now));
        }

        fn evict(&mut self) -> String {
            self.evict_but("-")
        }

        fn evict_but(&mut self, spared: &str) -> String {
            let held = &self.held;
            let victim = self
                .ranks
                .victim(|key| held.get(key).cloned(), |key| key.as_str() == spared);
            let key = victim.map(|(key, _)| key);
            key.map_or_else(String::new, |key| {
                self.held.remove(&key);
                key.as_str().to_owned()
            })
        }
    }

    fn stage(eviction: Eviction) -> Stage {
        let mut stage = Stage::new(eviction);
        for name in ["a", "b", "c"] {
            stage.put(name);
        }
        stage
    }

    #[test]
    fn first_in_is_first_out_whoever_reads() {
        let mut stage = stage(Eviction::Fifo);
        stage.read("a");
        assert_eq!([stage.evict(), stage.evict(), stage.evict()], ["a", "b", "c"]);
    }

    #[test]
    fn the_least_recently_used_goes() {
        let mut stage = stage(Eviction::Lru);
        stage.read("a");
        stage.read("b");
        assert_eq!([stage.evict(), stage.evict(), stage.evict()], ["c", "a", "b"]);
    }

    #[test]
    fn the_clock_gives_what_was_read_one_more_turn() {
        let mut stage = stage(Eviction::Clock);
        stage.read("a");
        assert_eq!([stage.evict(), stage.evict(), stage.evict()], ["b", "c", "a"]);
        assert_eq!(stage.evict(), "");
    }

    #[test]
    fn where_all_were_read_the_clock_finds_one_still() {
        let mut stage = stage(Eviction::Clock);
        for name in ["a", "b", "c"] {
            stage.read(name);
        }
        assert_eq!(stage.evict(), "a");
    }

    #[test]
    fn where_readers_are_quicker_than_the_clock_it_finds_one_still() {
        let mut stage = stage(Eviction::Clock);
        let held = &stage.held;
        let read = |key: &Key| {
            let entry = held.get(key)?;
            entry.touch(StoreTime::from_millis(9));
            Some(Arc::clone(entry))
        };
        let (key, _) = stage.ranks.victim(read, |_| false).unwrap();
        assert_eq!(key.as_str(), "a");
    }

    #[test]
    fn only_what_a_choice_needs_is_kept() {
        for (eviction, kept) in [
            (Eviction::Clock, (3, 0)),
            (Eviction::Fifo, (3, 0)),
            (Eviction::Lru, (0, 3)),
            (Eviction::Adaptive, (3, 3)),
        ] {
            let ranks = stage(eviction).ranks;
            assert_eq!((ranks.line.len(), ranks.reads.len()), kept, "{eviction:?}");
        }
    }

    #[test]
    fn the_spared_and_the_reborn_keep_their_place() {
        for eviction in [Eviction::Clock, Eviction::Fifo, Eviction::Lru, Eviction::Adaptive] {
            let mut stage = stage(eviction);
            assert_eq!(stage.evict_but("a"), "b", "{eviction:?}");
            stage.held.remove("a");
            stage.put("a");
            assert_eq!([stage.evict(), stage.evict()], ["c", "a"], "{eviction:?}");
        }
    }

    #[test]
    fn what_is_given_back_goes_first_again() {
        for eviction in [Eviction::Clock, Eviction::Fifo, Eviction::Lru] {
            let mut stage = stage(eviction);
            let held = stage.held.clone();
            let (key, entry) = stage.ranks.victim(|key| held.get(key).cloned(), |_| false).unwrap();
            stage.ranks.give_back(&key, &entry);
            assert_eq!(stage.evict(), "a", "{eviction:?}");
        }
    }

    #[test]
    fn what_is_given_back_again_and_again_has_one_place_and_is_regretted_by_nobody() {
        for read in ["a", "c"] {
            let mut stage = stage(Eviction::Adaptive);
            stage.ranks.ghosts.regrets_of_reads = u32::from(read == "a");
            let held = stage.held.clone();
            for turn in 0..100 {
                held[read].touch(StoreTime::from_millis(10 + turn));
                let (key, entry) = stage.ranks.victim(|key| held.get(key).cloned(), |_| false).unwrap();
                stage.ranks.give_back(&key, &entry);
            }
            assert!(
                stage.ranks.line.len() <= 3 && stage.ranks.reads.len() <= 3,
                "{:?}",
                stage.ranks
            );
            assert!(stage.ranks.ghosts.by.is_empty() && stage.ranks.ghosts.order.is_empty());
        }
    }

    #[test]
    fn a_choice_that_is_regretted_gives_way_to_the_other() {
        let mut stage = stage(Eviction::Adaptive);
        stage.read("a");
        assert_eq!(stage.evict(), "b", "least recently used at first");
        stage.put("b");
        assert_eq!(stage.evict(), "a", "the oldest after a regret");
        stage.put("a");
        stage.read("c");
        assert_eq!(stage.evict(), "b", "and back, as both are regretted alike");
    }

    #[test]
    fn few_of_those_that_went_and_of_the_regrets_are_remembered() {
        let mut ghosts = Ghosts::default();
        let key = |number: usize| Key::new(&format!("k{number}")).unwrap();
        for number in 0..GHOSTS_MAX + 9 {
            ghosts.went(&key(number), Choice::Line);
        }
        assert_eq!((ghosts.order.len(), ghosts.by.len()), (GHOSTS_MAX, GHOSTS_MAX));
        ghosts.came_again(&key(8));
        assert_eq!(ghosts.regrets_of_line, 0, "so long ago that nobody knows");
        for number in 9..9 + REGRETS_MAX as usize {
            ghosts.came_again(&key(number));
        }
        assert_eq!(ghosts.regrets_of_line, REGRETS_MAX);
        let left = GHOSTS_MAX - REGRETS_MAX as usize;
        assert_eq!((ghosts.order.len(), ghosts.by.len()), (left, left));
        ghosts.came_again(&key(GHOSTS_MAX));
        assert_eq!(
            ghosts.regrets_of_line,
            REGRETS_MAX.div_ceil(2),
            "then the older count for half"
        );
    }

    #[test]
    fn whoever_makes_room_waits_for_no_more_than_a_few_to_be_looked_at_and_what_was_not_read_goes_first() {
        for eviction in [Eviction::Lru, Eviction::Clock, Eviction::Adaptive] {
            let mut stage = Stage::new(eviction);
            let names: Vec<String> = (0..10_000).map(|number| format!("k{number:05}")).collect();
            for name in &names {
                stage.put(name);
            }
            for name in &names[1..] {
                stage.read(name);
            }
            assert_eq!(stage.evict(), "k00000");
            let looks = std::cell::Cell::new(0);
            let held = |key: &Key| {
                looks.set(looks.get() + 1);
                stage.held.get(key).cloned()
            };
            for turn in 0..20 {
                let (victim, _) = stage.ranks.victim(held, |_| false).unwrap();
                assert!(looks.take() <= 2 * MOVED_MAX, "{eviction:?}");
                if eviction == Eviction::Lru {
                    assert_eq!(
                        victim.as_str(),
                        names[1 + turn * MOVED_MAX],
                        "of those that were looked at"
                    );
                }
            }
        }
    }

    #[test]
    fn the_gone_are_forgotten() {
        let mut stage = Stage::new(Eviction::Adaptive);
        for round in 0..1_000 {
            stage.put(&round.to_string());
        }
        let held: HashMap<Key, Arc<Entry>> = HashMap::new();
        stage.ranks.tidy(10, |key| held.get(key).cloned());
        assert!(stage.ranks.line.is_empty() && stage.ranks.reads.is_empty());
    }

    #[test]
    fn the_gone_and_the_reborn_are_forgotten_once_they_are_many_and_the_living_keep_their_place() {
        let names: Vec<String> = (0..20).map(|number| format!("k{number:02}")).collect();
        let mut stage = Stage::new(Eviction::Adaptive);
        for _ in 0..5 {
            for name in &names {
                stage.put(name);
            }
        }
        stage.put("last");
        stage.read("last");
        let tidied = |stage: &mut Stage, live| {
            let held = &stage.held;
            stage.ranks.tidy(live, |key| held.get(key).cloned());
            (stage.ranks.line.len(), stage.ranks.reads.len())
        };
        // Of 101 places 21 are of those that live.
        assert_eq!(tidied(&mut stage, 19), (101, 101), "2 × 19 + 64 is more");
        stage.put("k00");
        assert_eq!(tidied(&mut stage, 19), (102, 102), "as many");
        stage.put("k00");
        assert_eq!(tidied(&mut stage, 19), (21, 21));
        let left: Vec<String> = std::iter::from_fn(|| Some(stage.evict()).filter(|key| !key.is_empty())).collect();
        let in_order = names[1..].iter().map(String::as_str).chain(["last", "k00"]);
        assert_eq!(left, in_order.collect::<Vec<_>>());
    }

    #[test]
    fn regrets_of_both_choices_are_halved_together() {
        let mut ghosts = Ghosts::default();
        let key = |number: u32| Key::new(&format!("k{number}")).unwrap();
        for number in 0..=REGRETS_MAX {
            let choice = if number % 4 == 0 { Choice::Line } else { Choice::Reads };
            ghosts.went(&key(number), choice);
        }
        (0..REGRETS_MAX).for_each(|number| ghosts.came_again(&key(number)));
        assert_eq!((ghosts.regrets_of_line, ghosts.regrets_of_reads), (16, 48));
        ghosts.came_again(&key(REGRETS_MAX));
        assert_eq!((ghosts.regrets_of_line, ghosts.regrets_of_reads), (8, 24));
    }
}
