//! Tasks as operations show them.

use std::collections::BTreeMap;
use std::str::FromStr;

use clap::Args;
use serde::{Deserialize, Serialize};
use serde_json::Value;
use triarch_work::machine::{Filter, View};
use triarch_work::task::State;
use triarch_work::words::{Kind, Tag, TaskId};

use super::super::seen::millis;
use super::super::{Code, Operation, Trouble, written_as};
use super::nobody::Takers;
use super::task_id;
use crate::fleet::Fleet;

/// One task.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(crate) struct TaskSeen {
    pub(crate) task: TaskId,
    pub(crate) kind: String,
    pub(crate) state: String,
    pub(crate) priority: String,
    /// How long ago it was submitted.
    pub(crate) age_ms: u64,
    pub(crate) ready_for_ms: Option<u64>,
    pub(crate) begins_in_ms: Option<u64>,
    pub(crate) deadline_in_ms: Option<u64>,
    pub(crate) is_missed: bool,
    /// How often it was claimed.
    pub(crate) attempts: u32,
    /// Who has it, or had it when it ended.
    pub(crate) worker: Option<String>,
    pub(crate) fence: Option<u64>,
    pub(crate) lease_left_ms: Option<u64>,
    pub(crate) percent: Option<u8>,
    pub(crate) ended_ago_ms: Option<u64>,
    /// Whether no agent takes tasks that is able to do it; told by `task show` alone.
    #[serde(default)]
    pub(crate) is_for_nobody: bool,
    /// Who could do it and what brings it back, where nobody takes it until then; told by `task show` alone.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) taker_away: Option<String>,
    /// Why it ended.
    pub(crate) why: Option<String>,
    pub(crate) result: Option<Value>,
    pub(crate) waits_for: Vec<TaskId>,
    /// What an agent must be able to do.
    pub(crate) needs: Vec<String>,
    /// The agent that it is for.
    pub(crate) wants: Option<String>,
    pub(crate) key: Option<String>,
    pub(crate) labels: BTreeMap<String, String>,
    pub(crate) parent: Option<TaskId>,
    /// What is to be done, where that is still kept; told by `task show` alone, as is what came too late.
    #[serde(default)]
    pub(crate) body: Option<Value>,
    /// What it may cost.
    #[serde(default)]
    pub(crate) budget: Option<u64>,
    /// How long an attempt may take.
    #[serde(default)]
    pub(crate) timeout_ms: Option<u64>,
    /// How often it is tried again where it fails.
    #[serde(default)]
    pub(crate) retries: u16,
    /// Its last attempts that did not succeed, oldest first.
    pub(crate) past: Vec<AttemptSeen>,
    /// What was said of it when it was too late to count, oldest first, as far as that is kept.
    #[serde(default)]
    pub(crate) late: Vec<LateSeen>,
}

/// What was said of a task under a lease that was over.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(crate) struct LateSeen {
    pub(crate) fence: u64,
    /// Whether it was done; else it had failed.
    pub(crate) is_done: bool,
    /// The result, or why it had failed.
    pub(crate) said: Value,
}

/// An attempt that did not succeed.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct AttemptSeen {
    pub(crate) worker: String,
    pub(crate) fence: u64,
    pub(crate) took_ms: u64,
    pub(crate) why: String,
}

impl From<View> for TaskSeen {
    fn from(view: View) -> Self {
        let past = view.past.iter().map(|attempt| AttemptSeen {
            worker: attempt.worker.to_string(),
            fence: attempt.fence.number(),
            took_ms: millis(attempt.ended.since(attempt.claimed)),
            why: attempt.why.to_string(),
        });
        Self {
            past: past.collect(),
            late: Vec::new(),
            body: view.body.as_deref().map(triarch_work::as_value),
            budget: view.budget,
            timeout_ms: view.timeout.map(millis),
            retries: view.retries,
            kind: view.kind.to_string(),
            state: view.state.label().to_owned(),
            priority: written_as(&view.priority),
            age_ms: millis(view.age),
            ready_for_ms: view.ready_for.map(millis),
            begins_in_ms: view.begins_in.map(millis),
            deadline_in_ms: view.deadline_in.map(millis),
            is_missed: view.is_missed,
            attempts: view.attempts,
            worker: view.worker.map(|worker| worker.to_string()),
            fence: view.fence.map(triarch_work::words::Fence::number),
            lease_left_ms: view.lease_left.map(millis),
            percent: view.percent,
            ended_ago_ms: view.ended_ago.map(millis),
            is_for_nobody: false,
            taker_away: None,
            why: view.why,
            result: view.result.as_deref().map(triarch_work::as_value),
            waits_for: view.waits_for,
            needs: view.needs.iter().map(ToString::to_string).collect(),
            wants: view.wants.map(|worker| worker.to_string()),
            key: view.key,
            labels: view
                .labels
                .into_iter()
                .map(|(name, value)| (name.to_string(), value.to_string()))
                .collect(),
            parent: view.parent,
            task: view.task,
        }
    }
}

/// A label as it is asked for: `name=value`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct LabelAsked(pub(crate) Tag, pub(crate) Tag);

impl FromStr for LabelAsked {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let (name, value) = text
            .split_once('=')
            .ok_or_else(|| format!("{text:?} is no label; write it as name=value"))?;
        let tag = |text: &str| Tag::new(text).map_err(|error| error.to_string());
        Ok(Self(tag(name)?, tag(value)?))
    }
}

