//! Where a node stands in its life, and at which level of its tree.

use serde::ser::SerializeStruct as _;
use serde::{Serialize, Serializer};

use crate::clock::Moment;
use crate::reason::ExitReason;

/// Where an agent or supervisor stands in its life.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, Serialize)]
#[serde(rename_all = "snake_case")]
#[repr(u8)]
#[non_exhaustive]
pub enum Phase {
    /// Specified, never started.
    #[default]
    Specified,
    /// Its `start` is running.
    Starting,
    /// It runs and nothing waits.
    Idle,
    /// It runs and has something to do.
    Busy,
    /// It runs and handles nothing until resumed; the mailbox keeps.
    Paused,
    /// It was asked to stop.
    Stopping,
    /// It is down.
    Stopped,
    /// It waits for its next start.
    Backoff,
    /// It failed too often and is in quarantine.
    Failed,
}

impl Phase {
    /// All of them, from the first to the last of a life that goes wrong.
    pub const ALL: [Self; 9] = [
        Self::Specified,
        Self::Starting,
        Self::Idle,
        Self::Busy,
        Self::Paused,
        Self::Stopping,
        Self::Stopped,
        Self::Backoff,
        Self::Failed,
    ];

    pub(super) fn from_u8(value: u8) -> Self {
        Self::ALL.get(usize::from(value)).copied().unwrap_or_default()
    }

    /// The word used in metrics and screens.
    pub const fn label(self) -> &'static str {
        match self {
            Self::Specified => "specified",
            Self::Starting => "starting",
            Self::Idle => "idle",
            Self::Busy => "busy",
            Self::Paused => "paused",
            Self::Stopping => "stopping",
            Self::Stopped => "stopped",
            Self::Backoff => "backoff",
            Self::Failed => "failed",
        }
    }

    /// Whether an incarnation exists.
    pub fn is_alive(self) -> bool {
        matches!(
            self,
            Self::Starting | Self::Idle | Self::Busy | Self::Paused | Self::Stopping
        )
    }
}

/// One change of phase.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[non_exhaustive]
pub struct Change {
    /// When.
    pub at: Moment,
    /// To what.
    pub to: Phase,
    /// In which life.
    pub incarnation: u64,
    /// Why, where there is more to say than the phase.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub reason: Option<ExitReason>,
}

/// What a node is: one of the three levels of a tree. Shown as its number (`level`) and its word (`kind`).
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[repr(u8)]
pub enum Level {
    /// Level 1.
    Root = 1,
    /// Level 2.
    Supervisor,
    /// Level 3.
    Agent,
}

impl Level {
    /// 1 to 3.
    pub fn number(self) -> u8 {
        self as u8
    }

    /// The word used on screens.
    pub fn label(self) -> &'static str {
        match self {
            Self::Root => "root",
            Self::Supervisor => "supervisor",
            Self::Agent => "agent",
        }
    }
}

impl Serialize for Level {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut shown = serializer.serialize_struct("Level", 2)?;
        shown.serialize_field("level", &self.number())?;
        shown.serialize_field("kind", self.label())?;
        shown.end()
    }
}
