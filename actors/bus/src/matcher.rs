//! Which subscriptions a topic reaches, out of very many.
//!
//! Patterns without a wildcard are found by their whole text, in one look-up. The others stand in a tree by their parts:
//!
//! ```text
//! team ─┬─ alpha ── status      parts as they are written
//!       ├─ * ────── status      any one part
//!       └─ (rest)               whatever follows
//! ```

use std::collections::HashMap;

use foldhash::fast::RandomState;

use crate::topic::{ONE, Pattern, REST, Topic};

type Map<V> = HashMap<Box<str>, V, RandomState>;

/// Values by the patterns they were added under.
#[derive(Clone, Debug)]
pub struct Matcher<T> {
    exact: Map<Vec<Entry<T>>>,
    tree: Branch<T>,
    len: usize,
}

/// A value and the number it was added with; lists of them are in the order of numbers.
type Entry<T> = (u64, T);

#[derive(Clone, Debug)]
struct Branch<T> {
    parts: Map<Branch<T>>,
    any: Option<Box<Branch<T>>>,
    here: Vec<Entry<T>>,
    rest: Vec<Entry<T>>,
}

impl<T> Default for Branch<T> {
    fn default() -> Self {
        Self {
            parts: Map::default(),
            any: None,
            here: Vec::new(),
            rest: Vec::new(),
        }
    }
}

impl<T> Default for Matcher<T> {
    fn default() -> Self {
        Self {
            exact: Map::default(),
            tree: Branch::default(),
            len: 0,
        }
    }
}

impl<T> Matcher<T> {
    /// Adds `value` under `pattern`; `number` tells it from others there. One that is there already is replaced.
    pub fn insert(&mut self, pattern: &Pattern, number: u64, value: T) -> Option<T> {
        let list = if pattern.is_exact() {
            list_of(&mut self.exact, pattern.as_str())
        } else {
            self.tree.list(pattern.as_str())
        };
        let replaced = put(list, number, value);
        self.len += usize::from(replaced.is_none());
        replaced
    }

    /// Takes back what was added under `pattern` with `number`, and what of the tree nobody needs any more.
    pub fn remove(&mut self, pattern: &Pattern, number: u64) -> Option<T> {
        let removed = if pattern.is_exact() {
            let list = self.exact.get_mut(pattern.as_str())?;
            let removed = take(list, number);
            if list.is_empty() {
                self.exact.remove(pattern.as_str());
            }
            removed
        } else {
            self.tree.remove(Some(pattern.as_str()), number)
        };
        self.len -= usize::from(removed.is_some());
        removed
    }

    /// Calls `found` with each value whose pattern stands for `topic`.
    pub fn each(&self, topic: &Topic, mut found: impl FnMut(&T)) {
        if let Some(list) = self.exact.get(topic.as_str()) {
            for (_, value) in list {
                found(value);
            }
        }
        self.tree.each(Some(topic.as_str()), &mut found);
    }

    /// How many values there are.
    pub fn len(&self) -> usize {
        self.len
    }

    /// Whether there is none.
    pub fn is_empty(&self) -> bool {
        self.len == 0
    }
}

impl<T> Branch<T> {
    /// Where values of the pattern of which `path` is left belong.
    fn list(&mut self, path: &str) -> &mut Vec<Entry<T>> {
        let (part, path) = split(path);
        let branch = match part {
            REST => return &mut self.rest,
            ONE => &mut **self.any.get_or_insert_default(),
            part => list_of(&mut self.parts, part),
        };
        match path {
            Some(path) => branch.list(path),
            None => &mut branch.here,
        }
    }

    fn remove(&mut self, path: Option<&str>, number: u64) -> Option<T> {
        let Some(path) = path else {
            return take(&mut self.here, number);
        };
        let (part, path) = split(path);
        match part {
            REST => take(&mut self.rest, number),
            ONE => {
                let branch = self.any.as_mut()?;
                let removed = branch.remove(path, number);
                if branch.is_bare() {
                    self.any = None;
                }
                removed
            }
            part => {
                let branch = self.parts.get_mut(part)?;
                let removed = branch.remove(path, number);
                if branch.is_bare() {
                    self.parts.remove(part);
                }
                removed
            }
        }
    }

    fn is_bare(&self) -> bool {
        self.parts.is_empty() && self.any.is_none() && self.here.is_empty() && self.rest.is_empty()
    }

    fn each(&self, path: Option<&str>, found: &mut impl FnMut(&T)) {
        self.rest.iter().for_each(|(_, value)| found(value));
        let Some(path) = path else {
            self.here.iter().for_each(|(_, value)| found(value));
            return;
        };
        let (part, path) = split(path);
        if let Some(branch) = &self.any {
            branch.each(path, found);
        }
        if !self.parts.is_empty()
            && let Some(branch) = self.parts.get(part)
        {
            branch.each(path, found);
        }
    }
}

/// The first part, and what follows it.
fn split(path: &str) -> (&str, Option<&str>) {
    path.split_once('.')
        .map_or((path, None), |(part, rest)| (part, Some(rest)))
}

