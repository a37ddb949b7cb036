//! What a subscriber gets into its mailbox, and takes its envelopes from.

use std::collections::{BTreeMap, VecDeque};
use std::fmt;
use std::sync::Arc;

use triarch_supervision::clock::Moment;

use crate::account::Cause;
use crate::dead::SubscriptionId;
use crate::hub::Hub;
use crate::item::{Handed, Item, Sent};
use crate::subscription::Subscription;

/// How many are taken out of the inbox at once.
const BATCH: usize = 32;
/// After so many the agent's other messages have their turn.
const TURN: usize = 256;

/// Something waits: iterate to take it. What is not taken comes again.
///
/// Once its mailbox drops one of these, as `DropOldest` and `DropNewest` do, its subscriber is not told of what waits until
/// that is dropped from the tree's dead letters too: let a subscriber's mailbox wait or reject.
///
/// It is one message in the subscriber's mailbox, however many envelopes follow; after 256 of them the rest comes with
/// another, behind what else lies there.
pub struct Arrivals {
    hub: Arc<Hub>,
    subscription: Arc<Subscription>,
    /// Which bell they are for.
    era: u64,
    batch: VecDeque<Item>,
    /// How many came with the batch, until it is settled what became of them.
    lent: usize,
    /// How many more may be taken.
    left: usize,
    is_over: bool,
    /// So many were handed to the subscriber and not yet counted, all under one label.
    uncounted: (u16, u64),
}

impl fmt::Debug for Arrivals {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Arrivals")
            .field("subscription", &self.subscription.profile)
            .finish_non_exhaustive()
    }
}

impl Arrivals {
    pub(crate) fn new(hub: &Arc<Hub>, subscription: &Arc<Subscription>, era: u64) -> Self {
        Self {
            hub: Arc::clone(hub),
            subscription: Arc::clone(subscription),
            era,
            batch: VecDeque::new(),
            lent: 0,
            left: TURN,
            is_over: false,
            uncounted: (0, 0),
        }
    }

    /// The subscription that they came for.
    pub fn subscription(&self) -> SubscriptionId {
        self.subscription.profile.id
    }

    /// Takes what there is now: a batch to be used at once, or one to be acknowledged.
    fn take(&mut self) -> Option<Delivery> {
        let (most, now) = (BATCH.min(self.left), Moment::now());
        let batch = &mut self.batch;
        let used = std::mem::take(&mut self.lent);
        let taken = self
            .subscription
            .take(&self.hub, self.era, now, used, |inbox, effects| {
                if inbox.is_acknowledged() {
                    return inbox.hand_out(now, effects).map(Some);
                }
                inbox.lend(most, now, batch, effects);
                (!batch.is_empty()).then_some(None)
            });
        self.count();
        self.lent = self.batch.len();
        let Some(handed) = taken else {
            self.is_over = true;
            return None;
        };
        if let Some(handed) = handed {
            self.left -= 1;
            return Some(self.delivery(handed));
        }
        self.left -= self.lent;
        if let Some(first) = self.batch.front() {
            self.hub.metrics.seconds.observe(now.since(first.envelope.at()));
        }
        self.hand_over()
    }

    fn hand_over(&mut self) -> Option<Delivery> {
        let item = self.batch.pop_front()?;
        let label = item.envelope.label();
        if self.uncounted.0 != label {
            self.count();
            self.uncounted.0 = label;
        }
        self.uncounted.1 += 1;
        Some(Delivery::once(item))
    }

    fn count(&mut self) {
        let (label, count) = self.uncounted;
        if count > 0 {
            self.hub.metrics.of(label).delivered.add(count);
            self.uncounted.1 = 0;
        }
    }

    fn delivery(&self, handed: Handed) -> Delivery {
        Delivery {
            envelope: handed.item.envelope,
            attempt: handed.attempt,
            slip: Some(Slip {
                hub: Arc::clone(&self.hub),
                subscription: Arc::clone(&self.subscription),
                token: handed.token,
                is_settled: false,
            }),
        }
    }

    /// Others have their turn; the rest comes with another message.
    fn pass_on(&mut self) {
        self.is_over = true;
        let (now, used) = (Moment::now(), std::mem::take(&mut self.lent));
        let more = self.subscription.take(&self.hub, self.era, now, used, |inbox, _| {
            inbox.is_ready(now).then_some(())
        });
        self.count();
        if more.is_some() {
            self.subscription.ring_for_more(&self.hub, self.era);
        }
    }
}

