//! The handle of a bus: subscribing, looking, dead letters.

use std::collections::HashSet;
use std::sync::Arc;

use serde::Serialize;
use triarch_supervision::clock::Moment;
use triarch_supervision::message::Message;
use triarch_supervision::prelude::Address;
use triarch_supervision::sync::{Ordering, unpoisoned};

use crate::account::Tally;
use crate::archivist::{NAMES_MAX, Start};
use crate::arrivals::Arrivals;
use crate::breaker::BreakerState;
use crate::bus::Bus;
use crate::codec::check_word;
use crate::dead::SubscriptionId;
use crate::error::{ArchiveError, SubscribeError};
use crate::filter::Filter;
use crate::group::Pick;
use crate::hub::Hub;
use crate::listener::{Ear, Listener};
use crate::matcher::Matcher;
use crate::metrics::Refusal;
use crate::subscription::{Bell, Echo, Figures, Profile, Reads, Subscription};
use crate::table::Group;
use crate::terms::{Class, Terms};
use crate::topic::{Pattern, Topic};

/// What somebody subscribes to.
#[derive(Clone, Debug)]
pub struct Subscribe {
    pattern: Pattern,
    subscriber: Arc<str>,
    terms: Terms,
    filter: Option<Filter>,
    group: Option<(Arc<str>, Pick)>,
    start: Option<Start>,
    name: Option<Arc<str>>,
}

impl Subscribe {
    /// All of a pattern, for `subscriber`: the path of an agent, or who it is.
    pub fn new(pattern: Pattern, subscriber: impl Into<Arc<str>>) -> Self {
        Self {
            pattern,
            subscriber: subscriber.into(),
            terms: Terms::default(),
            filter: None,
            group: None,
            start: None,
            name: None,
        }
    }

    /// What durable topics have kept, from there on, and then what comes. Where it stands is known for as long as it is
    /// there.
    #[must_use]
    pub fn from(mut self, start: Start) -> Self {
        self.start = Some(start);
        self
    }

    /// The same, and its place is kept on disk under this name of the subscriber's: it goes on where it acknowledged, also
    /// after the runtime was killed. Only who has no place yet begins where [`Subscribe::from`] says, or with what comes.
    /// It is handed out until it is acknowledged, whatever the terms say.
    #[must_use]
    pub fn named(mut self, name: impl Into<Arc<str>>) -> Self {
        self.name = Some(name.into());
        self
    }

    /// Under these terms.
    #[must_use]
    pub fn terms(mut self, terms: Terms) -> Self {
        self.terms = terms;
        self
    }

    /// Only what a filter accepts.
    #[must_use]
    pub fn filter(mut self, filter: Filter) -> Self {
        self.filter = Some(filter);
        self
    }

    /// As one of a group, of whom one gets each envelope. Who founds the group says how that one is found.
    #[must_use]
    pub fn group(mut self, name: impl Into<Arc<str>>, pick: Pick) -> Self {
        self.group = Some((name.into(), pick));
        self
    }
}

/// A subscription as it is shown.
#[derive(Clone, Debug, Serialize)]
#[non_exhaustive]
pub struct SubscriptionView {
    /// Names it.
    pub id: SubscriptionId,
    /// The agent, or who else subscribes.
    pub subscriber: Arc<str>,
    /// What it subscribes to; nothing where it takes what is sent to its path.
    pub pattern: Option<Pattern>,
    /// Its filter as it is written.
    pub filter: Option<String>,
    /// The group it is of.
    pub group: Option<Arc<str>>,
    /// What is promised to it.
    pub class: Class,
    /// How many may wait.
    pub bound: usize,
    /// How many bytes of payload wait.
    pub bytes: usize,
    /// How many may.
    pub bound_bytes: usize,
    /// What became of everything for it; its lag is what waits.
    pub tally: Tally,
    /// How many are still to come from its log or to be settled, where it reads one.
    pub behind: Option<u64>,
    /// Whether it is left alone.
    pub breaker: BreakerState,
}

/// A topic as it is shown.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[non_exhaustive]
pub struct TopicView {
    /// The topic.
    pub topic: Topic,
    /// What was published on it.
    pub published: u64,
    /// How many subscriptions get that now, those among them that read it from its log; a group is one.
    pub subscriptions: usize,
}

