//! Who asks for tasks, and who takes of others.
//!
//! | who asks | for how much | how many may |
//! |---|---|---|
//! | whom the dispatch of a team chooses | one task, or all it has room for where it is the only one | so many of a team, while there is plenty |
//! | who has nothing and asks for nothing | one task | all: nobody waits because of others |
//! | whom others of its team outnumber who are able to do something else | one task | until those who are able to do the same have their share |
//!
//! Who has nothing, and for whom the queue has nothing either, takes of the sibling that has most ahead.
//!
//! So a task that lies in the queue is never kept from somebody idle by what others ask for. What others have ahead is: of that an
//! idle one gets what those of its own team have who are able to do nothing that it is not, and nothing of other teams.

use std::sync::Arc;

use triarch_supervision::clock::Chance;

use super::hands::Hands;
use super::holding::Effect;
use super::spread::{Among, Spread};
use crate::dispatch;
use crate::queue::{Rank, Word};
use crate::words::Worker;

/// So many of a team are helped at a time who have nothing, and wait.
const RELIEVED: usize = 16;

/// How much may be asked for and in hand.
#[derive(Clone, Copy, Debug)]
pub(super) struct Bounds {
    /// So many tasks, all teams together, before only those get more who are idle or have less than their share.
    pub(super) plenty: usize,
    /// So many that the agents of one team ask for, under the same condition.
    pub(super) asking: usize,
    /// So many more, shared by all who are able to do the same.
    pub(super) shares: usize,
}

/// Beside these each agent has one of its own.
impl Default for Bounds {
    fn default() -> Self {
        Self {
            plenty: 1 << 16,
            asking: 1_024,
            shares: 1 << 15,
        }
    }
}

impl Hands {
    /// Claims for those who have room.
    pub(super) fn ask(&mut self, chance: &mut impl Chance, effects: &mut Vec<Effect>) {
        // What they get for it might have no room either.
        if self.withheld.is_so() || self.hungry.is_empty() || self.crowd.is_too_much() {
            return;
        }
        let teams: Vec<_> = self.hungry.iter().cloned().collect();
        for team in &teams {
            self.ask_as_chosen(team, chance, effects);
        }
        for team in &teams {
            while self.ask_one(team, Among::Idle, chance, effects) {}
        }
        let lots: usize = self.teams.values().map(Spread::count_lots).sum();
        let share = (self.bounds.shares / lots.max(1)).clamp(1, self.bounds.asking);
        for team in &teams {
            self.ask_for_shares(team, share, chance, effects);
        }
    }

    fn ask_as_chosen(&mut self, team: &Arc<str>, chance: &mut impl Chance, effects: &mut Vec<Effect>) {
        while self.asking + self.held.len() < self.bounds.plenty {
            let has_room = |spread: &Spread| spread.asking < self.bounds.asking;
            if !self.teams.get(team).is_some_and(has_room) || !self.ask_one(team, Among::Free, chance, effects) {
                return;
            }
        }
    }

    fn ask_for_shares(&mut self, team: &Arc<str>, share: usize, chance: &mut impl Chance, effects: &mut Vec<Effect>) {
        let Some(spread) = self.teams.get(team).filter(|spread| spread.is_free()) else {
            return;
        };
        for able in spread.poor_lots(share) {
            let has_less = |hands: &Self| {
                let lot = hands.teams.get(team).and_then(|spread| spread.lot(&able));
                lot.is_some_and(|lot| lot.tasks < share)
            };
            while has_less(self) && self.ask_one(team, Among::Lot(&able), chance, effects) {}
        }
    }

    fn ask_one(
        &mut self,
        team: &Arc<str>,
        among: Among<'_>,
        chance: &mut impl Chance,
        effects: &mut Vec<Effect>,
    ) -> bool {
        let chosen = self.teams.get_mut(team).and_then(|spread| {
            let (worker, is_only_one) = spread.choose(among, chance)?;
            Some((worker, is_only_one, spread.ranks(), spread.has_spare()))
        });
        let Some((worker, is_only_one, ranks, has_spare)) = chosen else {
            return false;
        };
        let asked = self.change(&worker, |hand| {
            let most = match among {
                Among::Free if is_only_one => hand.room(),
                _ => 1,
            };
            let tries = has_spare && hand.is_idle() && !hand.hunger.is_tried;
            hand.hunger.is_tried |= tries;
            (Arc::clone(&hand.able), most, hand.ask(most, ranks), tries)
        });
        let Some((able, most, place, tries)) = asked else {
            return false;
        };
        let rank = place.map(|place| Rank {
            team: Arc::clone(team),
            place,
        });
        effects.push(Effect::Ask {
            worker,
            able,
            most,
            rank,
            tries,
        });
        true
    }

    /// The queue has nothing for a worker that asked, and waits on.
    pub(super) fn in_vain(&mut self, worker: &Worker, effects: &mut Vec<Effect>) {
        self.change(worker, |hand| hand.hunger.is_tried = false);
        self.steal_for(worker, effects);
    }

    /// Some time has passed: who waited through all of it with nothing to do is helped. Others may have got what came meanwhile.
    pub(super) fn relieve(&mut self, effects: &mut Vec<Effect>) {
        let spare = self.teams.values_mut().filter(|spread| spread.has_spare());
        let starving: Vec<_> = spare.flat_map(|spread| spread.next_starving(RELIEVED)).collect();
        for worker in starving {
            let was_seen = self.change(&worker, |hand| std::mem::replace(&mut hand.hunger.is_seen, true));
            if was_seen == Some(true) {
                self.steal_for(&worker, effects);
            }
        }
    }

    /// A worker that has nothing and waits has the tail of the heaviest sibling given back, so that its own claim gets of it.
    fn steal_for(&mut self, thief: &Worker, effects: &mut Vec<Effect>) {
        if self.withheld.is_so() {
            return;
        }
        let starving = self.takers.get(thief).filter(|hand| hand.tally().starves);
        let found = starving.and_then(|hand| self.teams.get(&hand.team)?.heaviest_for(&hand.able));
        let Some((victim, open)) = found else { return };
        for _ in 0..dispatch::steal(open) {
            let last = self.change(&victim, |hand| hand.ahead.pop_last_open()).flatten();
            let Some((fence, task)) = last.and_then(|fence| Some((fence, self.held.get(fence)?.task))) else {
                return;
            };
            self.over(task, fence, Word::GivenBack, effects);
        }
    }
}
