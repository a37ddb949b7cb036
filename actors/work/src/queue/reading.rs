//! What is asked of tasks without changing them.

use super::actor::Queue;
use super::machine::View;
use super::message::{Answer, Question};
use super::outcome::Outcome;
use crate::error::{Refusal, TaskError};
use crate::words::TaskId;

impl Queue {
    pub(super) async fn read(&mut self, question: Question) {
        match question {
            Question::Show(task, answer) => self.tell_of(answer, |queue| queue.show(task)).await,
            Question::List(filter, most, answer) => {
                let list = |queue: &Self| Ok(queue.tasks.list(&filter, most, queue.turn.now));
                self.tell_of(answer, list).await;
            }
            Question::Overview(answer) => {
                let overview = |queue: &Self| Ok(queue.tasks.overview(queue.turn.now));
                self.tell_of(answer, overview).await;
            }
            Question::Late(answer) => {
                let late = |queue: &Self| Ok(queue.tasks.late().cloned().collect());
                self.tell_of(answer, late).await;
            }
            Question::Wait(task, answer) => self.wait(task, answer).await,
        }
    }

    /// Answers with what tasks are, once that is on disk. Where all of it is, nobody waits.
    async fn tell_of<T: Send + 'static>(&mut self, answer: Answer<T>, look: impl FnOnce(&Self) -> Result<T, Refusal>) {
        let seen = look(self);
        self.tell_seen(answer, seen).await;
    }

    async fn tell_seen<T: Send + 'static>(&mut self, answer: Answer<T>, seen: Result<T, Refusal>) {
        let outcome = Outcome::with(answer, seen);
        if self.closed.is_some() {
            // Tasks are what the disk has, or is known to have.
            outcome.succeed();
        } else {
            self.hand_over(vec![outcome]).await;
        }
    }

    pub(super) fn show(&self, task: TaskId) -> Result<View, Refusal> {
        self.tasks.show(task, self.turn.now)
    }

    /// Answers once the task has ended.
    async fn wait(&mut self, task: TaskId, answer: Answer<View>) {
        let view = self.show(task);
        if view.as_ref().is_ok_and(|view| !view.state.is_end()) {
            if let Err(answer) = self.ends.wait(task, answer) {
                answer.send(Err(TaskError::TooManyWait));
            }
        } else {
            self.tell_seen(answer, view).await;
        }
    }
}
