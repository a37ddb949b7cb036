//! Who waits for whom, so that no circle of agents waits for ever.

use std::sync::Arc;

use super::Refusal;
use crate::agent::current::engaged;
use crate::tree::Node;

/// For as long as it lives, the agent on this thread is known to wait for another.
#[derive(Debug)]
pub(super) struct Edge(Option<(Arc<Node>, Arc<Node>)>);

impl Edge {
    pub(super) fn to(target: &Arc<Node>) -> Result<Self, Refusal> {
        let Some(waiter) = engaged() else { return Ok(Self(None)) };
        // First say so, then look: of two that turn to each other, one at least sees the other.
        waiter.wait_for(Arc::clone(target));
        let circle = waiter.circle_through(target);
        let edge = Self(Some((waiter, Arc::clone(target))));
        circle.map_or(Ok(edge), |circle| Err(Refusal::Circle(circle)))
    }
}

impl Drop for Edge {
    fn drop(&mut self) {
        if let Some((waiter, target)) = &self.0 {
            waiter.wait_no_longer(target);
        }
    }
}
