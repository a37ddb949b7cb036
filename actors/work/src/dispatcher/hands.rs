//! In whose hands tasks are, decided without IO, clock or chance of its own.
//!
//! ```text
//!   asked ──claimed──▶ ahead ──┬─▶ handed ──delivered──▶ begun ──┬─▶ over ──told──▶ forgotten
//!                              │      │                    │     │   (told again until the queue has heard it)
//!                              │      └──── revoked ───────┴─▶ recalled ──▶ over
//!                              └─▶ given back: to a sibling that is idle, or because its agent is away or hangs
//! ```

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use serde_json::Value;
use triarch_supervision::clock::Moment;
use triarch_teams::receipt::Stage;

use super::ahead::Ahead;
use super::asking::Bounds;
use super::crowd::Crowd;
use super::held::Held;
use super::holding::{Effect, Hand, Holding, Step};
use super::roster::TakingTeam;
use super::spread::Spread;
use crate::machine::Mend;
use crate::queue::Word;
use crate::task::Claim;
use crate::withheld::Withheld;
use crate::words::{Fence, TaskId, Worker};

/// All tasks that are in the hands of agents.
#[derive(Debug, Default)]
pub(crate) struct Hands {
    pub(super) bounds: Bounds,
    pub(super) withheld: Withheld,
    /// Who takes tasks, as it was last said.
    pub(super) known: Arc<[TakingTeam]>,
    pub(super) teams: BTreeMap<Arc<str>, Spread>,
    /// The teams where somebody has room for more.
    pub(super) hungry: BTreeSet<Arc<str>>,
    pub(super) takers: BTreeMap<Worker, Hand>,
    pub(super) held: Held,
    /// Who left a task lying in its mailbox for too long, and has handled nothing since.
    pub(super) stuck: BTreeSet<Worker>,
    /// What the queue is to be told again.
    pub(super) untold: BTreeSet<Fence>,
    /// What the queue has no room for.
    pub(super) crowd: Crowd,
    /// Those whose mailboxes were full.
    pub(super) full: BTreeSet<Worker>,
    pub(super) asking: usize,
}

impl Hands {
    /// What changed of a hand changes how its team stands.
    pub(super) fn change<T>(&mut self, worker: &Worker, change: impl FnOnce(&mut Hand) -> T) -> Option<T> {
        let hand = self.takers.get_mut(worker)?;
        let before = hand.tally();
        let changed = change(hand);
        let now = hand.tally();
        self.asking = self.asking + now.asking - before.asking;
        if let Some(place) = hand.place
            && let Some(spread) = self.teams.get_mut(&hand.team)
        {
            spread.reckon(place, hand, before, now);
            if now.has_room && !before.has_room {
                self.hungry.insert(Arc::clone(&hand.team));
            } else if !spread.is_free() {
                self.hungry.remove(&hand.team);
            }
        }
        Some(changed)
    }

    /// Whether an agent is there to take tasks. What one that is away has not begun goes to others.
    pub(super) fn seen(&mut self, worker: &Worker, is_here: bool, effects: &mut Vec<Effect>) {
        let was = self.change(worker, |hand| {
            let was_known_here = hand.is_known_here();
            hand.setbacks.is_put_off &= !is_here;
            (std::mem::replace(&mut hand.is_here, is_here), was_known_here)
        });
        match (was, is_here) {
            (Some((true, _)), false) => self.take_back(worker, false, effects),
            (Some((_, false)), true) => self.hand_out(worker, effects),
            _ => {}
        }
    }

    /// Takes back what a worker has not begun, and where it is to have nothing that too.
    pub(super) fn take_back(&mut self, worker: &Worker, begun_too: bool, effects: &mut Vec<Effect>) {
        let fences: Vec<_> = self.held.of(worker).collect();
        self.change(worker, |hand| hand.ahead = Ahead::default());
        for fence in fences {
            let Some(holding) = self.held.get(fence) else {
                continue;
            };
            let task = holding.task;
            let word = Word::GivenBack;
            match holding.step {
                Step::Ahead(_) => self.over(task, fence, word, effects),
                Step::Handed(_) => {
                    effects.push(Effect::Tell { task, fence, word });
                    self.recall(fence, effects);
                }
                Step::Begun(_) if begun_too => {
                    let word = abandoned();
                    effects.push(Effect::Tell { task, fence, word });
                    self.recall(fence, effects);
                }
                Step::Begun(_) | Step::Lying | Step::Recalled { .. } | Step::Over(_) => {}
            }
        }
    }

