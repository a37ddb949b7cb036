//! How the agents of a team stand, kept beside them so that nobody has to look at all of them.
//!
//! Each has a place. A place that somebody leaves is given to the next who comes, so that the others keep theirs. Those who are
//! able to do the same are a *lot*: by it a thief finds who has most that it is able to do, and a lot that others outnumber
//! has a share of its own.

use std::cmp::Reverse;
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use triarch_supervision::clock::Chance;

use super::holding::{Hand, Tally};
use super::steps;
use crate::dispatch::{Dispatch, Means, Memory, Ranks, Standing};
use crate::words::{Capability, Worker};

#[derive(Debug, Default)]
pub(super) struct Spread {
    pub(super) dispatch: Dispatch,
    pub(super) memory: Memory,
    takers: Vec<Option<Worker>>,
    /// What a place says that nobody has is not asked for.
    standings: Vec<Standing>,
    means: Means,
    vacant: BTreeSet<usize>,
    /// The places of those who have room for more, in order.
    free: Vec<usize>,
    /// Of those the ones who have nothing, and ask for nothing.
    idle: Vec<usize>,
    /// The places of those who have nothing, and wait for something.
    starving: Vec<usize>,
    /// From which of these places on it is looked next.
    round: usize,
    /// How much of what they have ahead others may have too.
    open: usize,
    pub(super) asking: usize,
    lots: BTreeMap<Arc<[Capability]>, Lot>,
    /// The lots that have room for more: what they ask for and have, and who they are.
    roomy: BTreeSet<(usize, Arc<[Capability]>)>,
}

/// Those of a team who are able to do the same.
#[derive(Debug, Default)]
pub(super) struct Lot {
    members: usize,
    free: Vec<usize>,
    /// What they ask for and have.
    pub(super) tasks: usize,
    /// Who has most ahead that others may have too, and of several the one whose place is first, comes last.
    heavy: BTreeSet<(usize, Reverse<usize>)>,
}

/// Among whom one is chosen.
#[derive(Clone, Copy, Debug)]
pub(super) enum Among<'a> {
    Free,
    Idle,
    Lot(&'a [Capability]),
}

impl Lot {
    /// Whether any of them has room for more.
    pub(super) const fn has_room(&self) -> bool {
        !self.free.is_empty()
    }

    /// What they ask for and have, where they have room for more.
    fn roomy(&self) -> Option<usize> {
        self.has_room().then_some(self.tasks)
    }
}

impl Spread {
    /// Nobody has a place any more; whose turn it is stays.
    pub(super) fn clear(&mut self) {
        *self = Self {
            dispatch: self.dispatch,
            memory: std::mem::take(&mut self.memory),
            ..Self::default()
        };
    }

    /// Gives somebody a place.
    pub(super) fn seat(&mut self, worker: Worker, hand: &Hand) -> usize {
        let place = self.vacant.pop_first().unwrap_or(self.takers.len());
        if place == self.takers.len() {
            self.takers.push(None);
            self.standings.push(Standing::default());
        }
        if let Some(taker) = self.takers.get_mut(place) {
            *taker = Some(worker);
        }
        self.lots.entry(Arc::clone(&hand.able)).or_default().members += 1;
        self.reckon(place, hand, Tally::default(), hand.tally());
        place
    }

    /// Somebody leaves a place.
    pub(super) fn vacate(&mut self, place: usize, hand: &Hand) {
        self.reckon(place, hand, hand.tally(), Tally::default());
        if let Some(taker) = self.takers.get_mut(place) {
            *taker = None;
            self.vacant.insert(place);
        }
        self.stands(place, Standing::default());
        if let Some(lot) = self.lots.get_mut(&hand.able) {
            lot.members -= 1;
            if lot.members == 0 {
                self.lots.remove(&hand.able);
            }
        }
    }

    /// What somebody asks for and has is not what it was.
    pub(super) fn reckon(&mut self, place: usize, hand: &Hand, before: Tally, now: Tally) {
        steps::one();
        self.asking = self.asking + now.asking - before.asking;
        keep(&mut self.free, place, now.has_room);
        keep(&mut self.idle, place, now.has_room && now.tasks() == 0);
        keep(&mut self.starving, place, now.starves);
        self.open = self.open + now.open - before.open;
        self.stands(place, hand.standing());
        let Some(lot) = self.lots.get_mut(&hand.able) else {
            return;
        };
        let was_roomy = lot.roomy();
        lot.tasks = lot.tasks + now.tasks() - before.tasks();
        keep(&mut lot.free, place, now.has_room);
        let is_roomy = lot.roomy();
        if was_roomy != is_roomy {
            let named = |tasks| (tasks, Arc::clone(&hand.able));
            if let Some(tasks) = was_roomy {
                self.roomy.remove(&named(tasks));
            }
            self.roomy.extend(is_roomy.map(named));
        }
        if before.open != now.open {
            lot.heavy.remove(&(before.open, Reverse(place)));
            if now.open > 0 {
                lot.heavy.insert((now.open, Reverse(place)));
            }
        }
    }

    fn stands(&mut self, place: usize, now: Standing) {
        if let Some(standing) = self.standings.get_mut(place) {
            self.means.replace(standing.service, now.service);
            *standing = now;
        }
    }

    /// What the claims of its agents are ranked by.
    pub(super) fn ranks(&self) -> Ranks {
        self.dispatch.ranks(self.means, &self.memory)
    }

    /// Whether anybody has room for more.
    pub(super) const fn is_free(&self) -> bool {
        !self.free.is_empty()
    }

