//! One subscription as it lives: its inbox under a lock, and the bell of whoever it is for.
//!
//! ```text
//!  publisher ──offer──▶ inbox ──first that waits──▶ bell ──▶ Arrivals in the subscriber's mailbox
//!                         ▲                                      │
//!                         └──────────── takes, in batches ───────┘
//! ```
//!
//! Whoever publishes holds the lock for the moment that one push takes, and rings once however many follow. Who subscribes
//! again gets another profile for the same desk: whatever was under way to the one before comes to the one after it.

use std::collections::VecDeque;
use std::fmt;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;

use triarch_supervision::clock::Moment;
use triarch_supervision::message::Message;
use triarch_supervision::prelude::Address;
use triarch_supervision::sync::{Mutex, MutexGuard, lock};

use crate::account::Tally;
use crate::archivist::{Feed, Start};
use crate::arrivals::Arrivals;
use crate::breaker::BreakerState;
use crate::dead::SubscriptionId;
use crate::filter::Filter;
use crate::group::{Load, Pick};
use crate::hub::Hub;
use crate::inbox::Inbox;
use crate::item::{Effect, Item, Place, Waiting};
use crate::metrics::Places;
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
        // A panic there is the subscriber's own failure, and no business of whoever publishes. Arrivals that do not arrive
        // are dropped, and tell the subscription by that.
        if let Ok(message) = catch_unwind(AssertUnwindSafe(|| M::from(arrivals))) {
            drop(self.try_send(message));
        }
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
    pub(crate) counted_in: Places,
    pub(crate) terms: Terms,
    /// What it is known by in a log, where it reads one.
    pub(crate) reads: Option<Reads>,
}

/// How a subscription reads a log.
#[derive(Clone, Debug)]
pub(crate) struct Reads {
    pub(crate) log: Pattern,
    pub(crate) start: Start,
    /// Under which name its place is kept.
    pub(crate) name: Option<Arc<str>>,
}

pub(crate) struct Subscription {
    pub(crate) profile: Profile,
    desk: Arc<Mutex<Desk>>,
}

struct Desk {
    inbox: Inbox,
    bell: Arc<dyn Bell>,
    /// Which bell it is: arrivals of an earlier one take nothing more.
    era: u64,
    ring: Ring,
    is_closed: bool,
    /// When it is to be looked at, as the timers were told.
    armed: Option<Moment>,
    feed: Option<Feed>,
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

/// Where a subscription stands.
#[derive(Default)]
pub(crate) struct Figures {
    /// What became of everything.
    pub(crate) tally: Tally,
    /// How many bytes of payload wait.
    pub(crate) bytes: usize,
    pub(crate) breaker: BreakerState,
}

/// What follows of an act on a desk, once its lock is free.
#[must_use = "what was decided is counted and told by following it"]
pub(crate) struct Echo {
    effects: Vec<Effect>,
    /// The bell that is to be rung, and its era.
    ring: Option<(Arc<dyn Bell>, u64)>,
    /// The bell that another took the place of. Arrivals may lie with it, and take whatever they need when it is dropped.
    before: Option<Arc<dyn Bell>>,
}

impl Profile {
    fn feed(&self) -> Option<Feed> {
        let Reads { log, start, name } = self.reads.clone()?;
        let key = name.map(|name| (Arc::clone(&self.subscriber), name));
        Some(Feed::new(log, self.pattern.clone()?, start, key))
    }
}

impl fmt::Debug for Subscription {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Subscription")
            .field("profile", &self.profile)
            .finish_non_exhaustive()
    }
}

impl Echo {
    pub(crate) fn follow(self, hub: &Arc<Hub>, subscription: &Arc<Subscription>) {
        hub.settle(&subscription.profile, self.effects);
        if let Some((bell, era)) = self.ring {
            bell.ring(Arrivals::new(hub, subscription, era));
        }
        drop(self.before);
    }
}

impl Subscription {
    pub(crate) fn new(profile: Profile, bell: Arc<dyn Bell>) -> Arc<Self> {
        let desk = Desk {
            inbox: Inbox::new(profile.terms),
            bell,
            era: 0,
            ring: Ring::Silent,
            is_closed: false,
            armed: None,
            feed: profile.feed(),
        };
        Arc::new(Self {
            profile,
            desk: Arc::new(Mutex::new(desk)),
        })
    }

    /// The same subscription under another profile and for another bell: what waits, what is in hand and what is under
    /// way stay where they are.
    pub(crate) fn again(&self, profile: Profile, bell: Arc<dyn Bell>, hub: &Hub) -> (Arc<Self>, Echo) {
        let one = Arc::new(Self {
            profile,
            desk: Arc::clone(&self.desk),
        });
        let echo = one.hear_by(bell, hub);
        (one, echo)
    }

