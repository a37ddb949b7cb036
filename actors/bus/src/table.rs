//! Who subscribes to what.

use std::collections::HashMap;
use std::fmt;
use std::sync::Arc;

use foldhash::fast::RandomState;
use triarch_supervision::clock::Chance;
use triarch_supervision::sync::{AtomicUsize, Ordering, RwLock, unpoisoned};

use crate::dead::SubscriptionId;
use crate::group::Pick;
use crate::matcher::Matcher;
use crate::subscription::{Profile, Subscription};
use crate::topic::Pattern;

/// Where a pattern leads.
#[derive(Clone, Debug)]
pub(crate) enum Target {
    One(Arc<Subscription>),
    Group(Arc<Group>),
}

/// Subscribers of whom one gets each envelope.
#[derive(Debug)]
pub(crate) struct Group {
    number: u64,
    pick: Pick,
    members: RwLock<Vec<Arc<Subscription>>>,
    turn: AtomicUsize,
}

impl Group {
    /// One of those that may, for an envelope with so many bytes.
    pub(crate) fn choose(
        &self,
        bytes: usize,
        may: impl Fn(&Arc<Subscription>) -> bool,
        chance: &mut impl Chance,
    ) -> Option<Arc<Subscription>> {
        let members = unpoisoned(self.members.read());
        let able: Vec<_> = members.iter().filter(|member| may(member)).collect();
        let loads: Vec<_> = able.iter().map(|member| member.load(bytes)).collect();
        let turn = self.turn.fetch_add(1, Ordering::Relaxed);
        let index = self.pick.choose(&loads, turn, chance)?;
        able.get(index).map(|member| Arc::clone(member))
    }

    /// The one whose subscriber this is, where it may.
    pub(crate) fn member_of(
        &self,
        subscriber: &str,
        may: impl Fn(&Arc<Subscription>) -> bool,
    ) -> Option<Arc<Subscription>> {
        let members = unpoisoned(self.members.read());
        let is_it = |member: &&Arc<Subscription>| *member.profile.subscriber == *subscriber && may(member);
        members.iter().find(is_it).cloned()
    }

    fn replace(&self, one: &Arc<Subscription>) {
        let mut members = unpoisoned(self.members.write());
        if let Some(place) = members.iter_mut().find(|member| member.profile.id == one.profile.id) {
            *place = Arc::clone(one);
        }
    }
}

/// What tells subscriptions of agents apart: one who subscribes again means the same.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
struct Key {
    subscriber: Arc<str>,
    pattern: Option<Pattern>,
    group: Option<Arc<str>>,
    reads_log: bool,
    /// One that has a name is known by that, whatever its pattern.
    name: Option<Arc<str>>,
}

/// Who subscribes to what.
#[derive(Default)]
pub(crate) struct Table {
    pub(crate) matcher: Matcher<Target>,
    pub(crate) subscriptions: HashMap<SubscriptionId, Arc<Subscription>, RandomState>,
    /// Who takes what is sent to a path.
    pub(crate) agents: HashMap<Arc<str>, Arc<Subscription>, RandomState>,
    keys: HashMap<Key, SubscriptionId, RandomState>,
    groups: HashMap<(Arc<str>, Pattern), Arc<Group>, RandomState>,
    next: u64,
}

impl fmt::Debug for Table {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Table")
            .field("subscriptions", &self.subscriptions.len())
            .finish_non_exhaustive()
    }
}

impl Table {
    pub(crate) fn next_id(&mut self) -> SubscriptionId {
        self.next += 1;
        SubscriptionId(self.next)
    }

    /// The subscription of the same subscriber to the same.
    pub(crate) fn like(&self, profile: &Profile) -> Option<Arc<Subscription>> {
        self.subscriptions.get(self.keys.get(&key(profile))?).cloned()
    }

    /// Puts a subscription into the place of the one it goes on with.
    pub(crate) fn replace(&mut self, one: &Arc<Subscription>) {
        if let Some((pattern, (name, _))) = self.place(one)
            && let Some(group) = self.groups.get(&(Arc::clone(name), pattern.clone()))
        {
            group.replace(one);
        }
    }

