//! How to get from what runs to what is to run: steps in their order, each of which says what it changes.
//!
//! ```text
//!   Running ──plan──▶ steps ──▶ acts ──perform──▶ the tree
//!   wanted ──┘                   └──apply──▶ Running, which is so what truly runs
//! ```
//!
//! An act is the least that can be done or fail. After each that was done it is applied to what is known to run, so
//! that the next plan begins from there, whatever came of this one.

use std::collections::{HashMap, HashSet};

use triarch_teams::TeamConfig;

use super::change::Change;
use super::running::{Running, RunningAgent, RunningTeam};
use crate::config::{Config, Difference, Setting, changed, difference};

/// What is to be done, and what cannot be done while the runtime runs.
#[derive(Clone, Debug, Default, PartialEq)]
pub(crate) struct Plan {
    pub(crate) steps: Vec<Step>,
    pub(crate) needs_restart: Vec<Setting>,
}

/// One change as people know it, and all that is done for it.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Step {
    pub(crate) change: Change,
    pub(crate) acts: Vec<Act>,
}

/// The least that can be done.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Act {
    /// These settings are in force.
    Settings(Box<Config>),
    RemoveTeam(String),
    /// The team goes, and is about to be added again: who was spawned is to be with it.
    TakeTeamDown(String),
    AddTeam(RunningTeam),
    /// The team bears other limits.
    Adjust(TeamConfig),
    Remove {
        team: String,
        name: String,
    },
    Add {
        team: String,
        agent: RunningAgent,
    },
    /// The agent is described otherwise, and lives on.
    Describe {
        team: String,
        agent: RunningAgent,
    },
    /// The team's agents start in this order from its next start on.
    Arrange {
        team: String,
        names: Vec<String>,
    },
    /// Teams start in this order from the next start of the runtime on.
    ArrangeTeams(Vec<String>),
}

impl Act {
    /// It was done.
    pub(crate) fn apply(&self, running: &mut Running) {
        match self {
            Self::Settings(settings) => running.settings = Config::clone(settings),
            Self::RemoveTeam(name) => {
                for teams in [&mut running.teams, &mut running.awaited] {
                    teams.retain(|team| team.rules.name != *name);
                }
            }
            Self::TakeTeamDown(name) => {
                let gone = running.teams.extract_if(.., |team| team.rules.name == *name);
                running.awaited.extend(gone);
            }
            Self::AddTeam(team) => {
                running.awaited.retain(|awaited| awaited.rules.name != team.rules.name);
                running.teams.push(team.clone());
            }
            Self::Adjust(rules) => {
                if let Some(team) = running.team_mut(&rules.name) {
                    team.rules = rules.clone();
                }
            }
            Self::Remove { team, name } => {
                if let Some(team) = running.team_mut(team)
                    && let Some(place) = team.agents.iter().rposition(|agent| agent.name == *name)
                {
                    team.agents.remove(place);
                }
            }
            Self::Add { team, agent } => {
                if let Some(team) = running.team_mut(team) {
                    team.agents.push(agent.clone());
                }
            }
            Self::Describe { team, agent } => {
                if let Some(present) = running.team_mut(team).and_then(|team| team.agent_mut(&agent.name)) {
                    present.clone_from(agent);
                }
            }
            Self::Arrange { team, names } => {
                if let Some(team) = running.team_mut(team) {
                    arrange(&mut team.agents, names, |agent| &agent.name);
                }
            }
            Self::ArrangeTeams(names) => arrange(&mut running.teams, names, |team| &team.rules.name),
        }
    }
}

fn arrange<T>(all: &mut [T], names: &[String], name: impl Fn(&T) -> &String) {
    let places: HashMap<&String, usize> = names.iter().zip(0..).collect();
    all.sort_by_key(|one| places.get(name(one)).copied().unwrap_or(usize::MAX));
}

/// The steps from what runs to what is wanted.
pub(crate) fn plan(running: &Running, wanted: &Running) -> Plan {
    let Difference { live, needs_restart } = difference(&running.settings, &wanted.settings);
    let mut steps = Vec::new();
    if !live.is_empty() {
        let mut settings = running.settings.clone();
        settings.take_up(&wanted.settings);
        steps.push(Step {
            change: Change::Settings(live),
            acts: vec![Act::Settings(Box::new(settings))],
        });
    }
    let gone = running
        .teams
        .iter()
        .chain(&running.awaited)
        .map(|team| &team.rules.name);
    steps.extend(gone.filter(|name| wanted.team(name).is_none()).map(|name| Step {
        change: Change::TeamRemoved { team: name.clone() },
        acts: vec![Act::RemoveTeam(name.clone())],
    }));
    for team in &wanted.teams {
        if let Some(present) = running.team(&team.rules.name) {
            team_steps(present, team, &mut steps);
        }
    }
    let new = wanted
        .teams
        .iter()
        .filter(|team| running.team(&team.rules.name).is_none());
    steps.extend(new.map(|team| Step {
        change: Change::TeamAdded {
            team: team.rules.name.clone(),
        },
        acts: vec![Act::AddTeam(team.clone())],
    }));
    steps.extend(order_of_teams(running, wanted, &steps));
    Plan { steps, needs_restart }
}

