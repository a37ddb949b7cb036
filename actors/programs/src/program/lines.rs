//! Lines out of chunks of bytes, none of them longer than a bound.
//!
//! ```text
//!   "one\r\ntwo\nthr" ─▶ one, two        what has no end yet waits for more, up to the bound
//!   "ee\n"            ─▶ three
//! ```
//!
//! It knows nothing of what lines say: bytes in, bytes out.

/// How much of a line that is too long is kept, to show which one it was.
const HEAD: usize = 80;

/// A line, without its end.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Line<'a> {
    /// All of it.
    Whole(&'a [u8]),
    /// It was longer than the bound and was skipped.
    TooLong {
        /// How many bytes it had.
        bytes: u64,
        /// How it began.
        head: &'a [u8],
    },
}

/// What is known of a line that has no end yet.
#[derive(Debug)]
pub(super) struct Lines {
    max: usize,
    partial: Vec<u8>,
    /// How long the present line is, where it is too long; its head is what is kept then.
    skipping: Option<u64>,
}

impl Lines {
    /// Lines of at most `max` bytes.
    pub(super) fn new(max: usize) -> Self {
        Self {
            max,
            partial: Vec::new(),
            skipping: None,
        }
    }

    /// Hands each line that ends in `chunk` to `each`, and keeps the rest.
    pub(super) fn feed(&mut self, chunk: &[u8], mut each: impl FnMut(Line<'_>)) {
        let mut rest = chunk;
        while let Some(end) = memchr::memchr(b'\n', rest) {
            let (line, after) = (&rest[..end], &rest[end + 1..]);
            rest = after;
            if self.partial.is_empty() && self.skipping.is_none() && line.len() <= self.max {
                each(Line::Whole(without_return(line)));
            } else {
                self.keep(line);
                self.end(&mut each);
            }
        }
        self.keep(rest);
    }

    /// Hands over what has no end and will not get one.
    pub(super) fn end(&mut self, mut each: impl FnMut(Line<'_>)) {
        match self.skipping.take() {
            Some(bytes) => each(Line::TooLong {
                bytes,
                head: &self.partial,
            }),
            None if self.partial.is_empty() => {}
            None => each(Line::Whole(without_return(&self.partial))),
        }
        self.partial.clear();
        // One long line must not hold its room for ever.
        self.partial.shrink_to(4 * HEAD);
    }

    fn keep(&mut self, bytes: &[u8]) {
        let known = self.skipping.unwrap_or(self.partial.len() as u64);
        let length = known + bytes.len() as u64;
        if self.skipping.is_none() && length <= self.max as u64 {
            self.partial.extend_from_slice(bytes);
            return;
        }
        self.skipping = Some(length);
        let missing = HEAD.saturating_sub(self.partial.len()).min(bytes.len());
        self.partial.extend_from_slice(&bytes[..missing]);
        self.partial.truncate(HEAD);
    }
}

fn without_return(line: &[u8]) -> &[u8] {
    line.strip_suffix(b"\r").unwrap_or(line)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[derive(Clone, Debug, PartialEq)]
    enum Seen {
        Whole(Vec<u8>),
        TooLong(u64, Vec<u8>),
    }

    fn seen(max: usize, chunks: &[&[u8]]) -> Vec<Seen> {
        let (mut lines, mut seen) = (Lines::new(max), Vec::new());
        let mut see = |line: Line<'_>| {
            seen.push(match line {
                Line::Whole(line) => Seen::Whole(line.to_vec()),
                Line::TooLong { bytes, head } => Seen::TooLong(bytes, head.to_vec()),
            });
        };
        for chunk in chunks {
            lines.feed(chunk, &mut see);
        }
        lines.end(&mut see);
        seen
    }

    /// The same in the plainest words.
    fn expected(max: usize, text: &[u8]) -> Vec<Seen> {
        let mut lines: Vec<_> = text.split(|byte| *byte == b'\n').collect();
        if lines.last().is_some_and(|last| last.is_empty()) {
            lines.pop();
        }
        let line = |line: &[u8]| {
            if line.len() > max {
                Seen::TooLong(line.len() as u64, line[..line.len().min(HEAD)].to_vec())
            } else {
                Seen::Whole(without_return(line).to_vec())
            }
        };
        lines.into_iter().map(line).collect()
    }

    #[test]
    fn lines_come_out_as_they_end_and_the_rest_at_the_end() {
        let whole = |text: &str| Seen::Whole(text.as_bytes().to_vec());
        assert_eq!(
            seen(10, &[b"one\r\ntw", b"o\n\nthree"]),
            [whole("one"), whole("two"), whole(""), whole("three")]
        );
        assert_eq!(seen(10, &[]), []);
        assert_eq!(seen(10, &[b"a\n"]), [whole("a")]);
    }

    #[test]
    fn a_line_that_is_too_long_is_skipped_with_its_length_and_the_next_one_is_whole() {
        let long = vec![b'x'; 1_000];
        let found = seen(100, &[&long, &long, b"\nnext\n"]);
        assert_eq!(
            found,
            [Seen::TooLong(2_000, vec![b'x'; HEAD]), Seen::Whole(b"next".to_vec())]
        );
    }

    #[test]
    fn what_is_kept_of_an_endless_line_stays_small() {
        let mut lines = Lines::new(1_000);
        for _ in 0..10_000 {
            lines.feed(&[b'x'; 100], |_| panic!("it has no end"));
        }
        assert!(lines.partial.capacity() < 4_000, "{}", lines.partial.capacity());
    }

    proptest! {
        #[test]
        fn any_bytes_in_any_chunks_give_the_lines_of_the_whole(
            max in 0_usize..200,
            chunks in prop::collection::vec(prop::collection::vec(prop_oneof![Just(b'\n'), Just(b'\r'), Just(b'a'), any::<u8>()], 0..300), 0..8),
        ) {
            let whole = chunks.concat();
            let slices: Vec<_> = chunks.iter().map(Vec::as_slice).collect();
            prop_assert_eq!(seen(max, &slices), expected(max, &whole));
        }
    }
}
