//! Tasks come in.

use std::collections::BTreeSet;

use serde::{Deserialize, Serialize};
use triarch_work::error::{Link, Refusal, TaskError};
use triarch_work::task::Submission;
use triarch_work::words::{TaskId, Worker};

use super::super::{Code, Operation, Trouble};
use crate::config::nearest;
use crate::fleet::Fleet;
use crate::reload::Running;

/// Submits tasks: all of them, or none. Returns before any of them is begun.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub(crate) struct TaskSubmit {
    pub(crate) tasks: Vec<Submission>,
    /// On which line of its file each stands, for what is said of it.
    #[serde(default)]
    pub(crate) lines: Vec<usize>,
    /// Whether a task may be for an agent alone that is not described yet.
    #[serde(default)]
    pub(crate) for_later: bool,
}

/// A task that was submitted.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Submitted {
    pub(crate) task: TaskId,
    /// Whether there was a task with its key already, which this is.
    pub(crate) is_known: bool,
}

impl Operation for TaskSubmit {
    const NAME: &'static str = "task.submit";
    type Output = Vec<Submitted>;

    async fn perform(self, fleet: &Fleet) -> Result<Vec<Submitted>, Trouble> {
        let Self {
            tasks,
            lines,
            for_later,
        } = self;
        let places = Places {
            lines,
            count: tasks.len(),
        };
        if !for_later {
            are_for_somebody(&tasks, &places, || fleet.ground().running(), "give --for-later")?;
        }
        let accepted = fleet.tasks()?.submit(tasks).await;
        let accepted = accepted.map_err(|error| places.trouble(error))?;
        let submitted = accepted.into_iter().map(|accepted| Submitted {
            task: accepted.task,
            is_known: accepted.is_known,
        });
        Ok(submitted.collect())
    }
}

/// Where tasks stand that were submitted together.
struct Places {
    lines: Vec<usize>,
    count: usize,
}

impl Places {
    /// How one of them is called.
    fn name(&self, place: usize) -> String {
        match self.lines.get(place) {
            Some(line) => format!("line {line}"),
            None if self.count == 1 => "the task".to_owned(),
            None => format!("the task at place {place}"),
        }
    }

    fn trouble(&self, error: TaskError) -> Trouble {
        match error {
            TaskError::Refused(Refusal::Unfit { place, problem, remedy }) => {
                Trouble::new(Code::Usage, format!("{} has {problem}", self.name(place)), remedy)
            }
            TaskError::Refused(Refusal::Cycle { cycle }) => {
                let in_file = |link: Link| match link {
                    Link::Place(place) => self.lines.get(place).map_or(link, |line| Link::Line(*line)),
                    link => link,
                };
                let cycle = cycle.into_iter().map(in_file).collect();
                TaskError::from(Refusal::Cycle { cycle }).into()
            }
            TaskError::Refused(Refusal::Names { place, refusal }) => {
                let trouble = Trouble::from(TaskError::from(*refusal));
                let message = self.whose(place) + &trouble.message;
                Trouble { message, ..trouble }
            }
            other => other.into(),
        }
    }

    /// Whose trouble it is, where it may be another's.
    fn whose(&self, place: usize) -> String {
        match self.count {
            1 if self.lines.is_empty() => String::new(),
            _ => format!("{}: ", self.name(place)),
        }
    }
}

/// Refuses a task that a program submits by a line, where it would wait for ever for an agent that there is not.
pub(crate) fn is_for_somebody(task: &Submission, running: impl Fn() -> Running) -> Result<(), Trouble> {
    let alone = Places {
        lines: Vec::new(),
        count: 1,
    };
    are_for_somebody(std::slice::from_ref(task), &alone, running, "write \"for_later\":true")
}

/// Refuses what would wait for ever for an agent that there is not, most likely since its name is misspelt.
fn are_for_somebody(
    tasks: &[Submission],
    places: &Places,
    running: impl Fn() -> Running,
    later: &str,
) -> Result<(), Trouble> {
    let mut known = None;
    for (place, task) in tasks.iter().enumerate() {
        // What is kept for somebody for a while alone is for anybody then.
        let Some(wanted) = task.affinity.as_ref().filter(|affinity| affinity.hold.is_none()) else {
            continue;
        };
        let known = known.get_or_insert_with(|| paths(&running()));
        takes_tasks(&wanted.worker, known, later)
            .map_err(|(why, remedy)| Trouble::new(Code::NotFound, places.whose(place) + &why, remedy))?;
    }
    Ok(())
}

/// The paths of all agents, with whether each takes tasks.
fn paths(running: &Running) -> Vec<(String, bool)> {
    let taking = running.taking();
    let takers: BTreeSet<_> = taking
        .iter()
        .flat_map(|team| &team.takers)
        .map(|taker| taker.worker.as_str())
        .collect();
    let agents = running.teams.iter().flat_map(|team| {
        let name = &team.rules.name;
        team.agents.iter().map(move |agent| format!("{name}/{}", agent.name))
    });
    agents
        .map(|path| {
            let is_one = takers.contains(path.as_str());
            (path, is_one)
        })
        .collect()
}