impl Bus {
    /// Subscribes an agent, through all its lives: arrivals are put into its mailbox. One that asks for the same pattern
    /// and group again keeps what waits for it; other terms and another filter take the place of the old ones.
    pub fn subscribe<M>(&self, what: Subscribe, address: &Address<M>) -> Result<SubscriptionId, SubscribeError>
    where
        M: Message + From<Arrivals>,
    {
        self.add(what, Arc::new(address.clone()), true).map(|(id, _)| id)
    }

    /// Lets an agent take what is sent to its path.
    pub fn attach<M>(
        &self,
        path: impl Into<Arc<str>>,
        terms: Terms,
        address: &Address<M>,
    ) -> Result<SubscriptionId, SubscribeError>
    where
        M: Message + From<Arrivals>,
    {
        self.attach_to(path.into(), terms, Arc::new(address.clone()))
            .map(|(id, _)| id)
    }

    /// The same for somebody who takes the envelopes one by one.
    pub fn listen_at(&self, path: impl Into<Arc<str>>, terms: Terms) -> Result<Listener, SubscribeError> {
        let ear = Ear::default();
        let (id, era) = self.attach_to(path.into(), terms, Arc::new(ear.clone()))?;
        Ok(Listener::new(self.clone(), id, era, ear))
    }

    fn attach_to(
        &self,
        path: Arc<str>,
        terms: Terms,
        bell: Arc<dyn Bell>,
    ) -> Result<(SubscriptionId, u64), SubscribeError> {
        self.check_form(&path)?;
        let profile = |id| Profile {
            id,
            pattern: None,
            subscriber: path,
            filter: None,
            group: None,
            counted_in: self.0.metrics.elsewhere(),
            terms,
            reads: None,
        };
        self.0.enter(profile, bell, true)
    }

    /// Subscribes somebody who takes the envelopes one by one.
    pub fn listen(&self, what: Subscribe) -> Result<Listener, SubscribeError> {
        let ear = Ear::default();
        let (id, era) = self.add(what, Arc::new(ear.clone()), false)?;
        Ok(Listener::new(self.clone(), id, era, ear))
    }

    /// The same in the place of a subscription of the same subscriber to the same, if there is one that began so: what waits there
    /// waits here, and what was in hand may be handed out again.
    pub fn listen_again(&self, what: Subscribe) -> Result<Listener, SubscribeError> {
        let ear = Ear::default();
        let (id, era) = self.add(what, Arc::new(ear.clone()), true)?;
        Ok(Listener::new(self.clone(), id, era, ear))
    }

    /// Tells which subscription that is, and which of its bells this.
    pub(crate) fn add(
        &self,
        what: Subscribe,
        bell: Arc<dyn Bell>,
        has_key: bool,
    ) -> Result<(SubscriptionId, u64), SubscribeError> {
        self.check_form(&what.subscriber)?;
        if let Ok(topic) = Topic::new(what.pattern.as_str()) {
            let checked = self.0.access.check(&what.subscriber, "subscribe to", &topic);
            checked.map_err(|refused| SubscribeError::NotAllowed(self.0.refuse(refused)))?;
        }
        let (reads, has_name) = (self.reads(&what)?, what.name.is_some());
        let mut terms = what.terms;
        if what.name.is_some() && !terms.is_acknowledged() {
            terms.class = Class::AtLeastOnce;
        }
        let counted_in = self.0.metrics.places_of(&what.pattern);
        let profile = |id| Profile {
            id,
            pattern: Some(what.pattern),
            subscriber: what.subscriber,
            filter: what.filter,
            group: what.group,
            counted_in,
            terms,
            reads,
        };
        self.0.enter(profile, bell, has_key || has_name)
    }

    /// Which log it reads, if it reads one.
    fn reads(&self, what: &Subscribe) -> Result<Option<Reads>, SubscribeError> {
        let (name, start) = (what.name.clone(), what.start);
        if name.is_none() && start.is_none() {
            return Ok(None);
        }
        name.as_ref().map_or(Ok(()), |name| check_word("name", name))?;
        if what.group.is_some() {
            return Err(SubscribeError::GroupOfReaders);
        }
        let pattern = &what.pattern;
        let log = self.0.archive.log_over(pattern).cloned();
        let log = log.ok_or_else(|| ArchiveError::NotOneLog {
            pattern: pattern.clone(),
        })?;
        if let Some(name) = &name {
            let key = (Arc::clone(&what.subscriber), Arc::clone(name));
            if let Some(other) = self.0.archive.log_of_name(&key).filter(|other| *other != log) {
                return Err(SubscribeError::OtherLog {
                    log: other,
                    pattern: pattern.clone(),
                });
            }
            if !self.0.archive.has_room_for(&key) {
                return Err(SubscribeError::Full { limit: NAMES_MAX });
            }
        }
        let start = start.unwrap_or_default();
        Ok(Some(Reads { log, start, name }))
    }

