//! Tasks as they are named: by their numbers, and by ranges of them.

use std::collections::BTreeSet;

use serde::{Deserialize, Serialize};
use triarch_work::words::TaskId;

use super::super::{Code, Trouble};
use super::task_id;

/// Tasks in a row: from the first to the last.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(from = "Named")]
pub(crate) struct Stretch(pub(crate) TaskId, pub(crate) TaskId);

/// One task, or the first and the last.
#[derive(Deserialize)]
#[serde(untagged)]
enum Named {
    One(TaskId),
    Range(TaskId, TaskId),
}

impl From<Named> for Stretch {
    fn from(named: Named) -> Self {
        match named {
            Named::One(task) => Self(task, task),
            Named::Range(first, last) => Self(first, last),
        }
    }
}

impl Stretch {
    /// All of these, in as few stretches as they can be told, where they ascend.
    pub(super) fn of(tasks: impl Iterator<Item = TaskId>) -> Vec<Self> {
        let mut stretches: Vec<Self> = Vec::new();
        for task in tasks {
            match stretches.last_mut() {
                Some(stretch) if stretch.1.number() + 1 == task.number() => stretch.1 = task,
                _ => stretches.push(Self(task, task)),
            }
        }
        stretches
    }
}

/// A number, or a range as in 7..12.
pub(super) fn range(text: &str) -> Result<Stretch, String> {
    let (first, last) = text.split_once("..").unwrap_or((text, text));
    let (first, last) = (task_id(first)?, task_id(last)?);
    if last < first {
        return Err(format!("{text} ends before it begins"));
    }
    Ok(Stretch(first, last))
}

/// The tasks that are named, each once, where they are no more than so many.
pub(super) fn numbered(stretches: &[Stretch], most: u64) -> Result<BTreeSet<TaskId>, Trouble> {
    if let Some(Stretch(first, last)) = stretches.iter().find(|Stretch(first, last)| last < first) {
        let message = format!("{first}..{last} ends before it begins");
        return Err(Trouble::new(Code::Usage, message, "name the lower number first"));
    }
    let counts = stretches
        .iter()
        .map(|Stretch(first, last)| last.number().saturating_sub(first.number()).saturating_add(1));
    let count = counts.fold(0, u64::saturating_add);
    if count > most {
        let message = format!("{count} tasks are more than can be named at once");
        return Err(Trouble::new(Code::Usage, message, format!("name {most} or fewer")));
    }
    let numbers = stretches
        .iter()
        .flat_map(|Stretch(first, last)| first.number()..=last.number());
    Ok(numbers.map(TaskId::new).collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_task_that_is_named_twice_is_one_and_too_many_are_refused() {
        let stretches = ["7..9", "5", "8", "5"].map(|text| range(text).unwrap());
        let numbers = |most| numbered(&stretches, most);
        assert_eq!(numbers(6).unwrap(), [5, 7, 8, 9].map(TaskId::new).into());
        assert_eq!(
            numbers(5).unwrap_err().message,
            "6 tasks are more than can be named at once"
        );
        assert!(range("9..7").is_err() && range("7..").is_err() && range("x").is_err());
        assert!(numbered(&[Stretch(TaskId::new(2), TaskId::new(1))], 9).is_err());
    }

    #[test]
    fn a_socket_may_name_tasks_by_their_numbers_and_by_ranges() {
        let read: Vec<Stretch> = serde_json::from_str("[5, [7, 9]]").unwrap();
        assert_eq!(read, ["5", "7..9"].map(|text| range(text).unwrap()));
        let written = serde_json::to_string(&read).unwrap();
        assert_eq!(serde_json::from_str::<Vec<Stretch>>(&written).unwrap(), read);
    }
}
