//! In whose hands tasks are, decided without IO, clock or chance of its own.
//!
//! ```text
//!   asked ──claimed──▶ ahead ──┬─▶ handed ──delivered──▶ begun ──┬─▶ over ──told──▶ forgotten
//!                              │      │                    │     │   (told again until the queue has heard it)
//!                              │      └──── revoked ───────┴─▶ recalled ──▶ over
//!                              └─▶ given back: to a sibling that is idle, or because its agent is away
//! ```

use std::collections::{BTreeMap, VecDeque};
use std::ops::Bound;
use std::sync::Arc;

use serde_json::Value;
use triarch_supervision::clock::Chance;
use triarch_supervision::clock::Moment;
use triarch_teams::TaskRules;
use triarch_teams::receipt::Stage;

use super::roster::{Taker, TakingTeam};
use crate::dispatch::{self, Dispatch, Memory, Service, Steal};
use crate::machine::Mend;
use crate::queue::Word;
use crate::task::Claim;
use crate::words::{Capability, Fence, TaskId, Worker};

/// So many tasks are in the hands of agents or asked for, all teams together.
pub(super) const HELD_MAX: usize = 1 << 16;
/// So many claims of one team wait for tasks.
const ASKING_MAX: usize = 1_024;

/// What is to be done.
#[derive(Debug, PartialEq)]
pub(super) enum Effect {
    /// Claim up to so many tasks for a worker.
    Ask {
        worker: Worker,
        able: Arc<[Capability]>,
        most: usize,
    },
    /// Let a worker wait no more for tasks that it has asked for.
    Withdraw(Worker),
    /// Send a worker the task.
    Hand { worker: Worker, claim: Claim },
    /// Tell the worker that the task under this lease is not its own any more.
    Recall(Fence),
    /// Tell the queue.
    Tell { task: TaskId, fence: Fence, word: Word },
}

/// Where a task stands with the agent that has it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, serde::Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Standing {
    /// It is kept ready for it.
    Ahead,
    /// It lies in its mailbox.
    Handed,
    /// The agent has begun.
    Begun,
    /// The agent is through with it, and the queue has yet to hear so.
    Over,
    /// It is not the agent's any more, which has yet to leave it.
    Recalled,
}

/// A task in the hands of an agent.
#[derive(Clone, Debug, PartialEq, Eq, serde::Serialize)]
pub struct InHand {
    /// Which.
    pub task: TaskId,
    /// Under which lease.
    pub fence: Fence,
    /// Where it stands.
    pub standing: Standing,
}

#[derive(Debug)]
enum Step {
    Ahead(Box<Claim>),
    Handed,
    Begun(Moment),
    Recalled,
    Over(Word),
}

#[derive(Debug)]
struct Holding {
    task: TaskId,
    worker: Worker,
    step: Step,
}

/// One agent that takes tasks.
#[derive(Debug)]
struct Hand {
    team: Arc<str>,
    place: usize,
    able: Arc<[Capability]>,
    rules: TaskRules,
    is_here: bool,
    /// Whether it takes tasks no more, and only has to finish.
    is_gone: bool,
    asking: usize,
    in_hand: usize,
    ahead: VecDeque<Fence>,
    service: Service,
}

#[derive(Debug, Default)]
struct Spread {
    dispatch: Dispatch,
    memory: Memory,
    takers: Vec<Worker>,
    standings: Vec<dispatch::Standing>,
    /// The places of those who have room for more, in order.
    free: Vec<usize>,
    asking: usize,
    ahead: usize,
}

/// All tasks that are in the hands of agents.
#[derive(Debug, Default)]
pub(crate) struct Hands {
    teams: BTreeMap<Arc<str>, Spread>,
    hands: BTreeMap<Worker, Hand>,
    held: BTreeMap<Fence, Holding>,
    /// What the queue is to be told again.
    untold: Vec<Fence>,
    asking: usize,
}

