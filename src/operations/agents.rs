//! What can be asked for of one agent.

use std::time::Duration;

use clap::Args;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};
use triarch_supervision::clock::Moment;
use triarch_supervision::name::team_of;
use triarch_supervision::supervisor::{ChildState, Incarnation, Started};
use triarch_supervision::tree::{Level, NodeView, Phase};
use triarch_teams::{AgentConfig, Kinds, Rules, member};

use super::health::HealthSeen;
use super::meant::find_agent;
use super::nodes::Nodes;
use super::past::Past;
use super::seen::{AgentSeen, NodeSeen, Place, shown_by};
use super::settings::{remedy, settings};
use super::{Code, Operation, QUICK, Trouble};
use crate::deviations::Deed;
use crate::fleet::Fleet;
use crate::reload::{Running, RunningAgent, change};
use crate::rooms::ROOMS;

/// Lists the agents of teams.
#[derive(Args, Clone, Debug, Default, Serialize, Deserialize)]
pub(crate) struct List {
    /// Only those of this team.
    #[arg(long)]
    pub(crate) team: Option<String>,
    /// Only those in this state, such as `backoff`.
    #[arg(long, value_parser = clap::builder::PossibleValuesParser::new(states()))]
    pub(crate) state: Option<String>,
    /// Those of the runtime itself too.
    #[arg(long)]
    #[serde(default)]
    pub(crate) all: bool,
    /// Each agent as a row of its values, as the command line asks for it.
    #[arg(skip = true)]
    #[serde(default)]
    pub(crate) rows: bool,
}

/// The words for the states that a node may be in.
fn states() -> impl Iterator<Item = &'static str> {
    Phase::ALL.iter().map(|phase| phase.label())
}

impl Operation for List {
    const NAME: &'static str = "agent.list";
    const WHILE_IT_STARTS: bool = true;
    type Output = Nodes;

    async fn perform(self, fleet: &Fleet) -> Result<Nodes, Trouble> {
        if let Some(team) = &self.team
            && !fleet.has_team(team)
        {
            return Err(Trouble::no_such_team(team));
        }
        if let Some(state) = self
            .state
            .as_deref()
            .filter(|state| !states().any(|known| known == *state))
        {
            let known: Vec<_> = states().collect();
            let message = format!("there is no state {state:?}");
            return Err(Trouble::new(
                Code::Usage,
                message,
                format!("there are: {}", known.join(", ")),
            ));
        }
        let teams = fleet.team_names();
        let is_wanted = |node: &&NodeView| {
            let team = node
                .path
                .split_once('/')
                .map_or("", |(supervisor, _)| team_of(supervisor));
            node.level == Level::Agent
                && self.team.as_deref().is_none_or(|wanted| wanted == team)
                && self.state.as_deref().is_none_or(|wanted| wanted == node.state.label())
                && (self.all || self.team.is_some() || teams.contains(team))
        };
        let nodes = fleet.observer().snapshot();
        let agents = nodes.iter().filter(is_wanted);
        Nodes::answered(fleet, agents.map(|node| NodeSeen::of(node, fleet)), self.rows).await
    }

    fn joined(parts: Vec<Nodes>, rest: Nodes) -> Nodes {
        Nodes::joined(parts, rest)
    }
}

/// Names one agent.
#[derive(Args, Clone, Debug, Serialize, Deserialize)]
pub(crate) struct OneAgent {
    /// The agent: its path, or its name where only one has it.
    pub(crate) agent: String,
}

impl OneAgent {
    fn find(&self, fleet: &Fleet) -> Result<Place, Trouble> {
        find_agent(fleet, &self.agent)
    }
}

