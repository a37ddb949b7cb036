//! What a namespace does by its rules, case by case.

use super::model_test::{put, space};
use super::*;
use crate::access::{Access, Level};
use crate::config::{Eviction, Quota};
use crate::op::Put;
use crate::value::Value;

#[test]
fn other_rules_hold_from_then_on_and_durability_for_life() {
    let clock = Clock::by_hand();
    let space = space(&Rules {
        access: Access {
            write: Level::Public,
            ..Access::default()
        },
        ..Rules::default()
    });
    for key in ["a", "b", "c"] {
        put(&space, &clock, "x/y", key).unwrap();
    }
    let mut rules = Rules::clone(&space.rules());
    rules.quota.entries = 2;
    rules.eviction = Some(Eviction::Fifo);
    space.change_rules(rules.clone()).unwrap();
    put(&space, &clock, "x/y", "d").unwrap();
    let keys: Vec<Key> = space.keys("", None, 10);
    assert_eq!(keys, [Key::new("c").unwrap(), Key::new("d").unwrap()]);
    rules.durability = Durability::Journal;
    assert!(matches!(space.change_rules(rules), Err(Error::OtherDurability { .. })));
}

#[test]
fn keys_are_listed_by_prefix_and_in_pages() {
    let clock = Clock::by_hand();
    let space = space(&Rules {
        access: Access {
            write: Level::Public,
            ..Access::default()
        },
        ..Rules::default()
    });
    for key in ["a/1", "a/2", "a/3", "ab", "b"] {
        put(&space, &clock, "x/y", key).unwrap();
    }
    let list = |prefix, after, most| -> Vec<String> {
        space.keys(prefix, after, most).into_iter().map(String::from).collect()
    };
    assert_eq!(list("a/", None, 10), ["a/1", "a/2", "a/3"]);
    assert_eq!(list("a/", Some("a/1"), 1), ["a/2"]);
    assert_eq!(list("a", Some("a/3"), 10), ["ab"]);
    assert_eq!(
        list("b", Some("a"), 10),
        ["b"],
        "what lies before the prefix is no place to go on from"
    );
}

#[test]
fn who_was_to_make_room_for_what_the_disk_refused_makes_room_the_next_time() {
    let quota = Quota {
        entries: 2,
        ..Quota::default()
    };
    for eviction in [Eviction::Clock, Eviction::Lru, Eviction::Fifo, Eviction::Adaptive] {
        let space = space(&Rules {
            quota,
            eviction: Some(eviction),
            ..Rules::default()
        });
        let clock = Clock::by_hand();
        let by = Identity::system();
        let one = |key: &str| [Op::Put(Put::new(Key::new(key).unwrap(), Value::bytes(*b"x")))];
        for key in ["a", "b"] {
            space.write(&by, &one(key), clock.now()).unwrap();
        }
        let mut staged = Staged::default();
        for key in ["c", "d"] {
            space.stage(&by, &one(key), &mut staged, clock.now()).unwrap();
        }
        space.discard(staged);
        assert_eq!(space.extent().entries, 2);
        for key in ["c", "d"] {
            space.write(&by, &one(key), clock.now()).unwrap();
        }
        let keys: Vec<String> = space.keys("", None, 10).into_iter().map(String::from).collect();
        assert_eq!(keys, ["c", "d"], "{eviction:?}");
    }
}