impl Hand {
    fn room(&self) -> usize {
        if self.is_gone || !self.is_here {
            return 0;
        }
        let most = self.rules.at_once as usize + self.rules.ahead as usize;
        most.saturating_sub(self.in_hand + self.ahead.len() + self.asking)
    }

    fn standing(&self) -> dispatch::Standing {
        dispatch::Standing {
            tasks: self.in_hand + self.ahead.len() + self.asking,
            weight: self.rules.weight,
            abilities: self.able.len(),
            service: self.service,
        }
    }
}

impl Hands {
    /// These take tasks, and no others.
    pub(super) fn staff(&mut self, teams: &[TakingTeam], effects: &mut Vec<Effect>) {
        for hand in self.hands.values_mut() {
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
            .hands
            .iter()
            .filter(|(_, hand)| hand.is_gone)
            .map(|(worker, _)| worker.clone())
            .collect();
        for worker in gone {
            effects.push(Effect::Withdraw(worker.clone()));
            self.take_back(&worker, true, effects);
        }
        self.hands
            .retain(|_, hand| !hand.is_gone || hand.asking > 0 || hand.in_hand > 0);
        self.count_anew();
    }

    fn admit(&mut self, team: &Arc<str>, place: usize, taker: &Taker, effects: &mut Vec<Effect>) {
        let hand = self.hands.entry(taker.worker.clone()).or_insert_with(|| Hand {
            team: Arc::clone(team),
            place,
            able: Arc::clone(&taker.able),
            rules: taker.rules,
            is_here: false,
            is_gone: false,
            asking: 0,
            in_hand: 0,
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
            let hands = spread.takers.iter().filter_map(|worker| self.hands.get(worker));
            spread.standings = hands.clone().map(Hand::standing).collect();
            spread.free = hands
                .clone()
                .filter(|hand| hand.room() > 0)
                .map(|hand| hand.place)
                .collect();
            spread.ahead = hands.map(|hand| hand.ahead.len()).sum();
            let of_team = self.hands.values().filter(|hand| hand.team == *name);
            spread.asking = of_team.map(|hand| hand.asking).sum();
        }
    }

    /// What changed of a hand changes how its team stands.
    fn change<T>(&mut self, worker: &Worker, change: impl FnOnce(&mut Hand) -> T) -> Option<T> {
        let hand = self.hands.get_mut(worker)?;
        let (asking, ahead) = (hand.asking, hand.ahead.len());
        let changed = change(hand);
        let (now_asking, now_ahead) = (hand.asking, hand.ahead.len());
        self.asking = self.asking + now_asking - asking;
        let has_room = hand.room() > 0;
        if let Some(spread) = self.teams.get_mut(&hand.team) {
            spread.asking = spread.asking + now_asking - asking;
            if !hand.is_gone {
                spread.ahead = spread.ahead + now_ahead - ahead;
                if let Some(standing) = spread.standings.get_mut(hand.place) {
                    *standing = hand.standing();
                }
                match (spread.free.binary_search(&hand.place), has_room) {
                    (Ok(at), false) => drop(spread.free.remove(at)),
                    (Err(at), true) => spread.free.insert(at, hand.place),
                    _ => {}
                }
            }
        }
        Some(changed)
    }

    /// Whether an agent is there to take tasks. What one that is away has not begun goes to others.
    pub(super) fn seen(&mut self, worker: &Worker, is_here: bool, effects: &mut Vec<Effect>) {
        let was_here = self.change(worker, |hand| std::mem::replace(&mut hand.is_here, is_here));
        match (was_here, is_here) {
            (Some(true), false) => self.take_back(worker, false, effects),
            (Some(false), true) => self.hand_out(worker, effects),
            _ => {}
        }
    }

    /// Takes back what a worker has not begun, and where it is to have nothing that too.
    fn take_back(&mut self, worker: &Worker, begun_too: bool, effects: &mut Vec<Effect>) {
        let of_worker = self.held.iter().filter(|(_, holding)| holding.worker == *worker);
        let fences: Vec<_> = of_worker.map(|(fence, _)| *fence).collect();
        for fence in fences {
            let Some(holding) = self.held.get_mut(&fence) else {
                continue;
            };
            let task = holding.task;
            let word = Word::GivenBack;
            match holding.step {
                Step::Ahead(_) => {
                    self.change(worker, |hand| hand.ahead.retain(|ahead| *ahead != fence));
                    self.over(task, fence, word, effects);
                }
                Step::Handed => {
                    effects.push(Effect::Tell { task, fence, word });
                    self.recall(fence, effects);
                }
                Step::Begun(_) if begun_too => {
                    effects.push(Effect::Tell {
                        task,
                        fence,
                        word: Word::Abandoned,
                    });
                    self.recall(fence, effects);
                }
                Step::Begun(_) | Step::Recalled | Step::Over(_) => {}
            }
        }
    }

    fn recall(&mut self, fence: Fence, effects: &mut Vec<Effect>) {
        if let Some(holding) = self.held.get_mut(&fence) {
            holding.step = Step::Recalled;
            effects.push(Effect::Recall(fence));
        }
    }

    /// Claims for those who have room, as the dispatch of their team chooses.
    pub(super) fn ask(&mut self, chance: &mut impl Chance, effects: &mut Vec<Effect>) {
        let names: Vec<_> = self.teams.keys().cloned().collect();
        for name in names {
            while self.asking + self.held.len() < HELD_MAX {
                let Some(spread) = self.teams.get_mut(&name).filter(|spread| spread.asking < ASKING_MAX) else {
                    break;
                };
                let is_only_one = spread.free.len() == 1;
                let place = spread
                    .dispatch
                    .choose(&spread.standings, &spread.free, &mut spread.memory, chance);
                let Some(worker) = place.and_then(|place| spread.takers.get(place).cloned()) else {
                    break;
                };
                let asked = self.change(&worker, |hand| {
                    let most = if is_only_one { hand.room() } else { 1 };
                    hand.asking += most;
                    (Arc::clone(&hand.able), most)
                });
                let Some((able, most)) = asked else { break };
                effects.push(Effect::Ask { worker, able, most });
            }
        }
    }

    /// What came of a claim for up to `most` tasks.
    pub(super) fn claimed(&mut self, worker: &Worker, most: usize, claims: Vec<Claim>, effects: &mut Vec<Effect>) {
        let takes = self.change(worker, |hand| {
            hand.asking = hand.asking.saturating_sub(most);
            let takes = !hand.is_gone && hand.is_here;
            if takes {
                hand.ahead.extend(claims.iter().map(|claim| claim.fence));
            }
            takes
        });
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

    fn hand_out(&mut self, worker: &Worker, effects: &mut Vec<Effect>) {
        loop {
            let next = self.change(worker, |hand| {
                let may = hand.is_here && hand.in_hand < hand.rules.at_once as usize;
                let next = if may { hand.ahead.pop_front() } else { None };
                hand.in_hand += usize::from(next.is_some());
                next
            });
            let Some(fence) = next.flatten() else { return };
            let Some(holding) = self.held.get_mut(&fence) else {
                continue;
            };
            if let Step::Ahead(claim) = std::mem::replace(&mut holding.step, Step::Handed) {
                let worker = worker.clone();
                effects.push(Effect::Hand { worker, claim: *claim });
            }
        }
    }

    /// A worker did not take the post of a task: it has no room, or is not there.
    pub(super) fn refused(&mut self, claim: Claim, effects: &mut Vec<Effect>) {
        let Some(holding) = self.held.get_mut(&claim.fence) else {
            return;
        };
        let (worker, fence) = (holding.worker.clone(), claim.fence);
        holding.step = Step::Ahead(Box::new(claim));
        self.change(&worker, |hand| {
            hand.in_hand = hand.in_hand.saturating_sub(1);
            hand.ahead.push_front(fence);
        });
        // It is looked for again like one that is away.
        self.seen(&worker, false, effects);
    }

    /// What became of the post of a task.
    pub(super) fn staged(&mut self, fence: Fence, stage: Stage, now: Moment, effects: &mut Vec<Effect>) {
        let Some(holding) = self.held.get_mut(&fence) else {
            return;
        };
        let (task, worker) = (holding.task, holding.worker.clone());
        let begun = match holding.step {
            Step::Begun(since) => Some(since),
            _ => None,
        };
        let is_recalled = matches!(holding.step, Step::Recalled);
        let word = match stage {
            Stage::Delivered if matches!(holding.step, Step::Handed) => {
                holding.step = Step::Begun(now);
                let word = Word::Began;
                return effects.push(Effect::Tell { task, fence, word });
            }
            Stage::Delivered | Stage::Accepted => return,
            Stage::Done(result) => Word::Done {
                result: written(&result),
            },
            Stage::Failed(why) => Word::Failed {
                why,
                mend: Mend::Possible,
            },
            Stage::Lost(_) if is_recalled => return self.forget(fence, effects),
            Stage::Lost(_) if begun.is_some() => Word::Abandoned,
            Stage::Lost(_) => Word::GivenBack,
        };
        let is_done = matches!(word, Word::Done { .. });
        self.leave(&worker, |hand| {
            if let Some(since) = begun.filter(|_| is_done) {
                hand.service.observe(now.since(since));
            }
        });
        self.over(task, fence, word, effects);
        self.hand_out(&worker, effects);
        self.steal_for(&worker, effects);
        self.forget_gone(&worker);
    }

    fn leave(&mut self, worker: &Worker, more: impl FnOnce(&mut Hand)) {
        self.change(worker, |hand| {
            hand.in_hand = hand.in_hand.saturating_sub(1);
            more(hand);
        });
    }

    fn over(&mut self, task: TaskId, fence: Fence, word: Word, effects: &mut Vec<Effect>) {
        if let Some(holding) = self.held.get_mut(&fence) {
            holding.step = Step::Over(word.clone());
        }
        effects.push(Effect::Tell { task, fence, word });
    }

    fn forget(&mut self, fence: Fence, effects: &mut Vec<Effect>) {
        let Some(holding) = self.held.remove(&fence) else {
            return;
        };
        match holding.step {
            Step::Ahead(_) => drop(self.change(&holding.worker, |hand| hand.ahead.retain(|ahead| *ahead != fence))),
            Step::Handed | Step::Begun(_) | Step::Recalled => self.leave(&holding.worker, |_| {}),
            Step::Over(_) => {}
        }
        self.hand_out(&holding.worker, effects);
        self.forget_gone(&holding.worker);
    }

    fn forget_gone(&mut self, worker: &Worker) {
        let hand = self.hands.get(worker);
        if hand.is_some_and(|hand| hand.is_gone && hand.asking == 0 && hand.in_hand == 0 && hand.ahead.is_empty()) {
            self.hands.remove(worker);
        }
    }

    /// The queue has heard what was told of a lease, which may be over.
    pub(super) fn heard(&mut self, fence: Fence, is_stale: bool, effects: &mut Vec<Effect>) {
        let Some(holding) = self.held.get(&fence) else { return };
        match holding.step {
            Step::Over(_) => drop(self.held.remove(&fence)),
            _ if is_stale => self.revoked(fence, effects),
            _ => {}
        }
    }

    /// The lease is over, and somebody else may have the task.
    pub(super) fn revoked(&mut self, fence: Fence, effects: &mut Vec<Effect>) {
        let Some(holding) = self.held.get(&fence) else { return };
        match holding.step {
            Step::Ahead(_) => self.forget(fence, effects),
            // Its agent may be at it still, and has no room for another meanwhile.
            Step::Handed | Step::Begun(_) => self.recall(fence, effects),
            Step::Recalled | Step::Over(_) => {}
        }
    }

    /// Some time has passed: leases are prolonged.
    pub(super) fn beat(&self, percent: impl Fn(Fence) -> Option<u8>, effects: &mut Vec<Effect>) {
        for (fence, holding) in &self.held {
            if matches!(holding.step, Step::Ahead(_) | Step::Handed | Step::Begun(_)) {
                let (task, percent) = (holding.task, percent(*fence));
                let word = Word::Alive { lease: None, percent };
                effects.push(Effect::Tell {
                    task,
                    fence: *fence,
                    word,
                });
            }
        }
    }

    /// A task is as far as this.
    pub(super) fn progress(&self, fence: Fence, percent: u8) -> Option<Effect> {
        let holding = self.held.get(&fence)?;
        matches!(holding.step, Step::Begun(_)).then(|| Effect::Tell {
            task: holding.task,
            fence,
            word: Word::Alive {
                lease: None,
                percent: Some(percent),
            },
        })
    }

    /// The queue is told again how tasks ended, where it did not take that.
    pub(super) fn tell_again(&mut self, effects: &mut Vec<Effect>) {
        for fence in std::mem::take(&mut self.untold) {
            let Some(Holding {
                task,
                step: Step::Over(word),
                ..
            }) = self.held.get(&fence)
            else {
                continue;
            };
            effects.push(Effect::Tell {
                task: *task,
                fence,
                word: word.clone(),
            });
        }
    }

    /// The queue did not take what it was told of a lease.
    pub(super) fn unheard(&mut self, fence: Fence) {
        self.untold.push(fence);
    }

    /// An idle worker has the tail of the heaviest sibling given back, since its own claim waits for that.
    fn steal_for(&mut self, thief: &Worker, effects: &mut Vec<Effect>) {
        let Some(hand) = self
            .hands
            .get(thief)
            .filter(|hand| hand.in_hand == 0 && hand.ahead.is_empty())
        else {
            return;
        };
        let Some(spread) = self.teams.get(&hand.team).filter(|spread| spread.ahead > 0) else {
            return;
        };
        // What the thief is not able to do would only come back to where it was.
        let is_able = |other: &Hand| other.able.iter().all(|capability| hand.able.contains(capability));
        let ahead = |worker: &Worker| {
            let other = self.hands.get(worker).filter(|other| is_able(other));
            other.map_or(0, |other| other.ahead.len())
        };
        let waiting: Vec<_> = spread.takers.iter().map(ahead).collect();
        let Some(Steal { from, count }) = dispatch::steal(&waiting, hand.place) else {
            return;
        };
        let Some(victim) = spread.takers.get(from).cloned() else {
            return;
        };
        for _ in 0..count {
            let last = self.change(&victim, |hand| hand.ahead.pop_back()).flatten();
            let Some((fence, task)) = last.and_then(|fence| Some((fence, self.held.get(&fence)?.task))) else {
                return;
            };
            self.over(task, fence, Word::GivenBack, effects);
        }
    }

    /// Those who take tasks, with whether they are known to be there.
    pub(super) fn takers(&self) -> impl Iterator<Item = (&Worker, bool)> {
        self.hands.iter().map(|(worker, hand)| (worker, hand.is_here))
    }

    /// Up to so many of those who are there, behind that one.
    pub(super) fn here_after(&self, last: Option<&Worker>, most: usize) -> Vec<Worker> {
        let from = last.map_or(Bound::Unbounded, Bound::Excluded);
        let hands = self.hands.range((from, Bound::Unbounded));
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
        self.hands.contains_key(worker)
    }

    /// Whoever asked is gone, so that what was asked for will not come.
    pub(super) fn asks_anew(&mut self) {
        let workers: Vec<_> = self.hands.keys().cloned().collect();
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
                    Step::Ahead(_) => Standing::Ahead,
                    Step::Handed => Standing::Handed,
                    Step::Begun(_) => Standing::Begun,
                    Step::Recalled => Standing::Recalled,
                    Step::Over(_) => Standing::Over,
                },
            })
            .collect()
    }
}

fn written(result: &Value) -> Vec<u8> {
    result.to_string().into_bytes()
}

#[cfg(test)]
#[path = "hands_test.rs"]
mod tests;
