//! What can be asked for of the runtime as a whole.

use std::collections::{BTreeMap, HashSet};
use std::fmt;
use std::path::{Path, PathBuf};
use std::time::Duration;

use clap::Args;
use serde::{Deserialize, Serialize};
use triarch_journal::metrics::{OPEN, OWNERS};
use triarch_supervision::metrics::Gauge;
use triarch_supervision::name::team_of;
use triarch_supervision::reason::ExitReason;
use triarch_supervision::tree::{Level, NodeView, Phase};

use super::health::critical;
use super::nodes::Nodes;
use super::seen::{NodeSeen, SHOWN_WITHIN, ago, span};
use super::{Code, Operation, Trouble};
use crate::config::Source;
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
    /// Messages and posts that reached no handler, since the runtime began.
    pub(crate) dead_letters: u64,
    /// Dead letters of the bus that are kept, as `bus dead` lists them.
    #[serde(default)]
    pub(crate) bus_dead_letters: usize,
    pub(crate) posts_handled: u64,
    /// What is not as it should be, in words.
    pub(crate) troubles: Vec<String>,
    /// What was stopped and paused by hand, in words.
    #[serde(default)]
    pub(crate) by_hand: Vec<String>,
}

impl Operation for Status {
    const NAME: &'static str = "status";
    const WHILE_IT_STARTS: bool = true;
    type Output = StatusShown;

    async fn perform(self, fleet: &Fleet) -> Result<StatusShown, Trouble> {
        let (nodes, teams) = (fleet.observer().snapshot(), fleet.team_names());
        let Counted {
            agents,
            restarts,
            posts_handled,
            mut troubles,
        } = Counted::of(&nodes, &teams);
        if fleet.ground().is_starting() {
            let described = fleet
                .ground()
                .running()
                .teams
                .iter()
                .map(|team| team.agents.len())
                .sum();
            // Before all others: a screen has room for one.
            troubles.insert(0, how_far(&agents, described));
        }
        troubles.splice(0..0, super::ending::told(fleet, &agents));
        troubles.extend(fleet.ground().full_disks.troubles());
        troubles.extend(critical(fleet));
        troubles.extend(unwritten(fleet));
        troubles.extend(held_back(fleet));
        let mut by_hand = fleet.ground().deviations().stopped_and_paused();
        by_hand.extend(is_draining(fleet).await.then(|| DRAINING.to_owned()));
        let ground = fleet.ground();
        Ok(StatusShown {
            version: env!("CARGO_PKG_VERSION").to_owned(),
            pid: std::process::id(),
            up_for_ms: ago(ground.begun),
            state_dir: whole(&ground.state_dir),
            listen: ground.metrics_at(),
            described_in: ground.source.whole_name(),
            teams: teams.len(),
            agents,
            restarts,
            dead_letters: fleet.observer().dead_letters().total(),
            bus_dead_letters: fleet.bus().map_or(0, triarch_bus::Bus::dead_letters_kept),
            posts_handled,
            troubles,
            by_hand,
        })
    }
}

/// A folder as it is called by whoever stands in another one.
fn whole(folder: &Path) -> String {
    let absolute = std::path::absolute(folder);
    absolute.as_deref().unwrap_or(folder).display().to_string()
}

/// What nodes come to together.
#[derive(Default)]
struct Counted {
    /// Of teams, by state.
    agents: BTreeMap<String, usize>,
    restarts: u64,
    posts_handled: u64,
    troubles: Vec<String>,
}

impl Counted {
    fn of(nodes: &[NodeView], teams: &HashSet<String>) -> Self {
        let mut counted = Self::default();
        for node in nodes {
            counted.restarts += node.restarts;
            let supervisor = node.path.split('/').next().unwrap_or_default();
            let of_team = teams.contains(team_of(supervisor));
            if is_trouble(node, of_team) {
                counted.troubles.push(trouble(node));
            }
            if node.level == Level::Agent && of_team {
                *counted.agents.entry(node.state.label().to_owned()).or_default() += 1;
                counted.posts_handled += node.mailbox.as_ref().map_or(0, |mailbox| mailbox.handled);
            }
        }
        counted
    }
}

/// How many of the agents of teams, by state, are past their start, of how many, in words. A team that has not begun has none of them yet.
fn how_far(agents: &BTreeMap<String, usize>, described: usize) -> String {
    let of = described.max(agents.values().sum());
    let not_up = [Phase::Specified, Phase::Starting, Phase::Backoff, Phase::Failed].map(Phase::label);
    let others = agents.iter().filter(|(state, _)| !not_up.contains(&state.as_str()));
    let begun: usize = others.map(|(_, count)| count).sum();
    format!("the runtime is still starting: {begun} of {of} agents have started; `triarch tree` shows which")
}

const DRAINING: &str = "no tasks taken";

/// Whether the queue was asked to take no more; one that does not say so at once is not waited for.
async fn is_draining(fleet: &Fleet) -> bool {
    let Ok(tasks) = fleet.tasks() else { return false };
    let overview = tokio::time::timeout(SHOWN_WITHIN, tasks.overview()).await;
    overview.is_ok_and(|overview| overview.is_ok_and(|overview| overview.is_draining))
}

/// Namespaces in which nothing is written, in words.
fn held_back(fleet: &Fleet) -> impl Iterator<Item = String> {
    let held_back = fleet.memory().map(|memory| memory.store().held_back());
    held_back.into_iter().flatten().map(|why| why.to_string())
}

/// Rooms whose journal takes nothing since its disk failed, in words.
fn unwritten(fleet: &Fleet) -> Vec<String> {
    let Ok(open) = fleet.observer().instruments().labelled::<Gauge, 1>(&OPEN) else {
        return Vec::new();
    };
    let is_shut = |room: &&str| open.with([room]).get().is_some_and(|level| level < 1.0);
    let shut = OWNERS.into_iter().filter(is_shut);
    shut.map(|room| format!("{room} writes nothing since its disk failed: see `triarch why {room}/scribe`"))
        .collect()
}

