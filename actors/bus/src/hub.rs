//! What all parts of a bus share: who subscribes, who waits, what comes later.
//!
//! Nobody is asked: a publisher looks up the route of its topic and puts the envelope into each inbox itself. Locks are
//! taken in this order, and none is held while a bell is rung:
//!
//! ```text
//! table ─▶ members of a group ─▶ desk of a subscription ─▶ reminders, past
//! ```

use std::cmp::Reverse;
use std::collections::BinaryHeap;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, LockResult, Mutex, MutexGuard, PoisonError, RwLock};

use tokio::sync::Notify;
use triarch_supervision::clock::{Moment, Seeded};
use triarch_supervision::metrics::Instruments;

use crate::access::Access;
use crate::account::Tally;
use crate::agenda::Agenda;
use crate::config::Config;
use crate::dead::{DeadBox, DeadLetter, SubscriptionId};
use crate::envelope::{Draft, Envelope, EnvelopeId};
use crate::error::Error;
use crate::inbox::{Effect, Item};
use crate::metrics::Metrics;
use crate::requests::Requests;
use crate::subscription::Subscription;
use crate::table::{Group, Route, Table, Target, TopicEntry};
use crate::topic::Topic;
use crate::wall_clock::timestamp;

/// Locks, whatever became of another holder.
pub(crate) fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    unpoisoned(mutex.lock())
}

/// What a lock guards; a panic of another holder is that holder's failure, not ours.
pub(crate) fn unpoisoned<G>(locked: LockResult<G>) -> G {
    locked.unwrap_or_else(PoisonError::into_inner)
}

#[derive(Debug)]
pub(crate) struct Hub {
    pub(crate) config: Config,
    pub(crate) access: Access,
    pub(crate) metrics: Metrics,
    run: u64,
    next_envelope: AtomicU64,
    pub(crate) table: RwLock<Table>,
    /// Counts changes of the table, so that routes are known to be old.
    pub(crate) generation: AtomicU64,
    pub(crate) dead: Mutex<DeadBox>,
    pub(crate) agenda: Mutex<Agenda>,
    pub(crate) requests: Requests,
    chance: Mutex<Seeded>,
    /// Who could not be told that something waits.
    unrung: Mutex<Vec<Arc<Subscription>>>,
    /// Which subscriptions are to be looked at, and when.
    reminders: Mutex<BinaryHeap<Reverse<(Moment, SubscriptionId)>>>,
    /// Wakes the timers.
    pub(crate) wake: Notify,
    /// What became of everything offered to subscriptions that have ended.
    past: Mutex<Tally>,
}

impl Hub {
    pub(crate) fn new(config: Config, run: u64, instruments: &Instruments) -> Result<Arc<Self>, Error> {
        let config = config.validated()?;
        Ok(Arc::new(Self {
            access: config.access()?,
            metrics: Metrics::new(instruments, config.counted()?)?,
            run,
            next_envelope: AtomicU64::new(1),
            table: RwLock::default(),
            generation: AtomicU64::new(1),
            dead: Mutex::new(DeadBox::new(config.dead_letters)),
            agenda: Mutex::new(Agenda::new(config.delayed)),
            requests: Requests::new(config.requests),
            chance: Mutex::new(Seeded::new(run)),
            unrung: Mutex::default(),
            reminders: Mutex::default(),
            wake: Notify::new(),
            past: Mutex::default(),
            config,
        }))
    }

    // ---- routes ----

    pub(crate) fn topic(&self, topic: &Topic) -> Arc<TopicEntry> {
        if let Some(entry) = unpoisoned(self.table.read()).topics.get(topic) {
            return Arc::clone(entry);
        }
        let label = self.metrics.label(topic);
        unpoisoned(self.table.write()).topic(topic, label)
    }

    /// Who gets what is published on a topic now.
    pub(crate) fn route(&self, entry: &TopicEntry) -> Arc<Route> {
        let route = entry.route();
        if route.generation == self.generation.load(Ordering::Acquire) {
            return route;
        }
        let table = unpoisoned(self.table.read());
        let generation = self.generation.load(Ordering::Acquire);
        let route = Arc::new(Route {
            generation,
            targets: self.targets(&table, &entry.topic),
        });
        entry.set_route(&route);
        route
    }

    fn targets(&self, table: &Table, topic: &Topic) -> Vec<Target> {
        let mut targets = Vec::new();
        table.matcher.each(topic, |target| match target {
            Target::One(one) if self.access.limit(&one.profile.subscriber, topic).is_some() => {}
            target => targets.push(target.clone()),
        });
        targets
    }

    // ---- delivery ----

    pub(crate) fn seal(&self, draft: Draft, from: &Arc<str>, to: crate::envelope::Destination) -> Envelope {
        let number = self.next_envelope.fetch_add(1, Ordering::Relaxed);
        draft.sealed(EnvelopeId::new(self.run, number), timestamp(), Arc::clone(from), to)
    }

