//! What is told by the tasks themselves, kept beside them so that nobody has to look at all.

use std::collections::{BTreeMap, BTreeSet};

use crate::config::Config;
use crate::task::State;
use crate::time::TaskTime;
use crate::words::{Fence, Kind, TaskId, Worker};

use super::kept::{Condition, Kept, Needs, Stake};
use super::shards::ById;
use super::shelves::Shelves;

/// Why somebody has to look at a task, and write what follows.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Alarm {
    /// Its lease, or the time of its attempt, is over.
    Lease,
    /// Its deadline is over.
    Deadline,
}

/// Open tasks of one kind by state: blocked, ready, claimed, running.
pub type Counts = [usize; 4];

#[derive(Clone, Debug, Default, PartialEq)]
pub(super) struct Indexes {
    pub(super) shelves: Shelves,
    /// What changes by time alone, so that nothing is written of it.
    pub(super) wakes: BTreeSet<(TaskTime, TaskId)>,
    pub(super) alarms: BTreeSet<(TaskTime, TaskId, Alarm)>,
    pub(super) leases: BTreeMap<Fence, TaskId>,
    /// Ended tasks whose results nobody waits for, in the order in which they are forgotten.
    pub(super) ended: Shed,
    pub(super) dead: Shed,
    /// What ended tasks take whose results somebody waits for.
    pub(super) inputs_bytes: usize,
    /// How many tasks workers have, or may have, that get results of others.
    pub(super) fed: usize,
    pub(super) needs: BTreeMap<Needs, usize>,
    /// How many open tasks are for a worker.
    pub(super) reserved: BTreeMap<Worker, usize>,
    pub(super) census: BTreeMap<Kind, Counts>,
    pub(super) open: usize,
    pub(super) body_bytes: usize,
}

/// Where ended tasks lie until there are too many.
#[derive(Clone, Debug, Default, PartialEq)]
pub(super) struct Shed {
    tasks: BTreeSet<(TaskTime, TaskId)>,
    bytes: usize,
}

impl Shed {
    /// The tasks that go where there are more than so many, or more than so many bytes.
    pub(super) fn surplus(
        &self,
        tasks_max: usize,
        bytes_max: usize,
        bytes_of: impl Fn(TaskId) -> usize,
    ) -> impl Iterator<Item = TaskId> {
        let (mut tasks, mut bytes) = (self.tasks.len(), self.bytes);
        self.tasks().take_while(move |id| {
            let is_over = tasks > tasks_max || bytes > bytes_max;
            tasks -= 1;
            bytes = bytes.saturating_sub(bytes_of(*id));
            is_over
        })
    }

    /// Its tasks, those that ended first first.
    pub(super) fn tasks(&self) -> impl Iterator<Item = TaskId> {
        self.tasks.iter().map(|(_, id)| *id)
    }

    pub(super) fn len(&self) -> usize {
        self.tasks.len()
    }
}

impl Indexes {
    /// What all those tasks tell, as if they had entered one after the other.
    pub(super) fn of(tasks: &ById, config: &Config) -> Self {
        let mut indexes = Self::default();
        let mut deadlines = Vec::new();
        for (id, task) in tasks.iter() {
            let stake = task.stake();
            deadlines.extend(stake.and_then(|stake| Some((stake.deadline?, *id, Alarm::Deadline))));
            let deadline = None;
            indexes.stake(*id, task, stake.map(|stake| Stake { deadline, ..stake }));
            match &task.condition {
                Condition::Ready { .. } => indexes.enter_ready(*id, task),
                _ => indexes.enter(*id, task, config),
            }
        }
        // Sorted first: a million in a tree one by one take seconds.
        indexes.alarms.append(&mut deadlines.into_iter().collect());
        indexes.shelves = Shelves::of(tasks.iter().map(|(id, task)| (*id, task)), config);
        indexes
    }

    /// A task with its condition is there from now on.
    pub(super) fn enter(&mut self, id: TaskId, task: &Kept, config: &Config) {
        match &task.condition {
            Condition::Blocked { .. } => {}
            Condition::Waiting { until } => {
                self.wakes.insert((*until, id));
            }
            Condition::Ready { .. } => {
                self.shelves.put(id, task, config);
                return self.enter_ready(id, task);
            }
            Condition::Held(lease) => {
                self.leases.insert(lease.fence, id);
                self.feeds(task, |fed| *fed += 1);
                self.alarms.insert((lease.due(), id, Alarm::Lease));
            }
            Condition::Ended(end) => {
                if end.pins == 0 {
                    let shed = self.shed(end.state);
                    shed.bytes += task.bytes();
                    shed.tasks.insert((end.at, id));
                } else {
                    self.inputs_bytes += end.input_bytes();
                }
                return;
            }
        }
        count(&mut self.census, task, |counted| *counted += 1);
    }