/// Else why not, and what to do.
fn takes_tasks(worker: &Worker, known: &[(String, bool)], later: &str) -> Result<(), (String, String)> {
    let later = format!("{later} where it comes later");
    let wanted = worker.as_str();
    match known.iter().find(|(path, _)| path == wanted) {
        Some((_, true)) => return Ok(()),
        Some((_, false)) => {
            let remedy = format!("give it capabilities or `tasks` in its description, or {later}");
            return Err((format!("the agent {wanted} takes no tasks"), remedy));
        }
        None => {}
    }
    let takers = || known.iter().filter(|(_, takes)| *takes).map(|(path, _)| path.as_str());
    let has_name = |path: &&str| path.rsplit('/').next() == Some(wanted);
    let near = takers().find(has_name).or_else(|| nearest(wanted, takers()));
    let remedy = match near {
        Some(near) => format!("write {near}, or {later}"),
        None => format!("see `triarch agent list`, or {later}"),
    };
    Err((format!("there is no agent {wanted:?} for the task"), remedy))
}

#[cfg(test)]
mod tests {
    use triarch_work::task::State;
    use triarch_work::words::Key;

    use super::*;

    fn told(wanted: &str) -> Result<(), (String, String)> {
        let known = [
            ("crew/painter-1", true),
            ("crew/painter-2", true),
            ("crew/clerk", false),
        ];
        let known: Vec<_> = known.map(|(path, takes)| (path.to_owned(), takes)).into();
        takes_tasks(&Worker::new(wanted).unwrap(), &known, "give --for-later")
    }

    #[test]
    fn a_task_for_an_agent_that_there_is_not_is_refused_with_the_one_that_was_probably_meant() {
        assert_eq!(told("crew/painter-2"), Ok(()));
        for (wanted, why, remedy) in [
            (
                "crew/paintr-1",
                "there is no agent \"crew/paintr-1\" for the task",
                "write crew/painter-1, or",
            ),
            (
                "painter-2",
                "there is no agent \"painter-2\" for the task",
                "write crew/painter-2, or",
            ),
            (
                "somebody/else",
                "there is no agent \"somebody/else\" for the task",
                "see `triarch agent list`, or",
            ),
            (
                "crew/clerk",
                "the agent crew/clerk takes no tasks",
                "give it capabilities or `tasks`",
            ),
        ] {
            let (said, what) = told(wanted).unwrap_err();
            assert_eq!(said, why);
            assert!(
                what.starts_with(remedy) && what.ends_with("give --for-later where it comes later"),
                "{what}"
            );
        }
    }

    #[test]
    fn what_is_wrong_in_a_file_is_told_by_its_line() {
        let places = |lines: &[usize], count| Places {
            lines: lines.to_vec(),
            count,
        };
        let unfit = || {
            let problem = "a prerequisite that there is not: no task 999".to_owned();
            let remedy = "name one of the batch, or one that is kept";
            TaskError::from(Refusal::Unfit {
                place: 1,
                problem,
                remedy,
            })
        };
        for (places, told) in [
            (
                places(&[1, 3], 2),
                "line 3 has a prerequisite that there is not: no task 999",
            ),
            (
                places(&[], 2),
                "the task at place 1 has a prerequisite that there is not: no task 999",
            ),
            (
                places(&[], 1),
                "the task has a prerequisite that there is not: no task 999",
            ),
        ] {
            assert_eq!(places.trouble(unfit()).message, told);
        }
        let names = |refusal| {
            let refusal = Box::new(refusal);
            TaskError::from(Refusal::Names { place: 1, refusal })
        };
        let task = TaskId::new(7);
        let (state, remedy) = (State::Failed, "it will hand nothing on; leave it out");
        let failed = names(Refusal::WrongState { task, state, remedy });
        let trouble = places(&[1, 3], 2).trouble(failed);
        let told = "line 3: task 7 is failed, and it will hand nothing on; leave it out";
        assert_eq!((trouble.code, &*trouble.message), (Code::Refused, told));
        let trouble = places(&[], 1).trouble(names(Refusal::NoSuchTask { task }));
        let told = "there is no task 7, or it is kept no more; list those there are";
        assert_eq!((trouble.code, &*trouble.message), (Code::NotFound, told));
        let called_like_a_place = Link::Key(Key::new("place 1").unwrap());
        let cycle = vec![Link::Place(0), called_like_a_place, Link::Place(0)];
        let trouble = places(&[7, 9], 2).trouble(Refusal::Cycle { cycle }.into());
        assert!(
            trouble.message.contains("line 7 → place 1 → line 7"),
            "{}",
            trouble.message
        );
    }
}