/// What is left when all steps were done.
fn after(running: &Running, steps: &[Step]) -> Running {
    let mut after = running.clone();
    steps
        .iter()
        .flat_map(|step| &step.acts)
        .for_each(|act| act.apply(&mut after));
    after
}

fn order_of_teams(running: &Running, wanted: &Running, steps: &[Step]) -> Option<Step> {
    let names = |running: &Running| {
        running
            .teams
            .iter()
            .map(|team| team.rules.name.clone())
            .collect::<Vec<_>>()
    };
    let (before, order) = (names(running), names(wanted));
    (names(&after(running, steps)) != order).then(|| Step {
        change: order_change(&before, &order, None),
        acts: vec![Act::ArrangeTeams(order)],
    })
}

/// Who stays and starts in another order is news; where those that come belong is not.
fn order_change(before: &[String], order: &[String], team: Option<&str>) -> Change {
    let places: HashMap<&String, usize> = before.iter().zip(0..).collect();
    let is_news = !order.iter().filter_map(|name| places.get(name)).is_sorted();
    let team = team.map(str::to_owned);
    if is_news {
        Change::Reordered { team }
    } else {
        Change::Placed { team }
    }
}

fn team_steps(present: &RunningTeam, wanted: &RunningTeam, steps: &mut Vec<Step>) {
    let name = || wanted.rules.name.clone();
    let keys = changed(&present.rules, &wanted.rules, &["agent"]);
    if present.rules.strategy != wanted.rules.strategy {
        // Which agents restart together cannot change under them.
        steps.push(Step {
            change: Change::TeamRestarted { team: name(), keys },
            acts: vec![Act::TakeTeamDown(name()), Act::AddTeam(wanted.clone())],
        });
        return;
    }
    if !keys.is_empty() {
        steps.push(Step {
            change: Change::TeamAdjusted { team: name(), keys },
            acts: vec![Act::Adjust(wanted.rules.clone())],
        });
    }
    let first = steps.len();
    agent_steps(present, wanted, steps);
    let alone = Running {
        teams: vec![present.clone()],
        ..Running::default()
    };
    let left = after(&alone, &steps[first..]);
    let names = |team: &RunningTeam| team.agents.iter().map(|agent| agent.name.clone()).collect::<Vec<_>>();
    let order = names(wanted);
    if left.teams.first().is_some_and(|team| names(team) != order) {
        steps.push(Step {
            change: order_change(&names(present), &order, Some(&wanted.rules.name)),
            acts: vec![Act::Arrange {
                team: name(),
                names: order,
            }],
        });
    }
}

/// The agents of one description, as they are and as they are to be.
#[derive(Default)]
struct Kin<'a> {
    present: Vec<&'a RunningAgent>,
    wanted: Vec<&'a RunningAgent>,
}

/// All kin of a team, by what they are described as: those that go, those that stay, those that come.
fn kin<'a>(present: &'a RunningTeam, wanted: &'a RunningTeam) -> Vec<Kin<'a>> {
    let mut places: HashMap<&str, usize> = HashMap::new();
    let mut all: Vec<Kin<'a>> = Vec::new();
    let mut place = |all: &mut Vec<Kin<'a>>, agent: &'a RunningAgent| {
        *places.entry(&agent.described.name).or_insert_with(|| {
            all.push(Kin::default());
            all.len() - 1
        })
    };
    for agent in &wanted.agents {
        let place = place(&mut all, agent);
        all[place].wanted.push(agent);
    }
    for agent in &present.agents {
        let place = place(&mut all, agent);
        all[place].present.push(agent);
    }
    all.sort_by_key(|kin| match (kin.present.is_empty(), kin.wanted.is_empty()) {
        (_, true) => 0,
        (false, false) => 1,
        (true, false) => 2,
    });
    all
}

