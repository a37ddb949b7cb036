//! Where a child stands between its incarnations.

use crate::reason::KillCause;

/// The state of a child, with what its supervisor must remember for it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Condition {
    /// Down until somebody starts it.
    Down,
    /// Down because it failed too often, until somebody retries it.
    Quarantined,
    /// Its turn comes in the boot or group restart under way.
    Awaiting,
    /// It failed during the boot; its group restarts once the boot is complete.
    Fallen,
    /// Waits for an alarm, then starts again.
    Restarting { alarm: u64 },
    /// Its `start` runs, until the alarm where it has a limit; `in_turn` where others wait for it.
    Starting { alarm: Option<u64>, in_turn: bool },
    /// It runs.
    Running,
    /// It was asked to stop, or killed.
    Stopping(Stopping),
    /// It outlived its kill, and its supervisor is ending without it.
    Lost,
}

/// What is known of a child on its way out.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Stopping {
    /// The alarm after which the next means is taken; `None` where it is waited for without limit.
    pub(super) alarm: Option<u64>,
    pub(super) pressed: Pressed,
    pub(super) sequel: Sequel,
    /// Whether its start was one that others wait for.
    pub(super) in_turn: bool,
    /// Whether it was killed for a start that took too long, whatever somebody has asked for since.
    pub(super) is_late_start: bool,
}

/// How hard a child was pressed to end.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Pressed {
    Asked,
    Killed(KillCause),
    Unkillable(KillCause),
}

/// What follows once a stopping child is gone, while its supervisor goes on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Sequel {
    /// It stays down: somebody terminated it.
    Down,
    /// What the group restart intends.
    Along,
    /// A start that failed for taking too long, or for a kill from outside.
    NotStarted,
    /// A failure for being stuck, or for a kill from outside.
    Failed,
}

impl Pressed {
    /// What it was killed for.
    pub(super) fn cause(self) -> Option<KillCause> {
        match self {
            Self::Asked => None,
            Self::Killed(cause) | Self::Unkillable(cause) => Some(cause),
        }
    }
}

impl Condition {
    /// Whether an incarnation may exist that the supervisor has to wait for.
    pub(super) fn is_alive(&self) -> bool {
        matches!(self, Self::Starting { .. } | Self::Running | Self::Stopping(_))
    }

    /// Whether it is up, or will be by itself.
    pub(super) fn is_coming_up(&self) -> bool {
        matches!(self, Self::Starting { .. } | Self::Running | Self::Restarting { .. })
    }

    /// Whether the child is neither there nor going to be by itself.
    pub(super) fn is_inactive(&self) -> bool {
        matches!(self, Self::Down | Self::Quarantined | Self::Lost)
    }

    /// Whether the next child in order has to wait for this one.
    pub(super) fn holds_turn(&self) -> bool {
        match self {
            Self::Starting { in_turn, .. } => *in_turn,
            Self::Stopping(stopping) => stopping.in_turn && !stopping.is_abandoned(),
            _ => false,
        }
    }
}

impl Stopping {
    /// Whether nobody needs it gone: it is to stay down, and nothing more can be done to end it.
    pub(super) fn is_abandoned(&self) -> bool {
        self.sequel == Sequel::Down && matches!(self.pressed, Pressed::Unkillable(_))
    }
}
