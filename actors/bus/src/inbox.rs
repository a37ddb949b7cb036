//! What waits for one subscription, and what it has in hand: a machine without clock, chance or IO.
//!
//! ```text
//!               ┌─────── lanes, most urgent first ───────┐     taken, once       ┌▶ delivered
//!  offer ──────▶│ ▯▯▯▯▯▯▯                                │────────────────────────┘
//!    │          └────────────────────────────────────────┘     handed out        ack
//!    │             ▲  rest is over                    └──────────▶ in hand ──────┬▶ delivered
//!    ▼             └────────────── resting ◀── fails, or no word ────┘           │
//!  dropped                                       too often: dead ◀───────────────┘
//! ```
//!
//! At each moment: offered = delivered + dropped + dead + waiting, where those in the lanes, in hand and resting wait.

use std::collections::{BTreeMap, HashSet, VecDeque};
use std::sync::Arc;

use foldhash::fast::RandomState;
use triarch_supervision::clock::{Chance, Moment};
use triarch_supervision::message::Priority;

use crate::account::{Cause, Dropped, Tally};
use crate::breaker::{Breaker, BreakerState};
use crate::envelope::{Envelope, EnvelopeId};
use crate::terms::{Class, REMEMBERED_MAX, Terms, WhenFull};

/// Every so often the least urgent that wait go first.
const TURNS: u8 = 16;

/// An envelope as it waits for one subscription.
#[derive(Clone, Debug)]
pub(crate) struct Item {
    pub(crate) envelope: Arc<Envelope>,
    /// When nobody needs it any more.
    pub(crate) until: Option<Moment>,
    /// When it was published.
    pub(crate) at: Moment,
    /// What its topic is counted under.
    pub(crate) label: u16,
}

/// An item and what it has been through.
#[derive(Clone, Debug)]
pub(crate) struct Waiting {
    pub(crate) item: Item,
    /// How often it was handed out since it came, or came again.
    tries: u32,
    /// How often that failed, ever.
    pub(crate) failures: u32,
}

impl Waiting {
    pub(crate) fn new(item: Item) -> Self {
        Self::again(item, 0)
    }

    /// One that failed before, and is tried anew.
    pub(crate) fn again(item: Item, failures: u32) -> Self {
        Self {
            item,
            tries: 0,
            failures,
        }
    }
}

#[derive(Debug)]
struct InHand {
    waiting: Waiting,
    /// When its acknowledgement is late.
    due: Moment,
}

/// What was handed out, to be acknowledged.
#[derive(Debug)]
pub(crate) struct Handed {
    pub(crate) item: Item,
    /// Names it to the inbox.
    pub(crate) token: u64,
    /// Which try it is, from 1.
    pub(crate) attempt: u32,
}

/// What happened to an envelope for good, to be counted and kept outside.
#[derive(Debug)]
pub(crate) enum Effect {
    Delivered {
        label: u16,
        at: Moment,
    },
    Dropped {
        label: u16,
        why: Dropped,
    },
    Dead {
        waiting: Waiting,
        cause: Cause,
        why: Option<Arc<str>>,
    },
}

#[derive(Debug)]
pub(crate) struct Inbox {
    terms: Terms,
    lanes: [VecDeque<Waiting>; Priority::COUNT],
    /// How many lie in the lanes.
    queued: usize,
    turn: u8,
    /// Taken once and not yet known to be used.
    lent: usize,
    in_hand: BTreeMap<u64, InHand>,
    resting: BTreeMap<(Moment, u64), Waiting>,
    next_token: u64,
    breaker: Breaker,
    seen: Seen,
    tally: Tally,
}

impl Inbox {
    pub(crate) fn new(terms: Terms) -> Self {
        Self {
            terms,
            lanes: Default::default(),
            queued: 0,
            turn: 0,
            lent: 0,
            in_hand: BTreeMap::new(),
            resting: BTreeMap::new(),
            next_token: 0,
            breaker: Breaker::new(terms.breaker),
            seen: Seen::default(),
            tally: Tally::default(),
        }
    }

    // ---- coming in ----

    /// Takes an item in, or does with it what the terms say.
    pub(crate) fn offer(&mut self, item: Item, now: Moment, effects: &mut Vec<Effect>) {
        if self.terms.class == Class::EffectivelyOnce && self.seen.knows(item.envelope.id, now, &self.terms) {
            self.tally.offered += 1;
            self.drop(&item, Dropped::Duplicate, effects);
            return;
        }
        self.admit(Waiting::new(item), now, effects);
    }

    /// The same for one that was here or elsewhere before: it is no duplicate of itself.
    pub(crate) fn admit(&mut self, waiting: Waiting, now: Moment, effects: &mut Vec<Effect>) {
        self.tally.offered += 1;
        if self.waiting() >= self.terms.bound && !self.makes_room(effects) {
            match self.terms.when_full {
                WhenFull::DeadLetter => self.bury(waiting, Cause::Full, None, effects),
                _ => self.drop(&waiting.item, Dropped::Full, effects),
            }
            return;
        }
        if self.terms.class == Class::EffectivelyOnce {
            self.seen.remember(waiting.item.envelope.id, now);
        }
        self.lane(&waiting).push_back(waiting);
        self.queued += 1;
    }

