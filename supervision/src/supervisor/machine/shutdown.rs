//! Stopping: one child by its own means, children from right to left, and the supervisor itself.

use std::time::Duration;

use super::children::{Child, Rank};
use super::condition::{Condition, Pressed, Sequel, Stopping};
use super::io::{AdminError, Alarm, ChildKey, Decision, Effect, Incarnation, Overdue};
use super::{Progress, Step, Sweep};
use crate::name::Name;
use crate::policy::Shutdown;
use crate::reason::{ExitReason, KillCause};

/// How long a killed child may take to be gone before it counts as unkillable.
pub(crate) const KILL_GRACE: Duration = Duration::from_secs(1);

impl Step<'_> {
    /// Makes a living child end, in the way its specification says.
    pub(super) fn stop(&mut self, key: ChildKey, sequel: Sequel) {
        let Some(child) = self.machine.children.get(key) else {
            return;
        };
        let (incarnation, in_turn) = (child.incarnation, child.condition.holds_turn());
        let alarm = match child.policy.shutdown {
            Shutdown::BrutalKill => return self.kill(key, KillCause::Brutal, sequel),
            Shutdown::Within(limit) => {
                self.effects.push(Effect::Stop { key, incarnation });
                Some(self.arm(key, self.now + limit))
            }
            Shutdown::Infinity => {
                self.effects.push(Effect::Stop { key, incarnation });
                None
            }
        };
        let stopping = Stopping {
            alarm,
            pressed: Pressed::Asked,
            sequel,
            in_turn,
            is_late_start: false,
        };
        self.machine.children.set_condition(key, Condition::Stopping(stopping));
    }

    fn kill(&mut self, key: ChildKey, cause: KillCause, sequel: Sequel) {
        let Some(child) = self.machine.children.get(key) else {
            return;
        };
        let (name, incarnation, in_turn) = (child.name.clone(), child.incarnation, child.condition.holds_turn());
        self.effects.push(Effect::Kill {
            key,
            incarnation,
            cause,
        });
        self.tell(Decision::Killed {
            child: name,
            incarnation,
            cause,
        });
        let stopping = Stopping {
            alarm: Some(self.arm(key, self.now + KILL_GRACE)),
            pressed: Pressed::Killed(cause),
            sequel,
            in_turn,
            is_late_start: sequel == Sequel::NotStarted && cause == KillCause::Overdue,
        };
        self.machine.children.set_condition(key, Condition::Stopping(stopping));
    }

    pub(super) fn stuck(&mut self, key: ChildKey, incarnation: Incarnation) {
        let child = self.machine.existing(key, incarnation);
        if child.is_some_and(|child| child.condition == Condition::Running) {
            self.note_quiet_time(key);
            self.kill(key, KillCause::Stuck, Sequel::Failed);
        }
    }

    /// As if it had failed by itself; one that is on its way out already goes on as was meant.
    pub(super) fn kill_from_outside(&mut self, key: ChildKey, incarnation: Incarnation) {
        let Some(child) = self.machine.existing(key, incarnation) else {
            return;
        };
        let sequel = match child.condition {
            Condition::Starting { .. } => Sequel::NotStarted,
            Condition::Running => Sequel::Failed,
            Condition::Stopping(stopping) if stopping.pressed == Pressed::Asked => stopping.sequel,
            _ => return,
        };
        if sequel == Sequel::Failed {
            self.note_quiet_time(key);
        }
        self.kill(key, KillCause::Outside, sequel);
    }

    pub(super) fn alarm(&mut self, Alarm { serial, key }: Alarm) {
        if self.resume_group(serial) {
            return;
        }
        let Some(child) = self.machine.children.get(key) else {
            return;
        };
        match child.condition {
            Condition::Restarting { alarm } if alarm == serial && !self.machine.is_ending() => self.start(key, false),
            Condition::Starting { alarm, .. } if alarm == Some(serial) => {
                self.kill(key, KillCause::Overdue, Sequel::NotStarted);
            }
            Condition::Stopping(stopping) if stopping.alarm == Some(serial) => self.press(key, stopping),
            _ => {}
        }
    }

    /// The means taken so far did not end the child.
    fn press(&mut self, key: ChildKey, stopping: Stopping) {
        match stopping.pressed {
            Pressed::Asked => self.kill(key, KillCause::Overdue, stopping.sequel),
            Pressed::Killed(cause) => self.note_unkillable(key, stopping, cause),
            Pressed::Unkillable(_) => {}
        }
    }

    /// Nobody is there any more who could be asked to stop, or killed.
    pub(super) fn lingers(&mut self, key: ChildKey, incarnation: Incarnation) {
        let Some(child) = self.machine.existing(key, incarnation) else {
            return;
        };
        match child.condition {
            Condition::Stopping(stopping) if stopping.pressed == Pressed::Asked => {
                self.note_unkillable(key, stopping, KillCause::Outside);
            }
            _ => {}
        }
    }

    /// A restart never begins while the old incarnation may be alive, so it goes on waiting; an ending
    /// supervisor goes on without the child.
    fn note_unkillable(&mut self, key: ChildKey, stopping: Stopping, cause: KillCause) {
        let Some(child) = self.machine.children.get(key) else {
            return;
        };
        let (name, incarnation) = (child.name.clone(), child.incarnation);
        let reason = reason_not_started(child, cause);
        self.tell(Decision::Unkillable {
            child: name.clone(),
            incarnation,
        });
        let unkillable = Stopping {
            alarm: None,
            pressed: Pressed::Unkillable(cause),
            ..stopping
        };
        self.machine
            .children
            .set_condition(key, Condition::Stopping(unkillable));
        if self.machine.is_ending() {
            self.give_up(key);
        } else if self.machine.is_booting() && stopping.in_turn && stopping.sequel == Sequel::NotStarted {
            self.fail_boot(name, reason);
        }
    }

    /// A child that did not start in the boot ends the supervisor.
    pub(super) fn fail_boot(&mut self, child: Name, reason: ExitReason) {
        self.end(ExitReason::ChildNotStarted {
            child,
            reason: Box::new(reason),
        });
    }

    /// Ends the supervisor: from here on nothing starts, and exits only make way for the next stop.
    pub(super) fn end(&mut self, reason: ExitReason) {
        if self.machine.is_ending() {
            return;
        }
        self.machine.progress = Progress::Ending {
            reason,
            sweep: Sweep::BEGIN,
        };
        self.machine.group = None;
        for starter in std::mem::take(&mut self.machine.starters).into_values() {
            self.answer(starter.call, Err(AdminError::Ending));
        }
        if self.machine.is_dynamic() {
            let keys: Vec<_> = self.machine.children.iter().map(|child| child.key).collect();
            for key in keys {
                self.see_out(key);
            }
        }
    }

    pub(super) fn proceed_with_end(&mut self) {
        let Progress::Ending { sweep, .. } = self.machine.progress else {
            return;
        };
        let mut is_complete = self.machine.children.tally().alive == 0;
        if !self.machine.is_dynamic() {
            let reached = self.stop_leftward(Rank::FIRST, sweep);
            is_complete = reached.upto < Rank::FIRST;
            if let Progress::Ending { sweep, .. } = &mut self.machine.progress {
                *sweep = reached;
            }
        }
        if is_complete {
            self.finish_end();
        }
    }

    fn finish_end(&mut self) {
        for call in std::mem::take(&mut self.machine.terminators).into_values().flatten() {
            self.answer(call, Err(AdminError::Ending));
        }
        if let Progress::Ending { reason, .. } = std::mem::replace(&mut self.machine.progress, Progress::Ended) {
            let overdue = std::mem::take(&mut self.machine.overdue);
            self.effects.push(Effect::End { reason, overdue });
        }
    }

    /// Stops children from `sweep` leftward to `first`, each gone before the next unless they stop along with each other;
    /// says where to go on, which is before `first` once all are gone.
    pub(super) fn stop_leftward(&mut self, first: Rank, mut sweep: Sweep) -> Sweep {
        while let Some(child) = self.machine.children.rightmost(first, sweep.upto) {
            let (key, rank) = (child.key, child.rank);
            if !self.see_out(key) {
                if rank < sweep.asked {
                    sweep.asked = self.stop_along(first, rank);
                }
                sweep.upto = rank;
                return sweep;
            }
            sweep.upto = rank.before();
        }
        sweep.upto = first.before();
        sweep
    }

    /// Has those stop too that do so when the child at `rank` does; returns the leftmost of them.
    fn stop_along(&mut self, first: Rank, mut rank: Rank) -> Rank {
        let goes_on = |step: &Self, child: &Child| child.policy.stops_along || !step.machine.stops_in_order();
        let child = self.machine.children.rightmost(first, rank);
        let mut is_along = child.is_some_and(|child| goes_on(self, child));
        while is_along && let Some(next) = self.machine.children.rightmost(first, rank.before()) {
            let key = next.key;
            // It may be forgotten.
            (rank, is_along) = (next.rank, goes_on(self, next));
            self.see_out(key);
        }
        rank
    }

    /// Makes a child end if it has to; true once it need not be waited for.
    fn see_out(&mut self, key: ChildKey) -> bool {
        let Some(child) = self.machine.children.get(key) else {
            return true;
        };
        let is_ending = self.machine.is_ending();
        match child.condition {
            Condition::Starting { .. } | Condition::Running => {
                self.stop(key, Sequel::Along);
                false
            }
            Condition::Stopping(stopping) if is_ending && matches!(stopping.pressed, Pressed::Unkillable(_)) => {
                self.give_up(key);
                true
            }
            Condition::Stopping(stopping) => stopping.is_abandoned(),
            Condition::Awaiting | Condition::Fallen | Condition::Restarting { .. } | Condition::Quarantined => {
                if is_ending {
                    self.settle(key);
                }
                true
            }
            Condition::Down | Condition::Lost => true,
        }
    }

    /// The supervisor ends without this child.
    fn give_up(&mut self, key: ChildKey) {
        if let Some(overdue) = self.machine.children.get(key).and_then(|child| overdue(child, false)) {
            self.machine.overdue.push(overdue);
        }
        self.machine.children.set_condition(key, Condition::Lost);
    }

    /// Keeps for the report that a child needed to be killed before the supervisor could end.
    pub(super) fn note_overdue(&mut self, key: ChildKey) {
        let Some(child) = self.machine.children.get(key).filter(|_| self.machine.is_ending()) else {
            return;
        };
        match child.condition {
            Condition::Lost => {
                let is_it = |overdue: &&mut Overdue| overdue.child == child.name;
                if let Some(overdue) = self.machine.overdue.iter_mut().find(is_it) {
                    overdue.ended = true;
                }
            }
            Condition::Stopping(stopping) if !stopping.is_late_start => {
                self.machine
                    .overdue
                    .extend(overdue(child, true).filter(|_| stopping.pressed == Pressed::Killed(KillCause::Overdue)));
            }
            _ => {}
        }
    }
}

/// Why a start that was killed did not succeed.
fn reason_not_started(child: &Child, cause: KillCause) -> ExitReason {
    match cause {
        KillCause::Outside => ExitReason::Killed(cause),
        _ => ExitReason::StartOverdue {
            limit: child.start_limit(),
        },
    }
}

fn overdue(child: &Child, ended: bool) -> Option<Overdue> {
    let Condition::Stopping(stopping) = child.condition else {
        return None;
    };
    let waited = match (stopping.pressed, child.policy.shutdown) {
        _ if stopping.is_late_start => child.start_limit(),
        (Pressed::Killed(KillCause::Overdue) | Pressed::Unkillable(KillCause::Overdue), Shutdown::Within(limit)) => {
            limit
        }
        _ => Duration::ZERO,
    };
    Some(Overdue {
        child: child.name.clone(),
        incarnation: child.incarnation,
        waited,
        ended,
    })
}
