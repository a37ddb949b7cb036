//! Who waits for whom, so that no circle of agents waits for ever.

use std::future::poll_fn;
use std::sync::Arc;
use std::task::Poll;

use super::Refusal;
use crate::tree::{Awaited, Node};

/// So often one looks before a circle is one: the room of what a handler was given is free only when its poll is over, and whoever is
/// held back by no more than that closes none.
pub(super) const LOOKS: u8 = 8;

/// For as long as it lives, an agent is known to wait for another.
pub(super) struct Edge {
    waiter: Arc<Node>,
    target: Arc<Node>,
    what: Arc<dyn Awaited>,
}

impl Edge {
    /// Of two that turn to each other, and say so before they look for a circle, one at least sees the other.
    pub(super) fn of(waiter: Arc<Node>, target: &Arc<Node>, what: Arc<dyn Awaited>) -> Self {
        let target = Arc::clone(target);
        waiter.wait_for(Arc::clone(&target), Arc::clone(&what));
        Self { waiter, target, what }
    }

    /// The circle that this wait closes.
    pub(super) fn circle(&self) -> Option<Refusal> {
        self.waiter.circle_through(&self.target).map(Refusal::Circle)
    }

    /// Fails where this wait closes a circle; otherwise says whether that was known in this poll.
    pub(super) async fn is_open(&self) -> Result<bool, Refusal> {
        if self.circle().is_none() {
            return Ok(true);
        }
        for _ in 1..LOOKS {
            wait_once().await;
            if self.circle().is_none() {
                return Ok(false);
            }
        }
        self.circle().map_or(Ok(false), Err)
    }
}

impl Drop for Edge {
    fn drop(&mut self) {
        self.waiter.wait_no_longer(&self.what);
    }
}

async fn wait_once() {
    let mut has_waited = false;
    poll_fn(|cx| {
        if std::mem::replace(&mut has_waited, true) {
            return Poll::Ready(());
        }
        cx.waker().wake_by_ref();
        Poll::Pending
    })
    .await;
}