fn trouble(node: &NodeView) -> String {
    match stuck(node) {
        Some(stuck) => format!("{} {stuck}", node.path),
        None => format!("{} is in state {}", node.path, node.state.label()),
    }
}

/// That its handler is longer at a message than it may, in words.
pub(super) fn stuck(node: &NodeView) -> Option<String> {
    let since = node.stuck_since?;
    Some(format!(
        "is at one message for {}, longer than it may",
        span(ago(since))
    ))
}

/// Whether a person should look at a node. Agents of a team may be down because somebody wants it so; nobody wants that of
/// the runtime's own.
pub(crate) fn is_trouble(node: &NodeView, is_of_team: bool) -> bool {
    match node.state {
        _ if node.stuck_since.is_some() => true,
        Phase::Backoff | Phase::Failed => true,
        Phase::Paused => !is_of_team,
        // One that has done its work is about to leave the tree.
        Phase::Stopped => !is_of_team && node.level == Level::Agent && node.last_exit == Some(ExitReason::Shutdown),
        _ => false,
    }
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
    const WHILE_IT_STARTS: bool = true;
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
        let wanted = nodes.iter().filter(|node| is_wanted(&node.path));
        let seen = wanted.map(|node| NodeSeen::of(node, fleet));
        let last = Nodes::answered(fleet, seen, self.rows).await?;
        match &self.path {
            Some(path) if last.is_empty() => Err(Trouble::no_such_path(path)),
            _ => Ok(last),
        }
    }

    fn joined(parts: Vec<Nodes>, rest: Nodes) -> Nodes {
        Nodes::joined(parts, rest)
    }
}

/// Stops the runtime and all it runs, in order.
#[derive(Args, Clone, Debug, Default, Serialize, Deserialize)]
pub(crate) struct Down {
    /// The description of the runtime that is meant.
    #[arg(skip)]
    #[serde(default)]
    pub(crate) of: Option<Meant>,
}

/// A description that somebody means: another than that of the runtime that was found is a mistake.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Meant {
    pub(crate) file: PathBuf,
    /// Whether somebody named it, and does not just stand in its folder.
    pub(crate) is_named: bool,
}

impl Operation for Down {
    const NAME: &'static str = "down";
    const WHILE_IT_STARTS: bool = true;
    type Output = Stopping;

    fn answered_within(&self) -> Option<Duration> {
        None
    }

    async fn perform(self, fleet: &Fleet) -> Result<Stopping, Trouble> {
        let source = &fleet.ground().source;
        if let Some(meant) = &self.of
            && (meant.is_named || matches!(source, Source::File(_)))
        {
            is_in_use(meant, source, Self::NAME)?;
        }
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
    /// The description that is meant.
    #[arg(skip)]
    #[serde(default)]
    pub(crate) of: Option<Meant>,
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

    fn answered_within(&self) -> Option<Duration> {
        None
    }

    async fn perform(self, fleet: &Fleet) -> Result<Reloaded, Trouble> {
        if let Some(meant) = &self.of {
            is_in_use(meant, &fleet.ground().source, Self::NAME)?;
        }
        fleet
            .change("reload", async move |fleet| {
                Box::pin(crate::reload::reload(&fleet, self.empty)).await
            })
            .await
    }
}

/// A runtime stays with the description it was started with.
fn is_in_use(meant: &Meant, source: &Source, verb: &str) -> Result<(), Trouble> {
    if source.is_file(&meant.file) {
        return Ok(());
    }
    let (used, file) = (source.whole_name(), meant.file.display());
    let this = match source {
        Source::File(_) => format!("`triarch --config {used} {verb}`"),
        _ if meant.is_named => format!("leave --config out, `triarch {verb}`"),
        _ => format!("`triarch {verb}` in a folder without a description"),
    };
    Err(Trouble::new(
        Code::Usage,
        format!("the runtime was started with {used}, not with {file}"),
        format!(
            "to {verb} that one: {this}; to run {file}, stop that one or give this a runtime.state_dir of its own, then `triarch --config {file} up`"
        ),
    ))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn how_far_a_start_is_counts_those_too_whose_team_has_not_begun() {
        let agents =
            [("idle", 2), ("starting", 2), ("failed", 1), ("busy", 1)].map(|(state, count)| (state.to_owned(), count));
        let told = how_far(&agents.into(), 10);
        assert!(told.contains("3 of 10 agents have started"), "{told}");
        let spawned = [("idle".to_owned(), 2)].into();
        assert!(
            how_far(&spawned, 1).contains("2 of 2 agents"),
            "more than are described"
        );
    }

    #[test]
    fn who_is_down_is_trouble_where_nobody_can_want_it() {
        let node = |state, last_exit| {
            let mut node = NodeView::new("gateway/http", Level::Agent);
            node.state = state;
            node.last_exit = last_exit;
            node
        };
        // State, last end, whether it is trouble in a team, whether it is in a room.
        let table = [
            (Phase::Backoff, None, true, true),
            (Phase::Failed, None, true, true),
            (Phase::Paused, None, false, true),
            (Phase::Stopped, Some(ExitReason::Shutdown), false, true),
            (Phase::Stopped, Some(ExitReason::Normal), false, false),
            (Phase::Idle, Some(ExitReason::Shutdown), false, false),
        ];
        for (state, last_exit, in_team, in_room) in table {
            let node = node(state, last_exit);
            assert_eq!(
                (is_trouble(&node, true), is_trouble(&node, false)),
                (in_team, in_room),
                "{node:?}"
            );
        }
    }
}
