//! What runs, as far as it is described: each agent under the name it bears in the tree.

use std::collections::HashSet;
use std::num::NonZeroU32;
use std::sync::Arc;

use triarch_teams::{AgentConfig, TeamConfig, TeamStrategy, names};
use triarch_work::dispatcher::{Taker, TakingTeam};
use triarch_work::words::{Capability, Worker};

use crate::config::Config;

/// The settings in force, and the teams with the agents that they have.
#[derive(Clone, Debug, Default, PartialEq)]
pub(crate) struct Running {
    /// Without teams, which stand beside it.
    pub(crate) settings: Config,
    pub(crate) teams: Vec<RunningTeam>,
    /// Teams that were taken down to be added again, and have not come back yet.
    pub(crate) awaited: Vec<RunningTeam>,
}

/// A team, and the agents it has.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct RunningTeam {
    /// Without agents, which stand beside it.
    pub(crate) rules: TeamConfig,
    pub(crate) agents: Vec<RunningAgent>,
}

/// One agent: each replica by itself.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct RunningAgent {
    pub(crate) name: String,
    /// As it is described; how many replicas there are is told by how many agents there are.
    pub(crate) described: Arc<AgentConfig>,
    /// Whether somebody added it at run time.
    pub(crate) is_spawned: bool,
}

impl Running {
    /// All that a description asks for.
    pub(crate) fn of(mut config: Config) -> Self {
        let teams = std::mem::take(&mut config.teams);
        Self {
            settings: config,
            teams: teams.into_iter().map(RunningTeam::of).collect(),
            awaited: Vec::new(),
        }
    }

    /// What is to run where `config` is described anew: agents that were spawned stay with their teams, unless the
    /// description has their names.
    pub(crate) fn wanted(&self, config: Config) -> Self {
        let mut wanted = Self::of(config);
        for team in &mut wanted.teams {
            let name = &team.rules.name;
            let awaited = || self.awaited.iter().find(|team| team.rules.name == *name);
            let Some(present) = self.team(name).or_else(awaited) else {
                continue;
            };
            let described: HashSet<_> = team.agents.iter().map(|agent| agent.name.clone()).collect();
            let spawned = present.agents.iter().filter(|agent| agent.is_spawned);
            let kept = spawned.filter(|agent| !described.contains(&agent.name));
            team.agents.extend(kept.cloned());
        }
        wanted
    }

    /// The agents that take tasks, by team.
    pub(crate) fn taking(&self) -> Vec<TakingTeam> {
        let teams = self.teams.iter().map(RunningTeam::taking);
        teams.filter(|team| !team.takers.is_empty()).collect()
    }

    pub(crate) fn team(&self, name: &str) -> Option<&RunningTeam> {
        self.teams.iter().find(|team| team.rules.name == name)
    }

    pub(crate) fn team_mut(&mut self, name: &str) -> Option<&mut RunningTeam> {
        self.teams.iter_mut().find(|team| team.rules.name == name)
    }
}

impl RunningTeam {
    fn of(mut config: TeamConfig) -> Self {
        let agents = std::mem::take(&mut config.agents);
        Self {
            rules: config,
            agents: agents.into_iter().flat_map(agents_of).collect(),
        }
    }

    fn taking(&self) -> TakingTeam {
        let name: Arc<str> = self.rules.name.as_str().into();
        TakingTeam {
            takers: self.agents.iter().filter_map(|agent| agent.taker(&name)).collect(),
            dispatch: self.rules.dispatch.into(),
            name,
        }
    }

    pub(crate) fn agent(&self, name: &str) -> Option<&RunningAgent> {
        self.agents.iter().find(|agent| agent.name == name)
    }

    pub(crate) fn agent_mut(&mut self, name: &str) -> Option<&mut RunningAgent> {
        self.agents.iter_mut().find(|agent| agent.name == name)
    }

    /// Whether a supervisor that has at most `span` agents can have them: those that restart together are not split.
    pub(crate) fn fits(&self, span: usize) -> bool {
        self.rules.strategy == TeamStrategy::OneForOne || self.agents.len() <= span
    }

    /// Has as many replicas of the agent that is described as `name` as are `wanted`; `None` where it has no replicas.
    pub(crate) fn scaled(&self, name: &str, wanted: NonZeroU32) -> Option<Self> {
        let is_replica = |agent: &&RunningAgent| agent.described.name == name && agent.name != name;
        let described = &self.agents.iter().find(is_replica)?.described;
        let replicas = AgentConfig {
            replicas: Some(wanted),
            ..AgentConfig::clone(described)
        };
        let mut scaled = self.clone();
        let kept: HashSet<_> = names(&replicas).into_iter().collect();
        scaled
            .agents
            .retain(|agent| !is_replica(&agent) || kept.contains(&agent.name));
        let present: HashSet<_> = self.agents.iter().map(|agent| agent.name.as_str()).collect();
        let more = agents_of(replicas).filter(|agent| !present.contains(agent.name.as_str()));
        scaled.agents.extend(more);
        Some(scaled)
    }
}

/// Each replica of an agent, or the agent itself.
fn agents_of(mut agent: AgentConfig) -> impl Iterator<Item = RunningAgent> {
    let names = names(&agent);
    agent.replicas = None;
    let described = Arc::new(agent);
    names.into_iter().map(move |name| RunningAgent {
        name,
        described: Arc::clone(&described),
        is_spawned: false,
    })
}

impl RunningAgent {
    /// One that somebody adds at run time.
    pub(crate) fn spawned(described: AgentConfig) -> Self {
        Self {
            name: described.name.clone(),
            described: Arc::new(described),
            is_spawned: true,
        }
    }

    fn taker(&self, team: &str) -> Option<Taker> {
        let rules = self.described.rules.tasks()?;
        // Whoever describes it was told of words that are none.
        let able = self
            .described
            .rules
            .capabilities
            .iter()
            .filter_map(|word| Capability::new(word).ok());
        Some(Taker {
            worker: Worker::new(format!("{team}/{}", self.name)).ok()?,
            able: able.collect(),
            rules,
        })
    }

    /// What it cannot be given while it lives: all but what it takes as tasks, and words for people.
    pub(crate) fn essence(&self) -> AgentConfig {
        let mut essence = AgentConfig::clone(&self.described);
        essence.rules.capabilities.clear();
        essence.rules.tasks = None;
        essence.rules.role.clear();
        essence
    }
}
