//! The journal itself: one writer, blocking.

use std::fmt;
use std::io;
use std::path::PathBuf;
use std::sync::Arc;

use serde::{Deserialize, Serialize};
use triarch_supervision::clock::Moment;

use crate::config::Config;
use crate::error::{AppendError, CommitError, OpenError, SnapshotError};
use crate::format::{DRAFT, FRAME, HEADER, Header, Kind, RECORD_MAX, mark, push_record};
use crate::names::{Names, NotNamed};
use crate::records::Records;
use crate::recovery::{Last, Recovered, Report, Shelf, refused, verify};
use crate::snapshot::{self, Draft, Snapshot, Written};
use crate::sys::{Claim, Disk, DiskFile};

/// The number of a record, from 1, rising by one.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Seq(u64);

impl Seq {
    pub(crate) const fn of(number: u64) -> Self {
        Self(number)
    }

    /// As a number; 0 stands before the first record.
    pub const fn number(self) -> u64 {
        self.0
    }
}

impl fmt::Display for Seq {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

/// An append-only log in a folder of its own. Whoever has it is the only one who writes there.
#[derive(Debug)]
pub struct Journal {
    disk: Arc<dyn Disk>,
    names: Arc<Names>,
    config: Config,
    number: u64,
    shelf: Shelf,
    segment: Segment,
    /// What [`Journal::append`] took, as it will stand in the segment.
    buffer: Vec<u8>,
    /// The last record in the buffer, or on disk where that is empty.
    last: u64,
    /// The last record on disk.
    settled: u64,
    is_closed: bool,
    _claim: Box<dyn Claim>,
}

/// The segment that is written.
#[derive(Debug)]
struct Segment {
    file: Box<dyn DiskFile>,
    first: u64,
    seed: u32,
    /// Where the next commit goes.
    end: u64,
    /// Whether it ends with a mark.
    is_marked: bool,
}

impl Journal {
    /// Opens the journal in that folder, or begins one: verifies all that is there, cuts off what an unfinished write
    /// left behind, and refuses whatever else is not as it was written.
    pub fn open(disk: Arc<dyn Disk>, config: Config) -> Result<(Self, Recovered), OpenError> {
        config.check()?;
        let begun = Moment::now();
        let claim = disk.claim().map_err(|source| refused(&*disk, "claiming", "", source))?;
        let claim = claim.ok_or_else(|| OpenError::Claimed {
            place: disk.place().to_owned(),
        })?;
        let mut verified = verify(&*disk)?;
        let names = Arc::new(Names::new(Arc::clone(&disk)));
        let last = match verified.last {
            Some(last) => last,
            None => first_segment(&*disk, &names, verified.journal, &mut verified.shelf)?,
        };
        let journal = Self {
            disk,
            names,
            config,
            number: verified.journal,
            shelf: verified.shelf,
            last: last.seq,
            settled: last.seq,
            segment: Segment::going_on(last),
            buffer: Vec::new(),
            is_closed: false,
            _claim: claim,
        };
        let report = Report {
            took: Moment::now().since(begun),
            ..verified.report
        };
        let recovered = journal.recovered(verified.snapshot, report);
        Ok((journal, recovered))
    }

    /// What is on disk by now, to be read once more.
    pub fn replay(&self) -> Result<Recovered, OpenError> {
        let newest = self.shelf.snapshots.last();
        let snapshot = newest.map(|seq| snapshot::read(&*self.disk, *seq)).transpose()?;
        Ok(self.recovered(snapshot.map(|(_, snapshot)| snapshot), Report::default()))
    }

    fn recovered(&self, snapshot: Option<Snapshot>, report: Report) -> Recovered {
        let after = snapshot.as_ref().map_or(0, |snapshot| snapshot.seq.number());
        let segments = self.shelf.segments.clone();
        Recovered {
            snapshot,
            records: Records::new(Arc::clone(&self.disk), segments, after, self.settled),
            report,
        }
    }

    /// Takes a record for the next commit, and returns the number it has once that succeeds. A number whose commit
    /// failed is given again.
    pub fn append(&mut self, record: &[u8]) -> Result<Seq, AppendError> {
        if !self.config.fits(record.len()) {
            return Err(AppendError::TooLarge {
                bytes: record.len(),
                most: self.config.record_bytes_max,
            });
        }
        if self.gathered() + FRAME + record.len() > self.config.buffer_max() {
            return Err(AppendError::Gathered);
        }
        self.last += 1;
        push_record(&mut self.buffer, self.segment.seed, self.last, self.settled, record);
        Ok(Seq(self.last))
    }

    /// How it is kept: [`Config::fits`] says what [`Journal::append`] takes.
    pub const fn config(&self) -> &Config {
        &self.config
    }

    /// Bytes that wait for a commit.
    pub fn gathered(&self) -> usize {
        self.buffer.len()
    }

    /// Whether so much waits that a commit should wait for no more.
    pub fn is_gathered(&self) -> bool {
        self.gathered() >= self.config.gather_bytes
    }

