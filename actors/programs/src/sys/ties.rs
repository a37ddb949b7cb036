//! Who stands to whom how, of all that were looked at: so that whoever asks for a few of them need not go through all again.

use std::collections::{BTreeMap, BTreeSet, HashMap};

use super::census::{Entry, own_pid};

#[derive(Clone, Debug, Default)]
pub(super) struct Ties {
    pub(super) by_tag: HashMap<String, Vec<i32>>,
    /// Those whose control groups were read.
    pub(super) grouped: Vec<i32>,
    /// This process, and those it descends from.
    pub(super) spared: BTreeSet<i32>,
    by_parent: HashMap<i32, Vec<i32>>,
    by_session: HashMap<i32, Vec<i32>>,
}

impl Ties {
    pub(super) fn of(entries: &BTreeMap<i32, Entry>) -> Self {
        let mut ties = Self {
            spared: ancestry(entries, own_pid()),
            ..Self::default()
        };
        for (pid, entry) in entries {
            ties.by_parent.entry(entry.parent).or_default().push(*pid);
            ties.by_session.entry(entry.session).or_default().push(*pid);
            if let Some(tag) = &entry.tag {
                ties.by_tag.entry(tag.clone()).or_default().push(*pid);
            }
            ties.grouped.extend(entry.groups.is_some().then_some(*pid));
        }
        ties
    }

    pub(super) fn children_of(&self, pid: i32) -> &[i32] {
        self.by_parent.get(&pid).map_or(&[], Vec::as_slice)
    }

    pub(super) fn of_session(&self, session: i32) -> &[i32] {
        self.by_session.get(&session).map_or(&[], Vec::as_slice)
    }
}

fn ancestry(entries: &BTreeMap<i32, Entry>, pid: i32) -> BTreeSet<i32> {
    let mut above = BTreeSet::from([0, 1]);
    let mut next = pid;
    while above.insert(next) {
        next = entries.get(&next).map_or(0, |entry| entry.parent);
    }
    above
}
