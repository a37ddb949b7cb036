//! Who has handles so far.

use std::sync::{Arc, RwLock};

use crate::sync::unpoisoned;

/// A bearer of handles, told apart by a label value.
pub(super) trait Member {
    /// The label value its series really have: its name, or `other`.
    fn label(&self) -> &str;

    /// Its place in the roll.
    fn index(&self) -> usize;
}

/// The members so far, each at its place for good; as few as the label's bound allows.
#[derive(Debug)]
pub(super) struct Roll<M>(RwLock<Vec<Arc<M>>>);

impl<M> Default for Roll<M> {
    fn default() -> Self {
        Self(RwLock::default())
    }
}

impl<M: Member> Roll<M> {
    /// The member of that name, made for the next free place if it is not on the roll.
    ///
    /// Names beyond the bound are made every time, so that the guard counts them, and then share one member.
    pub(super) fn of(&self, name: &str, begin: impl FnOnce(usize) -> M) -> Arc<M> {
        let known = find(&unpoisoned(self.0.read()), name);
        if let Some(known) = known {
            return known;
        }
        let mut members = unpoisoned(self.0.write());
        let made = begin(members.len());
        find(&members, made.label()).unwrap_or_else(|| {
            let made = Arc::new(made);
            members.push(Arc::clone(&made));
            made
        })
    }

    /// All members, by their places.
    pub(super) fn list(&self) -> Vec<Arc<M>> {
        unpoisoned(self.0.read()).clone()
    }
}

fn find<M: Member>(members: &[Arc<M>], name: &str) -> Option<Arc<M>> {
    members.iter().find(|member| member.label() == name).cloned()
}

#[cfg(test)]
mod tests {
    use super::super::family::OTHER;
    use super::*;

    #[derive(Debug)]
    struct Teapot(&'static str, usize);

    impl Member for Teapot {
        fn label(&self) -> &str {
            self.0
        }

        fn index(&self) -> usize {
            self.1
        }
    }

    #[test]
    fn members_keep_their_places_and_are_made_once() {
        let roll = Roll::default();
        let brown = roll.of("brown", |index| Teapot("brown", index));
        let blue = roll.of("blue", |index| Teapot("blue", index));
        let again = roll.of("brown", |_| unreachable!("brown is on the roll"));
        assert!(Arc::ptr_eq(&brown, &again));
        assert_eq!((brown.index(), blue.index(), roll.list().len()), (0, 1, 2));
    }

    #[test]
    fn names_beyond_the_bound_share_one_member() {
        let roll = Roll::default();
        let fold = |name: &str| roll.of(name, |index| Teapot(OTHER, index));
        assert!(Arc::ptr_eq(&fold("green"), &fold("red")));
        assert_eq!(roll.list().len(), 1);
    }
}
