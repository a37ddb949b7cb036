//! What goes into the machine and what comes out.

use std::time::Duration;

use serde::Serialize;

use crate::clock::Moment;
use crate::name::Name;
use crate::policy::{Backoff, ChildPolicy, Intensity, SupervisorPolicy};
use crate::reason::{Escalation, ExitReason, KillCause};

/// A child's place in its supervisor: given once, never again.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
#[serde(transparent)]
pub(crate) struct ChildKey(pub u64);

/// One life of a child, numbered from 1.
pub type Incarnation = u64;

/// What identifies the asker of an administrative call; the machine hands it back with the answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) struct CallId(pub u64);

/// What happens to a supervisor.
#[derive(Clone, Debug)]
pub(crate) enum Input {
    /// Begin: start the static children.
    Boot,
    /// Others have had their turn: begin the next portion of what was held back.
    GoOn,
    /// A child's `start` returned.
    Started {
        /// The child.
        key: ChildKey,
        /// Which life of it.
        incarnation: Incarnation,
    },
    /// A child's `start` did not succeed; that incarnation is gone.
    NotStarted {
        /// The child.
        key: ChildKey,
        /// Which life of it.
        incarnation: Incarnation,
        /// What became of it.
        why: NotStarted,
    },
    /// An incarnation that had started is gone, its state dropped.
    Exited {
        /// The child.
        key: ChildKey,
        /// Which life of it.
        incarnation: Incarnation,
        /// Why it ended.
        reason: ExitReason,
    },
    /// A time that was asked for by [`Effect::Arm`] has come.
    Alarm(Alarm),
    /// Somebody asks for a change of the children.
    Call {
        /// Who asks.
        call: CallId,
        /// What for.
        request: Request,
    },
    /// A watcher has seen a running child's handler outlive its budget and the child wants a restart for it.
    Stuck {
        /// The child.
        key: ChildKey,
        /// Which life of it.
        incarnation: Incarnation,
    },
    /// A person wants an incarnation killed; what follows is decided as if it had failed by itself.
    Kill {
        /// The child.
        key: ChildKey,
        /// Which life of it.
        incarnation: Incarnation,
    },
    /// A child's actor has ended, by a kill from outside, and longer than [`KILL_GRACE`](super::KILL_GRACE) ago; yet
    /// something of it is still there.
    Lingers {
        /// The child.
        key: ChildKey,
        /// Which life of it.
        incarnation: Incarnation,
    },
    /// Whoever added a child has gone before all was up: it ends, and its specification is not kept.
    Withdraw {
        /// The child.
        key: ChildKey,
    },
    /// A person wants other limits: OTP's change of supervisor flags.
    Adjust(Adjustment),
    /// End: the parent, or a person, wants the supervisor gone.
    Stop,
}

/// The part of a supervisor's policy that can change while it runs.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct Adjustment {
    /// How many restarts it bears.
    pub intensity: Intensity,
    /// The waits between restarts of a child that has none of its own.
    pub backoff: Backoff,
}

impl Adjustment {
    pub(crate) fn change(self, policy: &mut SupervisorPolicy) {
        policy.intensity = self.intensity;
        policy.backoff = self.backoff;
    }
}

/// Why an incarnation never ran.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum NotStarted {
    /// Its `start` declined; that is no failure.
    Ignored,
    /// Its `start` failed.
    Failed(ExitReason),
}

/// A change of the children, in OTP's words.
#[derive(Clone, Debug)]
pub(crate) enum Request {
    /// Add a child at the right end and start it.
    Start {
        /// Its key, chosen by the caller, never used before.
        key: ChildKey,
        /// Its name.
        name: Name,
        /// Its policy.
        policy: ChildPolicy,
    },
    /// Add children at the right end side by side, which are down. All of them, or none.
    Place(Vec<(ChildKey, Name, ChildPolicy)>),
    /// Start a child that was placed: one that does not start is not kept.
    StartPlaced(Name),
    /// Stop a child and keep its specification (unless it is temporary or dynamic).
    Terminate(Name),
    /// Start a child that is down.
    Restart(Name),
    /// Forget the specification of a child that is down.
    Delete(Name),
    /// Start a child that is in quarantine, with a clean record.
    Retry(Name),
}

