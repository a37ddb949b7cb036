//! Tasks that are ready, so that the next one for a worker is found without a look at the others.
//!
//! ```text
//!  common        needs {}        ┌ critical ┬ high ┬ normal ┬ low ┬ background ┐   each class twice:
//!                needs {gpu}     │          │      │        │     │            │   by deadline, and by age
//!  reserved
//!    team/w-1    needs {}        │          │      │        │     │            │
//! ```
//!
//! Which class is served is told by its oldest task, with the head start of more urgent classes; which task of it, by the
//! deadlines. A task without a deadline is ordered by its patience, so that none waits for ever behind others. Where a class
//! is served before a more urgent one, only those of it are that have waited for long enough themselves.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use crate::config::Config;
use crate::task::Priority;
use crate::time::TaskTime;
use crate::words::{Capability, TaskId, Worker};

use super::kept::{Condition, Kept, Needs};

const CLASSES: usize = Priority::ALL.len();

#[derive(Clone, Debug, Default, PartialEq)]
pub(super) struct Shelves {
    common: BTreeMap<Needs, Shelf>,
    reserved: BTreeMap<Worker, BTreeMap<Needs, Shelf>>,
}

#[derive(Clone, Debug, Default, PartialEq)]
struct Shelf([Class; CLASSES]);

#[derive(Clone, Debug, Default, PartialEq)]
struct Class {
    by_deadline: BTreeSet<(TaskTime, TaskId)>,
    by_age: BTreeSet<(TaskTime, TaskId)>,
}

/// Where in its class a task stands.
#[derive(Clone, Copy)]
struct Spot {
    priority: Priority,
    deadline: TaskTime,
    since: TaskTime,
}

impl Shelf {
    fn is_empty(&self) -> bool {
        self.0.iter().all(|class| class.by_age.is_empty())
    }

    fn put(&mut self, id: TaskId, spot: Spot) {
        let class = &mut self.0[spot.priority as usize];
        class.by_deadline.insert((spot.deadline, id));
        class.by_age.insert((spot.since, id));
    }

    fn take(&mut self, id: TaskId, spot: Spot) {
        let class = &mut self.0[spot.priority as usize];
        class.by_deadline.remove(&(spot.deadline, id));
        class.by_age.remove(&(spot.since, id));
    }
}

