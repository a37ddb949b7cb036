//! How the writer begins: from what is on disk; and how it flushes what is not there yet.

use std::sync::{Mutex, mpsc};
use std::thread;

use triarch_journal::{Records, WriteError};
use triarch_supervision::prelude::*;
use triarch_supervision::sync::lock;

use super::actor::{StoreWriter, refusal};
use crate::config::Durability;
use crate::disk::{Flushed, Held, Image, Images, Place, Record, Recovering, Recovery, RecoveryError, Seal};
use crate::error::Error;
use crate::name::Namespace;
use crate::snapshots::RETRY_AFTER;
use crate::space::{Flush, Space};
use crate::time::StoreTime;

/// Records are handed from thread to thread in baskets of about so many bytes, so many at most on their way.
const BASKET_BYTES: usize = 256 << 10;
const BASKETS: usize = 4;

impl StoreWriter {
    /// Takes up what is on disk: all of it where nothing is in memory yet, else what memory has otherwise.
    pub(super) async fn recover(&mut self) -> Result<(), Failure> {
        let Some(address) = &self.settings.journal else {
            self.settings.store.clock().begin(StoreTime::default());
            self.settings.store.close(None);
            self.settings.store.clock().tell_wall((self.settings.reading)().wall);
            return Ok(());
        };
        let begun = Moment::now();
        let (journal, recovered) = address.recover().await?;
        let seal = self.settings.seal.clone();
        let recovery = tokio::task::spawn_blocking(move || read(recovered, &seal)).await??;
        let reading = (self.settings.reading)();
        let time = recovery.anchor.time_at(&reading).max(recovery.latest);
        self.settings.store.clock().begin(time);
        self.flushes = self.flushes.max(recovery.flush);
        self.settings
            .unkept
            .found(recovery.unkept, recovery.began.unwrap_or(time));
        self.take_up(recovery)?;
        self.journal = Some(journal);
        self.settings.store.close(None);
        self.settings.metrics.recovered(Moment::now().since(begun));
        self.anchor(true).await;
        Ok(())
    }

    fn take_up(&self, recovery: Recovery) -> Result<(), Error> {
        let store = &self.settings.store;
        if store.spaces().is_empty() {
            // Of what an earlier life gave nobody knows more than what it promised.
            store.numbers().raise(recovery.risen);
            store.numbers().promise(recovery.risen);
        }
        for space in store.spaces() {
            // Its end was on its way when the disk failed, and came there.
            if !recovery.spaces.contains_key(space.name()) {
                store.forget(space.name());
            }
        }
        for (name, held) in recovery.spaces {
            self.take_up_one(&name, held)?;
        }
        Ok(())
    }

    fn take_up_one(&self, name: &Namespace, held: Held) -> Result<(), Error> {
        let store = &self.settings.store;
        let known = store.space(name.as_str());
        let Some(space) = known.ok().filter(|space| space.durability() == held.rules.durability) else {
            store.forget(name);
            store.define(name, held.rules)?.load(held.entries, held.revision);
            return Ok(());
        };
        if *space.rules() != held.rules {
            space.change_rules(held.rules)?;
        }
        match space.durability() {
            Durability::Memory => {}
            Durability::Journal => space.adopt(held.entries, held.revision),
            Durability::Relaxed => space.unflush(held.entries),
        }
        Ok(())
    }

    /// Takes namespaces that are flushed to disk, each as of one instant. One that cannot be holds up no other, and waits a
    /// while unless somebody asks: the parts that have room would take it from those who write little.
    pub(super) async fn flush(&mut self, is_asked: bool) -> Result<(), Error> {
        let (mut unflushed, now) = (self.settings.store.spaces(), Moment::now());
        self.unfit.retain(|_, until| *until > now && !is_asked);
        unflushed.retain(|space| space.has_unflushed() && !self.unfit.contains_key(space.name()));
        if unflushed.is_empty() {
            return Ok(());
        }
        // What waits was decided on what is there, and where this fails something else may be.
        let _told = self.commit().await;
        let mut outcome = Ok(());
        for space in unflushed {
            self.ready(space.name())?;
            let mut flush = space.take_unflushed();
            let taken = flush.taken.take();
            if let Err(error) = self.flush_one(&space, flush).await {
                // Of a flush in parts that did not end nothing counts.
                space.give_back_unflushed(taken, !matches!(error, Error::Unanswered { .. }));
                outcome = outcome.and(Err(error));
            }
        }
        outcome
    }