    fn makes_room(&mut self, effects: &mut Vec<Effect>) -> bool {
        if self.terms.when_full != WhenFull::DropOldest {
            return false;
        }
        let oldest = self.lanes.iter_mut().rev().find_map(VecDeque::pop_front);
        let Some(oldest) = oldest else { return false };
        self.queued -= 1;
        self.drop(&oldest.item, Dropped::Lagged, effects);
        true
    }

    fn lane(&mut self, waiting: &Waiting) -> &mut VecDeque<Waiting> {
        let [critical, high, normal, low, background] = &mut self.lanes;
        match waiting.item.envelope.priority {
            Priority::Critical => critical,
            Priority::High => high,
            Priority::Normal => normal,
            Priority::Low => low,
            Priority::Background => background,
        }
    }

    // ---- going out, once ----

    /// Takes up to `most` to be used at once; those taken before count as used now.
    pub(crate) fn lend(&mut self, most: usize, now: Moment, to: &mut VecDeque<Item>, effects: &mut Vec<Effect>) {
        self.tally.delivered += u64::try_from(self.lent).unwrap_or(u64::MAX);
        self.lent = 0;
        while self.lent < most
            && let Some(waiting) = self.next(now, effects)
        {
            self.lent += 1;
            to.push_back(waiting.item);
        }
    }

    /// Takes back what was taken and not used; the rest of it was.
    pub(crate) fn give_back(&mut self, unused: VecDeque<Item>) {
        let used = self.lent.saturating_sub(unused.len());
        self.tally.delivered += u64::try_from(used).unwrap_or(u64::MAX);
        self.lent = 0;
        for item in unused.into_iter().rev() {
            let waiting = Waiting::new(item);
            self.lane(&waiting).push_front(waiting);
            self.queued += 1;
        }
    }

    // ---- going out, to be acknowledged ----

    /// Hands out the next, where one may be.
    pub(crate) fn hand_out(&mut self, now: Moment, effects: &mut Vec<Effect>) -> Option<Handed> {
        if !self.has_free_hand() || !self.breaker.would_let(now) {
            return None;
        }
        let mut waiting = self.next(now, effects)?;
        self.breaker.lets(now);
        waiting.tries += 1;
        let token = self.next_token;
        self.next_token += 1;
        let handed = Handed {
            item: waiting.item.clone(),
            token,
            attempt: waiting.tries,
        };
        let due = now + self.terms.ack_within;
        self.in_hand.insert(token, InHand { waiting, due });
        Some(handed)
    }

    fn has_free_hand(&self) -> bool {
        if self.terms.is_strict {
            self.in_hand.is_empty() && self.resting.is_empty()
        } else {
            self.in_hand.len() < self.terms.in_hand.max(1)
        }
    }

    /// It is done; false where that is said too late, or twice.
    pub(crate) fn acknowledge(&mut self, token: u64, effects: &mut Vec<Effect>) -> bool {
        let Some(done) = self.in_hand.remove(&token) else {
            return false;
        };
        self.breaker.succeeded();
        self.tally.delivered += 1;
        let Item { label, at, .. } = done.waiting.item;
        effects.push(Effect::Delivered { label, at });
        true
    }

    /// It failed; false where that is said too late, or twice.
    pub(crate) fn fail(
        &mut self,
        token: u64,
        failure: (Cause, Option<Arc<str>>),
        now: Moment,
        chance: &mut impl Chance,
        effects: &mut Vec<Effect>,
    ) -> bool {
        let Some(InHand { mut waiting, .. }) = self.in_hand.remove(&token) else {
            return false;
        };
        let (cause, why) = failure;
        self.breaker.failed(now);
        waiting.failures += 1;
        if waiting.failures >= self.terms.poison_after {
            self.bury(waiting, Cause::Poison, why, effects);
        } else if waiting.tries >= self.terms.retry.tries {
            self.bury(waiting, cause, why, effects);
        } else {
            let wait = self.terms.retry.wait(waiting.tries, chance.unit());
            self.resting.insert((now + wait, token), waiting);
        }
        true
    }

    /// Does what fell due.
    pub(crate) fn tick(&mut self, now: Moment, chance: &mut impl Chance, effects: &mut Vec<Effect>) {
        while let Some((token, due)) = self.first_due()
            && due <= now
        {
            self.fail(token, (Cause::Unacknowledged, None), now, chance, effects);
        }
        let later = self.resting.split_off(&(now, u64::MAX));
        let mut rested: Vec<_> = std::mem::replace(&mut self.resting, later).into_iter().collect();
        // Those handed out first lie in front again.
        rested.sort_unstable_by_key(|((_, token), _)| std::cmp::Reverse(*token));
        for (_, waiting) in rested {
            self.lane(&waiting).push_front(waiting);
            self.queued += 1;
        }
    }

    /// All have the same time for their acknowledgement, so the first handed out is due first.
    fn first_due(&self) -> Option<(u64, Moment)> {
        self.in_hand.first_key_value().map(|(token, hand)| (*token, hand.due))
    }

