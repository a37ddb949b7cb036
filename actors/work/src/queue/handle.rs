//! How others reach the queue.

use triarch_supervision::prelude::*;

use super::award::Award;
use super::machine::{Filter, Overview, View};
use super::message::{Answer, Order, Question, Request, Wanted, Word};
use crate::error::TaskError;
use crate::record::LateResult;
use crate::task::{Accepted, Claim, Submission};
use crate::words::{Fence, TaskId, Worker};

/// Where tasks are submitted, claimed and told of. Cheap to clone, and valid through all restarts of the queue.
///
/// What it acknowledges is on disk.
#[derive(Clone, Debug)]
pub struct TaskAddress(Address<Order>);

impl TaskAddress {
    pub(crate) const fn new(address: Address<Order>) -> Self {
        Self(address)
    }

    /// Submits all of `batch`, or none. Returns before any of them is begun.
    pub async fn submit(&self, batch: Vec<Submission>) -> Result<Vec<Accepted>, TaskError> {
        self.ask(|reply| Wanted::Submit(batch, reply)).await
    }

    /// Claims tasks for a worker; none where none is ready for it, unless it waits.
    pub async fn claim(&self, request: Request) -> Result<Vec<Claim>, TaskError> {
        let awarded = self.ask(|reply| Wanted::Claim(request, reply)).await;
        awarded.map(Award::take)
    }

    /// Says something of a claimed task.
    pub async fn tell(&self, task: TaskId, fence: Fence, word: Word) -> Result<(), TaskError> {
        self.ask(|reply| Wanted::Tell(task, fence, word, reply)).await
    }

    /// A worker is gone: what it had is ready again. Returns how many tasks that are.
    pub async fn abandon(&self, worker: Worker) -> Result<usize, TaskError> {
        self.ask(|reply| Wanted::Abandon(worker, reply)).await
    }

    /// Calls a task off, for good.
    pub async fn cancel(&self, task: TaskId, why: impl Into<String>) -> Result<(), TaskError> {
        let why = why.into();
        self.ask(|reply| Wanted::Cancel(task, why, reply)).await
    }

    /// Has a task tried again that failed or is dead.
    pub async fn retry(&self, task: TaskId) -> Result<(), TaskError> {
        self.ask(|reply| Wanted::Retry(task, reply)).await
    }

    /// Forgets a task that has ended.
    pub async fn drop_ended(&self, task: TaskId) -> Result<(), TaskError> {
        self.ask(|reply| Wanted::Drop(task, reply)).await
    }

    /// Takes no more tasks, or takes them again. Returns how all tasks stood at that moment: whoever asked after that could be told
    /// of a failure, though it is done.
    pub async fn drain(&self, on: bool) -> Result<Overview, TaskError> {
        self.ask(|reply| Wanted::Drain(on, reply)).await
    }

    /// One task.
    pub async fn show(&self, task: TaskId) -> Result<View, TaskError> {
        self.read(|reply| Question::Show(task, reply)).await
    }

    /// Up to so many tasks that pass, in the order of their numbers.
    pub async fn list(&self, filter: Filter, most: usize) -> Result<Vec<View>, TaskError> {
        self.read(|reply| Question::List(filter, most, reply)).await
    }

    /// All tasks in figures.
    pub async fn overview(&self) -> Result<Overview, TaskError> {
        self.read(Question::Overview).await
    }

    /// The late results that are kept, oldest first.
    pub async fn late(&self) -> Result<Vec<LateResult>, TaskError> {
        self.read(Question::Late).await
    }

    /// Returns once a task has ended, with how.
    pub async fn wait(&self, task: TaskId) -> Result<View, TaskError> {
        self.read(|reply| Question::Wait(task, reply)).await
    }

    /// The claims with which a worker waits are to have these ranks, the first of them the first. Where the queue has too much to do
    /// to hear that they keep theirs, since that costs no more than a choice.
    pub(crate) fn rank(&self, worker: Worker, places: Vec<u64>) {
        drop(self.0.try_send(Order(Wanted::Rank(worker, places))));
    }

    async fn read<T: Send + 'static>(&self, question: impl FnOnce(Answer<T>) -> Question) -> Result<T, TaskError> {
        self.ask(|reply| Wanted::Read(question(reply))).await
    }

    async fn ask<T: Send + 'static>(&self, wanted: impl FnOnce(Answer<T>) -> Wanted) -> Result<T, TaskError> {
        self.0.ask(|reply| Order(wanted(reply))).await?
    }
}
