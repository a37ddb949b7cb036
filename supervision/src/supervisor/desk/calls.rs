//! What people ask of the supervisor, and the answers.

use std::sync::Arc;

use super::Desk;
use super::ward::Ward;
use crate::child::ChildSpec;
use crate::name::Name;
use crate::policy::Restart;
use crate::supervisor::handle::ChildStatus;
use crate::supervisor::machine::{
    Adjustment, AdminError, CallId, ChildKey, ChildState, ChildView, Input, Outcome, Request,
};
use crate::supervisor::reception::{CallResult, Caller};
use crate::tree::Level;

impl Desk {
    pub(super) fn add(&mut self, spec: ChildSpec, caller: Caller<CallResult>) {
        let key = self.new_ward(&spec);
        let name = spec.name.clone();
        if self.charge.blueprint.remembers() {
            // The request below is the next call.
            self.adding.insert(CallId(self.last_call + 1), (key, spec.clone()));
        }
        self.request(
            Request::Start {
                key,
                name: spec.name,
                policy: *spec.policy,
            },
            caller,
        );
        if !self.has(&name, key) {
            self.forget(key);
        }
    }

    pub(super) fn place(&mut self, specs: &[ChildSpec], caller: Caller<CallResult>) {
        let keys: Vec<_> = specs.iter().map(|spec| self.new_ward(spec)).collect();
        let numbered = || keys.iter().copied().zip(specs);
        let children = numbered().map(|(key, spec)| (key, spec.name.clone(), *spec.policy));
        self.request(Request::Place(children.collect()), caller);
        for (key, spec) in numbered() {
            if self.has(&spec.name, key) {
                spec.child.join_tree(Some(&self.path), &self.charge.shared);
            } else {
                self.forget(key);
            }
        }
    }

    /// One that is not there any more was taken away before its turn came.
    pub(super) fn start_placed(&mut self, (name, node): (Name, u64), caller: Caller<CallResult>) {
        if self.key_of(&name, node).is_none() {
            return caller.answer(Err(AdminError::NotFound { child: name }));
        }
        self.request(Request::StartPlaced(name), caller);
    }

    fn new_ward(&mut self, spec: &ChildSpec) -> ChildKey {
        self.last_key += 1;
        let key = ChildKey(self.last_key);
        self.wards.insert(key, Ward::new(Arc::clone(&spec.child), false));
        key
    }

    fn has(&self, name: &Name, key: ChildKey) -> bool {
        self.machine.child(name.as_str()).is_some_and(|child| child.key == key)
    }

    /// The key of a child of that name, unless another bears it.
    fn key_of(&self, name: &Name, node: u64) -> Option<ChildKey> {
        let key = self.machine.child(name.as_str())?.key;
        let ward = self.wards.get(&key)?;
        (ward.child.node().id == node).then_some(key)
    }

    pub(super) fn request(&mut self, request: Request, caller: Caller<CallResult>) {
        self.last_call += 1;
        let call = CallId(self.last_call);
        self.calls.insert(call, caller);
        self.feed(Input::Call { call, request });
    }

    /// As a request. One that waits in its backoff is down at once, and nothing of it ends that would tell so.
    pub(super) fn terminate(&mut self, name: &Name, caller: Caller<CallResult>) {
        let child = self.machine.child(name.as_str());
        let is_temporary = child.is_some_and(|child| child.policy.restart == Restart::Temporary);
        let key = child.map(|child| child.key);
        self.request(Request::Terminate(name.clone()), caller);
        // Whoever had waited for its start may have had it remembered just now.
        let is_kept = key.is_none() || self.machine.is_ending() || !(is_temporary || self.machine.is_dynamic());
        let is_forgotten = !is_kept && self.charge.blueprint.remove(name);
        let is_quarantined = |child: ChildView<'_>| child.state == ChildState::Quarantined;
        let stays = self.machine.child(name.as_str()).is_some_and(is_quarantined);
        let Some(ward) = key.and_then(|key| self.wards.get_mut(&key)) else {
            return;
        };
        // It does not come back with the next life of its supervisor.
        ward.is_static &= !is_forgotten;
        if !stays {
            ward.child.node().waits_no_more(self.now);
        }
    }

