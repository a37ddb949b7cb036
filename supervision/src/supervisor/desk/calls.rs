//! What people ask of the supervisor, and the answers.

use std::sync::Arc;

use super::Desk;
use super::ward::Ward;
use crate::child::ChildSpec;
use crate::name::Name;
use crate::reason::KillCause;
use crate::supervisor::handle::ChildStatus;
use crate::supervisor::machine::{AdminError, CallId, ChildKey, ChildState, ChildView, Input, Request};
use crate::supervisor::reception::{CallResult, Caller};
use crate::tree::Phase;

impl Desk {
    pub(super) fn add(&mut self, spec: ChildSpec, caller: Caller<CallResult>) {
        self.last_key += 1;
        let key = ChildKey(self.last_key);
        self.wards.insert(key, Ward::new(Arc::clone(&spec.child), false));
        let name = spec.name.clone();
        self.request(
            Request::Start {
                key,
                name: spec.name,
                policy: *spec.policy,
            },
            caller,
        );
        if self.machine.child(name.as_str()).is_none_or(|child| child.key != key) {
            self.forget(key);
        }
    }

    pub(super) fn request(&mut self, request: Request, caller: Caller<CallResult>) {
        self.last_call += 1;
        let call = CallId(self.last_call);
        self.calls.insert(call, caller);
        self.feed(Input::Call { call, request });
    }

    /// As a request. One that waits in its backoff is down at once, and nothing of it ends that would tell so.
    pub(super) fn terminate(&mut self, name: Name, caller: Caller<CallResult>) {
        let key = self.machine.child(name.as_str()).map(|child| child.key);
        self.request(Request::Terminate(name), caller);
        let Some(ward) = key.and_then(|key| self.wards.get(&key)) else {
            return;
        };
        let node = ward.child.node();
        if node.phase() == Phase::Backoff {
            node.enter(Phase::Stopped, node.incarnation(), None, self.now);
        }
    }

    pub(super) fn kill_from_outside(&self, name: Name) -> Result<(), AdminError> {
        let Some(child) = self.machine.child(name.as_str()) else {
            return Err(AdminError::NotFound { child: name });
        };
        let ward = self.wards.get(&child.key);
        if ward.is_some_and(|ward| ward.kill(KillCause::Outside)) {
            Ok(())
        } else {
            Err(nobody_to_kill(name, child.state))
        }
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
