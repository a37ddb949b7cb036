//! The verbs of tasks.

mod batch;
mod show;

use std::path::PathBuf;

use clap::{Args, Subcommand};
use serde_json::Value;
use triarch_teams::Span;
use triarch_work::task::{Affinity, After, Priority, Retry, Submission};
use triarch_work::words::{Capability, Key, Kind, TaskId, Worker};

use super::answer;
use super::ask::Connection;
use super::describe::Described;
use super::output::tell;
use super::progress::Bar;
use super::reach;
use super::screen::Screen;
use super::show::Show as _;
use crate::complaint::complain;
use crate::operations::{
    Body, Code, LabelAsked, Submitted, TaskCancel, TaskDrain, TaskDrop, TaskList, TaskRetry, TaskShow, TaskStats,
    TaskSubmit, TaskWait, TasksDead, Trouble, body, task_id, task_kind,
};
pub(super) use show::{held, taking};

#[derive(Debug, Subcommand)]
pub(super) enum TaskVerb {
    /// Submits a task, or many from a file; returns before any of them is begun.
    Submit(Box<Submit>),
    /// Lists tasks, in the order they were submitted, or the latest first.
    List(TaskList),
    /// Shows a task: where it stands, who has it, and how its attempts went.
    Show(TaskShow),
    /// Waits until tasks have ended, however they do.
    Wait(TaskWait),
    /// Calls tasks off, for good.
    Cancel(TaskCancel),
    /// Has tasks tried again that failed or are dead.
    Retry(TaskRetry),
    /// Lists tasks that failed, or were lost, as often as they may.
    Dead(TasksDead),
    /// Forgets tasks that have ended.
    Drop(TaskDrop),
    /// Takes no more tasks; those that are open go on.
    Drain(TaskDrain),
    /// Shows all tasks in figures.
    Stats(TaskStats),
}

/// What is submitted.
#[derive(Args, Debug)]
pub(super) struct Submit {
    /// What sort of work it is.
    #[arg(value_parser = task_kind, required_unless_present = "file")]
    kind: Option<Kind>,
    /// What is to be done: JSON, or text; `-` for what comes by the standard input.
    #[arg(default_value = "null", hide_default_value = true, value_parser = body)]
    body: Body,
    /// Submits a file instead, a task in JSON on each line; `-` for the standard input. Without any it is refused.
    #[arg(long, value_name = "FILE", conflicts_with = "kind")]
    file: Option<PathBuf>,
    /// How soon it is done, beside others: critical, high, normal, low or background.
    #[arg(long, value_parser = priority, default_value = "normal")]
    priority: Priority,
    /// Within which time it is to be done.
    #[arg(long, value_name = "TIME")]
    deadline: Option<Span>,
    /// A missed deadline ends it.
    #[arg(long, requires = "deadline")]
    cancel_when_missed: bool,
    /// After which time it may begin.
    #[arg(long, value_name = "TIME")]
    not_before: Option<Span>,
    /// How long one attempt may take, from when an agent begins.
    #[arg(long, value_name = "TIME")]
    timeout: Option<Span>,
    /// How often it is tried again where it fails, with waits that double.
    #[arg(long, value_name = "TIMES", default_value_t = 0)]
    retries: u16,
    /// The wait before it is tried again for the first time.
    #[arg(long, value_name = "TIME", default_value = "1s")]
    retry_after: Span,
    /// A task that is to be done before, which hands on its result; may be given several times.
    #[arg(long, value_name = "TASK", value_parser = task_id)]
    after: Vec<TaskId>,
    /// What an agent must be able to do; may be given several times.
    #[arg(long, value_name = "CAPABILITY", value_parser = capability)]
    needs: Vec<Capability>,
    /// The agent that is to do it, by its path; refused where nobody there takes tasks by that name.
    #[arg(long = "for", value_name = "AGENT", value_parser = worker)]
    worker: Option<Worker>,
    /// Takes tasks for agents too that are not there yet: they wait for them.
    #[arg(long)]
    for_later: bool,
    /// What makes it the same task however often it is submitted, for as long as that one is kept.
    #[arg(long, value_parser = key)]
    key: Option<Key>,
    /// What it is found by, as name=value; may be given several times.
    #[arg(long, value_name = "LABEL")]
    label: Vec<LabelAsked>,
    /// What it may cost, in units of those who do it.
    #[arg(long, value_name = "UNITS")]
    budget: Option<u64>,
    /// The task it is a part of.
    #[arg(long, value_name = "TASK", value_parser = task_id)]
    parent: Option<TaskId>,
    /// Waits until all have ended, and tells how they did instead of their numbers.
    #[arg(long)]
    wait: bool,
}

fn priority(text: &str) -> Result<Priority, String> {
    let found = Priority::ALL.into_iter().find(|priority| priority.label() == text);
    found.ok_or_else(|| format!("there are {}", Priority::ALL.map(Priority::label).join(", ")))
}

fn capability(text: &str) -> Result<Capability, String> {
    Capability::new(text).map_err(|error| error.to_string())
}

fn worker(text: &str) -> Result<Worker, String> {
    Worker::new(text).map_err(|error| error.to_string())
}

