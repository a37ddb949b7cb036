//! How the fleet differs from its description because somebody said so, so that the next runtime goes on with it.
//!
//! ```text
//!   deeds, acts ──▶ Deviations ──ledger──▶ deviations.json
//!   Running ────────┘                        │ the next runtime
//!   Running, as described ──restore──────────┴──▶ Running, as it was left
//! ```

mod ledger;

use std::collections::{BTreeMap, BTreeSet};
use std::num::NonZeroU32;

use serde::{Deserialize, Serialize};
use triarch_teams::{AgentConfig, Kinds, Member, member};

use crate::reload::{Act, Running, RunningAgent, RunningTeam};

pub(crate) use ledger::{Coming, Ledger};

/// What was added, scaled, stopped and paused by hand. Agents are named as if their team were not split.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub(crate) struct Deviations {
    spawned: Vec<Spawned>,
    /// How many replicas there are, by the path of the described agent.
    replicas: BTreeMap<String, NonZeroU32>,
    agents_stopped: BTreeSet<String>,
    agents_paused: BTreeSet<String>,
    teams_stopped: BTreeSet<String>,
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
struct Spawned {
    team: String,
    agent: AgentConfig,
}

/// Something that somebody did by hand, and that what runs does not tell of itself.
#[derive(Clone, Debug)]
pub(crate) enum Deed {
    Scaled {
        agent: String,
        replicas: NonZeroU32,
    },
    AgentStopped(String),
    AgentStarted(String),
    Paused(String),
    Resumed(String),
    TeamStopped(String),
    TeamStarted(String),
    /// The description says again how many replicas there are.
    Reloaded,
}

impl Deviations {
    fn follow(&mut self, deed: Deed) {
        match deed {
            Deed::Scaled { agent, replicas } => drop(self.replicas.insert(agent, replicas)),
            Deed::AgentStopped(path) => drop(self.agents_stopped.insert(path)),
            Deed::AgentStarted(path) => drop(self.agents_stopped.remove(&path)),
            Deed::Paused(path) => drop(self.agents_paused.insert(path)),
            Deed::Resumed(path) => drop(self.agents_paused.remove(&path)),
            Deed::TeamStopped(team) => drop(self.teams_stopped.insert(team)),
            // All of a team starts with it.
            Deed::TeamStarted(team) => {
                self.teams_stopped.remove(&team);
                self.agents_stopped.retain(|path| team_of(path) != team);
            }
            Deed::Reloaded => self.replicas.clear(),
        }
    }

    /// Who comes is neither stopped nor paused, whoever had the name before.
    fn make_way(&mut self, act: &Act) {
        match act {
            Act::Add { team, agent } => {
                let path = path(team, &agent.name);
                self.agents_stopped.remove(&path);
                self.agents_paused.remove(&path);
            }
            Act::AddTeam(team) => {
                let name = &team.rules.name;
                self.teams_stopped.remove(name);
                self.agents_stopped.retain(|path| team_of(path) != name);
                self.agents_paused.retain(|path| team_of(path) != name);
            }
            _ => {}
        }
    }

    /// What runs tells who was spawned, and who belongs to no team or has gone.
    /// `coming` are the agents that are about to be there.
    fn see(&mut self, running: &Running, coming: &BTreeSet<String>) {
        let is_there = |path: &String| has(running, path) || coming.contains(path);
        self.agents_stopped.retain(is_there);
        self.agents_paused.retain(is_there);
        self.teams_stopped.retain(|team| running.team(team).is_some());
        let spawned = |team: &RunningTeam| {
            let team_name = team.rules.name.clone();
            let spawned = team.agents.iter().filter(|agent| agent.is_spawned);
            let spawned = spawned.map(move |agent| Spawned {
                team: team_name.clone(),
                agent: AgentConfig::clone(&agent.described),
            });
            spawned.collect::<Vec<_>>()
        };
        self.spawned = running.teams.iter().chain(&running.awaited).flat_map(spawned).collect();
    }

    /// Has `running`, which is as it is described, be as it was left. What does not fit it any more is left
    /// out: returns that, in words.
    fn restore(&mut self, running: &mut Running, kinds: &Kinds) -> Vec<String> {
        let mut lost = Vec::new();
        let mut may = |path: &str, what: &str, done: Result<(), String>| {
            let why = done.err();
            let fits = why.is_none();
            lost.extend(why.map(|why| format!("{path} is not {what} again: {why}")));
            fits
        };
        self.spawned.retain(|spawned| {
            let path = path(&spawned.team, &spawned.agent.name);
            may(&path, "added", spawned.join(running, kinds))
        });
        self.replicas
            .retain(|path, replicas| may(path, "scaled", scale(running, path, *replicas)));
        for (paths, what) in [
            (&mut self.agents_stopped, "stopped"),
            (&mut self.agents_paused, "paused"),
        ] {
            paths.retain(|path| may(path, what, is_there(has(running, path), "agent")));
        }
        self.teams_stopped
            .retain(|team| may(team, "stopped", is_there(running.team(team).is_some(), "team")));
        lost
    }

