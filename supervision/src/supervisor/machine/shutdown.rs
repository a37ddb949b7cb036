//! Stopping: one child by its own means, children from right to left, and the supervisor itself.

use std::time::Duration;

use super::children::{Child, Rank};
use super::io::{AdminError, Alarm, ChildKey, Decision, Effect, Incarnation, Overdue};
use super::life::{Life, Sequel, Stage, Stopping};
use super::{Phase, Step};
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
        let (incarnation, in_turn) = (child.incarnation, child.life.holds_turn());
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
            stage: Stage::Asked,
            sequel,
            in_turn,
            is_late_start: false,
        };
        self.machine.children.set_life(key, Life::Stopping(stopping));
    }

    fn kill(&mut self, key: ChildKey, cause: KillCause, sequel: Sequel) {
        let Some(child) = self.machine.children.get(key) else {
            return;
        };
        let (name, incarnation, in_turn) = (child.name.clone(), child.incarnation, child.life.holds_turn());
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
            stage: Stage::Killed(cause),
            sequel,
            in_turn,
            is_late_start: sequel == Sequel::NotStarted,
        };
        self.machine.children.set_life(key, Life::Stopping(stopping));
    }

    pub(super) fn stuck(&mut self, key: ChildKey, incarnation: Incarnation) {
        let child = self.machine.existing(key, incarnation);
        if child.is_some_and(|child| child.life == Life::Running) {
            self.note_quiet_time(key);
            self.kill(key, KillCause::Stuck, Sequel::Failed);
        }
    }

    pub(super) fn alarm(&mut self, Alarm { serial, key }: Alarm) {
        if self.resume_group(serial) {
            return;
        }
        let Some(child) = self.machine.children.get(key) else {
            return;
        };
        match child.life {
            Life::Restarting { alarm } if alarm == serial && !self.machine.is_ending() => self.start(key, false),
            Life::Starting { alarm, .. } if alarm == Some(serial) => {
                self.kill(key, KillCause::Overdue, Sequel::NotStarted);
            }
            Life::Stopping(stopping) if stopping.alarm == Some(serial) => self.press(key, stopping),
            _ => {}
        }
    }

    /// The means taken so far did not end the child.
    fn press(&mut self, key: ChildKey, stopping: Stopping) {
        match stopping.stage {
            Stage::Asked => self.kill(key, KillCause::Overdue, stopping.sequel),
            Stage::Killed(cause) => self.note_unkillable(key, stopping, cause),
            Stage::Unkillable(_) => {}
        }
    }

    /// Nobody is there any more who could be asked to stop, or killed.
    pub(super) fn lingers(&mut self, key: ChildKey, incarnation: Incarnation) {
        let Some(child) = self.machine.existing(key, incarnation) else {
            return;
        };
        match child.life {
            Life::Stopping(stopping) if stopping.stage == Stage::Asked => {
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
        let (name, incarnation, limit) = (child.name.clone(), child.incarnation, child.start_limit());
        self.tell(Decision::Unkillable {
            child: name.clone(),
            incarnation,
        });
        let unkillable = Stopping {
            alarm: None,
            stage: Stage::Unkillable(cause),
            ..stopping
        };
        self.machine.children.set_life(key, Life::Stopping(unkillable));
        if self.machine.is_ending() {
            self.give_up(key);
        } else if self.machine.is_booting() && stopping.in_turn && stopping.sequel == Sequel::NotStarted {
            self.fail_boot(name, ExitReason::StartOverdue { limit });
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
        self.machine.phase = Phase::Ending {
            reason,
            upto: Rank::LAST,
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
        let Phase::Ending { upto: from, .. } = self.machine.phase else {
            return;
        };
        let mut is_complete = self.machine.children.tally().alive == 0;
        if !self.machine.is_dynamic() {
            let reached = self.stop_leftward(Rank::FIRST, from);
            is_complete = reached < Rank::FIRST;
            if let Phase::Ending { upto, .. } = &mut self.machine.phase {
                *upto = reached;
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
        if let Phase::Ending { reason, .. } = std::mem::replace(&mut self.machine.phase, Phase::Ended) {
            let overdue = std::mem::take(&mut self.machine.overdue);
            self.effects.push(Effect::End { reason, overdue });
        }
    }

    /// Stops children from `upto` leftward to `first`, each gone before the next; says where to go on, which is
    /// before `first` once all are gone.
    pub(super) fn stop_leftward(&mut self, first: Rank, mut upto: Rank) -> Rank {
        while let Some(child) = self.machine.children.rightmost(first, upto) {
            let (key, rank) = (child.key, child.rank);
            if !self.see_out(key) {
                return rank;
            }
            upto = rank.before();
        }
        first.before()
    }

    /// Makes a child end if it has to; true once it need not be waited for.
    fn see_out(&mut self, key: ChildKey) -> bool {
        let Some(child) = self.machine.children.get(key) else {
            return true;
        };
        let is_ending = self.machine.is_ending();
        match child.life {
            Life::Starting { .. } | Life::Running => {
                self.stop(key, Sequel::Along);
                false
            }
            Life::Stopping(stopping) if is_ending && matches!(stopping.stage, Stage::Unkillable(_)) => {
                self.give_up(key);
                true
            }
            Life::Stopping(stopping) => stopping.is_abandoned(),
            Life::Awaiting | Life::Fallen | Life::Restarting { .. } => {
                if is_ending {
                    self.settle(key);
                }
                true
            }
            Life::Down | Life::Quarantined | Life::Lost => true,
        }
    }

    /// The supervisor ends without this child.
    fn give_up(&mut self, key: ChildKey) {
        if let Some(overdue) = self.machine.children.get(key).and_then(|child| overdue(child, false)) {
            self.machine.overdue.push(overdue);
        }
        self.machine.children.set_life(key, Life::Lost);
    }

    /// Keeps for the report that a child needed to be killed before the supervisor could end.
    pub(super) fn note_overdue(&mut self, key: ChildKey) {
        let Some(child) = self.machine.children.get(key).filter(|_| self.machine.is_ending()) else {
            return;
        };
        match child.life {
            Life::Lost => {
                let is_it = |overdue: &&mut Overdue| overdue.child == child.name;
                if let Some(overdue) = self.machine.overdue.iter_mut().find(is_it) {
                    overdue.ended = true;
                }
            }
            Life::Stopping(stopping) if !stopping.is_late_start => {
                self.machine
                    .overdue
                    .extend(overdue(child, true).filter(|_| stopping.stage == Stage::Killed(KillCause::Overdue)));
            }
            _ => {}
        }
    }
}

fn overdue(child: &Child, ended: bool) -> Option<Overdue> {
    let Life::Stopping(stopping) = child.life else {
        return None;
    };
    let waited = match (stopping.stage, child.policy.shutdown) {
        _ if stopping.is_late_start => child.start_limit(),
        (Stage::Killed(KillCause::Overdue) | Stage::Unkillable(KillCause::Overdue), Shutdown::Within(limit)) => limit,
        _ => Duration::ZERO,
    };
    Some(Overdue {
        child: child.name.clone(),
        incarnation: child.incarnation,
        waited,
        ended,
    })
}