    fn feeds(&mut self, task: &Kept, count: impl FnOnce(&mut usize)) {
        if !task.after().is_empty() {
            count(&mut self.fed);
        }
    }

    fn enter_ready(&mut self, id: TaskId, task: &Kept) {
        self.feeds(task, |fed| *fed += 1);
        self.wakes.extend(opens_up(task).map(|at| (at, id)));
        count(&mut self.census, task, |counted| *counted += 1);
    }

    /// A task is about to change its condition.
    pub(super) fn leave(&mut self, id: TaskId, task: &Kept, config: &Config) {
        match &task.condition {
            Condition::Blocked { .. } => {}
            Condition::Waiting { until } => {
                self.wakes.remove(&(*until, id));
            }
            Condition::Ready { .. } => {
                self.shelves.take(id, task, config);
                self.feeds(task, |fed| *fed -= 1);
                if let Some(at) = opens_up(task) {
                    self.wakes.remove(&(at, id));
                }
            }
            Condition::Held(lease) => {
                self.leases.remove(&lease.fence);
                self.feeds(task, |fed| *fed -= 1);
                self.alarms.remove(&(lease.due(), id, Alarm::Lease));
            }
            Condition::Ended(end) => {
                if end.pins == 0 {
                    let shed = self.shed(end.state);
                    shed.tasks.remove(&(end.at, id));
                    shed.bytes -= task.bytes();
                } else {
                    self.inputs_bytes -= end.input_bytes();
                }
                return;
            }
        }
        count(&mut self.census, task, |counted| *counted -= 1);
    }

    /// A task counts as an open one from now on.
    pub(super) fn stake(&mut self, id: TaskId, task: &Kept, stake: Option<Stake>) {
        let Some(stake) = stake else { return };
        self.open += 1;
        self.body_bytes += stake.bytes;
        *self.needs.entry(Needs::clone(&task.needs)).or_default() += 1;
        if let Some(affinity) = task.affinity() {
            *self.reserved.entry(affinity.worker.clone()).or_default() += 1;
        }
        self.alarms.extend(stake.deadline.map(|at| (at, id, Alarm::Deadline)));
    }

    /// A task counts as it did no more.
    pub(super) fn withdraw(&mut self, id: TaskId, task: &Kept, stake: Option<Stake>) {
        let Some(stake) = stake else { return };
        self.open -= 1;
        self.body_bytes -= stake.bytes;
        one_less(&mut self.needs, &task.needs);
        if let Some(affinity) = task.affinity() {
            one_less(&mut self.reserved, &affinity.worker);
        }
        if let Some(at) = stake.deadline {
            self.alarms.remove(&(at, id, Alarm::Deadline));
        }
    }

    fn shed(&mut self, state: State) -> &mut Shed {
        if state == State::Dead {
            &mut self.dead
        } else {
            &mut self.ended
        }
    }
}

fn one_less<K: Ord>(tasks: &mut BTreeMap<K, usize>, of: &K) {
    if let Some(count) = tasks.get_mut(of) {
        *count -= 1;
        if *count == 0 {
            tasks.remove(of);
        }
    }
}

/// When a reserved task is for anybody.
fn opens_up(task: &Kept) -> Option<TaskTime> {
    match task.condition {
        Condition::Ready {
            since,
            is_reserved: true,
        } => Some(since + task.affinity()?.hold?),
        _ => None,
    }
}

fn count(census: &mut BTreeMap<Kind, Counts>, task: &Kept, change: impl FnOnce(&mut usize)) {
    if !census.contains_key(&task.kind) {
        census.insert(task.kind.clone(), Counts::default());
    }
    if let Some(counts) = census.get_mut(&task.kind) {
        if let Some(counted) = counts.get_mut(task.state() as usize) {
            change(counted);
        }
        if *counts == Counts::default() {
            census.remove(&task.kind);
        }
    }
}
