//! What comes from the children: that they have started, are ready, are gone.

use std::sync::Arc;
use std::time::Duration;

use ractor::ActorId;

use super::Desk;
use super::seat::{Present, Seat};
use crate::clock::Moment;
use crate::reason::ExitReason;
use crate::supervisor::actor::Order;
use crate::supervisor::inspection::Inspection;
use crate::supervisor::machine::{ChildKey, ChildState, Incarnation, Input, KILL_GRACE, NotStarted};

/// How soon to look again whether a killed incarnation is gone.
const GONE_CHECK: Duration = Duration::from_millis(1);

impl Desk {
    pub(super) async fn actor_started(&mut self, actor: ActorId) {
        let Some((key, incarnation)) = self.whose(actor) else {
            return;
        };
        let child = self.seats.get(&key).map(|seat| &seat.child);
        if child.is_some_and(|child| child.starts_with_its_actor()) {
            self.child_started(key, incarnation).await;
        }
    }

    pub(super) async fn child_ready(&mut self, actor: ActorId) {
        if let Some((key, incarnation)) = self.whose(actor) {
            self.child_started(key, incarnation).await;
        }
    }

    /// Tells the machine of an incarnation's end once it is wholly gone.
    pub(super) async fn check_gone(&mut self, actor: ActorId) {
        let Some((key, incarnation)) = self.whose(actor) else {
            return;
        };
        let Some((seat, present)) = self.present(key, incarnation) else {
            return;
        };
        let Some(reason) = end_of(seat, present) else {
            return self.wait_until_gone(actor, key, incarnation).await;
        };
        let has_started = present.has_started || seat.child.node().has_started(incarnation);
        if has_started {
            // A supervisor's word that it is ready may come after its end.
            self.child_started(key, incarnation).await;
        }
        if let Some(seat) = self.seats.get_mut(&key) {
            seat.present = None;
        }
        self.by_actor.remove(&actor);
        self.feed(ended(key, incarnation, reason, has_started)).await;
    }

    /// Its actor has ended and something of it is still there: looks again soon.
    async fn wait_until_gone(&mut self, actor: ActorId, key: ChildKey, incarnation: Incarnation) {
        let now = Moment::now();
        self.later(now + GONE_CHECK, Order::CheckGone(actor));
        let Some(present) = self.seats.get_mut(&key).and_then(|seat| seat.present.as_mut()) else {
            return;
        };
        let since = *present.lingers_since.get_or_insert(now);
        if now.since(since) >= KILL_GRACE {
            self.feed(Input::Lingers { key, incarnation }).await;
        }
    }

    /// The child whose present incarnation this actor is.
    fn whose(&self, actor: ActorId) -> Option<(ChildKey, Incarnation)> {
        let key = *self.by_actor.get(&actor)?;
        let present = self.seats.get(&key)?.present.as_ref()?;
        Some((key, present.incarnation))
    }

    async fn child_started(&mut self, key: ChildKey, incarnation: Incarnation) {
        if self.is_first_word_of_start(key, incarnation) {
            self.inspect(key, incarnation);
            self.wait_no_longer_for_start(key);
            self.feed(Input::Started { key, incarnation }).await;
        }
    }

    fn is_first_word_of_start(&mut self, key: ChildKey, incarnation: Incarnation) -> bool {
        let present = self.seats.get_mut(&key).and_then(|seat| seat.present.as_mut());
        present
            .filter(|present| present.incarnation == incarnation)
            .is_some_and(|present| !std::mem::replace(&mut present.has_started, true))
    }

    /// Looks from now on whether its handler outlives its budget, if it has one.
    fn inspect(&self, key: ChildKey, incarnation: Incarnation) {
        let Some(seat) = self.seats.get(&key) else { return };
        let Some((budget, on_stuck)) = seat.child.budget() else {
            return;
        };
        let inspection = Inspection {
            shared: Arc::clone(&self.charge.shared),
            node: Arc::clone(seat.child.node()),
            supervisor: self.myself.clone(),
            key,
            incarnation,
            budget,
            on_stuck,
            suspect: None,
            reported: None,
        };
        inspection.schedule();
    }

    fn wait_no_longer_for_start(&mut self, key: ChildKey) {
        let Some(seat) = self.seats.get_mut(&key) else { return };
        let child = self.machine.child(seat.child.node().name.as_str());
        // One that was asked to stop meanwhile keeps the alarm of its shutdown.
        let was_awaited = child.is_some_and(|child| child.state == ChildState::Starting);
        if let Some(alarm) = seat.alarm.take_if(|_| was_awaited) {
            self.charge.shared.timekeeper.disarm(alarm);
        }
    }
}

/// Why an incarnation ended; `None` while any of it may be there.
///
/// ractor reports a kill before it drops what the actor held. What the agent held, its node has by then
/// recorded as gone, except where the kill met it between two of its futures: then the task's own end is
/// waited for.
fn end_of(seat: &Seat, present: &Present) -> Option<ExitReason> {
    let node = seat.child.node();
    let recorded = node.exit_of(present.incarnation);
    if recorded.is_some() || !present.join.is_finished() || !seat.child.is_vacant() {
        return recorded;
    }
    let killed = ExitReason::Killed(node.kill_cause());
    node.ended(present.incarnation, killed.clone(), Moment::now());
    Some(killed)
}

/// An end in the machine's words.
pub(super) fn ended(key: ChildKey, incarnation: Incarnation, reason: ExitReason, has_started: bool) -> Input {
    if has_started {
        return Input::Exited {
            key,
            incarnation,
            reason,
        };
    }
    let why = match reason {
        ExitReason::Error(failure) if failure.is_ignore() => NotStarted::Ignored,
        reason => NotStarted::Failed(reason),
    };
    Input::NotStarted { key, incarnation, why }
}
