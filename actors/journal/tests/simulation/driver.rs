//! A story: what happens to one journal, drawn by a seed.

use std::sync::Arc;

use triarch_journal::testing::{Call, Fault, SimDisk};
use triarch_journal::{CommitError, Config, CutReason, Disk, Journal, OpenError, Seq, SnapshotError};

use crate::careless::{Careless, Skips};
use crate::model::Model;

/// Lives of the journal in one story.
const LIVES: u64 = 20;
/// Sizes of records; few, so that what is left behind often fits where something else is written.
const SIZES: [usize; 6] = [0, 8, 8, 100, 500, 1300];

/// What happened in a story.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Seen {
    pub(crate) cuts: u64,
    pub(crate) kills: u64,
    pub(crate) full: u64,
    pub(crate) failed: u64,
    pub(crate) torn: u64,
    pub(crate) zeroed: u64,
    pub(crate) adopted: u64,
    pub(crate) snapshots: u64,
    pub(crate) calls: u64,
}

impl Seen {
    pub(crate) fn add(&mut self, other: &Self) {
        self.cuts += other.cuts;
        self.kills += other.kills;
        self.full += other.full;
        self.failed += other.failed;
        self.torn += other.torn;
        self.zeroed += other.zeroed;
        self.adopted += other.adopted;
        self.snapshots += other.snapshots;
        self.calls += other.calls;
    }
}

pub(crate) struct Story {
    disk: SimDisk,
    shown: Arc<dyn Disk>,
    chance: u64,
    model: Model,
    seen: Seen,
    written: u64,
    config: Config,
}

/// Why a life of the journal ended.
enum End {
    /// The disk has failed or the power is out; the journal is closed.
    Closed,
    /// Its time has come.
    Old,
}

impl Story {
    pub(crate) fn new(seed: u64, skips: Skips) -> Self {
        let disk = SimDisk::new(seed);
        let careless = Careless {
            disk: disk.clone(),
            skips,
        };
        Self {
            disk,
            shown: Arc::new(careless),
            chance: seed.wrapping_mul(0x2545_f491_4f6c_dd1d) | 1,
            model: Model::default(),
            seen: Seen::default(),
            written: 0,
            config: Config {
                segment_bytes: 4000,
                ..Config::default()
            },
        }
    }

    pub(crate) fn run(mut self) -> Result<Seen, String> {
        for life in 1..=LIVES {
            let mut journal = self.open().map_err(|fault| format!("life {life}: {fault}"))?;
            let end = self
                .live(&mut journal)
                .map_err(|fault| format!("life {life}: {fault}"))?;
            self.die(journal, &end)
                .map_err(|fault| format!("life {life}: {fault}"))?;
        }
        self.open()?;
        self.seen.calls = self.disk.calls();
        Ok(self.seen)
    }

    fn of(&mut self, bound: u64) -> u64 {
        self.chance ^= self.chance << 13;
        self.chance ^= self.chance >> 7;
        self.chance ^= self.chance << 17;
        (self.chance >> 11) % bound
    }

    /// Opens the journal; at times the power goes out over that, or the disk refuses, and it is tried again.
    fn open(&mut self) -> Result<Journal, String> {
        for _ in 0..self.of(3) {
            let fault = if self.of(2) == 0 { Fault::PowerCut } else { Fault::Io };
            let (call, skipped) = (self.call(), self.of(2));
            self.disk.fail(call, skipped, fault);
            match Journal::open(Arc::clone(&self.shown), self.config) {
                Ok((journal, recovered)) => {
                    self.disk.heal();
                    return self.opened(journal, recovered);
                }
                Err(OpenError::Disk { .. }) => {
                    self.seen.cuts += u64::from(fault == Fault::PowerCut);
                    self.disk.heal();
                }
                Err(error) => return Err(format!("{error}: {error:?}")),
            }
        }
        match Journal::open(Arc::clone(&self.shown), self.config) {
            Ok((journal, recovered)) => self.opened(journal, recovered),
            Err(error) => Err(format!("{error}: {error:?}")),
        }
    }

    fn opened(&mut self, journal: Journal, recovered: triarch_journal::Recovered) -> Result<Journal, String> {
        match recovered.report.cut.as_ref().map(|cut| cut.why) {
            Some(CutReason::Torn) => self.seen.torn += 1,
            Some(CutReason::Zeroed) => self.seen.zeroed += 1,
            None => {}
        }
        self.seen.adopted += self.model.check(&journal, recovered)?;
        Ok(journal)
    }

    fn call(&mut self) -> Call {
        let calls = [
            Call::Write,
            Call::Write,
            Call::Sync,
            Call::Sync,
            Call::Create,
            Call::Rename,
            Call::SyncFolder,
            Call::Remove,
            Call::Truncate,
        ];
        calls[usize::try_from(self.of(calls.len() as u64)).unwrap()]
    }

