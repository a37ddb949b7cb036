//! What a namespace was at an instant, against copies of it, whatever comes between the pages.

use std::collections::BTreeMap;

use proptest::prelude::*;

use super::*;
use crate::access::{Access, Level};
use crate::op::Put;
use crate::value::Value;

#[derive(Clone, Debug)]
enum Step {
    Put(u8),
    Delete(u8),
    Pin,
    /// A page of the n-th instant that is not told yet.
    Page(usize),
    Drop(usize),
    /// The namespace goes.
    End,
}

type Shown = BTreeMap<Key, u64>;

fn step() -> impl Strategy<Value = Step> {
    prop_oneof![
        20 => (0_u8..24).prop_map(Step::Put),
        10 => (0_u8..24).prop_map(Step::Delete),
        3 => Just(Step::Pin),
        12 => (0_usize..3).prop_map(Step::Page),
        1 => (0_usize..3).prop_map(Step::Drop),
        1 => Just(Step::End),
    ]
}

fn space() -> Arc<Space> {
    let access = Access {
        write: Level::Public,
        delete: Level::Public,
        ..Access::default()
    };
    let rules = Rules {
        access,
        ..Rules::default()
    };
    Arc::new(Space::new(Namespace::new("n").unwrap(), &rules, Shared::default()))
}

fn key(number: u8) -> Key {
    Key::new(&format!("k{number:02}")).unwrap()
}

fn put(space: &Space, number: u8) {
    let put = Put::new(key(number), Value::bytes(*b"x"));
    let _gone = space.write_one(&Identity::system(), &Op::Put(put), StoreTime::default());
}

fn delete(space: &Space, number: u8) {
    let delete = Op::Delete(key(number), None);
    let _gone = space.write_one(&Identity::system(), &delete, StoreTime::default());
}

fn shown(space: &Space) -> Shown {
    let all = space.all().into_iter();
    all.map(|(key, entry)| (key, entry.version())).collect()
}

/// An instant, what there was then, and what has been told of it.
struct Told {
    cut: Cut,
    then: Shown,
    pages: Vec<(Key, u64)>,
}

impl Told {
    fn pin(space: &Arc<Space>) -> Self {
        let cut = cut_together(std::slice::from_ref(space)).remove(0);
        let then = shown(space);
        Self {
            cut,
            then,
            pages: Vec::new(),
        }
    }

    /// Takes a page; tells whether it was the last.
    fn page(&mut self) -> bool {
        let page = self.cut.page();
        let entries = page.entries.into_iter();
        self.pages.extend(entries.map(|(key, entry)| (key, entry.version())));
        !page.may_go_on
    }

    fn check(mut self) -> Result<(), TestCaseError> {
        while !self.page() {}
        let then: Vec<_> = self.then.into_iter().collect();
        prop_assert_eq!(self.pages, then);
        Ok(())
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 300, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn pages_tell_what_was_there_at_the_instant_each_once_and_in_order(
        first in prop::collection::vec(0_u8..24, 0..30),
        steps in prop::collection::vec(step(), 1..120),
    ) {
        let (space, mut pinned) = (space(), Vec::<Told>::new());
        for number in first {
            put(&space, number);
        }
        for step in steps {
            match step {
                Step::Put(number) => put(&space, number),
                Step::Delete(number) => delete(&space, number),
                Step::Pin => pinned.push(Told::pin(&space)),
                Step::Page(number) => {
                    if pinned.get_mut(number).is_some_and(Told::page) {
                        pinned.remove(number).check()?;
                    }
                }
                Step::Drop(number) if number < pinned.len() => drop(pinned.remove(number)),
                Step::Drop(_) => {}
                Step::End => drop(space.end()),
            }
        }
        pinned.into_iter().try_for_each(Told::check)?;
        prop_assert_eq!(space.order().pins.saved(), None, "an instant that was told is forgotten");
    }
}

#[test]
fn keys_that_come_and_go_while_an_instant_is_told_take_no_room() {
    let space = space();
    put(&space, 0);
    let told = Told::pin(&space);
    for _ in 0..100 {
        (1..20).for_each(|number| put(&space, number));
        (1..20).for_each(|number| delete(&space, number));
    }
    put(&space, 0);
    assert_eq!(space.order().pins.saved(), Some(1));
    told.check().unwrap();
}
