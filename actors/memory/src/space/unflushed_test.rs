//! What is flushed, against a disk that takes it, refuses it, or does not say.

use std::collections::BTreeMap;

use proptest::prelude::*;

use super::returning::Flush;
use super::*;
use crate::access::{Access, Level};
use crate::disk::Entries;
use crate::op::Put;
use crate::value::Value;

#[derive(Clone, Debug)]
enum Step {
    Put(u8),
    Delete(u8),
    Take,
    /// What became of what was taken.
    Arrive,
    Refuse,
    /// Nobody was told whether it arrived.
    Lose(bool),
    /// A snapshot begins, and comes to disk later, if ever.
    Cut,
    Keep,
    /// It does not come, for certain.
    Uncut,
    /// What is on disk is read.
    Recover,
}

fn step() -> impl Strategy<Value = Step> {
    prop_oneof![
        16 => (0_u8..6).prop_map(Step::Put),
        16 => (0_u8..6).prop_map(Step::Delete),
        6 => Just(Step::Take),
        3 => Just(Step::Arrive),
        4 => Just(Step::Refuse),
        2 => any::<bool>().prop_map(Step::Lose),
        2 => Just(Step::Cut),
        2 => Just(Step::Keep),
        2 => Just(Step::Uncut),
        1 => Just(Step::Recover),
    ]
}

type Shown = BTreeMap<Key, Arc<Entry>>;

/// A disk that has a snapshot, and the flushes behind it.
#[derive(Default)]
struct Disk {
    there: Shown,
    /// What was at the instant of a snapshot that has not come, with what was flushed since.
    coming: Option<(Shown, u64)>,
}

fn apply(flush: &Flush, to: &mut Shown) {
    for (key, entry) in &flush.states {
        match entry {
            Some(entry) => drop(to.insert(key.clone(), Arc::clone(entry))),
            None => drop(to.remove(key)),
        }
    }
}

impl Disk {
    fn take(&mut self, flush: &Flush) {
        apply(flush, &mut self.there);
        if let Some((shown, cut)) = &mut self.coming
            && flush.revision > *cut
        {
            apply(flush, shown);
        }
    }
}

fn key(number: u16) -> Key {
    Key::new(&format!("k{number:05}")).unwrap()
}

fn space() -> Arc<Space> {
    let access = Access {
        write: Level::Public,
        delete: Level::Public,
        ..Access::default()
    };
    let rules = Rules {
        access,
        durability: Durability::Relaxed,
        ..Rules::default()
    };
    Arc::new(Space::new(Namespace::new("n").unwrap(), &rules, Shared::default()))
}

fn put(space: &Space, number: u16) {
    let put = Op::Put(Put::new(key(number), Value::bytes(*b"x")));
    space
        .write_one(&Identity::system(), &put, StoreTime::default())
        .unwrap();
}

fn delete(space: &Space, number: u16) {
    let delete = Op::Delete(key(number), None);
    space
        .write_one(&Identity::system(), &delete, StoreTime::default())
        .unwrap();
}

fn held(space: &Space) -> Shown {
    space.all().into_iter().collect()
}

struct Story {
    space: Arc<Space>,
    disk: Disk,
    on_its_way: Option<Flush>,
}

impl Story {
    fn end_flush(&mut self, arrives: bool, is_told: bool) {
        let Some(mut flush) = self.on_its_way.take() else {
            return;
        };
        if arrives {
            self.disk.take(&flush);
        }
        if !(arrives && is_told) {
            self.space.give_back_unflushed(flush.taken.take(), is_told);
        }
    }

    fn step(&mut self, step: &Step) {
        match step {
            Step::Put(number) => put(&self.space, u16::from(*number)),
            Step::Delete(number) => delete(&self.space, u16::from(*number)),
            Step::Take => {
                self.end_flush(true, true);
                self.on_its_way = Some(self.space.take_unflushed());
            }
            Step::Arrive => self.end_flush(true, true),
            Step::Refuse => self.end_flush(false, true),
            Step::Lose(arrives) => self.end_flush(*arrives, false),
            Step::Cut => {
                let cut = Cut::to_keep(&self.space);
                self.disk.coming = Some((held(&self.space), cut.revision));
            }
            Step::Keep => {
                if let Some((shown, _)) = self.disk.coming.take() {
                    self.disk.there = shown;
                }
            }
            Step::Uncut => {
                if let Some((_, cut)) = self.disk.coming.take() {
                    self.space.uncut(cut);
                }
            }
            Step::Recover => {
                // Whoever had it on its way is gone.
                if let Some(flush) = self.on_its_way.take() {
                    self.disk.take(&flush);
                }
                self.space
                    .unflush(self.disk.there.clone().into_iter().collect::<Entries>());
            }
        }
    }
}

fn versions(shown: &Shown) -> Vec<(Key, u64)> {
    shown
        .iter()
        .map(|(key, entry)| (key.clone(), entry.version()))
        .collect()
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 3_000, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn after_a_flush_the_disk_has_what_is_there_whatever_came_between(
        steps in prop::collection::vec(step(), 1..60),
    ) {
        let mut story = Story { space: space(), disk: Disk::default(), on_its_way: None };
        for step in &steps {
            story.step(step);
        }
        story.step(&Step::Take);
        story.step(&Step::Arrive);
        prop_assert_eq!(versions(&story.disk.there), versions(&held(&story.space)));
        story.step(&Step::Keep);
        prop_assert_eq!(versions(&story.disk.there), versions(&held(&story.space)));
    }

    #[test]
    fn where_no_snapshot_came_and_all_was_told_nothing_is_flushed_that_is_neither_there_nor_on_disk(
        steps in prop::collection::vec(step(), 1..60),
    ) {
        let mut story = Story { space: space(), disk: Disk::default(), on_its_way: None };
        let steps = steps.iter().filter(|step| !matches!(step, Step::Keep | Step::Lose(_) | Step::Recover));
        for step in steps {
            if matches!(step, Step::Cut) {
                story.step(&Step::Uncut);
            }
            story.step(step);
        }
        story.step(&Step::Uncut);
        story.end_flush(false, true);
        for (key, entry) in story.space.take_unflushed().states {
            prop_assert!(entry.is_some() || story.disk.there.contains_key(&key), "{key}");
        }
    }
}

#[test]
fn what_came_and_went_between_two_flushes_is_forgotten_though_the_disk_refused_one() {
    for is_refused in [false, true] {
        let space = space();
        for number in 0..10_000 {
            put(&space, number);
        }
        if is_refused {
            let mut flush = space.take_unflushed();
            assert_eq!(flush.states.len(), 10_000);
            space.give_back_unflushed(flush.taken.take(), true);
        }
        for number in 0..10_000 {
            delete(&space, number);
        }
        assert!(!space.has_unflushed());
        assert_eq!(space.take_unflushed().states.len(), 0);
    }
}
