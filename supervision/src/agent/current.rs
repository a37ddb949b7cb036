//! Which agent's handler runs on this thread, so that a circle of waiting agents is seen where it closes.

use std::cell::{Cell, RefCell};
use std::mem;
use std::sync::Arc;

use crate::tree::Node;

thread_local! {
    static CURRENT: RefCell<Option<Arc<Node>>> = const { RefCell::new(None) };
    static ATTENDS: Cell<bool> = const { Cell::new(false) };
}

/// For as long as it lives, this thread works for `node`, which it borrows by swapping.
pub(crate) struct Working<'a> {
    slot: &'a mut Option<Arc<Node>>,
}

impl<'a> Working<'a> {
    pub(crate) fn enter(slot: &'a mut Option<Arc<Node>>) -> Self {
        swap(slot);
        Self { slot }
    }
}

impl Drop for Working<'_> {
    fn drop(&mut self) {
        swap(self.slot);
    }
}

fn swap(slot: &mut Option<Arc<Node>>) {
    CURRENT.with_borrow_mut(|current| mem::swap(current, slot));
}

/// For as long as it lives, the agent on this thread only attends: it waits for nobody, since a message to it ends that.
pub(crate) struct Attending {
    before: bool,
}

impl Attending {
    pub(crate) fn enter() -> Self {
        let before = ATTENDS.replace(true);
        Self { before }
    }
}

impl Drop for Attending {
    fn drop(&mut self) {
        ATTENDS.set(self.before);
    }
}

/// The agent this thread works for and that handles nothing else until it has what it waits for.
pub(crate) fn engaged() -> Option<Arc<Node>> {
    if ATTENDS.get() {
        return None;
    }
    CURRENT.with_borrow(Clone::clone)
}

/// Whether this thread works for an agent.
pub(crate) fn is_working() -> bool {
    CURRENT
        .try_with(|current| current.try_borrow().is_ok_and(|node| node.is_some()))
        .unwrap_or(false)
}
