//! Who takes tasks, and who has what.

use std::collections::{BTreeMap, BTreeSet};
use std::ops::Bound;
use std::sync::Arc;

use super::ahead::Ahead;
use super::hands::Hands;
use super::holding::{Effect, Hand, Hunger, InHand, Setbacks, Step, Taking, Whereabouts};
use super::ranking::Ranking;
use super::roster::{Taker, TakingTeam};
use crate::dispatch::{Memory, Service};
use crate::words::{Fence, Worker};

/// How one roster differs from another: who is on it no more, and who is on it since, or as somebody else.
struct Difference<'a> {
    gone: BTreeSet<&'a Worker>,
    new: Vec<(&'a TakingTeam, &'a Taker)>,
}

impl<'a> Difference<'a> {
    fn of(known: &'a [TakingTeam], teams: &'a [TakingTeam]) -> Self {
        let mut before: BTreeMap<&str, &[Taker]> =
            known.iter().map(|team| (&*team.name, team.takers.as_slice())).collect();
        let (mut gone, mut new) = (BTreeSet::new(), Vec::new());
        for team in teams {
            let old = before.remove(&*team.name).unwrap_or_default();
            let (old, now) = differing(old, &team.takers);
            gone.extend(old.iter().map(|taker| &taker.worker));
            new.extend(now.iter().map(|taker| (team, taker)));
        }
        gone.extend(before.into_values().flatten().map(|taker| &taker.worker));
        for (_, taker) in &new {
            gone.remove(&taker.worker);
        }
        Self { gone, new }
    }
}

/// Both without what they begin and end with alike.
fn differing<'a>(mut old: &'a [Taker], mut now: &'a [Taker]) -> (&'a [Taker], &'a [Taker]) {
    while let (Some((one, old_rest)), Some((other, now_rest))) = (old.split_first(), now.split_first()) {
        if one != other {
            break;
        }
        (old, now) = (old_rest, now_rest);
    }
    while let (Some((one, old_rest)), Some((other, now_rest))) = (old.split_last(), now.split_last()) {
        if one != other {
            break;
        }
        (old, now) = (old_rest, now_rest);
    }
    (old, now)
}

impl Hands {
    /// These take tasks, and no others.
    pub(super) fn staff(&mut self, teams: &Arc<[TakingTeam]>, effects: &mut Vec<Effect>) {
        let known = Arc::clone(&self.known);
        let Difference { gone, new } = Difference::of(&known, teams);
        for worker in gone {
            self.dismiss(worker, effects);
        }
        let mut changed = BTreeSet::new();
        for team in teams.iter() {
            let spread = self.teams.entry(Arc::clone(&team.name)).or_default();
            if spread.dispatch != team.dispatch {
                (spread.dispatch, spread.memory) = (team.dispatch, Memory::default());
                changed.insert(&team.name);
            }
        }
        // Who waits was ranked by another dispatch, and asks again; how far they came by that is worth nothing by this one.
        for (worker, hand) in self.takers.iter_mut().filter(|(_, hand)| changed.contains(&hand.team)) {
            hand.ranking = Ranking::default();
            effects.extend((hand.asking > 0).then(|| Effect::Withdraw(worker.clone())));
        }
        for (team, taker) in new {
            self.admit(&team.name, taker, effects);
        }
        let names: BTreeSet<_> = teams.iter().map(|team| &team.name).collect();
        self.teams.retain(|name, _| names.contains(name));
        self.hungry.retain(|name| names.contains(name));
        // Last, so that a life that ended amid all this is followed by one that begins with it anew.
        self.known = Arc::clone(teams);
    }

    /// Somebody takes tasks no more.
    fn dismiss(&mut self, worker: &Worker, effects: &mut Vec<Effect>) {
        self.unseat(worker);
        effects.push(Effect::Withdraw(worker.clone()));
        self.take_back(worker, true, effects);
        self.forget_gone(worker);
    }

