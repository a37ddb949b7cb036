//! What follows when an incarnation is gone.

use super::children::Child;
use super::condition::{Condition, Sequel};
use super::io::{AdminError, ChildKey, Decision, Effect, Incarnation, NotStarted, Outcome};
use super::{Machine, Starter, StarterKind, Step};
use crate::name::Name;
use crate::policy::{AutoShutdown, Restart};
use crate::reason::{ExitReason, KillCause};

impl Machine {
    /// The child, if that incarnation of it is the one that exists.
    pub(super) fn existing(&self, key: ChildKey, incarnation: Incarnation) -> Option<&Child> {
        self.children.get(key).filter(|child| {
            child.incarnation == incarnation && (child.condition.is_alive() || child.condition == Condition::Lost)
        })
    }
}

impl Step<'_> {
    pub(super) fn not_started(&mut self, key: ChildKey, incarnation: Incarnation, why: NotStarted) {
        match why {
            NotStarted::Ignored => self.gone(key, incarnation, None),
            NotStarted::Failed(reason) => self.gone(key, incarnation, Some(reason)),
        }
    }

    pub(super) fn exited(&mut self, key: ChildKey, incarnation: Incarnation, reason: ExitReason) {
        self.gone(key, incarnation, Some(reason));
    }

    /// An incarnation is gone; without a reason where it declined to start.
    fn gone(&mut self, key: ChildKey, incarnation: Incarnation, reported: Option<ExitReason>) {
        let Some(child) = self.machine.existing(key, incarnation) else {
            return;
        };
        let condition = child.condition;
        let reason = true_reason(child, reported);
        self.tell_end(key, reason.clone());
        self.note_overdue(key);
        match condition {
            _ if self.machine.is_ending() => self.settle(key),
            Condition::Stopping(stopping) if stopping.sequel == Sequel::Down => self.settle(key),
            _ if self.machine.is_group_stopping(key) => self.fold(key, reason),
            Condition::Starting { in_turn, .. } => self.start_failed(key, reason, in_turn),
            Condition::Stopping(stopping) if stopping.sequel == Sequel::NotStarted => {
                self.start_failed(key, reason, stopping.in_turn);
            }
            Condition::Running => {
                self.note_quiet_time(key);
                self.ended(key, reason.unwrap_or(ExitReason::Normal));
            }
            _ => self.ended(key, reason.unwrap_or(ExitReason::Normal)),
        }
        for call in self.machine.terminators.remove(&key).unwrap_or_default() {
            self.answer(call, Ok(Outcome::Terminated));
        }
    }

    fn tell_end(&mut self, key: ChildKey, reason: Option<ExitReason>) {
        let Some(child) = self.machine.children.get(key) else {
            return;
        };
        let (child, incarnation) = (child.name.clone(), child.incarnation);
        self.tell(match reason {
            None => Decision::Ignored { child },
            Some(reason) => Decision::Ended {
                child,
                incarnation,
                reason,
            },
        });
    }

    /// A start did not succeed: its caller, the boot or the restart it belonged to bears it.
    fn start_failed(&mut self, key: ChildKey, reason: Option<ExitReason>, in_turn: bool) {
        let Some(child) = self.machine.children.get(key) else {
            return;
        };
        let name = child.name.clone();
        let starter = self.machine.starters.remove(&key);
        match (reason, starter) {
            (None, starter) => {
                self.settle(key);
                if let Some(starter) = starter {
                    self.answer(starter.call, Ok(Outcome::Ignored));
                }
            }
            (Some(reason), Some(starter)) => self.refuse(key, name, starter, reason),
            (Some(reason), None) if in_turn && self.machine.is_booting() => {
                self.settle(key);
                self.fail_boot(name, reason);
            }
            (Some(reason), None) => self.restart(key, reason, true),
        }
    }

    /// Tells a caller that the child did not start, and undoes what the call did.
    fn refuse(&mut self, key: ChildKey, child: Name, starter: Starter, reason: ExitReason) {
        match starter.kind {
            StarterKind::Added => self.forget(key),
            StarterKind::Restarted => self.settle(key),
            StarterKind::Retried => {
                self.machine.children.set_condition(key, Condition::Quarantined);
                self.tell(Decision::Quarantined {
                    child: child.clone(),
                    reason: reason.clone(),
                });
            }
        }
        self.answer(starter.call, Err(AdminError::NotStarted { child, reason }));
    }

    /// A child that ran ended without being asked.
    fn ended(&mut self, key: ChildKey, reason: ExitReason) {
        let Some(child) = self.machine.children.get(key) else {
            return;
        };
        let wants_restart = match child.policy.restart {
            Restart::Permanent => true,
            Restart::Transient => reason.is_failure(),
            Restart::Temporary => false,
        };
        if wants_restart {
            self.restart(key, reason, false);
        } else {
            self.let_go(key, reason);
        }
    }

    fn let_go(&mut self, key: ChildKey, reason: ExitReason) {
        let Some(child) = self.machine.children.get(key) else {
            return;
        };
        let (name, is_significant) = (child.name.clone(), child.policy.significant);
        self.tell(Decision::LetGo {
            child: name.clone(),
            reason,
        });
        self.settle(key);
        let ends_supervisor = match self.machine.policy.auto_shutdown {
            AutoShutdown::Never => false,
            AutoShutdown::AnySignificant => is_significant,
            AutoShutdown::AllSignificant => is_significant && self.machine.children.tally().significant == 0,
        };
        if ends_supervisor {
            self.tell(Decision::AutoShutdown { child: name });
            self.end(ExitReason::AutoShutdown);
        }
    }

    /// A sibling of a group restart is gone: it awaits its turn, unless it is never restarted.
    fn fold(&mut self, key: ChildKey, reason: Option<ExitReason>) {
        let Some(child) = self.machine.children.get(key) else {
            return;
        };
        if !child.is_temporary() {
            return self.machine.children.set_condition(key, Condition::Awaiting);
        }
        let child = child.name.clone();
        self.interrupt(key);
        if let Some(reason) = reason {
            self.tell(Decision::LetGo { child, reason });
        }
        self.forget(key);
    }

    /// It is down for good: its specification stays, unless it is temporary or dynamic.
    pub(super) fn settle(&mut self, key: ChildKey) {
        let is_kept = |child: &Child| !child.is_temporary() && !self.machine.is_dynamic();
        if self.machine.children.get(key).is_some_and(is_kept) {
            self.machine.children.set_condition(key, Condition::Down);
        } else {
            self.forget(key);
        }
    }

    pub(super) fn forget(&mut self, key: ChildKey) {
        self.machine.children.remove(key);
        self.effects.push(Effect::Forget { key });
    }
}

/// The reason that counts: one killed for what it did ended for that, whatever its exit says. One killed from outside may
/// have come before that by itself.
fn true_reason(child: &Child, reported: Option<ExitReason>) -> Option<ExitReason> {
    match child.condition {
        Condition::Stopping(stopping) if stopping.pressed.cause() == Some(KillCause::Outside) => reported,
        Condition::Stopping(stopping) if stopping.sequel == Sequel::NotStarted => Some(ExitReason::StartOverdue {
            limit: child.start_limit(),
        }),
        Condition::Stopping(stopping) if stopping.sequel == Sequel::Failed => {
            Some(ExitReason::Killed(KillCause::Stuck))
        }
        Condition::Running => reported.or(Some(ExitReason::Normal)),
        _ => reported,
    }
}
