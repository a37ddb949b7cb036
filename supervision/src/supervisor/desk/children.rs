//! What comes from the children: that they have started, are ready, are gone.

use std::sync::Arc;
use std::time::Duration;

use ractor::ActorId;

use super::Desk;
use super::ward::Present;
use crate::child::{Spawned, Startable};
use crate::clock::Moment;
use crate::reason::ExitReason;
use crate::supervisor::actor::Order;
use crate::supervisor::inspection::Inspection;
use crate::supervisor::machine::{ChildKey, Incarnation, Input, KILL_GRACE, NotStarted};
use crate::tree::KILL;

/// How soon to look again whether a killed incarnation is gone.
pub(super) const GONE_CHECK: Duration = Duration::from_millis(1);

/// How late to look again at most whether something has gone, or left its place, that is long in doing so.
pub(super) const LONGEST_PAUSE: Duration = Duration::from_millis(100);

impl Desk {
    pub(super) fn actor_started(&mut self, actor: ActorId) {
        if let Some(key) = self.by_actor.get(&actor.pid()).copied() {
            self.child_started(key, |child| child.starts_with_its_actor());
        }
    }

    pub(super) fn child_ready(&mut self, actor: ActorId) {
        if let Some(key) = self.by_actor.get(&actor.pid()).copied() {
            self.child_started(key, |_| true);
        }
    }

    /// Tells the machine of an incarnation's end once it is wholly gone.
    pub(super) fn check_gone(&mut self, actor: ActorId) {
        let Some(key) = self.by_actor.get(&actor.pid()).copied() else {
            return;
        };
        let Some(ward) = self.wards.get(&key) else { return };
        let Some(present) = &ward.present else { return };
        let incarnation = present.incarnation;
        let Some(reason) = end_of(&*ward.child, present) else {
            return self.wait_until_gone(actor, key, incarnation);
        };
        let node = Arc::clone(ward.child.node());
        let has_started = ward.has_started || node.has_started(incarnation);
        if has_started {
            // A supervisor's word that it is ready may come after its end.
            self.child_started(key, |_| true);
        }
        let present = self.wards.get_mut(&key).and_then(|ward| ward.present.take());
        self.by_actor.remove(&actor.pid());
        self.lingering.remove(&key);
        let shell = present.map(|present| present.actor).filter(Spawned::is_running);
        match shell {
            // A kill that was meant for the incarnation would end its actor with the next.
            Some(shell) if node.has_flag(KILL) => shell.cell.stop(None),
            shell => self.left_behind = shell.map(|shell| (key, shell)),
        }
        self.feed(ended(key, incarnation, reason, has_started));
        if let Some((_, shell)) = self.left_behind.take() {
            // It is not started again at once: another actor does that, when it is time.
            shell.cell.stop(None);
        }
    }

    /// Its actor has ended and something of it is still there: looks again soon, and later the longer it is.
    fn wait_until_gone(&mut self, actor: ActorId, key: ChildKey, incarnation: Incarnation) {
        let now = Moment::now();
        let waited = now.since(*self.lingering.entry(key).or_insert(now));
        self.later(now + next_look(waited), Order::CheckGone(actor));
        if waited >= KILL_GRACE {
            self.feed(Input::Lingers { key, incarnation });
        }
    }

    /// The present incarnation of a child has started; what is told of it a second time, or before the word that
    /// `counts`, changes nothing.
    fn child_started(&mut self, key: ChildKey, counts: impl FnOnce(&dyn Startable) -> bool) {
        let Some(ward) = self.wards.get_mut(&key) else { return };
        let Some(incarnation) = ward.present.as_ref().map(|present| present.incarnation) else {
            return;
        };
        if ward.has_started || !counts(&*ward.child) {
            return;
        }
        ward.has_started = true;
        // One that was asked to stop meanwhile keeps the alarm of its shutdown.
        if let Some(alarm) = ward.alarm.take_if(|_| ward.awaits_start) {
            self.charge.shared.timekeeper.disarm(alarm);
        }
        if let Some((budget, on_stuck)) = ward.child.budget() {
            let inspection = Inspection {
                shared: Arc::clone(&self.charge.shared),
                node: Arc::clone(ward.child.node()),
                supervisor: self.myself.clone(),
                key,
                incarnation,
                budget,
                on_stuck,
                suspect: None,
                reported: None,
            };
            // Looks from now on whether its handler outlives its budget.
            inspection.schedule();
        }
        self.feed(Input::Started { key, incarnation });
    }
}

/// When to look again at what has lingered for so long; at the end of its grace for sure.
fn next_look(waited: Duration) -> Duration {
    let pause = waited.clamp(GONE_CHECK, LONGEST_PAUSE);
    let grace = KILL_GRACE.saturating_sub(waited);
    if grace.is_zero() { pause } else { pause.min(grace) }
}

/// Why an incarnation ended; `None` while any of it may be there.
///
/// ractor reports a kill before it drops what the actor held. What the agent held, its node has by then
/// recorded as gone, except where the kill met it between two of its futures: then the task's own end is
/// waited for.
fn end_of(child: &dyn Startable, present: &Present) -> Option<ExitReason> {
    let node = child.node();
    let recorded = node.exit_of(present.incarnation);
    if recorded.is_some() || !present.actor.join.is_finished() || !child.is_vacant() {
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_lingers_is_looked_at_rarely_and_when_its_grace_is_over() {
        let (mut waited, mut looks) = (Duration::ZERO, Vec::new());
        while waited < Duration::from_mins(1) {
            waited += next_look(waited);
            looks.push(waited);
        }
        assert!(looks.contains(&KILL_GRACE), "{looks:?}");
        assert!(looks.len() < 650, "{} looks", looks.len());
        assert_eq!(looks[..5], [1, 2, 4, 8, 16].map(Duration::from_millis));
    }
}
