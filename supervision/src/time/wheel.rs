//! A hierarchical timing wheel: insertion and removal in constant time; a machine that is told what time it is.
//!
//! Six levels of 64 slots; a slot of level *n* spans 64ⁿ ticks. An entry lies on the lowest level on which it
//! and the present differ, and falls to a lower one when the present reaches its slot. Most are called off soon after they came,
//! so an entry gets its slot only when somebody looks at what comes next.

use std::time::Duration;

use crate::clock::Moment;

const TOP_LEVEL: u32 = 5;
const LEVELS: usize = TOP_LEVEL as usize + 1;
const SLOT_BITS: u32 = 6;
const SLOTS: usize = 1 << SLOT_BITS;
/// How far ahead an entry may lie: one slot less than a whole turn of the highest level, or it would lie in the
/// slot of the present. What is further is looked at again on the way.
const HORIZON: u64 = (SLOTS as u64 - 1) << (SLOT_BITS * TOP_LEVEL);
const TICK: Duration = Duration::from_millis(1);
const NOBODY: u32 = u32::MAX;
/// The slot of an entry that has none yet.
const NO_SLOT: u32 = u32::MAX;
/// So many entries may be without a slot.
const YOUNG: usize = 64;

/// Names one entry; a key of an entry that is gone names nothing.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct EntryKey {
    index: u32,
    generation: u32,
}

#[derive(Debug)]
struct Entry<T> {
    item: Option<T>,
    at: Moment,
    generation: u32,
    slot: u32,
    before: u32,
    after: u32,
}

#[derive(Debug)]
pub(super) struct Wheel<T> {
    /// The present, in ticks.
    elapsed: u64,
    heads: Box<[u32]>,
    occupied: [u64; LEVELS],
    entries: Vec<Entry<T>>,
    free: Vec<u32>,
    /// Entries without a slot; also some that are gone.
    young: Vec<u32>,
    /// The generation new entries begin with.
    past: u32,
}

/// An empty wheel keeps room for this many.
const KEPT_ENTRIES: usize = 1024;

impl<T> Wheel<T> {
    pub(super) fn new(now: Moment) -> Self {
        Self {
            elapsed: tick_before(now),
            heads: vec![NOBODY; LEVELS * SLOTS].into_boxed_slice(),
            occupied: [0; LEVELS],
            entries: Vec::new(),
            free: Vec::new(),
            young: Vec::with_capacity(YOUNG),
            past: 0,
        }
    }

    /// Remembers `item` until `at`; it falls due at most one tick later and never earlier.
    pub(super) fn insert(&mut self, at: Moment, item: T) -> EntryKey {
        if self.young.len() == YOUNG {
            self.settle();
        }
        let index = self.vacancy();
        let Some(entry) = self.entries.get_mut(index as usize) else {
            return EntryKey { index, generation: 0 };
        };
        (entry.item, entry.at, entry.slot) = (Some(item), at, NO_SLOT);
        let generation = entry.generation;
        self.young.push(index);
        EntryKey { index, generation }
    }

    /// Forgets an entry; gives its item back where it had not fallen due.
    pub(super) fn remove(&mut self, key: EntryKey) -> Option<T> {
        let entry = self.entries.get_mut(key.index as usize)?;
        if entry.generation != key.generation {
            return None;
        }
        let item = entry.item.take()?;
        if entry.slot != NO_SLOT {
            self.unlink(key.index);
        } else if self.young.pop_if(|youngest| *youngest == key.index).is_none() {
            // Its place is free once the young are looked at.
            entry.generation = entry.generation.wrapping_add(1);
            return Some(item);
        }
        self.retire(key.index);
        self.shrink();
        Some(item)
    }

    /// Gives each entry that has none its slot.
    fn settle(&mut self) {
        while let Some(index) = self.young.pop() {
            let is_there = |entry: &Entry<T>| entry.item.is_some();
            if self.entries.get(index as usize).is_some_and(is_there) {
                self.link(index);
            } else {
                self.free.push(index);
            }
        }
        self.shrink();
    }

    /// When to look again.
    pub(super) fn next(&mut self) -> Option<Moment> {
        self.settle();
        self.next_slot().map(|(_, tick)| moment_of(tick))
    }

    /// Moves the present to `now` and hands out what fell due on the way.
    pub(super) fn expire(&mut self, now: Moment, due: &mut Vec<T>) {
        let present = tick_before(now);
        self.settle();
        while let Some((slot, tick)) = self.next_slot() {
            if tick > present {
                break;
            }
            self.elapsed = self.elapsed.max(tick);
            self.empty(slot, due);
        }
        self.elapsed = self.elapsed.max(present);
    }

    /// Hands out everything, due or not.
    pub(super) fn drain(&mut self) -> Vec<T> {
        let mut drained = Vec::new();
        self.settle();
        for index in (0u32..).zip(0..self.entries.len()).map(|(index, _)| index) {
            if let Some(item) = self.entries.get_mut(index as usize).and_then(|entry| entry.item.take()) {
                drained.push(item);
                self.unlink(index);
                self.retire(index);
            }
        }
        drained
    }

