//! One subscription as it lives: its inbox under a lock, and the bell of whoever it is for.
//!
//! ```text
//!  publisher ──offer──▶ inbox ──first that waits──▶ bell ──▶ Arrivals in the subscriber's mailbox
//!                         ▲                                      │
//!                         └──────────── takes, in batches ───────┘
//! ```
//!
//! Whoever publishes holds the lock for the moment that one push takes, and rings once however many follow.

use std::fmt;
use std::sync::{Arc, Mutex};

use triarch_supervision::clock::Moment;
use triarch_supervision::message::Message;
use triarch_supervision::prelude::Address;

use crate::account::Tally;
use crate::arrivals::Arrivals;
use crate::breaker::BreakerState;
use crate::dead::SubscriptionId;
use crate::filter::Filter;
use crate::group::{Load, Pick};
use crate::hub::{Hub, lock};
use crate::inbox::{Effect, Inbox, Waiting};
use crate::terms::Terms;
use crate::topic::Pattern;

/// How a subscriber is told that something waits.
pub(crate) trait Bell: Send + Sync {
    /// Tells it. Where that fails the arrivals are dropped, which is noticed.
    fn ring(&self, arrivals: Arrivals);

    /// Whether it will never hear again.
    fn is_gone(&self) -> bool;
}

impl<M: Message + From<Arrivals>> Bell for Address<M> {
    fn ring(&self, arrivals: Arrivals) {
        // What comes back is dropped, and tells the subscription by that.
        drop(self.try_send(M::from(arrivals)));
    }

    fn is_gone(&self) -> bool {
        self.is_closed()
    }
}

/// What is known of a subscription and does not change.
#[derive(Clone, Debug)]
pub(crate) struct Profile {
    pub(crate) id: SubscriptionId,
    /// None for what is sent to an agent by its path.
    pub(crate) pattern: Option<Pattern>,
    pub(crate) subscriber: Arc<str>,
    pub(crate) filter: Option<Filter>,
    pub(crate) group: Option<(Arc<str>, Pick)>,
    /// What it is counted under.
    pub(crate) label: u16,
    pub(crate) terms: Terms,
}

pub(crate) struct Subscription {
    pub(crate) profile: Profile,
    pub(crate) bell: Box<dyn Bell>,
    desk: Mutex<Desk>,
}

struct Desk {
    inbox: Inbox,
    ring: Ring,
    is_closed: bool,
    /// When it is to be looked at, as far as the timers were told.
    armed: Option<Moment>,
}

/// What the subscriber knows.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Ring {
    /// Nothing.
    Silent,
    /// That something waits: its arrivals are on their way, or in its hands.
    Rung,
    /// Nothing, though something waits: it could not be told, and is told later.
    Listed,
}

impl fmt::Debug for Subscription {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Subscription")
            .field("profile", &self.profile)
            .finish_non_exhaustive()
    }
}

impl Subscription {
    pub(crate) fn new(profile: Profile, bell: Box<dyn Bell>) -> Arc<Self> {
        let desk = Desk {
            inbox: Inbox::new(profile.terms),
            ring: Ring::Silent,
            is_closed: false,
            armed: None,
        };
        Arc::new(Self {
            profile,
            bell,
            desk: Mutex::new(desk),
        })
    }

    /// Does something with the inbox, and all that follows from it; nothing once the subscription has ended.
    pub(crate) fn act<T>(
        self: &Arc<Self>,
        hub: &Arc<Hub>,
        now: Moment,
        act: impl FnOnce(&mut Inbox, &mut Vec<Effect>) -> T,
    ) -> Option<T> {
        let mut effects = Vec::new();
        let mut desk = lock(&self.desk);
        if desk.is_closed {
            return None;
        }
        let done = act(&mut desk.inbox, &mut effects);
        self.arm(&mut desk, hub, now);
        let begins_to_ring = desk.ring == Ring::Silent && desk.inbox.is_ready(now);
        if begins_to_ring {
            desk.ring = Ring::Rung;
        }
        drop(desk);
        hub.settle(self, effects);
        if begins_to_ring {
            self.bell.ring(Arrivals::new(hub, self));
        }
        Some(done)
    }