    /// The last record that was appended.
    pub fn last(&self) -> Seq {
        Seq(self.last)
    }

    /// The last record that is on disk.
    pub fn settled(&self) -> Seq {
        Seq(self.settled)
    }

    /// Whether nothing is written any more until the journal is opened again.
    pub fn is_closed(&self) -> bool {
        self.is_closed || self.names.is_over()
    }

    /// How many segments there are.
    pub fn segments(&self) -> usize {
        self.shelf.segments.len()
    }

    /// Bytes of the segment that is written.
    pub fn segment_bytes(&self) -> u64 {
        self.segment.end
    }

    /// One write and one sync: returns once all that was appended is on disk, with the number of the last.
    pub fn commit(&mut self) -> Result<Seq, CommitError> {
        self.opened()?;
        self.take_up_named();
        if self.buffer.is_empty() {
            return Ok(self.settled());
        }
        if let Err(source) = self.segment.file.write_at(self.segment.end, &self.buffer) {
            return Err(self.give_up(source));
        }
        if let Err(source) = self.segment.file.sync() {
            return Err(self.close("syncing", source));
        }
        self.segment.end += self.buffer.len() as u64;
        self.segment.is_marked = false;
        self.settled = self.last;
        self.clear();
        if self.segment.end >= self.config.segment_bytes {
            // Where there is no room for a new segment the old one goes on, and the next commit tries again.
            let _begun = self.begin_segment();
        }
        Ok(self.settled())
    }

    fn opened(&self) -> Result<(), CommitError> {
        if self.is_closed() {
            let place = self.disk.place().to_owned();
            return Err(CommitError::Closed { place });
        }
        Ok(())
    }

    fn clear(&mut self) {
        self.buffer.clear();
        self.buffer.shrink_to(self.config.buffer_max());
    }

    /// A write failed. Where there was no space for it, what of it was written is taken back, on disk too: nothing of
    /// what its writers hear is not written may come up again.
    fn give_up(&mut self, source: io::Error) -> CommitError {
        if !is_full(&source) {
            return self.close("writing", source);
        }
        let taken_back = self.segment.file.truncate(self.segment.end);
        if let Err(source) = taken_back.and_then(|()| self.segment.file.sync()) {
            return self.close("cutting", source);
        }
        self.last = self.settled;
        self.clear();
        // One that came meanwhile makes room for the next.
        self.take_up_named();
        CommitError::Full {
            path: self.segment_path(),
            source,
        }
    }

    fn close(&mut self, doing: &'static str, source: io::Error) -> CommitError {
        self.is_closed = true;
        self.buffer = Vec::new();
        CommitError::Failed {
            doing,
            path: self.segment_path(),
            source,
        }
    }

    fn segment_path(&self) -> PathBuf {
        self.disk.place().join(Kind::Segment.name(self.segment.first))
    }

    /// Says in the segment that all of it is on disk, so that damage to its end can be told from an unfinished write.
    /// To be called when nothing more is to be written for now; the mark itself is not synced, and costs no wait.
    pub fn rest(&mut self) -> Result<(), CommitError> {
        self.opened()?;
        self.take_up_named();
        if self.segment.is_marked || self.settled < self.segment.first || !self.buffer.is_empty() {
            return Ok(());
        }
        let bytes = mark(self.segment.seed, self.settled);
        match self.segment.file.write_at(self.segment.end, &bytes) {
            Ok(()) => {
                self.segment.end += bytes.len() as u64;
                self.segment.is_marked = true;
                Ok(())
            }
            Err(source) => match self.give_up(source) {
                CommitError::Full { .. } => Ok(()),
                failed => Err(failed),
            },
        }
    }

    /// Commits, and begins a new segment: a snapshot of what the records came to until now can then be
    /// [installed](Journal::install). Returns the last of them.
    pub fn rotate(&mut self) -> Result<Seq, CommitError> {
        self.commit()?;
        if self.settled >= self.segment.first {
            self.begin_segment()?;
        }
        Ok(self.settled())
    }

    fn begin_segment(&mut self) -> Result<(), CommitError> {
        let first = self.settled + 1;
        let made = make_segment(&*self.disk, &self.names, self.number, first);
        let (file, header) = made.map_err(|failed| {
            let path = self.disk.place().join(&failed.name);
            let (doing, source) = (failed.doing, failed.source);
            if failed.is_named {
                // It may be there after a power cut, and may not; until that is known nothing goes elsewhere.
                self.is_closed = true;
            } else if is_full(&source) {
                return CommitError::Full { path, source };
            }
            CommitError::Failed { doing, path, source }
        })?;
        self.shelf.segments.push_back(first);
        self.segment = Segment {
            file,
            first,
            seed: header.seed(),
            end: HEADER as u64,
            is_marked: true,
        };
        Ok(())
    }

    /// What a snapshot of the records up to `seq` takes, which [`Journal::rotate`] has returned.
    pub fn draft(&self, seq: Seq) -> Result<Draft, SnapshotError> {
        self.follows(seq)?;
        Ok(Draft {
            disk: Arc::clone(&self.disk),
            names: Arc::clone(&self.names),
            journal: self.number,
            seq,
        })
    }

