//! What can be asked for of the runtime as a whole.

use std::collections::BTreeMap;
use std::fmt;

use clap::Args;
use serde::{Deserialize, Serialize};
use triarch_supervision::name::team_of;
use triarch_supervision::tree::Level;

use super::nodes::Nodes;
use super::seen::{NodeSeen, ago};
use super::{Operation, Trouble};
use crate::fleet::Fleet;

/// Shows how the runtime is.
#[derive(Args, Clone, Debug, Default, Serialize, Deserialize)]
pub(crate) struct Status {}

/// How the runtime is.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(crate) struct StatusShown {
    pub(crate) version: String,
    pub(crate) pid: u32,
    pub(crate) up_for_ms: u64,
    pub(crate) state_dir: String,
    pub(crate) listen: String,
    pub(crate) described_in: String,
    pub(crate) teams: usize,
    /// Agents of teams, by state.
    pub(crate) agents: BTreeMap<String, usize>,
    pub(crate) restarts: u64,
    pub(crate) dead_letters: u64,
    pub(crate) posts_handled: u64,
    /// What is not as it should be, in words.
    pub(crate) troubles: Vec<String>,
}

impl Operation for Status {
    const NAME: &'static str = "status";
    type Output = StatusShown;

    async fn perform(self, fleet: &Fleet) -> Result<StatusShown, Trouble> {
        let (nodes, teams) = (fleet.observer().snapshot(), fleet.team_names());
        let mut agents = BTreeMap::new();
        let (mut restarts, mut posts_handled, mut troubles) = (0, 0, Vec::new());
        for node in &nodes {
            restarts += node.restarts;
            let state = node.state.label();
            if is_trouble(state) {
                troubles.push(format!("{} is in state {state}", node.path));
            }
            let of_team = node
                .path
                .split_once('/')
                .is_some_and(|(supervisor, _)| teams.contains(team_of(supervisor)));
            if node.level == Level::Agent && of_team {
                *agents.entry(state.to_owned()).or_default() += 1;
                posts_handled += node.mailbox.as_ref().map_or(0, |mailbox| mailbox.handled);
            }
        }
        let ground = fleet.ground();
        Ok(StatusShown {
            version: env!("CARGO_PKG_VERSION").to_owned(),
            pid: std::process::id(),
            up_for_ms: ago(ground.begun),
            state_dir: ground.state_dir.display().to_string(),
            listen: ground.metrics_at(),
            described_in: ground.source.name(),
            teams: teams.len(),
            agents,
            restarts,
            dead_letters: fleet.observer().dead_letters().total(),
            posts_handled,
            troubles,
        })
    }
}

/// Whether a person should look at a node in that state.
pub(crate) fn is_trouble(state: &str) -> bool {
    matches!(state, "backoff" | "failed" | "unknown")
}

/// Shows the tree.
#[derive(Args, Clone, Debug, Default, Serialize, Deserialize)]
pub(crate) struct TreeShown {
    /// Only what stands at this path and below.
    pub(crate) path: Option<String>,
    /// Each node as a row of its values, as the command line asks for it.
    #[arg(skip = true)]
    #[serde(default)]
    pub(crate) rows: bool,
}

impl Operation for TreeShown {
    const NAME: &'static str = "tree";
    type Output = Nodes;

    async fn perform(self, fleet: &Fleet) -> Result<Nodes, Trouble> {
        let nodes = fleet.observer().snapshot();
        let is_wanted = |path: &str| {
            self.path.as_deref().is_none_or(|top| {
                let below = path
                    .strip_prefix(top)
                    .is_some_and(|rest| rest.is_empty() || rest.starts_with('/'));
                below
                    || top == "root"
                    || path
                        .split('/')
                        .next()
                        .is_some_and(|supervisor| team_of(supervisor) == top)
            })
        };
        let seen: Vec<_> = nodes
            .iter()
            .filter(|node| is_wanted(&node.path))
            .map(|node| NodeSeen::of(node, fleet))
            .collect();
        match self.path {
            Some(path) if seen.is_empty() => Err(Trouble::no_such_path(&path)),
            _ => Ok(Nodes::new(seen, self.rows)),
        }
    }
}

/// Stops the runtime and all it runs, in order.
#[derive(Args, Clone, Debug, Default, Serialize, Deserialize)]
pub(crate) struct Down {}

impl Operation for Down {
    const NAME: &'static str = "down";
    type Output = Stopping;

    async fn perform(self, fleet: &Fleet) -> Result<Stopping, Trouble> {
        fleet.stop();
        Ok(Stopping {
            pid: std::process::id(),
        })
    }
}

/// A runtime that stops.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Stopping {
    /// Its process, which is gone when all has stopped.
    pub(crate) pid: u32,
}

/// Reads the description again, and changes what can be changed while the runtime runs.
#[derive(Args, Clone, Debug, Default, Serialize, Deserialize)]
pub(crate) struct Reload {
    /// Takes up a description without any team too, which stops all agents.
    #[arg(long)]
    #[serde(default)]
    pub(crate) empty: bool,
}

/// What a reload has done.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Reloaded {
    /// What is different now, in words.
    pub(crate) changed: Vec<String>,
    /// Settings that count from the next start.
    pub(crate) needs_restart: Vec<String>,
    /// What was not taken up, or not wholly; the next reload tries it again.
    #[serde(default)]
    pub(crate) failed: Vec<NotDone>,
}

/// A change that was not wholly made.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct NotDone {
    /// The change, in words.
    pub(crate) change: String,
    /// How many of the acts it takes were done.
    pub(crate) done: usize,
    /// How many it takes.
    pub(crate) of: usize,
    /// What went wrong.
    pub(crate) why: String,
    /// What to do.
    pub(crate) remedy: String,
}

impl fmt::Display for NotDone {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self {
            change,
            done,
            of,
            why,
            remedy,
        } = self;
        match done {
            0 => write!(f, "{change}: failed: {why}; {remedy}"),
            done => write!(f, "{change}: failed after {done} of {of}: {why}; {remedy}"),
        }
    }
}

impl Reloaded {
    /// All of it, in words.
    pub(crate) fn in_a_line(&self) -> String {
        let changed = self.changed.iter().cloned();
        let later = self
            .needs_restart
            .iter()
            .map(|setting| format!("{setting} needs a restart"));
        let failed = self.failed.iter().map(ToString::to_string);
        let told: Vec<_> = changed.chain(later).chain(failed).collect();
        let told = if told.is_empty() {
            "nothing has changed".to_owned()
        } else {
            told.join(" | ")
        };
        format!("reloaded: {told}")
    }
}

impl Operation for Reload {
    const NAME: &'static str = "reload";
    type Output = Reloaded;

    async fn perform(self, fleet: &Fleet) -> Result<Reloaded, Trouble> {
        fleet
            .change("reload", async move |fleet| {
                crate::reload::reload(&fleet, self.empty).await
            })
            .await
    }
}
