//! Retention: what of a namespace goes because it is old, unread, or too much.

use std::sync::Arc;
use std::time::Duration;

use serde::Serialize;

use crate::config::Retention;
use crate::entry::Entry;
use crate::name::Key;
use crate::time::{Clock, StoreTime};

/// How many keys a report names.
const KEYS_NAMED: usize = 20;

/// What retention takes, or would take.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Retained {
    /// Written too long ago.
    pub by_age: u64,
    /// Read too long ago.
    pub unaccessed: u64,
    /// Too many entries.
    pub by_entries: u64,
    /// Too many bytes.
    pub by_bytes: u64,
    /// How many bytes go.
    pub bytes: u64,
    /// The first that go.
    pub keys: Vec<Key>,
}

/// An entry that retention chose.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Chosen {
    pub(crate) key: Key,
    pub(crate) version: u64,
    size: u64,
    rule: Rule,
}

/// Which rule takes an entry.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Rule {
    Age,
    Unaccessed,
    Entries,
    Bytes,
}

impl Retained {
    /// How many go.
    pub fn entries(&self) -> u64 {
        self.by_age + self.unaccessed + self.by_entries + self.by_bytes
    }

    /// More of them.
    pub(crate) fn count(&mut self, going: &[Chosen]) {
        for chosen in going {
            *match chosen.rule {
                Rule::Age => &mut self.by_age,
                Rule::Unaccessed => &mut self.unaccessed,
                Rule::Entries => &mut self.by_entries,
                Rule::Bytes => &mut self.by_bytes,
            } += 1;
            self.bytes += chosen.size;
            if self.keys.len() < KEYS_NAMED {
                self.keys.push(chosen.key.clone());
            }
        }
    }
}

/// What a retention looks at beside the entries.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Instant {
    now: StoreTime,
    /// Until then everything may have been read.
    known_since: StoreTime,
}

impl Instant {
    /// Now.
    pub(crate) fn of(clock: &Clock) -> Self {
        Self {
            now: clock.now(),
            known_since: clock.begun(),
        }
    }
}

/// What goes. An entry that fits several rules counts for the first; one whose time is over goes by itself, and counts for none.
pub(crate) fn choose(mut entries: Vec<(Key, Arc<Entry>)>, rules: &Retention, at: Instant) -> Vec<Chosen> {
    entries.retain(|(_, entry)| !entry.has_expired(at.now));
    entries
        .sort_by(|(a, one), (b, other)| (one.updated(), one.version(), a).cmp(&(other.updated(), other.version(), b)));
    let of_its_own: Vec<_> = entries.iter().map(|(_, entry)| by_itself(entry, rules, at)).collect();
    let left = entries.iter().zip(&of_its_own).filter(|(_, rule)| rule.is_none());
    let sizes = left.map(|((key, entry), _)| entry.size(key));
    let (mut count, mut bytes) = sizes.fold((0, 0), |(count, bytes), size| (count + 1, bytes + size));
    let mut going = Vec::new();
    for ((key, entry), of_its_own) in entries.into_iter().zip(of_its_own) {
        let size = entry.size(&key);
        let too_much = || by_all(count, bytes, rules);
        let Some(rule) = of_its_own.or_else(too_much) else {
            continue;
        };
        if of_its_own.is_none() {
            (count, bytes) = (count - 1, bytes - size);
        }
        let version = entry.version();
        going.push(Chosen {
            key,
            version,
            size,
            rule,
        });
    }
    going
}

/// Why an entry goes, whatever else there is.
fn by_itself(entry: &Entry, rules: &Retention, at: Instant) -> Option<Rule> {
    let is_over = |most: Option<Duration>, since| most.is_some_and(|most| at.now.since(since) > most);
    if is_over(rules.max_age, entry.updated()) {
        Some(Rule::Age)
    } else if is_over(rules.unaccessed_for, entry.accessed().max(at.known_since)) {
        Some(Rule::Unaccessed)
    } else {
        None
    }
}