    fn follows(&self, seq: Seq) -> Result<(), SnapshotError> {
        if let Some(newest) = self.shelf.snapshots.last().filter(|newest| **newest >= seq.0) {
            let newest = Seq(*newest);
            return Err(SnapshotError::Outdated { seq, newest });
        }
        if !self.shelf.segments.contains(&(seq.0 + 1)) {
            return Err(SnapshotError::NotRotated { seq });
        }
        Ok(())
    }

    /// Takes up a snapshot that is on disk, and removes what it stands for, where that was not done already.
    pub fn install(&mut self, written: &Written) -> Result<(), SnapshotError> {
        self.take_up(written.seq)
    }

    /// A snapshot that nobody had taken up, whatever became of whoever wrote it: what it stands for would fill the disk.
    fn take_up_named(&mut self) {
        if let Some(seq) = self.names.snapshot() {
            // An older one than there is stays until the next opening.
            let _outdated = self.take_up(Seq(seq));
        }
    }

    fn take_up(&mut self, seq: Seq) -> Result<(), SnapshotError> {
        let newest = seq.0;
        if self.shelf.snapshots.last() == Some(&newest) {
            return Ok(());
        }
        self.follows(seq)?;
        let mut needless: Vec<_> = self
            .shelf
            .snapshots
            .drain(..)
            .map(|seq| Kind::Snapshot.name(seq))
            .collect();
        self.shelf.snapshots.push(newest);
        while self.shelf.segments.get(1).is_some_and(|next| *next <= newest + 1) {
            needless.extend(self.shelf.segments.pop_front().map(|first| Kind::Segment.name(first)));
        }
        for name in &needless {
            // What stays is removed by the next opening.
            let _removed = self.disk.remove(name);
        }
        Ok(())
    }

    /// Writes a snapshot of the records up to `seq` and installs it, all in one.
    pub fn install_snapshot(&mut self, seq: Seq, bytes: &[u8]) -> Result<(), SnapshotError> {
        let written = self.draft(seq)?.write(|to| to.write_all(bytes))?;
        self.install(&written)
    }

    /// Commits, and marks the end for good.
    pub fn close_orderly(mut self) -> Result<Seq, CommitError> {
        let settled = self.commit()?;
        self.rest()?;
        if let Err(source) = self.segment.file.sync() {
            return Err(self.close("syncing", source));
        }
        Ok(settled)
    }
}

/// Whoever still writes a snapshot of it leaves its folder alone from now on.
impl Drop for Journal {
    fn drop(&mut self) {
        self.names.end();
    }
}

impl Segment {
    fn going_on(last: Last) -> Self {
        Self {
            first: last.header.seq,
            seed: last.header.seed(),
            end: last.end,
            file: last.file,
            is_marked: false,
        }
    }
}

fn is_full(error: &io::Error) -> bool {
    use io::ErrorKind::{FileTooLarge, QuotaExceeded, StorageFull};
    matches!(error.kind(), StorageFull | QuotaExceeded | FileTooLarge)
}

fn first_segment(disk: &dyn Disk, names: &Names, journal: u64, shelf: &mut Shelf) -> Result<Last, OpenError> {
    let made = make_segment(disk, names, journal, 1);
    let (file, header) = made.map_err(|failed| refused(disk, failed.doing, &failed.name, failed.source))?;
    shelf.segments.push_back(1);
    Ok(Last {
        file,
        header,
        end: HEADER as u64,
        seq: 0,
    })
}

/// Why a segment was not made.
struct NotMade {
    doing: &'static str,
    name: String,
    source: io::Error,
    /// Whether it may have its name already.
    is_named: bool,
}

/// A segment has its name only once its header is on disk, and records only once its name is.
fn make_segment(
    disk: &dyn Disk,
    names: &Names,
    journal: u64,
    first: u64,
) -> Result<(Box<dyn DiskFile>, Header), NotMade> {
    let header = Header {
        kind: Kind::Segment,
        journal,
        seq: first,
    };
    let name = Kind::Segment.name(first);
    let draft = format!("{name}{DRAFT}");
    let failed = |doing, is_named| {
        let name = name.clone();
        move |source| NotMade {
            doing,
            name,
            source,
            is_named,
        }
    };
    let mut file = disk.create(&draft).map_err(failed("making", false))?;
    let written = file.write_at(0, &header.to_bytes()).and_then(|()| file.sync());
    written.map_err(failed("writing", false)).inspect_err(|_| {
        // The next opening removes what stays.
        let _removed = disk.remove(&draft);
    })?;
    names.give(&draft, &name).map_err(|not| match not {
        NotNamed::Over => failed("naming", true)(io::Error::other("a sync of the folder has failed before")),
        NotNamed::Renaming(source) => failed("naming", !is_full(&source))(source),
        NotNamed::Syncing(source) => failed("syncing the folder of", true)(source),
    })?;
    Ok((file, header))
}

const _: () = assert!(RECORD_MAX <= u32::MAX as usize);
