//! Decides writes one after the other, takes them to disk in groups, and makes them seen.

use std::sync::Arc;
use std::time::Duration;

use serde_json::{Value, json};
use triarch_journal::{Ack, Draft, Gathering, JournalAddress, WriteError, Writer};
use triarch_supervision::prelude::*;

use super::flush::Flushing;
use super::group::{Group, Terms, weight};
use super::message::Wish;
use crate::config::{Durability, Rules};
use crate::disk::{Place, Record, RulesText, Seal};
use crate::error::Error;
use crate::metrics::Metrics;
use crate::name::{Key, Namespace};
use crate::op::{Done, Write};
use crate::retention::Chosen;
use crate::snapshots::Unkept;
use crate::space::{Space, Staged};
use crate::store::Store;
use crate::time::{Reading, StoreTime};

/// So often the writer looks whose time has come.
const EXPIRE_EVERY: Duration = Duration::from_millis(100);

/// So many entries go at once because a quota was lowered.
const SHRUNK_AT_ONCE: usize = 512;

/// So long after a failure what is on disk is verified again, where that failed too; at most so long.
const REOPEN_AFTER: (Duration, Duration) = (Duration::from_millis(100), Duration::from_secs(1));

/// What each incarnation starts from.
#[derive(Clone, Debug)]
pub(crate) struct Settings {
    pub(crate) store: Store,
    /// Where there is none, all namespaces are in memory alone.
    pub(crate) journal: Option<JournalAddress>,
    pub(crate) seal: Seal,
    /// Namespaces that are described.
    pub(crate) namespaces: Vec<(Namespace, Rules)>,
    /// What the machine's clocks say.
    pub(crate) reading: fn() -> Reading,
    pub(crate) flush_every: Duration,
    /// So many bytes go to disk at once.
    pub(crate) bytes_max: usize,
    /// No more records go together than the journal takes, with what has to make room.
    pub(crate) together_max: usize,
    /// What is in no snapshot.
    pub(crate) unkept: Unkept,
    pub(crate) metrics: Metrics,
}

/// The one agent that writes what is durable.
#[derive(Debug)]
pub(crate) struct StoreWriter {
    pub(super) settings: Settings,
    pub(super) journal: Option<Writer>,
    pub(super) flushing: Flushing,
    /// When it was last tried to open the journal again, and how long after that it is tried once more.
    tried: (Moment, Duration),
    pub(super) group: Group,
    gathering: Gathering,
    /// Whether it has reminded itself of what else is due.
    pub(super) is_expiring: bool,
    /// When the store's time was last written down, and what it was less the wall clock's.
    pub(super) anchored: (StoreTime, i128),
    pub(super) has_written: bool,
    /// When that was last tried in vain, and how long after that it is tried once more.
    pub(super) anchor_tried: Option<(Moment, Duration)>,
}

impl Agent for StoreWriter {
    type Message = Wish;
    type Spec = Settings;

    async fn start(settings: Settings, ctx: &mut Context<Self>) -> Result<Self, Failure> {
        let mut writer = Self {
            settings,
            journal: None,
            flushing: Flushing::default(),
            tried: (Moment::now(), REOPEN_AFTER.0),
            group: Group::default(),
            gathering: Gathering::default(),
            is_expiring: false,
            anchored: (StoreTime::default(), 0),
            has_written: true,
            anchor_tried: None,
        };
        if writer.settings.journal.is_some() {
            // Who has a drawer already is told at once, however long the reading takes.
            writer.settings.store.close(Some("it is being read".to_owned()));
        }
        writer.recover().await?;
        for (name, rules) in writer.settings.namespaces.clone() {
            writer.describe(&name, rules).await?;
        }
        writer.rise(false).await;
        ctx.send_in_step(EXPIRE_EVERY, || Wish::Expire);
        ctx.send_every(writer.settings.flush_every, || Wish::Flush);
        Ok(writer)
    }

    async fn handle(&mut self, wish: Wish, ctx: &mut Context<Self>) -> Result<(), Failure> {
        let was_open = self.is_open();
        match wish {
            Wish::Write(space, (write, waited), reply) => {
                drop(waited);
                self.write(space, write, reply).await;
            }
            Wish::Define(name, rules, reply) => reply.send(self.define(&name, rules).await),
            Wish::Forget(name, reply) => reply.send(self.forget(&name).await),
            Wish::Retain(space, chosen, reply) => reply.send(self.retain(&space, &chosen).await),
            Wish::Expire => self.beat(ctx).await,
            Wish::ExpireMore => self.expire(ctx).await,
            Wish::Reopen => self.reopen().await,
            Wish::Gather => {}
            // What is not flushed is tried again at the next beat.
            Wish::Flush => self.flush(None, ctx).await,
            Wish::FlushNow(reply) => self.flush(Some(reply), ctx).await,
            Wish::FlushMore => self.flush_more(ctx).await,
            Wish::Rotate(reply) => {
                let rotated = self.rotate().await;
                reply.send(self.settings.journal.is_some().then_some(rotated));
            }
        }
        if was_open && !self.is_open() {
            // Behind all that waits: they are told first, and at once. Where there is no room the next beat does it.
            let _queued = ctx.address().try_send(Wish::Reopen);
        }
        Ok(())
    }

