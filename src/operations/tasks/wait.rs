//! Waiting for tasks, with a sign of how far they are.

use std::collections::BTreeMap;
use std::time::Duration;

use clap::Args;
use futures_util::stream::{FuturesUnordered, StreamExt};
use serde::{Deserialize, Serialize};
use serde_json::json;
use triarch_supervision::clock::Moment;
use triarch_teams::Span;
use triarch_work::TaskAddress;
use triarch_work::machine::View;
use triarch_work::words::TaskId;

use super::super::posts::span;
use super::super::seen::millis;
use super::super::{Code, Operation, Trouble};
use super::task_id;
use crate::fleet::Fleet;

/// How often whoever waits is told how far it is.
const TOLD_EVERY: Duration = Duration::from_millis(200);

/// Waits until tasks have ended, however they do.
#[derive(Args, Clone, Debug, Serialize, Deserialize)]
pub(crate) struct TaskWait {
    /// The numbers of the tasks, and ranges of them as in 7..12; without any, all that are open.
    #[arg(value_name = "TASK", value_parser = range)]
    #[serde(default)]
    pub(crate) tasks: Vec<Stretch>,
    /// How long to wait; without end where nothing is said.
    #[arg(long, value_name = "TIME", value_parser = span)]
    #[serde(default)]
    pub(crate) within: Option<Span>,
}

/// Tasks in a row: from the first to the last.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Stretch(pub(crate) TaskId, pub(crate) TaskId);

fn range(text: &str) -> Result<Stretch, String> {
    let (first, last) = text.split_once("..").unwrap_or((text, text));
    let (first, last) = (task_id(first)?, task_id(last)?);
    if last < first {
        return Err(format!("{text} ends before it begins"));
    }
    Ok(Stretch(first, last))
}

/// How tasks ended that were waited for.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Waited {
    /// How many were waited for.
    pub(crate) tasks: usize,
    /// How many ended, by how.
    pub(crate) ended: BTreeMap<String, usize>,
    /// Those that did not end well, the first of them.
    pub(crate) troubles: Vec<TaskId>,
    pub(crate) took_ms: u64,
}

/// So many of those that did not end well are named.
const TROUBLES: usize = 10;
/// So many are waited for at a time.
const AT_ONCE: usize = 1_000;
/// So many can be waited for in one question.
const TASKS_MAX: u64 = 1_000_000;

impl Waited {
    fn count(&mut self, view: &View) {
        *self.ended.entry(view.state.label().to_owned()).or_default() += 1;
        if view.state.label() != "done" && self.troubles.len() < TROUBLES {
            self.troubles.push(view.task);
        }
    }

    pub(crate) fn count_ended(&self) -> usize {
        self.ended.values().sum()
    }
}

impl Operation for TaskWait {
    const NAME: &'static str = "task.wait";
    type Output = Waited;

    fn answered_within(&self) -> Option<Duration> {
        None
    }

    async fn perform(self, fleet: &Fleet) -> Result<Waited, Trouble> {
        let begun = Moment::now();
        let until = self.within.map(|within| begun + within.0);
        let tasks = fleet.tasks()?;
        let mut numbers = self.numbers(tasks).await?.into_iter();
        let mut waited = Waited {
            tasks: numbers.len(),
            ..Waited::default()
        };
        let mut waiting = FuturesUnordered::new();
        let mut ticks = tokio::time::interval(TOLD_EVERY);
        loop {
            let room = AT_ONCE - waiting.len();
            waiting.extend(numbers.by_ref().take(room).map(|task| tasks.wait(task)));
            tokio::select! {
                biased;
                view = waiting.next() => match view {
                    Some(view) => waited.count(&view?),
                    None => break,
                },
                _ = ticks.tick() => fleet.tell(json!({ "ended": waited.count_ended(), "of": waited.tasks })).await,
                () = passed(until) => return Err(self.too_long(&waited)),
            }
        }
        waited.took_ms = millis(Moment::now().since(begun));
        Ok(waited)
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
        let mut stretches: Vec<Stretch> = Vec::new();
        for task in tasks {
            match stretches.last_mut() {
                Some(stretch) if stretch.1.number() + 1 == task.number() => stretch.1 = task,
                _ => stretches.push(Stretch(task, task)),
            }
        }
        Self {
            tasks: stretches,
            within: None,
        }
    }

    async fn numbers(&self, tasks: &TaskAddress) -> Result<Vec<TaskId>, Trouble> {
        if self.tasks.is_empty() {
            return open(tasks).await;
        }
        if let Some(Stretch(first, last)) = self.tasks.iter().find(|Stretch(first, last)| last < first) {
            let message = format!("{first}..{last} ends before it begins");
            return Err(Trouble::new(Code::Usage, message, "name the lower number first"));
        }
        let counts = self
            .tasks
            .iter()
            .map(|Stretch(first, last)| last.number().saturating_sub(first.number()).saturating_add(1));
        let count = counts.fold(0, u64::saturating_add);
        if count > TASKS_MAX {
            let message = format!("{count} tasks are more than can be waited for at once");
            return Err(Trouble::new(Code::Usage, message, format!("name {TASKS_MAX} or fewer")));
        }
        let numbers = self
            .tasks
            .iter()
            .flat_map(|Stretch(first, last)| first.number()..=last.number());
        Ok(numbers.map(TaskId::new).collect())
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
async fn open(tasks: &TaskAddress) -> Result<Vec<TaskId>, Trouble> {
    use triarch_work::task::State;
    let states = State::ALL.into_iter().filter(|state| !state.is_end()).collect();
    let mut filter = triarch_work::machine::Filter {
        states,
        ..triarch_work::machine::Filter::default()
    };
    let mut found = Vec::new();
    loop {
        let page = tasks.list(filter.clone(), AT_ONCE).await?;
        found.extend(page.iter().map(|view| view.task));
        if page.len() < AT_ONCE {
            return Ok(found);
        }
        filter.after = found.last().copied();
    }
}
