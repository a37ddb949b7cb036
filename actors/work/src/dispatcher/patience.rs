//! For how long agents are waited for: with tasks that are not theirs any more, and with those that they do not begin.

use std::collections::BTreeSet;
use std::time::Duration;

use triarch_supervision::clock::Moment;

use super::hands::Hands;
use super::holding::{Effect, InMailbox, Messages, Moved, Step};
use crate::words::Worker;

/// For so long an agent may be at a task that is not its own any more before it gets another.
pub(super) const RECALL_GRACE: Duration = Duration::from_secs(10);
/// For so long a task may lie in the mailbox of an agent that handles nothing before others get it.
pub(super) const BEGIN_GRACE: Duration = Duration::from_mins(1);

impl Hands {
    /// Who has not left a task for a while that is not its own any more gets others all the same. Who has left one lying in its
    /// mailbox for long, and handled nothing meanwhile, gets none until it has. Who took one and does not begin it, whatever else it
    /// handles, gets none until it has come to that one. `messages` tells what it did of its messages.
    pub(super) fn let_go(&mut self, now: Moment, messages: impl Fn(&Worker) -> Messages, effects: &mut Vec<Effect>) {
        let (mut over, mut late, mut deaf) = (Vec::new(), BTreeSet::new(), BTreeSet::new());
        let mut seen = BTreeSet::new();
        for (fence, holding) in self.held.iter_mut() {
            let worker = &holding.worker;
            match &mut holding.step {
                Step::Recalled {
                    since: since @ None, ..
                } => *since = Some(now),
                Step::Recalled { since: Some(since), .. } if now.since(*since) >= RECALL_GRACE => over.push(fence),
                Step::Handed(lies @ None) => {
                    *lies = Some(InMailbox::new(now, messages(worker)));
                    seen.insert(worker.clone());
                }
                Step::Handed(Some(lies)) if now.since(lies.since) >= BEGIN_GRACE => {
                    let is_passed_over = lies.is_passed_over(now, messages(worker), BEGIN_GRACE);
                    let which = if is_passed_over { &mut deaf } else { &mut late };
                    which.insert(worker.clone());
                }
                _ => {}
            }
        }
        for fence in over {
            self.forget(fence, effects);
        }
        let handled = |worker: &Worker| messages(worker).handled;
        for worker in self.stuck.clone() {
            if !self.stands_still(&worker, now, handled, Duration::ZERO) {
                self.moves(&worker);
            }
        }
        for worker in seen {
            self.stands_still(&worker, now, handled, Duration::ZERO);
        }
        let mut hanging = deaf.clone();
        for worker in late {
            if self.stands_still(&worker, now, handled, BEGIN_GRACE) {
                hanging.insert(worker);
            }
        }
        for worker in hanging {
            let is_deaf = deaf.contains(&worker);
            self.change(&worker, |hand| {
                hand.is_stuck = true;
                hand.is_deaf |= is_deaf;
            });
            self.stuck.insert(worker.clone());
            self.take_back(&worker, false, effects);
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
            match &mut holding.step {
                Step::Handed(Some(lies)) => lies.looked_away(now),
                Step::Recalled {
                    since: since @ Some(_), ..
                } => *since = Some(now),
                _ => {}
            }
        }
        self.crowd.wait_anew();
    }
}
