//! A subscriber that is no agent, or has its hands free: it waits for envelopes itself.

use std::fmt;
use std::sync::Arc;

use tokio::sync::Notify;

use triarch_supervision::sync::{Mutex, lock};

use crate::arrivals::{Arrivals, Delivery};
use crate::bus::Bus;
use crate::dead::SubscriptionId;
use crate::subscription::Bell;

/// Where arrivals are laid for a listener.
#[derive(Clone, Debug, Default)]
pub(crate) struct Ear(Arc<Slot>);

#[derive(Debug, Default)]
struct Slot {
    arrivals: Mutex<Option<Arrivals>>,
    came: Notify,
}

impl Bell for Ear {
    fn ring(&self, arrivals: Arrivals) {
        let before = lock(&self.0.arrivals).replace(arrivals);
        // There is none but where the listener left some.
        drop(before);
        self.0.came.notify_one();
    }

    fn is_gone(&self) -> bool {
        false
    }
}

/// Takes the envelopes of one subscription, one by one. Dropped, it ends the subscription, where nobody else has gone on with it.
pub struct Listener {
    bus: Bus,
    id: SubscriptionId,
    /// Which of its bells the ear is.
    era: u64,
    ear: Ear,
    hand: Option<Arrivals>,
}

impl fmt::Debug for Listener {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Listener").field("id", &self.id).finish_non_exhaustive()
    }
}

impl Listener {
    pub(crate) fn new(bus: Bus, id: SubscriptionId, era: u64, ear: Ear) -> Self {
        Self {
            bus,
            id,
            era,
            ear,
            hand: None,
        }
    }

    /// Goes without ending the subscription.
    #[cfg(test)]
    pub(crate) fn let_go(mut self) {
        self.hand = None;
        std::mem::forget(self);
    }

    /// The subscription that it takes from.
    pub fn subscription(&self) -> SubscriptionId {
        self.id
    }

    /// The next, if one waits.
    pub fn try_next(&mut self) -> Option<Delivery> {
        loop {
            if let Some(delivery) = self.hand.as_mut().and_then(Iterator::next) {
                return Some(delivery);
            }
            self.hand = None;
            self.hand = lock(&self.ear.0.arrivals).take();
            self.hand.as_ref()?;
        }
    }

    /// The next; waits for it. Cancel-safe.
    pub async fn next(&mut self) -> Delivery {
        loop {
            if let Some(delivery) = self.try_next() {
                return delivery;
            }
            self.ear.0.came.notified().await;
        }
    }
}

impl Drop for Listener {
    fn drop(&mut self) {
        // What it took and did not hand on still waits, and ends with the subscription.
        self.hand = None;
        // Whoever has subscribed under the same name since goes on.
        self.bus.0.leave(self.id, Some(self.era));
        // They hold the subscription, and that holds them.
        let left = lock(&self.ear.0.arrivals).take();
        drop(left);
    }
}
