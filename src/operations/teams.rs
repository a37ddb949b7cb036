//! What can be asked for of a team.

use std::collections::BTreeMap;
use std::future::{Ready, ready};
use std::num::NonZeroU32;
use std::time::Duration;

use clap::Args;
use serde::{Deserialize, Serialize};
use triarch_supervision::name::team_of;
use triarch_supervision::supervisor::{AdminError, CallError};
use triarch_supervision::tree::NodeView;
use triarch_teams::REPLICAS_MAX;

use super::runtime::is_trouble;
use super::seen::NodeSeen;
use super::{Code, Operation, QUICK, Trouble};
use crate::deviations::Deed;
use crate::fleet::Fleet;
use crate::reload::{RunningTeam, change};

/// One team.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(crate) struct TeamSeen {
    pub(crate) name: String,
    pub(crate) strategy: String,
    /// Its supervisors: one, or several where it has more agents than the span.
    pub(crate) parts: usize,
    /// Its agents, by state.
    pub(crate) states: BTreeMap<String, usize>,
    pub(crate) restarts: u64,
    /// The paths of those a person should look at.
    pub(crate) troubles: Vec<String>,
    pub(crate) agents: Vec<NodeSeen>,
}

fn seen(fleet: &Fleet, nodes: &[NodeView], name: &str) -> TeamSeen {
    let (mut parts, mut restarts) = (0, 0);
    let (mut states, mut troubles, mut agents) = (BTreeMap::new(), Vec::new(), Vec::new());
    for node in nodes {
        let (supervisor, agent) = node
            .path
            .split_once('/')
            .map_or((&*node.path, None), |(one, two)| (one, Some(two)));
        if team_of(supervisor) != name {
            continue;
        }
        if is_trouble(node, true) {
            troubles.push(node.path.to_string());
        }
        restarts += node.restarts;
        if agent.is_none() {
            parts += 1;
        } else {
            *states.entry(node.state.label().to_owned()).or_default() += 1;
            agents.push(NodeSeen::of(node, fleet));
        }
    }
    let described = fleet.teams().into_iter().find(|team| team.name == name);
    TeamSeen {
        name: name.to_owned(),
        strategy: described.map_or_else(String::new, |team| super::written_as(&team.strategy)),
        parts,
        states,
        restarts,
        troubles,
        agents,
    }
}

/// Lists the teams.
#[derive(Args, Clone, Debug, Default, Serialize, Deserialize)]
pub(crate) struct TeamList {}

impl Operation for TeamList {
    const NAME: &'static str = "team.list";
    const WHILE_IT_STARTS: bool = true;
    type Output = Vec<TeamSeen>;

    async fn perform(self, fleet: &Fleet) -> Result<Vec<TeamSeen>, Trouble> {
        let nodes = fleet.observer().snapshot();
        let teams = fleet.teams();
        Ok(teams
            .iter()
            .map(|team| TeamSeen {
                agents: Vec::new(),
                ..seen(fleet, &nodes, &team.name)
            })
            .collect())
    }
}

