//! Who takes tasks.

use std::sync::Arc;

use tokio::sync::watch;
use triarch_teams::TaskRules;

use crate::dispatch::Dispatch;
use crate::words::{Capability, Worker};

/// An agent that takes tasks.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Taker {
    /// Its path, which names no part of a team.
    pub worker: Worker,
    /// What it is able to do.
    pub able: Arc<[Capability]>,
    /// How many tasks it takes.
    pub rules: TaskRules,
}

/// The agents of a team that take tasks.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TakingTeam {
    /// Its name.
    pub name: Arc<str>,
    /// Which of them gets the next task.
    pub dispatch: Dispatch,
    /// They.
    pub takers: Vec<Taker>,
}

/// Where it is said who takes tasks. Cheap to clone.
#[derive(Clone, Debug)]
pub struct Roster(watch::Sender<Arc<[TakingTeam]>>);

impl Default for Roster {
    fn default() -> Self {
        Self(watch::Sender::new(Arc::default()))
    }
}

impl Roster {
    /// From now on these do, and no others: what those have who are not among them is theirs no more.
    pub fn set(&self, teams: Vec<TakingTeam>) {
        let teams: Arc<[TakingTeam]> = teams.into();
        self.0.send_if_modified(|known| {
            let is_new = *known != teams;
            if is_new {
                *known = Arc::clone(&teams);
            }
            is_new
        });
    }

    pub(super) fn watch(&self) -> watch::Receiver<Arc<[TakingTeam]>> {
        let mut seen = self.0.subscribe();
        seen.mark_changed();
        seen
    }
}
