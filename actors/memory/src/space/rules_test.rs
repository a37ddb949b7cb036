//! What a namespace does by its rules, case by case.

use std::time::Duration;

use triarch_supervision::clock::Seeded;

use super::model_test::{put, space};
use super::*;
use crate::access::{Access, Level};
use crate::config::{Eviction, Quota};
use crate::disk::Entries;
use crate::entry::Parts;
use crate::error::Wanted;
use crate::op::{Lifetime, Put};
use crate::time::Clock;
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

#[test]
fn what_is_over_makes_room_before_a_writer_is_refused_and_before_anybody_is_evicted() {
    let quota = Quota {
        entries: 4,
        ..Quota::default()
    };
    for eviction in [None, Some(Eviction::Fifo)] {
        let (clock, rules) = (Clock::by_hand(), Rules::default());
        let space = space(&Rules {
            quota,
            eviction,
            ..rules
        });
        let write = |key: &str, lasting| {
            let put = Put::new(Key::new(key).unwrap(), Value::bytes(*b"x")).lasting(lasting);
            space.write_one(&Identity::system(), &Op::Put(put), clock.now())
        };
        write("stays", Lifetime::Forever).unwrap();
        for key in ["a", "b", "c"] {
            write(key, Lifetime::For(Duration::from_millis(5))).unwrap();
        }
        clock.set(StoreTime::from_millis(5));
        for key in ["new", "newer", "newest"] {
            write(key, Lifetime::Forever).unwrap();
        }
        let keys = ["new", "newer", "newest", "stays"].map(|key| Key::new(key).unwrap());
        assert_eq!(space.keys("", None, 9), keys);
        assert_eq!(write("more", Lifetime::Forever).is_ok(), eviction.is_some());
    }
}

#[test]
fn what_is_said_beside_a_value_is_held_once_however_often_the_value_is_added_to() {
    let (clock, space, key) = (Clock::by_hand(), space(&Rules::default()), Key::new("k").unwrap());
    let put = Op::Put(Put::new(key.clone(), Value::number(1)).note("why", "for a reason"));
    space.write(&Identity::system(), &[put], clock.now()).unwrap();
    let before = space.peek("k").unwrap();
    for op in [Op::Increment(key.clone(), 1), Op::Keep(key, Lifetime::Forever)] {
        space.write(&Identity::system(), &[op], clock.now()).unwrap();
        let after = space.peek("k").unwrap();
        assert!(after.version() > before.version() && std::ptr::eq(after.labels(), before.labels()));
    }
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
        let bytes: u64 = space.all().iter().map(|(key, entry)| entry.size(key)).sum();
        assert_eq!(space.extent().bytes, bytes);
        assert!(!space.has_due(StoreTime::from_millis(49)) && space.has_due(StoreTime::from_millis(50)));
        assert!(space.expire(StoreTime::from_millis(50), 10));
        assert_eq!(space.extent().entries, 0);
    }
}

#[test]
fn where_the_journal_has_nothing_numbers_begin_where_they_may() {
    let ground = Ground::default();
    ground.numbers.raise(100);
    let rules = Rules {
        durability: Durability::Journal,
        ..Rules::default()
    };
    let space = Space::new(Namespace::new("test").unwrap(), &rules, ground);
    space.load(Entries::default(), 0);
    assert_eq!((space.extent().revision, space.published()), (100, 100));
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
    assert_eq!(last, 2, "one is spared");
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
    ops.push(Op::Put(put("k0".to_owned()).if_it_is(Wanted::Version(later.version))));
    space.write(&by, &ops, clock.now()).unwrap();
}

/// The keys there are.
fn there(space: &Space) -> Vec<String> {
    space.keys("", None, 100).into_iter().map(String::from).collect()
}

