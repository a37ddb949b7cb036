//! Who waits for the end of a task.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard};

use triarch_supervision::prelude::*;
use triarch_supervision::sync::lock;

use super::machine::View;
use super::message::Answer;
use crate::error::{Refusal, TaskError};
use crate::words::TaskId;

/// The most who wait.
const WAITING_MAX: usize = 100_000;

/// Shared with writes on their way: who waits is told once the end is on disk, and waits on where it is not written.
#[derive(Clone, Debug, Default)]
pub(super) struct Ends(Arc<Mutex<Inner>>);

#[derive(Debug, Default)]
struct Inner {
    answers: BTreeMap<TaskId, Vec<Answer<View>>>,
    count: usize,
}

impl Ends {
    /// Lets somebody wait; gives the answer back where there is no room.
    pub(super) fn wait(&self, task: TaskId, answer: Answer<View>) -> Result<(), Answer<View>> {
        let mut inner = self.lock();
        if inner.count >= WAITING_MAX {
            for answers in inner.answers.values_mut() {
                answers.retain(Reply::is_wanted);
            }
            inner.answers.retain(|_, answers| !answers.is_empty());
            inner.count = inner.answers.values().map(Vec::len).sum();
        }
        if inner.count >= WAITING_MAX {
            return Err(answer);
        }
        inner.answers.entry(task).or_default().push(answer);
        inner.count += 1;
        Ok(())
    }

    /// Those who wait for that end by now: whoever comes later may wait for another.
    pub(super) fn of(&self, task: TaskId) -> Option<Awaiting> {
        let answers = self.taken(task);
        (!answers.is_empty()).then(|| Awaiting {
            ends: self.clone(),
            task,
            answers,
        })
    }

    fn taken(&self, task: TaskId) -> Vec<Answer<View>> {
        let mut inner = self.lock();
        let answers = inner.answers.remove(&task).unwrap_or_default();
        inner.count -= answers.len();
        answers
    }

    /// The tasks whose ends are waited for.
    pub(super) fn awaited(&self) -> Vec<TaskId> {
        self.lock().answers.keys().copied().collect()
    }

    /// The task has ended so.
    pub(super) fn tell(&self, task: TaskId, view: &Result<View, Refusal>) {
        for answer in self.taken(task) {
            answer.send(view.clone().map_err(TaskError::Refused));
        }
    }

    /// What a holder that panicked left is whole but for the count, which only grows too high by it.
    fn lock(&self) -> MutexGuard<'_, Inner> {
        lock(&self.0)
    }
}

/// Those who wait for one end, which is on its way to the disk. Where it does not come there they wait on.
#[derive(Debug)]
pub(super) struct Awaiting {
    ends: Ends,
    task: TaskId,
    answers: Vec<Answer<View>>,
}

impl Awaiting {
    /// It is on disk.
    pub(super) fn tell(mut self, view: &Result<View, Refusal>) {
        for answer in std::mem::take(&mut self.answers) {
            answer.send(view.clone().map_err(TaskError::Refused));
        }
    }
}

impl Drop for Awaiting {
    fn drop(&mut self) {
        if self.answers.is_empty() {
            return;
        }
        let mut inner = self.ends.lock();
        inner.count += self.answers.len();
        inner.answers.entry(self.task).or_default().append(&mut self.answers);
    }
}
