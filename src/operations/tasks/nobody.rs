//! Tasks that no agent takes, since none is described that could.

use std::collections::BTreeSet;

use triarch_work::dispatcher::TakingTeam;
use triarch_work::machine::{Filter, View};
use triarch_work::task::State;
use triarch_work::words::TaskId;

use super::super::Trouble;
use super::seen::TaskSeen;
use crate::fleet::Fleet;

/// So many tasks are looked at.
const LOOKED_AT: usize = 1_000;
/// So many are named, each of which waits for something else.
const NAMED: usize = 5;

impl TaskSeen {
    /// What it waits for, where nobody takes it, as that is told to whoever submitted it or waits for it.
    pub(crate) fn waits_for_whom(&self) -> String {
        waits_for_whom(self.task, &self.needs, self.wants.as_deref())
    }
}

fn waits_for_whom(task: TaskId, needs: &[String], wants: Option<&str>) -> String {
    let can = match needs.split_last() {
        None => "takes tasks".to_owned(),
        Some((last, [])) => format!("can {last}"),
        Some((last, others)) => format!("can {} and {last}", others.join(", ")),
    };
    let whom = match wants {
        Some(wants) => format!("{wants}, once that {can}"),
        None => format!("one that {can}"),
    };
    format!("no agent takes task {task} now: it waits for {whom}; `triarch task cancel {task}` calls it off")
}

/// Who takes tasks, as it is described now.
pub(super) struct Takers(Vec<TakingTeam>);

impl Takers {
    pub(super) fn of(fleet: &Fleet) -> Self {
        Self(fleet.ground().running().taking())
    }

    /// Whether one of them is able to do this task, now or when it is there again.
    pub(super) fn have_one_for(&self, view: &View) -> bool {
        let mut takers = self.0.iter().flat_map(|team| &team.takers);
        takers.any(|taker| {
            let is_wanted = view.wants.as_ref().is_none_or(|worker| *worker == taker.worker);
            is_wanted && view.needs.iter().all(|need| taker.able.contains(need))
        })
    }
}

/// Of those of `tasks` that nobody takes, what the first waits for of each that waits for something else.
pub(super) async fn told_among(fleet: &Fleet, tasks: &BTreeSet<TaskId>) -> Result<Vec<String>, Trouble> {
    let Some(first) = tasks.first() else {
        return Ok(Vec::new());
    };
    let ready = Filter {
        states: vec![State::Ready],
        after: Some(TaskId::new(first.number().saturating_sub(1))),
        ..Filter::default()
    };
    let ready = fleet.tasks()?.list(ready, LOOKED_AT).await?;
    let (takers, mut known) = (Takers::of(fleet), BTreeSet::new());
    let unlike = ready
        .into_iter()
        .filter(|view| tasks.contains(&view.task) && known.insert((view.needs.clone(), view.wants.clone())));
    let for_nobody = unlike.filter(|view| !takers.have_one_for(view)).take(NAMED);
    Ok(for_nobody.map(|view| TaskSeen::from(view).waits_for_whom()).collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_a_task_waits_for_that_nobody_takes_is_told_in_words() {
        for (needs, wants, words) in [
            (&[][..], None, "it waits for one that takes tasks; "),
            (&["read"][..], None, "it waits for one that can read; "),
            (
                &["add", "read", "write"][..],
                None,
                "one that can add, read and write; ",
            ),
            (&[][..], Some("crew/a"), "it waits for crew/a, once that takes tasks; "),
            (
                &["read"][..],
                Some("crew/a"),
                "it waits for crew/a, once that can read; ",
            ),
        ] {
            let needs: Vec<_> = needs.iter().map(ToString::to_string).collect();
            let told = waits_for_whom(TaskId::new(7), &needs, wants);
            assert!(
                told.starts_with("no agent takes task 7 now: ") && told.contains(words),
                "{told}"
            );
        }
    }
}
