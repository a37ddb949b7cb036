//! Restarting a group: all of it stops from right to left, then it starts from left to right.

use std::time::Duration;

use super::children::Rank;
use super::condition::{Condition, Sequel};
use super::io::ChildKey;
use super::{Machine, Progress, Step, Sweep};
use crate::clock::Moment;
use crate::policy::Strategy;

/// The group restart under way: of all children from `first` on.
#[derive(Clone, Copy, Debug)]
pub(super) struct Group {
    first: Rank,
    stage: Stage,
    pause: Option<Pause>,
}

#[derive(Clone, Copy, Debug)]
enum Stage {
    /// Children have yet to be stopped, or all are and the pause is not over.
    Stopping { sweep: Sweep },
    /// Children from `next` on have yet to be started.
    Starting { next: Rank },
}

/// The wait before the group starts again.
#[derive(Clone, Copy, Debug)]
struct Pause {
    alarm: u64,
    until: Moment,
}

impl Machine {
    /// Whether the child belongs to a group that is being stopped, so that its end is what was wanted anyway.
    pub(super) fn is_group_stopping(&self, key: ChildKey) -> bool {
        let Some((group, child)) = self.group.as_ref().zip(self.children.get(key)) else {
            return false;
        };
        matches!(group.stage, Stage::Stopping { .. }) && child.rank >= group.first
    }

    /// Whether a child that somebody wants started has to wait until those before it are up.
    pub(super) fn awaits_turn(&self, rank: Rank) -> bool {
        match (&self.progress, &self.group) {
            (Progress::New, _) => true,
            (Progress::Booting { next, .. }, _) => rank >= *next,
            (_, Some(group)) => match group.stage {
                Stage::Stopping { .. } => rank >= group.first,
                Stage::Starting { next } => rank >= next,
            },
            _ => false,
        }
    }

    /// Where the group of a failing child begins.
    fn group_first(&self, key: ChildKey) -> Rank {
        match self.children.get(key) {
            Some(child) if self.policy.strategy == Strategy::RestForOne => child.rank,
            _ => Rank::FIRST,
        }
    }
}

impl Step<'_> {
    /// Takes the children that restart along with `key` into its group, and says how many those are.
    ///
    /// As in OTP, where a group starts every specification in its range, a sibling that was terminated, or
    /// that ended normally, or that declined to start is started as well. One in quarantine stays there; one
    /// that somebody terminates from now on stays down, until the group fails again.
    pub(super) fn gather(&mut self, key: ChildKey) -> usize {
        if !self.machine.restarts_groups() {
            return 0;
        }
        self.machine.children.set_condition(key, Condition::Awaiting);
        let mut siblings = 0;
        let mut dormant = Vec::new();
        for child in self.machine.children.from(self.machine.group_first(key)) {
            let comes_along = match child.condition {
                _ if child.key == key || child.is_temporary() => false,
                Condition::Down | Condition::Fallen => {
                    dormant.push(child.key);
                    true
                }
                Condition::Stopping(stopping) => stopping.sequel != Sequel::Down,
                condition => condition != Condition::Quarantined,
            };
            siblings += usize::from(comes_along);
        }
        for key in dormant {
            self.machine.children.set_condition(key, Condition::Awaiting);
        }
        siblings
    }

    /// Begins the restart of `key`'s group, or begins the one under way anew from there.
    pub(super) fn restart_group(&mut self, key: ChildKey, delay: Duration, is_retry: bool) {
        let until = self.now + delay;
        let pause = match self.machine.group.and_then(|group| group.pause) {
            Some(pause) if pause.until >= until => Some(pause),
            _ if is_retry || !delay.is_zero() => Some(Pause {
                alarm: self.arm(key, until),
                until,
            }),
            pause => pause,
        };
        self.machine.group = Some(Group {
            first: self.machine.group_first(key),
            stage: Stage::Stopping { sweep: Sweep::BEGIN },
            pause,
        });
    }

    /// Ends the group's pause if the alarm was its.
    pub(super) fn resume_group(&mut self, alarm: u64) -> bool {
        match &mut self.machine.group {
            Some(group) if group.pause.is_some_and(|pause| pause.alarm == alarm) => {
                group.pause = None;
                true
            }
            _ => false,
        }
    }

    pub(super) fn proceed_with_group(&mut self) {
        let Some(mut group) = self.machine.group else {
            return;
        };
        if let Stage::Stopping { sweep } = group.stage {
            let sweep = self.stop_leftward(group.first, sweep);
            group.stage = if sweep.upto < group.first && group.pause.is_none() {
                Stage::Starting { next: group.first }
            } else {
                Stage::Stopping { sweep }
            };
        }
        let mut is_complete = false;
        if let Stage::Starting { next } = group.stage {
            let next = self.start_rightward(next, Rank::LAST);
            group.stage = Stage::Starting { next };
            is_complete = self.are_all_up();
        }
        self.machine.group = (!is_complete).then_some(group);
    }
}
