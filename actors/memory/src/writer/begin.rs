//! How the writer begins: from what is on disk.

use std::sync::{Mutex, mpsc};
use std::thread;

use triarch_journal::Records;
use triarch_supervision::prelude::*;
use triarch_supervision::sync::lock;

use super::actor::StoreWriter;
use crate::config::Durability;
use crate::disk::{Held, Recovering, Recovery, RecoveryError, Seal};
use crate::error::Error;
use crate::name::Namespace;
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
        self.flushing.last = self.flushing.last.max(recovery.flush);
        self.settings
            .unkept
            .found(recovery.unkept, recovery.began.unwrap_or(time));
        self.flushing.abandon();
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
