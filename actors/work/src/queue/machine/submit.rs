//! Tasks come in: all of a batch, or none.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use crate::error::{Link, Refusal};
use crate::record::{Entrant, More, Record, Tries};
use crate::task::{Accepted, After, State, Submission};
use crate::time::{TaskTime, millis};
use crate::words::{Capability, Key, TaskId, Worker};

use super::kept::{Kept, bytes_said};
use super::{Event, Tasks, Turn, circle};

/// The most tasks of a batch.
pub const BATCH_MAX: usize = 10_000;
/// The longest body, and the longest result.
pub(super) const BODY_MAX: usize = 1 << 20;
const AFTER_MAX: usize = 1_024;
const NEEDS_MAX: usize = 16;
const LABELS_MAX: usize = 16;
/// The most workers that open tasks are kept for.
const RESERVED_MAX: usize = 1 << 14;
const WAIT_MAX: Duration = Duration::from_hours(24 * 30);

/// A batch with its places sorted out: which are new, and which task each becomes.
struct Batch {
    accepted: Vec<Accepted>,
    /// The places of new tasks.
    new: Vec<usize>,
    keys: BTreeMap<Key, usize>,
}

impl Tasks {
    /// Submits all of `batch`, or none. Those whose key is known already are what they were.
    pub fn submit(&mut self, turn: &mut Turn, batch: Vec<Submission>) -> Result<Vec<Accepted>, Refusal> {
        self.advance(turn)?;
        let sorted = self.sort_out(&batch);
        if sorted.new.is_empty() {
            return Ok(sorted.accepted);
        }
        if self.outline.is_draining {
            return Err(Refusal::Draining);
        }
        // Before anything is looked for that it names: it may name far more than it may.
        for (place, submission) in sorted.new.iter().filter_map(|place| Some((*place, batch.get(*place)?))) {
            fits(place, submission)?;
        }
        self.has_room_for(&batch, &sorted.new)?;
        let after = self.resolved(&batch, &sorted)?;
        find_circle(&batch, &sorted, &after)?;
        let mut tasks = Vec::with_capacity(sorted.new.len());
        for (place, submission) in batch.into_iter().enumerate() {
            if is_new(&sorted, place) {
                let after = after.get(&place).cloned().unwrap_or_default();
                tasks.push(new_task(submission, after, turn.now));
            }
        }
        let workers = tasks.iter().filter_map(|task| task.more.as_ref()?.affinity.as_deref());
        self.has_shelves_for(
            tasks.iter().map(|task| &*task.needs),
            workers.map(|affinity| &affinity.worker),
        )?;
        self.has_room_for_inputs(&tasks)?;
        self.commit(turn, Record::Submitted { at: turn.now, tasks })?;
        Ok(sorted.accepted)
    }

    fn sort_out(&self, batch: &[Submission]) -> Batch {
        let mut sorted = Batch {
            accepted: Vec::with_capacity(batch.len()),
            new: Vec::new(),
            keys: BTreeMap::new(),
        };
        let mut next = self.outline.next_task;
        for (place, submission) in batch.iter().enumerate() {
            let known = submission.key.as_ref().and_then(|key| {
                let earlier = sorted.keys.get(key).and_then(|place| sorted.accepted.get(*place));
                self.keys.get(key).copied().or(earlier.map(|accepted| accepted.task))
            });
            let is_known = known.is_some();
            let task = known.unwrap_or(next);
            if !is_known {
                next = next.next();
                sorted.new.push(place);
            }
            if let Some(key) = &submission.key {
                sorted.keys.entry(key.clone()).or_insert(place);
            }
            sorted.accepted.push(Accepted { task, is_known });
        }
        sorted
    }

    fn has_room_for(&self, batch: &[Submission], new: &[usize]) -> Result<(), Refusal> {
        let bodies = new.iter().filter_map(|place| batch.get(*place));
        let bytes = bodies.map(said_of).sum();
        if new.len() > BATCH_MAX {
            return Err(self.full(new.len()));
        }
        self.has_room(new.len(), bytes)
    }

    /// Whether so many more may be open, of so many bytes.
    pub(super) fn has_room(&self, more: usize, bytes: usize) -> Result<(), Refusal> {
        let too_many = self.indexes.open + more > self.config.open_max;
        if too_many || self.indexes.body_bytes + bytes > self.config.body_bytes_max {
            return Err(self.full(more));
        }
        Ok(())
    }

    fn full(&self, more: usize) -> Refusal {
        Refusal::Full {
            open: self.indexes.open,
            bytes: self.indexes.body_bytes,
            more,
        }
    }

