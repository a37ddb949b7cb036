//! Seeing a stuck handler from outside it.
//!
//! An agent with a time budget notes when a handler begins. Two readings of the same handler, the second beyond
//! its budget, make it stuck: one bad reading destroys nothing.

use std::sync::Arc;
use std::time::Duration;

use ractor::ActorRef;

use super::actor::Order;
use super::machine::{ChildKey, Incarnation};
use crate::agent::OnStuck;
use crate::clock::Moment;
use crate::time::Due;
use crate::tree::{Node, Observation, Shared};

/// The shortest time between two looks.
const SHORTEST: Duration = Duration::from_millis(1);

/// One incarnation that is looked at again and again.
pub(super) struct Inspection {
    pub(super) shared: Arc<Shared>,
    pub(super) node: Arc<Node>,
    pub(super) supervisor: ActorRef<Order>,
    pub(super) key: ChildKey,
    pub(super) incarnation: Incarnation,
    pub(super) budget: Duration,
    pub(super) on_stuck: OnStuck,
    /// The handler that was beyond its budget at the last look, by its beginning.
    pub(super) suspect: Option<Moment>,
    /// The handler that was reported last.
    pub(super) reported: Option<Moment>,
}

impl Inspection {
    /// Looks after half a budget, and again until the incarnation is gone.
    pub(super) fn schedule(self) {
        let shared = Arc::clone(&self.shared);
        let pause = if self.suspect.is_some() {
            self.budget / 8
        } else {
            self.budget / 2
        };
        let at = Moment::now() + pause.max(SHORTEST);
        shared.timekeeper.arm(at, Due::Call(Box::new(move || self.look())));
    }

    fn look(mut self) {
        let is_alive = self.node.phase().is_alive();
        if !is_alive || self.node.incarnation() != self.incarnation {
            return;
        }
        let since = self.node.handling_since();
        let running_for = since.map(|since| Moment::now().since(since)).unwrap_or_default();
        match since.filter(|_| running_for > self.budget) {
            None => self.suspect = None,
            Some(since) if self.suspect == Some(since) => self.report(since, running_for),
            late => self.suspect = late,
        }
        self.schedule();
    }

    fn report(&mut self, since: Moment, running_for: Duration) {
        self.suspect = None;
        if self.reported.replace(since) == Some(since) {
            return;
        }
        self.node.is_stuck_since(since);
        self.shared.observe(
            &self.node,
            Observation::Stuck {
                agent: self.node.path(),
                incarnation: self.incarnation,
                running_for,
                budget: self.budget,
            },
        );
        if self.on_stuck == OnStuck::Restart {
            // A supervisor that is gone has nothing to decide any more.
            let _sent = self.supervisor.cast(Order::Stuck {
                key: self.key,
                incarnation: self.incarnation,
            });
        }
    }
}
