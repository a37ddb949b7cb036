//! What can be asked for of tasks.

mod nobody;
mod seen;
mod stretch;
mod submit;
mod wait;

use std::future::Future;
use std::time::Duration;

use clap::Args;
use serde::{Deserialize, Serialize};
use triarch_work::error::{Refusal, TaskError};
use triarch_work::machine::Overview;
use triarch_work::words::TaskId;

use super::seen::{SHOWN_WITHIN, millis};
use super::{Code, Operation, Trouble, caused};
use crate::fleet::Fleet;

use stretch::{Stretch, numbered, range};

pub(crate) use seen::{LabelAsked, MOST as TASKS_LISTED, TaskList, TaskSeen, TaskShow, TasksDead, kind as task_kind};
pub(crate) use submit::{Submitted, TaskSubmit, is_for_somebody};
pub(crate) use wait::{TaskWait, Waited};

/// What was done to some tasks.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct TasksChanged {
    /// What, in a word.
    pub(crate) change: String,
    pub(crate) tasks: Vec<TaskId>,
}

/// So many can be changed by one question.
const CHANGED_MAX: u64 = 10_000;

macro_rules! of_some_tasks {
    ($($(#[$about:meta])* $operation:ident $name:literal $change:literal ($self:ident, $task:ident, $tasks:ident) $act:expr, { $($field:tt)* })+) => {
        $(
            $(#[$about])*
            #[derive(Args, Clone, Debug, Serialize, Deserialize)]
            pub(crate) struct $operation {
                /// The numbers of the tasks, and ranges of them as in 7..12.
                #[arg(required = true, value_name = "TASK", value_parser = range)]
                pub(crate) tasks: Vec<Stretch>,
                $($field)*
            }

            impl Operation for $operation {
                const NAME: &'static str = $name;
                type Output = TasksChanged;

                fn answered_within(&self) -> Option<Duration> {
                    None
                }

                async fn perform($self, fleet: &Fleet) -> Result<TasksChanged, Trouble> {
                    let $tasks = fleet.tasks()?;
                    let mut changed = TasksChanged { change: $change.to_owned(), tasks: Vec::new() };
                    let mut refused = Vec::new();
                    for $task in numbered(&$self.tasks, CHANGED_MAX)? {
                        match $act.await {
                            Ok(()) => changed.tasks.push($task),
                            // That of one says nothing of the next: tasks end while a range is gone through.
                            Err(error @ TaskError::Refused(_)) => refused.push(error.into()),
                            Err(error) => return Err(partly(error.into(), "then", &changed)),
                        }
                    }
                    concluded(changed, &refused)
                }
            }
        )+
    };
}

/// Of so many that were not changed it is told why.
const TOLD_MAX: usize = 3;

/// What came of all of them.
fn concluded(changed: TasksChanged, refused: &[Trouble]) -> Result<TasksChanged, Trouble> {
    let Some(first) = refused.first() else {
        return Ok(changed);
    };
    let told: Vec<_> = refused
        .iter()
        .take(TOLD_MAX)
        .map(|trouble| trouble.message.as_str())
        .collect();
    let more = match refused.len().saturating_sub(TOLD_MAX) {
        0 => String::new(),
        more => format!("; and so it is with {more} more"),
    };
    let trouble = Trouble {
        message: told.join("; ") + &more,
        ..first.clone()
    };
    Err(partly(trouble, "but", &changed))
}

/// What went wrong beside what was done.
fn partly(trouble: Trouble, how: &str, changed: &TasksChanged) -> Trouble {
    match changed.tasks.len() {
        0 => trouble,
        count => Trouble {
            message: format!("{count} of them were {}, {how}: {}", changed.change, trouble.message),
            ..trouble
        },
    }
}

of_some_tasks! {
    /// Calls tasks off, for good: an agent that has one is told, and what it says of it later does not count.
    TaskCancel "task.cancel" "cancelled" (self, task, tasks) tasks.cancel(task, &*self.why), {
        /// Why, for whoever asks later.
        #[arg(long, default_value = "called off by the operator")]
        #[serde(default = "called_off")]
        pub(crate) why: String,
    }
    /// Has tasks tried again that failed or are dead.
    TaskRetry "task.retry" "ready again" (self, task, tasks) tasks.retry(task), {}
    /// Forgets tasks that have ended.
    TaskDrop "task.drop" "forgotten" (self, task, tasks) tasks.drop_ended(task), {}
}

fn called_off() -> String {
    "called off by the operator".to_owned()
}

pub(crate) fn task_id(text: &str) -> Result<TaskId, String> {
    let number = text.parse();
    number
        .map(TaskId::new)
        .map_err(|_| format!("{text:?} is no number of a task; see `triarch task list`"))
}

/// Takes no more tasks; those that are open go on.
#[derive(Args, Clone, Copy, Debug, Serialize, Deserialize)]
pub(crate) struct TaskDrain {
    /// Takes tasks again.
    #[arg(long)]
    #[serde(default)]
    pub(crate) end: bool,
}

impl Operation for TaskDrain {
    const NAME: &'static str = "task.drain";
    type Output = StatsShown;

    async fn perform(self, fleet: &Fleet) -> Result<StatsShown, Trouble> {
        let overview = fleet.tasks()?.drain(!self.end).await?;
        Ok(StatsShown::from(&overview))
    }
}

/// Shows all tasks in figures.
#[derive(Args, Clone, Copy, Debug, Default, Serialize, Deserialize)]
pub(crate) struct TaskStats {
    /// Whoever asks has more to show, and waits for nobody.
    #[arg(skip)]
    #[serde(default)]
    pub(crate) at_once: bool,
}

/// How long the queue has to count its tasks: one that is started again, or waits for its disk, answers later.
const COUNTED_WITHIN: Duration = Duration::from_secs(5);

/// All tasks in figures.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct StatsShown {
    /// How many were ever submitted.
    pub(crate) submitted: u64,
    pub(crate) done: u64,
    pub(crate) failed: u64,
    pub(crate) cancelled: u64,
    pub(crate) expired: u64,
    pub(crate) dead: u64,
    pub(crate) open: u64,
    /// In the hands of agents.
    pub(crate) leased: u64,
    pub(crate) body_bytes: u64,
    /// Of results that open tasks wait for, those to come counted.
    #[serde(default)]
    pub(crate) inputs_bytes: u64,
    pub(crate) oldest_ready_ms: Option<u64>,
    /// So many that have ended are kept, dead ones not counted.
    pub(crate) ended_kept: u64,
    pub(crate) dead_kept: u64,
    pub(crate) late_kept: u64,
    /// Whether no more are taken.
    pub(crate) is_draining: bool,
}

impl Operation for TaskStats {
    const NAME: &'static str = "task.stats";
    const WHILE_IT_STARTS: bool = true;
    type Output = StatsShown;

    async fn perform(self, fleet: &Fleet) -> Result<StatsShown, Trouble> {
        stats(fleet, if self.at_once { SHOWN_WITHIN } else { COUNTED_WITHIN }).await
    }
}

async fn stats(fleet: &Fleet, within: Duration) -> Result<StatsShown, Trouble> {
    let overview = answered(fleet.tasks()?.overview(), within).await?;
    Ok(StatsShown::from(&overview?))
}

/// What the queue answers in time.
async fn answered<T>(asked: impl Future<Output = T>, within: Duration) -> Result<T, Trouble> {
    let answered = tokio::time::timeout(within, asked).await;
    answered.map_err(|_| {
        let message = "the queue of tasks does not answer: it is started again, or waits for its disk";
        Trouble::new(Code::Failed, message, "`triarch why work/queue` tells more; ask again")
    })
}

impl From<&Overview> for StatsShown {
    fn from(overview: &Overview) -> Self {
        use triarch_work::task::State::{Cancelled, Dead, Done, Expired, Failed};
        let of = |state| overview.totals.of(state);
        Self {
            submitted: overview.totals.submitted,
            done: of(Done),
            failed: of(Failed),
            cancelled: of(Cancelled),
            expired: of(Expired),
            dead: of(Dead),
            open: overview.open as u64,
            leased: overview.leases as u64,
            body_bytes: overview.body_bytes as u64,
            inputs_bytes: overview.inputs_bytes as u64,
            oldest_ready_ms: overview.oldest_ready.map(millis),
            ended_kept: overview.ended_kept as u64,
            dead_kept: overview.dead_kept as u64,
            late_kept: overview.late_kept as u64,
            is_draining: overview.is_draining,
        }
    }
}

impl From<TaskError> for Trouble {
    fn from(error: TaskError) -> Self {
        let code = match &error {
            TaskError::Refused(refusal) => code(refusal),
            _ => Code::Failed,
        };
        Self::new(code, caused(&error), "")
    }
}

fn code(refusal: &Refusal) -> Code {
    use Refusal::{Cycle, Draining, Full, Inputs, Names, NoSuchTask, TooLarge, Unfit, WrongState};
    match refusal {
        NoSuchTask { .. } => Code::NotFound,
        Unfit { .. } | Cycle { .. } | TooLarge { .. } => Code::Usage,
        WrongState { .. } | Draining | Full { .. } | Inputs { .. } => Code::Refused,
        Names { refusal, .. } => code(refusal),
        _ => Code::Failed,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test(start_paused = true)]
    async fn a_queue_that_is_away_is_waited_for_so_long_and_is_no_runtime_that_hangs() {
        let trouble = answered(std::future::pending::<()>(), COUNTED_WITHIN)
            .await
            .unwrap_err();
        assert_eq!(trouble.code, Code::Failed, "{trouble}");
        assert_eq!(answered(std::future::ready(7), SHOWN_WITHIN).await, Ok(7));
        assert!(COUNTED_WITHIN < crate::operations::QUICK, "whoever asks hears it");
    }

    #[test]
    fn of_some_tasks_it_is_told_how_many_were_changed_and_why_others_were_not() {
        let told = |done: u64, refused: u64| {
            let changed = TasksChanged {
                change: "cancelled".to_owned(),
                tasks: (0..done).map(TaskId::new).collect(),
            };
            let refused: Vec<_> = (0..refused)
                .map(|task| Trouble::new(Code::Refused, format!("no {task}"), ""))
                .collect();
            concluded(changed, &refused)
                .map(|changed| changed.tasks.len())
                .map_err(|trouble| (trouble.code, trouble.message))
        };
        let refused = |message: &str| Err((Code::Refused, message.to_owned()));
        assert_eq!(told(2, 0), Ok(2));
        assert_eq!(told(0, 1), refused("no 0"));
        assert_eq!(told(2, 2), refused("2 of them were cancelled, but: no 0; no 1"));
        let many = "1 of them were cancelled, but: no 0; no 1; no 2; and so it is with 4 more";
        assert_eq!(told(1, 7), refused(many));
    }
}
