//! Reads the records of a segment one after the other, and believes none that its checksum does not.

use std::io;

use crate::format::{FRAME, Frame, HEADER};
use crate::sys::DiskFile;

/// So much is read at once.
const CHUNK: usize = 256 << 10;

/// What stands next in a segment.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Step {
    Record(Frame),
    Mark(Frame),
    /// The file ends here, as it should.
    End,
    /// Nothing here can be believed.
    Broken,
}

/// A segment that is being read.
#[derive(Debug)]
pub(crate) struct Reader {
    file: Box<dyn DiskFile>,
    size: u64,
    seed: u32,
    /// As much of the file as was read ahead; what is next begins at `at`.
    window: Vec<u8>,
    at: usize,
    /// Where in the file that is.
    offset: u64,
    /// The frame before, whose record is still in the window.
    last: Option<Frame>,
}

impl Reader {
    /// Begins behind the header.
    pub(crate) fn new(file: Box<dyn DiskFile>, seed: u32) -> io::Result<Self> {
        let size = file.size()?;
        Ok(Self {
            file,
            size,
            seed,
            window: Vec::new(),
            at: 0,
            offset: HEADER as u64,
            last: None,
        })
    }

    /// Where what is next begins.
    pub(crate) fn offset(&self) -> u64 {
        self.offset + self.last.map_or(0, |last| last.whole() as u64)
    }

    pub(crate) fn size(&self) -> u64 {
        self.size
    }

    pub(crate) fn into_file(self) -> Box<dyn DiskFile> {
        self.file
    }

    /// The record that [`Step::Record`] stood for.
    pub(crate) fn record(&self) -> &[u8] {
        let size = self.last.map_or(0, |last| last.whole());
        self.window.get(self.at + FRAME..self.at + size).unwrap_or_default()
    }

    /// Goes on to what is next. Where that is broken it stays.
    pub(crate) fn step(&mut self) -> io::Result<Step> {
        if let Some(last) = self.last.take() {
            self.skip(last.whole());
        }
        if self.offset >= self.size {
            return Ok(Step::End);
        }
        match self.frame()? {
            None => Ok(Step::Broken),
            Some(frame) => {
                self.last = Some(frame);
                Ok(if frame.is_mark() {
                    Step::Mark(frame)
                } else {
                    Step::Record(frame)
                })
            }
        }
    }

    /// Looks behind what is broken for a frame that holds, and knows of record `expected` that it was on disk.
    pub(crate) fn finds_proof_of(&mut self, expected: u64) -> io::Result<bool> {
        while self.offset < self.size {
            self.skip(1);
            if let Some(head) = self.peek(FRAME)?.and_then(Frame::read)
                && head.settled >= expected
                && self.frame()?.is_some()
            {
                return Ok(true);
            }
        }
        Ok(false)
    }

    /// Whether nothing but zeros is left.
    pub(crate) fn is_zero_from(&mut self, offset: u64) -> io::Result<bool> {
        (self.offset, self.at) = (offset, 0);
        self.window.clear();
        while self.offset < self.size {
            let left = usize::try_from(self.size - self.offset).unwrap_or(CHUNK).min(CHUNK);
            let rest = self.peek(left)?.unwrap_or_default();
            if rest.iter().any(|byte| *byte != 0) {
                return Ok(false);
            }
            self.skip(left);
        }
        Ok(true)
    }

    /// The frame that begins here, if it and its record are what was written.
    fn frame(&mut self) -> io::Result<Option<Frame>> {
        let Some(frame) = self.peek(FRAME)?.and_then(Frame::read) else {
            return Ok(None);
        };
        let seed = self.seed;
        Ok(self
            .peek(frame.whole())?
            .is_some_and(|bytes| frame.holds(seed, bytes))
            .then_some(frame))
    }

    fn skip(&mut self, bytes: usize) {
        self.at += bytes;
        self.offset += bytes as u64;
    }

    /// The next bytes, if the file has so many: no room is made for a length it has not.
    fn peek(&mut self, bytes: usize) -> io::Result<Option<&[u8]>> {
        let left = self.size.saturating_sub(self.offset);
        if left < bytes as u64 {
            return Ok(None);
        }
        if self.window.len() < self.at + bytes {
            let kept = self.at.min(self.window.len());
            self.window.drain(..kept);
            self.at = 0;
            let have = self.window.len();
            let wanted = bytes.max(usize::try_from(left).unwrap_or(CHUNK).min(CHUNK));
            self.window.resize(wanted, 0);
            let read = self.file.read_at(self.offset + have as u64, &mut self.window[have..])?;
            self.window.truncate(have + read);
        }
        let there = self.window.get(self.at..self.at + bytes);
        there.map(Some).ok_or_else(|| io::ErrorKind::UnexpectedEof.into())
    }
}