impl Iterator for Arrivals {
    type Item = Delivery;

    fn next(&mut self) -> Option<Delivery> {
        if !self.batch.is_empty() {
            return self.hand_over();
        }
        if self.is_over {
            return None;
        }
        if self.left == 0 {
            self.pass_on();
            return None;
        }
        self.take()
    }
}

impl Drop for Arrivals {
    fn drop(&mut self) {
        self.count();
        if !self.is_over {
            let unused = std::mem::take(&mut self.batch);
            let used = self.lent - unused.len();
            self.subscription.lost_arrivals(&self.hub, self.era, used, unused);
        }
    }
}

/// An envelope in the hands of a subscriber.
#[derive(Debug)]
pub struct Delivery {
    /// The envelope, shared with all others who got it.
    pub envelope: Sent,
    /// Which try it is, from 1.
    pub attempt: u32,
    slip: Option<Slip>,
}

/// What an acknowledgement is written on. One that is dropped says that its handler crashed.
struct Slip {
    hub: Arc<Hub>,
    subscription: Arc<Subscription>,
    token: u64,
    is_settled: bool,
}

impl fmt::Debug for Slip {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Slip({})", self.token)
    }
}

impl Delivery {
    fn once(item: Item) -> Self {
        Self {
            envelope: item.envelope,
            attempt: 1,
            slip: None,
        }
    }

    /// Whether it is tried again where it is not acknowledged.
    pub fn is_acknowledged(&self) -> bool {
        self.slip.is_some()
    }

    /// It is done. False where that is said too late: it may be handed out once more then.
    pub fn acknowledge(mut self) -> bool {
        let Some(mut slip) = self.slip.take() else { return true };
        slip.is_settled = true;
        let (hub, token) = (&slip.hub, slip.token);
        let act = slip
            .subscription
            .act(hub, Moment::now(), |inbox, effects| inbox.acknowledge(token, effects));
        act.unwrap_or(false)
    }

    /// It failed, and is tried again where it was to be acknowledged.
    pub fn fail(mut self, why: impl Into<Arc<str>>) {
        if let Some(mut slip) = self.slip.take() {
            slip.is_settled = true;
            slip.failed(Cause::Failed, Some(why.into()));
        }
    }

    /// The time for its acknowledgement begins anew: it has not come to the subscriber yet, or just has. False where it was over:
    /// it comes once more.
    pub fn renew(&self) -> bool {
        let Some(Slip {
            hub,
            subscription,
            token,
            ..
        }) = &self.slip
        else {
            return true;
        };
        let now = Moment::now();
        let act = subscription.act(hub, now, |inbox, _| inbox.renew(*token, now));
        act.unwrap_or(false)
    }

    /// Who was to pass these on to the subscriber cannot: they wait again in their order, as if they had not been handed out, and
    /// the subscriber has not failed at them. Those that were not to be acknowledged are gone.
    pub fn give_back(deliveries: impl IntoIterator<Item = Self>) {
        let slips = deliveries.into_iter().filter_map(|mut delivery| delivery.slip.take());
        let mut by_subscription: BTreeMap<_, Vec<Slip>> = BTreeMap::new();
        for slip in slips {
            let whose = (Arc::as_ptr(&slip.hub).addr(), slip.subscription.profile.id);
            by_subscription.entry(whose).or_default().push(slip);
        }
        by_subscription.into_values().for_each(Slip::take_back);
    }
}

impl Slip {
    /// All are of one subscription, which is told once they are back.
    fn take_back(mut slips: Vec<Self>) {
        // Each is put in front of those before.
        slips.sort_unstable_by_key(|slip| std::cmp::Reverse(slip.token));
        for slip in &mut slips {
            slip.is_settled = true;
        }
        let Some(Self { hub, subscription, .. }) = slips.first() else {
            return;
        };
        subscription.act(hub, Moment::now(), |inbox, _| {
            for slip in &slips {
                inbox.take_back(slip.token);
            }
        });
    }

    fn failed(&self, cause: Cause, why: Option<Arc<str>>) {
        let (hub, now) = (&self.hub, Moment::now());
        let mut chance = hub.chance();
        self.subscription.act(hub, now, |inbox, effects| {
            inbox.fail(self.token, (cause, why), now, &mut chance, effects)
        });
    }
}

impl Drop for Slip {
    fn drop(&mut self) {
        if !self.is_settled {
            self.failed(Cause::Crashed, None);
        }
    }
}
