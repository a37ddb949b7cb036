//! What a journal comes to, record by record. A machine.

use std::collections::{BTreeMap, HashSet};

use foldhash::fast::RandomState;
use triarch_journal::{OpenError, Recovered};

use super::cursor::{Cursor, CursorKey};
use super::later;
use super::log::{Entry, Log, LogTime, Retention};
use super::record::{Record, RecordError, records_of};
use crate::agenda::Plan;
use crate::codec::{self, CodecError};
use crate::dead::{Count, DeadLetter};
use crate::envelope::Timestamp;
use crate::topic::{Pattern, Topic, TopicError};

/// What is kept of a log that the configuration does not name any more: all that the journal has of it. It grows no more, and may
/// be named again with the bounds it had; only who forgets it lets it go.
pub(super) const UNLISTED: Retention = Retention {
    messages: u64::MAX,
    bytes: u64::MAX,
    age: None,
};

/// What a journal came to.
#[derive(Debug, Default)]
pub(crate) struct Replay {
    pub(super) logs: Vec<(Pattern, Log)>,
    pub(super) bookmarks: BTreeMap<CursorKey, (Pattern, Cursor)>,
    pub(super) plans: BTreeMap<u64, Plan>,
    pub(super) last_plan: u64,
    pub(super) letters: BTreeMap<u64, DeadLetter>,
    pub(super) count: Count,
    /// Topics that were met, each checked and kept in memory once for all that was published on it.
    topics: HashSet<Topic, RandomState>,
    /// Bytes of records behind the snapshot.
    unkept: u64,
}

/// So many topics are remembered while a journal is read.
const TOPICS_MAX: usize = 4096;

/// Why a journal is not understood.
#[derive(Debug, thiserror::Error)]
pub(crate) enum ReplayFault {
    #[error(transparent)]
    Record(#[from] RecordError),
    #[error(transparent)]
    Envelope(#[from] CodecError),
    #[error(transparent)]
    Topic(#[from] TopicError),
    #[error(transparent)]
    Disk(#[from] OpenError),
}

impl Replay {
    /// Reads all of a journal; blocks.
    pub(crate) fn of(recovered: Recovered, rules: &[(Pattern, Retention)]) -> Result<Self, ReplayFault> {
        let mut replay = Self::default();
        if let Some(snapshot) = recovered.snapshot {
            for record in records_of(&snapshot.bytes) {
                replay.take(record, rules)?;
            }
        }
        for record in recovered.records {
            let bytes = record?.bytes;
            replay.unkept += bytes.len() as u64;
            replay.take(&bytes, rules)?;
        }
        Ok(replay)
    }

    pub(crate) const fn unkept(&self) -> u64 {
        self.unkept
    }

    pub(super) fn take(&mut self, bytes: &[u8], rules: &[(Pattern, Retention)]) -> Result<(), ReplayFault> {
        match Record::decode(bytes)? {
            Record::Stored {
                log,
                offset,
                time,
                envelope,
            } => {
                let entry = self.entry(bytes, time, envelope)?;
                self.log(log, rules)?.push(offset, entry);
            }
            Record::Came {
                number,
                log,
                offset,
                time,
                envelope,
            } => {
                self.plans.remove(&number);
                // As others in the log are written, for the next snapshot.
                let stored = stored(log, offset, time, envelope).encode().map_err(CodecError::from)?;
                let entry = self.entry(&stored, time, envelope)?;
                self.log(log, rules)?.push(offset, entry);
            }
            Record::Begins { log, next } => self.log(log, rules)?.begin_at(next),
            Record::Moved {
                subscriber,
                name,
                log,
                floor,
                above,
            } => {
                let at = (Pattern::new(log)?, Cursor::of(floor, above));
                self.bookmarks.insert((subscriber.into(), name.into()), at);
            }
            Record::Forgotten { subscriber, name } => {
                self.bookmarks.remove(&(subscriber.into(), name.into()));
            }
            later => self.take_later(later)?,
        }
        Ok(())
    }

    fn take_later(&mut self, record: Record<'_>) -> Result<(), ReplayFault> {
        match record {
            Record::Planned {
                number,
                first,
                again,
                envelope,
            } => {
                self.last_plan = self.last_plan.max(number);
                self.plans.insert(number, later::plan(first, again, envelope)?);
            }
            Record::CalledOff { number } => {
                self.plans.remove(&number);
            }
            Record::Numbered { last } => self.last_plan = self.last_plan.max(last),
            Record::Dead(written) => {
                self.count.last = self.count.last.max(written.number);
                self.letters.insert(written.number, later::letter(&written)?);
            }
            Record::Gone { numbers } => {
                for number in numbers {
                    self.letters.remove(&number);
                }
            }
            Record::Counted { last, forgotten } => {
                self.count.last = self.count.last.max(last);
                self.count.forgotten = forgotten;
            }
            // These are of logs and cursors.
            Record::Stored { .. }
            | Record::Came { .. }
            | Record::Begins { .. }
            | Record::Moved { .. }
            | Record::Forgotten { .. } => {}
        }
        Ok(())
    }

    pub(super) fn log(&mut self, pattern: &str, rules: &[(Pattern, Retention)]) -> Result<&mut Log, TopicError> {
        // There are few, and all records name one of them.
        let known = self.logs.iter().position(|(known, _)| known.as_str() == pattern);
        let at = if let Some(at) = known {
            at
        } else {
            let pattern = Pattern::new(pattern)?;
            let rule = rules.iter().find(|(rule, _)| *rule == pattern);
            let retention = rule.map_or(UNLISTED, |(_, retention)| *retention);
            self.logs.push((pattern, Log::new(retention)));
            self.logs.len() - 1
        };
        Ok(&mut self.logs[at].1)
    }

    fn entry(&mut self, record: &[u8], time: u64, envelope: &[u8]) -> Result<Entry, CodecError> {
        let (topic, published) = codec::glance(envelope)?;
        let topic = match self.topics.get(topic) {
            Some(known) => known.clone(),
            None => self.remember(Topic::new(topic)?),
        };
        Ok(entry(record, time, envelope, (topic, published)))
    }

    fn remember(&mut self, topic: Topic) -> Topic {
        if self.topics.len() >= TOPICS_MAX {
            self.topics.clear();
        }
        self.topics.insert(topic.clone());
        topic
    }
}

/// An envelope of a log as it is written down.
pub(super) const fn stored<'a>(log: &'a str, offset: u64, time: u64, envelope: &'a [u8]) -> Record<'a> {
    Record::Stored {
        log,
        offset,
        time,
        envelope,
    }
}

/// What a log keeps of a record that ends with `envelope`.
pub(super) fn entry(record: &[u8], time: u64, envelope: &[u8], (topic, published): (Topic, Timestamp)) -> Entry {
    Entry {
        time: LogTime(time),
        topic,
        published,
        envelope_at: record.len() - envelope.len(),
        record: record.into(),
    }
}

#[cfg(test)]
#[path = "replay_test.rs"]
mod tests;
