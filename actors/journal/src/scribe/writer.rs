//! What those hold who write.

use std::fmt;
use std::future::Future;
use std::io::Write;
use std::pin::Pin;
use std::sync::{Arc, Mutex};
use std::task::{Context as TaskContext, Poll};

use tokio::sync::oneshot;
use triarch_supervision::prelude::*;
use triarch_supervision::sync::lock;

use super::message::{Order, Wanted};
use super::queue::{Entry, Pass, Queue, Then};
use crate::config::{Config, RECORD_WEIGHT, together};
use crate::error::{AppendError, RecoverError, SnapshotError, WriteError};
use crate::journal::Seq;
use crate::recovery::Recovered;
use crate::snapshot::Draft;

/// Records that are acknowledged together: one, or several in their order.
///
/// Each record is written whole or not at all. Of several that were not acknowledged a power cut may leave the first
/// ones; what must not be taken apart is one record.
#[derive(Debug)]
pub struct Batch(pub(super) Vec<Vec<u8>>);

impl Batch {
    pub(crate) fn weight(&self) -> usize {
        self.0.iter().map(|record| record.len() + RECORD_WEIGHT).sum()
    }

    fn check(&self, config: &Config) -> Result<(), WriteError> {
        let bytes = together(self.0.iter().map(Vec::len));
        if !config.fits(bytes) {
            let most = config.record_bytes_max;
            return Err(AppendError::TooLarge { bytes, most }.into());
        }
        Ok(())
    }
}

impl From<Vec<u8>> for Batch {
    fn from(record: Vec<u8>) -> Self {
        Self(vec![record])
    }
}

impl From<Vec<Vec<u8>>> for Batch {
    fn from(records: Vec<Vec<u8>>) -> Self {
        Self(records)
    }
}

/// Where a journal is recovered, by whoever owns it; valid through all restarts of its scribe.
#[derive(Clone, Debug)]
pub struct JournalAddress {
    pub(crate) scribe: Address<Order>,
    pub(crate) queue: Arc<Queue>,
    pub(crate) config: Config,
}

impl JournalAddress {
    /// How the journal is kept: [`Config::fits`] says what is small enough to be written.
    pub const fn config(&self) -> &Config {
        &self.config
    }

    /// What the journal holds, and the right to write it, which whoever had it before has no more. Where the journal
    /// has failed it is opened again and verified first.
    pub async fn recover(&self) -> Result<(Writer, Recovered), RecoverError> {
        let answer = self.scribe.ask(|reply| Order(Wanted::Recover(reply))).await;
        let (pass, recovered) = answer.map_err(RecoverError::Scribe)?.map_err(RecoverError::Open)?;
        let writer = Writer {
            address: self.clone(),
            pass: Arc::new(Mutex::new(pass)),
        };
        Ok((writer, recovered))
    }
}

/// Writes a journal, from one [recovery](JournalAddress::recover) to the next. Clones write the same journal by the
/// same right.
#[derive(Clone, Debug)]
pub struct Writer {
    address: JournalAddress,
    pass: Arc<Mutex<Pass>>,
}

impl Writer {
    /// How the journal is kept: [`Config::fits`] and [`Config::fits_together`] say what is small enough to be written, and
    /// what they say yes to is never refused as [too large](AppendError::TooLarge).
    pub const fn config(&self) -> &Config {
        self.address.config()
    }

    /// Returns once it is on disk, with the number of the last record.
    pub async fn write(&self, batch: impl Into<Batch>) -> Result<Seq, WriteError> {
        self.hand_over(batch).await?.await
    }

    /// Returns once it is queued, behind all that was queued before; held back while too much is.
    pub async fn hand_over(&self, batch: impl Into<Batch>) -> Result<Ack<Seq>, WriteError> {
        let (then, ack) = acknowledged();
        self.write_then(batch, then).await?;
        Ok(ack)
    }

    /// The same, and `then` is called once it is on disk or it is known that it will not be. It runs where the disk is
    /// written: it must be short, and must not block.
    pub async fn write_then(
        &self,
        batch: impl Into<Batch>,
        then: impl FnOnce(Result<Seq, WriteError>) + Send + 'static,
    ) -> Result<(), WriteError> {
        let batch = batch.into();
        batch.check(&self.address.config)?;
        let room = self.address.queue.room(&batch).await?;
        let then = Then::new(then);
        self.push(Entry::Write {
            batch,
            then,
            _room: room,
        })
    }

