//! Retention: what of a namespace goes because it is old, unread, or too much.

use std::collections::HashSet;
use std::sync::Arc;

use serde::Serialize;

use crate::config::Retention;
use crate::entry::Entry;
use crate::name::Key;
use crate::time::StoreTime;

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

impl Retained {
    /// How many go.
    pub fn entries(&self) -> u64 {
        self.by_age + self.unaccessed + self.by_entries + self.by_bytes
    }
}

/// What goes, by key and version, and the report of it. An entry that fits several rules counts for the first.
pub(crate) fn choose(
    mut entries: Vec<(Key, Arc<Entry>)>,
    rules: &Retention,
    now: StoreTime,
) -> (Vec<(Key, u64)>, Retained) {
    entries
        .sort_by(|(a, one), (b, other)| (one.updated(), one.version(), a).cmp(&(other.updated(), other.version(), b)));
    let (mut report, mut taken) = (Retained::default(), HashSet::new());
    for (key, entry) in &entries {
        if rules.max_age.is_some_and(|most| now.since(entry.updated()) > most) {
            report.by_age += 1;
        } else if rules
            .unaccessed_for
            .is_some_and(|most| now.since(entry.accessed()) > most)
        {
            report.unaccessed += 1;
        } else {
            continue;
        }
        taken.insert(key.clone());
    }
    let left: Vec<_> = entries.iter().filter(|(key, _)| !taken.contains(key)).collect();
    let (mut count, mut bytes) = (
        left.len() as u64,
        left.iter().map(|(key, entry)| entry.size(key)).sum::<u64>(),
    );
    for (key, entry) in left {
        if rules.max_entries.is_some_and(|most| count > most) {
            report.by_entries += 1;
        } else if rules.max_bytes.is_some_and(|most| bytes > most) {
            report.by_bytes += 1;
        } else {
            break;
        }
        count -= 1;
        bytes -= entry.size(key);
        taken.insert(key.clone());
    }
    let going = entries.into_iter().filter(|(key, _)| taken.contains(key));
    let going = going.map(|(key, entry)| {
        report.bytes += entry.size(&key);
        if report.keys.len() < KEYS_NAMED {
            report.keys.push(key.clone());
        }
        (key, entry.version())
    });
    let going = going.collect();
    (going, report)
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;
    use crate::entry::{Labels, Parts};
    use crate::value::Value;

    fn entries(count: u64) -> Vec<(Key, Arc<Entry>)> {
        let entry = |number: u64| {
            let key = Key::new(&format!("k{number}")).unwrap();
            let time = StoreTime::from_millis(number * 100);
            let parts = Parts {
                value: Value::bytes(*b"x"),
                labels: Labels::default(),
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

    fn taken(rules: Retention) -> (Vec<u64>, Retained) {
        let all = entries(5);
        all[4].1.touch(StoreTime::from_millis(600)); // k1, the oldest, was read just now
        let (taken, report) = choose(all, &rules, StoreTime::from_millis(600));
        (taken.into_iter().map(|(_, version)| version).collect(), report)
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
    fn of_many_that_go_the_first_are_named() {
        let rules = Retention {
            max_entries: Some(0),
            ..Retention::default()
        };
        let (going, report) = choose(entries(KEYS_NAMED as u64 + 5), &rules, StoreTime::default());
        assert_eq!((going.len(), report.keys.len()), (KEYS_NAMED + 5, KEYS_NAMED));
        assert_eq!(report.keys[0].as_str(), "k1");
    }
}
