//! Everything about one agent in one screen, and nothing guessed.

use std::time::Duration;

use clap::Args;
use serde::{Deserialize, Serialize};
use serde_json::Value;
use triarch_supervision::clock::Moment;
use triarch_supervision::policy::{OnLimit, Restart, Shutdown};
use triarch_supervision::supervisor::ChildStatus;
use triarch_supervision::tree::{Phase, RestartBudget};
use triarch_teams::Span;

use super::past::{Past, values};
use super::seen::{MailboxSeen, find_agent, millis, shown_by};
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
    /// What its supervisor does next, or would do at its next end.
    pub(crate) next: Option<String>,
    /// When it is started again, while it waits for that.
    pub(crate) restart_in_ms: Option<u64>,
    /// What its supervisor goes by.
    pub(crate) policy: Vec<String>,
    /// What it last showed of itself.
    pub(crate) shown: Option<Value>,
    /// The processes of its program.
    pub(crate) processes: Vec<Value>,
    #[serde(flatten)]
    pub(crate) past: Past,
}

impl Operation for Why {
    const NAME: &'static str = "why";
    type Output = WhyShown;

    async fn perform(self, fleet: &Fleet) -> Result<WhyShown, Trouble> {
        let place = find_agent(fleet, &self.agent)?;
        let observer = fleet.observer();
        let own_words = shown_by(fleet, &place.path).await?;
        // A team that is down says nothing of its agents.
        let children = fleet.team(&place.team)?.which_children().await.unwrap_or_default();
        let child = children.iter().find(|child| child.name.as_str() == place.name);
        let processes = fleet.programs().processes(&place.plain()).await;
        let past = Past::of(fleet, &place).await?;
        let node = observer.node(&place.path)?;
        let supervisor = node.path.rsplit_once('/').map_or("", |(supervisor, _)| supervisor);
        let budget = observer.restart_budget(supervisor).ok().flatten();
        let restart_in = node.restart_at.map(|at| at.since(Moment::now()));
        let outlook = child.zip(budget).map(|(child, budget)| Outlook {
            state: node.state,
            restart_in,
            restart: child.policy.restart,
            on_limit: child.policy.on_limit,
            budget,
        });
        Ok(WhyShown {
            processes: values(&processes),
            state: node.state.label().to_owned(),
            for_ms: past
                .history
                .first()
                .filter(|last| last.to == node.state.label() && !last.is_of_earlier_runtime)
                .map(|last| last.ago_ms),
            incarnation: node.incarnation,
            restarts: node.restarts,
            last_exit: node.last_exit.as_ref().map(ToString::to_string),
            mailbox: node.mailbox.as_ref().map(MailboxSeen::from),
            next: outlook.map(|outlook| outlook.words()),
            restart_in_ms: restart_in.map(millis),
            policy: child.map_or_else(Vec::new, policy),
            shown: own_words,
            past,
            path: place.path,
        })
    }
}

/// What follows, and what it depends on.
struct Outlook {
    state: Phase,
    restart_in: Option<Duration>,
    restart: Restart,
    on_limit: OnLimit,
    budget: RestartBudget,
}

impl Outlook {
    fn words(&self) -> String {
        let RestartBudget {
            used, allowed, period, ..
        } = self.budget;
        let period = humantime::format_duration(period);
        let limit = match self.on_limit {
            OnLimit::Escalate => "its team gives up",
            OnLimit::Quarantine => "it stays down until somebody restarts it",
        };
        if let Some(time) = self.restart_in {
            let time = humantime::format_duration(Duration::from_millis(millis(time)));
            return format!("starts again in {time}: restart {used} of {allowed} within {period}, then {limit}");
        }
        let end = match (self.state, self.restart) {
            (Phase::Failed | Phase::Stopped, _) => return "stays down until somebody restarts it".to_owned(),
            (_, Restart::Temporary) => return "is not started again when it ends".to_owned(),
            (_, Restart::Transient) => "fails",
            (_, Restart::Permanent) => "ends",
        };
        if used < allowed {
            format!(
                "if it {end}: restart {} of {allowed} within {period}, then {limit}",
                used + 1
            )
        } else {
            format!("if it {end}: {limit}, as there were {used} of {allowed} restarts within {period}")
        }
    }
}

fn shutdown(shutdown: Shutdown) -> String {
    match shutdown {
        Shutdown::Within(time) => format!("within {}", Span(time)),
        other => super::word(&other).replace('_', " "),
    }
}

/// What decides over its next end, in words.
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

#[cfg(test)]
mod tests {
    use super::*;

    fn words(change: impl FnOnce(&mut Outlook)) -> String {
        let mut outlook = Outlook {
            state: Phase::Idle,
            restart_in: None,
            restart: Restart::Permanent,
            on_limit: OnLimit::Escalate,
            budget: RestartBudget::new(2, 5, Duration::from_secs(30)),
        };
        change(&mut outlook);
        outlook.words()
    }

    #[test]
    fn what_follows_is_told_as_policy_has_it() {
        let table = [
            (
                words(|_| {}),
                "if it ends: restart 3 of 5 within 30s, then its team gives up",
            ),
            (
                words(|outlook| outlook.restart = Restart::Transient),
                "if it fails: restart 3 of 5 within 30s, then its team gives up",
            ),
            (
                words(|outlook| outlook.restart = Restart::Temporary),
                "is not started again when it ends",
            ),
            (
                words(|outlook| outlook.budget.used = 5),
                "if it ends: its team gives up, as there were 5 of 5 restarts within 30s",
            ),
            (
                words(|outlook| {
                    outlook.restart_in = Some(Duration::from_micros(850_900));
                    outlook.on_limit = OnLimit::Quarantine;
                }),
                "starts again in 850ms: restart 2 of 5 within 30s, then it stays down until somebody restarts it",
            ),
            (
                words(|outlook| outlook.state = Phase::Failed),
                "stays down until somebody restarts it",
            ),
        ];
        for (said, expected) in table {
            assert_eq!(said, expected);
        }
    }
}