fn list_of<'a, V: Default>(map: &'a mut Map<V>, key: &str) -> &'a mut V {
    map.entry(key.into()).or_default()
}

fn put<T>(list: &mut Vec<Entry<T>>, number: u64, value: T) -> Option<T> {
    match list.binary_search_by_key(&number, |(number, _)| *number) {
        Ok(at) => list.get_mut(at).map(|(_, there)| std::mem::replace(there, value)),
        Err(at) => {
            list.insert(at, (number, value));
            None
        }
    }
}

fn take<T>(list: &mut Vec<Entry<T>>, number: u64) -> Option<T> {
    let at = list.binary_search_by_key(&number, |(number, _)| *number).ok()?;
    let (_, value) = list.remove(at);
    if list.len() * 4 < list.capacity() {
        list.shrink_to(list.len() * 2);
    }
    Some(value)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn found(matcher: &Matcher<u64>, topic: &str) -> Vec<u64> {
        let mut found = Vec::new();
        matcher.each(&Topic::new(topic).unwrap(), |value| found.push(*value));
        found.sort_unstable();
        found
    }

    fn part(wild: bool) -> impl Strategy<Value = &'static str> {
        if wild {
            prop::sample::select(vec!["a", "b", "c", "*"])
        } else {
            prop::sample::select(vec!["a", "b", "c"])
        }
    }

    fn topic() -> impl Strategy<Value = Topic> {
        prop::collection::vec(part(false), 1..5).prop_map(|parts| Topic::new(parts.join(".")).unwrap())
    }

    fn pattern() -> impl Strategy<Value = Pattern> {
        (prop::collection::vec(part(true), 0..5), any::<bool>()).prop_map(|(mut parts, rest)| {
            if rest || parts.is_empty() {
                parts.push("**");
            }
            Pattern::new(parts.join(".")).unwrap()
        })
    }

    #[derive(Clone, Debug)]
    enum Step {
        Insert(Pattern),
        Remove(usize),
        Find(Topic),
    }

    fn step() -> impl Strategy<Value = Step> {
        prop_oneof![
            pattern().prop_map(Step::Insert),
            any::<usize>().prop_map(Step::Remove),
            topic().prop_map(Step::Find),
        ]
    }

    proptest! {
        #[test]
        fn it_finds_what_a_look_at_every_pattern_finds(steps in prop::collection::vec(step(), 0..120)) {
            let (mut matcher, mut naive) = (Matcher::default(), Vec::<(Pattern, u64)>::new());
            for (step, number) in steps.into_iter().zip(0..) {
                match step {
                    Step::Insert(pattern) => {
                        prop_assert_eq!(matcher.insert(&pattern, number, number), None);
                        naive.push((pattern, number));
                    }
                    Step::Remove(_) if naive.is_empty() => {}
                    Step::Remove(which) => {
                        let (pattern, number) = naive.swap_remove(which % naive.len());
                        prop_assert_eq!(matcher.remove(&pattern, number), Some(number));
                        prop_assert_eq!(matcher.remove(&pattern, number), None);
                    }
                    Step::Find(topic) => {
                        let mut expected: Vec<_> = naive
                            .iter()
                            .filter(|(pattern, _)| pattern.matches(&topic))
                            .map(|(_, number)| *number)
                            .collect();
                        expected.sort_unstable();
                        prop_assert_eq!(found(&matcher, topic.as_str()), expected);
                    }
                }
                prop_assert_eq!(matcher.len(), naive.len());
            }
            for (pattern, number) in naive {
                matcher.remove(&pattern, number);
            }
            prop_assert!(matcher.is_empty() && matcher.exact.is_empty() && matcher.tree.is_bare());
        }
    }

    #[test]
    fn what_is_added_twice_replaces() {
        let mut matcher = Matcher::default();
        let pattern = Pattern::new("a.*").unwrap();
        assert_eq!(matcher.insert(&pattern, 7, 1), None);
        assert_eq!(matcher.insert(&pattern, 7, 2), Some(1));
        assert_eq!((found(&matcher, "a.b"), matcher.len()), (vec![2], 1));
    }

    #[test]
    fn a_storm_of_subscriptions_comes_and_goes() {
        let mut matcher = Matcher::default();
        let patterns: Vec<_> = (0..100_000u64)
            .map(|number| match number % 4 {
                0 => format!("storm.{number}.*"),
                1 => "storm.same".to_owned(),
                _ => format!("storm.{number}"),
            })
            .map(|text| Pattern::new(text).unwrap())
            .collect();
        for (pattern, number) in patterns.iter().zip(0..) {
            matcher.insert(pattern, number, number);
        }
        assert_eq!(matcher.len(), 100_000);
        assert_eq!(found(&matcher, "storm.2"), [2]);
        assert_eq!(found(&matcher, "storm.4.x"), [4]);
        assert_eq!(found(&matcher, "storm.same").len(), 25_000);
        for number in (0..100_000u64).rev() {
            let pattern = &patterns[usize::try_from(number).unwrap()];
            assert_eq!(matcher.remove(pattern, number), Some(number));
        }
        assert!(matcher.is_empty() && matcher.tree.is_bare() && matcher.exact.is_empty());
    }
}
