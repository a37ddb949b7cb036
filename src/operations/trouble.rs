//! Why an operation was not done, what that means for the exit code, and what to do.

use std::error::Error;

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

    /// One of which nothing more is to be said.
    pub(crate) fn silent(code: Code) -> Self {
        Self::new(code, "", "")
    }

    pub(crate) fn is_silent(&self) -> bool {
        self.message.is_empty()
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

    /// Agents are yet to start.
    pub(crate) fn still_starting() -> Self {
        Self::new(
            Code::Failed,
            "the runtime is still starting",
            "`triarch tree` shows how far it is; ask again when all have started",
        )
    }

    /// Somebody has asked it to stop.
    pub(crate) fn stops() -> Self {
        Self::new(
            Code::Failed,
            "the runtime is stopping and takes nothing new",
            "`triarch tree` shows who has yet to stop; ask again when the next one runs",
        )
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

    pub(crate) fn holds_the_runtime(path: &str) -> Self {
        Self::new(
            Code::Refused,
            format!("{path} is an agent of the runtime itself, which is neither stopped nor paused"),
            "start it anew with `triarch agent restart`, or stop all with `triarch down`",
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
        Self::new(Code::NotFound, problem(&error), "`triarch tree` shows what there is")
    }
}

impl From<CallError> for Trouble {
    fn from(error: CallError) -> Self {
        let (code, remedy) = match &error {
            // What is wrong with a description is told with its own remedy.
            CallError::Build(_) => return Self::new(Code::Usage, error.to_string(), ""),
            CallError::Refused(refused) => remedy_of(refused),
            _ => (
                Code::Refused,
                "start it with `triarch team start` if it was stopped, else ask again in a moment",
            ),
        };
        Self::new(code, problem(&error), remedy)
    }
}

/// What the command line can do about what a supervisor refused.
fn remedy_of(refused: &AdminError) -> (Code, &'static str) {
    match refused {
        AdminError::NotFound { .. } => (Code::NotFound, "`triarch tree` shows what there is"),
        AdminError::NotStarted { .. } => (Code::Failed, "`triarch why` tells more of it"),
        AdminError::AlreadyStarted { .. } => (Code::Refused, "choose another name"),
        AdminError::AlreadyPresent { .. } | AdminError::Down { .. } | AdminError::Quarantined { .. } => (
            Code::Refused,
            "start it with `triarch agent restart`, or `triarch team start`",
        ),
        _ => (Code::Refused, "`triarch why` tells how it is"),
    }
}

/// What is wrong, without what a program that uses the library would do about it.
fn problem(error: &dyn Error) -> String {
    parted(&error.to_string()).0.to_owned()
}

/// What is wrong with the causes that the text does not tell, before what to do about it: as it says itself, or else the last
/// cause that says so.
pub(crate) fn caused(error: &dyn Error) -> String {
    let text = error.to_string();
    let (problem, remedy) = parted(&text);
    let (mut told, mut cause_says) = (problem.to_owned(), None);
    let mut source = error.source();
    while let Some(cause) = source {
        let cause_text = cause.to_string();
        let (problem, remedy) = parted(&cause_text);
        if !told.contains(problem) {
            told = format!("{told}: {problem}");
        }
        cause_says = remedy.map(str::to_owned).or(cause_says);
        source = cause.source();
    }
    let remedy = remedy.map(str::to_owned).or(cause_says);
    remedy.map_or(told.clone(), |remedy| format!("{told}; {remedy}"))
}

/// What is wrong, and what to do.
fn parted(text: &str) -> (&str, Option<&str>) {
    text.split_once("; ")
        .map_or((text, None), |(problem, remedy)| (problem, Some(remedy)))
}

impl Trouble {
    /// A post that `to` did not take.
    pub(crate) fn not_sent(to: &str, why: &Refusal) -> Self {
        let (code, remedy) = match why {
            Refusal::NoSuchAgent => (Code::NotFound, "`triarch agent list` shows those there are"),
            Refusal::Closed => (
                Code::NotFound,
                "it has left its team; `triarch agent list` shows those there are",
            ),
            Refusal::OtherType => return Self::takes_no_posts(to),
            _ => (Code::Failed, "send it later, or give the agent a larger mailbox"),
        };
        Self::new(code, format!("{to} did not take the post: {}", problem(why)), remedy)
    }
}

#[cfg(test)]
mod tests {
    use std::io;

    use super::*;

    #[test]
    fn a_cause_is_told_before_what_to_do_and_once() {
        let (listen, source) = ("127.0.0.1:7117".parse().unwrap(), io::Error::other("it is taken"));
        let told = caused(&triarch_gateway::Error::Listen { listen, source });
        let expected = "HTTP cannot be served on 127.0.0.1:7117: it is taken; free the port or choose another under gateway.listen";
        assert_eq!(told, expected);
        assert_eq!(caused(&io::Error::other("plain")), "plain");
    }

    #[test]
    fn what_only_a_cause_knows_to_do_is_told_last() {
        #[derive(Debug, thiserror::Error)]
        #[error("it is not done")]
        struct NotDone(#[source] triarch_gateway::Error);
        let (listen, source) = ("127.0.0.1:7117".parse().unwrap(), io::Error::other("it is taken"));
        let told = caused(&NotDone(triarch_gateway::Error::Listen { listen, source }));
        let expected = "it is not done: HTTP cannot be served on 127.0.0.1:7117: it is taken; free the port or choose another under gateway.listen";
        assert_eq!(told, expected);
    }
}