impl Shelves {
    /// All of those tasks that are ready.
    pub(super) fn of<'a>(tasks: impl Iterator<Item = (TaskId, &'a Kept)>, config: &Config) -> Self {
        let mut classes: BTreeMap<_, Vec<(TaskId, Spot)>> = BTreeMap::new();
        for (id, task) in tasks {
            if let Some(spot) = spot(task, config) {
                let class = (reserved_for(task), &task.needs, spot.priority as usize);
                classes.entry(class).or_default().push((id, spot));
            }
        }
        let mut shelves = Self::default();
        for ((worker, needs, class), spots) in classes {
            let shelf = shelves.shelf(worker, needs);
            shelf.0[class].by_deadline = spots.iter().map(|(id, spot)| (spot.deadline, *id)).collect();
            shelf.0[class].by_age = spots.iter().map(|(id, spot)| (spot.since, *id)).collect();
        }
        shelves
    }

    fn shelf(&mut self, reserved_for: Option<&Worker>, needs: &Needs) -> &mut Shelf {
        let shelves = match reserved_for {
            Some(worker) => self.reserved.entry(worker.clone()).or_default(),
            None => &mut self.common,
        };
        shelves.entry(Needs::clone(needs)).or_default()
    }

    /// `task` has become ready.
    pub(super) fn put(&mut self, id: TaskId, task: &Kept, config: &Config) {
        if let Some(spot) = spot(task, config) {
            self.shelf(reserved_for(task), &task.needs).put(id, spot);
        }
    }

    /// `task` is about to be ready no more, or on another shelf.
    pub(super) fn take(&mut self, id: TaskId, task: &Kept, config: &Config) {
        let Some(spot) = spot(task, config) else { return };
        match reserved_for(task) {
            None => take_from(&mut self.common, &task.needs, id, spot),
            Some(worker) => {
                if let Some(shelves) = self.reserved.get_mut(worker) {
                    take_from(shelves, &task.needs, id, spot);
                    if shelves.is_empty() {
                        self.reserved.remove(worker);
                    }
                }
            }
        }
    }

    /// The next task for a worker that is able to do so much; `able` ascends. `since` tells since when a task is ready.
    pub(super) fn next_for(
        &self,
        worker: &Worker,
        able: &[Capability],
        config: &Config,
        since: impl Fn(TaskId) -> TaskTime,
    ) -> Option<TaskId> {
        let open = || {
            let reserved = self.reserved.get(worker).into_iter().flatten();
            let fits = |(needs, _): &(&Needs, &Shelf)| is_subset(needs, able);
            self.common.iter().chain(reserved).filter(fits).map(|(_, shelf)| shelf)
        };
        let mut oldest = [None; CLASSES];
        for shelf in open() {
            for (oldest, class) in oldest.iter_mut().zip(&shelf.0) {
                *oldest = first(*oldest, class.by_age.first().copied());
            }
        }
        let starts = head_starts(config);
        let rank = |class: usize| oldest[class].map(|(since, _)| (since + starts[class], class));
        let (_, class) = (0..CLASSES).filter_map(rank).min()?;
        let heads = open().filter_map(|shelf| shelf.0[class].by_deadline.first());
        let (_, head) = *heads.min()?;
        // Were it alone in its class, would a more urgent one go first? Then the one is next that lets none.
        let more_urgent = (0..class).filter_map(rank).min();
        let is_passed = more_urgent.is_some_and(|(rank, _)| rank <= since(head) + starts[class]);
        if is_passed {
            oldest[class].map(|(_, id)| id)
        } else {
            Some(head)
        }
    }

    /// Since when the oldest of all has been ready.
    pub(super) fn oldest(&self) -> Option<TaskTime> {
        let shelves = self
            .common
            .values()
            .chain(self.reserved.values().flat_map(BTreeMap::values));
        let classes = shelves.flat_map(|shelf| &shelf.0);
        classes
            .filter_map(|class| class.by_age.first())
            .map(|(since, _)| *since)
            .min()
    }
}

fn take_from(shelves: &mut BTreeMap<Needs, Shelf>, needs: &Needs, id: TaskId, spot: Spot) {
    if let Some(shelf) = shelves.get_mut(needs) {
        shelf.take(id, spot);
        if shelf.is_empty() {
            shelves.remove(needs);
        }
    }
}

fn spot(task: &Kept, config: &Config) -> Option<Spot> {
    let Condition::Ready { since, .. } = task.condition else {
        return None;
    };
    Some(Spot {
        priority: task.priority,
        deadline: task.deadline.min(since + config.patience),
        since,
    })
}

pub(super) fn reserved_for(task: &Kept) -> Option<&Worker> {
    match task.condition {
        Condition::Ready { is_reserved: true, .. } => Some(&task.affinity()?.worker),
        _ => None,
    }
}

/// How much later than the most urgent class each is served.
fn head_starts(config: &Config) -> [Duration; CLASSES] {
    let mut sum = Duration::ZERO;
    std::array::from_fn(|class| {
        let start = sum;
        sum += config.head_starts.get(class).copied().unwrap_or_default();
        start
    })
}

/// The lesser of those that there are.
fn first<T: Ord>(one: Option<T>, other: Option<T>) -> Option<T> {
    match (one, other) {
        (Some(one), Some(other)) => Some(one.min(other)),
        (one, other) => one.or(other),
    }
}

/// Whether all of `needs` are in `able`; both ascend.
pub(crate) fn is_subset(needs: &[Capability], able: &[Capability]) -> bool {
    let mut able = able.iter();
    needs.iter().all(|need| able.any(|one| one == need))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn needs_are_met_by_whoever_has_all_of_them() {
        let of = |words: &[&str]| {
            let words = words.iter().map(|word| Capability::new(word).unwrap());
            words.collect::<Vec<_>>()
        };
        let able = of(&["a", "c", "d"]);
        for (needs, met) in [
            (&[][..], true),
            (&["a"], true),
            (&["a", "d"], true),
            (&["b"], false),
            (&["d", "e"], false),
        ] {
            assert_eq!(is_subset(&of(needs), &able), met, "{needs:?}");
        }
    }
}