#[test]
fn what_just_fits_has_all_the_others_make_room_and_what_is_larger_nobody() {
    let clock = Clock::by_hand();
    let size = |value: &[u8]| Entry::new(&Key::new("k").unwrap(), Parts::of(Value::bytes(value.to_vec()), 1));
    let most = size(&[7; 900]).size(&Key::new("k").unwrap());
    let quota = Quota {
        bytes: most,
        ..Quota::default()
    };
    let space = space(&Rules {
        quota,
        eviction: Some(Eviction::Fifo),
        ..Rules::default()
    });
    let write = |key: &str, value: &[u8]| space.write_one(&Identity::system(), &one(key, value), clock.now());
    write("a", b"x").unwrap();
    write("b", b"x").unwrap();
    assert!(matches!(write("k", &[7; 901]), Err(Error::Full { .. })));
    assert_eq!(there(&space), ["a", "b"]);
    write("k", &[7; 900]).unwrap();
    assert_eq!((there(&space), space.extent().bytes), (vec!["k".to_owned()], most));
}

#[test]
fn nobody_makes_room_for_himself_nor_for_whom_he_is_written_with() {
    let clock = Clock::by_hand();
    for eviction in [Eviction::Clock, Eviction::Lru, Eviction::Fifo, Eviction::Adaptive] {
        let mut rules = Rules {
            eviction: Some(eviction),
            ..Rules::default()
        };
        rules.quota.entries = 2;
        let space = space(&rules);
        let write = |ops: &[Op]| space.write(&Identity::system(), ops, clock.now()).unwrap();
        write(&[one("a", b"x")]);
        write(&[one("b", b"x")]);
        write(&[one("a", b"y"), one("c", b"x")]);
        assert_eq!(there(&space), ["a", "c"], "{eviction:?}");
        rules.quota.bytes = space.extent().bytes;
        space.change_rules(rules).unwrap();
        write(&[one("a", b"longer")]);
        assert_eq!(there(&space), ["a"], "{eviction:?}");
    }
}

#[test]
fn writes_for_which_others_were_to_go_and_that_failed_leave_nothing_behind() {
    let clock = Clock::by_hand();
    for eviction in [Eviction::Clock, Eviction::Lru, Eviction::Fifo, Eviction::Adaptive] {
        let mut rules = Rules {
            eviction: Some(eviction),
            ..Rules::default()
        };
        rules.quota.entries = 4;
        let space = space(&rules);
        let write = |ops: &[Op]| space.write(&Identity::system(), ops, clock.now());
        for number in 0..100 {
            write(&[one(&format!("k{number}"), b"x")]).unwrap();
        }
        let places = || space.order().ranks.as_ref().map_or(0, ranks::Ranks::places);
        let before = places();
        // Beside those that are there adaptive eviction remembers those that went.
        let most = if eviction == Eviction::Adaptive { 4 + 72 + 96 } else { 4 };
        assert!(before <= most, "{eviction:?}: {before}");
        let refused = Put::new(Key::new("k99").unwrap(), Value::bytes(*b"x")).if_it_is(Wanted::Absent);
        for _ in 0..1_000 {
            assert!(write(&[one("new", b"x"), Op::Put(refused.clone())]).is_err());
        }
        assert!(places() <= before, "{eviction:?}: {} after {before}", places());
    }
}

/// What may be asked of a namespace that is full, by chance; some of it fails, and some of it is taken back.
fn something(space: &Space, clock: &Clock, chance: &mut Seeded) {
    let key = |chance: &mut Seeded| format!("k{}", chance.below(10));
    let now = clock.now();
    let write = |ops: &[Op]| drop(space.write(&Identity::system(), ops, now));
    match chance.below(8) {
        0..=2 => write(&[one(&key(chance), b"x")]),
        3 => {
            let never = Put::new(Key::new(&key(chance)).unwrap(), Value::bytes(*b"x")).if_it_is(Wanted::Version(9_999));
            write(&[one(&key(chance), b"x"), one(&key(chance), b"x"), Op::Put(never)]);
        }
        4 => write(&[Op::Delete(Key::new(&key(chance)).unwrap(), None)]),
        5 => drop(space.read(&key(chance), clock, |_| true, |_| ())),
        _ => {
            let mut staged = Staged::default();
            for _ in 0..=chance.below(3) {
                drop(space.stage(&Identity::system(), &[one(&key(chance), b"x")], &mut staged, now));
            }
            if chance.below(2) == 0 {
                space.publish(staged);
            } else {
                space.discard(staged);
            }
        }
    }
}

