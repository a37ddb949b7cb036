//! What a health check answers.

use serde::Serialize;

/// How far the runtime is in its life.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum State {
    /// Not everybody has started yet.
    #[default]
    Starting,
    /// Everybody has started.
    Ready,
    /// It was asked to stop and takes no more work.
    Draining,
    /// It has stopped.
    Stopped,
}

impl State {
    /// All of them, in their order.
    pub const ALL: [Self; 4] = [Self::Starting, Self::Ready, Self::Draining, Self::Stopped];

    /// The word used in metrics and answers.
    pub const fn label(self) -> &'static str {
        match self {
            Self::Starting => "starting",
            Self::Ready => "ready",
            Self::Draining => "draining",
            Self::Stopped => "stopped",
        }
    }
}

/// How the runtime is.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Report {
    /// How far it is in its life.
    pub state: State,
    /// Whether it takes work.
    pub is_ready: bool,
    /// What is not as it should be; empty where all is well.
    pub reasons: Vec<Reason>,
}

/// One thing that is not as it should be.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
pub struct Reason {
    /// What it is.
    pub cause: Cause,
    /// Whom it concerns: a path of the tree.
    pub subject: String,
    /// The same in words, with what to do.
    pub message: String,
}

/// What can be wrong.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Cause {
    /// It has not started yet.
    Starting,
    /// The runtime was asked to stop.
    Draining,
    /// The runtime has stopped.
    Stopped,
    /// A room is down, and what it does is not done.
    RoomDown,
    /// A room's journal takes no records, and so the room nothing that is to last.
    JournalClosed,
    /// Somebody drains the tasks: no new one is taken, and all else goes on.
    TasksDrained,
    /// A team is down.
    TeamDown,
    /// Somebody stopped a team, which stays down until it is started.
    TeamStopped,
    /// It failed too often and stays down until somebody restarts it.
    Quarantined,
}

impl Cause {
    /// Whether the runtime takes no work for that; else it is degraded, and ready.
    pub const fn forbids_work(self) -> bool {
        matches!(
            self,
            Self::Starting | Self::Draining | Self::Stopped | Self::RoomDown | Self::JournalClosed
        )
    }

    /// Whether a runtime that stops brings it about.
    pub(super) const fn is_of_a_stop(self) -> bool {
        matches!(self, Self::RoomDown | Self::TeamDown | Self::TeamStopped)
    }
}

impl Report {
    pub(super) fn new(state: State, mut reasons: Vec<Reason>) -> Self {
        reasons.sort();
        Self {
            state,
            is_ready: !reasons.iter().any(|reason| reason.cause.forbids_work()),
            reasons,
        }
    }
}

impl Reason {
    pub(super) fn new(cause: Cause, subject: &str) -> Self {
        let message = match cause {
            Cause::Starting => format!("{subject} has not started yet; wait for it"),
            Cause::Draining => "the runtime was asked to stop and takes no more work; start it again".to_owned(),
            Cause::Stopped => "the runtime has stopped; start it again".to_owned(),
            Cause::RoomDown => format!("the room {subject} is down; its supervisor restarts it, see the log for why"),
            Cause::JournalClosed => format!(
                "the journal of {subject} takes no records, since its disk failed; it goes on once the disk does, see the log for why"
            ),
            Cause::TasksDrained => {
                format!(
                    "{subject} takes no new tasks, since somebody drains them; end the drain to have them taken again"
                )
            }
            Cause::TeamStopped => {
                format!("the team {subject} was stopped by hand; `triarch team start {subject}` starts it")
            }
            Cause::TeamDown => format!("the team {subject} is down; see the log for why"),
            Cause::Quarantined => {
                // A path has its supervisor before it; a team stands below the root, which is left out.
                let verb = if subject.contains('/') {
                    "agent restart"
                } else {
                    "team start"
                };
                format!("{subject} failed too often and stays down; mend it, then `triarch {verb} {subject}`")
            }
        };
        Self {
            cause,
            subject: subject.to_owned(),
            message,
        }
    }
}