    fn empty(&mut self, slot: usize, due: &mut Vec<T>) {
        let mut index = std::mem::replace(&mut self.heads[slot], NOBODY);
        self.occupied[slot / SLOTS] &= !(1 << (slot % SLOTS));
        while let Some(entry) = self.entries.get_mut(index as usize) {
            let after = entry.after;
            if tick_after(entry.at) <= self.elapsed {
                due.extend(entry.item.take());
                self.retire(index);
            } else {
                self.link(index);
            }
            index = after;
        }
    }

    /// The next slot that has entries, and the tick it begins at.
    fn next_slot(&self) -> Option<(usize, u64)> {
        let level = (0..LEVELS).find(|level| self.occupied[*level] != 0)?;
        let shift = SLOT_BITS * u32::try_from(level).unwrap_or(0);
        let present = (self.elapsed >> shift) % SLOTS as u64;
        let ahead = u64::from(
            self.occupied[level]
                .rotate_right(u32::try_from(present).unwrap_or(0))
                .trailing_zeros(),
        );
        let slot = (present + ahead) % SLOTS as u64;
        let begins = ((self.elapsed >> shift) + ahead) << shift;
        Some((level * SLOTS + usize::try_from(slot).unwrap_or(0), begins))
    }

    fn slot_of(&self, tick: u64) -> usize {
        let tick = tick.min(self.elapsed + HORIZON);
        let differing = (self.elapsed ^ tick) | (SLOTS as u64 - 1);
        let level = (differing.ilog2() / SLOT_BITS).min(TOP_LEVEL);
        let slot = (tick >> (SLOT_BITS * level)) % SLOTS as u64;
        level as usize * SLOTS + usize::try_from(slot).unwrap_or(0)
    }

    fn link(&mut self, index: u32) {
        let Some(at) = self.entries.get(index as usize).map(|entry| entry.at) else {
            return;
        };
        let tick = tick_after(at).max(self.elapsed + 1);
        let slot = self.slot_of(tick);
        let after = std::mem::replace(&mut self.heads[slot], index);
        self.occupied[slot / SLOTS] |= 1 << (slot % SLOTS);
        if let Some(neighbour) = self.entries.get_mut(after as usize) {
            neighbour.before = index;
        }
        if let Some(entry) = self.entries.get_mut(index as usize) {
            (entry.before, entry.after, entry.slot) = (NOBODY, after, u32::try_from(slot).unwrap_or(0));
        }
    }

    fn unlink(&mut self, index: u32) {
        let Some(entry) = self.entries.get(index as usize) else {
            return;
        };
        let (before, after, slot) = (entry.before, entry.after, entry.slot as usize);
        if let Some(neighbour) = self.entries.get_mut(after as usize) {
            neighbour.before = before;
        }
        match self.entries.get_mut(before as usize) {
            Some(neighbour) => neighbour.after = after,
            None => self.heads[slot] = after,
        }
        if self.heads[slot] == NOBODY {
            self.occupied[slot / SLOTS] &= !(1 << (slot % SLOTS));
        }
    }

    /// After a crowd has gone, gives back the room it took. Keys stay void: generations begin where the last ended.
    fn shrink(&mut self) {
        if self.free.len() == self.entries.len() && self.entries.len() > KEPT_ENTRIES {
            self.past = self
                .entries
                .iter()
                .map(|entry| entry.generation)
                .max()
                .unwrap_or(self.past);
            self.entries = Vec::new();
            self.free = Vec::new();
        }
    }

    fn vacancy(&mut self) -> u32 {
        let generation = self.past;
        self.free.pop().unwrap_or_else(|| {
            let index = u32::try_from(self.entries.len()).unwrap_or(NOBODY);
            self.entries.push(Entry {
                item: None,
                at: Moment::default(),
                generation,
                slot: NO_SLOT,
                before: NOBODY,
                after: NOBODY,
            });
            index
        })
    }

    fn retire(&mut self, index: u32) {
        if let Some(entry) = self.entries.get_mut(index as usize) {
            entry.generation = entry.generation.wrapping_add(1);
        }
        self.free.push(index);
    }
}

#[expect(clippy::cast_possible_truncation, reason = "64 bits of milliseconds outlast the sun")]
fn tick_before(moment: Moment) -> u64 {
    moment.as_nanos() / TICK.as_nanos() as u64
}

#[expect(clippy::cast_possible_truncation, reason = "64 bits of milliseconds outlast the sun")]
fn tick_after(moment: Moment) -> u64 {
    moment.as_nanos().div_ceil(TICK.as_nanos() as u64)
}

#[expect(clippy::cast_possible_truncation, reason = "64 bits of milliseconds outlast the sun")]
fn moment_of(tick: u64) -> Moment {
    Moment::from_nanos(tick.saturating_mul(TICK.as_nanos() as u64))
}

#[cfg(all(test, not(shuttle)))]
mod tests {
    use std::collections::BTreeMap;

    use proptest::prelude::*;

    use super::*;

