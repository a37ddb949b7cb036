//! Entries on their way into a namespace, beside whoever else writes there.

use std::collections::{BTreeMap, HashSet};
use std::ops::RangeInclusive;

use super::backup::ExchangeError;
use super::{Conflicts, Exported, Incoming, merged};
use crate::client::{Client, Drawer};
use crate::config::BATCH_MAX;
use crate::entry::{Labels, size};
use crate::error::{Error, Wanted};
use crate::name::{Key, Namespace};
use crate::op::{Done, Op, Origin};
use crate::space::Tally;
use crate::value::Value;

/// So many bytes of values are written at once.
const BATCH_BYTES: usize = 512 << 10;

/// How many names are tried for an entry that makes way.
const NAMES_MAX: u32 = 1_000;

/// How often one entry is decided anew because somebody else was quicker.
const TRIES_MAX: usize = 100;

/// Entries on their way into a namespace.
///
/// Each is written only if what is there is still what was decided on, and decided anew where it is not.
pub(crate) struct Placing {
    drawer: Drawer,
    conflicts: Conflicts,
    waiting: Vec<Placed>,
    /// The keys of those that wait.
    keys: HashSet<Key>,
    bytes: usize,
    /// The number of the last change before all this.
    begun: u64,
    /// The numbers of the own changes.
    own: Vec<RangeInclusive<u64>>,
    /// What would be there, in a dry run.
    dry: Option<Dry>,
    report: Exported,
}

/// What is to become of an entry.
struct Placed {
    incoming: Incoming,
    as_decided: Incoming,
    wanted: Wanted,
    fate: Fate,
}

#[derive(Clone, Copy)]
enum Fate {
    Written,
    Overwritten,
    Merged,
    Renamed,
    Skipped,
    Newer,
}

/// What is under a key, and at which version.
struct There {
    version: u64,
    size: u64,
    /// What it is, where that is to become one with what comes in.
    held: Option<(Value, Labels)>,
}

/// What a namespace would be like.
struct Dry {
    tally: Tally,
    /// What would be under the keys that would be written.
    taken: BTreeMap<Key, (u64, Option<(Value, Labels)>)>,
}

impl Dry {
    fn of(drawer: &Drawer) -> Self {
        Self {
            tally: drawer.tally(),
            taken: BTreeMap::new(),
        }
    }
}

impl Placing {
    pub(crate) fn new(
        client: &Client,
        namespace: &Namespace,
        conflicts: Conflicts,
        is_dry: bool,
    ) -> Result<Self, ExchangeError> {
        let drawer = client.open(namespace.as_str())?;
        Ok(Self {
            begun: drawer.published(),
            dry: is_dry.then(|| Dry::of(&drawer)),
            drawer,
            conflicts,
            waiting: Vec::new(),
            keys: HashSet::new(),
            bytes: 0,
            own: Vec::new(),
            report: Exported::default(),
        })
    }

    /// The next entry, or one whose time was over.
    pub(crate) async fn take(&mut self, incoming: Result<Incoming, ()>) -> Result<(), ExchangeError> {
        let Ok(incoming) = incoming else {
            self.report.expired += 1;
            return Ok(());
        };
        // What of the same key waits, also under another's new name, is there before it.
        if self.keys.contains(&incoming.key) {
            self.write().await?;
        }
        let placed = self.decide(incoming)?;
        if matches!(placed.fate, Fate::Skipped | Fate::Newer) {
            self.count(placed.fate);
            return Ok(());
        }
        self.bytes += placed.as_decided.value.len();
        self.keys.insert(placed.as_decided.key.clone());
        self.waiting.push(placed);
        if self.waiting.len() >= BATCH_MAX || self.bytes >= BATCH_BYTES {
            self.write().await?;
        }
        Ok(())
    }

    fn decide(&self, incoming: Incoming) -> Result<Placed, ExchangeError> {
        let there = self.there(&incoming.key)?;
        let mut as_decided = incoming.clone();
        let mut wanted = there
            .as_ref()
            .map_or(Wanted::Absent, |there| Wanted::Version(there.version));
        let fate = match (there, self.conflicts) {
            (None, _) => Fate::Written,
            (Some(there), Conflicts::Overwrite) if self.is_newer(there.version) => Fate::Newer,
            (Some(_), Conflicts::Overwrite) => Fate::Overwritten,
            (Some(_), Conflicts::Skip) => Fate::Skipped,
            (Some(There { held, .. }), Conflicts::Merge) => {
                as_decided = match held {
                    Some(held) => merged(as_decided, held),
                    None => as_decided,
                };
                as_decided.origin = Origin::default(); // it stays whose it is
                Fate::Merged
            }
            (Some(_), Conflicts::Rename) => {
                as_decided.key = self.free(&incoming.key)?;
                wanted = Wanted::Absent;
                Fate::Renamed
            }
        };
        Ok(Placed {
            incoming,
            as_decided,
            wanted,
            fate,
        })
    }