fn agent_steps(present: &RunningTeam, wanted: &RunningTeam, steps: &mut Vec<Step>) {
    let team = &wanted.rules.name;
    let first = steps.len();
    let mut given_away = Vec::new();
    for kin in kin(present, wanted) {
        let own: HashSet<&str> = kin.wanted.iter().map(|agent| agent.name.as_str()).collect();
        let (away, kept): (Vec<&RunningAgent>, Vec<_>) = kin
            .present
            .iter()
            .partition(|agent| !own.contains(agent.name.as_str()) && wanted.agent(&agent.name).is_some());
        let Some(change) = change_of(team, &kin) else { continue };
        given_away.extend(removal(team, &change, away.into_iter()));
        let mut acts = Vec::new();
        acts_of(team, &kept, &kin.wanted, &mut acts);
        steps.extend((!acts.is_empty()).then_some(Step { change, acts }));
    }
    // A name is free before somebody else bears it.
    steps.splice(first..first, given_away);
}

fn removal<'a>(team: &str, change: &Change, gone: impl DoubleEndedIterator<Item = &'a RunningAgent>) -> Option<Step> {
    let acts: Vec<_> = gone.rev().map(|agent| remove(team, agent)).collect();
    (!acts.is_empty()).then(|| Step {
        change: change.clone(),
        acts,
    })
}

fn remove(team: &str, agent: &RunningAgent) -> Act {
    Act::Remove {
        team: team.to_owned(),
        name: agent.name.clone(),
    }
}

/// From right to left those that go, as a supervisor stops them; then one by one those that are replaced, so that
/// replicas are never all away at once; then those that come.
fn acts_of(team: &str, present: &[&RunningAgent], wanted: &[&RunningAgent], acts: &mut Vec<Act>) {
    let after: HashSet<&str> = wanted.iter().map(|agent| agent.name.as_str()).collect();
    let before: HashMap<&str, &RunningAgent> = present.iter().map(|agent| (agent.name.as_str(), *agent)).collect();
    let gone = present
        .iter()
        .rev()
        .filter(|agent| !after.contains(agent.name.as_str()));
    acts.extend(gone.map(|agent| remove(team, agent)));
    let add = |agent: &RunningAgent| Act::Add {
        team: team.to_owned(),
        agent: agent.clone(),
    };
    for agent in wanted {
        match before.get(agent.name.as_str()) {
            Some(old) if old == agent => {}
            Some(old) if old.essence() == agent.essence() => acts.push(Act::Describe {
                team: team.to_owned(),
                agent: RunningAgent::clone(agent),
            }),
            Some(old) => acts.extend([remove(team, old), add(agent)]),
            None => {}
        }
    }
    let new = wanted.iter().filter(|agent| !before.contains_key(agent.name.as_str()));
    acts.extend(new.map(|agent| add(agent)));
}

/// What becomes of agents of one description, in a word; `None` where nothing does.
fn change_of(team: &str, kin: &Kin<'_>) -> Option<Change> {
    let team = team.to_owned();
    let of = |agents: &[&RunningAgent]| agents.first().map(|agent| agent.described.name.clone());
    match (of(&kin.present), of(&kin.wanted)) {
        (None, None) => None,
        (Some(agent), None) => Some(Change::AgentRemoved { team, agent }),
        (None, Some(agent)) => Some(Change::AgentAdded { team, agent }),
        (Some(_), Some(agent)) => {
            let mut keys = keys_of(kin);
            let (from, to) = (count(&kin.present), count(&kin.wanted));
            if from == to && keys.is_empty() {
                let is_same = kin.present == kin.wanted;
                return (!is_same).then_some(Change::AgentDescribed { team, agent });
            }
            if keys.is_empty() {
                return Some(Change::Replicas { team, agent, from, to });
            }
            keys.extend((from != to).then(|| "replicas".to_owned()));
            Some(Change::AgentChanged { team, agent, keys })
        }
    }
}

/// The keys that differ for any of those that stay.
fn keys_of(kin: &Kin<'_>) -> Vec<String> {
    let before: HashMap<&str, &RunningAgent> = kin.present.iter().map(|agent| (agent.name.as_str(), *agent)).collect();
    let mut keys: Vec<String> = Vec::new();
    for agent in &kin.wanted {
        let Some(old) = before
            .get(agent.name.as_str())
            .filter(|old| old.described != agent.described)
        else {
            continue;
        };
        let new = changed(&*old.described, &*agent.described, &["name"]);
        keys.extend(new.into_iter().filter(|key| !keys.contains(key)).collect::<Vec<_>>());
    }
    keys
}

/// How many replicas there are; `None` where it is one agent of its own name.
fn count(kin: &[&RunningAgent]) -> Option<usize> {
    let is_alone = kin.len() == 1 && kin.iter().all(|agent| agent.name == agent.described.name);
    (!is_alone).then_some(kin.len())
}

#[cfg(test)]
#[path = "plan_test.rs"]
mod tests;
