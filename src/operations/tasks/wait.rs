//! Waiting for tasks, with a sign of how far they are.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use clap::Args;
use futures_util::stream::{FuturesUnordered, StreamExt};
use serde::{Deserialize, Serialize};
use serde_json::json;
use tokio::sync::broadcast::{self, error::RecvError};
use triarch_supervision::clock::Moment;
use triarch_teams::Span;
use triarch_work::TaskAddress;
use triarch_work::error::{Refusal, TaskError};
use triarch_work::machine::{Event, View};
use triarch_work::task::State;
use triarch_work::words::TaskId;

use super::super::seen::millis;
use super::super::{Code, Operation, Trouble};
use super::nobody;
use super::seen::open_states;
use super::stretch::{Stretch, numbered, range};
use crate::fleet::Fleet;

/// How often whoever waits is told how far it is.
const TOLD_EVERY: Duration = Duration::from_millis(200);
/// With which of these it is told too what nobody takes, so that a short wait costs nothing more.
const LOOKED_FOR_TAKERS: u32 = 2;

/// Waits until tasks have ended, however they do.
#[derive(Args, Clone, Debug, Serialize, Deserialize)]
pub(crate) struct TaskWait {
    /// The numbers of the tasks, and ranges of them as in 7..12; without any, all that are open.
    #[arg(value_name = "TASK", value_parser = range)]
    #[serde(default)]
    pub(crate) tasks: Vec<Stretch>,
    /// How long to wait; without end where nothing is said.
    #[arg(long, value_name = "TIME")]
    #[serde(default)]
    pub(crate) within: Option<Span>,
}

/// How tasks ended that were waited for.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Waited {
    /// How many were waited for.
    pub(crate) tasks: usize,
    /// How many ended, by how.
    pub(crate) ended: BTreeMap<String, usize>,
    /// How many more ended of which it is not known how: so many have ended since that they are kept no more.
    #[serde(default)]
    pub(crate) kept_no_more: usize,
    /// Those that did not end well, the first of them.
    pub(crate) troubles: Vec<TaskId>,
    pub(crate) took_ms: u64,
}

/// So many of those that did not end well are named.
const TROUBLES: usize = 10;
/// So many are waited for at a time.
const AT_ONCE: usize = 1_000;
/// So many can be waited for in one question: as many as may be open where nobody says otherwise.
const TASKS_MAX: u64 = 2_000_000;

impl Waited {
    pub(crate) fn count_ended(&self) -> usize {
        self.ended.values().sum::<usize>() + self.kept_no_more
    }
}

/// Tasks whose ends are waited for, each of which counts once however often it is told.
struct Awaited {
    left: BTreeSet<TaskId>,
    /// All tasks up to that number had been submitted when the wait began.
    submitted: u64,
    waited: Waited,
}

impl Awaited {
    fn new(tasks: BTreeSet<TaskId>, submitted: u64) -> Self {
        let waited = Waited {
            tasks: tasks.len(),
            ..Waited::default()
        };
        Self {
            left: tasks,
            submitted,
            waited,
        }
    }

    fn ended(&mut self, task: TaskId, state: State) {
        if !self.left.remove(&task) {
            return;
        }
        let waited = &mut self.waited;
        *waited.ended.entry(state.label().to_owned()).or_default() += 1;
        if state != State::Done && waited.troubles.len() < TROUBLES {
            waited.troubles.push(task);
        }
    }

    /// What came of a question for the end of a task. One that was submitted and is kept no more has ended.
    fn heard(&mut self, view: Result<View, TaskError>) -> Result<(), TaskError> {
        match view {
            Ok(view) => self.ended(view.task, view.state),
            Err(TaskError::Refused(Refusal::NoSuchTask { task })) if task.number() <= self.submitted => {
                self.waited.kept_no_more += usize::from(self.left.remove(&task));
            }
            Err(why) => return Err(why),
        }
        Ok(())
    }
}

impl Operation for TaskWait {
    const NAME: &'static str = "task.wait";
    type Output = Waited;

    fn answered_within(&self) -> Option<Duration> {
        None
    }

    fn stays(&self) -> bool {
        true
    }

