use std::cell::Cell;
use std::cmp::Ordering;

use proptest::prelude::{ProptestConfig, Strategy, prop, prop_assert_eq, prop_oneof, proptest};

use super::*;

thread_local! {
    static STEPS: Cell<u64> = const { Cell::new(0) };
}

/// A word that counts how often any two are compared.
#[derive(Clone, Debug)]
struct Counted(u32);

impl Ord for Counted {
    fn cmp(&self, other: &Self) -> Ordering {
        STEPS.set(STEPS.get() + 1);
        self.0.cmp(&other.0)
    }
}

impl PartialOrd for Counted {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl PartialEq for Counted {
    fn eq(&self, other: &Self) -> bool {
        self.cmp(other) == Ordering::Equal
    }
}

impl Eq for Counted {}

fn aim(pattern: u32, group: Option<u32>, name: Option<u32>) -> Aim<Counted> {
    Aim {
        pattern: Counted(pattern),
        group: group.map(Counted),
        name: name.map(Counted),
    }
}

fn steps_of(act: impl FnOnce()) -> u64 {
    let before = STEPS.get();
    act();
    STEPS.get() - before
}

/// Puts so many there, looks for each and takes out each; tells how many steps each took.
fn steps_of_each(count: u32, of: fn(u32) -> Aim<Counted>) -> u64 {
    let mut sheaf = Sheaf::default();
    let steps = steps_of(|| {
        for number in 0..count {
            assert!(!sheaf.has_in_the_place_of(&of(number)) && sheaf.get(&of(number)).is_none());
            assert_eq!(sheaf.put(of(number), number), None);
        }
        assert_eq!(sheaf.len(), count as usize);
        let left: usize = (0..count)
            .rev()
            .map(|number| sheaf.take_all_of(&of(number).pattern).len())
            .sum();
        assert_eq!((left, sheaf.len()), (count as usize, 0));
    });
    steps / u64::from(count)
}

#[test]
fn a_hundred_times_as_many_take_few_more_steps_each() {
    let plain = |number| aim(number, None, None);
    let grouped = |number| aim(1, Some(number), None);
    let named = |number| aim(number, None, Some(number));
    for of in [plain, grouped, named] {
        let (few, many) = (steps_of_each(100, of), steps_of_each(10_000, of));
        assert!(many < 5 * few, "{few} steps for each of 100, {many} for each of 10,000");
    }
}

#[derive(Clone, Debug)]
enum Step {
    Put(u32, Option<u32>, Option<u32>),
    TakeAllOf(u32),
}

fn step() -> impl Strategy<Value = Step> {
    let some = || prop::option::of(0..3_u32);
    prop_oneof![
        3 => (0..4_u32, some(), some()).prop_map(|(pattern, group, name)| Step::Put(pattern, group, name)),
        1 => (0..4_u32).prop_map(Step::TakeAllOf),
    ]
}

/// The list that is looked through from its beginning.
#[derive(Default)]
struct List(Vec<(Aim<Counted>, usize)>);

impl List {
    fn is_in_the_place_of(one: &Aim<Counted>, other: &Aim<Counted>) -> bool {
        one == other || (one.name.is_some() && one.name == other.name)
    }

    fn take(&mut self, is_meant: impl Fn(&Aim<Counted>) -> bool) -> Vec<usize> {
        let taken = self.0.extract_if(.., |(aim, _)| is_meant(aim));
        let mut taken: Vec<_> = taken.map(|(_, number)| number).collect();
        taken.sort_unstable();
        taken
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 500, failure_persistence: None, ..ProptestConfig::default() })]
    #[test]
    fn it_holds_what_a_list_would(steps in prop::collection::vec(step(), 0..60)) {
        let (mut sheaf, mut list) = (Sheaf::default(), List::default());
        for (number, step) in steps.into_iter().enumerate() {
            match step {
                Step::Put(pattern, group, name) => {
                    let aim = aim(pattern, group, name);
                    let there = list.0.iter().find(|(other, _)| *other == aim).map(|(_, number)| number);
                    prop_assert_eq!(sheaf.get(&aim), there);
                    let is_replaced = sheaf.has_in_the_place_of(&aim);
                    let before: Vec<_> = sheaf.put(aim.clone(), number).into_iter().collect();
                    prop_assert_eq!(is_replaced, !before.is_empty());
                    prop_assert_eq!(before, list.take(|other| List::is_in_the_place_of(other, &aim)));
                    list.0.push((aim, number));
                }
                Step::TakeAllOf(pattern) => {
                    let mut taken = sheaf.take_all_of(&Counted(pattern));
                    taken.sort_unstable();
                    prop_assert_eq!(taken, list.take(|other| other.pattern == Counted(pattern)));
                }
            }
            prop_assert_eq!(sheaf.len(), list.0.len());
        }
        let mut left: Vec<_> = sheaf.into_all().collect();
        left.sort_unstable();
        prop_assert_eq!(left, list.take(|_| true));
    }
}