fn key(text: &str) -> Result<Key, String> {
    Key::new(text).map_err(|error| error.to_string())
}

impl Submit {
    fn submission(&self, kind: Kind) -> Submission {
        let time = |span: Option<Span>| span.map(|Span(time)| time);
        let labels = self.label.iter().cloned().map(|LabelAsked(name, value)| (name, value));
        Submission {
            body: self.body.0.to_string().into_bytes(),
            priority: self.priority,
            deadline: time(self.deadline),
            cancel_when_missed: self.cancel_when_missed,
            not_before: time(self.not_before),
            timeout: time(self.timeout),
            retry: Retry::after(self.retry_after.0, self.retries),
            after: self.after.iter().copied().map(After::Task).collect(),
            needs: self.needs.clone(),
            affinity: self.worker.clone().map(|worker| Affinity { worker, hold: None }),
            key: self.key.clone(),
            labels: labels.collect(),
            budget: self.budget,
            parent: self.parent,
            ..Submission::of(kind)
        }
    }
}

pub(super) fn perform(described: &Described, verb: &TaskVerb, as_json: bool) -> Result<(), Trouble> {
    match verb {
        TaskVerb::Submit(asked) => submit(described, asked, as_json),
        TaskVerb::List(asked) => answer(described, asked, as_json),
        TaskVerb::Show(asked) => answer(described, asked, as_json),
        TaskVerb::Wait(asked) => wait(&mut reach(described)?, asked, as_json),
        TaskVerb::Cancel(asked) => answer(described, asked, as_json),
        TaskVerb::Retry(asked) => answer(described, asked, as_json),
        TaskVerb::Dead(asked) => answer(described, asked, as_json),
        TaskVerb::Drop(asked) => answer(described, asked, as_json),
        TaskVerb::Drain(asked) => answer(described, asked, as_json),
        TaskVerb::Stats(asked) => answer(described, asked, as_json),
    }
}

fn submit(described: &Described, asked: &Submit, as_json: bool) -> Result<(), Trouble> {
    let mut runtime = reach(described)?;
    let (submitted, unlike) = match (&asked.file, &asked.kind) {
        (Some(file), _) => batch::submit(&mut runtime, file, asked.for_later)?,
        (None, Some(kind)) => {
            let task = TaskSubmit {
                tasks: vec![asked.submission(kind.clone())],
                for_later: asked.for_later,
                ..TaskSubmit::default()
            };
            (runtime.ask(&task)?, vec![0])
        }
        // The command line asks for one of them.
        (None, None) => (Vec::new(), Vec::new()),
    };
    if !asked.wait || submitted.is_empty() {
        tell(&submitted, as_json)?;
        let unlike = unlike.into_iter().filter_map(|place| submitted.get(place));
        tell_of_nobody(&mut runtime, unlike.map(|submitted| submitted.task));
        return Ok(());
    }
    complain(&what_is_waited_for(&submitted));
    let all = TaskWait::for_all(submitted.iter().map(|submitted: &Submitted| submitted.task));
    wait(&mut runtime, &all, as_json).map_err(|trouble| with_what_was_submitted(&submitted, trouble))
}

/// Told at once: who goes away meanwhile submits nothing again.
fn what_is_waited_for(submitted: &[Submitted]) -> String {
    let numbers = submitted.iter().map(|submitted| submitted.task.number());
    match (numbers.clone().min(), numbers.max()) {
        (Some(first), Some(last)) if first != last => {
            format!("waits for {} tasks, of {first} to {last}", submitted.len())
        }
        (first, _) => format!("waits for task {}", first.unwrap_or_default()),
    }
}

/// Nobody submits again what was submitted since it was not waited for to the end.
fn with_what_was_submitted(submitted: &Vec<Submitted>, trouble: Trouble) -> Trouble {
    if trouble.is_silent() {
        return trouble;
    }
    let told = submitted.show(&Screen::of_stdout());
    Trouble {
        code: Code::Failed,
        message: format!("{}; then: {}", told.trim_end().replace('\n', ", "), trouble.message),
        ..trouble
    }
}

/// Tells what is taken by nobody as things are. Submitted they are in any case, whatever comes of this question.
fn tell_of_nobody(runtime: &mut Connection, tasks: impl Iterator<Item = TaskId>) {
    for task in tasks {
        if let Ok(seen) = runtime.ask(&TaskShow { task })
            && let Some(told) = seen.waits_for_whom()
        {
            complain(&told);
        }
    }
}

/// Those that did not end well are told with the rest, and are the exit code.
fn wait(runtime: &mut Connection, asked: &TaskWait, as_json: bool) -> Result<(), Trouble> {
    let mut bar = Bar::of("tasks have ended");
    let waited = runtime.ask_told(asked, |progress| {
        if let Some(in_vain) = progress.get("in_vain").and_then(Value::as_str) {
            bar.wipe();
            complain(in_vain);
        }
        bar.show(&progress);
        Ok(())
    });
    bar.wipe();
    let waited = waited?;
    tell(&waited, as_json)?;
    if waited.troubles.is_empty() {
        Ok(())
    } else {
        Err(Trouble::silent(Code::Failed))
    }
}