    async fn perform(self, fleet: &Fleet) -> Result<Waited, Trouble> {
        let begun = Moment::now();
        let until = self.within.map(|within| begun + within.0);
        let tasks = fleet.tasks()?;
        // Before it is asked which there are, so that no end is missed between.
        let mut events = fleet.task_events()?.hear();
        let numbers = self.numbers(tasks).await?;
        let submitted = tasks.overview().await?.totals.submitted;
        let mut awaited = Awaited::new(numbers.clone(), submitted);
        let mut numbers = numbers.into_iter();
        let mut waiting = FuturesUnordered::new();
        let (mut ticks, mut told) = (tokio::time::interval(TOLD_EVERY), 0);
        while !awaited.left.is_empty() {
            let unasked = numbers.by_ref().filter(|task| awaited.left.contains(task));
            waiting.extend(unasked.take(AT_ONCE - waiting.len()).map(|task| tasks.wait(task)));
            tokio::select! {
                biased;
                Some(view) = waiting.next() => awaited.heard(view)?,
                (task, state) = end(&mut events) => awaited.ended(task, state),
                _ = ticks.tick() => {
                    fleet.tell(json!({ "ended": awaited.waited.count_ended(), "of": awaited.waited.tasks })).await;
                    told += 1;
                    if told == LOOKED_FOR_TAKERS {
                        tell_of_nobody(fleet, &awaited.left).await?;
                    }
                }
                () = passed(until) => return Err(self.too_long(&awaited.waited)),
            }
        }
        let mut waited = awaited.waited;
        waited.took_ms = millis(Moment::now().since(begun));
        Ok(waited)
    }
}

/// Tells what is waited for in vain, as far as that can be known.
async fn tell_of_nobody(fleet: &Fleet, tasks: &BTreeSet<TaskId>) -> Result<(), Trouble> {
    for told in nobody::told_among(fleet, tasks).await? {
        fleet.tell(json!({ "in_vain": told })).await;
    }
    Ok(())
}

/// The next end of a task that is told; those that are missed are asked for.
async fn end(events: &mut broadcast::Receiver<Event>) -> (TaskId, State) {
    loop {
        match events.recv().await {
            Ok(Event::Ended { task, state, .. }) => return (task, state),
            Ok(_) | Err(RecvError::Lagged(_)) => {}
            Err(RecvError::Closed) => std::future::pending().await,
        }
    }
}

async fn passed(until: Option<Moment>) {
    match until {
        Some(until) => tokio::time::sleep_until(until.instant()).await,
        None => std::future::pending().await,
    }
}

impl TaskWait {
    /// Waits for these, however many they are.
    pub(crate) fn for_all(tasks: impl Iterator<Item = TaskId>) -> Self {
        Self {
            tasks: Stretch::of(tasks),
            within: None,
        }
    }

    async fn numbers(&self, tasks: &TaskAddress) -> Result<BTreeSet<TaskId>, Trouble> {
        if self.tasks.is_empty() {
            return open(tasks).await;
        }
        numbered(&self.tasks, TASKS_MAX)
    }

    fn too_long(&self, waited: &Waited) -> Trouble {
        let within = self.within.map_or_else(String::new, |within| within.to_string());
        let (ended, of) = (waited.count_ended(), waited.tasks);
        Trouble::new(
            Code::NoReceipt,
            format!("after {within} {ended} of {of} tasks have ended"),
            "wait longer with --within, or see `triarch task list`",
        )
    }
}

/// All that have not ended.
async fn open(tasks: &TaskAddress) -> Result<BTreeSet<TaskId>, Trouble> {
    let mut filter = triarch_work::machine::Filter {
        states: open_states(),
        ..triarch_work::machine::Filter::default()
    };
    let mut found = BTreeSet::new();
    loop {
        let page = tasks.list(filter.clone(), AT_ONCE).await?;
        found.extend(page.iter().map(|view| view.task));
        if page.len() < AT_ONCE {
            return Ok(found);
        }
        filter.after = found.last().copied();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn as_many_are_waited_for_as_may_be_open() {
        let most = triarch_work::Config::default().open_max;
        assert!(u64::try_from(most).unwrap() <= TASKS_MAX, "{most}");
    }

    #[test]
    fn a_task_counts_once_however_its_end_is_heard_and_one_that_is_kept_no_more_has_ended() {
        let [one, two, three, later] = [1, 2, 3, 9].map(TaskId::new);
        let mut awaited = Awaited::new([one, two, three].into(), 3);
        let gone = |task| Err(TaskError::Refused(Refusal::NoSuchTask { task }));
        awaited.ended(two, State::Dead);
        awaited.ended(later, State::Done);
        for _ in 0..2 {
            awaited.ended(one, State::Done);
            awaited.heard(gone(one)).unwrap();
            awaited.heard(gone(three)).unwrap();
        }
        let ended = [("dead".to_owned(), 1), ("done".to_owned(), 1)].into();
        let expected = Waited {
            tasks: 3,
            ended,
            kept_no_more: 1,
            troubles: vec![two],
            took_ms: 0,
        };
        assert!(awaited.left.is_empty());
        assert_eq!(awaited.waited, expected);
        assert!(
            awaited.heard(gone(later)).is_err(),
            "there never was one of that number"
        );
        assert!(awaited.heard(Err(TaskError::TooManyWait)).is_err());
    }
}
