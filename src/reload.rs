//! What changes while the runtime runs: from how the fleet is described now to how it shall be.

use std::fmt;

use triarch_teams::{AgentConfig, TeamConfig, member, names, room};

use crate::config::{self, Change, Config, Reload, difference};
use crate::fleet::Fleet;
use crate::operations::{Code, Reloaded, Trouble};

/// Reads the description again and takes up what can be taken up.
///
/// What cannot be followed changes nothing. A change that fails is told; those before it stay.
pub(crate) async fn reload(fleet: &Fleet) -> Result<Reloaded, Trouble> {
    let ground = fleet.ground();
    let loaded = config::load(&ground.source, fleet.kinds(), config::variables())?;
    let Reload { live, needs_restart } = difference(&ground.config(), &loaded.config);
    let mut reloaded = Reloaded {
        changed: Vec::new(),
        needs_restart: needs_restart.iter().map(|setting| setting.key.clone()).collect(),
    };
    for change in &live {
        match take_up(fleet, &loaded.config, change).await? {
            TakenUp::Now => reloaded.changed.push(change.to_string()),
            TakenUp::AtTheNextStart => reloaded.needs_restart.push(change.to_string()),
        }
    }
    // Settings that need a restart count from the next start, and so do teams that could not be changed.
    let mut config = ground.config();
    config.teams = loaded.config.teams;
    ground.take_up(config);
    Ok(reloaded)
}

/// When a change counts.
enum TakenUp {
    Now,
    AtTheNextStart,
}

async fn take_up(fleet: &Fleet, new: &Config, change: &Change) -> Result<TakenUp, Trouble> {
    match change {
        Change::TeamRemoved { team } => remove_team(fleet, team).await?,
        Change::TeamAdded { team } => add_team(fleet, described(new, team)?, new).await?,
        Change::TeamChanged { team, .. } => {
            remove_team(fleet, team).await?;
            add_team(fleet, described(new, team)?, new).await?;
        }
        Change::AgentRemoved { team, agent } => {
            let old = fleet.ground().config();
            remove_agents(fleet, team, &names(agent_of(described(&old, team)?, agent)?)).await?;
        }
        Change::AgentAdded { team, agent } => {
            let agent = agent_of(described(new, team)?, agent)?;
            add_agents(fleet, team, agent, &names(agent)).await?;
        }
        Change::Replicas { team, agent, .. } => {
            let old = fleet.ground().config();
            let before = agent_of(described(&old, team)?, agent)?;
            scale(fleet, team, before, agent_of(described(new, team)?, agent)?).await?;
        }
        Change::AgentChanged { team, agent, .. } => {
            let old = fleet.ground().config();
            remove_agents(fleet, team, &names(agent_of(described(&old, team)?, agent)?)).await?;
            let agent = agent_of(described(new, team)?, agent)?;
            add_agents(fleet, team, agent, &names(agent)).await?;
        }
        Change::Setting(_) | Change::Reordered { .. } => return Ok(TakenUp::AtTheNextStart),
    }
    Ok(TakenUp::Now)
}

fn described<'a>(config: &'a Config, team: &str) -> Result<&'a TeamConfig, Trouble> {
    let found = config.teams.iter().find(|described| described.name == team);
    found.ok_or_else(|| Trouble::no_such_team(team))
}

fn agent_of<'a>(team: &'a TeamConfig, agent: &str) -> Result<&'a AgentConfig, Trouble> {
    let found = team.agents.iter().find(|described| described.name == agent);
    found.ok_or_else(|| Trouble::no_such_agent(agent))
}

async fn add_team(fleet: &Fleet, team: &TeamConfig, config: &Config) -> Result<(), Trouble> {
    let supervisor = room(team, fleet.kinds(), config.runtime.span.get()).map_err(|error| cannot_follow(&error))?;
    fleet.observer().start_supervisor(supervisor).await?;
    Ok(())
}

async fn remove_team(fleet: &Fleet, team: &str) -> Result<(), Trouble> {
    let root = fleet.team("root")?;
    root.terminate_child(team).await?;
    root.delete_child(team).await?;
    Ok(())
}

async fn add_agents(fleet: &Fleet, team: &str, agent: &AgentConfig, added: &[String]) -> Result<(), Trouble> {
    let handle = fleet.team(team)?;
    for name in added {
        let made = member(team, agent, name, fleet.kinds()).map_err(|error| cannot_follow(&error))?;
        made.join_running(&handle).await?;
    }
    Ok(())
}

/// From right to left, as a supervisor stops them.
async fn remove_agents(fleet: &Fleet, team: &str, gone: &[String]) -> Result<(), Trouble> {
    let handle = fleet.team(team)?;
    for name in gone.iter().rev() {
        handle.terminate_child(name).await?;
        // A temporary one has left with its end.
        let _left = handle.delete_child(name).await;
    }
    Ok(())
}

/// Gives a team's agent as many replicas as `scaled` says.
pub(crate) async fn scale(fleet: &Fleet, team: &str, agent: &AgentConfig, scaled: &AgentConfig) -> Result<(), Trouble> {
    let (before, after) = (names(agent), names(scaled));
    let gone: Vec<_> = before.iter().filter(|name| !after.contains(name)).cloned().collect();
    let more: Vec<_> = after.iter().filter(|name| !before.contains(name)).cloned().collect();
    remove_agents(fleet, team, &gone).await?;
    add_agents(fleet, team, scaled, &more).await
}

fn cannot_follow(error: &dyn fmt::Display) -> Trouble {
    Trouble::new(Code::Usage, error.to_string(), "mend the description")
}
