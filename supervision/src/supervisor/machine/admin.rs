//! Calls: each is answered exactly once, at once or when what it asked for has come about.

use std::sync::Arc;

use super::condition::{Condition, Sequel, Stopping};
use super::io::{AdminError, CallId, ChildKey, Outcome, Request};
use super::{Starter, StarterKind, Step, is_significance_allowed};
use crate::name::Name;
use crate::policy::{ChildPolicy, Restart};

/// When a call is answered.
enum Answered {
    Now(Outcome),
    Later,
}

type Answering = Result<Answered, AdminError>;

impl Step<'_> {
    pub(super) fn call(&mut self, call: CallId, request: Request) {
        let answered = match request {
            Request::Start { key, name, policy } => self.start_child(call, key, name, policy),
            Request::Place(children) => self.place(children),
            Request::StartPlaced(child) => self.start_placed(call, child),
            Request::Terminate(child) => self.terminate_child(call, child),
            Request::Restart(child) => self.restart_child(call, child),
            Request::Delete(child) => self.delete_child(child),
            Request::Retry(child) => self.retry_child(call, child),
        };
        match answered {
            Ok(Answered::Now(outcome)) => self.answer(call, Ok(outcome)),
            Ok(Answered::Later) => {}
            Err(error) => self.answer(call, Err(error)),
        }
    }

    fn start_child(&mut self, call: CallId, key: ChildKey, child: Name, policy: ChildPolicy) -> Answering {
        self.check_new(key, &child, &policy)?;
        self.machine.children.append(key, child, policy);
        Ok(self.start_for(call, key, StarterKind::Added))
    }

    fn place(&mut self, children: Vec<(ChildKey, Name, ChildPolicy)>) -> Answering {
        for (key, child, policy) in &children {
            self.check_new(*key, child, policy)?;
        }
        for (key, child, policy) in children {
            self.machine.children.append(key, child, policy);
            self.machine.children.set_condition(key, Condition::Down);
        }
        Ok(Answered::Now(Outcome::Terminated))
    }

    fn start_placed(&mut self, call: CallId, child: Name) -> Answering {
        match self.find(child.clone())? {
            (key, Condition::Down) => Ok(self.start_for(call, key, StarterKind::Added)),
            // Somebody else has started it meanwhile.
            (key, condition) if condition.is_coming_up() => {
                let incarnation = self.machine.children.get(key).map_or(0, |child| child.incarnation);
                Ok(Answered::Now(Outcome::Running(incarnation)))
            }
            (_, condition) => Err(in_the_way(child, condition)),
        }
    }

    fn check_new(&self, key: ChildKey, child: &Name, policy: &ChildPolicy) -> Result<(), AdminError> {
        let children = &self.machine.children;
        let (is_free, child) = (children.is_free(key, child), child.clone());
        if !is_significance_allowed(&self.machine.policy, policy) {
            return Err(AdminError::Significant { child });
        }
        match children.named(child.as_str()) {
            Some(present) if present.condition.is_alive() => Err(AdminError::AlreadyStarted { child }),
            _ if is_free => Ok(()),
            _ => Err(AdminError::AlreadyPresent { child }),
        }
    }

    fn terminate_child(&mut self, call: CallId, child: Name) -> Answering {
        let (key, condition) = self.find(child)?;
        if self.bring_down(key, condition) {
            return Ok(Answered::Now(Outcome::Terminated));
        }
        self.machine.terminators.entry(key).or_default().push(call);
        Ok(Answered::Later)
    }

    /// Has a child end and stay down; whether it is down already.
    fn bring_down(&mut self, key: ChildKey, condition: Condition) -> bool {
        self.interrupt(key);
        match condition {
            Condition::Down => return true,
            Condition::Quarantined if !self.machine.is_dynamic() => return true,
            Condition::Quarantined | Condition::Awaiting | Condition::Fallen | Condition::Restarting { .. } => {
                self.settle(key);
                return true;
            }
            Condition::Starting { .. } | Condition::Running => self.stop(key, Sequel::Down),
            Condition::Stopping(stopping) => {
                let terminated = Stopping {
                    sequel: Sequel::Down,
                    ..stopping
                };
                self.machine
                    .children
                    .set_condition(key, Condition::Stopping(terminated));
            }
            Condition::Lost => {}
        }
        false
    }

    /// As if it had been temporary, and somebody terminated it.
    pub(super) fn withdraw(&mut self, key: ChildKey) {
        let Some(child) = self.machine.children.get(key).filter(|_| !self.machine.is_ending()) else {
            return;
        };
        let condition = child.condition;
        let restart = Restart::Temporary;
        let policy = Arc::new(ChildPolicy {
            restart,
            ..*child.policy
        });
        self.machine.children.change(key, |child| child.policy = policy);
        if self.bring_down(key, condition) && self.machine.children.get(key).is_some() {
            self.forget(key);
        }
    }

    fn restart_child(&mut self, call: CallId, child: Name) -> Answering {
        if self.machine.is_dynamic() {
            return Err(AdminError::Dynamic { child });
        }
        let (key, condition) = self.find(child.clone())?;
        match condition {
            Condition::Down => Ok(self.start_for(call, key, StarterKind::Restarted)),
            Condition::Quarantined => Ok(self.start_for(call, key, StarterKind::Retried)),
            condition => Err(in_the_way(child, condition)),
        }
    }

    fn delete_child(&mut self, child: Name) -> Answering {
        if self.machine.is_dynamic() {
            return Err(AdminError::Dynamic { child });
        }
        let (key, condition) = self.find(child.clone())?;
        match condition {
            Condition::Down | Condition::Quarantined => {
                self.forget(key);
                Ok(Answered::Now(Outcome::Deleted))
            }
            condition => Err(in_the_way(child, condition)),
        }
    }

    fn retry_child(&mut self, call: CallId, child: Name) -> Answering {
        let (key, condition) = self.find(child.clone())?;
        match condition {
            Condition::Quarantined => Ok(self.start_for(call, key, StarterKind::Retried)),
            _ => Err(AdminError::NotQuarantined { child }),
        }
    }

    /// Starts a child for a caller: at once, or in its turn while a boot or group restart is under way.
    fn start_for(&mut self, call: CallId, key: ChildKey, kind: StarterKind) -> Answered {
        self.machine.starters.insert(key, Starter { call, kind });
        let rank = self.machine.children.get(key).map(|child| child.rank);
        self.machine.children.change(key, |child| {
            child.attempts = 0;
            child.condition = Condition::Awaiting;
        });
        if !rank.is_some_and(|rank| self.machine.awaits_turn(rank)) {
            self.start(key, false);
        }
        Answered::Later
    }

    /// Whoever waits for the child to be up waits in vain.
    pub(super) fn interrupt(&mut self, key: ChildKey) {
        let Some(starter) = self.machine.starters.remove(&key) else {
            return;
        };
        if let Some(child) = self.machine.children.get(key) {
            let child = child.name.clone();
            self.answer(starter.call, Err(AdminError::Interrupted { child }));
        }
    }

    fn find(&self, child: Name) -> Result<(ChildKey, Condition), AdminError> {
        match self.machine.children.named(child.as_str()) {
            Some(found) => Ok((found.key, found.condition)),
            None => Err(AdminError::NotFound { child }),
        }
    }
}

/// Why a child that is not down can be neither restarted nor deleted.
fn in_the_way(child: Name, condition: Condition) -> AdminError {
    match condition {
        Condition::Running => AdminError::Running { child },
        Condition::Stopping(stopping) if stopping.sequel == Sequel::Down => AdminError::Running { child },
        _ => AdminError::Restarting { child },
    }
}
