//! The changes of phase of one node.

use std::collections::VecDeque;
use std::sync::Arc;

use super::{Change, HISTORY_LENGTH, Phase};
use crate::clock::Moment;
use crate::reason::ExitReason;

/// How many changes the first heap room of a history holds.
const FIRST_ROOM: usize = 8;

/// A change as it is kept.
pub(super) struct Kept {
    pub(super) at: Moment,
    pub(super) incarnation: u64,
    pub(super) reason: Option<Arc<ExitReason>>,
    pub(super) to: Phase,
}

impl Kept {
    fn shown(&self) -> Change {
        Change {
            at: self.at,
            to: self.to,
            incarnation: self.incarnation,
            reason: self.reason.as_deref().cloned(),
        }
    }
}

/// The last changes, oldest first. Most nodes have begun to start and are idle, and nothing else ever happens to them:
/// that takes no room on the heap.
pub(super) enum History {
    /// So many of the first two changes of a first life have happened.
    Young { changes: usize, at: [Moment; YOUNG] },
    #[expect(
        clippy::box_collection,
        reason = "what most nodes do not have makes none of them larger"
    )]
    Full(Box<VecDeque<Kept>>),
}

const YOUNG: usize = 2;

/// What a node without troubles goes through.
const YOUTH: [Phase; YOUNG] = [Phase::Starting, Phase::Idle];

impl Default for History {
    fn default() -> Self {
        Self::Young {
            changes: 0,
            at: [Moment::default(); YOUNG],
        }
    }
}

impl History {
    pub(super) fn push(&mut self, change: Kept) {
        match self {
            Self::Young { changes, at } if change.incarnation == 1 && YOUTH.get(*changes) == Some(&change.to) => {
                at[*changes] = change.at;
                *changes += 1;
            }
            Self::Young { .. } => {
                let mut kept = Box::new(VecDeque::with_capacity(FIRST_ROOM));
                kept.extend(self.youth());
                kept.push_back(change);
                *self = Self::Full(kept);
            }
            Self::Full(kept) => {
                if kept.len() == HISTORY_LENGTH {
                    kept.pop_front();
                }
                kept.push_back(change);
            }
        }
    }

    fn youth(&self) -> impl Iterator<Item = Kept> {
        let (changes, at) = match self {
            Self::Young { changes, at } => (*changes, *at),
            Self::Full(_) => (0, [Moment::default(); YOUNG]),
        };
        let change = |(at, to)| Kept {
            at,
            incarnation: 1,
            reason: None,
            to,
        };
        at.into_iter().zip(YOUTH).take(changes).map(change)
    }

    pub(super) fn shown(&self) -> Vec<Change> {
        match self {
            Self::Young { .. } => self.youth().map(|change| change.shown()).collect(),
            Self::Full(kept) => kept.iter().map(Kept::shown).collect(),
        }
    }
}

#[cfg(all(test, not(shuttle)))]
mod tests {
    use super::*;

    fn change(to: Phase, incarnation: u64) -> Kept {
        Kept {
            at: Moment::from_nanos(incarnation),
            incarnation,
            reason: None,
            to,
        }
    }

    fn told(changes: &[(Phase, u64)]) -> Vec<(Phase, u64)> {
        let mut history = History::default();
        for (to, incarnation) in changes {
            history.push(change(*to, *incarnation));
        }
        let shown = history.shown();
        assert!(shown.iter().all(|change| change.at.as_nanos() == change.incarnation));
        shown.iter().map(|change| (change.to, change.incarnation)).collect()
    }

    #[test]
    fn what_was_put_in_comes_out_whatever_its_order() {
        use Phase::{Idle, Starting, Stopped};
        for changes in [
            &[][..],
            &[(Starting, 1)],
            &[(Starting, 1), (Idle, 1)],
            &[(Starting, 1), (Idle, 1), (Stopped, 1), (Starting, 2), (Idle, 2)],
            &[(Starting, 1), (Stopped, 1)],
            &[(Idle, 1), (Starting, 1)],
            &[(Starting, 2), (Idle, 2)],
            &[(Starting, 1), (Idle, 2)],
        ] {
            assert_eq!(told(changes), changes);
        }
    }

    #[test]
    fn the_last_hundred_are_kept() {
        let changes: Vec<_> = (1..=150).map(|life| (Phase::Idle, life)).collect();
        assert_eq!(told(&changes), changes[50..]);
    }
}
