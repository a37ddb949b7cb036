//! The store: its namespaces, and reading without asking anybody.

use std::collections::VecDeque;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex};

use arc_swap::ArcSwapOption;

use triarch_supervision::sync::lock;

use crate::access::{Identity, Level, Verb};
use crate::config::{NAMESPACES_MAX, Rules};
use crate::error::Error;
use crate::name::Namespace;
use crate::space::{Counts, Numbers, Shared, Space};
use crate::time::{Clock, StoreTime};

/// How many refusals are kept to be shown.
const REFUSALS_KEPT: usize = 256;

/// All namespaces. Cloned, it is the same store.
#[derive(Clone, Debug)]
pub struct Store(Arc<Inner>);

#[derive(Debug)]
struct Inner {
    clock: Clock,
    spaces: papaya::HashMap<Namespace, Arc<Space>, foldhash::fast::RandomState>,
    /// One namespace is made at a time.
    making: Mutex<()>,
    refusals: Mutex<VecDeque<Refusal>>,
    refused: AtomicU64,
    shared: Shared,
    /// Why nothing durable is written, while that is so.
    closed: ArcSwapOption<String>,
}

/// Somebody was not let through.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Refusal {
    /// When.
    pub at: StoreTime,
    /// Who asked.
    pub who: Arc<str>,
    /// For what.
    pub verb: Verb,
    /// Where.
    pub namespace: Namespace,
    /// To whom that is open.
    pub level: Level,
}

impl Store {
    /// A store without namespaces, by this clock. No entry that goes to disk is larger than that.
    pub(crate) fn new(clock: Clock, entry_bytes_max: u64) -> Self {
        let shared = Shared {
            entry_bytes_max,
            ..Shared::default()
        };
        Self(Arc::new(Inner {
            clock,
            spaces: papaya::HashMap::default(),
            making: Mutex::default(),
            refusals: Mutex::default(),
            refused: AtomicU64::new(0),
            shared,
            closed: ArcSwapOption::empty(),
        }))
    }

    /// Why nothing durable is written at present: the disk failed, and what is on it is not verified yet. Readers go on.
    pub fn closed(&self) -> Option<Arc<String>> {
        self.0.closed.load_full()
    }

    /// Why nothing is written in some of the namespaces: they are described as what they are not.
    pub fn held_back(&self) -> Vec<Error> {
        self.spaces().iter().filter_map(|space| space.held_back()).collect()
    }

    /// Whether anything durable is written at present; told at once, whatever the writer is at.
    pub(crate) fn may_write(&self, namespace: &Namespace) -> Result<(), Error> {
        let Some(why) = self.closed() else { return Ok(()) };
        Err(Error::Disk {
            namespace: namespace.clone(),
            fault: format!(
                "the store is closed for writes until what is on disk was verified ({why}); write again in a while"
            ),
        })
    }

    pub(crate) fn close(&self, why: Option<String>) {
        self.0.closed.store(why.map(Arc::new));
    }

    /// The bounds of the numbers of changes.
    pub(crate) fn numbers(&self) -> &Numbers {
        &self.0.shared.numbers
    }

    /// Its time.
    pub fn clock(&self) -> &Clock {
        &self.0.clock
    }

    /// Whether a namespace may be made so, or given these rules.
    pub(crate) fn may_define(&self, name: &Namespace, rules: &Rules) -> Result<(), Error> {
        self.may_define_beside(0, name, rules)
    }

    /// The same once so many others were made.
    pub(crate) fn may_define_beside(&self, others: usize, name: &Namespace, rules: &Rules) -> Result<(), Error> {
        let spaces = self.0.spaces.pin();
        match spaces.get(name) {
            Some(space) if space.durability() != rules.durability => Err(space.other_durability(rules.durability)),
            None if spaces.len().saturating_add(others) >= NAMESPACES_MAX => Err(Error::TooManyNamespaces {
                namespace: name.clone(),
                most: NAMESPACES_MAX,
            }),
            _ => Ok(()),
        }
    }