    /// Adds a subscription; one that nobody else can ask for again has no key.
    pub(crate) fn add(&mut self, one: &Arc<Subscription>, has_key: bool) {
        if has_key {
            self.keys.insert(key(&one.profile), one.profile.id);
        }
        if let Some((pattern, (name, pick))) = self.place(one) {
            self.join(one, pattern, name, *pick);
        }
    }

    /// Puts a subscription where it is found; tells of which group it is, and under what pattern, where it is of one.
    fn place<'a>(&mut self, one: &'a Arc<Subscription>) -> Option<(&'a Pattern, &'a (Arc<str>, Pick))> {
        let profile = &one.profile;
        self.subscriptions.insert(profile.id, Arc::clone(one));
        // Who reads a log is not asked when something is published.
        if profile.reads.is_some() {
            return None;
        }
        let Some(pattern) = &profile.pattern else {
            self.agents.insert(Arc::clone(&profile.subscriber), Arc::clone(one));
            return None;
        };
        if let Some(group) = &profile.group {
            return Some((pattern, group));
        }
        self.matcher.insert(pattern, profile.id.0, Target::One(Arc::clone(one)));
        None
    }

    fn join(&mut self, one: &Arc<Subscription>, pattern: &Pattern, name: &Arc<str>, pick: Pick) {
        let (matcher, number) = (&mut self.matcher, one.profile.id.0);
        let group = self
            .groups
            .entry((Arc::clone(name), pattern.clone()))
            .or_insert_with(|| {
                let group = Arc::new(Group {
                    number,
                    pick,
                    members: RwLock::default(),
                    turn: AtomicUsize::new(0),
                });
                matcher.insert(pattern, number, Target::Group(Arc::clone(&group)));
                group
            });
        unpoisoned(group.members.write()).push(Arc::clone(one));
    }

    /// Takes a subscription out, and tells who takes over what waits for it: the group it was of.
    pub(crate) fn remove(&mut self, one: &Subscription) -> Option<Arc<Group>> {
        self.subscriptions.remove(&one.profile.id)?;
        self.retire(one)
    }

    /// The same for one that is there until it is removed: nobody finds it any more.
    pub(crate) fn retire(&mut self, one: &Subscription) -> Option<Arc<Group>> {
        let profile = &one.profile;
        let key = key(profile);
        if self.keys.get(&key) == Some(&profile.id) {
            self.keys.remove(&key);
        }
        if profile.reads.is_some() {
            return None;
        }
        match (&profile.pattern, &profile.group) {
            (None, _) => {
                let is_it = |there: &Arc<Subscription>| there.profile.id == profile.id;
                if self.agents.get(&profile.subscriber).is_some_and(is_it) {
                    self.agents.remove(&profile.subscriber);
                }
                None
            }
            (Some(pattern), None) => {
                self.matcher.remove(pattern, profile.id.0);
                None
            }
            (Some(pattern), Some((name, _))) => self.leave(profile.id, pattern, name),
        }
    }

    fn leave(&mut self, id: SubscriptionId, pattern: &Pattern, name: &Arc<str>) -> Option<Arc<Group>> {
        let key = (Arc::clone(name), pattern.clone());
        let group = Arc::clone(self.groups.get(&key)?);
        let mut members = unpoisoned(group.members.write());
        members.retain(|member| member.profile.id != id);
        let is_empty = members.is_empty();
        drop(members);
        if is_empty {
            self.matcher.remove(pattern, group.number);
            self.groups.remove(&key);
            return None;
        }
        Some(group)
    }
}

fn key(profile: &Profile) -> Key {
    let name = profile.reads.as_ref().and_then(|reads| reads.name.clone());
    Key {
        subscriber: Arc::clone(&profile.subscriber),
        pattern: profile.pattern.clone().filter(|_| name.is_none()),
        group: profile.group.as_ref().map(|(name, _)| Arc::clone(name)),
        reads_log: profile.reads.is_some(),
        name,
    }
}
