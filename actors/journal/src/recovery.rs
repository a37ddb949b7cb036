//! What a folder holds: verified before anybody is given any of it.

use std::collections::VecDeque;
use std::io;
use std::time::Duration;

use serde::Serialize;

use crate::error::OpenError;
use crate::format::{DRAFT, Frame, HEADER, Header, Kind};
use crate::journal::Seq;
use crate::names::{finish_again, give_again};
use crate::reader::{Reader, Step};
use crate::records::Records;
use crate::snapshot::{self, Snapshot, no_header};
use crate::sys::{Disk, DiskFile};

/// So much is written again at once.
const CHUNK: usize = 256 << 10;

/// What a journal held when it was opened.
#[derive(Debug)]
pub struct Recovered {
    /// The newest snapshot.
    pub snapshot: Option<Snapshot>,
    /// The records behind it, in order.
    pub records: Records,
    /// What was found, and what was done about it.
    pub report: Report,
}

/// What was found in a journal's folder.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Report {
    /// Records behind the snapshot.
    pub records: u64,
    /// Bytes that were read and verified.
    pub bytes: u64,
    /// Segments that are kept.
    pub segments: usize,
    /// What the snapshot stands for, if there is one.
    pub snapshot: Option<Seq>,
    /// The end of an unfinished write, which was cut off.
    pub cut: Option<Cut>,
    /// Records that were found whole, though nobody had been told that they are on disk; they are kept, and are now.
    pub adopted: u64,
    /// Files that were needed no more, and were removed.
    pub removed: usize,
    /// How long it took.
    pub took: Duration,
}

/// What was cut off a segment: the end of a write that was never acknowledged.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Cut {
    /// The file.
    pub file: String,
    /// Where it ends now.
    pub offset: u64,
    /// How much was cut off.
    pub bytes: u64,
    /// What it looked like.
    pub why: CutReason,
}

/// What the end of an unfinished write looks like.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum CutReason {
    /// A part of a record, or records with holes between them.
    Torn,
    /// Room was made, and nothing written there.
    Zeroed,
}

/// The files of a journal, by name.
#[derive(Debug, Default)]
pub(crate) struct Shelf {
    /// First records of segments, rising.
    pub(crate) segments: VecDeque<u64>,
    pub(crate) snapshots: Vec<u64>,
    drafts: Vec<String>,
}

impl Shelf {
    fn of(disk: &dyn Disk) -> Result<Self, OpenError> {
        let mut shelf = Self::default();
        let mut names = disk.list().map_err(|source| refused(disk, "listing", "", source))?;
        finish_again(disk, &mut names).map_err(|source| refused(disk, "naming files of", "", source))?;
        for name in names {
            if let Some(seq) = Kind::Segment.seq(&name) {
                shelf.segments.push_back(seq);
            } else if let Some(seq) = Kind::Snapshot.seq(&name) {
                shelf.snapshots.push(seq);
            } else if name.ends_with(DRAFT) {
                shelf.drafts.push(name);
            }
        }
        shelf.segments.make_contiguous().sort_unstable();
        shelf.snapshots.sort_unstable();
        Ok(shelf)
    }

    /// Takes out what the newest snapshot makes needless, and what was never finished.
    fn needless(&mut self) -> Vec<String> {
        let mut names = std::mem::take(&mut self.drafts);
        let Some(newest) = self.snapshots.pop() else {
            return names;
        };
        names.extend(self.snapshots.drain(..).map(|seq| Kind::Snapshot.name(seq)));
        self.snapshots.push(newest);
        while self.segments.get(1).is_some_and(|next| *next <= newest + 1) {
            names.extend(self.segments.pop_front().map(|seq| Kind::Segment.name(seq)));
        }
        names
    }
}

/// A verified folder, and where its last segment goes on.
#[derive(Debug)]
pub(crate) struct Verified {
    pub(crate) shelf: Shelf,
    pub(crate) journal: u64,
    pub(crate) snapshot: Option<Snapshot>,
    /// None where the folder is empty.
    pub(crate) last: Option<Last>,
    pub(crate) report: Report,
}

/// The last segment.
#[derive(Debug)]
pub(crate) struct Last {
    pub(crate) file: Box<dyn DiskFile>,
    pub(crate) header: Header,
    /// Where it ends.
    pub(crate) end: u64,
    /// Its last record, or the one before it.
    pub(crate) seq: u64,
}

