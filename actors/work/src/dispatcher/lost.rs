//! What agents had when the runtime, or an earlier dispatcher in the middle of a step, ended: nobody is at it any more, so it is
//! given up before anybody asks for tasks.

use std::collections::BTreeMap;

use serde_json::{Value, json};

use super::holding::Effect;
use crate::error::TaskError;
use crate::machine::{Filter, View};
use crate::queue::Word;
use crate::task::State;
use crate::words::{Fence, TaskId, Worker};

/// So many tasks are looked at at once.
pub(super) const PAGE: usize = 1_000;

#[derive(Debug, Default)]
pub(super) struct Lost {
    /// The last task that was looked at.
    after: Option<TaskId>,
    is_through: bool,
    /// What the queue has not taken yet.
    words: BTreeMap<Fence, (TaskId, Word)>,
    /// Of those the ones it is to be told again.
    untold: Vec<Fence>,
    /// What last went wrong.
    trouble: Option<String>,
}

impl Lost {
    /// Whether all that was in the hands of agents has been looked at.
    pub(super) const fn is_through(&self) -> bool {
        self.is_through
    }

    /// What is looked at next.
    pub(super) fn filter(&self) -> Filter {
        Filter {
            states: vec![State::Claimed, State::Running],
            after: self.after,
            ..Filter::default()
        }
    }

    /// Looks at some tasks, and gives up those of which `is_lost` says that nobody is at them.
    pub(super) fn look_through(
        &mut self,
        page: Vec<View>,
        is_lost: impl Fn(&Worker, Fence) -> bool,
        effects: &mut Vec<Effect>,
    ) {
        self.went_well();
        self.is_through = page.len() < PAGE;
        self.after = page.last().map(|view| view.task).or(self.after);
        for view in page {
            let (Some(worker), Some(fence)) = (view.worker, view.fence) else {
                continue;
            };
            if !is_lost(&worker, fence) {
                continue;
            }
            let (task, why) = (view.task, "the runtime ended".to_owned());
            let word = match view.state {
                State::Running => Word::Abandoned { why },
                _ => Word::GivenBack,
            };
            self.words.insert(fence, (task, word.clone()));
            effects.push(Effect::Tell { task, fence, word });
        }
    }

    /// Tasks could not be looked at.
    pub(super) fn unseen(&mut self, why: &TaskError) {
        self.trouble = Some(format!("what earlier agents had cannot be looked at: {why}"));
    }

    /// What became of what was told of a lease; whether it was one of these.
    pub(super) fn told(&mut self, fence: Fence, outcome: &Result<(), TaskError>) -> bool {
        let Some((task, _)) = self.words.get(&fence) else {
            return false;
        };
        match outcome {
            // A lease that is over needs nothing more.
            Ok(()) | Err(TaskError::Refused(_)) => {
                self.words.remove(&fence);
                self.went_well();
            }
            Err(why) => {
                self.trouble = Some(format!("task {task} cannot be given up yet: {why}"));
                self.untold.push(fence);
            }
        }
        true
    }

    /// Something went well; where nothing is left to be tried again, so did all.
    fn went_well(&mut self) {
        if self.untold.is_empty() {
            self.trouble = None;
        }
    }

    /// Tells again what the queue did not take.
    pub(super) fn tell_again(&mut self, effects: &mut Vec<Effect>) {
        for fence in std::mem::take(&mut self.untold) {
            let Some((task, word)) = self.words.get(&fence) else {
                continue;
            };
            let (task, word) = (*task, word.clone());
            effects.push(Effect::Tell { task, fence, word });
        }
    }

    /// How far it is, where there is something left to do.
    pub(super) fn state(&self) -> Option<Value> {
        let is_over = self.is_through && self.words.is_empty();
        (!is_over).then(|| json!({ "to_give_up": self.words.len(), "trouble": self.trouble }))
    }
}

#[cfg(test)]
#[path = "lost_test.rs"]
mod tests;
