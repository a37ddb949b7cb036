//! What is asked of tasks without changing them.

use super::actor::Queue;
use super::machine::View;
use super::message::Answer;
use super::outcome::Outcome;
use crate::error::{Refusal, TaskError};
use crate::words::TaskId;

impl Queue {
    /// Answers with what tasks are, once that is on disk. Where all of it is, nobody waits.
    pub(super) async fn tell_of<T: Send + 'static>(
        &mut self,
        answer: Answer<T>,
        look: impl FnOnce(&Self) -> Result<T, Refusal>,
    ) {
        if let Some(why) = self.why_unknown() {
            return answer.send(Err(TaskError::Unknown { why: why.clone() }));
        }
        let seen = look(self);
        self.tell_seen(answer, seen).await;
    }

    async fn tell_seen<T: Send + 'static>(&mut self, answer: Answer<T>, seen: Result<T, Refusal>) {
        let outcome = Outcome::with(answer, seen);
        if self.closed.is_some() {
            // Tasks are what was read from the disk.
            outcome.succeed();
        } else {
            self.hand_over(vec![outcome]).await;
        }
    }

    pub(super) fn show(&self, task: TaskId) -> Result<View, Refusal> {
        self.tasks.show(task, self.turn.now)
    }

    /// Answers once the task has ended; where it is not known how it stands, once it is.
    pub(super) async fn wait(&mut self, task: TaskId, answer: Answer<View>) {
        let view = self.show(task);
        let has_ended = view.as_ref().map_or(true, |view| view.state.is_end());
        if self.is_behind || !has_ended {
            if let Err(answer) = self.ends.wait(task, answer) {
                answer.send(Err(TaskError::TooManyWait));
            }
        } else {
            self.tell_seen(answer, view).await;
        }
    }
}