    /// The same for the subscriber, who takes what it can get: where it gets nothing it is rung for again.
    pub(crate) fn take<T>(
        self: &Arc<Self>,
        hub: &Arc<Hub>,
        now: Moment,
        take: impl FnOnce(&mut Inbox, &mut Vec<Effect>) -> Option<T>,
    ) -> Option<T> {
        let mut effects = Vec::new();
        let mut desk = lock(&self.desk);
        let taken = take(&mut desk.inbox, &mut effects);
        if taken.is_none() {
            desk.ring = Ring::Silent;
        }
        self.arm(&mut desk, hub, now);
        drop(desk);
        hub.settle(self, effects);
        taken
    }

    /// The subscriber lost its arrivals, or left them before their end. It is told again, by the timers.
    pub(crate) fn lost_arrivals(self: &Arc<Self>, hub: &Arc<Hub>, settle: impl FnOnce(&mut Inbox)) {
        let mut desk = lock(&self.desk);
        settle(&mut desk.inbox);
        desk.ring = Ring::Silent;
        let is_wanted = !desk.is_closed && desk.inbox.is_ready(Moment::now());
        if is_wanted {
            desk.ring = Ring::Listed;
        }
        drop(desk);
        if is_wanted {
            hub.ring_later(Arc::clone(self));
        }
    }

    /// Tells the subscriber what it could not be told before.
    pub(crate) fn ring_again(self: &Arc<Self>, hub: &Arc<Hub>, now: Moment) {
        let mut desk = lock(&self.desk);
        if desk.ring == Ring::Listed {
            desk.ring = Ring::Silent;
        }
        drop(desk);
        self.act(hub, now, |_, _| ());
    }

    fn arm(&self, desk: &mut Desk, hub: &Hub, now: Moment) {
        if !self.profile.terms.is_acknowledged() {
            return;
        }
        if let Some(due) = desk.inbox.next_due(now)
            && desk.armed.is_none_or(|armed| due < armed)
        {
            desk.armed = Some(due);
            hub.remind(due, self.profile.id);
        }
    }

    /// Does what fell due.
    pub(crate) fn tick(self: &Arc<Self>, hub: &Arc<Hub>, now: Moment) {
        lock(&self.desk).armed = None;
        let mut chance = hub.chance();
        self.act(hub, now, |inbox, effects| inbox.tick(now, &mut chance, effects));
    }

    /// Ends it: what waits is dropped, or dead.
    pub(crate) fn close(self: &Arc<Self>, hub: &Arc<Hub>) {
        let mut effects = Vec::new();
        let mut desk = lock(&self.desk);
        if !std::mem::replace(&mut desk.is_closed, true) {
            desk.inbox.close(&mut effects);
            hub.ended(desk.inbox.tally());
        }
        drop(desk);
        hub.settle(self, effects);
    }

    /// Ends it, and gives what waits to whoever comes after it.
    pub(crate) fn withdraw(&self, hub: &Hub) -> Vec<Waiting> {
        let mut desk = lock(&self.desk);
        if std::mem::replace(&mut desk.is_closed, true) {
            return Vec::new();
        }
        let left = desk.inbox.withdraw();
        hub.ended(desk.inbox.tally());
        left
    }

    /// Something that was withdrawn and that nobody takes over.
    pub(crate) fn bury_left(&self, hub: &Hub, waiting: Waiting) {
        let mut effects = Vec::new();
        let mut inbox = Inbox::new(self.profile.terms);
        inbox.admit(waiting, Moment::default(), &mut effects);
        inbox.close(&mut effects);
        hub.ended(inbox.tally());
        hub.settle(self, effects);
    }

    /// What is still to be settled, and whether more fits.
    pub(crate) fn load(&self) -> Load {
        let desk = lock(&self.desk);
        let waiting = desk.inbox.waiting();
        Load {
            waiting,
            is_full: waiting >= self.profile.terms.bound,
        }
    }

    /// Where it stands: what became of everything, and its breaker. An ended one is accounted for elsewhere.
    pub(crate) fn figures(&self) -> (Tally, BreakerState) {
        let desk = lock(&self.desk);
        if desk.is_closed {
            return (Tally::default(), BreakerState::Closed);
        }
        (desk.inbox.tally(), desk.inbox.breaker())
    }
}
