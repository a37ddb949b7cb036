//! A namespace against a naive model: every operation, with lifetimes, conditions, batches, quota and watchers.

use std::collections::BTreeMap;
use std::time::Duration;

use proptest::prelude::*;

use super::*;
use crate::access::{Access, Level};
use crate::config::{Eviction, Quota};
use crate::entry::ENTRY_OVERHEAD;
use crate::error::Wanted;
use crate::op::{Cause, Lifetime, Put};
use crate::space::watch::Seen;
use crate::time::Clock;
use crate::value::Value;

/// What the model holds: value, version, when it goes.
type Naive = BTreeMap<String, (String, u64, Option<u64>)>;

#[derive(Clone, Debug)]
enum Step {
    Write(Vec<Plain>),
    /// So many milliseconds pass.
    Pass(u64),
    Sweep,
}

/// An operation on one of a few keys.
#[derive(Clone, Debug)]
enum Plain {
    Put(u8, u16, Option<u64>, Condition),
    Delete(u8, Condition),
    Increment(u8, i64),
    Keep(u8, Option<u64>),
}

#[derive(Clone, Copy, Debug)]
enum Condition {
    None,
    /// The version it has, or another one.
    Version(bool),
    Absent,
    Present,
}

const ENTRIES_MAX: u64 = 6;

fn condition() -> impl Strategy<Value = Condition> {
    prop_oneof![
        3 => Just(Condition::None),
        2 => any::<bool>().prop_map(Condition::Version),
        1 => Just(Condition::Absent),
        1 => Just(Condition::Present),
    ]
}

fn plain() -> impl Strategy<Value = Plain> {
    let key = 0_u8..9;
    let life = prop::option::of(1_u64..40);
    prop_oneof![
        5 => (key.clone(), any::<u16>(), life.clone(), condition()).prop_map(|(k, v, l, c)| Plain::Put(k, v, l, c)),
        2 => (key.clone(), condition()).prop_map(|(k, c)| Plain::Delete(k, c)),
        2 => (key.clone(), -5_i64..6).prop_map(|(k, n)| Plain::Increment(k, n)),
        1 => (key, life).prop_map(|(k, l)| Plain::Keep(k, l)),
    ]
}

fn step() -> impl Strategy<Value = Step> {
    prop_oneof![
        6 => prop::collection::vec(plain(), 1..2).prop_map(Step::Write),
        3 => prop::collection::vec(plain(), 2..6).prop_map(Step::Write),
        3 => (1_u64..25).prop_map(Step::Pass),
        1 => Just(Step::Sweep),
    ]
}

/// The model: what is there, what changed.
#[derive(Clone, Default)]
struct Model {
    held: Naive,
    revision: u64,
    changes: Vec<(String, u64, Cause, Option<String>)>,
}

impl Model {
    fn change(&mut self, key: &str, cause: Cause, after: Option<(String, Option<u64>)>) {
        self.revision += 1;
        let value = after.as_ref().map(|(value, _)| value.clone());
        self.changes.push((key.to_owned(), self.revision, cause, value));
        match after {
            Some((value, expires)) => self.held.insert(key.to_owned(), (value, self.revision, expires)),
            None => self.held.remove(key),
        };
    }

    fn expire(&mut self, key: &str, now: u64) {
        if self
            .held
            .get(key)
            .is_some_and(|(.., expires)| expires.is_some_and(|expires| expires <= now))
        {
            self.change(key, Cause::Expired, None);
        }
    }

    fn sweep(&mut self, now: u64) {
        let mut due: Vec<(u64, String)> = Vec::new();
        for (key, (.., expires)) in &self.held {
            due.extend(
                expires
                    .filter(|expires| *expires <= now)
                    .map(|expires| (expires, key.clone())),
            );
        }
        due.sort();
        for (_, key) in &due {
            self.expire(key, now);
        }
    }

    fn write(&mut self, ops: &[(Plain, Option<Wanted>)], now: u64) -> bool {
        let before = self.clone();
        let done = ops.iter().all(|(op, wanted)| self.one(op, *wanted, now));
        if !done {
            *self = before;
        }
        done
    }

