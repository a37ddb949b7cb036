//! The subscriptions of one program, each found by what it is for.

use std::collections::BTreeMap;

/// What a subscription is for. No two of a program are for the same, nor under the same name.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Aim<T> {
    pub(super) pattern: T,
    pub(super) group: Option<T>,
    pub(super) name: Option<T>,
}

/// One of each aim. All it does takes steps as the logarithm of how many there are.
pub(super) struct Sheaf<T, R> {
    all: BTreeMap<Aim<T>, R>,
    by_name: BTreeMap<T, Aim<T>>,
}

impl<T, R> Default for Sheaf<T, R> {
    fn default() -> Self {
        Self {
            all: BTreeMap::new(),
            by_name: BTreeMap::new(),
        }
    }
}

impl<T: Ord + Clone, R> Sheaf<T, R> {
    pub(super) fn len(&self) -> usize {
        self.all.len()
    }

    /// The one of just that aim.
    pub(super) fn get(&self, aim: &Aim<T>) -> Option<&R> {
        self.all.get(aim)
    }

    pub(super) fn iter(&self) -> impl Iterator<Item = (&Aim<T>, &R)> {
        self.all.iter()
    }

    /// Whether one goes where another of that aim comes.
    pub(super) fn has_in_the_place_of(&self, aim: &Aim<T>) -> bool {
        match &aim.name {
            Some(name) => self.by_name.contains_key(name),
            None => self.all.contains_key(aim),
        }
    }

    /// Puts one there, and gives out the one in whose place it is.
    pub(super) fn put(&mut self, aim: Aim<T>, one: R) -> Option<R> {
        let named = aim.name.clone().map(|name| self.by_name.insert(name, aim.clone()));
        let of_its_name = named.flatten().and_then(|before| self.all.remove(&before));
        self.all.insert(aim, one).or(of_its_name)
    }

    /// Takes out all of a pattern.
    pub(super) fn take_all_of(&mut self, pattern: &T) -> Vec<R> {
        let first = Aim {
            pattern: pattern.clone(),
            group: None,
            name: None,
        };
        let range = self.all.range(first..).map(|(aim, _)| aim);
        let aims: Vec<_> = range.take_while(|aim| aim.pattern == *pattern).cloned().collect();
        let taken = aims.into_iter().filter_map(|aim| {
            if let Some(name) = &aim.name {
                self.by_name.remove(name);
            }
            self.all.remove(&aim)
        });
        taken.collect()
    }

    pub(super) fn into_all(self) -> impl Iterator<Item = R> {
        self.all.into_values()
    }
}

#[cfg(test)]
#[path = "sheaf_test.rs"]
mod tests;
