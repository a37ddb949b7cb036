//! The children in their start order, found by key, by name and by rank; with running tallies, so that no
//! question about all of them needs to look at all of them.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use foldhash::HashMap;

use super::condition::Condition;
use super::io::{ChildKey, ChildState, Incarnation};
use super::numbered::Numbered;
use crate::clock::Moment;
use crate::name::Name;
use crate::policy::{ChildPolicy, Restart};

/// A child's position in the start order. It outlives its neighbours' removal, so a walk can stop and go on.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Rank(u64);

impl Rank {
    pub(super) const FIRST: Self = Self(1);
    pub(super) const LAST: Self = Self(u64::MAX);

    pub(super) fn before(self) -> Self {
        Self(self.0.saturating_sub(1))
    }

    pub(super) fn after(self) -> Self {
        Self(self.0.saturating_add(1))
    }
}

/// A child as its supervisor keeps it.
#[derive(Clone, Debug)]
pub(super) struct Child {
    pub(super) key: ChildKey,
    pub(super) rank: Rank,
    pub(super) name: Name,
    pub(super) policy: Arc<ChildPolicy>,
    pub(super) condition: Condition,
    /// The latest incarnation; 0 before the first.
    pub(super) incarnation: Incarnation,
    /// The number of its last life before this machine.
    pub(super) before: Incarnation,
    /// When the latest incarnation had started.
    pub(super) since: Moment,
    /// How often it was started again by its supervisor.
    pub(super) restarts: u32,
    /// How many restarts in a row followed a short life.
    pub(super) attempts: u32,
}

impl Child {
    pub(super) fn is_temporary(&self) -> bool {
        self.policy.restart == Restart::Temporary
    }

    /// How long the start took that was killed for its length: only a limit kills one.
    pub(super) fn start_limit(&self) -> Duration {
        self.policy.start_within.unwrap_or_default()
    }

    pub(super) fn state(&self) -> ChildState {
        match self.condition {
            Condition::Down => ChildState::Down,
            Condition::Quarantined => ChildState::Quarantined,
            Condition::Awaiting if self.incarnation == self.before => ChildState::Starting,
            Condition::Awaiting | Condition::Fallen | Condition::Restarting { .. } => ChildState::Restarting,
            Condition::Starting { .. } => ChildState::Starting,
            Condition::Running => ChildState::Running,
            Condition::Stopping(_) | Condition::Lost => ChildState::Stopping,
        }
    }
}

/// How many children are what.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Tally {
    /// Incarnations that may exist and have to be waited for.
    pub(super) alive: usize,
    /// Starts that others wait for.
    pub(super) in_turn: usize,
    /// Significant children that are there, or will be again.
    pub(super) significant: usize,
    /// By state as seen from outside.
    pub(super) states: States,
}

/// How many children are in which state.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct States {
    pub(super) starting: usize,
    pub(super) running: usize,
    pub(super) stopping: usize,
    pub(super) restarting: usize,
    pub(super) down: usize,
    pub(super) quarantined: usize,
}

impl Tally {
    fn count(&mut self, child: &Child, add: fn(&mut usize)) {
        if child.condition.is_alive() {
            add(&mut self.alive);
        }
        if child.condition.holds_turn() {
            add(&mut self.in_turn);
        }
        if child.policy.significant && !child.condition.is_inactive() {
            add(&mut self.significant);
        }
        add(match child.state() {
            ChildState::Starting => &mut self.states.starting,
            ChildState::Running => &mut self.states.running,
            ChildState::Stopping => &mut self.states.stopping,
            ChildState::Restarting => &mut self.states.restarting,
            ChildState::Down => &mut self.states.down,
            ChildState::Quarantined => &mut self.states.quarantined,
        });
    }

    fn enter(&mut self, child: &Child) {
        self.count(child, |number| *number += 1);
    }

    fn leave(&mut self, child: &Child) {
        self.count(child, |number| *number = number.saturating_sub(1));
    }
}

/// All children of a supervisor.
#[derive(Clone, Debug)]
pub(super) struct Children {
    // Boxed, or a table of a million children would reserve room for two.
    by_key: Numbered<ChildKey, Box<Child>>,
    by_name: HashMap<Name, ChildKey>,
    by_rank: BTreeMap<Rank, ChildKey>,
    next_rank: Rank,
    tally: Tally,
    /// The policy added last: like children share one.
    shared_policy: Option<Arc<ChildPolicy>>,
}