    fn one(&mut self, op: &Plain, wanted: Option<Wanted>, now: u64) -> bool {
        let key = key(op);
        self.expire(&key, now);
        let found = self.held.get(&key).cloned();
        let version = found.as_ref().map_or(0, |(_, version, _)| *version);
        let is_so = wanted.is_none_or(|wanted| match wanted {
            Wanted::Version(wanted) => wanted == version,
            Wanted::Absent => version == 0,
            Wanted::Present => version > 0,
        });
        let makes_one =
            found.is_none() && (matches!(op, Plain::Put(..)) && is_so || matches!(op, Plain::Increment(..)));
        if makes_one && self.held.len() as u64 >= ENTRIES_MAX {
            // What is over goes first.
            self.sweep(now);
        }
        let has_room = found.is_some() || (self.held.len() as u64) < ENTRIES_MAX;
        match op {
            Plain::Put(_, value, life, _) if is_so && has_room => {
                self.change(&key, Cause::Put, Some((text(*value), life.map(|life| now + life))));
            }
            Plain::Delete(..) if is_so => {
                if found.is_some() {
                    self.change(&key, Cause::Deleted, None);
                }
            }
            Plain::Increment(_, more) if has_room => {
                let Some(number) = found.as_ref().map_or(Some(0), |(value, ..)| value.parse::<i64>().ok()) else {
                    return false;
                };
                let expires = found.and_then(|(.., expires)| expires);
                self.change(&key, Cause::Put, Some(((number + more).to_string(), expires)));
            }
            Plain::Keep(_, life) => {
                if let Some((value, ..)) = found {
                    self.change(&key, Cause::Put, Some((value, life.map(|life| now + life))));
                }
            }
            _ => return false,
        }
        true
    }
}

fn key(op: &Plain) -> String {
    let (Plain::Put(number, ..) | Plain::Delete(number, _) | Plain::Increment(number, _) | Plain::Keep(number, _)) = op;
    format!("{}/{number}", number % 3)
}

/// Some values are numbers.
fn text(value: u16) -> String {
    if value.is_multiple_of(2) {
        value.to_string()
    } else {
        format!("\"v{value}\"")
    }
}

fn life(life: Option<u64>) -> Lifetime {
    life.map_or(Lifetime::Forever, |life| Lifetime::For(Duration::from_millis(life)))
}

fn op(plain: &Plain, wanted: Option<Wanted>) -> Op {
    let key = Key::new(&key(plain)).unwrap();
    match plain {
        Plain::Put(_, value, lasting, _) => {
            let mut put = Put::new(key, Value::parse_json(&text(*value)).unwrap()).lasting(life(*lasting));
            put.wanted = wanted;
            Op::Put(put)
        }
        Plain::Delete(..) => Op::Delete(key, wanted),
        Plain::Increment(_, more) => Op::Increment(key, *more),
        Plain::Keep(_, lasting) => Op::Keep(key, life(*lasting)),
    }
}

fn wanted(plain: &Plain, model: &Model) -> Option<Wanted> {
    let (Plain::Put(.., condition) | Plain::Delete(_, condition)) = plain else {
        return None;
    };
    match condition {
        Condition::None => None,
        Condition::Absent => Some(Wanted::Absent),
        Condition::Present => Some(Wanted::Present),
        Condition::Version(is_right) => {
            let version = model.held.get(&key(plain)).map_or(0, |(_, version, _)| *version);
            Some(Wanted::Version(version + u64::from(!is_right)))
        }
    }
}

pub(super) fn space(rules: &Rules) -> Space {
    Space::new(Namespace::new("test").unwrap(), rules, Shared::default())
}

fn rules() -> Rules {
    Rules {
        quota: Quota {
            entries: ENTRIES_MAX,
            ..Quota::default()
        },
        ..Rules::default()
    }
}

/// How a write reaches the namespace: at once, or staged as for a journal that then takes it, or first refuses it.
#[derive(Clone, Copy, Debug)]
enum Way {
    AtOnce,
    Staged,
    RefusedFirst,
}

