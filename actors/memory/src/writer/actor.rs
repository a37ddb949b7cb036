//! Decides writes one after the other, takes them to disk in groups, and makes them seen.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use serde_json::{Value, json};
use triarch_journal::{JournalAddress, WriteError, Writer};
use triarch_supervision::prelude::*;

use super::group::{Group, weight};
use super::message::Wish;
use crate::clocks;
use crate::config::{Durability, Rules};
use crate::disk::{Place, Record, RulesText, Seal};
use crate::error::Error;
use crate::metrics::Metrics;
use crate::name::{Key, Namespace};
use crate::op::{Done, Write};
use crate::space::Space;
use crate::store::Store;
use crate::time::{Anchor, StoreTime};

/// So often the writer looks whose time has come.
const EXPIRE_EVERY: Duration = Duration::from_millis(100);

/// So many entries go at once by their time.
const EXPIRED_AT_ONCE: usize = 512;

/// So often the store's time is written down beside the clocks, where anything is written at all.
const ANCHOR_EVERY: Duration = Duration::from_secs(10);

/// What each incarnation starts from.
#[derive(Clone, Debug)]
pub(crate) struct Settings {
    pub(crate) store: Store,
    /// Where there is none, all namespaces are in memory alone.
    pub(crate) journal: Option<JournalAddress>,
    pub(crate) seal: Seal,
    /// Namespaces that are described.
    pub(crate) namespaces: Vec<(Namespace, Rules)>,
    pub(crate) flush_every: Duration,
    /// So many bytes go to disk at once.
    pub(crate) bytes_max: usize,
    /// Bytes of records since the last snapshot.
    pub(crate) unkept: Arc<AtomicU64>,
    pub(crate) metrics: Metrics,
}

/// The one agent that writes what is durable.
#[derive(Debug)]
pub(crate) struct StoreWriter {
    pub(super) settings: Settings,
    pub(super) journal: Option<Writer>,
    group: Group,
    /// When the store's time was last written down, and what it was less the wall clock's.
    anchored: (StoreTime, i128),
    has_written: bool,
}

impl Agent for StoreWriter {
    type Message = Wish;
    type Spec = Settings;

    async fn start(settings: Settings, ctx: &mut Context<Self>) -> Result<Self, Failure> {
        let mut writer = Self {
            settings,
            journal: None,
            group: Group::default(),
            anchored: (StoreTime::default(), 0),
            has_written: true,
        };
        writer.recover().await?;
        for (name, rules) in writer.settings.namespaces.clone() {
            let is_so = writer
                .settings
                .store
                .space(name.as_str())
                .is_ok_and(|space| *space.rules() == rules);
            if !is_so {
                writer.define(&name, rules).await?;
            }
        }
        ctx.send_every(EXPIRE_EVERY, || Wish::Expire);
        ctx.send_every(writer.settings.flush_every, || Wish::Flush);
        Ok(writer)
    }

    async fn handle(&mut self, wish: Wish, _ctx: &mut Context<Self>) -> Result<(), Failure> {
        match wish {
            Wish::Write(space, write, reply) => self.write(space, write, reply).await,
            Wish::Define(name, rules, reply) => reply.send(self.define(&name, rules).await),
            Wish::Forget(name, reply) => reply.send(self.forget(&name).await),
            Wish::Retain(space, taken, reply) => {
                let (now, seal) = (self.now(), &self.settings.seal);
                let taking = |space: &Space, staged: &mut _| space.stage_retention(&taken, staged, now);
                let done = self.group.stage(&space, now, seal, taking);
                let committed = self.commit().await;
                reply.send(done.and(committed));
            }
            Wish::Expire => self.expire().await,
            // What is not flushed is tried again at the next beat.
            Wish::Flush => drop(self.flush().await),
            Wish::FlushNow(reply) => {
                let flushed = self.flush().await;
                reply.send(flushed);
            }
            Wish::Rotate(reply) => {
                let _told = self.commit().await;
                reply.send(self.journal.clone().map(|journal| Ok((journal.rotate()?, journal))));
            }
        }
        Ok(())
    }

    async fn idle(&mut self, _ctx: &mut Context<Self>) -> Result<(), Failure> {
        let _told = self.commit().await;
        Ok(())
    }

    async fn stop(&mut self, _reason: &ExitReason, _ctx: &mut Context<Self>) {
        let _told = self.commit().await;
        let _flushed = self.flush().await;
        self.anchor(true).await;
    }

    fn state(&self) -> Option<Value> {
        Some(json!({
            "has_journal": self.journal.is_some(),
            "refused": self.settings.store.refused(),
        }))
    }
}

impl StoreWriter {
    pub(super) fn now(&self) -> StoreTime {
        self.settings.store.clock().now()
    }

    async fn write(&mut self, space: Arc<Space>, write: Write, reply: Reply<Result<Vec<Done>, Error>>) {
        let held = |key: &Key| space.peek(key.as_str()).map_or(0, |entry| entry.value().len() + 1_024);
        let (bytes, most) = (weight(&write, held), self.settings.bytes_max);
        if bytes > most {
            return reply.send(Err(Error::BatchTooLarge { bytes, most }));
        }
        if !self.group.has_room(bytes, most) {
            let _told = self.commit().await;
        }
        let now = self.now();
        let mut done = self.group.write(&space, &write, now, &self.settings.seal);
        if matches!(done, Err(Error::Full { .. })) && self.group.concerns(&space) {
            // Those that could make room wait for the disk themselves.
            let _told = self.commit().await;
            done = self.group.write(&space, &write, now, &self.settings.seal);
        }
        self.group.answer(reply, done);
        if self.group.is_full() {
            let _told = self.commit().await;
        }
    }

