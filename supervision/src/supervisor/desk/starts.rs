//! Starting an incarnation, once nothing is left of the one before.

use std::sync::Arc;
use std::time::Duration;

use ractor::ActorRef;

use super::Desk;
use super::children::{GONE_CHECK, LONGEST_PAUSE, ended};
use super::crowd::Start;
use super::ward::Present;
use crate::child::{Spawned, Startable};
use crate::clock::Moment;
use crate::reason::{ExitReason, Failure};
use crate::supervisor::actor::Order;
use crate::supervisor::machine::{Alarm, ChildKey, Incarnation};
use crate::tree::{KILL, STOP, Shared};

/// A start that waits until nothing is left of the incarnation before, which has outlived the supervisor it had.
pub(super) struct HeldBack {
    incarnation: Incarnation,
    /// How long to wait until the next look.
    pause: Duration,
    /// How long it may take once it begins, and the alarm for that.
    pub(super) limit: Option<(Alarm, Duration)>,
}

impl Desk {
    pub(super) fn start(&mut self, key: ChildKey, incarnation: Incarnation) {
        let Some(ward) = self.wards.get(&key) else { return };
        // Before the first there was none.
        if incarnation == 1 || ward.child.may_start() {
            return self.begin(key, incarnation);
        }
        let start = HeldBack {
            incarnation,
            pause: GONE_CHECK,
            limit: None,
        };
        self.held_back.insert(key, start);
        self.look_again(key);
    }

    /// Soon at first; what is still there then may be there for long.
    fn look_again(&mut self, key: ChildKey) {
        let Some(start) = self.held_back.get_mut(&key) else {
            return;
        };
        let (incarnation, pause) = (start.incarnation, start.pause);
        start.pause = (2 * pause).min(LONGEST_PAUSE);
        self.later(Moment::now() + pause, Order::StartWhenVacant { key, incarnation });
    }

    /// Begins a start that was held back, where it is still wanted and nothing stands in its way any more.
    pub(super) fn start_when_vacant(&mut self, key: ChildKey, incarnation: Incarnation) {
        let is_another = |start: &HeldBack| start.incarnation != incarnation;
        if self.held_back.get(&key).is_none_or(is_another) {
            return;
        }
        if self.wards.get(&key).is_some_and(|ward| !ward.child.may_start()) {
            return self.look_again(key);
        }
        let limit = self.held_back.remove(&key).and_then(|start| start.limit);
        self.now = Moment::now();
        self.begin(key, incarnation);
        if let Some((alarm, limit)) = limit {
            self.arm(alarm, self.now + limit);
        }
        self.work_off();
    }

    /// A start that is held back is not wanted any more: that is its end.
    pub(super) fn call_off(&mut self, key: ChildKey, incarnation: Incarnation, reason: ExitReason) {
        if self.held_back.remove(&key).is_some() {
            self.inputs.push_back(ended(key, incarnation, reason, false));
        }
    }

    fn begin(&mut self, key: ChildKey, incarnation: Incarnation) {
        let Some(ward) = self.wards.get_mut(&key) else { return };
        ward.awaits_start = true;
        let child = Arc::clone(&ward.child);
        if self.gathers {
            let start = Start {
                key,
                incarnation,
                child,
            };
            return self.crowd.push(start);
        }
        let shell = self.left_behind.take_if(|(of, _)| *of == key).map(|(_, shell)| shell);
        let born = self.birthplace().bear(child, incarnation, shell);
        self.is_born(key, incarnation, born);
    }

    pub(super) fn birthplace(&self) -> Birthplace<'_> {
        Birthplace {
            path: &self.path,
            shared: &self.charge.shared,
            parent: &self.myself,
            now: self.now,
        }
    }

    /// An incarnation has begun, or has ended because it could not.
    pub(super) fn is_born(&mut self, key: ChildKey, incarnation: Incarnation, born: Result<Spawned, ExitReason>) {
        match (born, self.wards.get_mut(&key)) {
            (Ok(actor), Some(ward)) => {
                self.by_actor.insert(actor.cell.get_id().pid(), key);
                ward.present = Some(Present { incarnation, actor });
                ward.has_started = false;
            }
            (Err(reason), _) => self.inputs.push_back(ended(key, incarnation, reason, false)),
            // Wards of whom a start is under way stay.
            (Ok(actor), None) => actor.cell.kill(),
        }
    }
}

/// Where incarnations begin, and when.
#[derive(Clone, Copy)]
pub(super) struct Birthplace<'a> {
    pub(super) path: &'a str,
    pub(super) shared: &'a Arc<Shared>,
    pub(super) parent: &'a ActorRef<Order>,
    pub(super) now: Moment,
}

impl Birthplace<'_> {
    /// Begins an incarnation, in the shell that the one before has left where there is one. It has ended where it cannot begin.
    pub(super) fn bear(
        self,
        child: Arc<dyn Startable>,
        incarnation: Incarnation,
        shell: Option<Spawned>,
    ) -> Result<Spawned, ExitReason> {
        let node = Arc::clone(child.node());
        child.join_tree(Some(self.path), self.shared);
        node.lower(STOP | KILL);
        node.set_kill_cause(None);
        node.begin(incarnation, self.now);
        if let Some(shell) = shell
            && Arc::clone(&child).revive(&shell.cell, incarnation)
        {
            return Ok(shell);
        }
        child.spawn(self.parent.get_cell(), incarnation).map_err(|refused| {
            let reason = ExitReason::Error(Failure::from(refused));
            node.ended(incarnation, reason.clone(), Moment::now());
            reason
        })
    }
}