    /// When [`Inbox::tick`] has something to do, or a breaker's rest will be over for those that wait. One that is over
    /// stays so until something is handed out, and is no reason to look again.
    pub(crate) fn next_due(&self, now: Moment) -> Option<Moment> {
        let is_ahead = |until: &Moment| *until > now && self.queued > 0;
        let breaker = self.breaker.rests_until().filter(is_ahead);
        let rested = self.resting.first_key_value().map(|((at, _), _)| *at);
        let late = self.first_due().map(|(_, due)| due);
        [breaker, rested, late].into_iter().flatten().min()
    }

    // ---- both ----

    /// Takes the next out of the lanes; those that nobody needs any more fall away.
    fn next(&mut self, now: Moment, effects: &mut Vec<Effect>) -> Option<Waiting> {
        while self.queued > 0 {
            let waiting = self.pop()?;
            if waiting.item.until.is_none_or(|until| now < until) {
                return Some(waiting);
            }
            if self.terms.is_acknowledged() {
                self.bury(waiting, Cause::Expired, None, effects);
            } else {
                self.drop(&waiting.item, Dropped::Expired, effects);
            }
        }
        None
    }

    fn pop(&mut self) -> Option<Waiting> {
        self.turn = (self.turn + 1) % TURNS;
        let popped = if self.turn == 0 {
            self.lanes.iter_mut().rev().find_map(VecDeque::pop_front)
        } else {
            self.lanes.iter_mut().find_map(VecDeque::pop_front)
        };
        self.queued -= usize::from(popped.is_some());
        popped
    }

    /// Whether the subscriber would get something if it came now.
    pub(crate) fn is_ready(&self, now: Moment) -> bool {
        self.queued > 0 && (!self.terms.is_acknowledged() || (self.has_free_hand() && self.breaker.would_let(now)))
    }

    /// Settles all that waits: the subscription has ended.
    pub(crate) fn close(&mut self, effects: &mut Vec<Effect>) {
        for waiting in self.withdraw() {
            self.tally.offered += 1;
            if self.terms.is_acknowledged() {
                self.bury(waiting, Cause::Closed, None, effects);
            } else {
                self.drop(&waiting.item, Dropped::Closed, effects);
            }
        }
    }

    /// Takes out all that waits, oldest first, to be admitted elsewhere: here it was never offered. What was taken to be
    /// used once counts as used.
    pub(crate) fn withdraw(&mut self) -> Vec<Waiting> {
        self.tally.delivered += u64::try_from(std::mem::take(&mut self.lent)).unwrap_or(u64::MAX);
        let in_hand = std::mem::take(&mut self.in_hand);
        let mut all: Vec<_> = in_hand.into_iter().map(|(token, hand)| (token, hand.waiting)).collect();
        let resting = std::mem::take(&mut self.resting);
        all.extend(resting.into_iter().map(|((_, token), waiting)| (token, waiting)));
        all.sort_unstable_by_key(|(token, _)| *token);
        let queued = self.lanes.iter_mut().flat_map(std::mem::take);
        let all: Vec<_> = all.into_iter().map(|(_, waiting)| waiting).chain(queued).collect();
        self.queued = 0;
        self.tally.offered -= u64::try_from(all.len()).unwrap_or_default();
        all
    }

    fn drop(&mut self, item: &Item, why: Dropped, effects: &mut Vec<Effect>) {
        self.tally.dropped += 1;
        effects.push(Effect::Dropped { label: item.label, why });
    }

    fn bury(&mut self, waiting: Waiting, cause: Cause, why: Option<Arc<str>>, effects: &mut Vec<Effect>) {
        self.tally.dead += 1;
        effects.push(Effect::Dead { waiting, cause, why });
    }

    // ---- looking ----

    /// How many are still to be settled.
    pub(crate) fn waiting(&self) -> usize {
        self.queued + self.lent + self.in_hand.len() + self.resting.len()
    }

    /// What became of everything offered so far.
    pub(crate) fn tally(&self) -> Tally {
        Tally {
            waiting: u64::try_from(self.waiting()).unwrap_or(u64::MAX),
            ..self.tally
        }
    }

    pub(crate) fn breaker(&self) -> BreakerState {
        self.breaker.state()
    }
}

/// The ids that were taken in lately.
#[derive(Debug, Default)]
struct Seen {
    ids: HashSet<EnvelopeId, RandomState>,
    order: VecDeque<(Moment, EnvelopeId)>,
}

impl Seen {
    /// Whether the id was taken in within the time it is remembered for.
    fn knows(&mut self, id: EnvelopeId, now: Moment, terms: &Terms) -> bool {
        while let Some((at, old)) = self.order.front().copied()
            && (now.since(at) >= terms.remember || self.order.len() > REMEMBERED_MAX)
        {
            self.order.pop_front();
            self.ids.remove(&old);
        }
        self.ids.contains(&id)
    }

    fn remember(&mut self, id: EnvelopeId, now: Moment) {
        if self.ids.insert(id) {
            self.order.push_back((now, id));
        }
    }
}

#[cfg(test)]
#[path = "inbox_test.rs"]
mod tests;
