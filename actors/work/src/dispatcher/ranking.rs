//! What the claims are ranked by with which an agent waits.
//!
//! All agents of a team that have room wait for tasks at once, and the queue gives the next one to the claim of the lowest rank. So a
//! claim stands for a place at its agent: the first for the task that it would begin, the next for the one after that.

use std::time::Duration;

use super::hands::Hands;
use super::holding::{Effect, Hand};
use super::spread::Spread;
use crate::dispatch::{Dispatch, Ranks, stride};
use crate::words::Worker;

#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Ranking {
    /// How many tasks it has before the one that the lowest of its claims stands for; each further claim stands for the next.
    lowest: usize,
    /// How far it has come by its weight, what it waits for counted.
    mark: u64,
    /// How long a task took it when its claims were ranked.
    mean: Option<Duration>,
}

impl Hand {
    /// It waits for so many more; returns how soon it is to get them.
    pub(super) fn ask(&mut self, most: usize, ranks: Ranks) -> Option<u64> {
        let has = self.busy_with + self.ahead.len();
        let mut ranking = self.ranking;
        if self.asking == 0 {
            // Who had nothing to wait for meanwhile does not make up for it.
            ranking.mark = ranking.mark.max(ranks.reached);
            (ranking.lowest, ranking.mean) = (has, self.service.mean());
        }
        let place = if ranking.lowest > has {
            ranking.lowest = ranking.lowest.saturating_sub(most).max(has);
            ranking.lowest
        } else {
            has.max(ranking.lowest + self.asking)
        };
        let mark = ranking.mark;
        ranking.mark = mark.saturating_add(self.strides(most));
        self.ranking = ranking;
        self.asking += most;
        ranks.of(&self.standing(), place, mark)
    }

    /// Of what it waits for so much is over, by so many tasks. Returns how far it had come, where it got any.
    pub(super) fn answered(&mut self, most: usize, count: usize) -> Option<u64> {
        let first = self.ranking.mark.saturating_sub(self.strides(self.asking));
        let unused = self.strides(most.saturating_sub(count));
        self.ranking.mark = self.ranking.mark.saturating_sub(unused);
        self.ranking.lowest += most;
        self.asking = self.asking.saturating_sub(most);
        (count > 0).then_some(first)
    }

    fn strides(&self, count: usize) -> u64 {
        let count = u64::try_from(count).unwrap_or(u64::MAX);
        stride(self.rules.weight).saturating_mul(count)
    }

    /// The ranks that its claims are to have, where it is much quicker or slower than when they were ranked.
    fn ranked_anew(&mut self, spread: &Spread) -> Option<Vec<u64>> {
        let mean = self.service.mean()?;
        let is_near = |before: Duration| before.abs_diff(mean) * 4 <= before;
        if self.asking == 0 || self.ranking.mean.is_some_and(is_near) {
            return None;
        }
        self.ranking.mean = Some(mean);
        let ranks = spread.ranks();
        let (standing, lowest) = (self.standing(), self.ranking.lowest);
        let places = (0..self.asking).filter_map(|more| ranks.of(&standing, lowest + more, 0));
        Some(places.collect())
    }
}

impl Hands {
    /// Somebody was served who had come so far.
    pub(super) fn note_reached(&mut self, worker: &Worker, mark: Option<u64>) {
        let team = self.takers.get(worker).map(|hand| &hand.team);
        let spread = team.and_then(|team| self.teams.get_mut(team));
        if let Some((spread, mark)) = spread.zip(mark) {
            spread.memory.reach(mark);
        }
    }

    /// What an agent waits with was ranked by how long tasks took it before.
    pub(super) fn rank_anew(&mut self, worker: &Worker, effects: &mut Vec<Effect>) {
        let Some(hand) = self.takers.get_mut(worker) else {
            return;
        };
        let spread = self.teams.get(&hand.team);
        let predicts = spread.filter(|spread| spread.dispatch == Dispatch::Predictive);
        let places = predicts.and_then(|spread| hand.ranked_anew(spread));
        effects.extend(places.map(|places| Effect::Rank {
            worker: worker.clone(),
            places,
        }));
    }
}
