//! Level 3: the agent that does what falls due: acknowledgements that are late, waits that are over, what is published
//! later, and subscribers who could not be told.

use std::sync::Arc;
use std::time::Duration;

use triarch_supervision::prelude::*;
use triarch_supervision::sync::{lock, unpoisoned};

use crate::agenda::Clocks;
use crate::breaker::BreakerState;
use crate::hub::Hub;
use crate::subscription::Figures;
use crate::wall_clock::timestamp;

/// How often the gauges are set, and subscriptions of agents that have left the tree are ended.
const LOOK_EVERY: Duration = Duration::from_secs(1);
/// A full mailbox is not tried again sooner.
const RING_AGAIN_AFTER: Duration = Duration::from_millis(5);

/// What could not be handed to the archivist is not tried again sooner.
const TRY_AGAIN_AFTER: Duration = Duration::from_millis(100);

/// Does what falls due.
#[derive(Debug)]
pub(crate) struct Timers {
    hub: Arc<Hub>,
    next_look: Moment,
    rings_from: Moment,
}

impl Agent for Timers {
    type Message = Nothing;
    type Spec = Arc<Hub>;

    async fn start(hub: Arc<Hub>, _ctx: &mut Context<Self>) -> Result<Self, Failure> {
        let now = Moment::now();
        Ok(Self {
            hub,
            next_look: now,
            rings_from: now,
        })
    }

    async fn handle(&mut self, nothing: Nothing, _ctx: &mut Context<Self>) -> Result<(), Failure> {
        match nothing {}
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
        let ring = (self.hub.unrung() > 0).then_some(self.rings_from);
        let agenda = lock(&self.hub.agenda).next();
        let all = [Some(self.next_look), ring, agenda, self.hub.next_reminder()];
        all.into_iter().flatten().min().unwrap_or(self.next_look)
    }

    /// What is to be done stays with the hub until it is done: the next life goes on with it.
    fn act(&mut self, now: Moment) {
        let unrung = self.hub.unrung();
        if unrung > 0 && self.rings_from <= now {
            self.rings_from = now + RING_AGAIN_AFTER;
            // Those who cannot be told again stand behind them.
            for subscription in (0..unrung).map_while(|_| self.hub.take_unrung()) {
                subscription.ring_again(&self.hub, now);
            }
        }
        while let Some((due, id)) = self.hub.due_reminder(now) {
            match self.hub.subscription(id) {
                Some(subscription) => subscription.tick(&self.hub, now),
                None => self.hub.forget_reminder(due, id),
            }
        }
        let clocks = Clocks { now, wall: timestamp() };
        lock(&self.hub.agenda).look_at(clocks);
        loop {
            let due = lock(&self.hub.agenda).due(clocks);
            let Some(due) = due else { break };
            if !self.hub.carry_out(&due) {
                lock(&self.hub.agenda).put_off(now + TRY_AGAIN_AFTER, due);
            }
        }
        if self.next_look <= now {
            self.next_look = now + LOOK_EVERY;
            self.look();
        }
    }

    fn look(&self) {
        let hub = &self.hub;
        hub.archive.trim();
        let all: Vec<_> = unpoisoned(hub.table.read()).subscriptions.values().cloned().collect();
        let mut open = 0;
        let mut figures = hub.metrics.all().map(|_| (0usize, 0u64)).collect::<Vec<_>>();
        for one in &all {
            if let Some(era) = one.gone() {
                // One that has come back meanwhile has another bell.
                hub.leave(one.profile.id, Some(era));
                continue;
            }
            let Figures { tally, breaker, .. } = one.figures();
            open += usize::from(breaker == BreakerState::Open);
            let waits = tally.waiting.max(one.behind(hub).unwrap_or_default());
            for ((count, lag), place) in figures.iter_mut().zip(0..) {
                if one.profile.counted_in.has(place) {
                    *count += 1;
                    *lag = (*lag).max(waits);
                }
            }
        }
        for (counted, (count, lag)) in hub.metrics.all().zip(figures) {
            counted.subscribers.set_count(count);
            counted.lag.set_count(usize::try_from(lag).unwrap_or(usize::MAX));
        }
        hub.metrics.breakers_open.set_count(open);
        hub.metrics.dead_kept.set_count(lock(&hub.dead).kept());
        hub.metrics.delayed.set_count(lock(&hub.agenda).len());
    }
}

#[cfg(test)]
mod tests {
    use std::sync::OnceLock;

    use triarch_supervision::metrics::Instruments;

    use super::*;
    use crate::arrivals::Arrivals;
    use crate::bus::Bus;
    use crate::config::Config;
    use crate::metrics::BUS;
    use crate::subscribing::Subscribe;
    use crate::subscription::Bell;
    use crate::topic::Pattern;

    /// Of one that has left, and comes back while it is asked whether it has.
    #[derive(Default)]
    struct Left(OnceLock<Bus>);

    impl Bell for Left {
        fn ring(&self, _arrivals: Arrivals) {}

        fn is_gone(&self) -> bool {
            if let Some(bus) = self.0.get() {
                bus.add(what(), Arc::new(There), true).unwrap();
            }
            true
        }
    }

    struct There;

    impl Bell for There {
        fn ring(&self, _arrivals: Arrivals) {}

        fn is_gone(&self) -> bool {
            false
        }
    }

    fn what() -> Subscribe {
        Subscribe::new(Pattern::new("plant.*").unwrap(), "crew/a")
    }

    #[test]
    fn one_that_comes_back_while_it_is_looked_whether_it_has_left_goes_on() {
        for comes_back in [true, false] {
            let instruments = Instruments::with_tree(&[BUS]).unwrap();
            let bus = Bus::new(Config::default(), 1, &instruments).unwrap();
            let left = Arc::new(Left::default());
            bus.add(what(), left.clone(), true).unwrap();
            if comes_back {
                left.0.set(bus.clone()).unwrap();
            }
            let now = Moment::now();
            let timers = Timers {
                hub: Arc::clone(&bus.0),
                next_look: now,
                rings_from: now,
            };
            timers.look();
            assert_eq!(bus.subscriptions().len(), usize::from(comes_back));
        }
    }
}
