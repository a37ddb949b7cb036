//! What must hold whatever happens; checked by the [`World`] as it goes.
//!
//! | | |
//! |---|---|
//! | I1 | no two incarnations of a child are alive at once, and their numbers grow |
//! | I2 | each call is answered exactly once |
//! | I3 | no window holds more restarts than the intensity allows |
//! | I4 | an ended supervisor has no living child but those reported as not ended |
//! | I5 | nothing follows the end, save that late calls are told so |
//! | I6 | children that start in order start one at a time, from left to right |
//! | I7 | children that stop in order stop one at a time, from right to left |
//! | I8 | once nothing is under way, every child that should run runs |
//! | I9 | a temporary child never has a second incarnation |
//! | I10 | stale inputs change nothing |
//! | I11 | a forgotten child has no living incarnation and never comes back |
//! | I12 | ready is said once, and not after the end began |
//! | I13 | the tallies agree with the children |
//! | I14 | only living incarnations are asked to stop, or killed |
//! | I15 | the end of each incarnation is told once, that it is unkillable at most once |
//! | I16 | a child that waits to be restarted alone has its alarm ahead |

use super::world::World;
use super::*;
use crate::supervisor::machine::children::Tally;

impl World {
    pub(super) fn check_start_order(&mut self, key: ChildKey) {
        let in_turn = !self.is_ready || self.machine.restarts_groups();
        let is_first_boot = !self.is_ready && self.last.get(&key) == Some(&1);
        if self.for_callers.contains(&key) || !in_turn || !self.machine.starts_in_order() {
            return;
        }
        if !self.is_ready && !is_first_boot {
            return;
        }
        let is_restart_alone = |key: &ChildKey| !self.is_ready && self.last.get(key).is_some_and(|last| *last > 1);
        for (other, living) in &self.living {
            let counts = !self.for_callers.contains(other) && !is_restart_alone(other) && !living.is_asked;
            assert!(!counts || living.has_started, "I6: {key:?} starts beside {other:?}");
        }
        assert!(
            self.last_in_turn.is_none_or(|last| last < key),
            "I6: {key:?} after {:?}",
            self.last_in_turn
        );
        self.last_in_turn = Some(key);
    }

    pub(super) fn check_stop_order(&self, key: ChildKey) {
        let named = |key: &ChildKey| self.specified.get(key).map(|(name, _)| name.clone());
        let is_asked_for = !self.machine.is_ending() && named(&key).is_some_and(|name| self.terminated.contains(&name));
        if self.machine.is_dynamic() || !self.machine.stops_in_order() || is_asked_for {
            return;
        }
        for (other, living) in self.living.range(key..).skip(1) {
            let left_behind = named(other).is_some_and(|name| self.unkillable.contains(&(name, living.incarnation)));
            assert!(left_behind, "I7: {key:?} stops before {other:?}");
        }
    }

    /// Where children stop in parallel nobody waits for another's end to be asked.
    pub(super) fn check_parallel_stop(&self) {
        let is_at_once = self.machine.is_ending() && !self.machine.stops_in_order();
        let waits = self.living.iter().find(|(_, living)| is_at_once && !living.is_asked);
        assert!(
            waits.is_none(),
            "I7: {:?} has not been asked",
            waits.map(|(key, _)| key)
        );
    }

    pub(super) fn finish(&mut self, overdue: &[Overdue]) {
        self.has_ended = true;
        for (key, living) in &self.living {
            let is_reported = |overdue: &&Overdue| {
                let (name, incarnation) = (&overdue.child, overdue.incarnation);
                self.specified.get(key).is_some_and(|(known, _)| known == name) && incarnation == living.incarnation
            };
            let reported = overdue.iter().find(is_reported);
            assert!(
                reported.is_some_and(|overdue| !overdue.ended),
                "I4: {key:?} lives on unreported"
            );
        }
        let left = overdue.iter().filter(|overdue| !overdue.ended).count();
        assert_eq!(left, self.living.len(), "I4: reported as alive but gone");
        assert!(
            self.unanswered.len() <= 1,
            "I2: unanswered at the end: {:?}",
            self.unanswered
        );
    }

    pub(super) fn check_tallies(&self) {
        let children = &self.machine.children;
        let mut states = BTreeMap::new();
        for child in self.machine.children() {
            *states.entry(format!("{:?}", child.state)).or_insert(0) += 1;
        }
        let count = |state: ChildState| states.get(&format!("{state:?}")).copied().unwrap_or(0);
        let counts = self.machine.counts();
        let tally: &Tally = children.tally();
        assert_eq!(counts.active, count(ChildState::Running), "I13");
        assert_eq!(counts.restarting, count(ChildState::Restarting), "I13");
        assert_eq!(counts.starting, count(ChildState::Starting), "I13");
        assert_eq!(counts.stopping, count(ChildState::Stopping), "I13");
        assert_eq!(
            counts.down + counts.quarantined,
            count(ChildState::Down) + count(ChildState::Quarantined),
            "I13"
        );
        assert_eq!(counts.specified, children.iter().count(), "I13");
        let alive = children.iter().filter(|child| child.condition.is_alive()).count();
        assert_eq!(tally.alive, alive, "I13");
    }

    pub(super) fn check_waiting(&self) {
        if self.machine.restarts_groups() || self.machine.is_ending() {
            return;
        }
        for child in self
            .machine
            .children()
            .filter(|child| child.state == ChildState::Restarting)
        {
            let has_starter = self.machine.starters.contains_key(&child.key);
            let has_alarm = self.alarms.iter().any(|(_, _, key)| *key == child.key);
            assert!(has_starter || has_alarm, "I16: {}", child.name);
        }
    }

    /// Holds a supervisor at rest to its promise that every child that should run runs.
    pub(super) fn check_rest(&self) {
        // An immortal incarnation may hold up its group for ever, rightly.
        if self.machine.is_ending() || self.living.values().any(|living| living.is_asked) {
            return;
        }
        assert!(self.is_ready, "I8: not ready");
        assert!(
            self.unanswered.is_empty(),
            "I2: unanswered at rest: {:?}",
            self.unanswered
        );
        for child in self.machine.children() {
            let is_right = match child.state {
                ChildState::Running => {
                    self.living.get(&child.key).map(|living| living.incarnation) == child.incarnation
                }
                ChildState::Down => self.excused.contains(child.name),
                ChildState::Quarantined => child.policy.on_limit == OnLimit::Quarantine,
                _ => false,
            };
            assert!(is_right, "I8: {} is {:?}", child.name, child.state);
        }
        let running = self.machine.counts().active;
        assert_eq!(self.living.len(), running, "I8: somebody lives unknown");
    }

    pub(super) fn check_end(&self) {
        assert!(self.has_ended && self.machine.has_ended(), "the supervisor did not end");
        assert!(self.unanswered.is_empty(), "I2: unanswered: {:?}", self.unanswered);
    }
}
