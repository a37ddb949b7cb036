//! What all parts of a bus share: who subscribes, who waits, what comes later.
//!
//! Nobody is asked: a publisher looks up the route of its topic and puts the envelope into each inbox itself. Locks are
//! taken in this order, some of them left out:
//!
//! ```text
//! table ─▶ members of a group ─▶ desk of a subscription ─▶ logs ─▶ one log ─▶ bookmarks ─▶ followers ─▶ what has moved
//!                                                          └─▶ agenda ─▶ dead letters
//! ```
//!
//! Under any of them one of these, and nothing under that: a cursor, reminders, past, chance, who is unrung, requests, when logs
//! began. None is held while a subscriber's bell is rung or dropped, as that may take any of them. The archivist may be told under
//! each that something has moved: that is put into its mailbox, or not, and takes none.

use std::collections::{BTreeSet, VecDeque};
use std::sync::Arc;

use tokio::sync::Notify;
use triarch_supervision::clock::{Moment, Seeded};
use triarch_supervision::metrics::Instruments;
use triarch_supervision::sync::{AtomicU64, Mutex, Ordering, RwLock, lock, unpoisoned};

use crate::access::Access;
use crate::account::Tally;
use crate::agenda::Agenda;
use crate::archivist::Archive;
use crate::config::Config;
use crate::dead::{DeadBox, DeadLetter, SubscriptionId};
use crate::envelope::{Draft, Envelope, EnvelopeId};
use crate::error::Error;
use crate::filter::Verdict;
use crate::item::{Effect, Item, Place, Sent};
use crate::metrics::Metrics;
use crate::requests::Requests;
use crate::route::{Route, TopicEntry, Topics};
use crate::sending::Introduced;
use crate::subscription::{Profile, Subscription};
use crate::table::{Table, Target};
use crate::topic::Topic;
use crate::wall_clock::timestamp;

