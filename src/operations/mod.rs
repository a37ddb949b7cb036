//! What the runtime can be asked for: one typed value each, and one function on what runs.
//!
//! ```text
//!   command line ──┐
//!   socket ────────┼──▶ name + input ──▶ Operation ──perform──▶ Fleet
//!   (later doors) ─┘                                └─▶ output, the same through every door
//! ```

mod agents;
mod bus;
mod ending;
mod given;
mod health;
mod letters;
mod logs;
mod meant;
pub(crate) mod memory;
mod nodes;
mod past;
mod posts;
mod runtime;
mod seen;
mod settings;
mod tasks;
mod teams;
mod trouble;
mod why;
mod word;

use std::future::Future;
use std::pin::Pin;
use std::time::Duration;

use serde::Serialize;
use serde::de::DeserializeOwned;
use serde_json::Value;
use triarch_gateway::Written;

use crate::fleet::Fleet;

pub(crate) use agents::{Kill, List, Pause, Restart, Resume, Show, Spawn, Stop};
pub(crate) use bus::{
    AnswerSeen, BusCancel, BusDead, BusDrop, BusForget, BusPlanned, BusPublish, BusReplay, BusRequest, BusSend,
    BusShow, BusSubscribe, BusTap, BusTopics, CancelledSeen, DeadSeen, DroppedSeen, End, ForgottenSeen, Place,
    PlannedSeen, PublishedSeen, ReplayedSeen, SentTo, TopicSeen, TopicShown, event, publish, request, send,
};
pub(crate) use given::{STANDARD, all, body};
pub(crate) use health::HealthSeen;
pub(crate) use letters::{AgentDead, LetterSeen};
pub(crate) use logs::LogsRead;
use memory::{
    MemoryBackup, MemoryCompact, MemoryCount, MemoryDelete, MemoryExists, MemoryExport, MemoryForget, MemoryGet,
    MemoryImport, MemoryIncrement, MemoryList, MemoryNamespaces, MemoryPut, MemoryRestore, MemoryRetain, MemorySearch,
    MemoryStats, MemoryWatch,
};
pub(crate) use nodes::Nodes;
pub(crate) use past::{ChangeSeen, Past};
pub(crate) use posts::{Ask, Body, Broadcast, Proof, SENDER, SendPost, Sent};
pub(crate) use runtime::{Down, Meant, NotDone, Reload, Reloaded, Status, StatusShown, Stopping, TreeShown};
pub(crate) use seen::{AgentSeen, MailboxSeen, NodeSeen, ago, millis, span, standing};
pub(crate) use tasks::{
    LabelAsked, StatsShown, Submitted, TASKS_LISTED, TaskCancel, TaskDrain, TaskDrop, TaskList, TaskRetry, TaskSeen,
    TaskShow, TaskStats, TaskSubmit, TaskWait, TasksChanged, TasksDead, Waited, is_for_somebody, task_id, task_kind,
};
pub(crate) use teams::{TeamList, TeamScale, TeamSeen, TeamShow, TeamStart, TeamStop};
pub(crate) use trouble::{Code, Trouble, caused};
pub(crate) use why::{AtSeen, TaskHeld, Why, WhyShown};

/// How long a question may take that nobody has to do anything for: a runtime that is slower hangs.
pub(crate) const QUICK: Duration = Duration::from_secs(10);

/// One thing the runtime can be asked for.
pub(crate) trait Operation: Serialize + DeserializeOwned + Send + 'static {
    /// Noun and verb, such as `agent.list`.
    const NAME: &'static str;

    /// What it answers.
    type Output: Serialize + DeserializeOwned + Send;

    /// How long whoever asks waits for a sign of the runtime; `None` where what it takes may be long.
    fn answered_within(&self) -> Option<Duration> {
        Some(QUICK)
    }

    /// Whether it is carried through, though whoever asked has gone: where half of it would leave something undone that nobody
    /// knows of.
    const IS_CARRIED_THROUGH: bool = false;

    /// Whether it can be asked while agents still start: it changes nothing of them.
    const WHILE_IT_STARTS: bool = false;

    /// Whether it takes as long as somebody else does: follows what comes, or waits for an agent. Some places at a door are
    /// never given to these.
    fn stays(&self) -> bool {
        false
    }

    /// What it answered in parts and with the rest, put together.
    fn joined(parts: Vec<Self::Output>, rest: Self::Output) -> Self::Output {
        debug_assert!(parts.is_empty(), "{} does not answer in parts", Self::NAME);
        rest
    }

    /// Does it.
    fn perform(self, fleet: &Fleet) -> impl Future<Output = Result<Self::Output, Trouble>> + Send;
}

