//! Tasks that no agent takes, since none is described that could, or those that could do not come back by themselves.

use std::collections::BTreeSet;

use triarch_supervision::tree::Phase;
use triarch_work::dispatcher::{Taker, TakingTeam};
use triarch_work::machine::{Filter, View};
use triarch_work::task::State;
use triarch_work::words::TaskId;

use super::super::Trouble;
use super::seen::TaskSeen;
use crate::deviations::Deviations;
use crate::fleet::Fleet;

/// Nobody has begun it. Who is on the way out may still be given one, and gives it back.
const UNBEGUN: [State; 2] = [State::Ready, State::Claimed];
/// So many tasks are looked at.
const LOOKED_AT: usize = 1_000;
/// So many are named, each of which waits for something else.
const NAMED: usize = 5;

impl TaskSeen {
    /// What it waits for, where nobody takes it, as that is told to whoever submitted it or waits for it.
    pub(crate) fn waits_for_whom(&self) -> Option<String> {
        if self.is_for_nobody {
            return Some(waits_for_whom(self.task, &self.needs, self.wants.as_deref()));
        }
        let (task, away) = (self.task, self.taker_away.as_deref()?);
        Some(format!(
            "no agent takes task {task} now: {away}; `triarch task cancel {task}` calls it off"
        ))
    }

    /// Looks for whoever could take it.
    pub(super) fn looked_for(self, view: &View, takers: &Takers, fleet: &Fleet) -> Self {
        if !UNBEGUN.contains(&view.state) {
            return self;
        }
        Self {
            is_for_nobody: view.state == State::Ready && takers.able(view).next().is_none(),
            taker_away: takers.all_away(view, fleet),
            ..self
        }
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

    /// Those that are able to do this task, now or when they are there again.
    fn able(&self, view: &View) -> impl Iterator<Item = &Taker> {
        let takers = self.0.iter().flat_map(|team| &team.takers);
        takers.filter(|taker| {
            let is_wanted = view.wants.as_ref().is_none_or(|worker| *worker == taker.worker);
            is_wanted && view.needs.iter().all(|need| taker.able.contains(need))
        })
    }

    /// What brings back the first of those that are able to do this task, where none of them is there nor comes back by itself.
    fn all_away(&self, view: &View, fleet: &Fleet) -> Option<String> {
        let deviations = fleet.ground().deviations();
        let mut able = self.able(view);
        let path = able.next()?.worker.as_str();
        let first = Absence::of(path, fleet, &deviations)?;
        let mut others = 0;
        for other in able {
            Absence::of(other.worker.as_str(), fleet, &deviations)?;
            others += 1;
        }
        Some(first.words(path, others))
    }
}

/// Why an agent takes no tasks until somebody does something.
#[derive(Clone, Copy, Debug)]
enum Absence {
    TeamStopped,
    Stopped,
    Paused,
    Quarantined,
}

impl Absence {
    fn of(path: &str, fleet: &Fleet, deviations: &Deviations) -> Option<Self> {
        if deviations.has_stopped_team(path.split('/').next()?) {
            return Some(Self::TeamStopped);
        }
        match fleet.observer().state(path).ok()? {
            Phase::Failed => Some(Self::Quarantined),
            Phase::Paused => Some(Self::Paused),
            _ if deviations.has_stopped(path) => Some(Self::Stopped),
            _ => None,
        }
    }

    fn words(self, path: &str, others: usize) -> String {
        let team = path.split('/').next().unwrap_or(path);
        let (state, remedy) = match self {
            Self::TeamStopped => ("its team was stopped", format!("`triarch team start {team}` starts it")),
            Self::Stopped => ("it was stopped", format!("`triarch agent restart {path}` starts it")),
            Self::Paused => ("it is paused", format!("`triarch agent resume {path}` lets it go on")),
            Self::Quarantined => (
                "it has failed too often and stays down",
                format!("`triarch agent restart {path}` starts it"),
            ),
        };
        let others = match others {
            0 => String::new(),
            1 => "; the other that can is away too".to_owned(),
            others => format!("; the {others} others that can are away too"),
        };
        format!("{path} can, but {state}: {remedy}{others}")
    }
}

/// Of those of `tasks` that nobody takes, what the first waits for of each that waits for something else.
pub(super) async fn told_among(fleet: &Fleet, tasks: &BTreeSet<TaskId>) -> Result<Vec<String>, Trouble> {
    let Some(first) = tasks.first() else {
        return Ok(Vec::new());
    };
    let unbegun = Filter {
        states: UNBEGUN.to_vec(),
        after: Some(TaskId::new(first.number().saturating_sub(1))),
        ..Filter::default()
    };
    let unbegun = fleet.tasks()?.list(unbegun, LOOKED_AT).await?;
    let (takers, mut known) = (Takers::of(fleet), BTreeSet::new());
    let unlike = unbegun
        .into_iter()
        .filter(|view| tasks.contains(&view.task) && known.insert((view.needs.clone(), view.wants.clone())));
    let told = unlike.filter_map(|view| {
        let seen = TaskSeen::from(view.clone());
        seen.looked_for(&view, &takers, fleet).waits_for_whom()
    });
    Ok(told.take(NAMED).collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn who_could_do_it_and_is_away_is_named_with_what_brings_it_back() {
        for (absence, others, words) in [
            (
                Absence::TeamStopped,
                0,
                "crew/a can, but its team was stopped: `triarch team start crew` starts it",
            ),
            (
                Absence::Stopped,
                1,
                "crew/a can, but it was stopped: `triarch agent restart crew/a` starts it; the other that can is away too",
            ),
            (
                Absence::Paused,
                2,
                "crew/a can, but it is paused: `triarch agent resume crew/a` lets it go on; the 2 others that can are away too",
            ),
            (
                Absence::Quarantined,
                0,
                "crew/a can, but it has failed too often and stays down: `triarch agent restart crew/a` starts it",
            ),
        ] {
            assert_eq!(absence.words("crew/a", others), words);
        }
    }

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
