//! A child in the care of its supervisor.

use std::sync::Arc;

use crate::child::{Spawned, Startable};
use crate::reason::KillCause;
use crate::supervisor::machine::Incarnation;
use crate::time::Key;
use crate::tree::KILL;

/// A child and its present incarnation.
pub(super) struct Ward {
    pub(super) child: Arc<dyn Startable>,
    pub(super) present: Option<Present>,
    pub(super) alarm: Option<Key>,
    /// Whether the alarm is the one that its start is over by.
    pub(super) awaits_start: bool,
    /// Whether its present incarnation has started.
    pub(super) has_started: bool,
    pub(super) is_static: bool,
}

pub(super) struct Present {
    pub(super) incarnation: Incarnation,
    pub(super) actor: Spawned,
}

impl Ward {
    pub(super) fn new(child: Arc<dyn Startable>, is_static: bool) -> Self {
        Self {
            child,
            present: None,
            alarm: None,
            awaits_start: false,
            has_started: false,
            is_static,
        }
    }

    /// Kills its present incarnation; tells whether there is one.
    pub(super) fn kill(&self, cause: KillCause) -> bool {
        let Some(present) = &self.present else { return false };
        let node = self.child.node();
        node.set_kill_cause(Some(cause));
        node.raise(KILL);
        present.actor.cell.kill();
        self.child.ring();
        true
    }
}