    fn check_form(&self, subscriber: &str) -> Result<(), SubscribeError> {
        let checked = check_word("subscriber", subscriber);
        Ok(checked.inspect_err(|_| self.0.metrics.refused(Refusal::Form))?)
    }

    /// Ends a subscription; what waits goes to those of its group that may have it, or is dropped, or dead. False where it has ended
    /// before.
    pub fn unsubscribe(&self, id: SubscriptionId) -> bool {
        self.0.leave(id, None)
    }

    /// Nothing more comes for a subscription whose listener is about to go: what that has in hand it may still say it has done, and
    /// with it the subscription ends. One that reads a log ends at once, since another may go on in its place.
    pub fn retire(&self, id: SubscriptionId) {
        let hub = &self.0;
        let mut table = unpoisoned(hub.table.write());
        let Some(one) = table.subscriptions.get(&id).cloned() else {
            return;
        };
        if one.profile.reads.is_some() {
            drop(table);
            hub.leave(id, None);
        } else {
            table.retire(&one);
            hub.generation.fetch_add(1, Ordering::Release);
        }
    }

    // ---- looking ----

    /// All subscriptions, oldest first.
    pub fn subscriptions(&self) -> Vec<SubscriptionView> {
        let table = unpoisoned(self.0.table.read());
        let mut all: Vec<_> = table.subscriptions.values().cloned().collect();
        drop(table);
        all.sort_unstable_by_key(|one| one.profile.id);
        all.iter().map(|one| view(one, &self.0)).collect()
    }

    /// The topics that were published on and are remembered, by their names.
    pub fn topics(&self) -> Vec<TopicView> {
        let (entries, readers) = (self.0.topics.all(), self.0.readers());
        let mut topics: Vec<_> = entries
            .iter()
            .map(|entry| TopicView {
                topic: entry.topic.clone(),
                published: entry.published.load(Ordering::Relaxed),
                subscriptions: self.0.route(entry).targets.len() + readers.count(&entry.topic),
            })
            .collect();
        topics.sort_unstable_by(|one, other| one.topic.cmp(&other.topic));
        topics
    }

    /// How many subscriptions read from its log what is published on a durable topic.
    pub fn readers(&self, topic: &Topic) -> usize {
        let is_it = |pattern: &Pattern| pattern.matches(topic);
        let reads =
            |one: &Subscription| one.profile.pattern.as_ref().is_some_and(is_it) && self.0.lets_read(one, topic);
        self.0.archive.count_followers(reads)
    }
}

/// Who reads logs, by what they read of them: for whoever asks of many topics.
struct Readers<'a> {
    hub: &'a Hub,
    by_pattern: Matcher<Arc<Subscription>>,
}

impl Readers<'_> {
    fn count(&self, topic: &Topic) -> usize {
        let mut count = 0;
        self.by_pattern.each(topic, |one| {
            count += usize::from(self.hub.lets_read(one, topic));
        });
        count
    }
}

fn view(one: &Subscription, hub: &Hub) -> SubscriptionView {
    let profile = &one.profile;
    let Figures { tally, bytes, breaker } = one.figures();
    SubscriptionView {
        id: profile.id,
        subscriber: Arc::clone(&profile.subscriber),
        pattern: profile.pattern.clone(),
        filter: profile.filter.as_ref().map(ToString::to_string),
        group: profile.group.as_ref().map(|(name, _)| Arc::clone(name)),
        class: profile.terms.class,
        bound: profile.terms.bound,
        bytes,
        bound_bytes: profile.terms.bound_bytes,
        tally,
        behind: one.behind(hub),
        breaker,
    }
}