    /// Who is next as the dispatch has it, and whether there was nobody else.
    pub(super) fn choose(&mut self, among: Among<'_>, chance: &mut impl Chance) -> Option<(Worker, bool)> {
        let free = match among {
            Among::Free => &self.free,
            Among::Idle => &self.idle,
            Among::Lot(able) => &self.lots.get(able)?.free,
        };
        let place = self
            .dispatch
            .choose(&self.standings, free, self.means, &mut self.memory, chance)?;
        let worker = self.takers.get(place)?.clone()?;
        Some((worker, self.free.len() == 1))
    }

    /// Those who are able to do the same, have room for more, and ask for and have less than `share`; who are able to do least
    /// first.
    pub(super) fn poor_lots(&self, share: usize) -> Vec<Arc<[Capability]>> {
        let poor = self.roomy.iter().take_while(|(tasks, _)| *tasks < share);
        let mut lots: Vec<_> = poor
            .inspect(|_| steps::one())
            .map(|(_, able)| Arc::clone(able))
            .collect();
        lots.sort_unstable_by(|one, other| (one.len(), one).cmp(&(other.len(), other)));
        lots
    }

    #[cfg(test)]
    pub(super) fn lots(&self) -> Vec<Arc<[Capability]>> {
        self.lots.keys().cloned().collect()
    }

    pub(super) fn lot(&self, able: &[Capability]) -> Option<&Lot> {
        self.lots.get(able)
    }

    pub(super) fn count_lots(&self) -> usize {
        self.lots.len()
    }

    /// Whether somebody has more ahead than one, of which another could have some.
    pub(super) const fn has_spare(&self) -> bool {
        self.open > 1
    }

    /// Up to so many of those who have nothing and wait for something, behind those who were looked at last.
    pub(super) fn next_starving(&mut self, most: usize) -> Vec<Worker> {
        let first = self.starving.partition_point(|place| *place < self.round);
        let (before, behind) = self.starving.split_at(first);
        let places: Vec<_> = behind.iter().chain(before).copied().take(most).collect();
        self.round = places.last().map_or(0, |last| last + 1);
        let takers = places.iter().filter_map(|place| self.takers.get(*place)?.clone());
        takers.collect()
    }

    /// Who has most ahead, that others may have too, of those who are able to do nothing that a thief is not able to do, and how much: what the thief is not
    /// able to do would only come back to where it was.
    pub(super) fn heaviest_for(&self, thief: &[Capability]) -> Option<(Worker, usize)> {
        let fitting = self.lots.iter().filter(|(able, _)| {
            steps::one();
            able.iter().all(|capability| thief.contains(capability))
        });
        let heaviest = fitting.filter_map(|(_, lot)| lot.heavy.last()).max()?;
        let (open, Reverse(place)) = *heaviest;
        Some((self.takers.get(place)?.clone()?, open))
    }
}

/// Has a place among others, which are in order, or not.
fn keep(places: &mut Vec<usize>, place: usize, is_in: bool) {
    match (places.binary_search(&place), is_in) {
        (Ok(at), false) => drop(places.remove(at)),
        (Err(at), true) => places.insert(at, place),
        _ => {}
    }
}

#[cfg(test)]
use crate::dispatch::Service;

#[cfg(test)]
impl Spread {
    /// Holds what is kept to what the hands say.
    pub(super) fn assert_agrees(&self, hands: &BTreeMap<Worker, Hand>) {
        let seated = || {
            let takers = self.takers.iter().enumerate();
            takers.filter_map(|(place, taker)| Some((place, &hands[taker.as_ref()?])))
        };
        let places = |is: &dyn Fn(&Hand) -> bool| -> Vec<usize> {
            seated().filter(|(_, hand)| is(hand)).map(|(place, _)| place).collect()
        };
        assert!(seated().all(|(place, hand)| hand.place == Some(place)));
        assert_eq!(self.free, places(&|hand| hand.room() > 0));
        assert_eq!(self.idle, places(&|hand| hand.room() > 0 && hand.tally().tasks() == 0));
        assert_eq!(self.starving, places(&|hand| hand.tally().starves));
        assert_eq!(self.open, seated().map(|(_, hand)| hand.ahead.open()).sum::<usize>());
        assert!(seated().all(|(place, hand)| self.standings[place] == hand.standing()));
        let means = seated().fold(Means::default(), |mut means, (_, hand)| {
            means.replace(Service::default(), hand.service);
            means
        });
        assert_eq!(self.means, means);
        assert_eq!(self.asking, seated().map(|(_, hand)| hand.asking).sum::<usize>());
        assert_eq!(
            self.lots.values().map(|lot| lot.members).sum::<usize>(),
            seated().count()
        );
        let roomy = self.lots.iter().filter(|(_, lot)| lot.has_room());
        assert_eq!(
            self.roomy,
            roomy.map(|(able, lot)| (lot.tasks, Arc::clone(able))).collect()
        );
        for (able, lot) in &self.lots {
            let is_one = |hand: &Hand| hand.able == *able;
            let tallies = || {
                seated()
                    .filter(|(_, hand)| is_one(hand))
                    .map(|(place, hand)| (place, hand.tally()))
            };
            assert_eq!(lot.free, places(&|hand| is_one(hand) && hand.room() > 0));
            assert_eq!(lot.tasks, tallies().map(|(_, tally)| tally.tasks()).sum::<usize>());
            let heavy = tallies().filter(|(_, tally)| tally.open > 0);
            assert_eq!(
                lot.heavy,
                heavy.map(|(place, tally)| (tally.open, Reverse(place))).collect()
            );
        }
    }

    pub(super) fn count_seated(&self) -> usize {
        self.takers.iter().flatten().count()
    }
}
