//! What can be wrong with a team as it is described.

use std::time::Duration;

use triarch_supervision::name::NameError;

use crate::span::Span;

/// A setting of an agent that cannot be followed.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{problem}; {remedy}")]
pub struct SettingError {
    /// The key it is about, where it is about one.
    pub key: Option<String>,
    /// What is wrong with it.
    pub problem: String,
    /// What to do.
    pub remedy: String,
}

impl SettingError {
    /// About the setting `key`.
    pub fn of(key: impl Into<String>, problem: impl Into<String>, remedy: impl Into<String>) -> Self {
        Self {
            key: Some(key.into()),
            problem: problem.into(),
            remedy: remedy.into(),
        }
    }

    /// The key to be told before what is wrong, where that does not name it.
    fn unnamed_key(&self) -> String {
        let key = self.key.as_ref().map(|key| format!("`{key}`"));
        let unnamed = key.filter(|key| !self.problem.contains(key));
        unnamed.map_or_else(String::new, |key| key + ": ")
    }

    /// The time that is set for `key`, unless it is shorter than `least`.
    pub fn unless_at_least(least: Duration, key: &str, set: Span) -> Result<Duration, Self> {
        if set.0 >= least {
            return Ok(set.0);
        }
        let (problem, remedy) = (format!("`{key}` is {set}"), format!("set {} or more", Span(least)));
        Err(Self::of(key, problem, remedy))
    }
}

/// Why a team cannot be built.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum TeamError {
    /// A name that is none.
    #[error("team {team}: {fault}")]
    Name {
        /// The team as it is written.
        team: String,
        /// What is wrong with the name.
        #[source]
        fault: NameError,
    },
    /// A kind that nobody offers.
    #[error("agent {team}/{agent} is of kind {kind:?}, which there is not; there are: {known}")]
    NoSuchKind {
        /// The team.
        team: String,
        /// The agent.
        agent: String,
        /// The kind as it is written.
        kind: String,
        /// The kinds there are.
        known: String,
    },
    /// A setting of an agent.
    #[error("agent {team}/{agent}: {}{fault}", .fault.unnamed_key())]
    Setting {
        /// The team.
        team: String,
        /// The agent.
        agent: String,
        /// What is wrong.
        #[source]
        fault: SettingError,
    },
}
