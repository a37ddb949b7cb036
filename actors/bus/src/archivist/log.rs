//! One log: what was published on the topics of one pattern, in the order it went to disk, within its bounds. A machine.

use std::collections::VecDeque;
use std::sync::Arc;
use std::time::Duration;

use crate::envelope::Timestamp;
use crate::topic::Topic;

/// How much a log keeps: what is beyond any of these goes, oldest first.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Retention {
    pub(crate) messages: u64,
    pub(crate) bytes: u64,
    /// None: for as long as there is room.
    pub(crate) age: Option<Duration>,
}

/// Milliseconds that runtimes with this log have run: no jump of the wall clock moves it. Each runtime begins with the time of the
/// newest entry on disk: what the one before ran after that does not count.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct LogTime(pub(crate) u64);

/// What was stored, as it is on disk.
#[derive(Clone, Debug)]
pub(crate) struct Entry {
    pub(crate) time: LogTime,
    pub(crate) topic: Topic,
    /// When it was published, by the clock of the world.
    pub(crate) published: Timestamp,
    pub(crate) record: Arc<[u8]>,
    /// Where in the record the envelope begins.
    pub(crate) envelope_at: usize,
}

impl Entry {
    pub(crate) fn envelope(&self) -> &[u8] {
        self.record.get(self.envelope_at..).unwrap_or_default()
    }

    fn weight(&self) -> u64 {
        self.record.len() as u64
    }
}

#[derive(Debug)]
pub(crate) struct Log {
    retention: Retention,
    entries: VecDeque<Entry>,
    first: u64,
    bytes: u64,
}

impl Log {
    pub(crate) const fn new(retention: Retention) -> Self {
        Self {
            retention,
            entries: VecDeque::new(),
            first: 0,
            bytes: 0,
        }
    }

    /// The offset of the oldest that is kept.
    pub(crate) const fn first(&self) -> u64 {
        self.first
    }

    /// The offset that the next gets.
    pub(crate) fn next(&self) -> u64 {
        self.first + self.entries.len() as u64
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.entries.is_empty()
    }

    pub(crate) const fn bytes(&self) -> u64 {
        self.bytes
    }

    /// The time of the newest.
    pub(crate) fn last_time(&self) -> LogTime {
        self.entries.back().map_or(LogTime::default(), |entry| entry.time)
    }

    /// The offset that comes next is this one at least: those below were given before.
    pub(crate) fn begin_at(&mut self, next: u64) {
        if self.next() < next {
            self.entries.clear();
            self.bytes = 0;
            self.first = next;
        }
    }

    /// Adds one under an offset; false where that was given before.
    pub(crate) fn push(&mut self, offset: u64, entry: Entry) -> bool {
        if offset < self.next() {
            return false;
        }
        self.begin_at(offset);
        let now = entry.time;
        self.bytes += entry.weight();
        self.entries.push_back(entry);
        self.trim(now);
        true
    }

    /// Lets go what is beyond the bounds. The newest stays, however large it is.
    pub(crate) fn trim(&mut self, now: LogTime) {
        while let Some(oldest) = self.entries.front() {
            let is_surplus = self.entries.len() as u64 > self.retention.messages
                || (self.bytes > self.retention.bytes && self.entries.len() > 1);
            let age = Duration::from_millis(now.0.saturating_sub(oldest.time.0));
            if !is_surplus && self.retention.age.is_none_or(|most| age <= most) {
                return;
            }
            self.bytes -= oldest.weight();
            self.entries.pop_front();
            self.first += 1;
        }
    }

    /// Those from `offset` on, with their offsets.
    pub(crate) fn from(&self, offset: u64) -> impl Iterator<Item = (u64, &Entry)> {
        let skipped = usize::try_from(offset.saturating_sub(self.first)).unwrap_or(usize::MAX);
        (self.first.max(offset)..).zip(self.entries.range(skipped.min(self.entries.len())..))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const KEPT: Retention = Retention {
        messages: 3,
        bytes: 100,
        age: Some(Duration::from_secs(1)),
    };

    fn entry(time: u64, size: usize) -> Entry {
        Entry {
            time: LogTime(time),
            topic: Topic::new("t").unwrap(),
            published: Timestamp(0),
            record: vec![0; size].into(),
            envelope_at: 0,
        }
    }

    fn filled(entries: &[(u64, usize)]) -> Log {
        let mut log = Log::new(KEPT);
        for (time, size) in entries {
            assert!(log.push(log.next(), entry(*time, *size)));
        }
        log
    }

    fn offsets(log: &Log, from: u64) -> Vec<u64> {
        log.from(from).map(|(offset, _)| offset).collect()
    }

    #[test]
    fn a_log_keeps_no_more_than_its_messages_its_bytes_and_its_age() {
        assert_eq!(offsets(&filled(&[(0, 1); 5]), 0), [2, 3, 4]);
        assert_eq!(offsets(&filled(&[(0, 40), (0, 40), (0, 20)]), 0), [0, 1, 2]);
        assert_eq!(offsets(&filled(&[(0, 40), (0, 40), (0, 21)]), 0), [1, 2]);
        assert_eq!(offsets(&filled(&[(0, 1), (1000, 1)]), 0), [0, 1]);
        assert_eq!(offsets(&filled(&[(0, 1), (1001, 1)]), 0), [1]);
        let mut log = filled(&[(0, 500)]);
        assert_eq!(
            (log.first(), log.next(), log.bytes()),
            (0, 1, 500),
            "one that is too large alone"
        );
        log.trim(LogTime(1001));
        assert_eq!((log.first(), log.next(), log.bytes()), (1, 1, 0));
    }

    #[test]
    fn offsets_are_given_once_and_only_rise() {
        let mut log = filled(&[(0, 1), (0, 1)]);
        assert!(!log.push(1, entry(0, 1)));
        assert_eq!((offsets(&log, 1), offsets(&log, 2)), (vec![1], vec![]));
        log.begin_at(1);
        assert_eq!(log.next(), 2);
        log.begin_at(9);
        assert_eq!((log.first(), log.next(), log.bytes()), (9, 9, 0));
        assert!(log.push(9, entry(5, 1)));
        assert_eq!(
            (offsets(&log, 0), offsets(&log, 50), log.last_time()),
            (vec![9], vec![], LogTime(5))
        );
    }
}