    /// Puts an envelope into the inbox of everybody it is for; tells how many they are.
    pub(crate) fn deliver(self: &Arc<Self>, route: &Route, label: u16, envelope: Envelope) -> usize {
        let now = Moment::now();
        let counted = self.metrics.of(label);
        counted.published.increment();
        counted
            .payload_bytes
            .add(u64::try_from(envelope.payload.len()).unwrap_or_default());
        let until = envelope.ttl().map(|ttl| now + ttl);
        let envelope = Arc::new(envelope);
        let item = Item {
            envelope,
            until,
            at: now,
            label,
        };
        let matched = route
            .targets
            .iter()
            .filter(|target| self.offer(target, &item, now))
            .count();
        if matched == 0 {
            counted.without_subscriber();
        }
        matched
    }

    fn offer(self: &Arc<Self>, target: &Target, item: &Item, now: Moment) -> bool {
        match target {
            Target::One(subscription) => self.offer_one(subscription, item, now),
            Target::Group(group) => {
                let member = self.member(group, item);
                member.is_some_and(|member| self.offer_one(&member, item, now))
            }
        }
    }

    /// Whether it was meant by the envelope, whatever became of it there.
    pub(crate) fn offer_one(self: &Arc<Self>, subscription: &Arc<Subscription>, item: &Item, now: Moment) -> bool {
        let filter = subscription.profile.filter.as_ref();
        if filter.is_some_and(|filter| !filter.accepts(&item.envelope)) {
            return false;
        }
        let offered = subscription.act(self, now, |inbox, effects| inbox.offer(item.clone(), now, effects));
        offered.is_some()
    }

    fn member(&self, group: &Group, item: &Item) -> Option<Arc<Subscription>> {
        let may = |member: &Arc<Subscription>| {
            let profile = &member.profile;
            let topic = item.envelope.topic();
            profile
                .filter
                .as_ref()
                .is_none_or(|filter| filter.accepts(&item.envelope))
                && topic.is_none_or(|topic| self.access.limit(&profile.subscriber, topic).is_none())
        };
        group.choose(may, &mut self.chance())
    }

    /// A generator of chance for one act, made before any lock is taken.
    pub(crate) fn chance(&self) -> Seeded {
        Seeded::new(lock(&self.chance).next_u64())
    }

    /// Counts and keeps what came of an act on an inbox.
    pub(crate) fn settle(&self, subscription: &Subscription, effects: Vec<Effect>) {
        for effect in effects {
            match effect {
                Effect::Delivered { label, at } => {
                    let counted = self.metrics.of(label);
                    counted.delivered.increment();
                    counted.seconds.observe(Moment::now().since(at));
                }
                Effect::Dropped { label, why } => self.metrics.of(label).dropped(why),
                Effect::Dead { waiting, cause, why } => {
                    self.metrics.dead(cause);
                    lock(&self.dead).keep(DeadLetter {
                        number: 0,
                        time: timestamp(),
                        subscriber: Arc::clone(&subscription.profile.subscriber),
                        subscription: subscription.profile.id,
                        cause,
                        why,
                        failures: waiting.failures,
                        envelope: waiting.item.envelope,
                    });
                }
            }
        }
    }

    /// A subscription has ended with this account.
    pub(crate) fn ended(&self, tally: Tally) {
        lock(&self.past).add(tally);
    }

    /// What became of everything that was ever offered to a subscription.
    pub(crate) fn tally(&self) -> Tally {
        // One that ends meanwhile is in neither, with all that it ever had.
        let table = unpoisoned(self.table.read());
        let mut tally = *lock(&self.past);
        table.subscriptions.values().for_each(|one| tally.add(one.figures().0));
        tally
    }

    // ---- for the timers ----

    pub(crate) fn ring_later(&self, subscription: Arc<Subscription>) {
        lock(&self.unrung).push(subscription);
        self.wake.notify_one();
    }

    pub(crate) fn take_unrung(&self) -> Vec<Arc<Subscription>> {
        std::mem::take(&mut *lock(&self.unrung))
    }

    pub(crate) fn remind(&self, due: Moment, id: SubscriptionId) {
        let mut reminders = lock(&self.reminders);
        let is_first = reminders.peek().is_none_or(|Reverse((first, _))| due < *first);
        reminders.push(Reverse((due, id)));
        drop(reminders);
        if is_first {
            self.wake.notify_one();
        }
    }

    pub(crate) fn next_reminder(&self) -> Option<Moment> {
        lock(&self.reminders).peek().map(|Reverse((due, _))| *due)
    }

    pub(crate) fn take_reminder(&self, now: Moment) -> Option<SubscriptionId> {
        let mut reminders = lock(&self.reminders);
        let is_due = reminders.peek().is_some_and(|Reverse((due, _))| *due <= now);
        if is_due {
            reminders.pop().map(|Reverse((_, id))| id)
        } else {
            None
        }
    }

    pub(crate) fn subscription(&self, id: SubscriptionId) -> Option<Arc<Subscription>> {
        unpoisoned(self.table.read()).subscriptions.get(&id).cloned()
    }
}
