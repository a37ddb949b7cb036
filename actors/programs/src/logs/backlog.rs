//! How much of one agent's log waits to be written: as much as it may, so that a program that says too much fills its log's
//! allowance and not the memory.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use super::line::LogLine;

/// From so many bytes on no more lines are taken until some are written. One batch may go beyond.
const BYTES_MAX: usize = 4 << 20;

/// What a line takes beside its text.
const LINE_BYTES: usize = size_of::<LogLine>() + 32;

/// What waits of one agent, through all of its lives. Cheap to clone.
#[derive(Clone, Debug, Default)]
pub(crate) struct Backlog(Arc<AtomicUsize>);

/// A part of it; dropped, it waits no more.
#[derive(Debug)]
pub(crate) struct Waiting {
    backlog: Backlog,
    bytes: usize,
}

impl Backlog {
    /// Takes `lines` in, unless there is too much already.
    pub(super) fn admit(&self, lines: &[LogLine]) -> Option<Waiting> {
        // Each agent has one writer, so nobody comes between the look and the addition.
        if self.0.load(Ordering::Relaxed) >= BYTES_MAX {
            return None;
        }
        let texts = lines
            .iter()
            .map(|line| line.text.len() + line.level.as_ref().map_or(0, String::len));
        let bytes = texts.map(|bytes| bytes + LINE_BYTES).sum();
        self.0.fetch_add(bytes, Ordering::Relaxed);
        Some(Waiting {
            backlog: self.clone(),
            bytes,
        })
    }
}

impl Drop for Waiting {
    fn drop(&mut self) {
        self.backlog.0.fetch_sub(self.bytes, Ordering::Relaxed);
    }
}

#[cfg(test)]
mod tests {
    use std::time::SystemTime;

    use super::super::line::Source;
    use super::*;

    fn lines(bytes: usize) -> Vec<LogLine> {
        let text = || "x".repeat(1000);
        let line = || LogLine::new(SystemTime::UNIX_EPOCH, 1, Source::Out, text());
        (0..bytes / 1000).map(|_| line()).collect()
    }

    #[test]
    fn what_is_written_makes_room_and_one_batch_may_go_beyond() {
        let backlog = Backlog::default();
        let much = backlog.admit(&lines(2 * BYTES_MAX)).unwrap();
        assert!(backlog.admit(&lines(1000)).is_none());
        drop(much);
        let _little = backlog.admit(&lines(1000)).unwrap();
        assert!(backlog.admit(&lines(1000)).is_some());
    }

    #[test]
    fn a_line_counts_more_than_its_text() {
        let backlog = Backlog::default();
        let empty = vec![LogLine::new(SystemTime::UNIX_EPOCH, 1, Source::Out, String::new()); BYTES_MAX / 64];
        let _waiting = backlog.admit(&empty).unwrap();
        assert!(backlog.admit(&lines(1000)).is_none());
    }
}