    fn admit(&mut self, team: &Arc<str>, taker: &Taker, effects: &mut Vec<Effect>) {
        let is_known = |hand: &Hand| {
            let is_who_it_was = hand.team == *team && hand.able == taker.able && hand.rules == taker.rules;
            is_who_it_was && !hand.is_gone()
        };
        if self.takers.get(&taker.worker).is_some_and(is_known) {
            return;
        }
        self.unseat(&taker.worker);
        let hand = self.takers.entry(taker.worker.clone()).or_insert_with(|| Hand {
            team: Arc::clone(team),
            place: None,
            able: Arc::clone(&taker.able),
            rules: taker.rules,
            is_here: false,
            is_stuck: false,
            is_deaf: false,
            fits: None,
            setbacks: Setbacks::default(),
            moved: None,
            asking: 0,
            busy_with: 0,
            ahead: Ahead::default(),
            hunger: Hunger::default(),
            service: Service::default(),
            ranking: Ranking::default(),
        });
        let has_less_room = taker.rules.at_once + taker.rules.ahead < hand.rules.at_once + hand.rules.ahead;
        if (hand.able != taker.able || has_less_room) && hand.asking > 0 {
            // It asked as who it was; it asks again as who it is, and for no more than it may have.
            effects.push(Effect::Withdraw(taker.worker.clone()));
        }
        if hand.team != *team {
            hand.ranking = Ranking::default();
        }
        let has_lost_some = !hand.able.iter().all(|capability| taker.able.contains(capability));
        (hand.team, hand.able, hand.rules) = (Arc::clone(team), Arc::clone(&taker.able), taker.rules);
        self.seat(&taker.worker);
        if has_lost_some || has_less_room {
            // It may not be able to do it any more, or never come to it.
            self.empty(&taker.worker, effects);
        }
    }

    pub(super) fn seat(&mut self, worker: &Worker) {
        let Some(hand) = self.takers.get_mut(worker) else {
            return;
        };
        let spread = self.teams.entry(Arc::clone(&hand.team)).or_default();
        // A place of its own is what makes its room count.
        hand.place = Some(usize::MAX);
        hand.place = Some(spread.seat(worker.clone(), hand));
        if spread.is_free() {
            self.hungry.insert(Arc::clone(&hand.team));
        }
    }

    fn unseat(&mut self, worker: &Worker) {
        let Some(hand) = self.takers.get_mut(worker) else {
            return;
        };
        let place = hand.place;
        if let Some((place, spread)) = place.zip(self.teams.get_mut(&hand.team)) {
            spread.vacate(place, hand);
            if !spread.is_free() {
                self.hungry.remove(&hand.team);
            }
        }
        hand.place = None;
    }

    /// Those who take tasks, with whether they are known to be there.
    pub(super) fn takers(&self) -> impl Iterator<Item = (&Worker, bool)> {
        self.takers.iter().map(|(worker, hand)| (worker, hand.is_known_here()))
    }

    /// Up to so many of those who are there, behind that one.
    pub(super) fn here_after(&self, last: Option<&Worker>, most: usize) -> Vec<Worker> {
        let from = last.map_or(Bound::Unbounded, Bound::Excluded);
        let hands = self.takers.range((from, Bound::Unbounded));
        let here = hands
            .filter(|(_, hand)| hand.is_known_here())
            .map(|(worker, _)| worker.clone());
        here.take(most).collect()
    }

    /// How many tasks are in the hands of agents.
    pub(super) fn count(&self) -> usize {
        self.held.len()
    }

    /// How many results the queue has no room for, and how many bytes they have.
    pub(super) fn crowd(&self) -> (usize, usize) {
        self.crowd.size()
    }

    /// Whether somebody has a task under that lease.
    pub(super) fn holds(&self, fence: Fence) -> bool {
        self.held.get(fence).is_some()
    }

    /// Whether that worker is among those who take tasks.
    pub(super) fn knows(&self, worker: &Worker) -> bool {
        self.takers.contains_key(worker)
    }

    /// What one worker has.
    pub(crate) fn of(&self, worker: &Worker) -> Vec<InHand> {
        let of_worker = self.held.of(worker);
        let held = of_worker.filter_map(|fence| Some((fence, self.held.get(fence)?)));
        held.map(|(fence, holding)| InHand {
            task: holding.task,
            fence,
            standing: match holding.step {
                Step::Ahead(_) => Whereabouts::Ahead,
                Step::Handed(_) => Whereabouts::Handed,
                Step::Begun(_) => Whereabouts::Begun,
                Step::Lying | Step::Recalled { .. } => Whereabouts::Recalled,
                Step::Over(_) => Whereabouts::Over,
            },
        })
        .collect()
    }

    /// Whether that worker is given tasks, where it is among those who take them.
    pub(crate) fn taking(&self, worker: &Worker) -> Option<Taking> {
        self.takers.get(worker).map(Hand::taking)
    }

    /// How many tasks one worker is at, its own no more or not; those that wait for it are not counted.
    pub(crate) fn count_at_work(&self, worker: &Worker) -> usize {
        let of_worker = self.held.of(worker).filter_map(|fence| self.held.get(fence));
        of_worker
            .filter(|holding| matches!(holding.step, Step::Begun(_) | Step::Recalled { .. }))
            .count()
    }
}
