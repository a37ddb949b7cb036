//! Everything about one agent in one screen, and nothing guessed.

use clap::Args;
use serde::{Deserialize, Serialize};
use serde_json::Value;
use triarch_supervision::policy::Shutdown;
use triarch_supervision::supervisor::ChildStatus;
use triarch_supervision::tree::Change;
use triarch_teams::Span;

use super::seen::{MailboxSeen, ago, find_agent, millis, shown_by};
use super::{Operation, Trouble};
use crate::fleet::Fleet;

/// Tells why an agent is as it is.
#[derive(Args, Clone, Debug, Serialize, Deserialize)]
pub(crate) struct Why {
    /// The agent: its path, or its name where only one has it.
    pub(crate) agent: String,
}

/// Why an agent is as it is.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(crate) struct WhyShown {
    pub(crate) path: String,
    pub(crate) state: String,
    /// How long it has been so; unknown where its history does not reach back.
    pub(crate) for_ms: Option<u64>,
    pub(crate) incarnation: u64,
    pub(crate) restarts: u64,
    pub(crate) last_exit: Option<String>,
    pub(crate) mailbox: Option<MailboxSeen>,
    /// What its supervisor will do when it ends next.
    pub(crate) policy: Vec<String>,
    /// What it last showed of itself.
    pub(crate) shown: Option<Value>,
    /// The processes of its program.
    pub(crate) processes: Vec<Value>,
    /// How its program's last lives ended, the latest first.
    pub(crate) ends: Vec<Value>,
    /// Its last changes of state, the latest first.
    pub(crate) history: Vec<ChangeSeen>,
}

/// A change of state.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(crate) struct ChangeSeen {
    pub(crate) ago_ms: u64,
    pub(crate) to: String,
    pub(crate) incarnation: u64,
    pub(crate) reason: Option<String>,
}

impl From<&Change> for ChangeSeen {
    fn from(change: &Change) -> Self {
        Self {
            ago_ms: ago(change.at),
            to: change.to.label().to_owned(),
            incarnation: change.incarnation,
            reason: change.reason.as_ref().map(ToString::to_string),
        }
    }
}

impl Operation for Why {
    const NAME: &'static str = "why";
    type Output = WhyShown;

    async fn perform(self, fleet: &Fleet) -> Result<WhyShown, Trouble> {
        let place = find_agent(fleet, &self.agent)?;
        let observer = fleet.observer();
        let own_words = shown_by(fleet, &place.path).await?;
        let children = fleet.team(&place.team)?.which_children().await?;
        let child = children.iter().find(|child| child.name.as_str() == place.name);
        let node = observer.node(&place.path)?;
        let mut history: Vec<_> = observer.history(&place.path)?.iter().map(ChangeSeen::from).collect();
        history.reverse();
        let path = format!("{}/{}", place.team, place.name);
        let programs = fleet.programs();
        let processes = programs.processes(&path).await;
        let mut ends = values(&programs.records().of(&path));
        ends.reverse();
        Ok(WhyShown {
            processes: values(&processes),
            ends,
            state: node.state.label().to_owned(),
            for_ms: history
                .first()
                .filter(|last| last.to == node.state.label())
                .map(|last| last.ago_ms),
            incarnation: node.incarnation,
            restarts: node.restarts,
            last_exit: node.last_exit.as_ref().map(ToString::to_string),
            mailbox: node.mailbox.as_ref().map(MailboxSeen::from),
            policy: child.map_or_else(Vec::new, policy),
            shown: own_words,
            history,
            path: place.path,
        })
    }
}

fn values<T: Serialize>(listed: &[T]) -> Vec<Value> {
    listed
        .iter()
        .filter_map(|value| serde_json::to_value(value).ok())
        .collect()
}

fn shutdown(shutdown: Shutdown) -> String {
    match shutdown {
        Shutdown::Within(time) => format!("within {}", Span(time)),
        other => super::word(&other).replace('_', " "),
    }
}

/// What follows its next end, in words.
fn policy(child: &ChildStatus) -> Vec<String> {
    let policy = &child.policy;
    let mut words = vec![
        format!("restart: {}", super::word(&policy.restart)),
        format!("shutdown: {}", shutdown(policy.shutdown)),
        format!("when it fails too often: {}", super::word(&policy.on_limit)),
    ];
    if let Some(backoff) = policy.backoff {
        words.push(format!(
            "waits between restarts: {} ms, growing by {} up to {} ms",
            millis(backoff.first),
            backoff.factor,
            millis(backoff.max)
        ));
    }
    words
}
