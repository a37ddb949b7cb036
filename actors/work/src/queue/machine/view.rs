//! What people see of tasks.

use std::collections::BTreeSet;
use std::time::Duration;

use serde::Serialize;

use crate::error::Refusal;
use crate::record::Attempt;
use crate::task::{Priority, State};
use crate::time::TaskTime;
use crate::words::{Capability, Fence, Kind, Tag, TaskId, Worker};

use super::indexes::Counts;
use super::kept::{Condition, Kept};
use super::{Tasks, Totals};

/// The most tasks of one list; who wants more asks for those after the last.
pub const LIST_MAX: usize = 10_000;

/// Which tasks are listed: those that are as each part says that is given.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Filter {
    /// In one of these states.
    pub states: Vec<State>,
    /// Of that kind.
    pub kind: Option<Kind>,
    /// With that label.
    pub label: Option<(Tag, Tag)>,
    /// Submitted after that one.
    pub after: Option<TaskId>,
    /// Submitted before that one.
    pub before: Option<TaskId>,
    /// The latest first.
    pub latest_first: bool,
}

/// One task as people see it. Times are how long ago, or in how long.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct View {
    /// Which.
    pub task: TaskId,
    /// What sort of work it is.
    pub kind: Kind,
    /// Where it stands.
    pub state: State,
    /// How soon it is claimed.
    pub priority: Priority,
    /// How long ago it was submitted.
    pub age: Duration,
    /// For how long it has been ready.
    pub ready_for: Option<Duration>,
    /// How soon it may begin, where it waits for that.
    pub begins_in: Option<Duration>,
    /// How much time there is until its deadline.
    pub deadline_in: Option<Duration>,
    /// Whether its deadline passed.
    pub is_missed: bool,
    /// How often it was claimed.
    pub attempts: u32,
    /// Who has it, or had it when it ended.
    pub worker: Option<Worker>,
    /// The number of the lease it is under, or ended under.
    pub fence: Option<Fence>,
    /// How much longer the lease holds.
    pub lease_left: Option<Duration>,
    /// How far it is, in hundredths.
    pub percent: Option<u8>,
    /// How long ago it ended.
    pub ended_ago: Option<Duration>,
    /// Why it ended, where it is not done.
    pub why: Option<String>,
    /// What is to be done, where a single task is shown and that is still kept.
    pub body: Option<Vec<u8>>,
    /// Its result.
    pub result: Option<Vec<u8>>,
    /// Those that it still waits for.
    pub waits_for: Vec<TaskId>,
    /// What a worker must be able to do.
    pub needs: Vec<Capability>,
    /// Whom it would rather have, or has to have.
    pub wants: Option<Worker>,
    /// Its key.
    pub key: Option<String>,
    /// Its labels.
    pub labels: Vec<(Tag, Tag)>,
    /// The task it is a part of.
    pub parent: Option<TaskId>,
    /// What it may cost.
    pub budget: Option<u64>,
    /// How long an attempt may take.
    pub timeout: Option<Duration>,
    /// How often it is tried again where it fails.
    pub retries: u16,
    /// Its last attempts that did not succeed, oldest first.
    pub past: Vec<Attempt>,
}

/// All tasks in figures.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Overview {
    /// How many there ever were.
    pub totals: Totals,
    /// How many are open.
    pub open: usize,
    /// The bytes of their bodies, and of what is said of them besides.
    pub body_bytes: usize,
    /// The bytes that results take which tasks wait for, with what is set aside for those to come.
    pub inputs_bytes: usize,
    /// For how long the oldest ready one has been ready.
    pub oldest_ready: Option<Duration>,
    /// How many live leases there are.
    pub leases: usize,
    /// How many ended ones are kept, those whose results are waited for not counted.
    pub ended_kept: usize,
    /// How many dead ones are kept.
    pub dead_kept: usize,
    /// How many late results are kept.
    pub late_kept: usize,
    /// Whether no more are taken.
    pub is_draining: bool,
}

impl Tasks {
    /// One task as it is now.
    pub fn show(&self, id: TaskId, now: TaskTime) -> Result<View, Refusal> {
        let task = self.known(id)?;
        let body = (!task.body.is_empty()).then(|| task.body.to_vec());
        Ok(View {
            body,
            ..self.view(id, task, now.max(self.outline.now))
        })
    }

    /// Up to so many tasks that pass, in the order of their numbers or from the latest back.
    pub fn list(&self, filter: &Filter, most: usize, now: TaskTime) -> Vec<View> {
        let view = |(id, task): (&TaskId, &Kept)| self.view(*id, task, now.max(self.outline.now));
        let passing = |(_, task): &(&TaskId, &Kept)| filter.lets_pass(task);
        let most = most.min(LIST_MAX);
        if let Some(few) = self.few(filter) {
            let tasks = few.iter().filter_map(|id| Some((id, self.by_id.get(id)?)));
            return in_order(tasks.filter(passing), filter).take(most).map(view).collect();
        }
        let tasks = self.by_id.iter_between(filter.after, filter.before);
        in_order(tasks.filter(passing), filter).take(most).map(view).collect()
    }