/// Verifies all that is in the folder, ends what was begun, and removes what nobody needs.
pub(crate) fn verify(disk: &dyn Disk) -> Result<Verified, OpenError> {
    let mut shelf = Shelf::of(disk)?;
    let needless = shelf.needless();
    let snapshot = shelf
        .snapshots
        .last()
        .map(|seq| snapshot::read(disk, *seq))
        .transpose()?;
    let mut pass = Pass {
        disk,
        journal: snapshot.as_ref().map(|(journal, _)| *journal),
        after: snapshot.as_ref().map_or(0, |(_, snapshot)| snapshot.seq.number()),
        report: Report::default(),
    };
    let last = pass.segments(&shelf)?;
    let mut report = pass.report;
    let journal = pass.journal.unwrap_or_else(|| disk.draw());
    let snapshot = snapshot.map(|(_, snapshot)| snapshot);
    report.bytes += snapshot.as_ref().map_or(0, |snapshot| snapshot.bytes.len() as u64);
    report.snapshot = snapshot.as_ref().map(|snapshot| snapshot.seq);
    report.segments = shelf.segments.len();
    name_again(disk, &shelf)?;
    for name in &needless {
        disk.remove(name)
            .map_err(|source| refused(disk, "removing", name, source))?;
    }
    report.removed = needless.len();
    Ok(Verified {
        shelf,
        journal,
        snapshot,
        last,
        report,
    })
}

/// Whoever was killed may have left names that are not on disk; what they replace must not go before they are. Any other
/// segment has had its name since before it had records.
fn name_again(disk: &dyn Disk, shelf: &Shelf) -> Result<(), OpenError> {
    let snapshot = shelf.snapshots.last().map(|seq| Kind::Snapshot.name(*seq));
    let segment = shelf.segments.back().map(|seq| Kind::Segment.name(*seq));
    for name in snapshot.iter().chain(&segment) {
        give_again(disk, name).map_err(|source| refused(disk, "naming", name, source))?;
    }
    disk.sync_folder()
        .map_err(|source| refused(disk, "syncing", "", source))
}

/// One pass over all segments.
struct Pass<'a> {
    disk: &'a dyn Disk,
    journal: Option<u64>,
    /// What the snapshot stands for.
    after: u64,
    report: Report,
}

impl Pass<'_> {
    fn segments(&mut self, folder: &Shelf) -> Result<Option<Last>, OpenError> {
        if folder.segments.is_empty() && folder.snapshots.is_empty() {
            return Ok(None);
        }
        // A snapshot is begun only once this segment is on disk, and it goes only with a newer one.
        let begin = self.after + 1;
        if !folder.segments.contains(&begin) {
            let next = folder.segments.iter().find(|first| **first > begin);
            return Err(self.missing(begin, next.map_or(begin, |next| next - 1)));
        }
        let mut last = None;
        for (at, seq) in folder.segments.iter().enumerate() {
            last = Some(self.segment(*seq, folder.segments.get(at + 1).copied())?);
        }
        Ok(last)
    }

    fn missing(&self, from: u64, to: u64) -> OpenError {
        OpenError::Missing {
            place: self.disk.place().to_owned(),
            from: Seq::of(from),
            to: Seq::of(to),
        }
    }

    fn segment(&mut self, first: u64, next: Option<u64>) -> Result<Last, OpenError> {
        let name = Kind::Segment.name(first);
        let file = self
            .disk
            .open(&name)
            .map_err(|source| refused(self.disk, "opening", &name, source))?;
        let header = header(self.disk, &*file, &name)?;
        self.belongs(&name, first, header)?;
        let reader = Reader::new(file, header.seed());
        let mut reader = reader.map_err(|source| refused(self.disk, "reading", &name, source))?;
        let found = self.records(&mut reader, &name, first)?;
        self.report.bytes += found.end;
        let behind = found.seq.saturating_sub(self.after.max(first - 1));
        self.report.records += behind;
        match next {
            Some(next) => self.sealed(&name, &found, next)?,
            None => return self.open_end(reader, &name, header, &found),
        }
        Ok(Last {
            file: reader.into_file(),
            header,
            end: found.end,
            seq: found.seq,
        })
    }

    /// The name says what the header says, and all of them say the same journal.
    fn belongs(&mut self, name: &str, first: u64, header: Header) -> Result<(), OpenError> {
        let foreign = |what| OpenError::Foreign {
            path: self.disk.place().join(name),
            what,
        };
        if header.seq != first {
            return Err(foreign(format!("it is a copy of {}", Kind::Segment.name(header.seq))));
        }
        if *self.journal.get_or_insert(header.journal) != header.journal {
            return Err(foreign("it is a segment of another journal".to_owned()));
        }
        Ok(())
    }

    fn records(&self, reader: &mut Reader, name: &str, first: u64) -> Result<Found, OpenError> {
        let mut found = Found::new(first);
        loop {
            let step = reader
                .step()
                .map_err(|source| refused(self.disk, "reading", name, source))?;
            match step {
                Step::End => return Ok(found),
                Step::Broken => {
                    found.is_broken = true;
                    return Ok(found);
                }
                Step::Record(frame) if frame.seq == found.seq + 1 => found.record(frame, reader.offset()),
                Step::Mark(frame) if frame.seq == found.seq => found.mark(frame, reader.offset()),
                Step::Record(frame) | Step::Mark(frame) => {
                    let what = format!("record {} stands where {} should", frame.seq, found.seq + 1);
                    return Err(self.damaged(name, found.end, what));
                }
            }
        }
    }

    /// A segment that another follows ends where that begins; what is broken behind its last record was none.
    fn sealed(&self, name: &str, found: &Found, next: u64) -> Result<(), OpenError> {
        if found.seq + 1 == next {
            return Ok(());
        }
        if found.seq + 1 > next {
            let path = self.disk.place().join(name);
            let what = format!("its records overlap those of {}", Kind::Segment.name(next));
            return Err(OpenError::Foreign { path, what });
        }
        if found.is_broken {
            let what = format!("record {} does not have its checksum", found.seq + 1);
            return Err(self.damaged(name, found.end, what));
        }
        Err(self.missing(found.seq + 1, next - 1))
    }

    /// The end of the last segment: what was left of an unfinished write is cut off, and what of it is whole is made
    /// to last. It is written again, for a sync that failed in an earlier life is not told to this one.
    fn open_end(&mut self, mut reader: Reader, name: &str, header: Header, found: &Found) -> Result<Last, OpenError> {
        let failed = |source| refused(self.disk, "reading", name, source);
        let bytes = reader.size() - found.end;
        if found.is_broken {
            if reader.finds_proof_of(found.seq + 1).map_err(failed)? {
                let what = format!(
                    "record {} does not have its checksum, and records behind it do",
                    found.seq + 1
                );
                return Err(self.damaged(name, found.end, what));
            }
            let is_zero = reader.is_zero_from(found.end).map_err(failed)?;
            self.report.cut = Some(Cut {
                file: name.to_owned(),
                offset: found.end,
                bytes,
                why: if is_zero { CutReason::Zeroed } else { CutReason::Torn },
            });
        }
        self.report.adopted = found.unsettled.len() as u64;
        let mut file = reader.into_file();
        let again = write_again(&mut *file, found.settled_end, found.end);
        let cut = again.and_then(|()| file.truncate(found.end));
        let synced = cut.and_then(|()| file.sync());
        synced.map_err(|source| refused(self.disk, "writing", name, source))?;
        Ok(Last {
            file,
            header,
            end: found.end,
            seq: found.seq,
        })
    }

    fn damaged(&self, name: &str, offset: u64, what: String) -> OpenError {
        OpenError::Damaged {
            path: self.disk.place().join(name),
            offset,
            what,
        }
    }
}

