//! Takes what has gathered to disk, round by round.

use std::sync::Arc;

use serde_json::{Value, json};
use tokio::sync::Mutex;
use triarch_supervision::prelude::*;

use super::message::{Order, Wanted};
use super::queue::{Queue, refuse_all};
use super::round::{self, Hand};
use crate::config::Config;
use crate::error::{OpenError, WriteError};
use crate::journal::{Journal, Seq};
use crate::metrics::Metrics;
use crate::recovery::{Recovered, Report};
use crate::sys::Disk;

/// What each incarnation of a scribe starts from.
#[derive(Clone, Debug)]
pub struct Settings {
    pub(crate) disk: Arc<dyn Disk>,
    pub(crate) config: Config,
    pub(crate) metrics: Metrics,
    pub(crate) queue: Arc<Queue>,
    /// Held where the journal is, which may be a thread that an incarnation before this one began.
    pub(crate) seat: Arc<Mutex<()>>,
}

/// Writes one journal. Each incarnation opens it anew and verifies it; an owner gets at it by
/// [`JournalAddress::recover`](crate::JournalAddress::recover).
#[derive(Debug)]
pub struct Scribe {
    settings: Settings,
    /// None from a failure of the disk until the journal is recovered.
    hand: Option<Hand>,
    /// What was read when this life began, until somebody owns it: nobody has written since.
    read: Option<Recovered>,
    report: Report,
    settled: Seq,
}

impl Agent for Scribe {
    type Message = Order;
    type Spec = Settings;

    async fn start(settings: Settings, _ctx: &mut Context<Self>) -> Result<Self, Failure> {
        let mut scribe = Self {
            settings,
            hand: None,
            read: None,
            report: Report::default(),
            settled: Seq::default(),
        };
        scribe.read = Some(scribe.open().await??);
        Ok(scribe)
    }

    async fn handle(&mut self, Order(wanted): Order, _ctx: &mut Context<Self>) -> Result<(), Failure> {
        match wanted {
            Wanted::Gather => {}
            Wanted::Recover(reply) => {
                self.write().await?;
                let recovered = self.recover().await?;
                let passed = recovered.map(|recovered| (self.settings.queue.open(), recovered));
                reply.send(passed.map_err(Arc::new));
            }
        }
        Ok(())
    }

    async fn idle(&mut self, ctx: &mut Context<Self>) -> Result<(), Failure> {
        self.write().await?;
        if !self.settings.queue.is_empty() {
            // Not in a loop: who recovers or stops it is served between rounds.
            ctx.address().try_send(Order(Wanted::Gather))?;
        }
        Ok(())
    }

    async fn stop(&mut self, _reason: &ExitReason, _ctx: &mut Context<Self>) {
        // The next incarnation says what was lost, if anything was.
        let _written = self.write().await;
    }

    fn state(&self) -> Option<Value> {
        Some(json!({
            "is_open": self.hand.is_some(),
            "settled": self.settled,
            "recovery": self.report,
        }))
    }
}

/// However an incarnation ends, nobody waits for it in vain.
impl Drop for Scribe {
    fn drop(&mut self) {
        refuse_all(self.settings.queue.shut(), &WriteError::Stale);
    }
}

impl Scribe {
    async fn open(&mut self) -> Result<Result<Recovered, OpenError>, Failure> {
        self.hand = None;
        let seat = Arc::clone(&self.settings.seat).lock_owned().await;
        let (disk, config) = (Arc::clone(&self.settings.disk), self.settings.config);
        let opening = tokio::task::spawn_blocking(move || {
            let (journal, recovered) = Journal::open(disk, config)?;
            Ok((Hand::new(journal, seat), recovered))
        });
        let opened: Result<(Hand, Recovered), OpenError> = opening.await?;
        Ok(opened.map(|(hand, recovered)| {
            self.settled = hand.journal.settled();
            self.hand = Some(hand);
            self.report = recovered.report.clone();
            self.settings.metrics.opened(&self.report);
            recovered
        }))
    }

    /// What is on disk, by the journal as it is, or opened again where it has failed.
    async fn recover(&mut self) -> Result<Result<Recovered, OpenError>, Failure> {
        let read = self.read.take();
        let Some(hand) = self.hand.take().filter(|hand| !hand.journal.is_closed()) else {
            return self.open().await;
        };
        if let Some(read) = read {
            self.hand = Some(hand);
            return Ok(Ok(read));
        }
        let reading = tokio::task::spawn_blocking(move || {
            let recovered = hand.journal.replay();
            (hand, recovered)
        });
        let (hand, recovered) = reading.await?;
        self.hand = Some(hand);
        Ok(recovered.map(|recovered| Recovered {
            report: self.report.clone(),
            ..recovered
        }))
    }

    async fn write(&mut self) -> Result<(), Failure> {
        let is_closed = self.hand.as_ref().is_some_and(|hand| hand.journal.is_closed());
        if self.settings.queue.is_empty() && !is_closed {
            return Ok(());
        }
        let Some(hand) = self.hand.take() else {
            refuse_all(self.settings.queue.shut(), &WriteError::Stale);
            return Ok(());
        };
        let (queue, metrics) = (Arc::clone(&self.settings.queue), self.settings.metrics.clone());
        let writing = tokio::task::spawn_blocking(move || round::write_all(hand, &queue, &metrics));
        self.hand = writing.await?;
        self.settled = self.hand.as_ref().map_or(self.settled, |hand| hand.journal.settled());
        Ok(())
    }
}