#[derive(Debug)]
pub(crate) struct Hub {
    pub(crate) config: Config,
    pub(crate) access: Access,
    pub(crate) metrics: Metrics,
    run: u64,
    next_envelope: AtomicU64,
    pub(crate) table: RwLock<Table>,
    pub(crate) topics: Topics,
    /// Counts changes of the table, so that routes are known to be old.
    pub(crate) generation: AtomicU64,
    pub(crate) dead: Mutex<DeadBox>,
    pub(crate) agenda: Mutex<Agenda>,
    pub(crate) requests: Requests,
    /// What is on disk.
    pub(crate) archive: Archive,
    chance: Mutex<Seeded>,
    /// Who could not be told that something waits.
    unrung: Mutex<VecDeque<Arc<Subscription>>>,
    /// Which subscriptions are to be looked at, and when; each once.
    reminders: Mutex<BTreeSet<(Moment, SubscriptionId)>>,
    /// Wakes the timers.
    pub(crate) wake: Notify,
    /// What became of everything offered to subscriptions that have ended.
    past: Mutex<Tally>,
    /// Who knows agents that have not attached themselves.
    pub(crate) introduced: Introduced,
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
            topics: Topics::default(),
            generation: AtomicU64::new(1),
            dead: Mutex::new(DeadBox::new(config.dead_letters, config.dead_letters_bytes)),
            agenda: Mutex::new(Agenda::new(config.delayed, config.delayed_bytes)),
            requests: Requests::new(config.requests),
            archive: Archive::new(&config)?,
            chance: Mutex::new(Seeded::new(run)),
            unrung: Mutex::default(),
            reminders: Mutex::default(),
            wake: Notify::new(),
            past: Mutex::default(),
            introduced: Introduced::default(),
            config,
        }))
    }

    // ---- routes ----

    pub(crate) fn topic(&self, topic: &Topic) -> Arc<TopicEntry> {
        self.topics.entry(topic, || self.metrics.label(topic))
    }

    /// Who gets what is published on a topic now.
    pub(crate) fn route(&self, entry: &TopicEntry) -> Arc<Route> {
        let route = entry.route.load();
        if route.generation == self.generation.load(Ordering::Acquire) {
            return Arc::clone(&route);
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
        let matched = self.hand_on(route, label, envelope);
        if matched == 0 {
            self.metrics.of(label).without_subscriber();
        }
        matched
    }

    fn hand_on(self: &Arc<Self>, route: &Route, label: u16, envelope: Envelope) -> usize {
        let now = Moment::now();
        let counted = self.metrics.of(label);
        counted.published.increment();
        counted
            .payload_bytes
            .add(u64::try_from(envelope.payload.len()).unwrap_or_default());
        let until = envelope.ttl().map(|ttl| now + ttl);
        let item = Item {
            envelope: Sent::new(envelope, until, now, label),
            place: None,
        };
        route
            .targets
            .iter()
            .filter(|target| self.offer(target, &item, now))
            .count()
    }

    /// Delivers what a log has by now to whoever subscribes to what comes. Where these are none it is not lost: the log keeps it,
    /// for whoever reads that.
    pub(crate) fn deliver_stored(self: &Arc<Self>, envelope: Envelope) -> usize {
        let Some(topic) = envelope.topic().cloned() else {
            return 0;
        };
        let entry = self.topic(&topic);
        entry.published.fetch_add(1, Ordering::Relaxed);
        self.hand_on(&self.route(&entry), entry.label, envelope)
    }

    pub(crate) fn deliver_at_once(self: &Arc<Self>, topic: &Topic, envelope: Envelope) -> usize {
        let entry = self.topic(topic);
        let route = self.route(&entry);
        self.publish(&entry, &route, envelope).matched
    }

    fn offer(self: &Arc<Self>, target: &Target, item: &Item, now: Moment) -> bool {
        match target {
            Target::One(subscription) => {
                self.accepts(&subscription.profile, &item.envelope) && self.offer_to(subscription, item, now)
            }
            Target::Group(group) => loop {
                let may = |member: &Arc<Subscription>| self.may_have(&member.profile, &item.envelope);
                let bytes = item.envelope.payload.len();
                let Some(member) = group.choose(bytes, may, &mut self.chance()) else {
                    return false;
                };
                // One that has left since it was chosen is of the group no more.
                if self.offer_to(&member, item, now) {
                    return true;
                }
            },
        }
    }

    /// False where the subscription has ended.
    fn offer_to(self: &Arc<Self>, subscription: &Arc<Subscription>, item: &Item, now: Moment) -> bool {
        let offered = subscription.act(self, now, |inbox, effects| inbox.offer(item.clone(), now, effects));
        offered.is_some()
    }

    /// Whether a subscription's filter accepts an envelope.
    pub(crate) fn accepts(&self, profile: &Profile, envelope: &Envelope) -> bool {
        let verdict = profile
            .filter
            .as_ref()
            .map_or(Verdict::Accepted, |filter| filter.verdict(envelope));
        if verdict == Verdict::Unreadable {
            self.metrics.unreadable.increment();
        }
        verdict == Verdict::Accepted
    }

    /// Whether its filter accepts an envelope, and its team may have it.
    pub(crate) fn may_have(&self, profile: &Profile, envelope: &Envelope) -> bool {
        let is_open = |topic| self.access.limit(&profile.subscriber, topic).is_none();
        envelope.topic().is_none_or(is_open) && self.accepts(profile, envelope)
    }

    /// A generator of chance for one act, made before any lock is taken.
    pub(crate) fn chance(&self) -> Seeded {
        Seeded::new(lock(&self.chance).next_u64())
    }

    /// Counts and keeps what came of an act on an inbox.
    pub(crate) fn settle(&self, profile: &Profile, effects: Vec<Effect>) {
        for effect in effects {
            match &effect {
                Effect::Delivered { label, at, .. } => {
                    self.metrics.of(*label).delivered.increment();
                    self.metrics.seconds.observe(Moment::now().since(*at));
                }
                Effect::Dropped { label, why, count, .. } => self.metrics.of(*label).dropped(*why, *count),
                Effect::Dead { cause, .. } => self.metrics.dead(*cause),
                Effect::Parted { .. } => {}
            }
            match effect.place() {
                // That was done together with the cursor.
                Some(Place::Log(_)) => {}
                Some(Place::Letter(number)) if matches!(effect, Effect::Dead { .. }) => {
                    self.bury(profile, &effect, Some(number));
                }
                Some(Place::Letter(number)) => self.has_ended(number),
                None => self.bury(profile, &effect, None),
            }
        }
    }

    /// Keeps what is dead among the dead letters, in the place of the letter that it was before; what is of a durable topic goes
    /// to disk.
    pub(crate) fn bury(&self, profile: &Profile, effect: &Effect, before: Option<u64>) {
        let Effect::Dead { waiting, cause, why } = effect else {
            return;
        };
        let envelope = &waiting.item.envelope;
        let is_durable = envelope
            .topic()
            .is_some_and(|topic| self.archive.log_of(topic).is_some());
        let letter = DeadLetter {
            number: 0,
            time: timestamp(),
            subscriber: Arc::clone(&profile.subscriber),
            subscription: profile.id,
            name: profile.reads.as_ref().and_then(|reads| reads.name.clone()),
            cause: *cause,
            why: why.clone(),
            failures: waiting.failures,
            envelope: envelope.clone(),
        };
        let mut dead = lock(&self.dead);
        let is_to_be_written = match before {
            Some(before) => dead.replace(before, letter, is_durable),
            None => dead.keep(letter, is_durable),
        };
        drop(dead);
        if is_to_be_written {
            self.archive.ring();
        }
    }

    /// The replay of a letter has ended, whichever way.
    pub(crate) fn has_ended(&self, number: u64) {
        if lock(&self.dead).settle(number) {
            self.archive.ring();
        }
    }

    /// A subscription has ended with this account.
    pub(crate) fn ended(&self, tally: Tally) {
        lock(&self.past).add(tally);
    }

    /// The account of one that has ended was this, and is that.
    pub(crate) fn amend(&self, before: Tally, after: Tally) {
        let mut past = lock(&self.past);
        past.add(after);
        past.subtract(before);
    }

    /// What became of everything that was ever offered to a subscription.
    pub(crate) fn tally(&self) -> Tally {
        // Nobody ends while the table is held.
        let table = unpoisoned(self.table.read());
        let mut tally = *lock(&self.past);
        table
            .subscriptions
            .values()
            .for_each(|one| tally.add(one.figures().tally));
        tally
    }

    // ---- for the timers ----

    pub(crate) fn ring_later(&self, subscription: Arc<Subscription>) {
        lock(&self.unrung).push_back(subscription);
        self.wake.notify_one();
    }

    /// How many could not be told.
    pub(crate) fn unrung(&self) -> usize {
        lock(&self.unrung).len()
    }

    pub(crate) fn take_unrung(&self) -> Option<Arc<Subscription>> {
        lock(&self.unrung).pop_front()
    }

    /// A subscription is to be looked at then, and not when it was to be before.
    pub(crate) fn remind(&self, before: Option<Moment>, due: Moment, id: SubscriptionId) {
        let mut reminders = lock(&self.reminders);
        if let Some(before) = before {
            reminders.remove(&(before, id));
        }
        reminders.insert((due, id));
        let is_first = reminders.first() == Some(&(due, id));
        drop(reminders);
        if is_first {
            self.wake.notify_one();
        }
    }

    pub(crate) fn forget_reminder(&self, due: Moment, id: SubscriptionId) {
        lock(&self.reminders).remove(&(due, id));
    }

    pub(crate) fn next_reminder(&self) -> Option<Moment> {
        lock(&self.reminders).first().map(|(due, _)| *due)
    }

    /// Who is to be looked at by now; it stays until it was.
    pub(crate) fn due_reminder(&self, now: Moment) -> Option<(Moment, SubscriptionId)> {
        lock(&self.reminders).first().copied().filter(|(due, _)| *due <= now)
    }

    #[cfg(test)]
    pub(crate) fn reminders(&self) -> usize {
        lock(&self.reminders).len()
    }

    pub(crate) fn subscription(&self, id: SubscriptionId) -> Option<Arc<Subscription>> {
        unpoisoned(self.table.read()).subscriptions.get(&id).cloned()
    }
}
