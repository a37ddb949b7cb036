//! Level 3: the agent that does what falls due: acknowledgements that are late, waits that are over, what is published
//! later, and subscribers who could not be told.

use std::sync::Arc;
use std::time::Duration;

use triarch_supervision::prelude::*;

use crate::breaker::BreakerState;
use crate::hub::{Hub, lock, unpoisoned};
use crate::subscription::Subscription;

/// How often the gauges are set, and subscriptions of agents that have left the tree are ended.
const LOOK_EVERY: Duration = Duration::from_secs(1);
/// A full mailbox is not tried again sooner.
const RING_AGAIN_AFTER: Duration = Duration::from_millis(5);

/// Takes no messages: what it does, it does by itself.
#[derive(Debug)]
pub(crate) enum Never {}

impl Message for Never {}

/// Does what falls due.
#[derive(Debug)]
pub(crate) struct Timers {
    hub: Arc<Hub>,
    next_look: Moment,
    rings_from: Moment,
    unrung: Vec<Arc<Subscription>>,
}

impl Agent for Timers {
    type Message = Never;
    type Spec = Arc<Hub>;

    async fn start(hub: Arc<Hub>, _ctx: &mut Context<Self>) -> Result<Self, Failure> {
        let now = Moment::now();
        Ok(Self {
            hub,
            next_look: now,
            rings_from: now,
            unrung: Vec::new(),
        })
    }

    async fn handle(&mut self, never: Never, _ctx: &mut Context<Self>) -> Result<(), Failure> {
        match never {}
    }

    async fn attend(&mut self, _ctx: &mut Context<Self>) -> Result<(), Failure> {
        let due = self.next_due();
        // Whichever comes first; what there is to do is looked up.
        let _woken = tokio::time::timeout_at(due.instant(), self.hub.wake.notified()).await;
        self.act(Moment::now());
        Ok(())
    }
}

impl Timers {
    fn next_due(&self) -> Moment {
        let ring = (!self.unrung.is_empty()).then_some(self.rings_from);
        let agenda = lock(&self.hub.agenda).next();
        let all = [Some(self.next_look), ring, agenda, self.hub.next_reminder()];
        all.into_iter().flatten().min().unwrap_or(self.next_look)
    }

    fn act(&mut self, now: Moment) {
        self.unrung.append(&mut self.hub.take_unrung());
        if !self.unrung.is_empty() && self.rings_from <= now {
            self.rings_from = now + RING_AGAIN_AFTER;
            for subscription in std::mem::take(&mut self.unrung) {
                subscription.ring_again(&self.hub, now);
            }
        }
        while let Some(id) = self.hub.take_reminder(now) {
            if let Some(subscription) = self.hub.subscription(id) {
                subscription.tick(&self.hub, now);
            }
        }
        let due = lock(&self.hub.agenda).due(now);
        for plan in due {
            self.hub.carry_out(plan);
        }
        if self.next_look <= now {
            self.next_look = now + LOOK_EVERY;
            self.look();
        }
    }

    fn look(&self) {
        let hub = &self.hub;
        let all: Vec<_> = unpoisoned(hub.table.read()).subscriptions.values().cloned().collect();
        let mut open = 0;
        let mut figures = hub.metrics.all().map(|_| (0usize, 0u64)).collect::<Vec<_>>();
        for one in &all {
            if one.bell.is_gone() {
                hub.leave(one.profile.id);
                continue;
            }
            let (tally, breaker) = one.figures();
            open += usize::from(breaker == BreakerState::Open);
            let last = figures.len() - 1;
            if let Some((count, lag)) = figures.get_mut(usize::from(one.profile.label).min(last)) {
                *count += 1;
                *lag = (*lag).max(tally.waiting);
            }
        }
        for (counted, (count, lag)) in hub.metrics.all().zip(figures) {
            counted.subscribers.set_count(count);
            counted.lag.set_count(usize::try_from(lag).unwrap_or(usize::MAX));
        }
        hub.metrics.breakers_open.set_count(open);
        hub.metrics.dead_kept.set_count(lock(&hub.dead).len());
        hub.metrics.delayed.set_count(lock(&hub.agenda).len());
    }
}
