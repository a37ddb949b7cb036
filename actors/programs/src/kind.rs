//! The kind `program`, as teams know it, and what the room knows of its agents.

use std::fmt;
use std::io;
use std::sync::{Arc, OnceLock};
use std::time::Duration;

use serde::Serialize;
use triarch_teams::{Kind, Seat, SettingError};

use crate::command::Recipe;
use crate::logs::{Logs, ends};
use crate::program::{Links, Plan, Program};
use crate::reaper::Leftovers;
use crate::records::{ExitRecord, Records};
use crate::settings::ProgramSettings;
use crate::sys::{self, Tag};

/// Agents that are programs. Cheap to clone.
#[derive(Clone)]
pub struct Programs {
    pub(crate) links: Links,
    pub(crate) logs: Logs,
    pub(crate) leftovers: Arc<OnceLock<Leftovers>>,
}

/// A process of an agent: the program itself or one that it started.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct ProcessView {
    /// Its number.
    pub pid: i32,
    /// Its parent's number.
    pub parent: i32,
    /// The name of its program, as the kernel keeps it: 15 bytes.
    pub command: String,
    /// The time of the processor that it has used.
    pub cpu: Duration,
    /// Its resident memory.
    pub memory_bytes: u64,
    /// R running, S sleeping, D waiting for a device, T stopped, Z ended.
    pub state: char,
}

impl fmt::Debug for Programs {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Programs").finish_non_exhaustive()
    }
}

impl Programs {
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

    /// Forgets how programs of agents ended that are not known any more. It blocks.
    pub fn forget_ends_but_of(&self, is_known: impl Fn(&str) -> bool) -> io::Result<()> {
        ends::forget(&self.logs.folder(), is_known)
    }

    /// What an earlier runtime had left behind; unknown until the room has started.
    pub fn leftovers(&self) -> Option<Leftovers> {
        self.leftovers.get().copied()
    }

    /// Waits until nothing is left of any program, no longer than `patience`: for a process that is about to end, and with
    /// it the threads that lay programs to rest whose agents were killed. Returns of how many something may be left.
    pub fn await_ends(&self, patience: Duration) -> usize {
        sys::await_ends(&self.links.owner, patience)
    }

    /// The processes of an agent as they are now, by its path.
    pub async fn processes(&self, path: &str) -> Vec<ProcessView> {
        let Some(running) = self.links.records.running(path) else {
            return Vec::new();
        };
        let tag = Tag::new(&self.links.owner, path, running.incarnation);
        let household = sys::household(&tag).await.into_iter();
        let view = |process: sys::ProcessInfo| ProcessView {
            pid: process.pid,
            parent: process.ppid,
            command: process.command,
            cpu: process.cpu,
            memory_bytes: process.rss,
            state: process.state,
        };
        household.map(view).collect()
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

    fn spec(&self, seat: Seat<ProgramSettings>) -> Result<Plan, SettingError> {
        seat.settings.check()?;
        let recipe = Recipe::of(&seat.settings)?;
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
