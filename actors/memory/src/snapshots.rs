//! Level 3: the agent that takes snapshots, so that the journal does not grow for ever. Readers and writers go on.

use std::io::{self, Write};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use serde_json::{Value, json};
use triarch_journal::{SnapshotError, WriteError};
use triarch_supervision::prelude::*;
use triarch_supervision::sync::{Mutex, lock};

use crate::clocks;
use crate::config::Durability;
use crate::disk::{Dump, DumpError, Seal};
use crate::metrics::Metrics;
use crate::space::{Cut, Space};
use crate::store::Store;
use crate::time::{Anchor, StoreTime};
use crate::writer::Wish;

/// So often it looks whether a snapshot is due.
const LOOK_EVERY: Duration = Duration::from_secs(1);

/// So long after one that failed, the next is tried because of its bytes; a flush in several parts, too.
pub(crate) const RETRY_AFTER: Duration = Duration::from_secs(30);

/// What is in no snapshot, over all lives of whoever writes and keeps it. Cloned, it is the same.
#[derive(Clone, Debug, Default)]
pub(crate) struct Unkept(Arc<Since>);

#[derive(Debug, Default)]
struct Since {
    bytes: AtomicU64,
    /// When the last snapshot was, in the store's time.
    last: AtomicU64,
}

impl Unkept {
    /// What was found on disk: so many bytes of records since then.
    pub(crate) fn found(&self, bytes: u64, last: StoreTime) {
        self.0.bytes.store(bytes, Ordering::Relaxed);
        self.0.last.store(last.as_millis(), Ordering::Relaxed);
    }

    pub(crate) fn add(&self, bytes: u64) {
        self.0.bytes.fetch_add(bytes, Ordering::Relaxed);
    }

    fn bytes(&self) -> u64 {
        self.0.bytes.load(Ordering::Relaxed)
    }

    fn last(&self) -> StoreTime {
        StoreTime::from_millis(self.0.last.load(Ordering::Relaxed))
    }

    /// There is a snapshot of then, with so many of the bytes.
    fn kept(&self, bytes: u64, at: StoreTime) {
        let less = |there: u64| Some(there.saturating_sub(bytes));
        let _before = self.0.bytes.fetch_update(Ordering::Relaxed, Ordering::Relaxed, less);
        self.0.last.store(at.as_millis(), Ordering::Relaxed);
    }
}

/// What each incarnation starts from.
#[derive(Clone, Debug)]
pub(crate) struct Settings {
    pub(crate) store: Store,
    pub(crate) writer: Address<Wish>,
    pub(crate) seal: Seal,
    pub(crate) every: Duration,
    pub(crate) bytes: u64,
    pub(crate) unkept: Unkept,
    pub(crate) metrics: Metrics,
}

/// Takes snapshots.
#[derive(Debug)]
pub(crate) struct Snapshots {
    settings: Settings,
    /// The number of all changes at the last snapshot.
    kept: u64,
    /// When it was last tried, in this life.
    tried: Option<Moment>,
    last_fault: Option<String>,
}

/// What it is asked for.
#[derive(Debug)]
pub(crate) enum Keep {
    /// A snapshot, where anything changed since the last.
    IfDue,
    /// A snapshot, for somebody who waits; what went wrong, in words.
    Now(Reply<Result<(), String>>),
}

impl Message for Keep {}

impl Agent for Snapshots {
    type Message = Keep;
    type Spec = Settings;

    async fn start(settings: Settings, ctx: &mut Context<Self>) -> Result<Self, Failure> {
        ctx.send_in_step(LOOK_EVERY, || Keep::IfDue);
        // However short lives are, in each it is looked once.
        let _queued = ctx.address().try_send(Keep::IfDue);
        let mut snapshots = Self {
            settings,
            kept: 0,
            tried: None,
            last_fault: None,
        };
        if snapshots.settings.unkept.bytes() == 0 {
            snapshots.kept = snapshots.changes();
        }
        Ok(snapshots)
    }

