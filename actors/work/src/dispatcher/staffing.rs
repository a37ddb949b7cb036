//! Who takes tasks, and who has what.

use std::collections::{BTreeMap, VecDeque};
use std::ops::Bound;
use std::sync::Arc;

use super::hands::Hands;
use super::holding::{Effect, Hand, InHand, Spread, Step, Whereabouts};
use super::roster::{Taker, TakingTeam};
use crate::dispatch::{Memory, Service};
use crate::words::{Fence, Worker};

impl Hands {
    /// These take tasks, and no others.
    pub(super) fn staff(&mut self, teams: &[TakingTeam], effects: &mut Vec<Effect>) {
        for hand in self.takers.values_mut() {
            hand.is_gone = true;
        }
        let mut spreads = BTreeMap::new();
        for team in teams {
            let old = self.teams.remove(&team.name).unwrap_or_default();
            let spread = Spread {
                dispatch: team.dispatch,
                memory: if old.dispatch == team.dispatch {
                    old.memory
                } else {
                    Memory::default()
                },
                takers: team.takers.iter().map(|taker| taker.worker.clone()).collect(),
                standings: Vec::with_capacity(team.takers.len()),
                ..Spread::default()
            };
            spreads.insert(Arc::clone(&team.name), spread);
            for (place, taker) in team.takers.iter().enumerate() {
                self.admit(&team.name, place, taker, effects);
            }
        }
        self.teams = spreads;
        let gone: Vec<_> = self
            .takers
            .iter()
            .filter(|(_, hand)| hand.is_gone)
            .map(|(worker, _)| worker.clone())
            .collect();
        for worker in gone {
            effects.push(Effect::Withdraw(worker.clone()));
            self.take_back(&worker, true, effects);
        }
        self.takers
            .retain(|_, hand| !hand.is_gone || hand.asking > 0 || hand.busy_with > 0);
        self.count_anew();
    }

    fn admit(&mut self, team: &Arc<str>, place: usize, taker: &Taker, effects: &mut Vec<Effect>) {
        let hand = self.takers.entry(taker.worker.clone()).or_insert_with(|| Hand {
            team: Arc::clone(team),
            place,
            able: Arc::clone(&taker.able),
            rules: taker.rules,
            is_here: false,
            is_gone: false,
            asking: 0,
            busy_with: 0,
            ahead: VecDeque::new(),
            service: Service::default(),
        });
        if hand.able != taker.able && hand.asking > 0 {
            // It asked as who it was; it asks again as who it is.
            effects.push(Effect::Withdraw(taker.worker.clone()));
        }
        (hand.team, hand.place) = (Arc::clone(team), place);
        (hand.able, hand.rules, hand.is_gone) = (Arc::clone(&taker.able), taker.rules, false);
    }

    fn count_anew(&mut self) {
        for (name, spread) in &mut self.teams {
            let hands = spread.takers.iter().filter_map(|worker| self.takers.get(worker));
            spread.standings = hands.clone().map(Hand::standing).collect();
            spread.free = hands
                .clone()
                .filter(|hand| hand.room() > 0)
                .map(|hand| hand.place)
                .collect();
            spread.ahead = hands.map(|hand| hand.ahead.len()).sum();
            let of_team = self.takers.values().filter(|hand| hand.team == *name);
            spread.asking = of_team.map(|hand| hand.asking).sum();
        }
    }

    /// Those who take tasks, with whether they are known to be there.
    pub(super) fn takers(&self) -> impl Iterator<Item = (&Worker, bool)> {
        self.takers.iter().map(|(worker, hand)| (worker, hand.is_here))
    }

    /// Up to so many of those who are there, behind that one.
    pub(super) fn here_after(&self, last: Option<&Worker>, most: usize) -> Vec<Worker> {
        let from = last.map_or(Bound::Unbounded, Bound::Excluded);
        let hands = self.takers.range((from, Bound::Unbounded));
        let here = hands.filter(|(_, hand)| hand.is_here).map(|(worker, _)| worker.clone());
        here.take(most).collect()
    }

    /// How many tasks are in the hands of agents.
    pub(super) fn count(&self) -> usize {
        self.held.len()
    }

    /// Whether somebody has a task under that lease.
    pub(super) fn holds(&self, fence: Fence) -> bool {
        self.held.contains_key(&fence)
    }

    /// Whether that worker is among those who take tasks.
    pub(super) fn knows(&self, worker: &Worker) -> bool {
        self.takers.contains_key(worker)
    }

    /// Whoever asked and told is gone: what was asked for will not come, and nobody knows whether the queue has heard what was
    /// told last.
    pub(super) fn begins_anew(&mut self) {
        let over = self
            .held
            .iter()
            .filter(|(_, holding)| matches!(holding.step, Step::Over(_)));
        self.untold = over.map(|(fence, _)| *fence).collect();
        let workers: Vec<_> = self.takers.keys().cloned().collect();
        for worker in workers {
            self.change(&worker, |hand| hand.asking = 0);
        }
    }

    /// What one worker has.
    pub(crate) fn of(&self, worker: &Worker) -> Vec<InHand> {
        let of_worker = self.held.iter().filter(|(_, holding)| holding.worker == *worker);
        of_worker
            .map(|(fence, holding)| InHand {
                task: holding.task,
                fence: *fence,
                standing: match holding.step {
                    Step::Ahead(_) => Whereabouts::Ahead,
                    Step::Handed => Whereabouts::Handed,
                    Step::Begun(_) => Whereabouts::Begun,
                    Step::Recalled(_) => Whereabouts::Recalled,
                    Step::Over(_) => Whereabouts::Over,
                },
            })
            .collect()
    }
}
