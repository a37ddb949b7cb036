//! What each life of a supervisor begins from.

use std::collections::HashMap;
use std::sync::{Arc, Mutex};

use super::machine::Adjustment;
use crate::child::ChildSpec;
use crate::name::Name;
use crate::policy::SupervisorPolicy;
use crate::sync::lock;

/// The policy and the static children of a supervisor. Where it remembers, what is changed at run time is changed here.
#[derive(Debug)]
pub(crate) struct Blueprint {
    remembers: bool,
    drawn: Mutex<Drawn>,
}

#[derive(Clone, Debug)]
struct Drawn {
    policy: SupervisorPolicy,
    children: Arc<Vec<ChildSpec>>,
}

impl Blueprint {
    pub(crate) fn new(policy: SupervisorPolicy, children: Vec<ChildSpec>, remembers: bool) -> Arc<Self> {
        let children = Arc::new(children);
        Arc::new(Self {
            remembers,
            drawn: Mutex::new(Drawn { policy, children }),
        })
    }

    pub(crate) fn policy(&self) -> SupervisorPolicy {
        lock(&self.drawn).policy
    }

    pub(crate) fn children(&self) -> Arc<Vec<ChildSpec>> {
        Arc::clone(&lock(&self.drawn).children)
    }

    pub(super) fn remembers(&self) -> bool {
        self.remembers
    }

    /// Counts for the next lives whether or not it remembers: there is nothing that would forget it.
    pub(super) fn adjust(&self, adjustment: Adjustment) {
        adjustment.change(&mut lock(&self.drawn).policy);
    }

    /// From now on the child is a static one; a temporary one of its name that has ended gives it its place.
    pub(super) fn add(&self, child: ChildSpec) {
        if !self.remembers {
            return;
        }
        let mut drawn = lock(&self.drawn);
        let children = Arc::make_mut(&mut drawn.children);
        match children.iter_mut().find(|known| known.name == child.name) {
            Some(known) => *known = child,
            None => children.push(child),
        }
    }

    /// The child is no more; tells whether it was one.
    pub(super) fn remove(&self, name: &Name) -> bool {
        if !self.remembers {
            return false;
        }
        let mut drawn = lock(&self.drawn);
        let position = drawn.children.iter().position(|child| child.name == *name);
        let Some(position) = position else { return false };
        Arc::make_mut(&mut drawn.children).remove(position);
        true
    }

    /// The next lives start the children in this order; those that are not named keep theirs, after all that are.
    pub(super) fn arrange(&self, order: &[Name]) {
        if self.remembers {
            let positions: HashMap<&Name, usize> = order.iter().zip(0..).collect();
            let position = |child: &ChildSpec| positions.get(&child.name).copied().unwrap_or(usize::MAX);
            Arc::make_mut(&mut lock(&self.drawn).children).sort_by_key(position);
        }
    }
}