fn write(space: &Space, ops: &[Op], clock: &Clock, way: Way) -> Result<Vec<Done>, Error> {
    let by = Identity::system();
    if let Way::RefusedFirst = way {
        let mut staged = Staged::default();
        let _ = space.stage(&by, ops, &mut staged, clock.now());
        let revision = space.order().revision - staged.len() as u64;
        space.discard(staged);
        space.order().revision = revision; // the model does not know of the gap
    }
    if let Way::AtOnce = way {
        return match ops {
            [op] => space.write_one(&by, op, clock.now()).map(|done| vec![done]),
            _ => space.write(&by, ops, clock.now()),
        };
    }
    let mut staged = Staged::default();
    let done = space.stage(&by, ops, &mut staged, clock.now());
    space.publish(staged);
    done
}

fn check(space: &Space, model: &Model, clock: &Clock) -> Result<(), TestCaseError> {
    let now = clock.now().as_millis();
    let order = space.order();
    let keys: Vec<&str> = order.keys.iter().map(Key::as_str).collect();
    prop_assert_eq!(keys, model.held.keys().collect::<Vec<_>>());
    let bytes: u64 = space.all().iter().map(|(key, entry)| entry.size(key)).sum();
    prop_assert_eq!(order.bytes, bytes);
    prop_assert_eq!(order.revision, model.revision);
    drop(order);
    for (key, (value, version, expires)) in &model.held {
        let is_there = expires.is_none_or(|expires| expires > now);
        let read = space.read(key, clock, |_| true, Arc::clone).unwrap();
        prop_assert_eq!(read.is_some(), is_there, "{} at {}", key, now);
        if let Some(entry) = read {
            prop_assert_eq!(entry.value().as_bytes(), value.as_bytes());
            prop_assert_eq!(
                (entry.version(), entry.expires().map(StoreTime::as_millis)),
                (*version, *expires)
            );
            prop_assert!(entry.is_whole(&Key::new(key).unwrap()));
        }
    }
    Ok(())
}

fn seen(watch: &mut Watch) -> Vec<(String, u64, Cause, Option<String>)> {
    std::iter::from_fn(|| watch.try_next())
        .map(|seen| match seen {
            Seen::Missed(count) => panic!("{count} missed"),
            Seen::Change(change) => {
                let text = |entry: &Arc<Entry>| String::from_utf8(entry.value().as_bytes().to_vec()).unwrap();
                (
                    change.key.as_str().to_owned(),
                    change.version,
                    change.cause,
                    change.after.as_ref().map(text),
                )
            }
        })
        .collect()
}

fn run(steps: &[Step], way: Way) -> Result<(), TestCaseError> {
    let (space, clock, mut model) = (space(&rules()), Clock::by_hand(), Model::default());
    let mut all = space.watch(Scope::Prefix(String::new()), 10_000, None).unwrap();
    let mut some = space.watch(Scope::Prefix("1/".to_owned()), 10_000, None).unwrap();
    let mut one = space.watch(Scope::Key(Key::new("2/5").unwrap()), 10_000, None).unwrap();
    for step in steps {
        let now = clock.now().as_millis();
        match step {
            Step::Pass(time) => clock.set(StoreTime::from_millis(now + time)),
            Step::Sweep => {
                model.sweep(now);
                prop_assert!(space.expire(clock.now(), 1_000));
            }
            Step::Write(ops) => {
                let wanted: Vec<_> = ops.iter().map(|op| (op.clone(), wanted(op, &model))).collect();
                let ops: Vec<Op> = wanted.iter().map(|(plain, wanted)| op(plain, *wanted)).collect();
                let done = write(&space, &ops, &clock, way);
                prop_assert_eq!(done.is_ok(), model.write(&wanted, now), "{:?}", done);
                if let Ok(done) = done {
                    let last = done.iter().map(|done| done.version).max();
                    prop_assert!(last.unwrap_or(0) <= model.revision);
                }
            }
        }
        check(&space, &model, &clock)?;
    }
    let of = |begin: &str| -> Vec<_> {
        model
            .changes
            .iter()
            .filter(|(key, ..)| key.starts_with(begin))
            .cloned()
            .collect()
    };
    prop_assert_eq!(seen(&mut all), of(""));
    prop_assert_eq!(seen(&mut some), of("1/"));
    prop_assert_eq!(seen(&mut one), of("2/5"));
    Ok(())
}