/// What the supervisor's actor is to do.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Effect {
    /// Start a new incarnation; answer with `Started` or `NotStarted`.
    Start {
        /// The child.
        key: ChildKey,
        /// Which life of it this will be.
        incarnation: Incarnation,
    },
    /// Ask an incarnation to stop; answer with `Exited` (or `NotStarted` if it was still starting).
    Stop {
        /// The child.
        key: ChildKey,
        /// Which life of it.
        incarnation: Incarnation,
    },
    /// Kill an incarnation; answer with `Exited` (or `NotStarted` if it was still starting).
    Kill {
        /// The child.
        key: ChildKey,
        /// Which life of it.
        incarnation: Incarnation,
        /// Why it is killed instead of asked.
        cause: KillCause,
    },
    /// Come back with `Input::Alarm(alarm)` at `at`. An `at` that is not ahead means: through the
    /// supervisor's own queue, after what waits there.
    Arm {
        /// What to come back with.
        alarm: Alarm,
        /// When.
        at: Moment,
    },
    /// Answer a call.
    Answer {
        /// Who asked.
        call: CallId,
        /// What came of it.
        result: Result<Outcome, AdminError>,
    },
    /// The child is no longer part of the tree: close its mailbox, drop its specification.
    Forget {
        /// The child.
        key: ChildKey,
    },
    /// Tell the world.
    Tell(Decision),
    /// The initial start is complete.
    Ready,
    /// The supervisor is done. Further inputs are ignored and no further effect follows, save that a late
    /// call is answered with [`AdminError::Ending`].
    End {
        /// Why.
        reason: ExitReason,
        /// Who did not stop in time.
        overdue: Vec<Overdue>,
    },
}

/// A time the machine wants to be reminded of. Stale alarms are ignored by `serial`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) struct Alarm {
    /// Which alarm this is; each is armed once.
    pub serial: u64,
    /// The child it is about.
    pub key: ChildKey,
}

/// A child that did not stop within its time.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Overdue {
    /// The child.
    pub child: Name,
    /// Which life of it.
    pub incarnation: Incarnation,
    /// How long it was waited for before the kill.
    pub waited: Duration,
    /// Whether the kill ended it; `false` means it still holds a thread.
    pub ended: bool,
}

/// What came of an administrative call.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Outcome {
    /// The child runs as this incarnation.
    Running(Incarnation),
    /// The child declined to start.
    Ignored,
    /// The child is down, its specification kept.
    Terminated,
    /// The child and its specification are gone.
    Deleted,
}

/// Why an administrative call was refused.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, thiserror::Error)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum AdminError {
    /// A child of that name runs.
    #[error("child {child} already runs; choose another name or terminate it first")]
    AlreadyStarted {
        /// The name in question.
        child: Name,
    },
    /// A child of that name is specified, but down.
    #[error("child {child} is already specified but down; restart it, or delete it first")]
    AlreadyPresent {
        /// The name in question.
        child: Name,
    },
    /// No child bears the name.
    #[error("no child is named {child}; list the children to see who there is")]
    NotFound {
        /// The name in question.
        child: Name,
    },
    /// The child runs, which forbids what was asked.
    #[error("child {child} runs; terminate it first")]
    Running {
        /// The name in question.
        child: Name,
    },
    /// The child is between two incarnations.
    #[error("child {child} is being restarted; wait, or terminate it first")]
    Restarting {
        /// The name in question.
        child: Name,
    },
    /// The child is down.
    #[error("child {child} is down; restart it")]
    Down {
        /// The name in question.
        child: Name,
    },
    /// The child failed too often and stays down.
    #[error("child {child} is in quarantine; retry it")]
    Quarantined {
        /// The name in question.
        child: Name,
    },
    /// The child is not in quarantine, so there is nothing to retry.
    #[error("child {child} is not in quarantine; restart it instead")]
    NotQuarantined {
        /// The name in question.
        child: Name,
    },
    /// The child did not start.
    #[error("child {child} did not start: {reason}; see to that, then start it again")]
    NotStarted {
        /// The name in question.
        child: Name,
        /// Why it did not.
        reason: ExitReason,
    },
    /// The child was terminated by somebody else before the call was through.
    #[error("child {child} was terminated before it had started; start it again if it is to run")]
    Interrupted {
        /// The name in question.
        child: Name,
    },
    /// `significant` asks for what the rest of the specification forbids.
    #[error(
        "child {child} is significant, which needs restart = transient or temporary and a supervisor with auto_shutdown"
    )]
    Significant {
        /// The name in question.
        child: Name,
    },
    /// The dynamic supervisor takes children without a place in an order, so this call has no meaning there.
    #[error(
        "child {child} belongs to a dynamic supervisor, which keeps no specification of a child that is down; start it as a new one"
    )]
    Dynamic {
        /// The name in question.
        child: Name,
    },
    /// The supervisor is ending or has ended.
    #[error("the supervisor is ending; ask its parent instead")]
    Ending,
}

