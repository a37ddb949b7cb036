//! How far a named subscription has come in its log: all below the floor is settled, and some above it. A machine.

use std::collections::BTreeMap;
use std::sync::Arc;

/// Whose cursor: a subscriber, and the name it gave.
pub(crate) type CursorKey = (Arc<str>, Arc<str>);

#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Cursor {
    floor: u64,
    /// What is settled above the floor: beginnings and ends of what lies together. There are no more of them than what is
    /// not settled between them.
    above: BTreeMap<u64, u64>,
}

impl Cursor {
    pub(crate) fn at(floor: u64) -> Self {
        Self {
            floor,
            above: BTreeMap::new(),
        }
    }

    /// As it was written down.
    pub(crate) fn of(floor: u64, above: Vec<(u64, u64)>) -> Self {
        let mut cursor = Self::at(floor);
        for (from, to) in above {
            cursor.settle(from, to);
        }
        cursor
    }

    pub(crate) const fn floor(&self) -> u64 {
        self.floor
    }

    pub(crate) fn above(&self) -> Vec<(u64, u64)> {
        self.above.iter().map(|(from, to)| (*from, *to)).collect()
    }

    pub(crate) fn is_settled(&self, offset: u64) -> bool {
        let before = self.above.range(..=offset).next_back();
        offset < self.floor || before.is_some_and(|(_, to)| offset < *to)
    }

    /// All from `from` on and below `to` is settled.
    pub(crate) fn settle(&mut self, from: u64, to: u64) {
        let (mut from, mut to) = (from.max(self.floor), to);
        if from >= to {
            return;
        }
        if let Some((before, end)) = self.above.range(..=from).next_back()
            && *end >= from
        {
            (from, to) = (*before, to.max(*end));
        }
        while let Some((next, end)) = self.above.range(from..=to).next() {
            let (next, end) = (*next, *end);
            to = to.max(end);
            self.above.remove(&next);
        }
        if from == self.floor {
            self.floor = to;
        } else {
            self.above.insert(from, to);
        }
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn a_cursor_knows_what_is_settled_and_says_it_shortly(
            ranges in prop::collection::vec((0..60u64, 0..6u64), 0..40),
        ) {
            let (mut cursor, mut naive) = (Cursor::at(5), (0..5).collect::<BTreeSet<u64>>());
            for (from, count) in ranges {
                cursor.settle(from, from + count);
                naive.extend(from..from + count);
                for offset in 0..70 {
                    prop_assert_eq!(cursor.is_settled(offset), naive.contains(&offset), "{} {:?}", offset, cursor);
                }
                let gap = (0..99).find(|offset| !naive.contains(offset)).unwrap();
                prop_assert_eq!(cursor.floor(), gap);
                let above = cursor.above();
                prop_assert!(above.iter().all(|(from, to)| from < to));
                prop_assert!(above.windows(2).all(|two| two[0].1 < two[1].0), "{:?}", above);
                prop_assert_eq!(&Cursor::of(cursor.floor(), above), &cursor);
            }
        }
    }
}
