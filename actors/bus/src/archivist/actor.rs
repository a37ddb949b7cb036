//! Level 3: the agent that takes to disk what is published on durable topics, and where named subscriptions have come.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use serde_json::{Value, json};
use triarch_journal::{JournalAddress, WriteError, Writer};
use triarch_supervision::prelude::*;

use super::archive::{Bookmark, Replay, moved};
use super::copyist::Copy;
use super::cursor::CursorKey;
use super::log::Entry;
use super::message::{Order, Waiter};
use super::reading::Stored;
use super::record::Record;
use crate::codec::{self, encode};
use crate::envelope::Envelope;
use crate::error::PublishError;
use crate::hub::{Hub, unpoisoned};
use crate::topic::Pattern;

/// With so many bytes gathered the next envelope waits for the next group.
const GROUP_BYTES: usize = 1 << 20;
/// What a group needs of a record of the journal.
pub(crate) const GROUP_NEEDS: usize = 2 * GROUP_BYTES;
/// What each record takes beside its own bytes.
const RECORD_WEIGHT: usize = 64;
/// A snapshot is taken after so many bytes of records, or as many as the logs have, if those are more.
const UNKEPT_BYTES: u64 = 64 << 20;
/// One that is not written is tried again after so many more.
const COPY_AGAIN_BYTES: u64 = 16 << 20;
/// How often cursors that could not be written are tried again.
const CURSORS_EVERY: Duration = Duration::from_secs(1);

/// What each incarnation starts from.
#[derive(Clone, Debug)]
pub(crate) struct Settings {
    pub(crate) hub: Arc<Hub>,
    pub(crate) journal: JournalAddress,
    pub(crate) copyist: Address<Copy>,
    /// What a batch of records may have in all.
    pub(crate) record_bytes_max: usize,
}

/// Writes the journal of the bus.
#[derive(Debug)]
pub(crate) struct Archivist {
    settings: Settings,
    writer: Writer,
    group: Vec<Pending>,
    group_bytes: usize,
    /// Bytes of records since the last snapshot.
    unkept: u64,
    /// Those of them that the snapshot under way stands for.
    copied: Option<u64>,
    /// After one that was not written the next is tried with so many.
    copy_from: u64,
}

#[derive(Debug)]
struct Pending {
    log: Pattern,
    envelope: Box<Envelope>,
    bytes: Vec<u8>,
    waiter: Option<Waiter>,
}

/// Records on their way to disk, and what they are of.
struct Group {
    records: Vec<Vec<u8>>,
    stored: Vec<(Pending, u64, Entry)>,
    cursors: Vec<(CursorKey, Bookmark)>,
}

impl Agent for Archivist {
    type Message = Order;
    type Spec = Settings;

    async fn start(settings: Settings, ctx: &mut Context<Self>) -> Result<Self, Failure> {
        let (writer, unkept) = recover(&settings).await?;
        ctx.send_every(CURSORS_EVERY, || Order::Cursors);
        let archivist = Self {
            settings,
            writer,
            group: Vec::new(),
            group_bytes: 0,
            unkept,
            copied: None,
            copy_from: 0,
        };
        archivist.tell_followers(
            &archivist
                .hub()
                .archive
                .logs()
                .into_iter()
                .map(|(log, _)| log)
                .collect::<Vec<_>>(),
        );
        Ok(archivist)
    }

    async fn handle(&mut self, order: Order, ctx: &mut Context<Self>) -> Result<(), Failure> {
        match order {
            Order::Store(log, envelope, waiter) => self.gather(log, envelope, waiter).await?,
            // They are written before it rests.
            Order::Cursors => {}
            Order::Forget(key, reply) => {
                self.flush().await?;
                reply.send(self.forget(&key).await);
            }
            Order::Copied { is_written } => {
                let copied = self.copied.take().unwrap_or_default();
                if is_written {
                    self.unkept -= copied;
                }
                self.copy_from = if is_written { 0 } else { self.unkept + COPY_AGAIN_BYTES };
            }
        }
        if self.group_bytes >= GROUP_BYTES {
            self.flush().await?;
        }
        self.copy_if_due(ctx)
    }

    async fn idle(&mut self, _ctx: &mut Context<Self>) -> Result<(), Failure> {
        self.flush().await
    }

    async fn stop(&mut self, _reason: &ExitReason, _ctx: &mut Context<Self>) {
        let _last = self.flush().await;
    }

    fn state(&self) -> Option<Value> {
        Some(json!({ "unkept_bytes": self.unkept, "is_copying": self.copied.is_some() }))
    }
}

/// Reads what is on disk, and wins the right to write there; tells how many bytes of records no snapshot stands for.
async fn recover(settings: &Settings) -> Result<(Writer, u64), Failure> {
    let (writer, recovered) = settings.journal.recover().await?;
    let rules = settings.hub.archive.rules().to_vec();
    let replay = tokio::task::spawn_blocking(move || Replay::of(recovered, &rules)).await??;
    let unkept = replay.unkept();
    settings.hub.archive.install(replay);
    Ok((writer, unkept))
}

impl Archivist {
    fn hub(&self) -> &Arc<Hub> {
        &self.settings.hub
    }