/// Why the oldest goes of so many entries of so many bytes.
fn by_all(count: u64, bytes: u64, rules: &Retention) -> Option<Rule> {
    if rules.max_entries.is_some_and(|most| count > most) {
        Some(Rule::Entries)
    } else if rules.max_bytes.is_some_and(|most| bytes > most) {
        Some(Rule::Bytes)
    } else {
        None
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::entry::Parts;
    use crate::value::Value;

    fn entries(count: u64) -> Vec<(Key, Arc<Entry>)> {
        let entry = |number: u64| {
            let key = Key::new(&format!("k{number}")).unwrap();
            let time = StoreTime::from_millis(number * 100);
            let parts = Parts {
                value: Value::bytes(*b"x"),
                labels: None,
                owner: "".into(),
                version: number,
                born: number,
                created: time,
                updated: time,
                accessed: time,
                expires: None,
            };
            let entry = Arc::new(Entry::new(&key, parts));
            (key, entry)
        };
        (1..=count).rev().map(entry).collect()
    }

    fn at(now: u64, known_since: u64) -> Instant {
        let [now, known_since] = [now, known_since].map(StoreTime::from_millis);
        Instant { now, known_since }
    }

    fn taken(rules: Retention) -> (Vec<u64>, Retained) {
        let all = entries(5);
        all[4].1.touch(StoreTime::from_millis(600)); // k1, the oldest, was read just now
        let taken = choose(all, &rules, at(600, 0));
        let mut report = Retained::default();
        report.count(&taken);
        (taken.into_iter().map(|chosen| chosen.version).collect(), report)
    }

    #[test]
    fn what_is_not_said_is_not_done() {
        assert_eq!(taken(Retention::default()), (vec![], Retained::default()));
        assert!(Retention::default().is_nothing());
    }

    #[test]
    fn each_rule_takes_its_own_and_the_report_tells_them_apart() {
        let millis = |millis| Some(Duration::from_millis(millis));
        let by_age = Retention {
            max_age: millis(399),
            ..Retention::default()
        };
        assert_eq!(taken(by_age).0, [1, 2]);
        let unaccessed = Retention {
            unaccessed_for: millis(399),
            ..Retention::default()
        };
        assert_eq!(taken(unaccessed).0, [2], "the oldest was read");
        let all = Retention {
            max_age: millis(499),
            unaccessed_for: millis(399),
            max_entries: Some(2),
            max_bytes: Some(200),
        };
        let (going, report) = taken(all);
        assert_eq!(going, [1, 2, 3, 4]);
        let by_rule = (report.by_age, report.unaccessed, report.by_entries, report.by_bytes);
        assert_eq!((by_rule, report.entries(), report.keys.len()), ((1, 1, 1, 1), 4, 4));
        let bytes: u64 = entries(4).iter().map(|(key, entry)| entry.size(key)).sum();
        assert_eq!(report.bytes, bytes);
    }

    #[test]
    fn of_what_was_read_in_an_earlier_life_nobody_knows_and_it_counts_as_read_when_this_one_began() {
        let unaccessed = Retention {
            unaccessed_for: Some(Duration::from_millis(400)),
            max_age: None,
            ..Retention::default()
        };
        let going = |now, known_since| choose(entries(5), &unaccessed, at(now, known_since)).len();
        assert_eq!((going(800, 0), going(800, 400)), (3, 0));
        assert_eq!((going(801, 400), going(901, 400)), (4, 5));
    }

    #[test]
    fn what_just_fits_a_rule_stays() {
        let millis = |millis| Some(Duration::from_millis(millis));
        let one = entries(1).iter().map(|(key, entry)| entry.size(key)).sum::<u64>();
        for (rules, going) in [
            (
                Retention {
                    max_age: millis(400),
                    ..Retention::default()
                },
                vec![1],
            ),
            (
                Retention {
                    unaccessed_for: millis(400),
                    ..Retention::default()
                },
                vec![],
            ),
            (
                Retention {
                    max_entries: Some(4),
                    ..Retention::default()
                },
                vec![1],
            ),
            (
                Retention {
                    max_bytes: Some(4 * one),
                    ..Retention::default()
                },
                vec![1],
            ),
            (
                Retention {
                    max_bytes: Some(4 * one - 1),
                    ..Retention::default()
                },
                vec![1, 2],
            ),
        ] {
            assert_eq!(taken(rules).0, going, "{rules:?}");
        }
    }

    #[test]
    fn what_is_over_goes_by_itself_and_nothing_else_goes_for_it() {
        let mut all = entries(3);
        let (key, last) = &all[0];
        let parts = Parts {
            value: last.value().clone(),
            labels: None,
            owner: "".into(),
            version: last.version(),
            born: last.version(),
            created: last.created(),
            updated: last.updated(),
            accessed: last.accessed(),
            expires: Some(StoreTime::from_millis(500)),
        };
        all[0].1 = Arc::new(Entry::new(key, parts));
        let rules = Retention {
            max_entries: Some(2),
            ..Retention::default()
        };
        let going = |now| choose(all.clone(), &rules, at(now, 0)).len();
        assert_eq!((going(499), going(501)), (1, 0));
        let none = Retention {
            max_entries: Some(0),
            ..rules
        };
        assert_eq!(choose(all, &none, at(501, 0)).len(), 2);
    }

    #[test]
    fn of_many_that_go_the_first_are_named() {
        let rules = Retention {
            max_entries: Some(0),
            ..Retention::default()
        };
        let going = choose(entries(KEYS_NAMED as u64 + 5), &rules, at(0, 0));
        let mut report = Retained::default();
        report.count(&going);
        assert_eq!((going.len(), report.keys.len()), (KEYS_NAMED + 5, KEYS_NAMED));
        assert_eq!(report.keys[0].as_str(), "k1");
    }
}