macro_rules! of_one_team {
    ($($(#[$about:meta])* $operation:ident $name:literal $within:expr)+) => {
        $(
            $(#[$about])*
            #[derive(Args, Clone, Debug, Serialize, Deserialize)]
            pub(crate) struct $operation {
                /// The team.
                pub(crate) team: String,
            }

            impl Operation for $operation {
                const NAME: &'static str = $name;
                type Output = TeamSeen;

                fn answered_within(&self) -> Option<Duration> {
                    $within
                }

                async fn perform(self, fleet: &Fleet) -> Result<TeamSeen, Trouble> {
                    if !fleet.has_team(&self.team) {
                        return Err(Trouble::no_such_team(&self.team));
                    }
                    self.change(fleet).await?;
                    Ok(seen(fleet, &fleet.observer().snapshot(), &self.team))
                }
            }
        )+
    };
}

of_one_team! {
    /// Shows a team and its agents.
    TeamShow "team.show" Some(QUICK)
    /// Stops a team, its agents at once, or in reverse order where they restart together; it stays down until it is started.
    TeamStop "team.stop" None
    /// Starts a team that was stopped.
    TeamStart "team.start" None
}

impl TeamShow {
    #[expect(clippy::unused_self, reason = "as the other operations on a team")]
    fn change(&self, _fleet: &Fleet) -> Ready<Result<(), Trouble>> {
        ready(Ok(()))
    }
}

impl TeamStop {
    async fn change(&self, fleet: &Fleet) -> Result<(), Trouble> {
        let team = self.team.clone();
        let stop = async move |fleet: Fleet| {
            fleet.team("root")?.terminate_child(&team).await?;
            fleet.follow(Deed::TeamStopped(team)).await;
            Ok(())
        };
        fleet.change("team stop", stop).await
    }
}

impl TeamStart {
    async fn change(&self, fleet: &Fleet) -> Result<(), Trouble> {
        let team = self.team.clone();
        let start = async move |fleet: Fleet| {
            let started = fleet.team("root")?.restart_child(&team).await;
            started.map_err(|error| not_started(&team, error))?;
            fleet.follow(Deed::TeamStarted(team)).await;
            Ok(())
        };
        fleet.change("team start", start).await
    }
}

fn not_started(team: &str, error: CallError) -> Trouble {
    match error {
        CallError::Refused(AdminError::Running { .. }) => Trouble::new(
            Code::Refused,
            format!("team {team} runs already"),
            format!("`triarch team show {team}` shows it"),
        ),
        other => other.into(),
    }
}

/// Changes how many replicas of an agent a team has.
#[derive(Args, Clone, Debug, Serialize, Deserialize)]
pub(crate) struct TeamScale {
    /// The team.
    pub(crate) team: String,
    /// The agent, as it is described: without the number of a replica.
    pub(crate) agent: String,
    /// How many there shall be: 1 to 100000.
    #[arg(value_parser = replicas)]
    pub(crate) replicas: NonZeroU32,
}

fn replicas(text: &str) -> Result<NonZeroU32, String> {
    let number: u64 = text
        .parse()
        .map_err(|_| format!("there can be 1 to {REPLICAS_MAX} replicas"))?;
    let number = u32::try_from(number).unwrap_or(u32::MAX);
    let wanted = NonZeroU32::new(number).ok_or_else(|| {
        let remedy = "`triarch team stop` stops a team, and `triarch agent stop` an agent";
        format!("there is at least 1 replica; {remedy}")
    })?;
    within_limit(wanted).map(|()| wanted)
}

/// Refused before it waits for its turn, and holds up other changes.
fn within_limit(wanted: NonZeroU32) -> Result<(), String> {
    if wanted.get() > REPLICAS_MAX {
        return Err(format!(
            "{wanted} replicas are more than an agent can have, which is {REPLICAS_MAX}"
        ));
    }
    Ok(())
}

impl Operation for TeamScale {
    const NAME: &'static str = "team.scale";
    type Output = TeamSeen;

    fn answered_within(&self) -> Option<Duration> {
        None
    }

    async fn perform(self, fleet: &Fleet) -> Result<TeamSeen, Trouble> {
        let Self { team, agent, replicas } = self.clone();
        within_limit(replicas).map_err(|why| Trouble::new(Code::Usage, why, "ask for fewer"))?;
        let scale = async move |fleet: Fleet| {
            change(&fleet, |running| {
                let present = running.team_mut(&team).ok_or_else(|| Trouble::no_such_team(&team))?;
                *present = scaled(present, &agent, replicas)?;
                Ok(())
            })
            .await?;
            let agent = format!("{team}/{agent}");
            fleet.follow(Deed::Scaled { agent, replicas }).await;
            Ok(())
        };
        fleet.change("team scale", scale).await?;
        Ok(seen(fleet, &fleet.observer().snapshot(), &self.team))
    }
}

fn scaled(team: &RunningTeam, agent: &str, replicas: NonZeroU32) -> Result<RunningTeam, Trouble> {
    let path = || format!("{}/{agent}", team.rules.name);
    team.scaled(agent, replicas).ok_or_else(|| match team.agent(agent) {
        None => Trouble::no_such_agent(&path()),
        Some(replica) if replica.described.name != agent => {
            let (team, described) = (&team.rules.name, &replica.described.name);
            Trouble::new(
                Code::Usage,
                format!("{} is a replica of {described}", path()),
                format!("scale {described}: `triarch team scale {team} {described} {replicas}`"),
            )
        }
        Some(_) => Trouble::new(
            Code::Usage,
            format!("{} is one agent, not replicas of one", path()),
            "describe it with `replicas`, and reload",
        ),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn more_replicas_than_an_agent_can_have_are_refused_with_the_limit() {
        assert_eq!(replicas("100000").map(NonZeroU32::get), Ok(100_000));
        for (text, told) in [
            (
                "100001",
                "100001 replicas are more than an agent can have, which is 100000",
            ),
            (
                "99999999999",
                "4294967295 replicas are more than an agent can have, which is 100000",
            ),
            (
                "0",
                "there is at least 1 replica; `triarch team stop` stops a team, and `triarch agent stop` an agent",
            ),
            ("many", "there can be 1 to 100000 replicas"),
        ] {
            assert_eq!(replicas(text).unwrap_err(), told);
        }
    }
}