    async fn handle(&mut self, keep: Keep, _ctx: &mut Context<Self>) -> Result<(), Failure> {
        let changes = self.changes();
        if matches!(keep, Keep::IfDue) && (changes == self.kept || !self.is_time()) {
            return Ok(());
        }
        self.tried = Some(Moment::now());
        let outcome = self.keep().await;
        if outcome.is_ok() {
            self.kept = changes;
        }
        // A disk that is full will not be always; the journal has everything meanwhile.
        self.last_fault = outcome.as_ref().err().map(ToString::to_string);
        if let Keep::Now(reply) = keep {
            reply.send(outcome.map_err(|fault| fault.to_string()));
        }
        Ok(())
    }

    fn state(&self) -> Option<Value> {
        Some(json!({ "last_fault": self.last_fault }))
    }
}

impl Snapshots {
    fn is_time(&self) -> bool {
        let Settings {
            store,
            every,
            bytes,
            unkept,
            ..
        } = &self.settings;
        let tried = self.tried.map_or(Duration::MAX, |tried| Moment::now().since(tried));
        let is_old = store.clock().now().since(unkept.last()) >= *every && tried >= *every;
        // Where a disk is full the next try waits; it would fill it no less.
        is_old || (unkept.bytes() >= *bytes && (self.last_fault.is_none() || tried >= RETRY_AFTER))
    }

    fn changes(&self) -> u64 {
        let spaces = self.settings.store.spaces().into_iter();
        let durable = spaces.filter(|space| space.durability() != Durability::Memory);
        durable.map(|space| space.published()).sum()
    }

    async fn keep(&self) -> Result<(), Failure> {
        let Some(rotated) = self.settings.writer.ask(Wish::Rotate).await? else {
            return Ok(());
        };
        let (draft, journal) = rotated?;
        let (before, at) = (self.settings.unkept.bytes(), self.settings.store.clock().now());
        let draft = match draft.await {
            // All that was written is in a snapshot.
            Err(WriteError::Kept) => {
                self.settings.unkept.kept(before, at);
                return Ok(());
            }
            draft => draft?,
        };
        let (store, seal) = (self.settings.store.clone(), self.settings.seal.clone());
        let dumped = Dumped::default();
        let dumping = dumped.clone();
        let filling = move |to: &mut dyn Write| dump(&store, to, &seal, &dumping).map_err(io::Error::other);
        let snapshot = journal.snapshot(draft, filling).await;
        if snapshot.as_ref().is_err_and(SnapshotError::is_certain) {
            dumped.does_not_come();
        }
        snapshot?;
        self.settings.unkept.kept(before, at);
        self.settings.metrics.kept(clocks::reading().wall);
        Ok(())
    }
}

/// What is in a snapshot of namespaces that are flushed, by the number of its instant.
#[derive(Clone, Default)]
struct Dumped(Arc<Mutex<Vec<At>>>);

/// A namespace, at that number.
type At = (Arc<Space>, u64);

impl Dumped {
    fn add(&self, space: &Arc<Space>) -> Cut {
        let cut = Cut::to_keep(space);
        lock(&self.0).push((Arc::clone(space), cut.revision));
        cut
    }

    fn does_not_come(&self) {
        lock(&self.0).iter().for_each(|(space, cut)| space.uncut(*cut));
    }
}

/// All namespaces, and the entries of those that are durable.
fn dump(store: &Store, to: &mut dyn Write, seal: &Seal, dumped: &Dumped) -> Result<(), DumpError> {
    let anchor = Anchor {
        time: store.clock().now(),
        reading: clocks::reading(),
    };
    let mut dump = Dump::begin(to, seal, anchor.clone())?;
    dump.risen(store.numbers().promised())?;
    for space in store.spaces() {
        match space.durability() {
            Durability::Memory => dump.define(space.name(), &space.rules())?,
            Durability::Journal => dump.pages(&space, &anchor)?,
            Durability::Relaxed => dump.cut(dumped.add(&space), &anchor)?,
        }
    }
    dump.end().map(drop)
}
