//! What a namespace does by its rules, case by case.

use super::model_test::{put, space};
use super::*;
use crate::access::{Access, Level};
use crate::config::{Eviction, Quota};
use crate::disk::Entries;
use crate::entry::Parts;
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
fn a_namespace_shrinks_to_a_lower_quota_and_then_no_further() {
    let clock = Clock::by_hand();
    for (entries, bytes) in [(2, u64::MAX), (u64::MAX, 0)] {
        let space = space(&Rules {
            eviction: Some(Eviction::Fifo),
            ..Rules::default()
        });
        for key in ["a", "b", "c"] {
            space
                .write_one(&Identity::system(), &one(key, b"x"), clock.now())
                .unwrap();
        }
        let mut rules = Rules::clone(&space.rules());
        let two_of_three = space.extent().bytes / 3 * 2;
        rules.quota.entries = entries;
        rules.quota.bytes = bytes.max(two_of_three);
        assert!(!space.is_beyond_quota() && !space.shrink(clock.now(), 9));
        space.change_rules(rules).unwrap();
        assert!(space.is_beyond_quota());
        assert!(space.shrink(clock.now(), 9));
        assert_eq!(space.extent().entries, 2);
        assert!(!space.is_beyond_quota() && !space.shrink(clock.now(), 9));
    }
}

#[test]
fn a_quota_that_was_lowered_hinders_nobody_from_writing_less() {
    let clock = Clock::by_hand();
    let space = space(&Rules::default());
    let write = |key: &str, value: &[u8]| space.write_one(&Identity::system(), &one(key, value), clock.now());
    write("a", b"much").unwrap();
    write("b", b"much").unwrap();
    let mut rules = Rules::clone(&space.rules());
    rules.quota.entries = 1;
    space.change_rules(rules).unwrap();
    write("a", b"less").unwrap();
    write("a", b"").unwrap();
    assert!(matches!(write("c", b""), Err(Error::Full { .. })));
    assert!(matches!(write("a", b"more"), Err(Error::Full { .. })));
}

fn one(key: &str, value: &[u8]) -> Op {
    Op::Put(Put::new(Key::new(key).unwrap(), Value::bytes(value.to_vec())))
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

fn stored(all: &[(&str, u64)]) -> Entries {
    let one = |(name, version): &(&str, u64)| {
        let key = Key::new(name).unwrap();
        let parts = Parts {
            owner: "x/y".into(),
            expires: Some(StoreTime::from_millis(50)),
            ..Parts::of(Value::parse_json(r#"{"a":"red"}"#).unwrap(), *version)
        };
        let entry = Arc::new(Entry::new(&key, parts));
        (key, entry)
    };
    all.iter().map(one).collect()
}

#[test]
fn what_was_on_its_way_to_disk_when_its_writer_failed_is_flushed_again() {
    let clock = Clock::by_hand();
    let space = space(&Rules {
        durability: Durability::Relaxed,
        ..Rules::default()
    });
    let on_disk = [("same", 1), ("other", 2), ("gone", 3)];
    space.load(stored(&on_disk), 3);
    let by = Identity::system();
    for key in ["other", "new"] {
        let put = Put::new(Key::new(key).unwrap(), Value::bytes(*b"x"));
        space.write_one(&by, &Op::Put(put), clock.now()).unwrap();
    }
    let delete = Op::Delete(Key::new("gone").unwrap(), None);
    space.write_one(&by, &delete, clock.now()).unwrap();
    drop(space.take_unflushed());
    space.unflush(stored(&on_disk));
    let mut again: Vec<String> = space
        .take_unflushed()
        .states
        .into_iter()
        .map(|(key, _)| key.into())
        .collect();
    again.sort();
    assert_eq!(again, ["gone", "new", "other"]);
}

#[test]
fn what_comes_from_disk_goes_by_its_time_and_knows_its_numbers() {
    for (durability, floor, revision) in [
        (Durability::Journal, 100, 9),
        (Durability::Relaxed, 100, 100),
        (Durability::Relaxed, 5, 9),
    ] {
        let ground = Ground::default();
        ground.numbers.raise(floor);
        let rules = Rules {
            durability,
            ..Rules::default()
        };
        let space = Space::new(Namespace::new("test").unwrap(), &rules, ground);
        space.load(stored(&[("a", 7), ("b", 9)]), 8);
        assert_eq!(space.extent().revision, revision, "{durability:?}");
        assert!(!space.has_due(StoreTime::from_millis(49)) && space.has_due(StoreTime::from_millis(50)));
        assert!(space.expire(StoreTime::from_millis(50), 10));
        assert_eq!(space.extent().entries, 0);
    }
}

#[test]
fn no_number_is_given_that_was_not_promised() {
    let clock = Clock::by_hand();
    let ground = Ground::default();
    ground.numbers.promise(3);
    let rules = Rules {
        access: Access {
            write: Level::Public,
            ..Access::default()
        },
        ..Rules::default()
    };
    let space = Space::new(Namespace::new("test").unwrap(), &rules, ground.clone());
    let (done, refused): (Vec<_>, Vec<_>) = (0..9).map(|_| put(&space, &clock, "a/b", "k")).partition(Result::is_ok);
    let last = done.into_iter().last().unwrap().unwrap().version;
    assert!(refused.iter().all(|refused| matches!(refused, Err(Error::Disk { .. }))));
    assert!((1..=3).contains(&last), "{last}");
    ground.numbers.promise(9);
    put(&space, &clock, "a/b", "k").unwrap();
}

#[test]
fn a_long_write_knows_nothing_of_the_long_write_before_it() {
    let (space, clock, by) = (space(&Rules::default()), Clock::by_hand(), Identity::system());
    let put = |name: String| Put::new(Key::new(&name).unwrap(), Value::bytes(*b"x"));
    let many = |begin: &str| -> Vec<Op> { (0..20).map(|number| Op::Put(put(format!("{begin}{number}")))).collect() };
    space.write(&by, &many("k"), clock.now()).unwrap();
    let later = space
        .write_one(&by, &Op::Put(put("k0".to_owned())), clock.now())
        .unwrap();
    let mut ops = many("j");
    ops.push(Op::Put(
        put("k0".to_owned()).if_it_is(crate::error::Wanted::Version(later.version)),
    ));
    space.write(&by, &ops, clock.now()).unwrap();
}
