//! What mailboxes have no room for, and the queue.

use triarch_supervision::clock::Moment;

use super::ahead::Ahead;
use super::hands::Hands;
use super::holding::{Effect, Holding, Step};
use crate::queue::Word;
use crate::task::Claim;
use crate::words::{Fence, Worker};

impl Hands {
    /// A worker did not take the post of a task: its mailbox is full, or it is not there.
    pub(super) fn refused(&mut self, claim: Claim, is_full: bool, effects: &mut Vec<Effect>) {
        let Some(worker) = self.unsent(claim, effects) else {
            return;
        };
        if is_full {
            // What lies there is its own.
            self.change(&worker, |hand| hand.fits = Some(hand.busy_with));
            self.full.insert(worker.clone());
            self.empty(&worker, effects);
            return self.forget_gone(&worker);
        }
        // It is looked for again like one that is away.
        self.seen(&worker, false, effects);
    }

    /// The post of a task did not go out: it is kept ready for its worker, unless it was taken back before its turn came.
    pub(super) fn unsent(&mut self, claim: Claim, effects: &mut Vec<Effect>) -> Option<Worker> {
        let (fence, holding) = (claim.fence, self.held.get(claim.fence)?);
        let worker = holding.worker.clone();
        if !matches!(holding.step, Step::Handed(_)) {
            self.forget(fence, effects);
            return None;
        }
        self.change(&worker, |hand| {
            hand.busy_with = hand.busy_with.saturating_sub(1);
            hand.ahead.push_front(&claim);
        });
        if let Some(holding) = self.held.get_mut(fence) {
            holding.step = Step::Ahead(Box::new(claim));
        }
        Some(worker)
    }

    /// Some time has passed: there may be room for one more in mailboxes that were full.
    pub(super) fn try_full(&mut self) {
        for worker in std::mem::take(&mut self.full) {
            let is_full = self.change(&worker, |hand| {
                hand.fits = hand.fits.map(|fits| fits + 1);
                hand.fits = hand.fits.filter(|fits| *fits <= hand.rules.at_once as usize);
                hand.fits.is_some()
            });
            if is_full == Some(true) {
                self.full.insert(worker);
            }
        }
    }

    /// Gives back what is kept ready for a worker.
    pub(super) fn empty(&mut self, worker: &Worker, effects: &mut Vec<Effect>) {
        let fences: Vec<_> = self.held.of(worker).collect();
        self.change(worker, |hand| hand.ahead = Ahead::default());
        for fence in fences {
            if let Some(Holding {
                task,
                step: Step::Ahead(_),
                ..
            }) = self.held.get(fence)
            {
                self.over(*task, fence, Word::GivenBack, effects);
            }
        }
    }

    /// The queue has no room for a result. It is told again for as long as there may be some.
    pub(super) fn has_no_room(
        &mut self,
        fence: Fence,
        why: String,
        may_ease: bool,
        now: Moment,
        effects: &mut Vec<Effect>,
    ) {
        let Some(Holding {
            step: Step::Over(Word::Done { result }),
            ..
        }) = self.held.get(fence)
        else {
            return;
        };
        if self.crowd.refused(fence, result.len(), may_ease, now) {
            self.misfit(fence, why, effects);
        }
    }
}
