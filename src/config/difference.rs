//! What changes where one description takes the place of another.

use std::collections::{HashMap, HashSet};
use std::fmt;
use std::num::NonZeroU32;

use serde::Serialize;
use serde_json::{Map, Value};
use triarch_teams::{AgentConfig, TeamConfig};

use super::sections::Config;
use super::words::toml;

/// What changes where one description takes the place of another.
#[derive(Clone, Debug, Default, PartialEq, Serialize)]
pub struct Reload {
    /// What a runtime takes up while it runs, in the order to do it.
    pub live: Vec<Change>,
    /// What it takes up when it is started again.
    pub needs_restart: Vec<Setting>,
}

/// A setting with its old and its new value.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Setting {
    /// The way to it: `runtime.span`.
    pub key: String,
    /// What it was.
    pub from: Value,
    /// What it is to be.
    pub to: Value,
}

/// What a runtime takes up while it runs.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Change {
    /// A setting of the runtime or one of its rooms.
    Setting(Setting),
    /// A team is there no more.
    TeamRemoved {
        /// The team.
        team: String,
    },
    /// A team is there that was not.
    TeamAdded {
        /// The team.
        team: String,
    },
    /// Rules of a team are others.
    TeamChanged {
        /// The team.
        team: String,
        /// Which of its keys.
        keys: Vec<String>,
    },
    /// An agent is there no more.
    AgentRemoved {
        /// Its team.
        team: String,
        /// The agent.
        agent: String,
    },
    /// An agent is there that was not.
    AgentAdded {
        /// Its team.
        team: String,
        /// The agent.
        agent: String,
    },
    /// There are more of an agent, or fewer.
    Replicas {
        /// Its team.
        team: String,
        /// The agent.
        agent: String,
        /// How many there were; one of its own name where there is no number.
        from: Option<NonZeroU32>,
        /// How many there are to be.
        to: Option<NonZeroU32>,
    },
    /// Settings of an agent are others.
    AgentChanged {
        /// Its team.
        team: String,
        /// The agent.
        agent: String,
        /// Which of its keys.
        keys: Vec<String>,
    },
    /// Agents of a team, or the teams themselves, start in another order.
    Reordered {
        /// The team whose agents they are.
        team: Option<String>,
    },
}

/// Settings outside teams that a runtime takes up while it runs; those that end in a dot with all below them.
const LIVE: [&str; 2] = ["runtime.log.level", "telemetry.limits."];

/// What changes where `new` takes the place of `old`.
pub fn difference(old: &Config, new: &Config) -> Reload {
    let mut reload = Reload::default();
    for setting in settings(old, new) {
        if LIVE
            .iter()
            .any(|live| setting.key == *live || (live.ends_with('.') && setting.key.starts_with(live)))
        {
            reload.live.push(Change::Setting(setting));
        } else {
            reload.needs_restart.push(setting);
        }
    }
    let teams = matched(&old.teams, &new.teams, |team| &team.name);
    let removed = teams.removed.iter().map(|team| Change::TeamRemoved {
        team: team.name.clone(),
    });
    reload.live.extend(removed);
    for (old, new) in &teams.kept {
        team_changes(old, new, &mut reload.live);
    }
    let added = teams.added.iter().map(|team| Change::TeamAdded {
        team: team.name.clone(),
    });
    reload.live.extend(added);
    reload
        .live
        .extend(teams.is_reordered.then_some(Change::Reordered { team: None }));
    reload
}

fn team_changes(old: &TeamConfig, new: &TeamConfig, changes: &mut Vec<Change>) {
    let team = || new.name.clone();
    let keys = changed(old, new, &["agent"]);
    changes.extend((!keys.is_empty()).then(|| Change::TeamChanged { team: team(), keys }));
    let agents = matched(&old.agents, &new.agents, |agent| &agent.name);
    changes.extend(agents.removed.iter().map(|agent| Change::AgentRemoved {
        team: team(),
        agent: agent.name.clone(),
    }));
    for (old, new) in &agents.kept {
        agent_changes(&team(), old, new, changes);
    }
    changes.extend(agents.added.iter().map(|agent| Change::AgentAdded {
        team: team(),
        agent: agent.name.clone(),
    }));
    changes.extend(agents.is_reordered.then(|| Change::Reordered { team: Some(team()) }));
}