    /// Makes a namespace, or gives the one that is there other rules.
    pub(crate) fn define(&self, name: &Namespace, rules: Rules) -> Result<Arc<Space>, Error> {
        let _making = lock(&self.0.making);
        self.may_define(name, &rules)?;
        let spaces = self.0.spaces.pin();
        if let Some(space) = spaces.get(name) {
            space.change_rules(rules)?;
            return Ok(Arc::clone(space));
        }
        let space = Arc::new(Space::new(name.clone(), &rules, self.0.shared.clone()));
        spaces.insert(name.clone(), Arc::clone(&space));
        Ok(space)
    }

    /// A namespace as it would be made, which nobody finds here.
    pub(crate) fn apart(&self, name: &Namespace, rules: &Rules) -> Arc<Space> {
        Arc::new(Space::new(name.clone(), rules, self.0.shared.clone()))
    }

    /// Takes a namespace away with all that is in it; tells whether it was there.
    pub(crate) fn forget(&self, name: &Namespace) -> bool {
        let spaces = self.0.spaces.pin();
        let gone = spaces.remove(name);
        // The next of its name goes on behind its numbers.
        gone.map(|space| self.numbers().raise(space.end())).is_some()
    }

    pub(crate) fn space(&self, name: &str) -> Result<Arc<Space>, Error> {
        self.0
            .spaces
            .pin()
            .get(name)
            .cloned()
            .ok_or_else(|| Error::NoSuchNamespace {
                namespace: name.to_owned(),
            })
    }

    /// All namespaces, by name.
    pub(crate) fn spaces(&self) -> Vec<Arc<Space>> {
        let mut all: Vec<_> = self.0.spaces.pin().values().cloned().collect();
        all.sort_unstable_by(|a, b| a.name().cmp(b.name()));
        all
    }

    /// Whether `who` is let through to what belongs to no one entry; where not, that is noted.
    pub(crate) fn admit(&self, who: &Identity, verb: Verb, space: &Space) -> Result<(), Error> {
        let (level, is_admitted) = space.with_rules(|rules| {
            let level = rules.access.level(verb);
            // Of a private namespace everybody sees what is their own.
            let sees_own = level == Level::Private && verb != Verb::Administer;
            (level, sees_own || level.admits(who, &rules.belonging, None))
        });
        if is_admitted {
            return Ok(());
        }
        self.refuse(who, verb, space.name(), level);
        Err(Error::Refused {
            who: who.who.as_ref().to_owned(),
            verb: verb.label(),
            namespace: space.name().clone(),
            level: level.label(),
        })
    }

    pub(crate) fn refuse(&self, who: &Identity, verb: Verb, namespace: &Namespace, level: Level) {
        let mut refusals = lock(&self.0.refusals);
        self.0.refused.fetch_add(1, Ordering::Relaxed);
        if refusals.len() >= REFUSALS_KEPT {
            refusals.pop_front();
        }
        refusals.push_back(Refusal {
            at: self.0.clock.now(),
            who: Arc::clone(&who.who),
            verb,
            namespace: namespace.clone(),
            level,
        });
    }

    /// The last refusals, the oldest first.
    pub fn refusals(&self) -> Vec<Refusal> {
        let refusals = lock(&self.0.refusals);
        refusals.iter().cloned().collect()
    }

    /// How many there were ever, and those of them that are kept and came after the first `seen`.
    pub fn refusals_after(&self, seen: u64) -> (u64, Vec<Refusal>) {
        let refusals = lock(&self.0.refusals);
        let refused = self.refused();
        let new = usize::try_from(refused.saturating_sub(seen)).unwrap_or(usize::MAX);
        let known = refusals.len().saturating_sub(new);
        (refused, refusals.iter().skip(known).cloned().collect())
    }

    /// What went by itself, of all namespaces there ever were.
    pub(crate) fn counts(&self) -> &Counts {
        &self.0.shared.counts
    }

    /// How many refusals there were.
    pub fn refused(&self) -> u64 {
        self.0.refused.load(Ordering::Relaxed)
    }
}
