//! For how long agents are waited for: with tasks that are not theirs any more, and with those that they do not begin.

use std::collections::BTreeSet;
use std::time::Duration;

use triarch_supervision::clock::Moment;

use super::hands::Hands;
use super::holding::{Effect, Moved, Step};
use crate::words::Worker;

/// For so long an agent may be at a task that is not its own any more before it gets another.
pub(super) const RECALL_GRACE: Duration = Duration::from_secs(10);
/// For so long a task may lie in the mailbox of an agent that handles nothing before others get it.
pub(super) const BEGIN_GRACE: Duration = Duration::from_mins(1);

impl Hands {
    /// Who has not left a task for a while that is not its own any more gets others all the same. Who has left one lying in its
    /// mailbox for long, and handled nothing meanwhile, gets none until it has. `handled` tells how many messages it has.
    pub(super) fn let_go(&mut self, now: Moment, handled: impl Fn(&Worker) -> u64, effects: &mut Vec<Effect>) {
        let (mut over, mut seen, mut late) = (Vec::new(), BTreeSet::new(), BTreeSet::new());
        for (fence, holding) in self.held.iter_mut() {
            let (Step::Handed(since) | Step::Recalled(since)) = &mut holding.step else {
                continue;
            };
            let is_new = since.is_none();
            let passed = now.since(*since.get_or_insert(now));
            match holding.step {
                Step::Recalled(_) if passed >= RECALL_GRACE => over.push(fence),
                Step::Handed(_) if is_new => drop(seen.insert(holding.worker.clone())),
                Step::Handed(_) if passed >= BEGIN_GRACE => drop(late.insert(holding.worker.clone())),
                _ => {}
            }
        }
        for fence in over {
            self.forget(fence, effects);
        }
        for worker in self.stuck.clone() {
            if !self.stands_still(&worker, now, &handled, Duration::ZERO) {
                self.moves(&worker);
            }
        }
        for worker in seen {
            self.stands_still(&worker, now, &handled, Duration::ZERO);
        }
        for worker in late {
            if self.stands_still(&worker, now, &handled, BEGIN_GRACE) {
                self.change(&worker, |hand| hand.is_stuck = true);
                self.stuck.insert(worker.clone());
                self.take_back(&worker, false, effects);
            }
        }
    }

    /// Whether an agent has handled nothing for so long, as far as that was looked at.
    fn stands_still(&mut self, worker: &Worker, now: Moment, handled: impl Fn(&Worker) -> u64, time: Duration) -> bool {
        let Some(hand) = self.takers.get_mut(worker) else {
            return false;
        };
        let handled = handled(worker);
        match hand.moved {
            Some(moved) if moved.handled == handled => now.since(moved.at) >= time,
            _ => {
                hand.moved = Some(Moved { handled, at: now });
                false
            }
        }
    }

    /// Nobody looked for so long that it says nothing of agents how much time has passed.
    pub(super) fn looked_away(&mut self, now: Moment) {
        for (_, holding) in self.held.iter_mut() {
            if let Step::Handed(since @ Some(_)) | Step::Recalled(since @ Some(_)) = &mut holding.step {
                *since = Some(now);
            }
        }
    }
}
