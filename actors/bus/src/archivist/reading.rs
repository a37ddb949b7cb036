//! The handle of a bus: durable topics.

use std::sync::Arc;

use serde::Serialize;

use triarch_supervision::sync::{lock, unpoisoned};

use super::feed::Start;
use super::message::Order;
use crate::bus::Bus;
use crate::codec;
use crate::envelope::{Destination, Draft, Envelope, EnvelopeId};
use crate::error::{ArchiveError, ForgetError, PublishError};
use crate::topic::{Pattern, Topic};

/// What was published durably.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Stored {
    /// Its id.
    pub id: EnvelopeId,
    /// Its place in the log of its topic.
    pub offset: u64,
    /// How many subscriptions got it at once; those that read the log are not counted.
    pub matched: usize,
}

/// An envelope as a log has it.
#[derive(Clone, Debug, PartialEq)]
#[non_exhaustive]
pub struct StoredEnvelope {
    /// Its place in the log.
    pub offset: u64,
    /// The envelope.
    pub envelope: Envelope,
}

/// A log as it is shown.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[non_exhaustive]
pub struct LogView {
    /// The pattern whose topics it has.
    pub topics: Pattern,
    /// The offset of the oldest that is kept.
    pub first: u64,
    /// The offset that the next gets.
    pub next: u64,
    /// Bytes on disk, without what makes room.
    pub bytes: u64,
    /// Whether the configuration has it. Nothing more comes to one that it has not, and nobody can subscribe to it.
    pub is_named: bool,
}

/// How far a named subscription has come.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[non_exhaustive]
pub struct CursorView {
    /// Whose it is.
    pub subscriber: Arc<str>,
    /// The name it gave.
    pub name: Arc<str>,
    /// The log it is in.
    pub log: Pattern,
    /// All below this offset is settled.
    pub floor: u64,
    /// How many offsets lie from there to the end.
    pub lag: u64,
    /// Whether somebody has subscribed under it now.
    pub is_attended: bool,
}

impl Bus {
    /// Publishes on a durable topic. It is on disk when this returns, and only then is it delivered to anybody.
    pub async fn publish_durably(
        &self,
        from: impl Into<Arc<str>>,
        topic: &Topic,
        draft: Draft,
    ) -> Result<Stored, PublishError> {
        let from = from.into();
        self.check(&from, topic)?;
        self.0.check_draft(&from, &draft)?;
        let log = self.0.archive.log_of(topic).cloned();
        let log = log.ok_or_else(|| PublishError::NotDurable { topic: topic.clone() })?;
        let archivist = self.0.archive.writer().await?;
        let envelope = Box::new(self.0.seal(draft, &from, Destination::Topic(topic.clone())));
        let answer = archivist.ask(|reply| Order::Store(log, envelope, Some(reply))).await;
        answer.map_err(ArchiveError::Archivist)?
    }

    /// Up to `most` stored envelopes of a pattern that `who` may have, oldest first, from `start` on.
    pub fn stored(
        &self,
        who: &str,
        pattern: &Pattern,
        start: Start,
        most: usize,
    ) -> Result<Vec<StoredEnvelope>, PublishError> {
        let log = self.0.archive.log_over(pattern);
        let log = log.and_then(|log| self.0.archive.log(log));
        let log = log.ok_or_else(|| ArchiveError::NotOneLog {
            pattern: pattern.clone(),
        })?;
        let log = unpoisoned(log.read());
        let (first, time) = match start {
            Start::Next => (log.next(), None),
            Start::First => (log.first(), None),
            Start::Offset(offset) => (offset, None),
            Start::Time(time) => (log.first(), Some(time)),
        };
        let mut is_later = time.is_none();
        let found: Vec<_> = log
            .from(first)
            .filter(|(_, entry)| {
                is_later |= time.is_none_or(|time| entry.published >= time);
                is_later && pattern.matches(&entry.topic) && self.0.access.limit(who, &entry.topic).is_none()
            })
            .take(most)
            .map(|(offset, entry)| (offset, entry.clone()))
            .collect();
        drop(log);
        let read = |(offset, entry): (u64, super::log::Entry)| {
            let envelope = codec::decode(entry.envelope(), usize::MAX)?;
            Ok(StoredEnvelope { offset, envelope })
        };
        found.into_iter().map(read).collect()
    }

    /// All logs that the configuration has, the one of a topic before others that stand for it; and then those that it has no
    /// more, as long as something is in them.
    pub fn logs(&self) -> Vec<LogView> {
        let archive = &self.0.archive;
        let view = |(topics, log): (Pattern, super::archive::SharedLog)| {
            let (log, is_named) = (unpoisoned(log.read()), archive.is_named(&topics));
            (is_named || !log.is_empty()).then(|| LogView {
                topics,
                first: log.first(),
                next: log.next(),
                bytes: log.bytes(),
                is_named,
            })
        };
        archive.logs().into_iter().filter_map(view).collect()
    }

    /// Forgets all that is in a log which the configuration has no more; false where there is nothing of it.
    pub async fn forget_log(&self, log: &Pattern) -> Result<bool, ForgetError> {
        let archivist = self.0.archive.writer().await?;
        let answer = archivist.ask(|reply| Order::Empty(log.clone(), reply)).await;
        answer.map_err(ArchiveError::Archivist)?
    }

    /// How far all named subscriptions have come, those without a subscriber now among them.
    pub fn cursors(&self) -> Vec<CursorView> {
        let archive = &self.0.archive;
        let attended = archive.attended();
        let view = |(key, bookmark): (super::CursorKey, super::archive::Bookmark)| {
            let is_attended = attended.contains(&key);
            let (subscriber, name) = key;
            let floor = lock(&bookmark.cursor).floor();
            let next = archive
                .log(&bookmark.log)
                .map_or(0, |log| unpoisoned(log.read()).next());
            CursorView {
                subscriber,
                name,
                log: bookmark.log,
                floor,
                lag: next.saturating_sub(floor),
                is_attended,
            }
        };
        archive.bookmarks().into_iter().map(view).collect()
    }

    /// Forgets how far a named subscription has come, which nobody attends to; false where there was none.
    pub async fn forget(
        &self,
        subscriber: impl Into<Arc<str>>,
        name: impl Into<Arc<str>>,
    ) -> Result<bool, ForgetError> {
        let archivist = self.0.archive.writer().await?;
        let key = (subscriber.into(), name.into());
        let answer = archivist.ask(|reply| Order::Forget(key, reply)).await;
        answer.map_err(ArchiveError::Archivist)?
    }
}
