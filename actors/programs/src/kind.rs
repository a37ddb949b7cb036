//! The kind `program`, as teams know it, and what the room knows of its agents.

use std::fmt;
use std::io;
use std::path::PathBuf;
use std::sync::{Arc, OnceLock};
use std::time::Duration;

use triarch_teams::{Kind, Seat, SettingError};

use crate::command::Recipe;
use crate::logs::{Logs, ends};
use crate::places::Places;
use crate::program::{Links, Plan, Program};
use crate::records::{ExitRecord, Records};
use crate::services::Services;
use crate::settings::ProgramSettings;
use crate::sys::{self, ProcessView, Survey};

/// Agents that are programs. Cheap to clone.
#[derive(Clone)]
pub struct Programs {
    pub(crate) links: Links,
    pub(crate) logs: Logs,
    pub(crate) leftovers: Arc<OnceLock<Survey>>,
    pub(crate) places: Places,
}

impl fmt::Debug for Programs {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Programs").finish_non_exhaustive()
    }
}

impl Programs {
    /// Has relative paths seen from `folder`, that of the description, instead of from the present one.
    #[must_use]
    pub fn seen_from(mut self, folder: impl Into<PathBuf>) -> Self {
        self.places.seen.description = folder.into();
        self
    }

    /// Keeps programs out of `state_dir`: no working folder that holds it is opened to one. The kind that comes with a room
    /// does so.
    #[must_use]
    pub fn sparing(mut self, state_dir: impl Into<PathBuf>) -> Self {
        self.places.state = Some(state_dir.into());
        self
    }

    /// Has what programs wish for fulfilled by `services`.
    #[must_use]
    pub fn served_by(mut self, services: Arc<dyn Services>) -> Self {
        self.links.services = services;
        self
    }

    /// Reads what programs said.
    pub fn logs(&self) -> Logs {
        self.logs.clone()
    }

    /// What is known of the process of each agent, and of its last ends.
    pub fn records(&self) -> Records {
        self.links.records.clone()
    }

    /// The last ends of the agent at `path`, oldest first, those of earlier runtimes among them.
    pub async fn ends(&self, path: &str) -> io::Result<Vec<ExitRecord>> {
        let (now, folder, path) = (self.links.records.of(path), self.logs.folder(), path.to_owned());
        let read = tokio::task::spawn_blocking(move || ends::read(&folder, &path)).await;
        Ok(ends::joined(
            read.unwrap_or_else(|gone| Err(io::Error::other(gone)))?,
            now,
        ))
    }

    /// Sets the gauges of how programs are: for whoever is about to show them.
    pub fn take_census(&self) {
        let (counts, silence) = self.links.records.census();
        self.links.metrics.show(counts, silence);
    }

    /// Forgets how programs of agents ended that are not known any more. It blocks.
    pub fn forget_ends_but_of(&self, is_known: impl Fn(&str) -> bool) -> io::Result<()> {
        ends::forget(&self.logs.folder(), is_known)
    }

    /// What an earlier runtime had left behind; unknown until the room has started.
    pub fn leftovers(&self) -> Option<Survey> {
        self.leftovers.get().copied()
    }

    /// Waits until nothing is left of any program, no longer than `patience`: for a process that is about to end, and with
    /// it the threads that lay programs to rest whose agents were killed. Returns of how many something may be left.
    pub fn await_ends(&self, patience: Duration) -> usize {
        sys::await_ends(&self.links.owner, patience)
    }

    /// The processes of an agent as they are now, by its path.
    pub async fn processes(&self, path: &str) -> Vec<ProcessView> {
        match self.links.records.running(path) {
            Some(running) => sys::household(running.pid).await,
            None => Vec::new(),
        }
    }
}

impl Kind for Programs {
    type Settings = ProgramSettings;
    type Agent = Program;

    fn name(&self) -> &'static str {
        "program"
    }

    fn about(&self) -> &'static str {
        "A program that reads and writes lines of JSON, or runs once for each post."
    }

    fn faults(&self, seat: Seat<ProgramSettings>) -> Vec<SettingError> {
        let mut faults = Recipe::of(&seat.settings, &self.places).err().unwrap_or_default();
        faults.extend(seat.settings.task_fault(&seat.rules));
        faults
    }

    fn spec(&self, seat: Seat<ProgramSettings>) -> Result<Plan, SettingError> {
        let recipe = Recipe::of(&seat.settings, &self.places).map_err(|mut faults| faults.swap_remove(0))?;
        if let Some(fault) = seat.settings.task_fault(&seat.rules) {
            return Err(fault);
        }
        let path = format!("{}/{}", seat.team, seat.name);
        let shutdown = seat.rules.shutdown.0;
        Ok(Plan::new(
            path.into(),
            &seat.settings,
            recipe,
            shutdown,
            self.links.clone(),
        ))
    }
}
