//! The records of a journal, one after the other.

use std::collections::VecDeque;
use std::sync::Arc;

use crate::error::OpenError;
use crate::format::Kind;
use crate::journal::Seq;
use crate::reader::{Reader, Step};
use crate::recovery::{header, refused};
use crate::sys::Disk;

/// A record as it is read again.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Record {
    /// Its number.
    pub seq: Seq,
    /// What it was given.
    pub bytes: Vec<u8>,
}

/// The records of a journal behind its snapshot, up to where it stood, read as one goes. Reading blocks.
///
/// All of them were verified before; an error says that the disk has failed since, or that a snapshot has taken them away.
#[derive(Debug)]
pub struct Records {
    disk: Arc<dyn Disk>,
    /// Segments to come.
    segments: VecDeque<u64>,
    current: Option<(String, Reader)>,
    /// The last record that was handed out, or is left out.
    at: u64,
    to: u64,
}

impl Records {
    pub(crate) fn new(disk: Arc<dyn Disk>, segments: VecDeque<u64>, after: u64, to: u64) -> Self {
        Self {
            disk,
            segments,
            current: None,
            at: after,
            to,
        }
    }

    /// How many are left.
    pub fn left(&self) -> u64 {
        self.to.saturating_sub(self.at)
    }

    fn find(&mut self) -> Result<Record, OpenError> {
        loop {
            let Some((name, reader)) = &mut self.current else {
                self.current = Some(self.next_segment()?);
                continue;
            };
            let step = reader.step();
            match step.map_err(|source| refused(&*self.disk, "reading", name, source))? {
                Step::Record(frame) if frame.seq > self.at + 1 => return Err(self.missing(frame.seq - 1)),
                Step::Record(frame) if frame.seq > self.at => {
                    self.at = frame.seq;
                    let bytes = reader.record().to_vec();
                    return Ok(Record {
                        seq: Seq::of(frame.seq),
                        bytes,
                    });
                }
                Step::Record(_) | Step::Mark(_) => {}
                Step::End | Step::Broken => self.current = None,
            }
        }
    }

    /// What was verified, and cannot be read any more.
    fn missing(&self, to: u64) -> OpenError {
        OpenError::Missing {
            place: self.disk.place().to_owned(),
            from: Seq::of(self.at + 1),
            to: Seq::of(to),
        }
    }

    fn next_segment(&mut self) -> Result<(String, Reader), OpenError> {
        let first = self.segments.pop_front().ok_or_else(|| self.missing(self.to))?;
        let name = Kind::Segment.name(first);
        let file = self
            .disk
            .open(&name)
            .map_err(|source| refused(&*self.disk, "opening", &name, source))?;
        let header = header(&*self.disk, &*file, &name)?;
        let reader = Reader::new(file, header.seed());
        let reader = reader.map_err(|source| refused(&*self.disk, "reading", &name, source))?;
        Ok((name, reader))
    }
}

impl Iterator for Records {
    type Item = Result<Record, OpenError>;

    fn next(&mut self) -> Option<Self::Item> {
        if self.at >= self.to {
            return None;
        }
        let found = self.find();
        if found.is_err() {
            self.at = self.to;
        }
        Some(found)
    }
}
