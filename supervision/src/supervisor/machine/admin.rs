//! Calls: each is answered exactly once, at once or when what it asked for has come about.

use super::io::{AdminError, CallId, ChildKey, Outcome, Request};
use super::life::{Life, Sequel, Stopping};
use super::{Starter, StarterKind, Step, is_significance_allowed};
use crate::name::Name;
use crate::policy::ChildPolicy;

/// When a call is answered.
enum Reply {
    Now(Outcome),
    Later,
}

type Replied = Result<Reply, AdminError>;

impl Step<'_> {
    pub(super) fn call(&mut self, call: CallId, request: Request) {
        let replied = match request {
            Request::Start { key, name, policy } => self.start_child(call, key, name, policy),
            Request::Terminate(child) => self.terminate_child(call, child),
            Request::Restart(child) => self.restart_child(call, child),
            Request::Delete(child) => self.delete_child(child),
            Request::Retry(child) => self.retry_child(call, child),
        };
        match replied {
            Ok(Reply::Now(outcome)) => self.answer(call, Ok(outcome)),
            Ok(Reply::Later) => {}
            Err(error) => self.answer(call, Err(error)),
        }
    }

    fn start_child(&mut self, call: CallId, key: ChildKey, child: Name, policy: ChildPolicy) -> Replied {
        if !is_significance_allowed(&self.machine.policy, &policy) {
            return Err(AdminError::Significant { child });
        }
        if let Some(present) = self.machine.children.named(child.as_str()) {
            return Err(if present.life.is_alive() {
                AdminError::AlreadyStarted { child }
            } else {
                AdminError::AlreadyPresent { child }
            });
        }
        if !self.machine.children.is_free(key, &child) {
            return Err(AdminError::AlreadyPresent { child });
        }
        self.machine.children.append(key, child, policy);
        Ok(self.start_for(call, key, StarterKind::Added))
    }

    fn terminate_child(&mut self, call: CallId, child: Name) -> Replied {
        let (key, life) = self.find(child)?;
        self.interrupt(key);
        match life {
            Life::Down => return Ok(Reply::Now(Outcome::Terminated)),
            Life::Quarantined if !self.machine.is_dynamic() => return Ok(Reply::Now(Outcome::Terminated)),
            Life::Quarantined | Life::Awaiting | Life::Fallen | Life::Restarting { .. } => {
                self.settle(key);
                return Ok(Reply::Now(Outcome::Terminated));
            }
            Life::Starting { .. } | Life::Running => self.stop(key, Sequel::Down),
            Life::Stopping(stopping) => {
                let terminated = Stopping {
                    sequel: Sequel::Down,
                    ..stopping
                };
                self.machine.children.set_life(key, Life::Stopping(terminated));
            }
            Life::Lost => {}
        }
        self.machine.terminators.entry(key).or_default().push(call);
        Ok(Reply::Later)
    }

    fn restart_child(&mut self, call: CallId, child: Name) -> Replied {
        if self.machine.is_dynamic() {
            return Err(AdminError::Dynamic { child });
        }
        let (key, life) = self.find(child.clone())?;
        match life {
            Life::Down => Ok(self.start_for(call, key, StarterKind::Restarted)),
            Life::Quarantined => Ok(self.start_for(call, key, StarterKind::Retried)),
            life => Err(in_the_way(child, life)),
        }
    }

    fn delete_child(&mut self, child: Name) -> Replied {
        if self.machine.is_dynamic() {
            return Err(AdminError::Dynamic { child });
        }
        let (key, life) = self.find(child.clone())?;
        match life {
            Life::Down | Life::Quarantined => {
                self.forget(key);
                Ok(Reply::Now(Outcome::Deleted))
            }
            life => Err(in_the_way(child, life)),
        }
    }

    fn retry_child(&mut self, call: CallId, child: Name) -> Replied {
        let (key, life) = self.find(child.clone())?;
        match life {
            Life::Quarantined => Ok(self.start_for(call, key, StarterKind::Retried)),
            _ => Err(AdminError::NotQuarantined { child }),
        }
    }

    /// Starts a child for a caller: at once, or in its turn while a boot or group restart is under way.
    fn start_for(&mut self, call: CallId, key: ChildKey, kind: StarterKind) -> Reply {
        self.machine.starters.insert(key, Starter { call, kind });
        let rank = self.machine.children.get(key).map(|child| child.rank);
        self.machine.children.change(key, |child| {
            child.attempts = 0;
            child.life = Life::Awaiting;
        });
        if !rank.is_some_and(|rank| self.machine.awaits_turn(rank)) {
            self.start(key, false);
        }
        Reply::Later
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

    fn find(&self, child: Name) -> Result<(ChildKey, Life), AdminError> {
        match self.machine.children.named(child.as_str()) {
            Some(found) => Ok((found.key, found.life)),
            None => Err(AdminError::NotFound { child }),
        }
    }
}

/// Why a child that is not down can be neither restarted nor deleted.
fn in_the_way(child: Name, life: Life) -> AdminError {
    match life {
        Life::Running => AdminError::Running { child },
        Life::Stopping(stopping) if stopping.sequel == Sequel::Down => AdminError::Running { child },
        _ => AdminError::Restarting { child },
    }
}