    /// As a request. A temporary one that has left with its end may still be remembered.
    pub(super) fn delete(&mut self, name: &Name, caller: Caller<CallResult>) {
        if self.machine.child(name.as_str()).is_none() && self.charge.blueprint.remove(name) {
            return caller.answer(Ok(Outcome::Deleted));
        }
        let key = self.machine.child(name.as_str()).map(|child| child.key);
        self.request(Request::Delete(name.clone()), caller);
        if key.is_some_and(|key| !self.wards.contains_key(&key)) {
            self.charge.blueprint.remove(name);
        }
    }

    /// A call for a start is answered: a child that was added is there for good, be it down, or not at all.
    pub(super) fn remember(&mut self, call: CallId) {
        let Some((key, spec)) = self.adding.remove(&call) else {
            return;
        };
        let is_it = |child: ChildView<'_>| child.key == key;
        if self.machine.is_ending() || !self.machine.child(spec.name.as_str()).is_some_and(is_it) {
            return;
        }
        self.charge.blueprint.add(spec);
        if let Some(ward) = self.wards.get_mut(&key) {
            ward.is_static = true;
        }
    }

    /// From right to left. One that is not there was never added, or another bears its name.
    pub(super) fn withdraw(&mut self, children: &[(Name, u64)]) {
        for (name, node) in children.iter().rev() {
            if let Some(key) = self.key_of(name, *node) {
                self.feed(Input::Withdraw { key });
            }
        }
    }

    /// A child has left. A dynamic supervisor keeps no specification of one that is gone; of those that leave with it,
    /// its next life does know.
    pub(super) fn forget_for_good(&mut self, key: ChildKey) {
        if let Some(ward) = self.wards.get(&key).filter(|_| !self.machine.is_ending()) {
            let node = ward.child.node();
            if self.machine.is_dynamic() {
                self.charge.blueprint.remove(&node.name);
            }
            if node.level() == Level::Supervisor {
                // Nobody asks any more who was late under one that was taken away.
                self.charge.shared.report_overdue(&node.path(), []);
            }
        }
        self.forget(key);
    }

    pub(super) fn adjust(&mut self, adjustment: Adjustment) {
        self.charge.blueprint.adjust(adjustment);
        self.feed(Input::Adjust(adjustment));
        // As its machine does, at the same time.
        self.charge.node.meters().adjusts(adjustment.intensity, self.now);
    }

    pub(super) fn kill_from_outside(&mut self, name: Name) -> Result<(), AdminError> {
        let Some(child) = self.machine.child(name.as_str()) else {
            return Err(AdminError::NotFound { child: name });
        };
        let (key, state) = (child.key, child.state);
        let present = self.wards.get(&key).and_then(|ward| ward.present.as_ref());
        let incarnation = present.map(|present| present.incarnation);
        let incarnation = incarnation.ok_or_else(|| nobody_to_kill(name, state))?;
        self.feed(Input::Kill { key, incarnation });
        Ok(())
    }

    pub(super) fn list(&self) -> Vec<ChildStatus> {
        let status = |child: ChildView<'_>| ChildStatus {
            name: child.name.clone(),
            state: child.state,
            incarnation: child.incarnation,
            restarts: child.restarts,
            policy: *child.policy,
        };
        self.machine.children().map(status).collect()
    }
}

fn nobody_to_kill(child: Name, state: ChildState) -> AdminError {
    match state {
        ChildState::Down => AdminError::Down { child },
        ChildState::Quarantined => AdminError::Quarantined { child },
        _ => AdminError::Restarting { child },
    }
}
