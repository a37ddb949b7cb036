//! The end of a simulated tree: calm, then its stop, and what has to be true of both.

use std::time::Duration;

use triarch_supervision::clock::{Moment, Seeded};
use triarch_supervision::prelude::*;
use triarch_supervision::reason::KillCause;
use triarch_supervision::supervisor::ChildStatus;
use triarch_supervision::supervisor::{ChildState, Decision};
use triarch_supervision::tree::{Event, Fact, Phase};

use crate::checks;
use crate::driver::Driver;
use crate::plan::Team;
use crate::post::Sender;

/// Without new faults, all starts, stops, waits and restarts are over after this.
const CALM: Duration = Duration::from_mins(2);

impl Driver<'_> {
    pub(crate) async fn end(&mut self) {
        for faults in &self.faults {
            faults.clear();
        }
        for path in std::mem::take(&mut self.paused) {
            let _gone = self.tree.observer().resume(&path);
        }
        Self::meanwhile(&mut self.under_way, self.world.advance(CALM)).await;
        self.look().await;
        let open = self.ledger.book().calls.len();
        if open > 0 {
            self.ledger
                .violate(format!("S6 {open} calls are not answered after {CALM:?} of calm"));
        }
        self.check_that_all_have_come_to_rest().await;
        self.ask_everybody().await;
        self.stop().await;
    }

    /// After so long a calm no child is on its way up or down.
    async fn check_that_all_have_come_to_rest(&mut self) {
        for team in self.teams.clone() {
            let Ok(handle) = team.handle(&self.tree.observer()) else {
                continue;
            };
            let Ok(children) = self.list(&handle).await else {
                continue;
            };
            let is_moving = |child: &&ChildStatus| {
                matches!(
                    child.state,
                    ChildState::Starting | ChildState::Stopping | ChildState::Restarting
                )
            };
            // Whoever is held back by one that stays down is killed as stuck at message after message.
            let is_stuck_at_each = |child: &&ChildStatus| {
                let node = self.tree.observer().node(&format!("{}/{}", team.path, child.name));
                node.is_ok_and(|node| {
                    let waits = node.mailbox.is_some_and(|mailbox| mailbox.depth > 0);
                    waits && node.last_exit == Some(ExitReason::Killed(KillCause::Stuck))
                })
            };
            for child in children
                .iter()
                .filter(is_moving)
                .filter(|child| !is_stuck_at_each(child))
            {
                let what = format!(
                    "S14 {}/{} is {:?} after {CALM:?} of calm",
                    team.path, child.name, child.state
                );
                self.ledger.violate(what);
            }
        }
    }

    /// S11: who runs and is free answers at the address it had from the first.
    async fn ask_everybody(&mut self) {
        let observer = self.tree.observer();
        for team in self.teams.clone() {
            let Ok(handle) = team.handle(&observer) else {
                continue;
            };
            let Ok(children) = self.list(&handle).await else {
                continue;
            };
            for child in children.iter().filter(|child| child.state == ChildState::Running) {
                self.ask(format!("{}/{}", team.path, child.name)).await;
            }
        }
    }

    async fn ask(&mut self, path: String) {
        let Some(slot) = self.free_child(&path) else { return };
        let (ledger, from, chance) = (self.ledger.clone(), 2_000_000, Seeded::new(0));
        let mut sender = Sender {
            ledger: &ledger,
            from,
            chance,
            fuel: 0,
        };
        let (letter, line) = (sender.letter(slot, None), ledger.line(slot));
        let asked = line.ask(letter, Some(Duration::from_hours(1)));
        let answer = Self::meanwhile(&mut self.under_way, asked).await;
        // Others may have filled its mailbox meanwhile.
        let is_full = matches!(
            answer,
            Err(AskError::NotAnswered {
                why: NoAnswer::Full,
                ..
            } | AskError::NotSent { why: Refusal::Full, .. })
        );
        if let (Err(error), false) = (answer, line.is_closed() || is_full) {
            ledger.violate(format!("S11 {path} runs and does not answer: {error}"));
        }
    }

    /// The child at `path`, if it could handle a message at once. One that ended by itself may hang in its own
    /// stop, as in OTP.
    fn free_child(&self, path: &str) -> Option<usize> {
        let is_idle = self
            .tree
            .observer()
            .node(path)
            .is_ok_and(|node| node.state == Phase::Idle);
        let book = self.ledger.book();
        let slot = book.slots.iter().position(|slot| slot.path == path)?;
        let is_free = book.slots[slot].record.in_hand == 0 && book.slots[slot].line.figures().depth == 0;
        (is_idle && is_free).then_some(slot)
    }

    async fn stop(&mut self) {
        Self::meanwhile(&mut self.under_way, self.world.settle()).await;
        let snapshot = self.tree.observer().snapshot();
        let runs = |team: &&Team| {
            snapshot
                .iter()
                .any(|node| *node.path == *team.path && node.state == Phase::Idle)
        };
        let orderly = self.teams.iter().filter(runs).map(|team| team.place).collect();
        let (children, began) = {
            let mut book = self.ledger.book();
            book.stopping = Some(orderly);
            (u32::try_from(book.slots.len()).unwrap(), Moment::now())
        };
        let limit = Duration::from_secs(5) * (children + 1);
        let ended = tokio::time::timeout(limit, self.tree.stop());
        let ended = Self::meanwhile(&mut self.under_way, ended).await;
        Self::meanwhile(&mut self.under_way, self.world.settle()).await;
        match ended {
            Err(_) => self
                .ledger
                .violate(format!("S7 the tree has not stopped after {limit:?}")),
            Ok(end) => {
                if end.late.iter().any(|late| !late.ended) {
                    self.ledger.violate(format!("S7 the tree ended without {:?}", end.late));
                }
            }
        }
        self.check_order(began);
        self.tree_is_gone();
    }

    fn tree_is_gone(&self) {
        let mut book = self.ledger.book();
        checks::at_the_end(&mut book, &self.tree.observer());
        book.violations.extend(
            self.world
                .alive()
                .iter()
                .map(|path| format!("S7 {path} is alive in the world")),
        );
    }

    /// S7: from right to left. A supervisor that gave up by itself meanwhile stops its children beside the others.
    fn check_order(&self, began: Moment) {
        let did = |place: usize| {
            let team = self.teams.iter().find(|team| team.place == place);
            team.is_none_or(|team| acted_itself(&self.world.events(), &team.path, began))
        };
        let mut book = self.ledger.book();
        let wrong: Vec<_> = std::mem::take(&mut book.out_of_order)
            .into_iter()
            .filter(|(own, other)| own == other || !(did(*own) || did(*other)))
            .collect();
        if !wrong.is_empty() {
            book.violations.push(format!(
                "S7 asked to stop before those to their right were gone: {wrong:?}"
            ));
        }
    }
}

/// Whether a supervisor stopped children by its own decision about that time: it gave up, or restarted a group.
fn acted_itself(events: &[Event], supervisor: &str, began: Moment) -> bool {
    let group_restart = Duration::from_mins(1);
    events.iter().fold(false, |given_up, event| match &event.fact {
        Fact::Decision(Decision::Ended { child, .. })
            if *event.supervisor == *"root" && child.as_str() == supervisor =>
        {
            given_up && event.at >= began
        }
        Fact::Decision(Decision::Escalated(_) | Decision::AutoShutdown { .. }) if *event.supervisor == *supervisor => {
            true
        }
        Fact::Decision(Decision::Restarting { siblings: 1.., .. }) if *event.supervisor == *supervisor => {
            given_up || event.at + group_restart >= began
        }
        _ => given_up,
    })
}
