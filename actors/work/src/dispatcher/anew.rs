//! What a dispatcher makes of what the last one left.

use super::ahead::Ahead;
use super::crowd::Crowd;
use super::hands::Hands;
use super::holding::{Effect, Holding, Hunger, Step};
use super::ranking::Ranking;
use crate::queue::Word;
use crate::words::Fence;

/// What becomes of a task whose post is nowhere: who was to send it, or to follow its end, fell before that.
enum Without {
    Over(Word),
    Forgotten,
    Nothing,
}

impl Without {
    fn of(step: &Step) -> Self {
        match step {
            Step::Handed(_) => Self::Over(Word::GivenBack),
            Step::Begun(_) => Self::Over(Word::Abandoned {
                why: "what became of it was lost with the dispatcher".to_owned(),
            }),
            Step::Lying | Step::Recalled { .. } => Self::Forgotten,
            Step::Ahead(_) | Step::Over(_) => Self::Nothing,
        }
    }
}

impl Hands {
    /// Whoever asked and told is gone: what was asked for will not come, and nobody knows whether the queue has heard what was
    /// told last. It may have fallen amid a change, so all that is kept beside the tasks in hand is reckoned from them.
    pub(super) fn begins_anew(&mut self, has_post: impl Fn(Fence) -> bool, effects: &mut Vec<Effect>) {
        let lost: Vec<_> = self
            .held
            .iter()
            .map(|(fence, _)| fence)
            .filter(|fence| !has_post(*fence))
            .collect();
        for fence in lost {
            let Some(Holding { step, .. }) = self.held.get_mut(fence) else {
                continue;
            };
            match Without::of(step) {
                Without::Over(word) => *step = Step::Over(word),
                Without::Forgotten => drop(self.held.remove(fence)),
                Without::Nothing => {}
            }
        }
        let untold = self
            .held
            .iter()
            .filter(|(_, held)| !matches!(held.step, Step::Ahead(_) | Step::Handed(_)));
        self.untold = untold.map(|(fence, _)| fence).collect();
        // What has no room is told with the others, and refused again.
        self.crowd = Crowd::default();
        self.reckon_anew();
        let workers: Vec<_> = self.takers.keys().cloned().collect();
        for worker in workers {
            self.hand_out(&worker, effects);
            self.forget_gone(&worker);
        }
    }

    fn reckon_anew(&mut self) {
        self.asking = 0;
        self.hungry.clear();
        for spread in self.teams.values_mut() {
            spread.clear();
        }
        let mut seated = Vec::new();
        for (worker, hand) in &mut self.takers {
            hand.asking = 0;
            hand.ranking = Ranking::default();
            (hand.busy_with, hand.ahead, hand.hunger) = (0, Ahead::default(), Hunger::default());
            let mut lies = false;
            for step in self
                .held
                .of(worker)
                .filter_map(|fence| Some(&self.held.get(fence)?.step))
            {
                match step {
                    Step::Ahead(claim) => hand.ahead.push_back(claim),
                    Step::Handed(_) | Step::Begun(_) | Step::Recalled { .. } => hand.busy_with += 1,
                    Step::Lying => (hand.busy_with, lies) = (hand.busy_with + 1, true),
                    Step::Over(_) => {}
                }
            }
            hand.is_stuck &= lies;
            hand.is_deaf &= lies;
            seated.extend(hand.place.map(|place| (place, worker.clone())));
        }
        self.stuck = self
            .takers
            .iter()
            .filter(|(_, hand)| hand.is_stuck)
            .map(|(worker, _)| worker.clone())
            .collect();
        // In the order in which they sat.
        seated.sort_unstable();
        for (_, worker) in &seated {
            self.seat(worker);
        }
    }
}