    fn ms(count: u64) -> Moment {
        Moment::default() + Duration::from_millis(count)
    }

    fn due(wheel: &mut Wheel<u32>, now: Moment) -> Vec<u32> {
        let mut due = Vec::new();
        wheel.expire(now, &mut due);
        due.sort_unstable();
        due
    }

    #[test]
    fn an_entry_falls_due_at_its_tick_and_never_earlier() {
        let mut wheel = Wheel::new(ms(5));
        wheel.insert(ms(7) + Duration::from_micros(1), 1);
        assert_eq!(due(&mut wheel, ms(7) + Duration::from_micros(999)), Vec::<u32>::new());
        assert_eq!(due(&mut wheel, ms(8)), [1]);
        assert_eq!(wheel.next(), None);
    }

    #[test]
    fn a_removed_entry_never_falls_due_and_its_key_is_void() {
        let mut wheel = Wheel::new(ms(0));
        let key = wheel.insert(ms(3), 1);
        assert_eq!(wheel.remove(key), Some(1));
        assert_eq!(wheel.remove(key), None);
        wheel.insert(ms(3), 2);
        assert_eq!(wheel.remove(key), None, "the room was given to another");
        assert_eq!(due(&mut wheel, ms(9)), [2]);
    }

    #[test]
    fn a_crowd_that_has_gone_leaves_its_room_and_void_keys() {
        let mut wheel = Wheel::new(ms(0));
        let keys: Vec<_> = (0..2000).map(|item| wheel.insert(ms(9), item)).collect();
        for key in &keys {
            assert!(wheel.remove(*key).is_some());
        }
        assert_eq!(wheel.next(), None);
        assert_eq!(wheel.entries.capacity(), 0);
        wheel.insert(ms(9), 7);
        assert_eq!(wheel.remove(keys[0]), None);
        assert_eq!(due(&mut wheel, ms(9)), [7]);
    }

    #[test]
    fn what_is_called_off_before_anybody_looks_needs_no_slot_and_leaves_its_room() {
        let mut wheel = Wheel::new(ms(0));
        for item in 0..1000 {
            let (early, late) = (wheel.insert(ms(9), item), wheel.insert(ms(9), item));
            let order = if item % 2 == 0 { [early, late] } else { [late, early] };
            assert_eq!(order.map(|key| wheel.remove(key)), [Some(item); 2]);
        }
        assert_eq!(wheel.occupied, [0; LEVELS]);
        assert!(wheel.entries.len() <= YOUNG, "{}", wheel.entries.len());
        assert_eq!(wheel.next(), None);
        assert_eq!(wheel.free.len(), wheel.entries.len());
    }

    #[derive(Clone, Debug)]
    enum Step {
        Insert(u64),
        Remove(usize),
        Pass(u64),
        SleepUntilNext,
        /// Somebody looks at what comes next, which gives all their slots.
        Look,
    }

    fn steps() -> impl Strategy<Value = Vec<Step>> {
        let span = prop_oneof![0..70u64, 0..5_000u64, 0..400_000u64, 0..100_000_000_000u64];
        let step = prop_oneof![
            8 => span.clone().prop_map(Step::Insert),
            6 => (0..64usize).prop_map(Step::Remove),
            1 => span.prop_map(Step::Pass),
            2 => Just(Step::SleepUntilNext),
            1 => Just(Step::Look),
        ];
        prop::collection::vec(step, 1..400)
    }

    proptest! {
        #[test]
        fn the_wheel_does_what_a_sorted_map_does(start in 0..10_000_000u64, steps in steps()) {
            let (mut wheel, mut now) = (Wheel::new(ms(start)), start);
            let mut model: BTreeMap<u32, (u64, EntryKey)> = BTreeMap::new();
            for (id, step) in (0u32..).zip(steps) {
                match step {
                    Step::Insert(after) => {
                        let key = wheel.insert(ms(now + after), id);
                        model.insert(id, ((now + after).max(now + 1), key));
                    }
                    Step::Remove(nth) => {
                        let chosen = model.iter().nth(nth).map(|(id, (_, key))| (*id, *key));
                        if let Some((id, key)) = chosen {
                            prop_assert_eq!(wheel.remove(key), Some(id));
                            model.remove(&id);
                        }
                    }
                    Step::Look => {
                        let next = wheel.next();
                        prop_assert_eq!(next.is_some(), !model.is_empty());
                        let earliest = model.values().map(|(at, _)| ms(*at)).min();
                        prop_assert!(next <= earliest || earliest.is_none(), "never sleeps past an entry");
                    }
                    Step::Pass(_) | Step::SleepUntilNext => {
                        now = match step {
                            Step::Pass(span) => now + span,
                            _ => wheel.next().map_or(now, |next| next.as_nanos() / 1_000_000),
                        };
                        let expected: Vec<u32> =
                            model.iter().filter(|(_, (at, _))| *at <= now).map(|(id, _)| *id).collect();
                        model.retain(|id, _| !expected.contains(id));
                        prop_assert_eq!(due(&mut wheel, ms(now)), expected);
                    }
                }
            }
        }
    }
}