    async fn idle(&mut self, ctx: &mut Context<Self>) -> Result<(), Failure> {
        if self.gathering.waits(self.group.len()) && ctx.address().try_send(Wish::Gather).is_ok() {
            // Whoever was just answered runs, and may come with the next.
            tokio::task::yield_now().await;
            return Ok(());
        }
        let was_open = self.is_open();
        let _told = self.commit().await;
        if was_open && !self.is_open() {
            let _queued = ctx.address().try_send(Wish::Reopen);
        }
        Ok(())
    }

    async fn stop(&mut self, _reason: &ExitReason, _ctx: &mut Context<Self>) {
        let _told = self.commit().await;
        self.flush_all().await;
        self.rise(true).await;
        self.anchor(true).await;
    }

    fn state(&self) -> Option<Value> {
        Some(json!({
            "has_journal": self.journal.is_some(),
            "closed": self.settings.store.closed().as_deref(),
            "refused": self.settings.store.refused(),
        }))
    }
}

impl StoreWriter {
    pub(super) fn now(&self) -> StoreTime {
        self.settings.store.clock().now()
    }

    /// Whether what is durable is written; without a journal there is no such thing.
    fn is_open(&self) -> bool {
        self.journal.is_some() || self.settings.journal.is_none()
    }

    /// Nothing is decided before what is on disk is known, since it would be decided on something else.
    pub(super) fn ready(&self, name: &Namespace) -> Result<(), Error> {
        if self.is_open() {
            return Ok(());
        }
        self.settings.store.may_write(name)?;
        Err(refusal(name, &WriteError::Stale))
    }

    async fn write(&mut self, space: Arc<Space>, write: Write, reply: Reply<Result<Vec<Done>, Error>>) {
        let held = |key: &Key| self.group.held(&space, key);
        let (bytes, most) = (weight(&write, held), self.settings.bytes_max);
        if bytes > most {
            return reply.send(Err(Error::BatchTooLarge { bytes, most }));
        }
        if !self.group.has_room(bytes, most) {
            let _told = self.commit().await;
        }
        let _shrunk = self.shrink(&space).await;
        if let Err(closed) = self.ready(space.name()) {
            return reply.send(Err(closed));
        }
        let now = self.now();
        let mut done = self.decide(&space, &write, now);
        if self.may_fit_later(&space, &done) {
            let _told = self.commit().await;
            done = match self.ready(space.name()) {
                Ok(()) => self.decide(&space, &write, now),
                Err(closed) => Err(closed),
            };
        }
        self.group.answer(space, reply, done);
        if self.group.is_full() {
            let _told = self.commit().await;
        }
    }

    fn decide(&mut self, space: &Arc<Space>, write: &Write, now: StoreTime) -> Result<Vec<Done>, Error> {
        let terms = terms(&self.settings, now);
        self.group.write(space, write, terms)
    }

    /// Those that may make room wait for the disk themselves, or what waits leaves none in what goes to disk at once.
    fn may_fit_later<T>(&self, space: &Arc<Space>, done: &Result<T, Error>) -> bool {
        match done {
            Err(Error::Full { .. }) => self.group.concerns(space) && space.with_rules(|rules| rules.eviction.is_some()),
            Err(Error::BatchTooLarge { .. }) => self.group.has_records(),
            _ => false,
        }
    }

    /// Whatever else changes a durable namespace, alone and at once.
    async fn stage(&mut self, space: &Arc<Space>, stage: impl FnOnce(&Space, &mut Staged)) -> Result<(), Error> {
        let _told = self.commit().await;
        self.ready(space.name())?;
        let terms = terms(&self.settings, self.now());
        self.group.stage(space, terms, stage)?;
        self.commit().await
    }

    /// Takes away what retention chose; tells what of it went.
    async fn retain(&mut self, space: &Arc<Space>, chosen: &[Chosen]) -> Result<Vec<Chosen>, Error> {
        let (now, mut gone) = (self.now(), Vec::new());
        let taking = |space: &Space, staged: &mut Staged| gone = space.stage_retention(chosen, staged, now);
        self.stage(space, taking).await?;
        Ok(gone)
    }

    /// Takes the group to disk, and tells those who wait what became of it.
    pub(super) async fn commit(&mut self) -> Result<(), Error> {
        if self.group.is_empty() {
            return Ok(());
        }
        let mut group = std::mem::take(&mut self.group);
        self.gathering.written(group.len());
        if !group.has_records() {
            group.settle();
            return Ok(());
        }
        let records = std::mem::take(&mut group.records);
        let Err(fault) = self.put(records).await else {
            group.settle();
            return Ok(());
        };
        self.mend(&fault);
        group.give_up(|space| refusal(space.name(), &fault))
    }