    /// From now on it is told by this bell, and has the terms of its profile.
    pub(crate) fn hear_by(&self, bell: Arc<dyn Bell>, hub: &Hub) -> Echo {
        let (now, mut effects) = (Moment::now(), Vec::new());
        let mut desk = lock(&self.desk);
        desk.inbox.retune(self.profile.terms, now, &mut effects);
        if let (Some(feed), Some(pattern)) = (&mut desk.feed, &self.profile.pattern) {
            feed.pattern = pattern.clone();
        }
        let before = Some(std::mem::replace(&mut desk.bell, bell));
        desk.era += 1;
        desk.ring = Ring::Silent;
        let echo = self.echo(&mut desk, hub, now, effects);
        Echo { before, ..echo }
    }

    /// Does something with the inbox, and all that follows from it; nothing once the subscription has ended.
    pub(crate) fn act<T>(
        self: &Arc<Self>,
        hub: &Arc<Hub>,
        now: Moment,
        act: impl FnOnce(&mut Inbox, &mut Vec<Effect>) -> T,
    ) -> Option<T> {
        let (done, echo) = self.act_quietly(hub, now, act)?;
        echo.follow(hub, self);
        Some(done)
    }

    /// The same for whoever holds a lock: what follows is left to it.
    pub(crate) fn act_quietly<T>(
        &self,
        hub: &Hub,
        now: Moment,
        act: impl FnOnce(&mut Inbox, &mut Vec<Effect>) -> T,
    ) -> Option<(T, Echo)> {
        let mut effects = Vec::new();
        let mut desk = lock(&self.desk);
        if desk.is_closed {
            return None;
        }
        let done = act(&mut desk.inbox, &mut effects);
        Some((done, self.echo(&mut desk, hub, now, effects)))
    }

    fn echo(&self, desk: &mut Desk, hub: &Hub, now: Moment, mut effects: Vec<Effect>) -> Echo {
        let has_more = self.pull(desk, hub, now, &mut effects);
        self.arm(desk, hub, now);
        let begins_to_ring = desk.ring == Ring::Silent && (has_more || desk.inbox.is_ready(now));
        let ring = begins_to_ring.then(|| {
            desk.ring = Ring::Rung;
            (Arc::clone(&desk.bell), desk.era)
        });
        Echo {
            effects,
            ring,
            before: None,
        }
    }

    /// Takes from the log what there is room for; tells whether more is to be looked at though nothing was found.
    fn pull(&self, desk: &mut Desk, hub: &Hub, now: Moment, effects: &mut Vec<Effect>) -> bool {
        let Some(feed) = &mut desk.feed else { return false };
        let has_more = feed.pull(hub, &self.profile, &mut desk.inbox, now, effects);
        feed.settle(hub, &self.profile, effects);
        has_more
    }

    /// What the subscriber can get; where it gets nothing it is rung for again. Arrivals of an earlier bell get nothing.
    pub(crate) fn take<T>(
        self: &Arc<Self>,
        hub: &Arc<Hub>,
        era: u64,
        now: Moment,
        used: usize,
        take: impl FnOnce(&mut Inbox, &mut Vec<Effect>) -> Option<T>,
    ) -> Option<T> {
        let mut effects = Vec::new();
        let mut desk = lock(&self.desk);
        Self::settle_lent(&mut desk, hub, |inbox| inbox.used(used));
        let is_present = desk.era == era;
        let has_more = is_present && !desk.is_closed && self.pull(&mut desk, hub, now, &mut effects);
        let before = effects.len();
        let taken = is_present.then(|| take(&mut desk.inbox, &mut effects)).flatten();
        if let Some(feed) = &desk.feed {
            feed.settle(hub, &self.profile, effects.get(before..).unwrap_or_default());
        }
        let looks_on = taken.is_none() && has_more;
        if taken.is_none() && is_present && !looks_on {
            desk.ring = Ring::Silent;
        }
        self.arm(&mut desk, hub, now);
        drop(desk);
        hub.settle(&self.profile, effects);
        if looks_on {
            self.ring_for_more(hub, era);
        }
        taken
    }