proptest! {
    #[test]
    fn a_namespace_is_as_the_naive_model_and_its_watchers_see_every_change(
        steps in prop::collection::vec(step(), 1..80),
        way in prop_oneof![Just(Way::AtOnce), Just(Way::Staged), Just(Way::RefusedFirst)],
    ) {
        run(&steps, way)?;
    }

    #[test]
    fn no_eviction_lets_a_namespace_outgrow_its_quota_or_lose_what_is_written_last(
        keys in prop::collection::vec((0_u8..40, 0_usize..300), 1..200),
        eviction in prop_oneof![
            Just(Eviction::Clock), Just(Eviction::Lru), Just(Eviction::Fifo), Just(Eviction::Adaptive)
        ],
    ) {
        let quota = Quota { entries: 10, bytes: 8 * (ENTRY_OVERHEAD + 100), ..Quota::default() };
        let space = space(&Rules { quota, eviction: Some(eviction), ..Rules::default() });
        let clock = Clock::by_hand();
        for (number, length) in keys {
            clock.set(clock.now() + Duration::from_millis(1));
            let key = Key::new(&number.to_string()).unwrap();
            let put = Put::new(key.clone(), Value::bytes(vec![number; length]));
            space.write_one(&Identity::system(), &Op::Put(put), clock.now()).unwrap();
            prop_assert_eq!(space.read(key.as_str(), &clock, |_| true, |entry| entry.value().len()), Ok(Some(length)));
            let extent = space.extent();
            prop_assert!(extent.entries <= quota.entries && extent.bytes <= quota.bytes, "{:?}", extent);
            space.read(&(number / 2).to_string(), &clock, |_| true, |_| ()).unwrap();
        }
    }
}

pub(super) fn put(space: &Space, clock: &Clock, who: &str, key: &str) -> Result<Done, Error> {
    let put = Put::new(Key::new(key).unwrap(), Value::bytes(*b"x"));
    space.write_one(&Identity::agent(who), &Op::Put(put), clock.now())
}

#[test]
fn a_full_namespace_refuses_with_what_is_taken_and_what_is_needed() {
    let open = Access {
        write: Level::Public,
        ..Access::default()
    };
    let quota = Quota {
        entries: 1,
        ..Quota::default()
    };
    let space = space(&Rules {
        quota,
        access: open,
        ..Rules::default()
    });
    let clock = Clock::by_hand();
    put(&space, &clock, "a/b", "one").unwrap();
    put(&space, &clock, "a/b", "one").unwrap();
    let refused = put(&space, &clock, "a/b", "two").unwrap_err().to_string();
    assert_eq!(
        refused,
        "test has no room for two: 1 of 1 entries are taken and 1 more are needed; delete something, raise its quota, or allow eviction"
    );
}

#[test]
fn what_is_private_is_its_makers_alone() {
    let private = Access {
        read: Level::Private,
        write: Level::Private,
        delete: Level::Private,
        administer: Level::System,
    };
    let space = space(&Rules {
        access: private,
        ..Rules::default()
    });
    let clock = Clock::by_hand();
    put(&space, &clock, "a/b", "k").unwrap();
    put(&space, &clock, "a/b", "k").unwrap();
    assert!(matches!(put(&space, &clock, "a/c", "k"), Err(Error::Refused { .. })));
    let delete = Op::Delete(Key::new("k").unwrap(), None);
    let refused = space.write_one(&Identity::agent("a/c"), &delete, clock.now());
    assert!(matches!(refused, Err(Error::Refused { verb: "delete", .. })));
    assert!(space.read("k", &clock, |_| true, |_| ()).unwrap().is_some());
}