    /// Takes records to disk. Where there is none nothing is decided, and so nothing comes here.
    pub(super) async fn put(&mut self, records: Vec<Vec<u8>>) -> Result<(), WriteError> {
        let Some(journal) = &self.journal else {
            return Err(WriteError::Stale);
        };
        let bytes = records.iter().map(Vec::len).sum::<usize>();
        journal.write(records).await?;
        self.settings.unkept.add(bytes as u64);
        self.has_written = true;
        // What was in the way of the clocks is so no more.
        self.anchor_tried = None;
        Ok(())
    }

    /// After a write that failed: goes on where there was no space, and else closes the store for writes until what is on
    /// disk was verified. What was decided before is given up by whoever calls this. Readers go on meanwhile.
    pub(super) fn mend(&mut self, fault: &WriteError) {
        match (fault, &self.journal) {
            (WriteError::Full(_), Some(journal)) if journal.renew().is_ok() => {}
            (WriteError::Refused(_) | WriteError::Busy, _) => {}
            _ => {
                self.journal = None;
                self.tried = (Moment::now(), REOPEN_AFTER.0);
                self.settings.store.close(Some(in_words(fault)));
            }
        }
    }

    async fn rotate(&mut self) -> Result<(Ack<Draft>, Writer), WriteError> {
        let _told = self.commit().await;
        let journal = self.journal.clone().ok_or(WriteError::Stale)?;
        let rotated = journal.rotate();
        rotated
            .inspect_err(|fault| self.mend(fault))
            .map(|draft| (draft, journal))
    }

    /// Begins anew from what is on disk, unless that was done already.
    async fn reopen(&mut self) {
        if self.is_open() {
            return;
        }
        let waited = self.tried.1;
        if let Err(fault) = self.recover().await {
            self.settings.store.close(Some(fault.to_string()));
        }
        if !self.is_open() {
            self.tried = (Moment::now(), (waited * 2).min(REOPEN_AFTER.1));
        }
    }

    /// The same, once it is time to try again.
    pub(super) async fn reopen_in_time(&mut self) {
        if Moment::now().since(self.tried.0) >= self.tried.1 {
            self.reopen().await;
        }
    }

    /// Makes a namespace as it is described. One that was made with another durability, and holds something, stays as it is
    /// in that and takes no writes: all others begin.
    async fn describe(&mut self, name: &Namespace, rules: Rules) -> Result<(), Error> {
        match self.settings.store.space(name.as_str()) {
            Ok(space) if *space.rules() == rules => return Ok(()),
            Ok(space) if space.durability() != rules.durability => {
                if space.extent().entries > 0 {
                    return self.hold_back(name, &space, rules).await;
                }
                self.forget(name).await?;
            }
            _ => {}
        }
        self.define(name, rules).await
    }

    /// All but its durability is as it is described: whoever is let in no more is so at once.
    async fn hold_back(&mut self, name: &Namespace, space: &Space, rules: Rules) -> Result<(), Error> {
        space.hold_back(rules.durability);
        let durability = space.durability();
        let rules = Rules { durability, ..rules };
        if *space.rules() == rules {
            return Ok(());
        }
        self.define(name, rules).await
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
        let space = self.settings.store.define(name, rules)?;
        // What it could not take away now makes way with the next write.
        let _shrunk = self.shrink(&space).await;
        Ok(())
    }

    /// Takes away what a lower quota has no room for, in portions that a record can hold.
    async fn shrink(&mut self, space: &Arc<Space>) -> Result<(), Error> {
        // What is read and not written keeps what it has.
        while space.held_back().is_none() && space.is_beyond_quota() {
            let now = self.now();
            if space.durability() == Durability::Journal {
                let before = space.published();
                let shrinking = |space: &Space, staged: &mut Staged| space.stage_shrinking(staged, now, SHRUNK_AT_ONCE);
                self.stage(space, shrinking).await?;
                if space.published() == before {
                    return Ok(());
                }
            } else if !space.shrink(now, SHRUNK_AT_ONCE) {
                return Ok(());
            }
            tokio::task::yield_now().await;
        }
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
        self.ready(name)?;
        let bytes = record.encode(&self.settings.seal, Place::Journal);
        let bytes = bytes.map_err(|why| Error::Disk {
            namespace: name.clone(),
            fault: why.to_string(),
        })?;
        let written = self.put(vec![bytes]).await;
        if let Err(fault) = &written {
            self.mend(fault);
        }
        written.map_err(|fault| refusal(name, &fault))
    }
}

pub(super) fn terms(settings: &Settings, now: StoreTime) -> Terms<'_> {
    Terms {
        now,
        seal: &settings.seal,
        most: settings.together_max,
    }
}

/// What a writer is told whose write is not on disk.
pub(super) fn refusal(name: &Namespace, fault: &WriteError) -> Error {
    let (namespace, why) = (name.clone(), in_words(fault));
    if fault.is_certain() {
        Error::Disk { namespace, fault: why }
    } else {
        Error::Unanswered { namespace, fault: why }
    }
}

fn in_words(fault: &WriteError) -> String {
    let causes = std::iter::successors(std::error::Error::source(fault), |cause| cause.source());
    causes.fold(fault.to_string(), |words, cause| format!("{words}: {cause}"))
}
