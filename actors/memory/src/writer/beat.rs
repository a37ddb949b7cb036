//! What the writer does by itself: it takes away what is over, and writes down how far its numbers and its time came.

use std::sync::Arc;
use std::time::Duration;

use triarch_journal::Writer;
use triarch_supervision::prelude::*;

use super::actor::{StoreWriter, terms};
use super::message::Wish;
use crate::config::Durability;
use crate::disk::{Place, Record};
use crate::error::Error;
use crate::name::KEY_LENGTH_MAX;
use crate::space::{Space, Staged};
use crate::time::{Anchor, StoreTime};

/// So many entries of a namespace go at once by their time, before writers have their turn.
const EXPIRED_AT_ONCE: usize = 512;

/// What these take on disk at most.
const EXPIRED_BYTES: usize = EXPIRED_AT_ONCE * (KEY_LENGTH_MAX + 64);

/// So often the store's time is written down beside the clocks, where anything is written at all.
const ANCHOR_EVERY: Duration = Duration::from_secs(10);

/// So long after it could not be written it is tried again; twice as long each time, and at most as long as it is between two.
const ANCHOR_AGAIN: Duration = Duration::from_millis(100);

impl StoreWriter {
    pub(super) async fn beat(&mut self, ctx: &mut Context<Self>) {
        // What closed it may have been a snapshot, of which no write was told. Nothing is on its way now.
        if let Some(Err(shut)) = self.journal.as_ref().map(Writer::renew) {
            self.mend(&shut);
        }
        self.reopen_in_time().await;
        if !self.is_expiring {
            self.expire(ctx).await;
        }
        self.flush_in_time(ctx).await;
        self.rise(false).await;
        self.anchor(false).await;
    }

    /// Takes away those whose time has come, some of each namespace; if that was not all, goes on behind those who wait.
    pub(super) async fn expire(&mut self, ctx: &mut Context<Self>) {
        self.is_expiring = false;
        let now = self.now();
        let mut due = self.settings.store.spaces();
        due.retain(|space| space.durability() == Durability::Journal && space.has_due(now));
        // What the disk does not take now is due at the next beat.
        if !due.is_empty() && self.expire_some(&due, now).await.is_ok() && due.iter().any(|space| space.has_due(now)) {
            self.is_expiring = ctx.address().try_send(Wish::ExpireMore).is_ok();
        }
    }

    async fn expire_some(&mut self, due: &[Arc<Space>], now: StoreTime) -> Result<(), Error> {
        let _told = self.commit().await;
        for space in due {
            if !self.group.has_room(EXPIRED_BYTES, self.settings.bytes_max) {
                self.commit().await?;
            }
            self.ready(space.name())?;
            let expiring = |space: &Space, staged: &mut Staged| space.stage_expiry(staged, now, EXPIRED_AT_ONCE);
            self.group.stage(space, terms(&self.settings, now), expiring)?;
        }
        self.commit().await
    }

    /// Promises that no number up to some is given again, well before the numbers come to what was promised.
    pub(super) async fn rise(&mut self, is_last: bool) {
        let store = self.settings.store.clone();
        let spaces = store.spaces().into_iter();
        let own = spaces.filter(|space| space.durability() != Durability::Journal);
        let highest = own
            .map(|space| space.published())
            .fold(store.numbers().floor(), u64::max);
        let numbers = store.numbers();
        let Some(version) = numbers.next_promise(highest, is_last) else {
            return;
        };
        if self.journal.is_none() {
            return;
        }
        // A lower promise holds from now on, a higher one once it is on disk.
        numbers.promise(numbers.promised().min(version));
        if self.write_down(&Record::Risen { version }).await {
            numbers.promise(version);
        }
    }

    /// Writes the store's time down beside the clocks: now and then, and at once where a clock was set.
    pub(super) async fn anchor(&mut self, is_last: bool) {
        let clock = self.settings.store.clock();
        let reading = (self.settings.reading)();
        clock.tell_wall(reading.wall);
        let (time, (before, offset)) = (clock.now(), self.anchored);
        let now_offset = i128::from(reading.wall) - i128::from(time.as_millis());
        let is_due = self.has_written && time.since(before) >= ANCHOR_EVERY;
        let has_jumped = (now_offset - offset).abs() > 500;
        let is_time = (is_due || has_jumped) && self.may_try_the_anchor();
        if !(is_last || is_time) {
            return;
        }
        // Where it is not written the one before it counts.
        if self.write_down(&Record::Anchor(Anchor { time, reading })).await {
            self.anchored = (time, now_offset);
            self.has_written = false;
            self.anchor_tried = None;
        } else {
            let waited = self.anchor_tried.map(|(_, wait)| (wait * 2).min(ANCHOR_EVERY));
            self.anchor_tried = Some((Moment::now(), waited.unwrap_or(ANCHOR_AGAIN)));
        }
    }

    fn may_try_the_anchor(&self) -> bool {
        self.anchor_tried
            .is_none_or(|(tried, wait)| Moment::now().since(tried) >= wait)
    }

    /// Takes a record to disk that nobody waits for; tells whether it is there.
    async fn write_down(&mut self, record: &Record<'_>) -> bool {
        let encoded = record.encode(&self.settings.seal, Place::Journal);
        let (Some(journal), Ok(bytes)) = (&self.journal, encoded) else {
            return false;
        };
        let written = journal.write(bytes).await;
        if let Err(fault) = &written {
            self.mend(fault);
        }
        written.is_ok()
    }
}