    /// Whether somebody else wrote it since this began.
    fn is_newer(&self, version: u64) -> bool {
        version > self.begun && !self.own.iter().any(|own| own.contains(&version))
    }

    fn there(&self, key: &Key) -> Result<Option<There>, ExchangeError> {
        let taken = self.dry.as_ref().and_then(|dry| dry.taken.get(key));
        if let Some((size, held)) = taken.cloned() {
            let version = 0;
            return Ok(Some(There { version, size, held }));
        }
        let entry = self.drawer.get(key.as_str())?;
        Ok(entry.map(|entry| There {
            version: entry.version(),
            size: entry.size(key),
            held: self
                .is_merging()
                .then(|| (entry.value().clone(), entry.labels().clone())),
        }))
    }

    fn is_merging(&self) -> bool {
        self.conflicts == Conflicts::Merge
    }

    fn free(&self, key: &Key) -> Result<Key, ExchangeError> {
        for number in 1..NAMES_MAX {
            let other = Key::new(&format!("{key}~{number}"))?;
            if !self.keys.contains(&other) && self.there(&other)?.is_none() {
                return Ok(other);
            }
        }
        Err(ExchangeError::Store(Error::Key {
            key: key.to_string(),
            fault: "a thousand others have made way for it",
        }))
    }

    /// Writes what waits.
    pub(crate) async fn write(&mut self) -> Result<(), ExchangeError> {
        let waiting = std::mem::take(&mut self.waiting);
        self.keys.clear();
        self.bytes = 0;
        if self.dry.is_some() {
            return self.would_write(waiting);
        }
        if waiting.is_empty() {
            return Ok(());
        }
        match self.drawer.batch(waiting.iter().map(Placed::op).collect()).await {
            Ok(done) => {
                self.own(&done);
                for placed in &waiting {
                    self.count(placed.fate);
                }
                Ok(())
            }
            Err(Error::Conflict { .. }) => self.one_by_one(waiting).await,
            Err(fault) => Err(fault.into()),
        }
    }

    /// All of it, or none where the namespace has no room, as it is with a write.
    fn would_write(&mut self, waiting: Vec<Placed>) -> Result<(), ExchangeError> {
        let before: Vec<_> = waiting
            .iter()
            .map(|placed| Ok(self.there(&placed.as_decided.key)?.map(|there| there.size)))
            .collect::<Result<_, ExchangeError>>()?;
        let is_merging = self.is_merging();
        let Some(Dry { tally, taken }) = &mut self.dry else {
            return Ok(());
        };
        for (placed, before) in waiting.iter().zip(before) {
            let Incoming { key, value, labels, .. } = &placed.as_decided;
            let size = size(key, value, labels);
            tally.take((self.drawer.name(), key), (value.len() as u64, size), before)?;
            let held = is_merging.then(|| (value.clone(), labels.clone()));
            taken.insert(key.clone(), (size, held));
        }
        for placed in waiting {
            self.count(placed.fate);
        }
        Ok(())
    }

    /// Somebody was quicker with one of them.
    async fn one_by_one(&mut self, waiting: Vec<Placed>) -> Result<(), ExchangeError> {
        for mut placed in waiting {
            let mut tries = 0;
            while !matches!(placed.fate, Fate::Skipped | Fate::Newer) {
                match self.drawer.batch(vec![placed.op()]).await {
                    Ok(done) => {
                        self.own(&done);
                        break;
                    }
                    Err(Error::Conflict { .. }) if tries < TRIES_MAX => {
                        placed = self.decide(placed.incoming)?;
                        tries += 1;
                    }
                    Err(fault) => return Err(fault.into()),
                }
            }
            self.count(placed.fate);
        }
        Ok(())
    }

    /// The changes of one write have numbers without a gap.
    fn own(&mut self, done: &[Done]) {
        let versions = || done.iter().map(|done| done.version);
        let (Some(first), Some(last)) = (versions().min(), versions().max()) else {
            return;
        };
        match self.own.last_mut() {
            Some(before) if before.end() + 1 == first => *before = *before.start()..=last,
            _ => self.own.push(first..=last),
        }
    }

    fn count(&mut self, fate: Fate) {
        let report = &mut self.report;
        *match fate {
            Fate::Written => &mut report.written,
            Fate::Overwritten => &mut report.overwritten,
            Fate::Merged => &mut report.merged,
            Fate::Renamed => &mut report.renamed,
            Fate::Skipped => &mut report.skipped,
            Fate::Newer => &mut report.newer,
        } += 1;
    }

    /// What has become of them so far, but for those that wait.
    pub(crate) fn taken(&self) -> Exported {
        self.report
    }
}

impl Placed {
    fn op(&self) -> Op {
        Op::Put(self.as_decided.clone().put().if_it_is(self.wanted))
    }
}