    /// The subscriber lost its arrivals, or left them before their end: so many were used, and these were not. It is told
    /// again, by the timers.
    pub(crate) fn lost_arrivals(self: &Arc<Self>, hub: &Arc<Hub>, era: u64, used: usize, unused: VecDeque<Item>) {
        let mut effects = Vec::new();
        let mut desk = lock(&self.desk);
        let is_closed = desk.is_closed;
        Self::settle_lent(&mut desk, hub, |inbox| {
            inbox.used(used);
            if is_closed {
                inbox.forfeit(unused, &mut effects);
            } else {
                inbox.give_back(unused);
            }
        });
        if desk.era == era {
            desk.ring = Ring::Silent;
        }
        // Whether there is more in a log is found out when it is told again.
        let may_get_more = desk.feed.is_some() || desk.inbox.is_ready(Moment::now());
        let is_wanted = !is_closed && desk.ring == Ring::Silent && may_get_more;
        if is_wanted {
            desk.ring = Ring::Listed;
        }
        drop(desk);
        hub.settle(&self.profile, effects);
        if is_wanted {
            hub.ring_later(Arc::clone(self));
        }
    }

    /// What was lent may come back after the end, when the account is with the hub.
    fn settle_lent(desk: &mut MutexGuard<'_, Desk>, hub: &Hub, settle: impl FnOnce(&mut Inbox)) {
        let before = desk.is_closed.then(|| desk.inbox.tally());
        settle(&mut desk.inbox);
        if let Some(before) = before {
            hub.amend(before, desk.inbox.tally());
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

    /// Tells the timers when to look at it next, where that is sooner than they know.
    fn arm(&self, desk: &mut Desk, hub: &Hub, now: Moment) {
        if let Some(due) = desk.inbox.next_due(now)
            && desk.armed.is_none_or(|armed| due < armed)
        {
            hub.remind(desk.armed.replace(due), due, self.profile.id);
        }
    }

    /// Does what fell due.
    pub(crate) fn tick(self: &Arc<Self>, hub: &Arc<Hub>, now: Moment) {
        let mut chance = hub.chance();
        let mut desk = lock(&self.desk);
        if let Some(armed) = desk.armed.take() {
            hub.forget_reminder(armed, self.profile.id);
        }
        drop(desk);
        self.act(hub, now, |inbox, effects| inbox.tick(now, &mut chance, effects));
    }

    /// Ends it, and gives out what waits; nothing where it has ended before.
    pub(crate) fn end(&self, hub: &Hub) -> Vec<Waiting> {
        let mut desk = lock(&self.desk);
        if std::mem::replace(&mut desk.is_closed, true) {
            return Vec::new();
        }
        if let Some(armed) = desk.armed.take() {
            hub.forget_reminder(armed, self.profile.id);
        }
        let mut left = desk.inbox.withdraw();
        hub.ended(desk.inbox.tally());
        // What is in a log stays there.
        left.retain(|waiting| !matches!(waiting.item.place, Some(Place::Log(_))));
        left
    }

    /// Puts into order what came late.
    pub(crate) fn put_in_order(&self) {
        lock(&self.desk).inbox.put_in_order();
    }

    /// What it left and nobody takes over.
    pub(crate) fn bury(&self, left: Vec<Waiting>, hub: &Hub) -> Echo {
        let mut effects = Vec::new();
        let mut inbox = Inbox::new(self.profile.terms);
        inbox.close_over(left, &mut effects);
        hub.ended(inbox.tally());
        Echo {
            effects,
            ring: None,
            before: None,
        }
    }

    /// The rest comes with another message.
    pub(crate) fn ring_for_more(self: &Arc<Self>, hub: &Arc<Hub>, era: u64) {
        let bell = Arc::clone(&lock(&self.desk).bell);
        bell.ring(Arrivals::new(hub, self, era));
    }

    /// Which bell it has.
    pub(crate) fn era(&self) -> u64 {
        lock(&self.desk).era
    }

    /// Whether nobody can ever be told: by which of its bells.
    pub(crate) fn gone(&self) -> Option<u64> {
        let desk = lock(&self.desk);
        let (bell, era) = (Arc::clone(&desk.bell), desk.era);
        drop(desk);
        bell.is_gone().then_some(era)
    }

    /// What is still to be settled, and whether one more with so many bytes fits.
    pub(crate) fn load(&self, bytes: usize) -> Load {
        let desk = lock(&self.desk);
        Load {
            waiting: desk.inbox.waiting(),
            is_full: !desk.inbox.has_room_of(bytes),
        }
    }

    /// How many are still to come from its log, or to be settled.
    pub(crate) fn behind(&self, hub: &Hub) -> Option<u64> {
        lock(&self.desk).feed.as_ref()?.behind(hub)
    }

    /// Where it stands. An ended one is accounted for elsewhere.
    pub(crate) fn figures(&self) -> Figures {
        let desk = lock(&self.desk);
        if desk.is_closed {
            return Figures::default();
        }
        Figures {
            tally: desk.inbox.tally(),
            bytes: desk.inbox.bytes(),
            breaker: desk.inbox.breaker(),
        }
    }
}
