//! Starting: the boot, one child's start, and the walk that starts children in their turn.

use super::children::{Child, Rank};
use super::condition::Condition;
use super::io::{ChildKey, Decision, Effect, Incarnation, Outcome};
use super::{Progress, Step};

impl Step<'_> {
    pub(super) fn boot(&mut self) {
        if matches!(self.machine.progress, Progress::New) {
            let last = self.machine.children.next_rank().before();
            self.machine.progress = Progress::Booting {
                next: Rank::FIRST,
                last,
            };
        }
    }

    pub(super) fn proceed_with_boot(&mut self) {
        let Progress::Booting { next, last } = self.machine.progress else {
            return;
        };
        let next = self.start_rightward(next, last);
        self.machine.progress = Progress::Booting { next, last };
        if self.are_all_up() {
            self.finish_boot(last);
        }
    }

    fn finish_boot(&mut self, last: Rank) {
        self.machine.progress = Progress::Running;
        self.effects.push(Effect::Ready);
        self.restart_the_fallen();
        // A group restart starts those added meanwhile in their turn: they are at its right end.
        if self.machine.group.is_none() && !self.machine.is_ending() {
            self.start_added(last);
        }
    }

    /// Starts those that were added during the boot.
    fn start_added(&mut self, last: Rank) {
        let added = self.machine.children.from(last.after());
        let awaiting: Vec<_> = added
            .filter(|child| child.condition == Condition::Awaiting)
            .map(|child| child.key)
            .collect();
        for key in awaiting {
            self.start(key, false);
        }
    }

    /// Failures that a group restart must follow wait for the end of the boot, as exits wait in the mailbox of
    /// an OTP supervisor until its `init` returns.
    fn restart_the_fallen(&mut self) {
        for (key, incarnation, reason) in std::mem::take(&mut self.machine.deferred) {
            let is_fallen = |child: &Child| child.condition == Condition::Fallen && child.incarnation == incarnation;
            if self.machine.children.get(key).is_some_and(is_fallen) && !self.machine.is_ending() {
                self.restart(key, reason, false);
            }
        }
    }

    /// Starts those from `next` to `last` that await their turn, as far as the order and the portion allow; says where to go on.
    pub(super) fn start_rightward(&mut self, mut next: Rank, last: Rank) -> Rank {
        while self.machine.may_start_another() {
            let Some(child) = self.machine.children.next_awaiting(next, last) else {
                self.machine.portion = self.machine.whole_portion;
                return self.machine.children.next_rank().min(last.after()).max(next);
            };
            let key = child.key;
            next = child.rank.after();
            self.start(key, true);
            self.machine.has_started_one();
        }
        self.machine.holds_back = !self.machine.starts_in_order() && next <= last;
        next
    }

    /// Whether the walk under way has come to its end, and no start holds the turn.
    pub(super) fn are_all_up(&self) -> bool {
        !self.machine.holds_back && self.machine.children.tally().in_turn == 0
    }

    /// Starts a new incarnation; `in_turn` where others wait for it.
    pub(super) fn start(&mut self, key: ChildKey, in_turn: bool) {
        let Some(child) = self.machine.children.get(key) else {
            return;
        };
        let incarnation = child.incarnation + 1;
        let limit = child.policy.start_within;
        let is_restart = child.incarnation > child.before && !self.machine.starters.contains_key(&key);
        self.effects.push(Effect::Start { key, incarnation });
        let alarm = limit.map(|limit| self.arm(key, self.now + limit));
        self.machine.children.change(key, |child| {
            child.incarnation = incarnation;
            child.restarts = child.restarts.saturating_add(u32::from(is_restart));
            child.condition = Condition::Starting { alarm, in_turn };
        });
    }

    pub(super) fn started(&mut self, key: ChildKey, incarnation: Incarnation) {
        let Some(child) = self.machine.existing(key, incarnation) else {
            return;
        };
        // One that was asked to stop while it started is on its way out all the same.
        if !matches!(child.condition, Condition::Starting { .. }) {
            return;
        }
        let name = child.name.clone();
        let now = self.now;
        self.machine.children.change(key, |child| {
            child.condition = Condition::Running;
            child.since = now;
        });
        self.tell(Decision::Started {
            child: name,
            incarnation,
        });
        if let Some(starter) = self.machine.starters.remove(&key) {
            self.answer(starter.call, Ok(Outcome::Running(incarnation)));
        }
    }
}