    fn live(&mut self, journal: &mut Journal) -> Result<End, String> {
        if self.of(3) != 0 {
            let fault =
                [Fault::PowerCut, Fault::PowerCut, Fault::Io, Fault::Full][usize::try_from(self.of(4)).unwrap()];
            let (call, skipped) = (self.call(), self.of(12));
            self.disk.fail(call, skipped, fault);
        }
        for _ in 0..=self.of(12) {
            let end = match self.of(16) {
                0 => self.snapshot(journal)?,
                1 => Self::is_alive(journal.rest().is_ok()),
                2 => self.rotate(journal)?,
                3 => {
                    self.little_space();
                    None
                }
                _ => self.write(journal)?,
            };
            if let Some(end) = end {
                self.seen.failed += 1;
                return Ok(end);
            }
        }
        Ok(End::Old)
    }

    fn is_alive(is_alive: bool) -> Option<End> {
        (!is_alive).then_some(End::Closed)
    }

    /// Space gets short, or there is enough again.
    fn little_space(&mut self) {
        let more = self.of(1500);
        let space = (self.of(2) == 0).then(|| self.disk.used() + more);
        self.disk.space(space);
    }

    fn append(&mut self, journal: &mut Journal) {
        for _ in 0..=self.of(6) {
            self.written += 1;
            let size = SIZES[usize::try_from(self.of(SIZES.len() as u64)).unwrap()];
            let record: Vec<u8> = self.written.to_le_bytes().into_iter().cycle().take(size).collect();
            journal.append(&record).unwrap();
            self.model.append(record);
        }
    }

    fn write(&mut self, journal: &mut Journal) -> Result<Option<End>, String> {
        self.append(journal);
        if self.of(10) == 0 {
            return Ok(None);
        }
        let committed = journal.commit();
        self.outcome(&committed)
    }

    fn outcome(&mut self, committed: &Result<Seq, CommitError>) -> Result<Option<End>, String> {
        match committed {
            Ok(settled) => self.model.acknowledge(*settled)?,
            Err(CommitError::Full { .. }) => {
                self.seen.full += 1;
                self.model.refuse();
            }
            Err(CommitError::Closed { .. }) => {
                self.model.refuse();
                return Ok(Some(End::Closed));
            }
            Err(_) => return Ok(Some(End::Closed)),
        }
        Ok(None)
    }

    fn rotate(&mut self, journal: &mut Journal) -> Result<Option<End>, String> {
        let committed = journal.commit();
        if let Some(end) = self.outcome(&committed)? {
            return Ok(Some(end));
        }
        let rotated = journal.rotate();
        self.outcome(&rotated)
    }

    fn snapshot(&mut self, journal: &mut Journal) -> Result<Option<End>, String> {
        if let Some(end) = self.rotate(journal)? {
            return Ok(Some(end));
        }
        let seq = journal.settled();
        let draft = match journal.draft(seq) {
            Ok(draft) => draft,
            Err(SnapshotError::Outdated { .. } | SnapshotError::NotRotated { .. }) => return Ok(None),
            Err(error) => return Err(error.to_string()),
        };
        let bytes = self.model.summary(seq.number());
        // The journal goes on while the snapshot is written.
        if self.of(2) == 0
            && let Some(end) = self.write(journal)?
        {
            return Ok(Some(end));
        }
        let Ok(written) = draft.write(|to| to.write_all(&bytes)) else {
            return Ok(None);
        };
        if self.of(6) != 0 {
            journal.install(&written).map_err(|error| error.to_string())?;
            self.model.snapshot(seq);
            self.seen.snapshots += 1;
        }
        Ok(None)
    }

    /// The power goes out, or the process is killed, or it ends in order.
    fn die(&mut self, journal: Journal, end: &End) -> Result<(), String> {
        let is_out = self.of(4) != 0;
        self.disk.heal();
        self.disk.space(None);
        match end {
            End::Old if self.of(8) == 0 => {
                let settled = journal.close_orderly();
                if self.outcome(&settled)?.is_none() && self.model.has_open() {
                    return Err("an orderly end left something open".to_owned());
                }
            }
            // Nothing of what was not committed was given to the disk.
            End::Old => {
                if journal.is_closed() {
                    self.seen.failed += 1;
                } else {
                    self.model.refuse();
                }
                drop(journal);
            }
            End::Closed => drop(journal),
        }
        if is_out {
            self.seen.cuts += 1;
            self.disk.cut_power();
        } else {
            self.seen.kills += 1;
        }
        Ok(())
    }
}