macro_rules! of_one_agent {
    ($($(#[$about:meta])* $operation:ident $name:literal $within:expr)+) => {
        $(
            $(#[$about])*
            #[derive(Args, Clone, Debug, Serialize, Deserialize)]
            pub(crate) struct $operation {
                #[command(flatten)]
                #[serde(flatten)]
                pub(crate) of: OneAgent,
            }

            impl Operation for $operation {
                const NAME: &'static str = $name;
                const IS_CARRIED_THROUGH: bool = true;
                type Output = AgentSeen;

                fn answered_within(&self) -> Option<Duration> {
                    $within
                }

                async fn perform(self, fleet: &Fleet) -> Result<AgentSeen, Trouble> {
                    let place = self.of.find(fleet)?;
                    Self::change(fleet, &place).await?;
                    show(fleet, &place).await
                }
            }
        )+
    };
}

of_one_agent! {
    /// Kills an agent as if from outside; its team decides what follows.
    Kill "agent.kill" Some(QUICK)
    /// Stops an agent if it runs, and starts it; one in quarantine gets a clean record.
    Restart "agent.restart" None
    /// Lets an agent handle nothing; its mailbox keeps what comes.
    Pause "agent.pause" Some(QUICK)
    /// Lets a paused agent go on.
    Resume "agent.resume" Some(QUICK)
}

/// Shows all that is known of an agent.
#[derive(Args, Clone, Debug, Serialize, Deserialize)]
pub(crate) struct Show {
    #[command(flatten)]
    #[serde(flatten)]
    pub(crate) of: OneAgent,
}

impl Operation for Show {
    const NAME: &'static str = "agent.show";
    const WHILE_IT_STARTS: bool = true;
    type Output = AgentSeen;

    async fn perform(self, fleet: &Fleet) -> Result<AgentSeen, Trouble> {
        let place = self.of.find(fleet)?;
        Ok(AgentSeen {
            past: Past::of(fleet, &place).await?,
            ..show(fleet, &place).await?
        })
    }
}

/// Stops an agent, within its time; it stays down until it is restarted.
#[derive(Args, Clone, Debug, Serialize, Deserialize)]
pub(crate) struct Stop {
    #[command(flatten)]
    #[serde(flatten)]
    pub(crate) of: OneAgent,
    /// Takes it out of its team too, which is done only with one that was spawned.
    #[arg(long)]
    #[serde(default)]
    pub(crate) forget: bool,
}

impl Operation for Stop {
    const NAME: &'static str = "agent.stop";
    const IS_CARRIED_THROUGH: bool = true;
    type Output = AgentSeen;

    fn answered_within(&self) -> Option<Duration> {
        None
    }

    async fn perform(self, fleet: &Fleet) -> Result<AgentSeen, Trouble> {
        let place = self.of.find(fleet)?;
        if !self.forget {
            stop(fleet, &place).await?;
            return show(fleet, &place).await;
        }
        let mut last_seen = show(fleet, &place).await?;
        let forget = async move |fleet: Fleet| change(&fleet, |running| forget(running, &place)).await;
        fleet.change("agent stop", forget).await?;
        last_seen.node.state = "stopped".into();
        Ok(last_seen)
    }
}

/// Whoever asks is heard by the runtime's own agents: without them nobody could bring them back.
fn may_be_down(place: &Place) -> Result<(), Trouble> {
    if ROOMS.contains(&place.team.as_str()) {
        return Err(Trouble::holds_the_runtime(&place.path));
    }
    Ok(())
}

async fn stop(fleet: &Fleet, place: &Place) -> Result<(), Trouble> {
    may_be_down(place)?;
    let team = fleet.team(&place.team)?;
    fleet.follow(Deed::AgentStopped(place.plain())).await;
    let stopped = team.terminate_child(&place.name).await;
    if stopped.is_err() {
        fleet.follow(Deed::AgentStarted(place.plain())).await;
    }
    Ok(stopped?)
}

fn forget(running: &mut Running, place: &Place) -> Result<(), Trouble> {
    let team = running.team_mut(&place.team);
    let team = team.ok_or_else(|| Trouble::no_such_team(&place.team))?;
    let is_spawned = team.agent(&place.name).is_some_and(|agent| agent.is_spawned);
    if !is_spawned {
        let message = format!("{} stands in the description", place.path);
        return Err(Trouble::new(Code::Refused, message, "take it out there, and reload"));
    }
    team.agents.retain(|agent| agent.name != place.name);
    Ok(())
}

impl Kill {
    async fn change(fleet: &Fleet, place: &Place) -> Result<(), Trouble> {
        Ok(fleet.team(&place.team)?.kill_child(&place.name).await?)
    }
}

impl Restart {
    async fn change(fleet: &Fleet, place: &Place) -> Result<(), Trouble> {
        let team = fleet.team(&place.team)?;
        let children = team.which_children().await?;
        let child = children.iter().find(|child| child.name.as_str() == place.name);
        let started = match child.map(|child| child.state) {
            None => return Err(Trouble::no_such_agent(&place.path)),
            Some(ChildState::Quarantined) => team.retry_child(&place.name).await?,
            Some(ChildState::Down) => team.restart_child(&place.name).await?,
            Some(_) => {
                team.terminate_child(&place.name).await?;
                team.restart_child(&place.name).await?
            }
        };
        fleet.follow(Deed::AgentStarted(place.plain())).await;
        let life = running(&place.path, started)?;
        has_begun(fleet, &place.path, life).await
    }
}

/// A life that cannot go on is over by then.
const BEGINS_WITHIN: Duration = Duration::from_secs(1);
const LOOKS_EVERY: Duration = Duration::from_millis(5);

/// One whose actor has started may find at once that its program cannot.
async fn has_begun(fleet: &Fleet, path: &str, life: Incarnation) -> Result<(), Trouble> {
    let until = Moment::now() + BEGINS_WITHIN;
    loop {
        let may_begin = is_unborn(fleet, path).await && Moment::now() < until;
        let node = fleet.observer().node(path)?;
        let is_over = node.incarnation != life || matches!(node.state, Phase::Stopped | Phase::Backoff | Phase::Failed);
        match node.last_exit {
            Some(why) if is_over && why.is_failure() => {
                return Err(Trouble::new(
                    Code::Failed,
                    format!("{path} does not start: {why}"),
                    "`triarch why` tells more",
                ));
            }
            _ if is_over || !may_begin => return Ok(()),
            _ => tokio::time::sleep(LOOKS_EVERY).await,
        }
    }
}

/// Whether it lives, and its program has not begun.
async fn is_unborn(fleet: &Fleet, path: &str) -> bool {
    let shown = shown_by(fleet, path).await.ok().flatten();
    shown.is_some_and(|shown| shown["state"] == "not begun")
}

impl Pause {
    async fn change(fleet: &Fleet, place: &Place) -> Result<(), Trouble> {
        may_be_down(place)?;
        fleet.observer().pause(&place.path)?;
        fleet.follow(Deed::Paused(place.plain())).await;
        Ok(())
    }
}

impl Resume {
    async fn change(fleet: &Fleet, place: &Place) -> Result<(), Trouble> {
        fleet.observer().resume(&place.path)?;
        fleet.follow(Deed::Resumed(place.plain())).await;
        Ok(())
    }
}

fn running(path: &str, started: Started) -> Result<Incarnation, Trouble> {
    match started {
        Started::Running(life) => Ok(life),
        Started::Declined => Err(Trouble::new(
            Code::Failed,
            format!("{path} declined to start"),
            "`triarch why` tells more",
        )),
    }
}

async fn show(fleet: &Fleet, place: &Place) -> Result<AgentSeen, Trouble> {
    let observer = fleet.observer();
    let shown = shown_by(fleet, &place.path).await?;
    let node = observer.node(&place.path)?;
    let described = fleet.description_of(&place.team, &place.name);
    Ok(AgentSeen {
        described_as: described.as_ref().map(|agent| agent.kind.clone()),
        capabilities: described
            .as_ref()
            .map_or_else(Vec::new, |agent| agent.rules.capabilities.clone()),
        role: described.map_or_else(String::new, |agent| agent.rules.role.clone()),
        last_exit: node.last_exit.as_ref().map(ToString::to_string),
        health: HealthSeen::of(fleet, place),
        shown,
        past: Past::default(),
        node: NodeSeen::of(&node, fleet),
    })
}

/// Adds an agent to a team that runs. It stays through reloads, restarts of its team and starts of the runtime, until it
/// is stopped with `--forget` or its team goes. Where a reload finds an agent of its name in the description, it becomes
/// that one.
#[derive(Args, Clone, Debug, Serialize, Deserialize)]
pub(crate) struct Spawn {
    /// The team.
    pub(crate) team: String,
    /// What it is called.
    pub(crate) name: String,
    /// What it is, such as `echo` or `program`.
    #[arg(long)]
    pub(crate) kind: String,
    /// A setting of its kind or of any agent, as in `--set limits.wall=5m`; values are JSON, or text.
    #[arg(long = "set", value_name = "KEY=VALUE")]
    #[serde(default)]
    pub(crate) settings: Vec<String>,
}

impl Operation for Spawn {
    const NAME: &'static str = "agent.spawn";
    type Output = AgentSeen;

    fn answered_within(&self) -> Option<Duration> {
        None
    }

    async fn perform(self, fleet: &Fleet) -> Result<AgentSeen, Trouble> {
        let (team, agent) = (self.team.clone(), RunningAgent::spawned(self.described()?));
        let made = member(&team, &agent.described, &agent.name, fleet.kinds());
        made.map_err(|error| Trouble::new(Code::Usage, error.to_string(), self.remedy(fleet.kinds())))?;
        let spawn = async move |fleet: Fleet| {
            change(&fleet, |running| {
                let present = running.team_mut(&team).ok_or_else(|| Trouble::no_such_team(&team))?;
                if present.agent(&agent.name).is_some() {
                    let message = format!("there is an agent {team}/{} already", agent.name);
                    return Err(Trouble::new(Code::Refused, message, "choose another name"));
                }
                present.agents.push(agent);
                Ok(())
            })
            .await
        };
        fleet.change("agent spawn", spawn).await?;
        let place = find_agent(fleet, &format!("{}/{}", self.team, self.name))?;
        show(fleet, &place).await
    }
}

impl Spawn {
    /// What to write instead of a key that neither its kind nor every agent knows.
    fn remedy(&self, kinds: &Kinds) -> String {
        let of_any = schemars::schema_for!(Rules);
        let schemas = kinds
            .schema(&self.kind)
            .map(|of_kind| [of_kind.to_value(), of_any.to_value()]);
        let remedy = schemas.and_then(|schemas| remedy(&self.settings, &schemas));
        remedy.unwrap_or_default()
    }

    fn described(&self) -> Result<AgentConfig, Trouble> {
        let refused = |problem: String| Trouble::new(Code::Usage, problem, "");
        let asked = settings(&self.settings)?;
        if let Some(key) = SAID_OTHERWISE.into_iter().find(|key| asked.contains_key(*key)) {
            return Err(refused(format!(
                "{key} is not set by --set; spawn one agent, by its name and --kind, or describe it to have more of it"
            )));
        }
        let described = self.with(asked).map_err(|error| refused(self.blamed(&error)))?;
        match described.faults().first() {
            None => Ok(described),
            Some(fault) => Err(refused(fault.to_string())),
        }
    }

    fn with(&self, mut settings: Map<String, Value>) -> serde_json::Result<AgentConfig> {
        settings.insert("name".to_owned(), self.name.clone().into());
        settings.insert("kind".to_owned(), self.kind.clone().into());
        serde_json::from_value(settings.into())
    }

    /// With the first setting that cannot be taken with those before it.
    fn blamed(&self, error: &serde_json::Error) -> String {
        let asked = &self.settings;
        let is_taken = |asked: &[String]| settings(asked).is_ok_and(|asked| self.with(asked).is_ok());
        let first = (0..asked.len()).find(|&at| !is_taken(&asked[..=at]));
        first.map_or_else(|| error.to_string(), |at| format!("`{}`: {error}", asked[at]))
    }
}

/// What an agent is described by that is no setting of it.
const SAID_OTHERWISE: [&str; 3] = ["name", "kind", "replicas"];