    /// As [`Writer::hand_over`], and [`WriteError::Busy`] where that would wait.
    pub fn try_hand_over(&self, batch: impl Into<Batch>) -> Result<Ack<Seq>, WriteError> {
        let (then, ack) = acknowledged();
        self.try_write_then(batch, then)?;
        Ok(ack)
    }

    /// As [`Writer::write_then`], and [`WriteError::Busy`] where that would wait.
    pub fn try_write_then(
        &self,
        batch: impl Into<Batch>,
        then: impl FnOnce(Result<Seq, WriteError>) + Send + 'static,
    ) -> Result<(), WriteError> {
        let batch = batch.into();
        batch.check(&self.address.config)?;
        let room = self.address.queue.room_now(&batch)?;
        let then = Then::new(then);
        self.push(Entry::Write {
            batch,
            then,
            _room: room,
        })
    }

    /// Queues a new segment, behind all that was handed over before this call: what that came to, as it is now, is what
    /// [`Writer::snapshot`] may be given with the draft. [`WriteError::Kept`] where there is such a snapshot already.
    pub fn rotate(&self) -> Result<Ack<Draft>, WriteError> {
        let (reply, ack) = oneshot::channel();
        self.push(Entry::Rotate(reply))?;
        Ok(Ack(ack))
    }

    /// Writes a snapshot beside the journal, which goes on meanwhile, and removes what it stands for: at once, or where the
    /// journal was recovered or has failed meanwhile, with its next commit or opening. `fill` may block.
    pub async fn snapshot(
        &self,
        draft: Draft,
        fill: impl FnOnce(&mut dyn Write) -> std::io::Result<()> + Send + 'static,
    ) -> Result<(), SnapshotError> {
        let writing = tokio::task::spawn_blocking(move || draft.write(fill));
        let written = writing.await;
        let written = written.map_err(|gone| SnapshotError::Crashed { why: gone.to_string() })?;
        let written = written.inspect_err(|_| self.ring())?;
        let (reply, ack) = oneshot::channel();
        // Where whoever wrote it has no right any more, it has its name all the same, and is found by that.
        let Ok(()) = self.push(Entry::Install(written, reply)) else {
            return Ok(());
        };
        ack.await.unwrap_or(Err(WriteError::Crashed.into()))
    }

    /// Goes on after [`WriteError::Full`]: whoever calls this has taken back whatever it had not been told is on disk.
    /// After any other failure the journal has to be recovered.
    pub fn renew(&self) -> Result<(), WriteError> {
        let mut pass = lock(&self.pass);
        *pass = self.address.queue.renewed(*pass)?;
        Ok(())
    }

    /// Has the scribe look at what there is.
    fn ring(&self) {
        // Where its mailbox is full it is busy, and looks before it rests.
        let _rung = self.address.scribe.try_send(Order(Wanted::Gather));
    }

    fn push(&self, entry: Entry) -> Result<(), WriteError> {
        let pass = *lock(&self.pass);
        match self.address.queue.push(pass, entry) {
            Ok(is_first) => {
                if is_first {
                    self.ring();
                }
                Ok(())
            }
            Err((why, Entry::Write { then, .. })) => {
                then.forget();
                Err(why)
            }
            Err((why, _)) => Err(why),
        }
    }
}

/// An acknowledgement that is to come. Whoever drops it takes nothing back.
#[must_use = "what is handed over is not on disk before this says so"]
pub struct Ack<T>(oneshot::Receiver<Result<T, WriteError>>);

impl<T> Future for Ack<T> {
    type Output = Result<T, WriteError>;

    fn poll(mut self: Pin<&mut Self>, cx: &mut TaskContext<'_>) -> Poll<Self::Output> {
        let answer = Pin::new(&mut self.0).poll(cx);
        answer.map(|answer| answer.unwrap_or(Err(WriteError::Crashed)))
    }
}

impl<T> fmt::Debug for Ack<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Ack").finish_non_exhaustive()
    }
}

fn acknowledged() -> (impl FnOnce(Result<Seq, WriteError>) + Send + 'static, Ack<Seq>) {
    let (tell, ack) = oneshot::channel();
    let then = move |outcome| drop(tell.send(outcome));
    (then, Ack(ack))
}