    async fn flush_one(&mut self, space: &Space, flush: Flush) -> Result<(), Error> {
        self.flushes += 1;
        let most = self.settings.bytes_max / 2;
        let parts = parts(space, (self.flushes, &flush), self.now(), &self.settings.seal, most)?;
        let are_several = parts.len() > 1;
        for part in parts {
            if let Err(fault) = self.put(vec![part]).await {
                self.mend(&fault);
                if are_several && matches!(fault, WriteError::Full(_)) {
                    self.unfit.insert(space.name().clone(), Moment::now() + RETRY_AFTER);
                }
                return Err(refusal(space.name(), &fault));
            }
        }
        Ok(())
    }
}

fn read(recovered: triarch_journal::Recovered, seal: &Seal) -> Result<Recovery, RecoveryError> {
    let mut recovering = Recovering::new(seal);
    if let Some(snapshot) = &recovered.snapshot {
        recovering.snapshot(&snapshot.bytes)?;
    }
    let records = Mutex::new(recovered.records);
    let unread = || lock(&records);
    thread::scope(|scope| {
        // One thread reads and sums what another one makes entries of. Where the system has none to spare, all is left unread.
        let (ahead, read) = mpsc::sync_channel(BASKETS);
        let _reading = thread::Builder::new().spawn_scoped(scope, move || read_ahead(&mut unread(), &ahead));
        let mut take = |record: <Records as Iterator>::Item| -> Result<(), RecoveryError> {
            let record = record?;
            recovering.record(record.seq.number(), &record.bytes)
        };
        read.into_iter().flatten().try_for_each(&mut take)?;
        unread().try_for_each(take)?;
        Ok(recovering.end())
    })
}

/// Reads all, or as long as somebody wants it.
fn read_ahead(records: &mut Records, ahead: &mpsc::SyncSender<Vec<<Records as Iterator>::Item>>) {
    let mut records = records.peekable();
    while records.peek().is_some() {
        let (mut basket, mut bytes) = (Vec::new(), 0);
        while bytes < BASKET_BYTES
            && let Some(record) = records.next()
        {
            bytes += record.as_ref().map_or(0, |record| record.bytes.len() + 64);
            basket.push(record);
        }
        if ahead.send(basket).is_err() {
            return;
        }
    }
}

/// The records of a flush, of which only the last ends it.
fn parts(
    space: &Space,
    (number, flush): (u64, &Flush),
    at: StoreTime,
    seal: &Seal,
    most: usize,
) -> Result<Vec<Vec<u8>>, Error> {
    let mut chunks = vec![Vec::new()];
    let mut bytes = 0;
    for (key, entry) in &flush.states {
        let size = entry.as_ref().map_or(0, |entry| entry.size(key)) + 512;
        let size = usize::try_from(size).unwrap_or(usize::MAX);
        if bytes > 0 && bytes + size > most {
            chunks.push(Vec::new());
            bytes = 0;
        }
        bytes += size;
        let version = entry.as_ref().map_or(flush.revision, |entry| entry.version());
        if let Some(chunk) = chunks.last_mut() {
            chunk.push(Image::of(key, version, entry.as_deref()));
        }
    }
    let last = chunks.len() - 1;
    let parts = chunks.into_iter().enumerate().map(|(part, all)| {
        let images = Images {
            namespace: space.name().clone(),
            at,
            revision: flush.revision,
            is_last: part == last,
            is_cut: false,
            all,
        };
        let record = Record::Flushed(Flushed { flush: number, images });
        record.encode(seal, Place::Journal).map_err(|fault| Error::Disk {
            namespace: space.name().clone(),
            fault: fault.to_string(),
        })
    });
    parts.collect()
}