    fn recall(&mut self, fence: Fence, effects: &mut Vec<Effect>) {
        if let Some(holding) = self.held.get_mut(fence) {
            let is_begun = matches!(holding.step, Step::Begun(_));
            holding.step = if is_begun { recalled(true) } else { Step::Lying };
            effects.push(Effect::Recall(fence));
        }
    }

    /// What came of a claim for up to `most` tasks.
    pub(super) fn claimed(&mut self, worker: &Worker, most: usize, claims: Vec<Claim>, effects: &mut Vec<Effect>) {
        let mut reached = None;
        let takes = self.change(worker, |hand| {
            reached = hand.answered(most, claims.len());
            hand.hunger.is_tried = false;
            hand.hunger.is_seen &= claims.is_empty();
            let takes = hand.takes();
            if takes {
                for claim in &claims {
                    hand.ahead.push_back(claim);
                }
            }
            takes
        });
        self.note_reached(worker, reached);
        for claim in claims {
            let (task, fence) = (claim.task, claim.fence);
            let step = Step::Ahead(Box::new(claim));
            self.held.insert(
                fence,
                Holding {
                    task,
                    worker: worker.clone(),
                    step,
                },
            );
            if takes != Some(true) {
                self.over(task, fence, Word::GivenBack, effects);
            }
        }
        self.hand_out(worker, effects);
        self.forget_gone(worker);
    }

    pub(super) fn hand_out(&mut self, worker: &Worker, effects: &mut Vec<Effect>) {
        loop {
            let is_withheld = self.withheld.is_so();
            let next = self.change(worker, |hand| {
                let may = !is_withheld && hand.takes() && hand.busy_with < hand.rules.at_once as usize;
                let next = if may { hand.ahead.pop_front() } else { None };
                hand.busy_with += usize::from(next.is_some());
                next
            });
            let Some(fence) = next.flatten() else { return };
            let Some(holding) = self.held.get_mut(fence) else {
                continue;
            };
            if let Step::Ahead(claim) = std::mem::replace(&mut holding.step, Step::Handed(None)) {
                let worker = worker.clone();
                effects.push(Effect::Hand { worker, claim: *claim });
            }
        }
    }

    /// What became of the post of a task.
    /// `mend` says whether another attempt may mend it where it failed.
    pub(super) fn staged(&mut self, fence: Fence, stage: Stage, mend: Mend, now: Moment, effects: &mut Vec<Effect>) {
        let Some(holding) = self.held.get_mut(fence) else {
            return;
        };
        let (task, worker) = (holding.task, holding.worker.clone());
        let begun = match holding.step {
            Step::Begun(since) => Some(since),
            _ => None,
        };
        let is_lying = matches!(holding.step, Step::Lying);
        let is_recalled = is_lying || matches!(holding.step, Step::Recalled { .. });
        let word = match stage {
            Stage::Delivered if matches!(holding.step, Step::Handed(_)) => {
                holding.step = Step::Begun(now);
                self.change(&worker, |hand| hand.setbacks.is_shaken = false);
                let word = Word::Began;
                return effects.push(Effect::Tell { task, fence, word });
            }
            Stage::Delivered if matches!(holding.step, Step::Lying) => {
                holding.step = recalled(false);
                return self.comes_to_it(&worker);
            }
            Stage::Delivered | Stage::Accepted => return,
            Stage::Done(result) => Word::Done {
                result: written(&result),
            },
            Stage::Failed(why) => Word::Failed { why, mend },
            Stage::Lost(_) if is_recalled => return self.forget(fence, effects),
            // Whether it fell, or was made to end, is told apart where that can be looked at.
            Stage::Lost(why) if begun.is_some() && self.had_no_other(&worker) => Word::Fell { why },
            Stage::Lost(why) if begun.is_some() => Word::Abandoned { why },
            Stage::Lost(_) => Word::GivenBack,
        };
        let is_done = matches!(word, Word::Done { .. });
        let is_lost = matches!(word, Word::GivenBack | Word::Fell { .. } | Word::Abandoned { .. });
        if is_lying {
            self.comes_to_it(&worker);
        }
        self.moves(&worker);
        self.leave(&worker, |hand| {
            if let Some(since) = begun.filter(|_| is_done) {
                hand.service.observe(now.since(since));
            }
        });
        self.rank_anew(&worker, effects);
        if is_lost {
            // It may be about to start again, or gone.
            self.change(&worker, |hand| hand.setbacks.is_put_off = true);
        }
        self.over(task, fence, word, effects);
        self.hand_out(&worker, effects);
        self.forget_gone(&worker);
    }

