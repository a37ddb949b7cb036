//! Dead letters of mailboxes, as the tree keeps them.

use std::time::SystemTime;

use clap::Args;
use serde::{Deserialize, Serialize};
use triarch_supervision::dead_letter::DeadLetter;

use super::meant::find_agent;
use super::seen::{ago, time_of};
use super::{Operation, Trouble};
use crate::fleet::Fleet;
use crate::wall_clock::wall_clock;

/// Lists dead letters of mailboxes, the latest first: messages and posts that reached no handler, or survived none. The last
/// 1,024 are kept, until the runtime ends.
#[derive(Args, Clone, Debug, Default, Serialize, Deserialize)]
pub(crate) struct AgentDead {
    /// Only those for this agent: its path, or its name where only one has it.
    pub(crate) agent: Option<String>,
    /// Only the last so many.
    #[arg(long, value_name = "COUNT")]
    #[serde(default)]
    pub(crate) last: Option<usize>,
}

/// A dead letter of a mailbox.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct LetterSeen {
    pub(crate) letter: u64,
    /// The path that it was sent to.
    pub(crate) to: String,
    /// The type of the message.
    pub(crate) message: String,
    /// `full`, `closed`, `expired`, `crashed`, `poison` or `no_such_agent`.
    pub(crate) reason: String,
    /// What ended the life that had it in hand, where one had.
    pub(crate) cause: Option<String>,
    pub(crate) at: String,
    pub(crate) ago_ms: u64,
}

impl LetterSeen {
    fn of(letter: &DeadLetter, now: SystemTime) -> Self {
        Self {
            letter: letter.number,
            to: letter.to.to_string(),
            message: letter.message_type.to_owned(),
            reason: letter.reason.label().to_owned(),
            cause: letter.cause.as_ref().map(ToString::to_string),
            at: time_of(letter.at, now),
            ago_ms: ago(letter.at),
        }
    }
}

impl Operation for AgentDead {
    const NAME: &'static str = "agent.dead";
    type Output = Vec<LetterSeen>;

    async fn perform(self, fleet: &Fleet) -> Result<Vec<LetterSeen>, Trouble> {
        let mut letters = fleet.observer().dead_letters().list();
        if let Some(agent) = &self.agent {
            let to = receiver(fleet, agent, &letters)?;
            letters.retain(|letter| *letter.to == *to);
        }
        let (most, now) = (self.last.unwrap_or(usize::MAX), wall_clock());
        let latest = letters.iter().rev().take(most);
        Ok(latest.map(|letter| LetterSeen::of(letter, now)).collect())
    }
}

/// The path of whom letters were for, who may have gone, or never have been there.
fn receiver(fleet: &Fleet, meant: &str, letters: &[DeadLetter]) -> Result<String, Trouble> {
    find_agent(fleet, meant).map(|place| place.path).or_else(|trouble| {
        let was_meant = letters.iter().any(|letter| *letter.to == *meant);
        if was_meant { Ok(meant.to_owned()) } else { Err(trouble) }
    })
}
