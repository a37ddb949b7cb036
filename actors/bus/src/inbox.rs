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

use std::collections::{BTreeMap, VecDeque};
use std::sync::Arc;

use triarch_supervision::clock::{Chance, Moment};
use triarch_supervision::message::Priority;

use crate::account::{Cause, Dropped, Tally};
use crate::breaker::{Breaker, BreakerState};
use crate::item::{self, Effect, Handed, Item, Place, Waiting};
use crate::seen::Seen;
use crate::terms::{Class, Terms, WhenFull};

#[path = "inbox_expiry.rs"]
mod expiry;
#[path = "inbox_room.rs"]
mod room;

/// Every so often the least urgent that wait go first.
const TURNS: u8 = 16;

#[derive(Debug)]
struct InHand {
    waiting: Waiting,
    /// When its acknowledgement is late.
    due: Moment,
}

#[derive(Debug)]
pub(crate) struct Inbox {
    terms: Terms,
    lanes: [VecDeque<Waiting>; Priority::COUNT],
    /// How many lie in the lanes.
    queued: usize,
    /// How many bytes of payload these have, and those in hand and resting.
    queued_bytes: usize,
    held_bytes: usize,
    /// When one in the lanes may be needed no more; no sooner is it so for any.
    expires: Option<Moment>,
    /// Until when nobody looks for them again.
    expiry_pause: Moment,
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
            queued_bytes: 0,
            held_bytes: 0,
            expires: None,
            expiry_pause: Moment::default(),
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
        if self.terms.class == Class::EffectivelyOnce && self.seen.knows(&item.envelope, now, &self.terms) {
            self.tally.offered += 1;
            self.drop(&item, Dropped::Duplicate, effects);
            return;
        }
        self.admit(Waiting::new(item), now, effects);
    }

    /// The same for one that was here or elsewhere before: it is no duplicate of itself.
    pub(crate) fn admit(&mut self, waiting: Waiting, now: Moment, effects: &mut Vec<Effect>) {
        self.tally.offered += 1;
        if !self.has_room_for(&waiting) {
            self.expire(now, effects);
        }
        if !self.has_room_for(&waiting) && !self.makes_room(&waiting, effects) {
            match self.terms.when_full {
                WhenFull::DeadLetter => self.bury(waiting, Cause::Full, None, effects),
                _ => self.drop(&waiting.item, Dropped::Full, effects),
            }
            return;
        }
        if self.terms.class == Class::EffectivelyOnce {
            self.seen.remember(&waiting.item.envelope, now);
        }
        self.counts_in(&waiting);
        self.lane(&waiting).push_back(waiting);
    }

    fn puts_in_front(&mut self, waiting: Waiting) {
        self.counts_in(&waiting);
        self.lane(&waiting).push_front(waiting);
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

    /// Puts those of one sender and topic into the order they were published in, where some came late.
    pub(crate) fn put_in_order(&mut self) {
        self.lanes.iter_mut().for_each(item::put_in_order);
    }

    // ---- going out, once ----

    /// Takes up to `most` to be used at once; tells how many, of which somebody says later whether they were used.
    pub(crate) fn lend(&mut self, most: usize, now: Moment, to: &mut VecDeque<Item>, effects: &mut Vec<Effect>) {
        let mut count = 0;
        while count < most
            && let Some(Waiting { mut item, .. }) = self.next(now, effects)
        {
            count += 1;
            // Who does not acknowledge has it for good with this.
            if let Some(place) = item.place.take_if(|place| matches!(place, Place::Letter(_))) {
                effects.push(Effect::Parted { place });
            }
            to.push_back(item);
        }
        self.lent += count;
    }

    /// So many of those that were lent were used.
    pub(crate) fn used(&mut self, count: usize) {
        self.lent -= count;
        self.tally.delivered += u64::try_from(count).unwrap_or(u64::MAX);
    }

    /// Takes back what was lent and not used.
    pub(crate) fn give_back(&mut self, unused: VecDeque<Item>) {
        self.lent -= unused.len();
        for item in unused.into_iter().rev() {
            self.puts_in_front(Waiting::new(item));
        }
    }

    /// The same where the subscription has ended.
    pub(crate) fn forfeit(&mut self, unused: VecDeque<Item>, effects: &mut Vec<Effect>) {
        self.lent -= unused.len();
        for item in unused {
            self.drop(&item, Dropped::Closed, effects);
        }
    }

    // ---- going out, to be acknowledged ----

    /// Whether what is handed out is to be acknowledged.
    pub(crate) fn is_acknowledged(&self) -> bool {
        self.terms.is_acknowledged()
    }

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
        self.held_bytes += waiting.bytes();
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
        let Some(done) = self.out_of_hand(token) else {
            return false;
        };
        self.breaker.succeeded();
        self.tally.delivered += 1;
        let Item { envelope, place } = done.item;
        let (label, at) = (envelope.label(), envelope.at());
        effects.push(Effect::Delivered { label, at, place });
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
        let Some(mut waiting) = self.out_of_hand(token) else {
            return false;
        };
        let (cause, why) = failure;
        self.breaker.failed(now, waiting.tries);
        waiting.failures += 1;
        if waiting.failures >= self.terms.poison_after {
            self.bury(waiting, Cause::Poison, why, effects);
        } else if waiting.tries >= self.terms.retry.tries {
            self.bury(waiting, cause, why, effects);
        } else {
            let wait = self.terms.retry.wait(waiting.tries, chance.unit());
            self.held_bytes += waiting.bytes();
            self.resting.insert((now + wait, token), waiting);
        }
        true
    }

    /// Nobody has tried it: it waits in front again, as if it had not been handed out. False where that is said too late, or
    /// twice.
    pub(crate) fn take_back(&mut self, token: u64) -> bool {
        let Some(mut waiting) = self.out_of_hand(token) else {
            return false;
        };
        self.breaker.untried();
        waiting.tries -= 1;
        self.puts_in_front(waiting);
        true
    }

    fn out_of_hand(&mut self, token: u64) -> Option<Waiting> {
        let InHand { waiting, .. } = self.in_hand.remove(&token)?;
        self.held_bytes -= waiting.bytes();
        Some(waiting)
    }

    /// The time for its acknowledgement begins anew; false where it was over.
    pub(crate) fn renew(&mut self, token: u64, now: Moment) -> bool {
        let due = now + self.terms.ack_within;
        let in_hand = self.in_hand.get_mut(&token);
        in_hand.map(|hand| hand.due = due).is_some()
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
            self.held_bytes -= waiting.bytes();
            self.puts_in_front(waiting);
        }
        self.expire(now, effects);
    }

    /// All have the same time for their acknowledgement, so the first handed out is due first; where its time began anew, those
    /// behind it have as long.
    fn first_due(&self) -> Option<(u64, Moment)> {
        self.in_hand.first_key_value().map(|(token, hand)| (*token, hand.due))
    }

    /// When [`Inbox::tick`] has something to do, or a breaker's rest will be over for those that wait. One that is over
    /// stays so until something is handed out, and is no reason to look again.
    pub(crate) fn next_due(&self, now: Moment) -> Option<Moment> {
        let expires = self.next_expiry(now);
        if !self.terms.is_acknowledged() && self.in_hand.is_empty() && self.resting.is_empty() {
            return expires;
        }
        let is_ahead = |until: &Moment| *until > now && self.queued > 0;
        let breaker = self.breaker.rests_until().filter(is_ahead);
        let rested = self.resting.first_key_value().map(|((at, _), _)| *at);
        let late = self.first_due().map(|(_, due)| due);
        [breaker, rested, late, expires].into_iter().flatten().min()
    }

    // ---- both ----

    /// Takes the next out of the lanes; those that nobody needs any more fall away.
    fn next(&mut self, now: Moment, effects: &mut Vec<Effect>) -> Option<Waiting> {
        while self.queued > 0 {
            let waiting = self.pop()?;
            if !waiting.is_over(now) {
                return Some(waiting);
            }
            self.let_go(waiting, effects);
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
        popped.inspect(|popped| self.counts_out(popped))
    }

    /// Whether the subscriber would get something if it came now.
    pub(crate) fn is_ready(&self, now: Moment) -> bool {
        self.queued > 0 && (!self.terms.is_acknowledged() || (self.has_free_hand() && self.breaker.would_let(now)))
    }

    /// Settles what another inbox left: that subscription has ended, and nobody takes it over.
    pub(crate) fn close_over(&mut self, left: Vec<Waiting>, effects: &mut Vec<Effect>) {
        for waiting in left {
            self.tally.offered += 1;
            if self.terms.is_acknowledged() {
                self.bury(waiting, Cause::Closed, None, effects);
            } else {
                self.drop(&waiting.item, Dropped::Closed, effects);
            }
        }
    }

    /// Takes out all that waits, oldest first, to be admitted elsewhere: here it was never offered. What was lent stays in
    /// the account until it is known whether it was used.
    pub(crate) fn withdraw(&mut self) -> Vec<Waiting> {
        let in_hand = std::mem::take(&mut self.in_hand);
        let mut all: Vec<_> = in_hand.into_iter().map(|(token, hand)| (token, hand.waiting)).collect();
        let resting = std::mem::take(&mut self.resting);
        all.extend(resting.into_iter().map(|((_, token), waiting)| (token, waiting)));
        all.sort_unstable_by_key(|(token, _)| *token);
        let queued = self.lanes.iter_mut().flat_map(std::mem::take);
        let all: Vec<_> = all.into_iter().map(|(_, waiting)| waiting).chain(queued).collect();
        (self.queued, self.queued_bytes, self.held_bytes) = (0, 0, 0);
        self.tally.offered -= u64::try_from(all.len()).unwrap_or_default();
        all
    }

    // ---- changing ----

    /// Goes on under other terms. What is more than they bear goes as they say.
    pub(crate) fn retune(&mut self, terms: Terms, now: Moment, effects: &mut Vec<Effect>) {
        let before = std::mem::replace(&mut self.terms, terms);
        if before.breaker != terms.breaker {
            self.breaker = Breaker::new(terms.breaker);
        }
        // The first handed out stays the first that is due.
        let latest = now + terms.ack_within;
        self.in_hand
            .values_mut()
            .for_each(|hand| hand.due = hand.due.min(latest));
        let is_tighter = terms.bound_bytes < before.bound_bytes;
        while let Some(surplus) = self.surplus(is_tighter) {
            match terms.when_full {
                WhenFull::DropOldest => self.drop(&surplus.item, Dropped::Lagged, effects),
                WhenFull::DropNewest => self.drop(&surplus.item, Dropped::Full, effects),
                WhenFull::DeadLetter => self.bury(surplus, Cause::Full, None, effects),
            }
        }
    }

    fn drop(&mut self, item: &Item, why: Dropped, effects: &mut Vec<Effect>) {
        self.tally.dropped += 1;
        effects.push(Effect::Dropped {
            label: item.envelope.label(),
            why,
            count: 1,
            place: item.place,
        });
    }

    /// So many were for it, perhaps, and made room before it came to them.
    pub(crate) fn missed(&mut self, count: u64, label: u16, effects: &mut Vec<Effect>) {
        if count > 0 {
            self.tally.offered += count;
            self.tally.dropped += count;
            effects.push(Effect::Dropped {
                label,
                why: Dropped::Lagged,
                count,
                place: None,
            });
        }
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

    /// Whether something waits to be handed out.
    pub(crate) fn is_queued(&self) -> bool {
        self.queued > 0
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

#[cfg(test)]
#[path = "inbox_test.rs"]
mod tests;
