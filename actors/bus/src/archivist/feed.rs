//! What brings a subscription from its log what its inbox has room for.

use std::sync::Arc;

use triarch_supervision::clock::Moment;
use triarch_supervision::sync::{Mutex, MutexGuard, lock, unpoisoned};

use super::cursor::{Cursor, CursorKey};
use super::log::Log;
use crate::codec;
use crate::envelope::{Envelope, Timestamp};
use crate::hub::Hub;
use crate::inbox::Inbox;
use crate::item::{Effect, Item, Place, Sent};
use crate::metrics::UNCOUNTED;
use crate::subscription::Profile;
use crate::topic::Pattern;

/// So many are taken from the log at once.
const BATCH: usize = 32;
/// So many are looked at for that, before others have their turn.
const LOOK_MAX: usize = 4096;
/// So many that are not for a name are passed before that is written down.
const PASSED_MAX: u64 = 1024;

/// Where in a log somebody begins who has no place there yet.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Start {
    /// With what is published next.
    #[default]
    Next,
    /// With the oldest that is kept.
    First,
    /// With this offset, or the oldest above it that is kept.
    Offset(u64),
    /// With the first that was published at this time, or later.
    Time(Timestamp),
}

#[derive(Debug)]
pub(crate) struct Feed {
    pub(crate) log: Pattern,
    pub(crate) pattern: Pattern,
    start: Start,
    /// Whose place is kept.
    key: Option<CursorKey>,
    /// Known once the log is.
    place: Option<Stand>,
}

#[derive(Debug)]
struct Stand {
    next: u64,
    cursor: Option<Arc<Mutex<Cursor>>>,
    /// Up to where what was passed is written down.
    noted: u64,
}

/// What a look at a log found.
#[derive(Default)]
struct Look {
    found: Vec<(u64, Envelope, u64)>,
    missed: u64,
    has_more: bool,
}

impl Feed {
    pub(crate) const fn new(log: Pattern, pattern: Pattern, start: Start, key: Option<CursorKey>) -> Self {
        Self {
            log,
            pattern,
            start,
            key,
            place: None,
        }
    }

    /// Fills the inbox where nothing waits there. Tells whether more is to be looked at though nothing was found.
    pub(crate) fn pull(
        &mut self,
        hub: &Hub,
        profile: &Profile,
        inbox: &mut Inbox,
        now: Moment,
        effects: &mut Vec<Effect>,
    ) -> bool {
        if inbox.is_queued() || inbox.is_full() {
            return false;
        }
        let Some(look) = self.look(hub, (inbox.room().min(BATCH), inbox.room_in_bytes())) else {
            return false;
        };
        inbox.missed(look.missed, profile.counted_in.first(), effects);
        for (offset, envelope, age_ms) in look.found {
            if !hub.may_have(profile, &envelope) {
                self.pass(offset, offset + 1);
                continue;
            }
            let label = envelope.topic().map_or(UNCOUNTED, |topic| hub.metrics.label(topic));
            let left = |ttl: u64| std::time::Duration::from_millis(ttl.saturating_sub(age_ms));
            let until = envelope.ttl_ms.map(|ttl| now + left(ttl));
            let item = Item {
                envelope: Sent::new(envelope, until, now, label),
                place: Some(Place::Log(offset)),
            };
            inbox.offer(item, now, effects);
        }
        self.note(hub);
        look.has_more && !inbox.is_queued()
    }

    /// Looks for up to `most`, and no more behind so many bytes, from where the last look ended.
    fn look(&mut self, hub: &Hub, (most, bytes): (usize, usize)) -> Option<Look> {
        if !hub.archive.is_ready() {
            return None;
        }
        let log = hub.archive.log(&self.log)?;
        let log = unpoisoned(log.read());
        if self.place.is_none() {
            self.place = Some(self.first_place(hub, &log));
        }
        let place = self.place.as_mut()?;
        let mut cursor = place.cursor.as_ref().map(lock);
        let mut look = Look::default();
        if place.next < log.first() {
            look.missed = log.first() - place.next;
            place.next = log.first();
            if let Some(cursor) = &mut cursor {
                cursor.settle(0, log.first());
            }
        }
        let (mut found, mut found_bytes) = (Vec::new(), 0);
        for (offset, entry) in log.from(place.next).take(LOOK_MAX) {
            place.next = offset + 1;
            let is_settled = |cursor: &mut MutexGuard<'_, Cursor>| cursor.is_settled(offset);
            if !self.pattern.matches(&entry.topic) {
                if let Some(cursor) = &mut cursor {
                    cursor.settle(offset, offset + 1);
                }
            } else if !cursor.as_mut().is_some_and(is_settled) {
                found.push((offset, entry.clone()));
                found_bytes += entry.envelope().len();
                if found.len() >= most || found_bytes >= bytes {
                    break;
                }
            }
        }
        look.has_more = place.next < log.next();
        drop((cursor, log));
        let now = hub.archive.now();
        for (offset, entry) in found {
            match codec::decode(entry.envelope(), usize::MAX) {
                Ok(envelope) => look.found.push((offset, envelope, now.0.saturating_sub(entry.time.0))),
                // It was read when it was stored; nobody could do more with it now.
                Err(_) => self.pass(offset, offset + 1),
            }
        }
        Some(look)
    }

    fn first_place(&self, hub: &Hub, log: &Log) -> Stand {
        let next = match self.start {
            Start::Next => log.next(),
            Start::First => log.first(),
            Start::Offset(offset) => offset.clamp(log.first(), log.next()),
            Start::Time(time) => log
                .from(0)
                .find(|(_, entry)| entry.published >= time)
                .map_or_else(|| log.next(), |(offset, _)| offset),
        };
        let cursor = self.key.as_ref().map(|key| hub.archive.bookmark(key, &self.log, next));
        let next = cursor.as_ref().map_or(next, |cursor| lock(cursor).floor());
        Stand {
            next,
            cursor,
            noted: next,
        }
    }

    /// These are not for it.
    fn pass(&self, from: u64, to: u64) {
        if let Some(cursor) = self.place.as_ref().and_then(|place| place.cursor.as_ref()) {
            lock(cursor).settle(from, to);
        }
    }

    fn note(&mut self, hub: &Hub) {
        if let (Some(place), Some(key)) = (&mut self.place, &self.key)
            && place.next >= place.noted + PASSED_MAX
        {
            place.noted = place.next;
            hub.archive.has_moved(key);
        }
    }

    /// What became of envelopes for good moves the cursor on. What is dead is a letter before that: on disk a cursor is never
    /// beyond a letter that is not there.
    pub(crate) fn settle(&self, hub: &Hub, profile: &Profile, effects: &[Effect]) {
        let mut has_moved = false;
        for effect in effects {
            let Some(Place::Log(offset)) = effect.place() else {
                continue;
            };
            hub.bury(profile, effect, None);
            self.pass(offset, offset + 1);
            has_moved = true;
        }
        let Some(key) = &self.key else { return };
        if has_moved {
            hub.archive.has_moved(key);
        }
    }

    /// How many in the log are still to come or to be settled.
    pub(crate) fn behind(&self, hub: &Hub) -> Option<u64> {
        let place = self.place.as_ref()?;
        let log = hub.archive.log(&self.log)?;
        let next = unpoisoned(log.read()).next();
        let floor = place.cursor.as_ref().map_or(place.next, |cursor| lock(cursor).floor());
        Some(next.saturating_sub(floor))
    }
}