fn agent_changes(team: &str, old: &AgentConfig, new: &AgentConfig, changes: &mut Vec<Change>) {
    let (team, agent) = (team.to_owned(), new.name.clone());
    let keys = changed(old, new, &["replicas"]);
    if !keys.is_empty() {
        let (team, agent) = (team.clone(), agent.clone());
        changes.push(Change::AgentChanged { team, agent, keys });
    }
    let (from, to) = (old.replicas, new.replicas);
    if from != to {
        changes.push(Change::Replicas { team, agent, from, to });
    }
}

/// What two lists have in common by name, and what only one of them has.
struct Matched<'a, T> {
    removed: Vec<&'a T>,
    kept: Vec<(&'a T, &'a T)>,
    added: Vec<&'a T>,
    is_reordered: bool,
}

fn matched<'a, T>(old: &'a [T], new: &'a [T], name: impl Fn(&T) -> &str) -> Matched<'a, T> {
    let before: HashMap<&str, (usize, &T)> = old.iter().enumerate().map(|(at, one)| (name(one), (at, one))).collect();
    let after: HashSet<&str> = new.iter().map(&name).collect();
    let both: Vec<_> = new
        .iter()
        .filter_map(|one| Some((before.get(name(one))?, one)))
        .collect();
    Matched {
        removed: old.iter().filter(|one| !after.contains(name(one))).collect(),
        is_reordered: !both.iter().is_sorted_by_key(|((at, _), _)| *at),
        kept: both.into_iter().map(|((_, old), new)| (*old, new)).collect(),
        added: new.iter().filter(|one| !before.contains_key(name(one))).collect(),
    }
}

/// The keys whose values differ, but for some.
fn changed(old: &impl Serialize, new: &impl Serialize, but: &[&str]) -> Vec<String> {
    let (old, new) = (entries(old), entries(new));
    let differs = |key: &&String| !but.contains(&key.as_str()) && old.get(*key) != new.get(*key);
    let gone = old.keys().filter(|key| !new.contains_key(*key));
    new.keys().chain(gone).filter(differs).cloned().collect()
}

fn entries(value: &impl Serialize) -> Map<String, Value> {
    match serde_json::to_value(value) {
        Ok(Value::Object(entries)) => entries,
        _ => Map::new(),
    }
}

/// The settings outside teams that differ.
fn settings(old: &Config, new: &Config) -> Vec<Setting> {
    let flat = |config: &Config| {
        let mut settings = Map::new();
        let mut sections = entries(config);
        sections.remove("team");
        flatten("", &Value::Object(sections), &mut settings);
        settings
    };
    let (old, mut new) = (flat(old), flat(new));
    let pairs = old
        .into_iter()
        .map(|(key, from)| (new.remove(&key).unwrap_or(Value::Null), key, from));
    pairs
        .filter(|(to, _, from)| to != from)
        .map(|(to, key, from)| Setting { key, from, to })
        .collect()
}

fn flatten(above: &str, value: &Value, settings: &mut Map<String, Value>) {
    match value {
        Value::Object(entries) => {
            let gap = if above.is_empty() { "" } else { "." };
            for (key, value) in entries {
                flatten(&format!("{above}{gap}{key}"), value, settings);
            }
        }
        leaf => drop(settings.insert(above.to_owned(), leaf.clone())),
    }
}

impl fmt::Display for Setting {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {} → {}", self.key, toml(&self.from), toml(&self.to))
    }
}

impl fmt::Display for Change {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let count =
            |replicas: &Option<NonZeroU32>| replicas.map_or_else(|| "one".to_owned(), |count| count.to_string());
        match self {
            Self::Setting(setting) => setting.fmt(f),
            Self::TeamRemoved { team } => write!(f, "team {team} goes"),
            Self::TeamAdded { team } => write!(f, "team {team} comes"),
            Self::TeamChanged { team, keys } => write!(f, "team {team}: {}", keys.join(", ")),
            Self::AgentRemoved { team, agent } => write!(f, "agent {team}/{agent} goes"),
            Self::AgentAdded { team, agent } => write!(f, "agent {team}/{agent} comes"),
            Self::Replicas { team, agent, from, to } => {
                write!(f, "agent {team}/{agent}: replicas: {} → {}", count(from), count(to))
            }
            Self::AgentChanged { team, agent, keys } => write!(f, "agent {team}/{agent}: {}", keys.join(", ")),
            Self::Reordered { team: None } => f.write_str("teams start in another order"),
            Self::Reordered { team: Some(team) } => write!(f, "agents of team {team} start in another order"),
        }
    }
}