    /// All that can pass, where that is known without a look at each task.
    fn few(&self, filter: &Filter) -> Option<BTreeSet<TaskId>> {
        let (mut is_held, mut is_dead) = (false, false);
        for state in &filter.states {
            match state {
                State::Claimed | State::Running => is_held = true,
                State::Dead => is_dead = true,
                _ => return None,
            }
        }
        let is_between = |id: &TaskId| {
            filter.after.is_none_or(|after| after < *id) && filter.before.is_none_or(|before| *id < before)
        };
        let held = is_held.then(|| self.indexes.leases.values().copied());
        let dead = is_dead.then(|| self.indexes.dead.tasks());
        let few = held.into_iter().flatten().chain(dead.into_iter().flatten());
        (is_held || is_dead).then(|| few.filter(is_between).collect())
    }

    /// The dead tasks that are kept, those that died first first.
    pub fn dead(&self) -> impl Iterator<Item = TaskId> {
        self.indexes.dead.tasks()
    }

    /// Whether any task has yet to end.
    pub const fn has_open(&self) -> bool {
        self.indexes.open > 0
    }

    /// Where a task stands, as far as it is known.
    pub fn state(&self, id: TaskId) -> Option<State> {
        self.by_id.get(&id).map(Kept::state)
    }

    /// All tasks in figures.
    pub fn overview(&self, now: TaskTime) -> Overview {
        Overview {
            totals: self.outline.totals,
            open: self.indexes.open,
            body_bytes: self.indexes.body_bytes,
            inputs_bytes: self.inputs_bytes(),
            oldest_ready: self
                .indexes
                .shelves
                .oldest()
                .map(|since| now.max(self.outline.now).since(since)),
            leases: self.indexes.leases.len(),
            ended_kept: self.indexes.ended.len(),
            dead_kept: self.indexes.dead.len(),
            late_kept: self.late.len(),
            is_draining: self.outline.is_draining,
        }
    }

    /// Open tasks by kind, each by state: blocked, ready, claimed, running.
    pub fn census(&self) -> impl Iterator<Item = (&Kind, &Counts)> {
        self.indexes.census.iter()
    }

    fn view(&self, id: TaskId, task: &Kept, now: TaskTime) -> View {
        let ago = |time: TaskTime| now.since(time);
        let ahead = |time: TaskTime| time.comes().then(|| time.since(now));
        let (lease, end, more) = (task.lease(), task.end(), task.more.as_deref());
        let is_awaited = |earlier: &&TaskId| self.waits.contains(&(**earlier, id));
        View {
            task: id,
            kind: task.kind.clone(),
            state: task.state(),
            priority: task.priority,
            age: ago(task.submitted),
            ready_for: match task.condition {
                Condition::Ready { since, .. } => Some(ago(since)),
                _ => None,
            },
            begins_in: match task.condition {
                Condition::Waiting { until } => ahead(until),
                _ => None,
            },
            deadline_in: ahead(task.deadline),
            is_missed: task.is_missed,
            attempts: task.attempts,
            worker: task.worker(),
            fence: lease.map(|lease| lease.fence).or(end.and_then(|end| end.fence)),
            lease_left: lease.and_then(|lease| ahead(lease.due())),
            percent: lease.and_then(|lease| lease.percent),
            ended_ago: end.map(|end| ago(end.at)),
            why: end
                .filter(|end| end.state != State::Done && !end.why.is_empty())
                .map(|end| end.why.to_string()),
            body: None,
            result: end
                .filter(|end| end.state == State::Done)
                .map(|end| end.result.to_vec()),
            waits_for: task.after().iter().filter(is_awaited).copied().collect(),
            needs: task.needs.to_vec(),
            wants: more.and_then(|more| Some(more.affinity.as_ref()?.worker.clone())),
            key: more.and_then(|more| Some(more.key.as_ref()?.to_string())),
            labels: more.map_or_else(Vec::new, |more| more.labels.to_vec()),
            parent: more.and_then(|more| more.parent),
            budget: more.and_then(|more| more.budget),
            timeout: task.tries.timeout(),
            retries: task.tries.retries,
            past: task.past().cloned().collect(),
        }
    }
}

fn in_order<'a, T: 'a>(
    tasks: impl DoubleEndedIterator<Item = T> + 'a,
    filter: &Filter,
) -> Box<dyn Iterator<Item = T> + 'a> {
    if filter.latest_first {
        Box::new(tasks.rev())
    } else {
        Box::new(tasks)
    }
}

impl Filter {
    fn lets_pass(&self, task: &Kept) -> bool {
        let labels = || task.more.iter().flat_map(|more| &more.labels);
        (self.states.is_empty() || self.states.contains(&task.state()))
            && self.kind.as_ref().is_none_or(|kind| *kind == task.kind)
            && self.label.as_ref().is_none_or(|label| labels().any(|one| one == label))
    }
}
