//! Reads the records of a segment one after the other, and believes none that its checksum does not.

use std::io;

use crate::format::{FRAME, Frame, HEADER};
use crate::proof::Search;
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
    /// Room for what is read ahead, which is made once. As much as was read fills it up to `filled`; what is next begins
    /// at `at`.
    window: Vec<u8>,
    filled: usize,
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
            filled: 0,
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
        let mut search = Search::new(self.seed, expected, self.offset, self.size);
        while self.offset < self.size {
            let (offset, left) = (self.offset, self.left());
            let bytes = self.peek(left)?.unwrap_or_default();
            if search.finds(offset, bytes) {
                return Ok(true);
            }
            self.skip(search.done_of(offset, left));
        }
        Ok(false)
    }

    /// Whether nothing but zeros is left.
    pub(crate) fn is_zero_from(&mut self, offset: u64) -> io::Result<bool> {
        (self.offset, self.at, self.filled) = (offset, 0, 0);
        while self.offset < self.size {
            let left = self.left();
            let rest = self.peek(left)?.unwrap_or_default();
            if rest.iter().any(|byte| *byte != 0) {
                return Ok(false);
            }
            self.skip(left);
        }
        Ok(true)
    }

    /// The frame that begins here, if it and its record are what was written.
    #[inline]
    fn frame(&mut self) -> io::Result<Option<Frame>> {
        let Some(frame) = self.peek(FRAME)?.and_then(Frame::read) else {
            return Ok(None);
        };
        let seed = self.seed;
        let whole = self.peek(frame.whole())?;
        Ok(whole.is_some_and(|bytes| frame.holds(seed, bytes)).then_some(frame))
    }

    /// How much is left, if not more than is read at once.
    fn left(&self) -> usize {
        let left = self.size.saturating_sub(self.offset);
        usize::try_from(left).unwrap_or(CHUNK).min(CHUNK)
    }

    fn skip(&mut self, bytes: usize) {
        self.at += bytes;
        self.offset += bytes as u64;
    }

    /// The next bytes, if the file has so many: no room is made for a length it has not.
    #[inline]
    fn peek(&mut self, bytes: usize) -> io::Result<Option<&[u8]>> {
        let left = self.size.saturating_sub(self.offset);
        if left < bytes as u64 {
            return Ok(None);
        }
        if self.filled < self.at + bytes {
            self.fill(bytes, left)?;
        }
        let there = self.window[..self.filled].get(self.at..self.at + bytes);
        there.map(Some).ok_or_else(|| io::ErrorKind::UnexpectedEof.into())
    }

    #[cold]
    fn fill(&mut self, bytes: usize, left: u64) -> io::Result<()> {
        let have = self.filled.saturating_sub(self.at);
        self.window.copy_within(self.filled - have..self.filled, 0);
        (self.at, self.filled) = (0, have);
        let wanted = bytes.max(usize::try_from(left).unwrap_or(CHUNK).min(CHUNK));
        if self.window.len() < wanted {
            self.window.resize(wanted, 0);
        }
        let into = &mut self.window[have..wanted];
        self.filled += self.file.read_at(self.offset + have as u64, into)?;
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::format::{RECORD_MAX, SUMMED, mark, push_record};

    /// A file in memory.
    #[derive(Debug)]
    struct Bytes(Vec<u8>);

    impl DiskFile for Bytes {
        fn size(&self) -> io::Result<u64> {
            Ok(self.0.len() as u64)
        }

        fn read_at(&self, offset: u64, into: &mut [u8]) -> io::Result<usize> {
            let there = self.0.get(usize::try_from(offset).unwrap()..).unwrap_or_default();
            let count = there.len().min(into.len());
            into[..count].copy_from_slice(&there[..count]);
            Ok(count)
        }

        fn write_at(&mut self, _offset: u64, _bytes: &[u8]) -> io::Result<()> {
            Err(io::ErrorKind::Unsupported.into())
        }

        fn truncate(&mut self, _size: u64) -> io::Result<()> {
            Err(io::ErrorKind::Unsupported.into())
        }

        fn sync(&mut self) -> io::Result<()> {
            Err(io::ErrorKind::Unsupported.into())
        }
    }

    fn reader(records: &[u8]) -> Reader {
        let bytes = [&[0; HEADER], records].concat();
        Reader::new(Box::new(Bytes(bytes)), 7).unwrap()
    }

    fn written(records: &[Vec<u8>]) -> Vec<u8> {
        let mut bytes = Vec::new();
        for (at, record) in (0..).zip(records) {
            push_record(&mut bytes, 7, at + 1, at, record);
        }
        bytes
    }

    /// All records up to what is not one.
    fn read(reader: &mut Reader) -> (Vec<Vec<u8>>, Step) {
        let mut records = Vec::new();
        loop {
            match reader.step().unwrap() {
                Step::Record(_) => records.push(reader.record().to_vec()),
                Step::Mark(_) => {}
                end => return (records, end),
            }
        }
    }

    #[test]
    fn no_room_is_made_for_a_size_that_the_file_has_not() {
        let mut bytes = written(&[b"one".to_vec()]);
        let size = u32::try_from(RECORD_MAX).unwrap();
        bytes[4..8].copy_from_slice(&size.to_le_bytes());
        bytes.resize(5000, 0);
        let mut reader = reader(&bytes);
        assert_eq!(reader.step().unwrap(), Step::Broken);
        assert!(reader.window.capacity() <= 5000, "{}", reader.window.capacity());
    }

    #[test]
    fn records_longer_than_what_is_read_at_once_are_read_whole() {
        let records = [vec![1; 3], vec![2; 3 * CHUNK], vec![], vec![3; CHUNK]];
        assert_eq!(read(&mut reader(&written(&records))), (records.to_vec(), Step::End));
    }

    #[test]
    fn a_file_that_ends_before_its_size_is_an_error_and_no_end() {
        let mut reader = reader(&written(&[vec![1; 100]]));
        reader.size += 50;
        reader.step().unwrap();
        assert_eq!(reader.step().unwrap_err().kind(), io::ErrorKind::UnexpectedEof);
    }

    /// A frame that says it has so many bytes.
    fn lure(size: usize, seq: u64, settled: u64) -> Vec<u8> {
        let mut bytes = vec![0xaa; 4];
        bytes.extend(u32::try_from(size).unwrap().to_le_bytes());
        bytes.extend(seq.to_le_bytes());
        bytes.extend(settled.to_le_bytes());
        bytes
    }

    #[test]
    fn a_search_for_proof_sums_no_byte_twice_whatever_the_bytes_pretend_to_be() {
        let count = 4000;
        let lures = (0..count).flat_map(|at| lure((count - at - 1) * FRAME, 3, 2));
        let mut bytes = written(&[b"one".to_vec(), b"broken".to_vec()]);
        bytes.pop();
        bytes.extend(lures);
        let mut reader = reader(&bytes);
        assert_eq!((reader.step().unwrap(), reader.step().unwrap()).1, Step::Broken);
        let before = SUMMED.get();
        assert!(!reader.finds_proof_of(2).unwrap());
        assert!(
            SUMMED.get() - before <= bytes.len(),
            "{} of {}",
            SUMMED.get() - before,
            bytes.len()
        );
        let mut proof = bytes.clone();
        push_record(&mut proof, 7, 3, 2, &vec![1; 3 * CHUNK]);
        proof.extend([0xaa; 100]);
        let mut reader = self::reader(&proof);
        assert_eq!((reader.step().unwrap(), reader.step().unwrap()).1, Step::Broken);
        assert!(reader.finds_proof_of(2).unwrap());
    }

    proptest! {
        #![proptest_config(ProptestConfig { cases: 3000, failure_persistence: None, ..ProptestConfig::default() })]

        #[test]
        fn what_was_written_is_read_again(records in prop::collection::vec(prop::collection::vec(any::<u8>(), 0..300), 0..20)) {
            prop_assert_eq!(read(&mut reader(&written(&records))), (records, Step::End));
        }

        #[test]
        fn whatever_bytes_there_are_reading_ends_and_makes_no_more_room_than_they_take(
            records in prop::collection::vec(prop::collection::vec(any::<u8>(), 0..40), 0..4),
            rubbish in prop::collection::vec(any::<u8>(), 0..600),
            flips in prop::collection::vec((any::<prop::sample::Index>(), 1u8..), 0..4),
        ) {
            let mut bytes = [written(&records), mark(7, records.len() as u64), rubbish].concat();
            for (at, flip) in flips {
                let at = at.index(bytes.len());
                bytes[at] ^= flip;
            }
            let mut reader = reader(&bytes);
            let (there, end) = read(&mut reader);
            prop_assert!(there.iter().zip(&records).all(|(there, written)| there == written));
            if end == Step::Broken {
                let at = reader.offset();
                reader.finds_proof_of(there.len() as u64 + 1).unwrap();
                reader.is_zero_from(at).unwrap();
            }
            prop_assert!(reader.window.capacity() <= HEADER + bytes.len());
        }
    }
}