    async fn gather(&mut self, log: Pattern, envelope: Box<Envelope>, waiter: Option<Waiter>) -> Result<(), Failure> {
        let bytes = match encode(&envelope) {
            Ok(bytes) => bytes,
            Err(refused) => {
                answer(waiter, Err(refused.into()));
                return Ok(());
            }
        };
        // What does not go with the others goes alone.
        if self.group_bytes + bytes.len() > GROUP_BYTES {
            self.flush().await?;
        }
        self.group_bytes += bytes.len();
        self.group.push(Pending {
            log,
            envelope,
            bytes,
            waiter,
        });
        Ok(())
    }

    /// Takes to disk all that has gathered, and then lets it be seen.
    async fn flush(&mut self) -> Result<(), Failure> {
        let group = self.group()?;
        if group.records.is_empty() {
            return Ok(());
        }
        let bytes: usize = group.records.iter().map(Vec::len).sum();
        match self.writer.write(group.records).await {
            Ok(_) => {
                self.unkept += bytes as u64;
                self.publish(group.stored);
                Ok(())
            }
            Err(why) => {
                for (pending, ..) in group.stored {
                    answer(pending.waiter, Err(PublishError::NotStored(why.clone())));
                }
                for (key, _) in group.cursors {
                    self.hub().archive.still_moved(key);
                }
                self.go_on_after(&why).await
            }
        }
    }

    async fn go_on_after(&mut self, why: &WriteError) -> Result<(), Failure> {
        match why {
            WriteError::Full(_) if self.writer.renew().is_ok() => {}
            WriteError::Refused(_) => {}
            _ => (self.writer, self.unkept) = recover(&self.settings).await?,
        }
        Ok(())
    }

    fn group(&mut self) -> Result<Group, Failure> {
        let (archive, now) = (&self.settings.hub.archive, self.settings.hub.archive.now());
        let mut offsets = BTreeMap::new();
        let mut group = Group {
            records: Vec::new(),
            stored: Vec::new(),
            cursors: archive.take_moved(),
        };
        self.group_bytes = 0;
        for pending in self.group.drain(..) {
            let log = archive.log(&pending.log);
            let next = || log.map_or(0, |log| unpoisoned(log.read()).next());
            let offset = offsets.entry(pending.log.clone()).or_insert_with(next);
            let stored = Record::Stored {
                log: pending.log.as_str(),
                offset: *offset,
                time: now.0,
                envelope: &pending.bytes,
            };
            let record = stored.encode()?;
            let (topic, published) = codec::glance(&pending.bytes)?;
            let entry = Entry {
                time: now,
                topic,
                published,
                envelope_at: record.len() - pending.bytes.len(),
                record: record.as_slice().into(),
            };
            group.records.push(record);
            group.stored.push((pending, *offset, entry));
            *offset += 1;
        }
        let stored: usize = group.records.iter().map(|record| record.len() + RECORD_WEIGHT).sum();
        let mut left = self.settings.record_bytes_max.saturating_sub(stored);
        for (key, bookmark) in std::mem::take(&mut group.cursors) {
            let record = moved(&key, &bookmark)?;
            if record.len() + RECORD_WEIGHT > left {
                // It goes with the next.
                archive.still_moved(key);
                continue;
            }
            left -= record.len() + RECORD_WEIGHT;
            group.records.push(record);
            group.cursors.push((key, bookmark));
        }
        Ok(group)
    }

    /// They are on disk: now everybody gets them, in the order of their offsets.
    fn publish(&self, stored: Vec<(Pending, u64, Entry)>) {
        let hub = self.hub();
        let mut grown: Vec<Pattern> = Vec::new();
        for (pending, offset, entry) in stored {
            if let Some(log) = hub.archive.log(&pending.log) {
                unpoisoned(log.write()).push(offset, entry);
            }
            if !grown.contains(&pending.log) {
                grown.push(pending.log);
            }
            let id = pending.envelope.id;
            let matched = hub.deliver_stored(*pending.envelope);
            answer(pending.waiter, Ok(Stored { id, offset, matched }));
        }
        self.tell_followers(&grown);
    }

    fn tell_followers(&self, logs: &[Pattern]) {
        let hub = self.hub();
        for log in logs {
            for follower in hub.archive.followers(log) {
                follower.act(hub, Moment::now(), |_, _| ());
            }
        }
    }

    async fn forget(&self, key: &CursorKey) -> Result<bool, WriteError> {
        let (subscriber, name) = key;
        let record = Record::Forgotten { subscriber, name }.encode();
        let is_there = self.hub().archive.forget(key);
        if let Ok(record) = record {
            self.writer.write(record).await?;
        }
        Ok(is_there)
    }

    /// Keeps the journal short.
    fn copy_if_due(&mut self, ctx: &Context<Self>) -> Result<(), Failure> {
        let archive = &self.settings.hub.archive;
        let due = UNKEPT_BYTES.max(archive.bytes()).max(self.copy_from);
        if self.copied.is_some() || self.unkept < due {
            return Ok(());
        }
        self.copy_from = self.unkept + COPY_AGAIN_BYTES;
        // Between two groups what is here is what is on disk.
        let draft = self.writer.rotate()?;
        let copy = Copy {
            draft,
            records: archive.records()?,
            writer: self.writer.clone(),
            archivist: ctx.address().clone(),
        };
        if self.settings.copyist.try_send(copy).is_ok() {
            self.copied = Some(self.unkept);
        }
        Ok(())
    }
}

fn answer(waiter: Option<Waiter>, outcome: Result<Stored, PublishError>) {
    if let Some(waiter) = waiter {
        waiter.send(outcome);
    }
}