/// Which tasks are meant: those that are as each part says that is given.
#[derive(Args, Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub(crate) struct Which {
    /// Only those in that state; may be given several times.
    #[arg(long, value_name = "STATE", value_parser = state)]
    #[serde(default)]
    pub(crate) state: Vec<State>,
    /// Only those of that kind.
    #[arg(long, value_name = "KIND", value_parser = kind)]
    #[serde(default)]
    pub(crate) kind: Option<Kind>,
    /// Only those with that label, as name=value.
    #[arg(long, value_name = "LABEL")]
    #[serde(default)]
    pub(crate) label: Option<LabelAsked>,
}

impl Which {
    pub(super) fn filter(&self, after: Option<TaskId>) -> Filter {
        Filter {
            states: self.state.clone(),
            kind: self.kind.clone(),
            label: self.label.clone().map(|LabelAsked(name, value)| (name, value)),
            after,
            ..Filter::default()
        }
    }
}

fn state(text: &str) -> Result<State, String> {
    let found = State::ALL.into_iter().find(|state| state.label() == text);
    found.ok_or_else(|| format!("there are {}", State::ALL.map(State::label).join(", ")))
}

pub(crate) fn kind(text: &str) -> Result<Kind, String> {
    Kind::new(text).map_err(|error| error.to_string())
}

/// Lists tasks, in the order they were submitted, or the latest first.
#[derive(Args, Clone, Debug, Default, Serialize, Deserialize)]
pub(crate) struct TaskList {
    #[command(flatten)]
    #[serde(flatten)]
    pub(crate) which: Which,
    /// Only those that have not ended.
    #[arg(long, conflicts_with = "state")]
    #[serde(default)]
    pub(crate) open: bool,
    /// The latest first.
    #[arg(long)]
    #[serde(default)]
    pub(crate) newest: bool,
    /// Only those submitted after that one.
    #[arg(long, value_name = "TASK", value_parser = task_id)]
    #[serde(default)]
    pub(crate) after: Option<TaskId>,
    /// Only those submitted before that one.
    #[arg(long, value_name = "TASK", value_parser = task_id)]
    #[serde(default)]
    pub(crate) before: Option<TaskId>,
    /// No more than so many; a list ends at 10000.
    #[arg(long, value_name = "COUNT", default_value_t = MOST)]
    #[serde(default = "most")]
    pub(crate) most: usize,
}

/// So many are listed where nothing else is said.
pub(crate) const MOST: usize = 100;

fn most() -> usize {
    MOST
}

impl Operation for TaskList {
    const NAME: &'static str = "task.list";
    type Output = Vec<TaskSeen>;

    async fn perform(self, fleet: &Fleet) -> Result<Vec<TaskSeen>, Trouble> {
        let views = fleet.tasks()?.list(self.filter()?, self.most).await?;
        Ok(views.into_iter().map(TaskSeen::from).collect())
    }
}

impl TaskList {
    fn filter(&self) -> Result<Filter, Trouble> {
        let mut filter = self.which.filter(self.after);
        if self.open {
            if !filter.states.is_empty() {
                let remedy = "leave out `open` or `state`";
                return Err(Trouble::new(Code::Usage, "`open` says already in which states", remedy));
            }
            filter.states = open_states();
        }
        Ok(Filter {
            before: self.before,
            latest_first: self.newest,
            ..filter
        })
    }
}

/// Those of tasks that have not ended.
pub(super) fn open_states() -> Vec<State> {
    State::ALL.into_iter().filter(|state| !state.is_end()).collect()
}

/// Lists tasks that failed, or were lost, as often as they may.
#[derive(Args, Clone, Copy, Debug, Default, Serialize, Deserialize)]
pub(crate) struct TasksDead {
    /// Only those submitted after that one.
    #[arg(long, value_name = "TASK", value_parser = task_id)]
    #[serde(default)]
    pub(crate) after: Option<TaskId>,
    /// No more than so many; a list ends at 10000.
    #[arg(long, value_name = "COUNT", default_value_t = MOST)]
    #[serde(default = "most")]
    pub(crate) most: usize,
}

impl Operation for TasksDead {
    const NAME: &'static str = "task.dead";
    type Output = Vec<TaskSeen>;

    async fn perform(self, fleet: &Fleet) -> Result<Vec<TaskSeen>, Trouble> {
        let which = Which {
            state: vec![State::Dead],
            ..Which::default()
        };
        let views = fleet.tasks()?.list(which.filter(self.after), self.most).await?;
        Ok(views.into_iter().map(TaskSeen::from).collect())
    }
}

/// Shows a task: where it stands, who has it, and how its attempts went.
#[derive(Args, Clone, Copy, Debug, Serialize, Deserialize)]
pub(crate) struct TaskShow {
    /// The number of the task.
    #[arg(value_parser = task_id)]
    pub(crate) task: TaskId,
}

impl Operation for TaskShow {
    const NAME: &'static str = "task.show";
    type Output = TaskSeen;

    async fn perform(self, fleet: &Fleet) -> Result<TaskSeen, Trouble> {
        let view = fleet.tasks()?.show(self.task).await?;
        let late = fleet.tasks()?.late().await?;
        let late = late.iter().filter(|late| late.task == self.task).map(|late| LateSeen {
            fence: late.fence.number(),
            is_done: late.is_done,
            said: triarch_work::as_value(&late.text),
        });
        let seen = TaskSeen {
            late: late.collect(),
            ..view.clone().into()
        };
        Ok(seen.looked_for(&view, &Takers::of(fleet), fleet))
    }
}
