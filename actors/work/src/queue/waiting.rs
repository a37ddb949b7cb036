//! Who waits for a task: to claim one, or for the end of one.

use std::collections::{BTreeMap, VecDeque};

use super::message::{Answer, Request};
use triarch_supervision::prelude::*;

use super::machine::View;
use crate::task::Claim;
use crate::words::TaskId;

/// The most who wait to claim, and the most who wait for ends.
const WAITING_MAX: usize = 10_000;

#[derive(Debug, Default)]
pub(super) struct Waiting {
    claims: VecDeque<(Request, Answer<Vec<Claim>>)>,
    ends: BTreeMap<TaskId, Vec<Answer<View>>>,
    ends_count: usize,
}

impl Waiting {
    /// Lets somebody wait for a task to claim; gives the answer back where there is no room.
    pub(super) fn claim(&mut self, request: Request, answer: Answer<Vec<Claim>>) -> Result<(), Answer<Vec<Claim>>> {
        if self.claims.len() >= WAITING_MAX {
            self.claims.retain(|(_, answer)| answer.is_wanted());
        }
        if self.claims.len() >= WAITING_MAX {
            return Err(answer);
        }
        self.claims.push_back((request, answer));
        Ok(())
    }

    /// Lets somebody wait for the end of a task; gives the answer back where there is no room.
    pub(super) fn end(&mut self, task: TaskId, answer: Answer<View>) -> Result<(), Answer<View>> {
        if self.ends_count >= WAITING_MAX {
            for answers in self.ends.values_mut() {
                answers.retain(Reply::is_wanted);
            }
            self.ends.retain(|_, answers| !answers.is_empty());
            self.ends_count = self.ends.values().map(Vec::len).sum();
        }
        if self.ends_count >= WAITING_MAX {
            return Err(answer);
        }
        self.ends.entry(task).or_default().push(answer);
        self.ends_count += 1;
        Ok(())
    }

    /// The first so many who wait to claim, as they came; those who gave up are left out.
    pub(super) fn claims(&mut self) -> VecDeque<(Request, Answer<Vec<Claim>>)> {
        let mut claims = std::mem::take(&mut self.claims);
        claims.retain(|(_, answer)| answer.is_wanted());
        claims
    }

    /// Those who still wait, before all who came since.
    pub(super) fn still(&mut self, mut claims: VecDeque<(Request, Answer<Vec<Claim>>)>) {
        claims.append(&mut self.claims);
        self.claims = claims;
    }

    /// Who waits for the end of that task.
    pub(super) fn ended(&mut self, task: TaskId) -> Vec<Answer<View>> {
        let answers = self.ends.remove(&task).unwrap_or_default();
        self.ends_count -= answers.len();
        answers
    }

    /// The tasks whose ends are waited for.
    pub(super) fn awaited(&self) -> Vec<TaskId> {
        self.ends.keys().copied().collect()
    }
}
