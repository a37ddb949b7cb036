//! Why an incarnation ended.

use std::error::Error;
use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use serde::Serialize;

use crate::name::Name;
use crate::policy::Intensity;

/// Why one incarnation of an agent or supervisor ended.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, thiserror::Error)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum ExitReason {
    /// It ended by its own wish, its work done.
    #[error("ended normally")]
    Normal,
    /// It was asked to stop, and did.
    #[error("was asked to stop")]
    Shutdown,
    /// It was killed.
    #[error("was killed: {0}")]
    Killed(KillCause),
    /// A callback returned an error.
    #[error(fmt = failed)]
    Error(Failure),
    /// A callback panicked.
    #[error("panicked: {0}")]
    Panic(PanicReport),
    /// Its `start` did not return within its limit.
    #[error("did not start within {limit:?}; allow its start more by start_within, or have it do less before it runs")]
    StartOverdue {
        /// The limit that passed.
        limit: Duration,
    },
    /// A supervisor gave up on its children and passes the failure to its own parent.
    #[error("{0}")]
    Escalated(Box<Escalation>),
    /// A supervisor's child did not start, so neither did the supervisor.
    #[error("child {child} did not start: {reason}")]
    ChildNotStarted {
        /// The child that did not start.
        child: Name,
        /// Why not.
        reason: Box<ExitReason>,
    },
    /// A supervisor ended because significant children had ended.
    #[error("its significant children ended")]
    AutoShutdown,
}

/// Who declined to start has not failed.
fn failed(failure: &Failure, f: &mut fmt::Formatter<'_>) -> fmt::Result {
    if !failure.is_ignore() {
        f.write_str("failed: ")?;
    }
    fmt::Display::fmt(failure, f)
}

/// Why an incarnation was killed instead of asked.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, thiserror::Error)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum KillCause {
    /// Its child specification says `brutal_kill`.
    #[error("its shutdown is brutal_kill")]
    Brutal,
    /// It did not stop within its shutdown time.
    #[error("it did not stop in time")]
    Overdue,
    /// A handler outlived its declared time budget.
    #[error("its handler was stuck")]
    Stuck,
    /// Somebody outside its supervisor killed it.
    #[error("from outside its supervisor")]
    Outside,
}

/// What a supervisor reports when it gives up.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, thiserror::Error)]
#[error("gave up after {} within {period:?}: child {child} {reason}", so_many_restarts(*restarts))]
#[non_exhaustive]
pub struct Escalation {
    /// The child whose end was one too many.
    pub child: Name,
    /// Why that child ended.
    pub reason: ExitReason,
    /// How many restarts the intensity allows.
    pub restarts: u32,
    /// Within which period.
    pub period: Duration,
}

/// So many restarts, in words.
pub(crate) fn so_many_restarts(count: u32) -> String {
    let s = if count == 1 { "" } else { "s" };
    format!("{count} restart{s}")
}

impl Escalation {
    /// What a supervisor of that intensity reports when `child` ended once too often.
    pub const fn new(child: Name, reason: ExitReason, intensity: Intensity) -> Self {
        Self {
            child,
            reason,
            restarts: intensity.restarts,
            period: intensity.period,
        }
    }
}

/// An error as it is kept and shown: its own words and those of its sources.
///
/// Anything that implements [`Error`] becomes one by `?`. `Failure` itself does not implement
/// `Error`, which is what lets the conversion be total (the way `anyhow::Error` does it). What is an error and does not implement
/// that, as `anyhow::Error`, a boxed error or a text, becomes one by [`or_fail`](OrFail::or_fail).
///
/// It is one word wide, so that the `Result` of a handler travels in a register.
#[derive(Clone, PartialEq, Eq)]
pub struct Failure(Arc<Told>);

#[derive(PartialEq, Eq)]
struct Told {
    text: Box<str>,
    is_ignore: bool,
}

impl Failure {
    /// A failure in words.
    pub fn new(text: impl Into<Box<str>>) -> Self {
        Self(Arc::new(Told {
            text: text.into(),
            is_ignore: false,
        }))
    }

    fn told(error: &dyn Error) -> Self {
        let mut text = error.to_string();
        let mut source = error.source();
        while let Some(cause) = source {
            text.push_str(": ");
            text.push_str(&cause.to_string());
            source = cause.source();
        }
        Self::new(text)
    }

    /// Returned from `start`: there is nothing to do, leave me out without calling it a failure.
    pub fn ignore() -> Self {
        Self::declining("declined to start")
    }