impl Default for Children {
    fn default() -> Self {
        Self {
            by_key: Numbered::default(),
            by_name: HashMap::default(),
            by_rank: BTreeMap::new(),
            next_rank: Rank::FIRST,
            tally: Tally::default(),
            shared_policy: None,
        }
    }
}

impl Children {
    /// These in their order, all awaiting their turn; the first that is there twice is none.
    pub(super) fn of(children: Vec<(ChildKey, Name, ChildPolicy)>) -> Result<Self, Name> {
        let mut all = Self::default();
        all.by_key.reserve(children.len());
        all.by_name.reserve(children.len());
        let mut ranks = Vec::with_capacity(children.len());
        for (key, name, policy) in children {
            if !all.is_free(key, &name) {
                return Err(name);
            }
            ranks.push((all.admit(key, name, policy), key));
        }
        // Ranks that come one by one leave every second place in the tree's leaves empty.
        all.by_rank = ranks.into_iter().collect();
        Ok(all)
    }

    pub(super) fn len(&self) -> usize {
        self.by_key.len()
    }

    pub(super) fn tally(&self) -> &Tally {
        &self.tally
    }

    /// The rank that the next child to be added will have.
    pub(super) fn next_rank(&self) -> Rank {
        self.next_rank
    }

    pub(super) fn is_free(&self, key: ChildKey, name: &Name) -> bool {
        !self.by_key.contains_key(&key) && !self.by_name.contains_key(name)
    }

    pub(super) fn get(&self, key: ChildKey) -> Option<&Child> {
        #[cfg(test)]
        super::tests::scale::count_look();
        self.by_key.get(&key).map(Box::as_ref)
    }

    pub(super) fn named(&self, name: &str) -> Option<&Child> {
        self.by_name.get(name).and_then(|key| self.get(*key))
    }

    /// From left to right.
    pub(super) fn iter(&self) -> impl Iterator<Item = &Child> {
        self.by_rank.values().filter_map(|key| self.get(*key))
    }

    /// From `first` rightward.
    pub(super) fn from(&self, first: Rank) -> impl Iterator<Item = &Child> {
        self.by_rank.range(first..).filter_map(|(_, key)| self.get(*key))
    }

    /// The first between `first` and `last` that awaits its turn.
    pub(super) fn next_awaiting(&self, first: Rank, last: Rank) -> Option<&Child> {
        self.from(first)
            .take_while(|child| child.rank <= last)
            .find(|child| child.condition == Condition::Awaiting)
    }

    /// The rightmost between `first` and `last`.
    pub(super) fn rightmost(&self, first: Rank, last: Rank) -> Option<&Child> {
        if first > last {
            return None;
        }
        let (_, key) = self.by_rank.range(first..=last).next_back()?;
        self.get(*key)
    }

    /// Adds a child at the right end, awaiting its turn.
    pub(super) fn append(&mut self, key: ChildKey, name: Name, policy: ChildPolicy) {
        let rank = self.admit(key, name, policy);
        self.by_rank.insert(rank, key);
    }

    /// Takes a child in but for its rank, which is the next.
    fn admit(&mut self, key: ChildKey, name: Name, policy: ChildPolicy) -> Rank {
        let rank = self.next_rank;
        self.next_rank = rank.after();
        let child = Box::new(Child {
            key,
            rank,
            name: name.clone(),
            policy: self.share(policy),
            condition: Condition::Awaiting,
            incarnation: 0,
            before: 0,
            since: Moment::default(),
            restarts: 0,
            attempts: 0,
        });
        self.tally.enter(&child);
        self.by_name.insert(name, key);
        self.by_key.insert(key, child);
        rank
    }

    /// Changes a child, the only way to do so.
    pub(super) fn change(&mut self, key: ChildKey, change: impl FnOnce(&mut Child)) {
        if let Some(child) = self.by_key.get_mut(&key) {
            self.tally.leave(child);
            change(child);
            self.tally.enter(child);
        }
    }

    pub(super) fn set_condition(&mut self, key: ChildKey, condition: Condition) {
        self.change(key, |child| child.condition = condition);
    }

    pub(super) fn remove(&mut self, key: ChildKey) {
        if let Some(child) = self.by_key.remove(&key) {
            self.tally.leave(&child);
            self.by_name.remove(&child.name);
            self.by_rank.remove(&child.rank);
        }
    }

    fn share(&mut self, policy: ChildPolicy) -> Arc<ChildPolicy> {
        if let Some(shared) = self.shared_policy.as_ref().filter(|shared| ***shared == policy) {
            return Arc::clone(shared);
        }
        let shared = Arc::new(policy);
        self.shared_policy = Some(Arc::clone(&shared));
        shared
    }
}