/// What was read of one segment.
struct Found {
    /// The last record.
    seq: u64,
    /// Where it, or a mark behind it, ends.
    end: u64,
    is_broken: bool,
    /// Records that nothing behind them says are on disk, and where they end.
    unsettled: VecDeque<(u64, u64)>,
    /// Where the last record ends that something behind it says is on disk. A mark behind it may not be, whatever can
    /// be read.
    settled_end: u64,
}

impl Found {
    fn new(first: u64) -> Self {
        Self {
            seq: first - 1,
            end: HEADER as u64,
            is_broken: false,
            unsettled: VecDeque::new(),
            settled_end: HEADER as u64,
        }
    }

    fn record(&mut self, frame: Frame, end: u64) {
        self.settle(frame.settled);
        self.unsettled.push_back((frame.seq, end));
        (self.seq, self.end) = (frame.seq, end);
    }

    fn mark(&mut self, frame: Frame, end: u64) {
        self.settle(frame.settled);
        self.end = end;
    }

    fn settle(&mut self, settled: u64) {
        while let Some((_, end)) = self.unsettled.pop_front_if(|(seq, _)| *seq <= settled) {
            self.settled_end = end;
        }
    }
}

pub(crate) fn header(disk: &dyn Disk, file: &dyn DiskFile, name: &str) -> Result<Header, OpenError> {
    let mut bytes = [0; HEADER];
    let read = file.read_at(0, &mut bytes);
    let read = read.map_err(|source| refused(disk, "reading", name, source))?;
    Header::read(&bytes[..read], Kind::Segment).map_err(|why| no_header(why, disk.place().join(name)))
}

fn write_again(file: &mut dyn DiskFile, from: u64, to: u64) -> io::Result<()> {
    let mut offset = from;
    while offset < to {
        let size = usize::try_from(to - offset).unwrap_or(CHUNK).min(CHUNK);
        let mut bytes = vec![0; size];
        if file.read_at(offset, &mut bytes)? != size {
            return Err(io::ErrorKind::UnexpectedEof.into());
        }
        file.write_at(offset, &bytes)?;
        offset += size as u64;
    }
    Ok(())
}

pub(crate) fn refused(disk: &dyn Disk, doing: &'static str, name: &str, source: io::Error) -> OpenError {
    OpenError::Disk {
        doing,
        path: disk.place().join(name),
        source,
    }
}