    /// The agent of a team as it was left, when the team starts.
    pub(crate) fn begin(&self, team: &str, member: Member) -> Member {
        let path = path(team, member.name());
        let member = if self.is_down(&path) { member.dormant() } else { member };
        if self.agents_paused.contains(&path) {
            member.paused()
        } else {
            member
        }
    }

    fn is_down(&self, path: &str) -> bool {
        self.agents_stopped.contains(path) || self.teams_stopped.contains(team_of(path))
    }

    /// The teams that were stopped.
    pub(crate) fn teams_stopped(&self) -> impl Iterator<Item = &str> {
        self.teams_stopped.iter().map(String::as_str)
    }

    /// Whether that agent was stopped, and not with its team.
    pub(crate) fn has_stopped(&self, path: &str) -> bool {
        self.agents_stopped.contains(path)
    }

    pub(crate) fn has_stopped_team(&self, team: &str) -> bool {
        self.teams_stopped.contains(team)
    }

    /// What was stopped and paused, in words: it is no trouble, and is told all the same.
    pub(crate) fn stopped_and_paused(&self) -> Vec<String> {
        let counts = [
            (self.agents_stopped.len(), "stopped"),
            (self.agents_paused.len(), "paused"),
        ];
        let said = counts.iter().filter(|(count, _)| *count > 0);
        let agents = said.map(|(count, what)| format!("{count} {what}"));
        let teams = self.teams_stopped().map(|team| format!("team {team} stopped"));
        agents.chain(teams).collect()
    }

    /// What differs, in words; nothing where nothing does.
    pub(crate) fn words(&self) -> Option<String> {
        let counts = [
            (self.spawned.len(), "added"),
            (self.replicas.len(), "scaled"),
            (self.agents_stopped.len() + self.teams_stopped.len(), "stopped"),
            (self.agents_paused.len(), "paused"),
        ];
        let said = counts.iter().filter(|(count, _)| *count > 0);
        let said: Vec<_> = said.map(|(count, what)| format!("{count} {what}")).collect();
        (!said.is_empty()).then(|| said.join(", "))
    }
}

impl Spawned {
    fn join(&self, running: &mut Running, kinds: &Kinds) -> Result<(), String> {
        let name = &self.agent.name;
        member(&self.team, &self.agent, name, kinds).map_err(|error| error.to_string())?;
        changed(running, &self.team, |team| {
            let mut joined = team.clone();
            joined.agents.push(RunningAgent::spawned(self.agent.clone()));
            match team.agent(name) {
                None => Ok(joined),
                Some(_) => Err("its name stands in the description".to_owned()),
            }
        })
    }
}

fn scale(running: &mut Running, path: &str, replicas: NonZeroU32) -> Result<(), String> {
    let (team, agent) = path.split_once('/').unwrap_or((path, ""));
    changed(running, team, |team| {
        let scaled = team.scaled(agent, replicas);
        scaled.ok_or_else(|| "it is not described with `replicas`".to_owned())
    })
}

/// Changes a team as far as a supervisor can follow.
fn changed(
    running: &mut Running,
    team: &str,
    change: impl FnOnce(&RunningTeam) -> Result<RunningTeam, String>,
) -> Result<(), String> {
    let span = running.settings.runtime.span.get();
    let team = running.team_mut(team).ok_or("its team is gone")?;
    let changed = change(team)?;
    if !changed.fits(span) {
        return Err(format!(
            "its team restarts together, and a supervisor has at most {span} agents"
        ));
    }
    *team = changed;
    Ok(())
}

fn is_there(is_there: bool, what: &str) -> Result<(), String> {
    is_there
        .then_some(())
        .ok_or_else(|| format!("there is no such {what} any more"))
}

fn has(running: &Running, path: &str) -> bool {
    let agent = |(team, name)| running.team(team)?.agent(name);
    path.split_once('/').and_then(agent).is_some()
}

/// The paths of a team's agents.
pub(crate) fn paths(team: &RunningTeam) -> impl Iterator<Item = String> {
    team.agents.iter().map(|agent| path(&team.rules.name, &agent.name))
}

/// The agents that come by an act.
fn coming(act: &Act) -> BTreeSet<String> {
    match act {
        Act::Add { team, agent } => BTreeSet::from([path(team, &agent.name)]),
        Act::AddTeam(team) => paths(team).collect(),
        _ => BTreeSet::new(),
    }
}

fn path(team: &str, agent: &str) -> String {
    format!("{team}/{agent}")
}

fn team_of(path: &str) -> &str {
    path.split('/').next().unwrap_or(path)
}

#[cfg(test)]
#[path = "deviations_test.rs"]
mod tests;
