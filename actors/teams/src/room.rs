//! Level 2: a team, in the order its agents are described.
//!
//! ```text
//! <team>           as its description says; one_for_one if it says nothing, which stops all at once
//! ├─ <agent>       permanent unless described otherwise
//! └─ <agent>-1 …   replicas, by their number
//! ```

use std::sync::Arc;

use serde_json::{Map, Value};
use triarch_supervision::name::Name;
use triarch_supervision::prelude::*;

use crate::config::{AgentConfig, TeamConfig, TeamStrategy};
use crate::error::{SettingError, TeamError};
use crate::kind::{Kinds, Seat};
use crate::member::Member;

/// The agents of a team, before they have joined it.
pub type Members = Vec<Member>;

/// The team that `config` describes, split where it has more than `span` agents; to be a child of a root.
///
/// It remembers: agents that come and go while it runs do so for its next lives too.
pub fn room(config: &TeamConfig, kinds: &Kinds, span: usize) -> Result<Supervisor, TeamError> {
    Ok(staffed(config, members(config, kinds)?, span))
}

/// The same with these agents instead of those that are described.
pub fn staffed(config: &TeamConfig, members: Members, span: usize) -> Supervisor {
    let team = Supervisor::named(&config.name)
        .strategy(config.strategy.into())
        .intensity(config.intensity.into())
        .backoff(config.backoff.into())
        .span(span)
        .remembers();
    // Those that do not restart together do not depend on each other.
    let team = match config.strategy {
        TeamStrategy::OneForOne => team.parallel_stop(),
        TeamStrategy::OneForAll | TeamStrategy::RestForOne => team,
    };
    members.into_iter().fold(team, |team, member| member.join(team))
}

/// All agents that a team's description asks for.
pub fn members(config: &TeamConfig, kinds: &Kinds) -> Result<Members, TeamError> {
    Name::new(&config.name).map_err(|fault| TeamError::Name {
        team: config.name.clone(),
        fault,
    })?;
    let mut members = Vec::new();
    for agent in &config.agents {
        for name in names(agent) {
            members.push(member(&config.name, agent, &name, kinds)?);
        }
    }
    Ok(members)
}

/// The names of an agent's replicas, or its own.
pub fn names(agent: &AgentConfig) -> Vec<String> {
    match agent.replicas {
        None => vec![agent.name.clone()],
        Some(count) => (1..=count.get())
            .map(|number| format!("{}-{number}", agent.name))
            .collect(),
    }
}

/// One agent of `team` called `name`, as `agent` describes it.
pub fn member(team: &str, agent: &AgentConfig, name: &str, kinds: &Kinds) -> Result<Member, TeamError> {
    let made = kinds.member(&agent.kind, seat(team, agent, name));
    let made = made.ok_or_else(|| no_such_kind(team, agent, kinds))?;
    made.map_err(|fault| setting(team, agent, fault))
}

/// All that is wrong with what `agent` describes, as far as its kind knows.
pub fn faults(team: &str, agent: &AgentConfig, name: &str, kinds: &Kinds) -> Vec<TeamError> {
    match kinds.faults(&agent.kind, seat(team, agent, name)) {
        Some(faults) => faults.into_iter().map(|fault| setting(team, agent, fault)).collect(),
        None => vec![no_such_kind(team, agent, kinds)],
    }
}

fn seat(team: &str, agent: &AgentConfig, name: &str) -> Seat<Map<String, Value>> {
    Seat {
        team: Arc::from(team),
        name: Arc::from(name),
        rules: agent.rules.clone(),
        settings: agent.settings.clone(),
    }
}

fn no_such_kind(team: &str, agent: &AgentConfig, kinds: &Kinds) -> TeamError {
    TeamError::NoSuchKind {
        team: team.to_owned(),
        agent: agent.name.clone(),
        kind: agent.kind.clone(),
        known: kinds.list().map(|(name, _)| name).collect::<Vec<_>>().join(", "),
    }
}

fn setting(team: &str, agent: &AgentConfig, fault: SettingError) -> TeamError {
    TeamError::Setting {
        team: team.to_owned(),
        agent: agent.name.clone(),
        fault,
    }
}