    /// Whether there is room for what tasks need, and for those whom they are kept for.
    pub(super) fn has_shelves_for<'a>(
        &self,
        needs: impl Iterator<Item = &'a [Capability]>,
        workers: impl Iterator<Item = &'a Worker>,
    ) -> Result<(), Refusal> {
        let (known, most) = (&self.indexes.needs, self.config.needs_max);
        let more = needs.filter(|needs| !known.contains_key(*needs));
        if let Some(count) = too_many(known.len(), &more.collect(), most) {
            let problem = format!("needs that are the {count}th of their sort");
            return Err(unfit(problem, "let tasks share sets of capabilities"));
        }
        let known = &self.indexes.reserved;
        let more = workers.filter(|worker| !known.contains_key(*worker));
        if let Some(count) = too_many(known.len(), &more.collect(), RESERVED_MAX) {
            let problem = format!("a worker that is the {count}th for whom tasks are kept");
            return Err(unfit(problem, "let tasks share workers, or leave it to others too"));
        }
        Ok(())
    }

    /// What each new task of the batch comes after, by the place of the later one.
    fn resolved(&self, batch: &[Submission], sorted: &Batch) -> Result<BTreeMap<usize, Vec<TaskId>>, Refusal> {
        let mut resolved = BTreeMap::new();
        for (place, submission) in sorted.new.iter().filter_map(|place| Some((*place, batch.get(*place)?))) {
            let (mut after, mut seen) = (Vec::new(), BTreeSet::new());
            for earlier in &submission.after {
                let task = self.resolve(place, earlier, sorted)?;
                if seen.insert(task) {
                    after.push(task);
                }
            }
            if let Some(parent) = submission.parent {
                self.known(parent).map_err(|refusal| names(place, refusal))?;
            }
            if !after.is_empty() {
                resolved.insert(place, after);
            }
        }
        Ok(resolved)
    }

    fn resolve(&self, place: usize, earlier: &After, sorted: &Batch) -> Result<TaskId, Refusal> {
        let accepted = |place: usize| sorted.accepted.get(place).map(|accepted| accepted.task);
        let found = match earlier {
            After::Task(task) => Some(*task).filter(|task| *task < self.outline.next_task),
            After::Key(key) => {
                let here = sorted.keys.get(key).and_then(|place| accepted(*place));
                here.or_else(|| self.keys.get(key).copied())
            }
            After::Place(place) => usize::try_from(*place).ok().and_then(accepted),
        };
        let task = found.ok_or_else(|| Refusal::Unfit {
            place,
            problem: format!("a prerequisite that there is not: {}", absent(earlier)),
            remedy: "name one of the batch, or one that is kept",
        })?;
        if task >= self.outline.next_task {
            return Ok(task);
        }
        let known = self.known(task).map_err(|refusal| names(place, refusal))?;
        let state = known.state();
        if state.is_end() && state != State::Done {
            let remedy = "it will hand nothing on; leave it out";
            return Err(names(place, Refusal::WrongState { task, state, remedy }));
        }
        Ok(task)
    }

    pub(super) fn apply_submitted(&mut self, at: TaskTime, tasks: Vec<Entrant>, events: &mut Vec<Event>) {
        let first = self.outline.next_task;
        for task in tasks {
            let id = self.outline.next_task;
            self.outline.next_task = id.next();
            self.outline.totals.submitted += 1;
            let shared = self.indexes.needs.get_key_value(&*task.needs);
            let needs = shared.map_or_else(|| task.needs.as_ref().into(), |(needs, _)| needs.clone());
            let key = task.more.as_ref().and_then(|more| more.key.clone());
            if let Some(earlier) = key.and_then(|key| self.keys.insert(key, id)) {
                // So the first version had forgotten that one, and did not write it.
                self.forget(earlier);
            }
            let kept = Kept::of(task, at, needs);
            events.push(Event::Submitted {
                task: id,
                kind: kept.kind.clone(),
                priority: kept.priority,
            });
            self.indexes.stake(id, &kept, kept.stake());
            self.indexes.enter(id, &kept, &self.config);
            self.by_id.insert(id, kept);
        }
        let mut id = first;
        while id < self.outline.next_task {
            self.settle(id, at, events);
            id = id.next();
        }
    }

    /// Looks at what a new task waits for.
    fn settle(&mut self, id: TaskId, at: TaskTime, events: &mut Vec<Event>) {
        let Some(task) = self.by_id.get(&id) else { return };
        let super::Condition::Blocked { until, .. } = task.condition else {
            return;
        };
        let after: Vec<TaskId> = task.after().to_vec();
        let mut unmet = 0;
        for earlier in after {
            if self.by_id.get(&earlier).is_some_and(Kept::is_open) {
                self.waits.insert((earlier, id));
                unmet += 1;
            } else {
                self.pin(earlier);
            }
        }
        if unmet == 0 {
            self.place_at(id, until, at, events);
        } else {
            self.shift(id, |task| task.condition = super::Condition::Blocked { unmet, until });
        }
    }
}

