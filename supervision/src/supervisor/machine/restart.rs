//! Restarting one child: whether, when, and what if that is once too often.

use std::time::Duration;

use super::Step;
use super::condition::Condition;
use super::io::{ChildKey, Decision};
use crate::policy::{Backoff, OnLimit};
use crate::reason::{Escalation, ExitReason};

impl Step<'_> {
    /// A child has to be started again. It is counted before it is tried; a retry, after a start that failed,
    /// goes through the supervisor's own queue.
    pub(super) fn restart(&mut self, key: ChildKey, reason: ExitReason, is_retry: bool) {
        if self.machine.is_booting() && self.machine.restarts_groups() {
            return self.defer(key, reason);
        }
        if !self.machine.window.admit(key, self.now) {
            return self.exceed(key, reason);
        }
        let (attempt, delay) = self.back_off(key);
        let siblings = self.gather(key);
        let (restarts, allowed) = self.machine.window.used(self.now);
        if let Some(child) = self.machine.children.get(key) {
            self.tell(Decision::Restarting {
                child: child.name.clone(),
                reason,
                attempt,
                delay,
                siblings,
                restarts,
                allowed,
            });
        }
        if self.machine.restarts_groups() {
            self.restart_group(key, delay, is_retry);
        } else if is_retry || !delay.is_zero() {
            let alarm = self.arm(key, self.now + delay);
            self.machine
                .children
                .set_condition(key, Condition::Restarting { alarm });
        } else {
            self.start(key, false);
        }
    }

    fn defer(&mut self, key: ChildKey, reason: ExitReason) {
        if let Some(child) = self.machine.children.get(key) {
            let incarnation = child.incarnation;
            self.machine.deferred.push((key, incarnation, reason));
            self.machine.children.set_condition(key, Condition::Fallen);
        }
    }

    /// A long enough life makes the next failure the first.
    pub(super) fn note_quiet_time(&mut self, key: ChildKey) {
        let Some(child) = self.machine.children.get(key) else {
            return;
        };
        if self.now.since(child.since) >= self.backoff(key).reset_after {
            self.machine.children.change(key, |child| child.attempts = 0);
        }
    }

    /// Which attempt in a row this is, and how long it waits. Chance is drawn only where there is a wait.
    fn back_off(&mut self, key: ChildKey) -> (u32, Duration) {
        let mut attempt = 0;
        self.machine.children.change(key, |child| {
            child.attempts = child.attempts.saturating_add(1);
            attempt = child.attempts;
        });
        let backoff = self.backoff(key);
        if backoff.first.is_zero() {
            (attempt, Duration::ZERO)
        } else {
            (attempt, backoff.delay(attempt, self.chance.unit()))
        }
    }

    fn backoff(&self, key: ChildKey) -> Backoff {
        let child = self.machine.children.get(key);
        child
            .and_then(|child| child.policy.backoff)
            .unwrap_or(self.machine.policy.backoff)
    }

    /// It failed once too often.
    fn exceed(&mut self, key: ChildKey, reason: ExitReason) {
        let Some(child) = self.machine.children.get(key) else {
            return;
        };
        let name = child.name.clone();
        if child.policy.on_limit == OnLimit::Quarantine {
            self.machine.window.forgive(&key);
            self.machine.children.set_condition(key, Condition::Quarantined);
            return self.tell(Decision::Quarantined { child: name, reason });
        }
        let escalation = Box::new(Escalation::new(name, reason, self.machine.policy.intensity));
        self.settle(key);
        self.tell(Decision::Escalated(escalation.clone()));
        self.end(ExitReason::Escalated(escalation));
    }
}
