//! What is asked of tasks without changing them.

use super::actor::Queue;
use super::machine::View;
use super::message::Answer;
use super::outcome::Outcome;
use crate::error::{Refusal, TaskError};
use crate::words::TaskId;

impl Queue {
    /// Answers with what tasks are.
    pub(super) fn tell_of<T: Send + 'static>(&self, answer: Answer<T>, look: impl FnOnce(&Self) -> Result<T, Refusal>) {
        answer.send(match self.why_unknown() {
            Some(why) => Err(TaskError::Unknown { why: why.clone() }),
            None => look(self).map_err(TaskError::Refused),
        });
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
        } else if self.closed.is_some() {
            answer.send(view.map_err(TaskError::Refused));
        } else {
            self.hand_over(vec![Outcome::with(answer, view)]).await;
        }
    }
}