impl Hub {
    fn readers(&self) -> Readers<'_> {
        let mut by_pattern = Matcher::default();
        for one in self.archive.all_followers() {
            if let Some(pattern) = &one.profile.pattern {
                by_pattern.insert(pattern, one.profile.id.0, Arc::clone(&one));
            }
        }
        Readers { hub: self, by_pattern }
    }

    fn lets_read(&self, one: &Subscription, topic: &Topic) -> bool {
        self.access.limit(&one.profile.subscriber, topic).is_none()
    }

    fn enter(
        self: &Arc<Self>,
        profile: impl FnOnce(SubscriptionId) -> Profile,
        bell: Arc<dyn Bell>,
        has_key: bool,
    ) -> Result<(SubscriptionId, u64), SubscribeError> {
        let limit = self.config.subscriptions;
        let mut table = unpoisoned(self.table.write());
        let mut profile = profile(table.next_id());
        let before = if has_key { table.like(&profile) } else { None };
        let Some(before) = before else {
            if table.subscriptions.len() >= limit {
                self.metrics.refused(Refusal::Full);
                return Err(SubscribeError::Full { limit });
            }
            let one = Subscription::new(profile, bell);
            table.add(&one, has_key);
            self.generation.fetch_add(1, Ordering::Release);
            self.follow(&one);
            drop(table);
            // A log may have something for it already.
            one.act(self, Moment::now(), |_, _| ());
            return Ok((one.profile.id, 0));
        };
        reads_as_before(&before.profile, &profile)?;
        profile.id = before.profile.id;
        let (one, echo) = if means_the_same(&before.profile, &profile) {
            let echo = before.hear_by(bell, self);
            (before, echo)
        } else {
            let (one, echo) = before.again(profile, bell, self);
            table.replace(&one);
            self.follow(&one);
            self.generation.fetch_add(1, Ordering::Release);
            (one, echo)
        };
        // Nobody else takes it over while the table is held.
        let era = one.era();
        drop(table);
        echo.follow(self, &one);
        Ok((one.profile.id, era))
    }

    fn follow(&self, one: &Arc<Subscription>) {
        if let Some(reads) = &one.profile.reads {
            self.archive.follow(&reads.log, one);
        }
    }

    /// Ends a subscription; false where it has ended before, or has another bell than that of `era` by now.
    pub(crate) fn leave(self: &Arc<Self>, id: SubscriptionId, era: Option<u64>) -> bool {
        let mut table = unpoisoned(self.table.write());
        let Some(one) = table.subscriptions.get(&id).cloned() else {
            return false;
        };
        if era.is_some_and(|era| era != one.era()) {
            return false;
        }
        let group = table.remove(&one);
        self.archive.unfollow(id);
        self.generation.fetch_add(1, Ordering::Release);
        // Nobody else ends while the table is held, so that whoever is chosen takes it.
        let echoes = self.bequeath(&one, group.as_deref());
        drop(table);
        for (heir, echo) in echoes {
            echo.follow(self, &heir);
        }
        true
    }

    /// Gives what waits for one that has left to those of its group that may have it; what is left is dropped, or dead.
    fn bequeath(self: &Arc<Self>, one: &Arc<Subscription>, group: Option<&Group>) -> Vec<(Arc<Subscription>, Echo)> {
        let now = Moment::now();
        let (mut echoes, mut left): (Vec<(Arc<Subscription>, Echo)>, _) = (Vec::new(), Vec::new());
        for waiting in one.end(self) {
            let envelope = &waiting.item.envelope;
            let may = |member: &Arc<Subscription>| self.may_have(&member.profile, envelope);
            let heir = group.and_then(|group| group.choose(envelope.payload.len(), may, &mut self.chance()));
            let Some(heir) = heir else {
                left.push(waiting);
                continue;
            };
            let admitted = heir.act_quietly(self, now, |inbox, effects| inbox.admit(waiting, now, effects));
            echoes.extend(admitted.map(|((), echo)| (heir, echo)));
        }
        let mut ordered = HashSet::new();
        for (heir, _) in &echoes {
            if ordered.insert(heir.profile.id) {
                heir.put_in_order();
            }
        }
        echoes.push((Arc::clone(one), one.bury(left, self)));
        echoes
    }
}

/// A name stays in its log. Before the disk was read nobody else knows which that is.
fn reads_as_before(before: &Profile, profile: &Profile) -> Result<(), SubscribeError> {
    match (&before.reads, &profile.reads, &profile.pattern) {
        (Some(before), Some(reads), Some(pattern)) if before.log != reads.log => Err(SubscribeError::OtherLog {
            log: before.log.clone(),
            pattern: pattern.clone(),
        }),
        _ => Ok(()),
    }
}

/// Whether a subscription asks for nothing but another bell.
fn means_the_same(one: &Profile, other: &Profile) -> bool {
    one.terms == other.terms && one.filter == other.filter && one.pattern == other.pattern
}

#[cfg(test)]
#[path = "subscribing_test.rs"]
mod tests;