#[test]
fn whatever_came_of_writes_whoever_is_there_can_make_room() {
    for eviction in [Eviction::Clock, Eviction::Lru, Eviction::Fifo, Eviction::Adaptive] {
        for seed in 0..200 {
            let (mut chance, clock) = (Seeded::new(seed), Clock::by_hand());
            let mut rules = Rules {
                eviction: Some(eviction),
                ..Rules::default()
            };
            rules.quota.entries = 5;
            let space = space(&rules);
            for time in 0..100 {
                clock.set(StoreTime::from_millis(time));
                something(&space, &clock, &mut chance);
                assert!(space.extent().entries <= 5);
            }
            rules.quota.entries = 0;
            space.change_rules(rules).unwrap();
            while space.shrink(clock.now(), 2) {}
            assert_eq!(there(&space), [""; 0], "{eviction:?}, seed {seed}");
        }
    }
}

#[test]
fn those_whose_time_has_come_go_so_many_at_once_until_all_are_gone() {
    let (space, now) = (space(&Rules::default()), StoreTime::from_millis(50));
    space.load(stored(&[("a", 1), ("b", 2), ("c", 3), ("d", 4)]), 4);
    assert!(!space.expire(now, 2), "there may be more");
    assert_eq!(there(&space), ["c", "d"]);
    assert!(!space.expire(now, 2));
    assert_eq!(there(&space), [""; 0]);
    assert!(space.expire(now, 2));
}

#[test]
fn an_index_has_the_room_of_the_quota_of_now() {
    let clock = Clock::by_hand();
    let space = space(&Rules::default());
    let words: Vec<String> = (0..100).map(|number| format!("w{number}")).collect();
    for key in ["a", "b"] {
        let value = Value::json(&serde_json::json!(words.join(" ")));
        let put = Op::Put(Put::new(Key::new(key).unwrap(), value));
        space.write_one(&Identity::system(), &put, clock.now()).unwrap();
    }
    for (bytes, unindexed) in [(3_000, 1), (1 << 20, 0)] {
        let mut rules = Rules::clone(&space.rules());
        rules.quota.bytes = bytes;
        space.change_rules(rules).unwrap();
        assert_eq!(space.words_found(), (true, unindexed));
    }
}

#[test]
fn a_long_write_leaves_no_room_behind_and_a_short_one_its_own() {
    let (space, clock) = (space(&Rules::default()), Clock::by_hand());
    let write = |count: usize| {
        let ops: Vec<Op> = (0..count).map(|number| one(&format!("k{number}"), b"x")).collect();
        space.write(&Identity::system(), &ops, clock.now()).unwrap();
        space.order().scratch.room()
    };
    assert!(write(SCRATCH_MAX) >= SCRATCH_MAX);
    assert_eq!(write(SCRATCH_MAX + 1), 0);
}

#[test]
fn what_is_taken_back_never_was_and_what_stood_before_it_is_seen() {
    let (space, clock) = (space(&Rules::default()), Clock::by_hand());
    let mut staged = Staged::default();
    for key in ["a", "b", "c"] {
        let stage = |staged: &mut Staged| space.stage(&Identity::system(), &[one(key, b"x")], staged, clock.now());
        stage(&mut staged).unwrap();
    }
    space.take_back(&mut staged, 1);
    space.publish(staged);
    assert_eq!((there(&space), space.extent().entries), (vec!["a".to_owned()], 1));
}

#[test]
fn a_namespace_that_is_gone_still_tells_how_far_its_numbers_came() {
    let (space, clock) = (space(&Rules::default()), Clock::by_hand());
    let done = space
        .write_one(&Identity::system(), &one("a", b"x"), clock.now())
        .unwrap();
    assert_eq!(
        (space.end(), space.published(), space.extent().revision),
        (done.version, done.version, done.version)
    );
    assert_eq!((space.extent().entries, space.extent().bytes), (0, 0));
}