    /// Whether a worker was at one task alone, and lost no other just before. Where it was at several nobody knows which of them it was.
    fn had_no_other(&self, worker: &Worker) -> bool {
        let is_begun = |fence| {
            self.held
                .get(fence)
                .is_some_and(|held| matches!(held.step, Step::Begun(_) | Step::Recalled { .. }))
        };
        let was_whole = self
            .takers
            .get(worker)
            .is_some_and(|hand| !hand.setbacks.is_put_off && !hand.setbacks.is_shaken);
        was_whole && self.held.of(worker).filter(|fence| is_begun(*fence)).count() == 1
    }

    /// A worker has taken something out of its mailbox, or is through with it.
    pub(super) fn moves(&mut self, worker: &Worker) {
        if !self.is_deaf(worker) && self.stuck.remove(worker) {
            self.change(worker, |hand| hand.is_stuck = false);
        }
    }

    /// A worker has come to a task that it left lying.
    fn comes_to_it(&mut self, worker: &Worker) {
        self.change(worker, |hand| hand.is_deaf = false);
        self.moves(worker);
    }

    /// Whether what a worker handles says nothing of its tasks.
    pub(super) fn is_deaf(&self, worker: &Worker) -> bool {
        self.takers.get(worker).is_some_and(|hand| hand.is_deaf)
    }

    fn leave(&mut self, worker: &Worker, more: impl FnOnce(&mut Hand)) {
        self.change(worker, |hand| {
            hand.busy_with = hand.busy_with.saturating_sub(1);
            more(hand);
        });
    }

    pub(super) fn over(&mut self, task: TaskId, fence: Fence, word: Word, effects: &mut Vec<Effect>) {
        if let Some(holding) = self.held.get_mut(fence) {
            holding.step = Step::Over(word.clone());
        }
        effects.push(Effect::Tell { task, fence, word });
    }

    pub(super) fn forget(&mut self, fence: Fence, effects: &mut Vec<Effect>) {
        let Some(holding) = self.held.remove(fence) else {
            return;
        };
        match holding.step {
            Step::Ahead(_) => drop(self.change(&holding.worker, |hand| hand.ahead.remove(fence))),
            Step::Lying => {
                self.comes_to_it(&holding.worker);
                self.leave(&holding.worker, |_| {});
            }
            Step::Recalled { .. } => self.leave(&holding.worker, |hand| hand.setbacks.is_shaken = true),
            Step::Handed(_) | Step::Begun(_) => self.leave(&holding.worker, |_| {}),
            Step::Over(_) => {}
        }
        self.hand_out(&holding.worker, effects);
        self.forget_gone(&holding.worker);
    }

    pub(super) fn forget_gone(&mut self, worker: &Worker) {
        let hand = self.takers.get(worker);
        if hand.is_some_and(|hand| hand.is_gone() && hand.asking == 0 && hand.busy_with == 0 && hand.ahead.is_empty()) {
            self.takers.remove(worker);
            self.stuck.remove(worker);
            self.full.remove(worker);
        }
    }

    /// The queue has heard what was told of a lease, which may be over. Only the last word of it lets a task be forgotten: what was
    /// told before may be answered after it, and the last is kept as late where the lease is over.
    pub(super) fn heard(&mut self, fence: Fence, was_last: bool, is_stale: bool, effects: &mut Vec<Effect>) {
        let Some(holding) = self.held.get(fence) else { return };
        match holding.step {
            Step::Over(_) if was_last => {
                self.crowd.leave(fence);
                drop(self.held.remove(fence));
            }
            Step::Over(_) => {}
            _ if is_stale => self.revoked(fence, effects),
            _ => {}
        }
    }

