//! Entries on their way into a namespace, beside whoever else writes there.

use std::collections::HashSet;
use std::ops::RangeInclusive;
use std::sync::Arc;

use super::backup::ExchangeError;
use super::dry::{Dry, Would};
use super::refused::Refused;
use super::{Conflicts, Exported, Incoming, merged};
use crate::client::{Client, Drawer};
use crate::config::{BATCH_MAX, Rules};
use crate::entry::Labels;
use crate::error::{Error, Wanted};
use crate::name::{Key, Namespace};
use crate::op::{Done, Op, Origin};
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
    /// So many are written at once: no more than the namespace holds, since those of one write do not make room for one another.
    most: usize,
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
    refused: Refused,
}

/// What is to become of an entry.
struct Placed {
    /// Of which line it is.
    number: u64,
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

impl Placing {
    pub(crate) fn new(
        client: &Client,
        namespace: &Namespace,
        conflicts: Conflicts,
        is_dry: bool,
    ) -> Result<Self, ExchangeError> {
        Ok(Self::into(client.open(namespace.as_str())?, conflicts, is_dry))
    }

    /// A dry run into a namespace that is not there, as it would be made.
    pub(crate) fn into_none(client: &Client, namespace: &Namespace, rules: &Rules, conflicts: Conflicts) -> Self {
        Self::into(client.apart(namespace, rules), conflicts, true)
    }

    fn into(drawer: Drawer, conflicts: Conflicts, is_dry: bool) -> Self {
        let held = usize::try_from(drawer.tally().rules.quota.entries).unwrap_or(BATCH_MAX);
        Self {
            most: held.clamp(1, BATCH_MAX),
            begun: drawer.published(),
            dry: is_dry.then(|| Dry::of(&drawer)),
            drawer,
            conflicts,
            waiting: Vec::new(),
            keys: HashSet::new(),
            bytes: 0,
            own: Vec::new(),
            report: Exported::default(),
            refused: Refused::default(),
        }
    }

    /// The next entry, of that line, or one whose time was over.
    pub(crate) async fn take(&mut self, number: u64, incoming: Result<Incoming, ()>) -> Result<(), ExchangeError> {
        let Ok(incoming) = incoming else {
            self.report.expired += 1;
            return Ok(());
        };
        // What of the same key waits, also under another's new name, is there before it.
        if self.keys.contains(&incoming.key) {
            self.write().await?;
        }
        let placed = match self.decide(number, incoming) {
            Ok(placed) => placed,
            Err(fault) => return self.leave_out(number, fault),
        };
        if matches!(placed.fate, Fate::Skipped | Fate::Newer) {
            self.count(placed.fate);
            return Ok(());
        }
        self.bytes += placed.as_decided.value.len();
        self.keys.insert(placed.as_decided.key.clone());
        self.waiting.push(placed);
        if self.waiting.len() >= self.most || self.bytes >= BATCH_BYTES {
            self.write().await?;
        }
        Ok(())
    }

    fn decide(&self, number: u64, incoming: Incoming) -> Result<Placed, ExchangeError> {
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
            number,
            incoming,
            as_decided,
            wanted,
            fate,
        })
    }

    /// Whether somebody else wrote it since this began.
    fn is_newer(&self, version: u64) -> bool {
        let place = self.own.partition_point(|own| *own.end() < version);
        let is_own = self.own.get(place).is_some_and(|own| own.contains(&version));
        version > self.begun && !is_own
    }

    fn there(&self, key: &Key) -> Result<Option<There>, ExchangeError> {
        let would = self.dry.as_ref().and_then(|dry| dry.would(key));
        if let Some(Would { size, held }) = would.cloned() {
            let version = 0;
            return Ok(Some(There { version, size, held }));
        }
        let entry = self.drawer.glance(key.as_str(), Arc::clone)?;
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
        if waiting.is_empty() {
            return Ok(());
        }
        if self.dry.is_some() {
            self.drawer.held_back().map_or(Ok(()), Err)?;
            return self.would_write(waiting);
        }
        match self.drawer.batch(waiting.iter().map(Placed::op).collect()).await {
            Ok(done) => {
                self.own(&done);
                for placed in &waiting {
                    self.count(placed.fate);
                }
                Ok(())
            }
            // One by one, so that only those are left out that have to be.
            Err(Error::Conflict { .. } | Error::Full { .. }) => Box::pin(self.one_by_one(waiting)).await,
            Err(fault) if is_its_own(&fault) => Box::pin(self.one_by_one(waiting)).await,
            Err(fault) => Err(fault.into()),
        }
    }

    fn would_write(&mut self, waiting: Vec<Placed>) -> Result<(), ExchangeError> {
        let is_merging = self.is_merging();
        for placed in waiting {
            let before = self.there(&placed.as_decided.key)?.map(|there| there.size);
            let Some(dry) = &mut self.dry else { return Ok(()) };
            match dry.take(&self.drawer, &placed.as_decided, before, is_merging) {
                Ok(()) => self.count(placed.fate),
                Err(fault) => self.leave_out(placed.number, fault.into())?,
            }
        }
        Ok(())
    }

    async fn one_by_one(&mut self, waiting: Vec<Placed>) -> Result<(), ExchangeError> {
        for placed in waiting {
            let number = placed.number;
            match self.one(placed).await {
                Ok(fate) => self.count(fate),
                Err(fault) => self.leave_out(number, fault)?,
            }
        }
        Ok(())
    }

    /// Writes one, decided anew where somebody was quicker.
    async fn one(&mut self, mut placed: Placed) -> Result<Fate, ExchangeError> {
        let mut tries = 0;
        while !matches!(placed.fate, Fate::Skipped | Fate::Newer) {
            match self.drawer.batch(vec![placed.op()]).await {
                Ok(done) => {
                    self.own(&done);
                    break;
                }
                Err(Error::Conflict { .. }) if tries < TRIES_MAX => {
                    placed = self.decide(placed.number, placed.incoming)?;
                    tries += 1;
                }
                Err(fault) => return Err(fault.into()),
            }
        }
        Ok(placed.fate)
    }

    /// What is wrong with one alone hinders no other.
    fn leave_out(&mut self, number: u64, fault: ExchangeError) -> Result<(), ExchangeError> {
        match fault {
            ExchangeError::Store(fault) if is_its_own(&fault) => {
                self.refuse(number, fault.to_string());
                Ok(())
            }
            fault => Err(fault),
        }
    }

    /// A line is left out.
    pub(crate) fn refuse(&mut self, number: u64, fault: String) {
        self.refused.add(number, fault);
    }

    /// Which were left out since this was last asked.
    pub(crate) fn take_refused(&mut self) -> Refused {
        std::mem::take(&mut self.refused)
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

/// Whether it is the fault of one entry, and others may go in.
fn is_its_own(fault: &Error) -> bool {
    matches!(
        fault,
        Error::TooLarge { .. } | Error::Key { .. } | Error::BatchTooLarge { .. }
    )
}

impl Placed {
    fn op(&self) -> Op {
        Op::Put(self.as_decided.clone().put().if_it_is(self.wanted))
    }
}
