//! Looking behind what is broken for a frame that holds, in one pass over the bytes.
//!
//! Anybody can write bytes that look like the begin of a frame, thousands within one record, each with a length that
//! reaches to the end of the file. So no frame is summed for itself. One sum runs along; from the sums at both ends of a
//! frame that of the frame follows, for checksums of parts can be put together:
//!
//! ```text
//!  sum(a b) = shift(sum(a), length of b) ^ sum(b)
//!
//!  ───────┬─────────────frame─────────────┬──────
//!       begin: what the sum at the end     end: is it that?
//!       must be is noted as due
//! ```

use std::cmp::Reverse;
use std::collections::BinaryHeap;

use crate::format::{FRAME, Frame, checksum};

/// Bytes of a frame that its checksum leaves out: the checksum.
const UNSUMMED: u64 = 4;

/// A search, to be given the bytes of a file piece by piece.
pub(crate) struct Search {
    seed: u32,
    /// The record that is broken.
    expected: u64,
    begin: u64,
    size: u64,
    /// How far the sum of all bytes from the begin on has come, and what it is.
    at: u64,
    sum: u32,
    /// Where frames end, and what the sum must be there. No more than there are bytes to look at.
    due: BinaryHeap<Reverse<(u64, u32)>>,
    powers: [u32; 32],
}

impl Search {
    /// For proof that record `expected`, which should stand at `begin`, was on disk, in a file of `size` bytes.
    pub(crate) fn new(seed: u32, expected: u64, begin: u64, size: u64) -> Self {
        Self {
            seed,
            expected,
            begin,
            size,
            at: begin,
            sum: 0,
            due: BinaryHeap::new(),
            powers: powers(),
        }
    }

    /// Whether there is proof by the end of these bytes, which begin `offset` into the file. The next ones begin so many
    /// behind these as [`Search::done_of`] says.
    pub(crate) fn finds(&mut self, offset: u64, bytes: &[u8]) -> bool {
        for (place, head) in (offset..).zip(bytes.windows(FRAME)) {
            let Some(frame) = Frame::read(head).filter(|frame| self.may_prove(place, frame)) else {
                continue;
            };
            if self.sum_up_to(place + UNSUMMED, offset, bytes) {
                return true;
            }
            let summed = frame.whole() as u64 - UNSUMMED;
            let due = frame.crc ^ shift(&self.powers, self.seed ^ self.sum, summed);
            self.due.push(Reverse((place + frame.whole() as u64, due)));
        }
        let done = self.done_of(offset, bytes.len());
        self.sum_up_to(offset + done as u64, offset, bytes)
    }

    /// How many of so many bytes are done with: a frame may begin in the last ones and end behind them.
    pub(crate) fn done_of(&self, offset: u64, bytes: usize) -> usize {
        let is_last = offset + bytes as u64 >= self.size;
        if is_last {
            bytes
        } else {
            bytes.saturating_sub(FRAME - 1)
        }
    }

    /// Between here and the begin there is no room for more records than there are frames.
    fn may_prove(&self, place: u64, frame: &Frame) -> bool {
        let between = (place - self.begin) / FRAME as u64;
        frame.settled >= self.expected
            && frame.seq <= self.expected.saturating_add(between)
            && frame.whole() as u64 <= self.size - place
    }

    /// Sums on, and says whether a frame that ends on the way holds.
    fn sum_up_to(&mut self, to: u64, offset: u64, bytes: &[u8]) -> bool {
        while let Some(Reverse((end, due))) = self.due.peek().copied().filter(|Reverse((end, _))| *end <= to) {
            self.sum(end, offset, bytes);
            if self.sum == due {
                return true;
            }
            self.due.pop();
        }
        self.sum(to, offset, bytes);
        false
    }

    fn sum(&mut self, to: u64, offset: u64, bytes: &[u8]) {
        let within = |at: u64| usize::try_from(at.saturating_sub(offset)).unwrap_or(usize::MAX);
        let more = bytes.get(within(self.at)..within(to)).unwrap_or_default();
        self.sum = checksum(self.sum, more);
        self.at = self.at.max(to);
    }
}

