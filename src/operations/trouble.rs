//! Why an operation was not done, what that means for the exit code, and what to do.

pub(crate) use triarch_gateway::Code;
use triarch_gateway::OperationError;
use triarch_supervision::address::Refusal;
use triarch_supervision::supervisor::{AdminError, CallError};
use triarch_supervision::tree::NotFound;

/// Why an operation was not done.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{message}")]
pub(crate) struct Trouble {
    pub(crate) code: Code,
    pub(crate) message: String,
    /// What to do about it.
    pub(crate) remedy: String,
}

impl Trouble {
    pub(crate) fn new(code: Code, message: impl Into<String>, remedy: impl Into<String>) -> Self {
        Self {
            code,
            message: message.into(),
            remedy: remedy.into(),
        }
    }

    /// What is wrong, and what to do where that is not said yet.
    pub(crate) fn told(&self) -> String {
        if self.remedy.is_empty() {
            return self.message.clone();
        }
        format!("{}; {}", self.message, self.remedy)
    }

    pub(crate) fn failed(message: impl Into<String>) -> Self {
        Self::new(Code::Failed, message, "see what the runtime logged about it")
    }

    pub(crate) fn usage(operation: &str, error: &serde_json::Error) -> Self {
        Self::new(
            Code::Usage,
            format!("{operation} cannot be read: {error}"),
            "see `triarch help`",
        )
    }

    pub(crate) fn no_such_operation(name: &str, known: &[&str]) -> Self {
        Self::new(
            Code::Usage,
            format!("there is no operation {name:?}"),
            format!("there are: {}", known.join(", ")),
        )
    }

    pub(crate) fn no_such_agent(name: &str) -> Self {
        Self::new(
            Code::NotFound,
            format!("there is no agent {name:?}"),
            "`triarch agent list` shows those there are",
        )
    }

    pub(crate) fn no_such_path(path: &str) -> Self {
        Self::new(
            Code::NotFound,
            format!("nothing in the tree is called {path:?}"),
            "`triarch tree` shows what there is",
        )
    }

    pub(crate) fn takes_no_posts(path: &str) -> Self {
        Self::new(
            Code::Refused,
            format!("{path} is an agent of the runtime itself, which takes no posts"),
            "send to an agent of a team",
        )
    }

    pub(crate) fn no_such_team(name: &str) -> Self {
        Self::new(
            Code::NotFound,
            format!("there is no team {name:?}"),
            "`triarch team list` shows those there are",
        )
    }
}

impl From<OperationError> for Trouble {
    fn from(error: OperationError) -> Self {
        Self::new(error.code, error.message, error.remedy)
    }
}

impl From<Trouble> for OperationError {
    fn from(trouble: Trouble) -> Self {
        Self::new(trouble.code, trouble.message, trouble.remedy)
    }
}

impl From<NotFound> for Trouble {
    fn from(error: NotFound) -> Self {
        Self::new(Code::NotFound, error.to_string(), "`triarch tree` shows what there is")
    }
}

impl From<CallError> for Trouble {
    fn from(error: CallError) -> Self {
        let (code, remedy) = match &error {
            CallError::Build(_) => (Code::Usage, "mend the description"),
            CallError::Refused(AdminError::NotFound { .. }) => (Code::NotFound, "`triarch tree` shows what there is"),
            CallError::Refused(_) => (Code::Refused, "`triarch why` tells how it is"),
            _ => (Code::Failed, "ask again in a moment"),
        };
        Self::new(code, error.to_string(), remedy)
    }
}

impl Trouble {
    /// A post that `to` did not take.
    pub(crate) fn not_sent(to: &str, why: &Refusal) -> Self {
        let (code, remedy) = match why {
            Refusal::NoSuchAgent => (Code::NotFound, "`triarch agent list` shows those there are"),
            Refusal::Closed => (Code::NotFound, "the agent has left its team"),
            Refusal::OtherType => (
                Code::Refused,
                "it is an agent of the runtime itself, which takes no posts",
            ),
            _ => (Code::Failed, "send it later, or give the agent a larger mailbox"),
        };
        Self::new(code, format!("{to} did not take the post: {why}"), remedy)
    }
}
