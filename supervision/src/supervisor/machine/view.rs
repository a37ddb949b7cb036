//! What may be seen of a supervisor's children, and of what it is told to supervise.

use serde::Serialize;

use super::children::Child;
use super::io::{ChildKey, ChildState, Incarnation};
use super::{Machine, Progress};
#[cfg(test)]
use crate::clock::Moment;
use crate::name::Name;
use crate::policy::ChildPolicy;

/// One child as seen from outside.
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
pub(crate) struct ChildView<'a> {
    /// Its place in its supervisor.
    pub key: ChildKey,
    /// Its name.
    pub name: &'a Name,
    /// What its specification says of its life.
    pub policy: &'a ChildPolicy,
    /// Where it stands.
    pub state: ChildState,
    /// The incarnation that exists, if one does.
    pub incarnation: Option<Incarnation>,
    /// How often its supervisor started it again, alone or along with siblings.
    pub restarts: u32,
}

/// How many children there are, and in which state.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
#[non_exhaustive]
pub struct Counts {
    /// All children, dead or alive.
    pub specified: usize,
    /// Those that run.
    pub active: usize,
    /// Those whose `start` runs or is yet to run for the first time.
    pub starting: usize,
    /// Those asked to stop.
    pub stopping: usize,
    /// Those between two incarnations.
    pub restarting: usize,
    /// Those that are down.
    pub down: usize,
    /// Those in quarantine.
    pub quarantined: usize,
}

/// Why a supervisor cannot be made of its specification.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, thiserror::Error)]
#[serde(rename_all = "snake_case")]
pub(crate) enum SpecificationError {
    /// Two children share a name or a key.
    #[error("child {child} is specified twice; give each child a name of its own")]
    Duplicate {
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
}

impl Machine {
    /// The children in start order.
    pub(crate) fn children(&self) -> impl Iterator<Item = ChildView<'_>> {
        self.children.iter().map(view)
    }

    /// The child of that name.
    pub(crate) fn child(&self, name: &str) -> Option<ChildView<'_>> {
        self.children.named(name).map(view)
    }

    /// How many children there are, and in which state.
    pub(crate) fn counts(&self) -> Counts {
        let states = self.children.tally().states;
        Counts {
            specified: self.children.len(),
            active: states.running,
            starting: states.starting,
            stopping: states.stopping,
            restarting: states.restarting,
            down: states.down,
            quarantined: states.quarantined,
        }
    }

    /// Restarts within the period that ends now, and how many are allowed.
    #[cfg(test)]
    pub(crate) fn window_used(&self, now: Moment) -> (u32, u32) {
        self.window.used(now)
    }

    /// Whether [`Effect::End`](super::Effect::End) was given.
    pub(crate) fn has_ended(&self) -> bool {
        matches!(self.progress, Progress::Ended)
    }
}

fn view(child: &Child) -> ChildView<'_> {
    let exists = matches!(
        child.state(),
        ChildState::Running | ChildState::Stopping | ChildState::Starting
    );
    ChildView {
        key: child.key,
        name: &child.name,
        policy: &child.policy,
        state: child.state(),
        incarnation: (exists && child.incarnation > child.before).then_some(child.incarnation),
        restarts: child.restarts,
    }
}
