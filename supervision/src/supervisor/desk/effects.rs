//! What the machine decides is done here.

use std::sync::Arc;

use super::Desk;
use crate::clock::Moment;
use crate::name::Name;
use crate::reason::ExitReason;
use crate::supervisor::actor::{Charge, Order};
use crate::supervisor::machine::{Alarm, ChildKey, Decision, Effect, Incarnation, Overdue};
use crate::time::Due;
use crate::tree::{Fact, Node, Phase, RootState};

impl Desk {
    pub(super) fn perform(&mut self, effect: Effect) {
        match effect {
            Effect::Start { key, incarnation } => self.start(key, incarnation),
            Effect::Stop { key, incarnation } => self.ask_to_stop(key, incarnation),
            Effect::Kill {
                key,
                incarnation,
                cause,
            } => {
                if let Some(ward) = self.present(key, incarnation) {
                    ward.kill(cause);
                    ward.awaits_start = false;
                } else {
                    self.call_off(key, incarnation, ExitReason::Killed(cause));
                }
            }
            Effect::Arm { alarm, at } => self.arm(alarm, at),
            Effect::Answer { call, result } => {
                self.remember(call);
                if let Some(caller) = self.calls.remove(&call) {
                    caller.answer(result);
                }
            }
            Effect::Forget { key } => self.forget_for_good(key),
            Effect::Tell(decision) => self.tell(decision),
            Effect::Ready => self.ready(),
            Effect::End { reason, overdue } => self.end(reason, overdue),
        }
    }

    fn ask_to_stop(&mut self, key: ChildKey, incarnation: Incarnation) {
        let now = self.now;
        if let Some(ward) = self.present(key, incarnation) {
            let node = ward.child.node();
            node.enter(Phase::Stopping, incarnation, None, now);
            ward.child.ask_to_stop();
            ward.awaits_start = false;
        } else {
            self.call_off(key, incarnation, ExitReason::Shutdown);
        }
    }

    pub(super) fn arm(&mut self, alarm: Alarm, at: Moment) {
        if let Some(start) = self.held_back.get_mut(&alarm.key) {
            // The time that its start may take begins with it.
            start.limit = Some((alarm, at.since(self.now)));
            return;
        }
        if at <= self.now {
            // Its own queue cannot be gone while it runs.
            let _sent = self.myself.cast(Order::Alarm(alarm));
            return;
        }
        let reminder = Due::Alarm(self.myself.clone(), alarm);
        let key = self.charge.shared.timekeeper.arm(at, reminder);
        let before = self.wards.get_mut(&alarm.key).and_then(|ward| ward.alarm.replace(key));
        if let Some(before) = before {
            self.charge.shared.timekeeper.disarm(before);
        }
    }

    pub(super) fn forget(&mut self, key: ChildKey) {
        // Its alarm stays: it may be the one that a group waits for, and else is stale when it comes.
        let Some(ward) = self.wards.remove(&key) else { return };
        // One that ends with its supervisor is there again with that one's next life; the root has none.
        if ward.is_static && self.machine.is_ending() && self.charge.parent.is_some() {
            ward.child.node().waits_no_more(self.now);
        } else {
            ward.child.leave_tree();
        }
    }

    fn tell(&mut self, decision: Decision) {
        match &decision {
            Decision::Restarting {
                child, reason, delay, ..
            } => {
                if let Some(node) = self.node_of(child) {
                    node.count_restart();
                    node.meters().restarting(child, reason, self.now);
                    if !delay.is_zero() {
                        node.back_off(self.now + *delay, self.now);
                    }
                }
            }
            Decision::Quarantined { child, .. } => {
                if let Some(node) = self.node_of(child) {
                    node.enter(Phase::Failed, node.incarnation(), None, self.now);
                }
            }
            // Where it was to be restarted, it is not any more.
            Decision::Ignored { child } | Decision::LetGo { child, .. } => {
                if let Some(node) = self.node_of(child) {
                    node.waits_no_more(self.now);
                }
            }
            _ => {}
        }
        self.charge.node.meters().decided(&decision);
        let shared = &self.charge.shared;
        shared.tell(self.now, &self.path, Fact::Decision(decision));
    }

    /// The node of a child that is still known.
    fn node_of(&self, child: &Name) -> Option<&Arc<Node>> {
        // Most often it is the child that the input under way was about.
        let latest = self.wards.get(&self.latest).map(|ward| ward.child.node());
        latest.filter(|node| node.name == *child).or_else(|| {
            let child = self.machine.child(child.as_str())?;
            self.wards.get(&child.key).map(|ward| ward.child.node())
        })
    }

    fn ready(&mut self) {
        let Charge {
            node,
            incarnation,
            parent,
            ..
        } = &self.charge;
        node.mark_started(*incarnation);
        node.enter(Phase::Idle, *incarnation, None, Moment::now());
        match parent {
            Some(parent) => {
                // A parent that is gone has killed its children; it needs no word.
                let _sent = parent.cast(Order::ChildReady(self.myself.get_id()));
            }
            None => self.charge.shared.set_root(RootState::Running),
        }
    }

    fn end(&mut self, reason: ExitReason, overdue: Vec<Overdue>) {
        let Charge {
            node,
            incarnation,
            shared,
            reception,
            ..
        } = &self.charge;
        reception.fill(None);
        for ward in self.wards.values() {
            ward.child.node().waits_no_more(self.now);
            if !ward.is_static {
                ward.child.leave_tree();
            }
        }
        let late = overdue
            .into_iter()
            .map(|late| (self.node_of(&late.child).cloned(), late));
        shared.report_overdue(&self.path, late);
        node.ended(*incarnation, reason.clone(), Moment::now());
        if self.charge.parent.is_none() {
            self.wards.values().for_each(|ward| ward.child.leave_tree());
            shared.timekeeper.end();
            shared.set_root(RootState::Ended(reason));
        }
        self.myself.stop(None);
    }
}