    /// The queue does not take a result as it is, and will not: the task has failed by that.
    pub(super) fn misfit(&mut self, fence: Fence, why: String, effects: &mut Vec<Effect>) {
        let Some(Holding {
            task,
            step: Step::Over(_),
            ..
        }) = self.held.get(fence)
        else {
            return;
        };
        let word = Word::Failed {
            why,
            mend: Mend::Hopeless,
        };
        self.over(*task, fence, word, effects);
    }

    /// The lease is over, and somebody else may have the task.
    pub(super) fn revoked(&mut self, fence: Fence, effects: &mut Vec<Effect>) {
        let Some(holding) = self.held.get(fence) else { return };
        match holding.step {
            Step::Ahead(_) => self.forget(fence, effects),
            // Its agent may be at it still, and has no room for another meanwhile.
            Step::Handed(_) | Step::Begun(_) => self.recall(fence, effects),
            Step::Lying | Step::Recalled { .. } | Step::Over(_) => {}
        }
    }

    /// Some time has passed: leases are prolonged.
    pub(super) fn beat(&self, percent: impl Fn(Fence) -> Option<u8>, effects: &mut Vec<Effect>) {
        for (fence, holding) in self.held.iter() {
            if needs_its_lease(&holding.step) {
                let (task, percent) = (holding.task, percent(fence));
                let word = Word::Alive { lease: None, percent };
                effects.push(Effect::Tell { task, fence, word });
            }
        }
    }

    /// A task is as far as this.
    pub(super) fn progress(&self, fence: Fence, percent: u8) -> Option<Effect> {
        let holding = self.held.get(fence)?;
        matches!(holding.step, Step::Begun(_)).then(|| Effect::Tell {
            task: holding.task,
            fence,
            word: Word::Alive {
                lease: None,
                percent: Some(percent),
            },
        })
    }

    /// The queue is told again that tasks have begun, and how they ended, where it did not take that. It counts each once.
    pub(super) fn tell_again(&mut self, effects: &mut Vec<Effect>) {
        let mut untold = std::mem::take(&mut self.untold);
        untold.extend(self.crowd.next());
        for fence in untold {
            let Some(Holding { task, step, .. }) = self.held.get(fence) else {
                continue;
            };
            let (task, word) = match step {
                Step::Begun(_) => (*task, Word::Began),
                Step::Over(word) => (*task, word.clone()),
                // Where it was taken back as its lease is over, that is what it hears.
                Step::Lying | Step::Recalled { had_begun: false, .. } => (*task, Word::GivenBack),
                Step::Recalled { .. } => (*task, abandoned()),
                Step::Ahead(_) | Step::Handed(_) => continue,
            };
            effects.push(Effect::Tell { task, fence, word });
        }
    }

    /// The queue did not take what it was told of a lease.
    pub(super) fn unheard(&mut self, fence: Fence) {
        if !self.crowd.unheard(fence) {
            self.untold.insert(fence);
        }
    }
}

/// Whether somebody is to do the task still, or the queue has yet to hear how it ended, which may take as long as a full disk stays
/// full or last words take.
const fn needs_its_lease(step: &Step) -> bool {
    match step {
        Step::Ahead(_) | Step::Handed(_) | Step::Begun(_) => true,
        Step::Over(word) => matches!(
            word,
            Word::Done { .. } | Word::Failed { .. } | Word::Fell { .. } | Word::Abandoned { .. }
        ),
        Step::Lying | Step::Recalled { .. } => false,
    }
}

const fn recalled(had_begun: bool) -> Step {
    Step::Recalled { had_begun, since: None }
}

fn abandoned() -> Word {
    let why = "its agent takes tasks no more".to_owned();
    Word::Abandoned { why }
}

/// What came of a task that is in nobody's hands any more is told to be kept as a late result.
pub(super) fn said_late(task: TaskId, fence: Fence, stage: Stage) -> Option<Effect> {
    let word = match stage {
        Stage::Done(result) => Word::Done {
            result: written(&result),
        },
        Stage::Failed(why) => {
            let mend = Mend::Possible;
            Word::Failed { why, mend }
        }
        Stage::Delivered | Stage::Accepted | Stage::Lost(_) => return None,
    };
    Some(Effect::Tell { task, fence, word })
}

fn written(result: &Value) -> Vec<u8> {
    result.to_string().into_bytes()
}

#[cfg(test)]
#[path = "hands_test.rs"]
mod tests;