type Performing<'a> = Pin<Box<dyn Future<Output = Result<Written, Trouble>> + Send + 'a>>;

fn performing<O: Operation>(input: Value, fleet: &Fleet) -> Performing<'_> {
    Box::pin(async move {
        let operation: O = serde_json::from_value(input).map_err(|error| Trouble::usage(O::NAME, &error))?;
        if !O::WHILE_IT_STARTS && fleet.ground().is_starting() {
            return Err(Trouble::still_starting());
        }
        if fleet.ground().is_stopping() && !WHILE_IT_STOPS.contains(&O::NAME) {
            return Err(Trouble::stops());
        }
        if operation.stays() {
            fleet.stays()?;
        }
        if operation.answered_within() != Some(QUICK) {
            fleet.waits();
        }
        if O::IS_CARRIED_THROUGH {
            fleet.goes_on();
        }
        let output = operation.perform(fleet).await?;
        Ok(Written::of(&output)?)
    })
}

macro_rules! operations {
    ($($operation:ty),+ $(,)?) => {
        /// All there are.
        pub(crate) const NAMES: &[&str] = &[$(<$operation>::NAME),+];

        /// Performs the operation called `name` on what runs.
        pub(crate) fn perform<'a>(name: &str, input: Value, fleet: &'a Fleet) -> Performing<'a> {
            match name {
                $(<$operation>::NAME => performing::<$operation>(input, fleet),)+
                _ => {
                    let trouble = Trouble::no_such_operation(name, NAMES);
                    Box::pin(async move { Err(trouble) })
                }
            }
        }
    };
}

operations![
    Status,
    TreeShown,
    Why,
    Down,
    Reload,
    TeamList,
    TeamShow,
    TeamStart,
    TeamStop,
    TeamScale,
    Broadcast,
    List,
    Show,
    Spawn,
    Stop,
    Kill,
    Restart,
    Pause,
    Resume,
    SendPost,
    Ask,
    AgentDead,
    LogsRead,
    BusPublish,
    BusSend,
    BusRequest,
    BusSubscribe,
    BusTap,
    BusTopics,
    BusShow,
    BusDead,
    BusReplay,
    BusDrop,
    BusForget,
    BusPlanned,
    BusCancel,
    MemoryGet,
    MemoryPut,
    MemoryDelete,
    MemoryIncrement,
    MemoryExists,
    MemoryCount,
    MemoryList,
    MemorySearch,
    MemoryWatch,
    MemoryStats,
    MemoryNamespaces,
    MemoryExport,
    MemoryImport,
    MemoryBackup,
    MemoryRestore,
    MemoryRetain,
    MemoryCompact,
    MemoryForget,
    TaskSubmit,
    TaskList,
    TaskShow,
    TaskWait,
    TaskCancel,
    TaskRetry,
    TasksDead,
    TaskDrop,
    TaskDrain,
    TaskStats,
];

/// What can be asked for from the wish to stop on: what only looks, and what hastens the end. The rest would begin what nobody
/// finishes.
const WHILE_IT_STOPS: &[&str] = &[
    Status::NAME,
    TreeShown::NAME,
    Why::NAME,
    Down::NAME,
    TeamList::NAME,
    TeamShow::NAME,
    List::NAME,
    Show::NAME,
    Kill::NAME,
    AgentDead::NAME,
    LogsRead::NAME,
    BusSubscribe::NAME,
    BusTap::NAME,
    BusTopics::NAME,
    BusShow::NAME,
    BusDead::NAME,
    BusPlanned::NAME,
    MemoryGet::NAME,
    MemoryExists::NAME,
    MemoryCount::NAME,
    MemoryList::NAME,
    MemorySearch::NAME,
    MemoryWatch::NAME,
    MemoryStats::NAME,
    MemoryNamespaces::NAME,
    MemoryExport::NAME,
    MemoryBackup::NAME,
    TaskList::NAME,
    TaskShow::NAME,
    TaskWait::NAME,
    TasksDead::NAME,
    TaskStats::NAME,
];

/// The word that a value is written as in descriptions and JSON.
pub(crate) fn written_as<T: Serialize>(value: &T) -> String {
    match serde_json::to_value(value) {
        Ok(Value::String(word)) => word,
        Ok(other) => other.to_string(),
        Err(error) => error.to_string(),
    }
}