    /// The same of one that was stopped before this tree was.
    pub(crate) fn dormant() -> Self {
        Self::declining("stays down, as it was before")
    }

    fn declining(text: &str) -> Self {
        Self(Arc::new(Told {
            text: Box::from(text),
            is_ignore: true,
        }))
    }

    /// Whether this is [`Failure::ignore`].
    pub fn is_ignore(&self) -> bool {
        self.0.is_ignore
    }
}

impl Serialize for Failure {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(&self.0.text)
    }
}

impl<E: Error> From<E> for Failure {
    fn from(error: E) -> Self {
        Self::told(&error)
    }
}

/// Makes failures of errors that do not become one by `?` alone.
///
/// ```
/// # use triarch_supervision::prelude::*;
/// fn read() -> Result<u64, Box<dyn std::error::Error + Send + Sync>> {
///     Ok("17".parse()?)
/// }
///
/// fn handle() -> Result<u64, Failure> {
///     Ok(read().or_fail()? + 1)
/// }
/// # assert_eq!(handle().unwrap(), 18);
/// ```
pub trait OrFail<T> {
    /// The same, with the error in its own words and those of its sources.
    fn or_fail(self) -> Result<T, Failure>;
}

impl<T, E: Into<Box<dyn Error + Send + Sync>>> OrFail<T> for Result<T, E> {
    fn or_fail(self) -> Result<T, Failure> {
        self.map_err(|error| Failure::told(&*error.into()))
    }
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0.text)
    }
}

impl fmt::Debug for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Failure({:?})", self.0.text)
    }
}

/// What a panic said, and where.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[non_exhaustive]
pub struct PanicReport {
    /// The panic's message.
    pub message: Arc<str>,
    /// File, line and column, when the panic hook of this crate is installed.
    pub location: Option<Arc<str>>,
}

impl fmt::Display for PanicReport {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.location {
            Some(location) => write!(f, "{} ({location})", self.message),
            None => f.write_str(&self.message),
        }
    }
}

impl ExitReason {
    /// Whether a `transient` child is restarted after it.
    pub fn is_failure(&self) -> bool {
        !matches!(self, Self::Normal | Self::Shutdown | Self::AutoShutdown)
    }

    /// The closed word for metrics: `normal`, `shutdown`, `killed`, `error`, `panic`.
    pub fn label(&self) -> &'static str {
        match self {
            Self::Normal => "normal",
            Self::Shutdown | Self::AutoShutdown => "shutdown",
            Self::Killed(_) => "killed",
            Self::Panic(_) => "panic",
            Self::Error(_) | Self::StartOverdue { .. } | Self::Escalated(_) | Self::ChildNotStarted { .. } => "error",
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn boxed_errors_and_texts_are_failures_by_their_words() {
        let boxed: Result<(), Box<dyn Error + Send + Sync>> = Err(Box::new(Outer(fmt::Error)));
        let expected = Failure::from(Outer(fmt::Error));
        assert_eq!(boxed.or_fail(), Err(expected));
        assert_eq!(Err::<(), _>("no luck").or_fail(), Err(Failure::new("no luck")));
        assert_eq!(Ok::<_, String>(7).or_fail(), Ok(7));
    }

    #[derive(Debug, thiserror::Error)]
    #[error("cannot open the ledger")]
    struct Outer(#[source] fmt::Error);

    #[test]
    fn a_failure_tells_its_sources_in_order() {
        let failure = Failure::from(Outer(fmt::Error));
        assert_eq!(
            failure.to_string(),
            "cannot open the ledger: an error occurred when formatting an argument"
        );
        assert!(!failure.is_ignore());
    }

    #[test]
    fn who_declines_to_start_has_not_failed_in_words() {
        let words = |failure| ExitReason::Error(failure).to_string();
        assert_eq!(words(Failure::new("x")), "failed: x");
        assert_eq!(words(Failure::ignore()), "declined to start");
        assert_eq!(words(Failure::dormant()), "stays down, as it was before");
    }

    #[test]
    fn only_normal_ends_are_no_failures() {
        let failures = [
            ExitReason::Killed(KillCause::Overdue),
            ExitReason::Error(Failure::new("x")),
            ExitReason::StartOverdue {
                limit: Duration::from_secs(1),
            },
        ];
        assert!(failures.iter().all(ExitReason::is_failure));
        assert!(
            ![ExitReason::Normal, ExitReason::Shutdown, ExitReason::AutoShutdown]
                .iter()
                .any(ExitReason::is_failure)
        );
    }
}
