//! What an agent is told of a task.

use std::collections::BTreeMap;
use std::sync::{Arc, Weak};

use serde_json::Value;
use triarch_teams::{Brief, BriefInput};

use crate::task::{Claim, Input};
use crate::words::TaskId;

/// A body or a result in JSON is what it says; any other is its text.
pub fn as_value(bytes: &[u8]) -> Value {
    if bytes.is_empty() {
        return Value::Null;
    }
    serde_json::from_slice(bytes).unwrap_or_else(|_| Value::String(String::from_utf8_lossy(bytes).into_owned()))
}

/// At least so many results are known before it is looked which of them nobody has any more.
const RESULTS_LEAST: usize = 64;

/// The results in posts on their way: many tasks may get the same, and share it. That of a task never changes.
#[derive(Debug, Default)]
pub(super) struct Results {
    by_task: BTreeMap<TaskId, Weak<Value>>,
    /// Where there are so many it is looked which of them nobody has any more.
    most: usize,
}

impl Results {
    fn of(&mut self, input: &Input) -> Arc<Value> {
        let known = self.by_task.get(&input.task).and_then(Weak::upgrade);
        known.unwrap_or_else(|| {
            if self.by_task.len() >= self.most {
                self.by_task.retain(|_, result| result.strong_count() > 0);
                self.most = RESULTS_LEAST.max(2 * self.by_task.len());
            }
            let result = Arc::new(as_value(&input.result));
            self.by_task.insert(input.task, Arc::downgrade(&result));
            result
        })
    }

    pub(super) fn brief(&mut self, claim: &Claim) -> Brief {
        let inputs = claim.inputs.iter().map(|input| BriefInput {
            task: input.task.number(),
            result: self.of(input),
        });
        Brief {
            id: claim.task.number(),
            kind: claim.kind.to_string(),
            attempt: claim.attempt,
            inputs: inputs.collect(),
            budget: claim.budget,
        }
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn input(task: u64) -> Input {
        let result = format!("[{task}]").into_bytes().into();
        let task = TaskId::new(task);
        Input { task, result }
    }

    #[test]
    fn tasks_that_get_one_result_share_it_and_it_goes_with_the_last_of_them() {
        let mut results = Results::default();
        let shared = [results.of(&input(7)), results.of(&input(7))];
        assert!(Arc::ptr_eq(&shared[0], &shared[1]));
        assert_eq!(*shared[0], json!([7]));
        let weak = Arc::downgrade(&shared[0]);
        drop(shared);
        assert_eq!(weak.strong_count(), 0);
        for task in 0..10_000 {
            assert_eq!(*results.of(&input(task)), json!([task]));
        }
        assert!(results.by_task.len() <= RESULTS_LEAST + 1, "{}", results.by_task.len());
        let kept: Vec<_> = (0..1_000).map(|task| results.of(&input(task))).collect();
        assert!(Arc::ptr_eq(&kept[3], &results.of(&input(3))));
    }
}