/// A decision with its reason: what `why`, the log and the bus tell.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[serde(rename_all = "snake_case", tag = "decision")]
#[non_exhaustive]
pub enum Decision {
    /// An incarnation started.
    Started {
        /// The child.
        child: Name,
        /// Which life of it.
        incarnation: Incarnation,
    },
    /// A child declined to start.
    Ignored {
        /// The child.
        child: Name,
    },
    /// An incarnation ended.
    Ended {
        /// The child.
        child: Name,
        /// Which life of it.
        incarnation: Incarnation,
        /// Why.
        reason: ExitReason,
    },
    /// A child will be started again.
    Restarting {
        /// The child whose end caused it.
        child: Name,
        /// Why it ended or did not start.
        reason: ExitReason,
        /// How many restarts in a row this makes.
        attempt: u32,
        /// How long it waits first.
        delay: Duration,
        /// How many siblings are restarted along with it.
        siblings: usize,
        /// How many restarts lie in the window, this one among them.
        restarts: u32,
        /// How many are allowed there.
        allowed: u32,
    },
    /// A child is not started again, because its specification says so.
    LetGo {
        /// The child.
        child: Name,
        /// Why it ended.
        reason: ExitReason,
    },
    /// A child failed too often and stays down.
    Quarantined {
        /// The child.
        child: Name,
        /// Why it ended last.
        reason: ExitReason,
    },
    /// A child is killed: it did not start or stop in time, it is stuck, or somebody wanted it so.
    Killed {
        /// The child.
        child: Name,
        /// Which life of it.
        incarnation: Incarnation,
        /// Why it is killed.
        cause: KillCause,
    },
    /// A killed child still holds a thread.
    Unkillable {
        /// The child.
        child: Name,
        /// Which life of it.
        incarnation: Incarnation,
    },
    /// The supervisor gives up.
    Escalated(Box<Escalation>),
    /// Significant children ended, so the supervisor ends.
    AutoShutdown {
        /// The child whose end was the last needed.
        child: Name,
    },
}

impl Decision {
    /// The child it is about; `None` where the supervisor decided about itself.
    pub fn child(&self) -> Option<&Name> {
        match self {
            Self::Started { child, .. }
            | Self::Ignored { child }
            | Self::Ended { child, .. }
            | Self::Restarting { child, .. }
            | Self::LetGo { child, .. }
            | Self::Quarantined { child, .. }
            | Self::Killed { child, .. }
            | Self::Unkillable { child, .. } => Some(child),
            Self::Escalated(_) | Self::AutoShutdown { .. } => None,
        }
    }
}

/// The state of a child as its supervisor knows it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum ChildState {
    /// Its `start` is running.
    Starting,
    /// It runs.
    Running,
    /// It was asked to stop.
    Stopping,
    /// It is between two incarnations: waiting to be tried again.
    Restarting,
    /// It is down.
    Down,
    /// It failed too often and is down until retried.
    Quarantined,
}