    /// Takes the group to disk, and tells those who wait what became of it.
    pub(super) async fn commit(&mut self) -> Result<(), Error> {
        if self.group.is_empty() {
            return Ok(());
        }
        let mut group = std::mem::take(&mut self.group);
        if !group.has_records() {
            group.settle();
            return Ok(());
        }
        let records = std::mem::take(&mut group.records);
        let Err(fault) = self.put(records).await else {
            group.settle();
            return Ok(());
        };
        let told = group.give_up(|space| refusal(space.name(), &fault));
        self.mend(&fault).await;
        told
    }

    /// Takes records to disk.
    pub(super) async fn put(&mut self, records: Vec<Vec<u8>>) -> Result<(), WriteError> {
        if self.journal.is_none() {
            // It failed before; the disk may be better by now.
            self.recover().await.map_err(|_| WriteError::Stale)?;
        }
        let Some(journal) = &self.journal else {
            return Err(WriteError::Stale);
        };
        let (begun, bytes) = (Moment::now(), records.iter().map(Vec::len).sum::<usize>());
        let written = journal.write(records).await;
        self.settings.unkept.fetch_add(bytes as u64, Ordering::Relaxed);
        self.settings.metrics.synced(Moment::now().since(begun));
        self.has_written |= written.is_ok();
        written.map(drop)
    }

    /// After a write that failed: goes on where there was no space, and else begins anew from what is on disk, now or
    /// with the next write. Readers go on meanwhile.
    pub(super) async fn mend(&mut self, fault: &WriteError) {
        match (fault, &self.journal) {
            (WriteError::Full(_), Some(journal)) if journal.renew().is_ok() => {}
            (WriteError::Refused(_) | WriteError::Busy, _) => {}
            _ => {
                self.journal = None;
                let _recovered = self.recover().await;
            }
        }
    }

    async fn define(&mut self, name: &Namespace, rules: Rules) -> Result<(), Error> {
        if rules.durability != Durability::Memory && self.settings.journal.is_none() {
            return Err(Error::NoJournal {
                namespace: name.clone(),
            });
        }
        self.settings.store.may_define(name, &rules)?;
        let record = Record::Define {
            namespace: name.clone(),
            rules: RulesText::of(&rules),
        };
        self.note(name, &record).await?;
        self.settings.store.define(name, rules)?;
        Ok(())
    }

    async fn forget(&mut self, name: &Namespace) -> Result<bool, Error> {
        if self.settings.store.space(name.as_str()).is_err() {
            return Ok(false);
        }
        let record = Record::Forget {
            namespace: name.clone(),
        };
        self.note(name, &record).await?;
        Ok(self.settings.store.forget(name))
    }

    /// Writes a record about a namespace, where there is a journal, behind all that waits.
    async fn note(&mut self, name: &Namespace, record: &Record<'_>) -> Result<(), Error> {
        if self.settings.journal.is_none() {
            return Ok(());
        }
        let _told = self.commit().await;
        let bytes = record.encode(&self.settings.seal, Place::Journal);
        let bytes = bytes.map_err(|why| Error::Disk {
            namespace: name.clone(),
            fault: why.to_string(),
        })?;
        let written = self.put(vec![bytes]).await;
        if let Err(fault) = &written {
            self.mend(fault).await;
        }
        written.map_err(|fault| refusal(name, &fault))
    }

    async fn expire(&mut self) {
        let now = self.now();
        for space in self.settings.store.spaces() {
            let is_durable = space.with_rules(|rules| rules.durability == Durability::Journal);
            if is_durable && space.has_due(now) {
                let _told = self.commit().await;
                let expiring = |space: &Space, staged: &mut _| space.stage_expiry(staged, now, EXPIRED_AT_ONCE);
                let _staged = self.group.stage(&space, now, &self.settings.seal, expiring);
                let _told = self.commit().await;
            }
        }
        self.anchor(false).await;
    }

    /// Writes the store's time down beside the clocks: now and then, and at once where a clock was set.
    pub(super) async fn anchor(&mut self, is_last: bool) {
        let clock = self.settings.store.clock();
        let reading = clocks::reading();
        clock.tell_wall(reading.wall);
        let (time, (before, offset)) = (clock.now(), self.anchored);
        let now_offset = i128::from(reading.wall) - i128::from(time.as_millis());
        let is_due = self.has_written && time.since(before) >= ANCHOR_EVERY;
        let has_jumped = (now_offset - offset).abs() > 500;
        if !(is_last || is_due || has_jumped) {
            return;
        }
        let record = Record::Anchor(Anchor { time, reading });
        if let (Some(journal), Ok(bytes)) = (&self.journal, record.encode(&self.settings.seal, Place::Journal)) {
            // Where it is not written, the one before it counts, and the next write finds out why.
            if let Err(WriteError::Full(_)) = journal.write(bytes).await {
                let _renewed = journal.renew();
            }
        }
        self.anchored = (time, now_offset);
        self.has_written = false;
    }
}

/// What a writer is told whose write is not on disk.
pub(super) fn refusal(name: &Namespace, fault: &WriteError) -> Error {
    let namespace = name.clone();
    let why = std::error::Error::source(fault).map_or_else(|| fault.to_string(), |source| format!("{fault}: {source}"));
    if fault.is_certain() {
        Error::Disk { namespace, fault: why }
    } else {
        Error::Unanswered { namespace, fault: why }
    }
}