/// The polynomial of CRC-32C, as all here with the lowest power in the highest bit.
const POLYNOMIAL: u32 = 0x82f6_3b78;
const ONE: u32 = 1 << 31;

/// The product of two polynomials over two elements, modulo that of the checksum.
const fn product(a: u32, mut b: u32) -> u32 {
    let (mut bit, mut product) = (ONE, 0);
    while bit != 0 {
        if a & bit != 0 {
            product ^= b;
        }
        b = (b >> 1) ^ (if b & 1 == 1 { POLYNOMIAL } else { 0 });
        bit >>= 1;
    }
    product
}

/// What shifts by one byte, by two, by four and so on.
fn powers() -> [u32; 32] {
    let mut power = ONE >> 8;
    std::array::from_fn(|_| {
        let now = power;
        power = product(power, power);
        now
    })
}

/// What a sum becomes with so many zero bytes behind it, those of the sum of the zeros left out.
fn shift(powers: &[u32; 32], sum: u32, bytes: u64) -> u32 {
    let steps = powers.iter().enumerate().filter(|(bit, _)| bytes >> bit & 1 == 1);
    steps.fold(sum, |sum, (_, power)| product(*power, sum))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::format::{mark, push_record};

    const SEED: u32 = 7;

    /// Looks at each place for itself.
    fn is_there(expected: u64, bytes: &[u8]) -> bool {
        (0..bytes.len()).any(|at| {
            let frame = Frame::read(&bytes[at..]).filter(|frame| frame.settled >= expected);
            frame.is_some_and(|frame| {
                let whole = bytes.get(at..at + frame.whole());
                whole.is_some_and(|whole| frame.holds(SEED, whole))
            })
        })
    }

    fn finds(expected: u64, bytes: &[u8], piece: usize) -> bool {
        let begin = 1000;
        let size = begin + bytes.len() as u64;
        let mut search = Search::new(SEED, expected, begin, size);
        let mut at = 0;
        while at < bytes.len() {
            let here = &bytes[at..(at + piece).min(bytes.len())];
            if search.finds(begin + at as u64, here) {
                return true;
            }
            at += search.done_of(begin + at as u64, here.len());
        }
        false
    }

    #[derive(Clone, Debug)]
    enum Part {
        Record(Vec<u8>),
        Mark,
        Rubbish(Vec<u8>),
    }

    fn part() -> impl Strategy<Value = Part> {
        let bytes = || prop::collection::vec(any::<u8>(), 0..80);
        prop_oneof![
            bytes().prop_map(Part::Record),
            Just(Part::Mark),
            bytes().prop_map(Part::Rubbish)
        ]
    }

    proptest! {
        #![proptest_config(ProptestConfig { cases: 3000, failure_persistence: None, ..ProptestConfig::default() })]

        #[test]
        fn a_search_in_one_pass_finds_what_looking_everywhere_would(
            first in 1..5u64,
            lag in 0..4u64,
            parts in prop::collection::vec(part(), 0..8),
            flips in prop::collection::vec((any::<prop::sample::Index>(), 1u8..), 0..4),
            piece in 48..400usize,
        ) {
            let (mut bytes, mut seq) = (Vec::new(), first);
            for part in parts {
                match part {
                    Part::Record(record) => {
                        push_record(&mut bytes, SEED, seq, seq.saturating_sub(1 + lag), &record);
                        seq += 1;
                    }
                    Part::Mark => bytes.extend(mark(SEED, seq - 1)),
                    Part::Rubbish(rubbish) => bytes.extend(rubbish),
                }
            }
            for (at, flip) in flips.iter().filter(|_| !bytes.is_empty()).collect::<Vec<_>>() {
                let at = at.index(bytes.len());
                bytes[at] ^= flip;
            }
            prop_assert_eq!(finds(first, &bytes, piece), is_there(first, &bytes));
        }

        #[test]
        fn sums_of_parts_are_put_together(a in prop::collection::vec(any::<u8>(), 0..300), b in prop::collection::vec(any::<u8>(), 0..300)) {
            let whole = checksum(checksum(0, &a), &b);
            prop_assert_eq!(shift(&powers(), checksum(0, &a), b.len() as u64) ^ checksum(0, &b), whole);
        }
    }
}