/// How many there would be with those, where that is more than so many.
fn too_many<T: Ord>(known: usize, more: &BTreeSet<T>, most: usize) -> Option<usize> {
    let count = known + more.len();
    (!more.is_empty() && count > most).then_some(count)
}

fn names(place: usize, refusal: Refusal) -> Refusal {
    let refusal = Box::new(refusal);
    Refusal::Names { place, refusal }
}

fn unfit(problem: String, remedy: &'static str) -> Refusal {
    Refusal::Unfit {
        place: 0,
        problem,
        remedy,
    }
}

/// What counts of a task that is to come as long as it is open.
fn said_of(submission: &Submission) -> usize {
    let labels = submission.labels.iter();
    let labels = labels.flat_map(|(name, value)| [name.as_str(), value.as_str()]);
    let key = submission.key.as_ref().map(Key::as_str);
    let worker = submission.affinity.as_ref().map(|affinity| affinity.worker.as_str());
    let texts = labels.chain(key).chain(worker);
    bytes_said(submission.body.len(), submission.after.len(), texts)
}

/// What there is not.
fn absent(earlier: &After) -> String {
    match earlier {
        After::Task(task) => format!("no task {task}"),
        After::Key(key) => format!("no task with the key {key}"),
        After::Place(place) => format!("no place {place}"),
    }
}

fn is_new(sorted: &Batch, place: usize) -> bool {
    sorted.accepted.get(place).is_some_and(|accepted| !accepted.is_known)
}

fn find_circle(batch: &[Submission], sorted: &Batch, after: &BTreeMap<usize, Vec<TaskId>>) -> Result<(), Refusal> {
    let places: BTreeMap<TaskId, usize> = sorted
        .new
        .iter()
        .filter_map(|place| Some((sorted.accepted.get(*place)?.task, *place)))
        .collect();
    let within = |place: usize| {
        let earlier = after.get(&place).into_iter().flatten();
        earlier.filter_map(|task| places.get(task).copied()).collect()
    };
    let graph: Vec<Vec<usize>> = (0..batch.len()).map(within).collect();
    let Some(found) = circle::find(&graph) else {
        return Ok(());
    };
    let name = |place: usize| match batch.get(place).and_then(|submission| submission.key.as_ref()) {
        Some(key) => Link::Key(key.clone()),
        None => Link::Place(place),
    };
    Err(Refusal::Cycle {
        cycle: found.into_iter().map(name).collect(),
    })
}

fn fits(place: usize, submission: &Submission) -> Result<(), Refusal> {
    let Submission { retry, .. } = submission;
    let longest = [submission.timeout, Some(retry.first), Some(retry.longest)]
        .into_iter()
        .flatten()
        .max();
    let count =
        |what: &str, count: usize, most: usize| (count > most).then(|| format!("{count} {what}, more than {most}"));
    let problem = count("bytes of body", submission.body.len(), BODY_MAX)
        .or_else(|| count("prerequisites", submission.after.len(), AFTER_MAX))
        .or_else(|| count("needed capabilities", submission.needs.len(), NEEDS_MAX))
        .or_else(|| count("labels", submission.labels.len(), LABELS_MAX))
        .or_else(|| (longest > Some(WAIT_MAX)).then(|| "a timeout or a wait of more than 30 days".to_owned()))
        .or_else(|| (submission.timeout == Some(Duration::ZERO)).then(|| "no time for an attempt".to_owned()))
        .or_else(|| (retry.first > retry.longest).then(|| "a first wait that is longer than its longest".to_owned()))
        .or_else(|| count("hundredths of jitter", retry.jitter_percent.into(), 100));
    let remedy = "submit it with less";
    problem.map_or(Ok(()), |problem| Err(Refusal::Unfit { place, problem, remedy }))
}

fn new_task(submission: Submission, after: Vec<TaskId>, now: TaskTime) -> Entrant {
    let timeout = submission.timeout.map_or(0, millis);
    let mut needs = submission.needs;
    needs.sort_unstable();
    needs.dedup();
    let more = More {
        after: after.into(),
        affinity: submission.affinity.map(Box::new),
        key: submission.key,
        labels: submission.labels.into_iter().collect(),
        budget: submission.budget,
        parent: submission.parent,
        past: Vec::new(),
    };
    Entrant {
        kind: submission.kind,
        body: submission.body.into(),
        priority: submission.priority,
        deadline: submission.deadline.map_or(TaskTime::NEVER, |time| now + time),
        cancel_when_missed: submission.cancel_when_missed,
        not_before: submission.not_before.map_or(now, |time| now + time),
        tries: Tries::of(&submission.retry, u32::try_from(timeout).unwrap_or(u32::MAX)),
        needs: needs.into(),
        more: (more != More::default()).then(|| Box::new(more)),
    }
}
