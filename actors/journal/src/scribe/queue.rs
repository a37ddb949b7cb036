//! What writers hand over and the scribe takes: in order, bounded by bytes.

use std::collections::VecDeque;
use std::fmt;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard};

use tokio::sync::{OwnedSemaphorePermit, Semaphore, oneshot};

use triarch_supervision::sync::lock;

use super::writer::Batch;
use crate::error::{CommitError, SnapshotError, WriteError};
use crate::journal::Seq;
use crate::snapshot::{Draft, Written};

/// The right to write: of one recovery, and since the last time the disk was full.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Pass {
    life: u64,
    turn: u64,
}

/// What lies in the queue.
pub(crate) enum Entry {
    Write {
        batch: Batch,
        then: Then,
        _room: OwnedSemaphorePermit,
    },
    Rotate(oneshot::Sender<Result<Draft, WriteError>>),
    Install(Written, oneshot::Sender<Result<(), SnapshotError>>),
}

impl Entry {
    pub(crate) fn refuse(self, why: WriteError) {
        match self {
            Self::Write { then, .. } => then.settle(Err(why)),
            Self::Rotate(reply) => drop(reply.send(Err(why))),
            // It has its name, by which the journal takes it up with its next commit, or when it is opened again.
            Self::Install(_, reply) => drop(reply.send(Ok(()))),
        }
    }
}

type Call = Box<dyn FnOnce(Result<Seq, WriteError>) + Send>;

/// What happens once it is known what became of a write. One that is dropped says that the scribe has failed.
pub(crate) struct Then(Option<Call>);

impl Then {
    pub(crate) fn new(call: impl FnOnce(Result<Seq, WriteError>) + Send + 'static) -> Self {
        Self(Some(Box::new(call)))
    }

    pub(crate) fn settle(mut self, outcome: Result<Seq, WriteError>) {
        match (self.0.take(), outcome) {
            (Some(call), Ok(seq)) => call(Ok(seq)),
            (Some(call), Err(why)) => refuse(call, why),
            (None, _) => {}
        }
    }

    /// Calls nobody: whoever handed it over is told otherwise.
    pub(crate) fn forget(mut self) {
        self.0 = None;
    }
}

impl Drop for Then {
    fn drop(&mut self) {
        if let Some(call) = self.0.take() {
            refuse(call, WriteError::Crashed);
        }
    }
}

/// It may run where something else has failed already: there a panic would end the process.
fn refuse(call: Call, why: WriteError) {
    let _panicked = catch_unwind(AssertUnwindSafe(|| call(Err(why))));
}

/// Shared by a scribe and all who write.
pub(crate) struct Queue {
    inner: Mutex<Inner>,
    /// How many there are, for who looks often.
    length: AtomicUsize,
    room: Arc<Semaphore>,
    bytes_max: usize,
}

impl fmt::Debug for Queue {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Queue")
            .field("waiting", &self.lock().entries.len())
            .finish_non_exhaustive()
    }
}

struct Inner {
    /// The present right to write; nobody has it while there is no scribe that could.
    pass: Pass,
    is_open: bool,
    /// Why the turn before this one ended.
    full: Option<Arc<CommitError>>,
    entries: VecDeque<Entry>,
}

impl Queue {
    pub(crate) fn new(bytes_max: usize) -> Self {
        Self {
            inner: Mutex::new(Inner {
                pass: Pass { life: 0, turn: 0 },
                is_open: false,
                full: None,
                entries: VecDeque::new(),
            }),
            length: AtomicUsize::new(0),
            room: Arc::new(Semaphore::new(bytes_max)),
            bytes_max,
        }
    }

    fn lock(&self) -> MutexGuard<'_, Inner> {
        lock(&self.inner)
    }

    fn weight(&self, batch: &Batch) -> u32 {
        u32::try_from(batch.weight().min(self.bytes_max)).unwrap_or(u32::MAX)
    }

    /// Room for a batch, once there is.
    pub(crate) async fn room(&self, batch: &Batch) -> Result<OwnedSemaphorePermit, WriteError> {
        let room = Arc::clone(&self.room).acquire_many_owned(self.weight(batch)).await;
        room.map_err(|_never_closed| WriteError::Stale)
    }

    /// Room for a batch, if there is.
    pub(crate) fn room_now(&self, batch: &Batch) -> Result<OwnedSemaphorePermit, WriteError> {
        let room = Arc::clone(&self.room).try_acquire_many_owned(self.weight(batch));
        room.map_err(|_full| WriteError::Busy)
    }

    /// Puts an entry behind all others; says whether it is the first. An entry without the right to write comes back.
    pub(crate) fn push(&self, pass: Pass, entry: Entry) -> Result<bool, (WriteError, Entry)> {
        let mut inner = self.lock();
        if let Err(why) = inner.admits(pass, &entry) {
            drop(inner);
            return Err((why, entry));
        }
        inner.entries.push_back(entry);
        self.length.store(inner.entries.len(), Ordering::Release);
        Ok(inner.entries.len() == 1)
    }

    /// All that has gathered.
    pub(crate) fn take(&self) -> VecDeque<Entry> {
        self.emptied(&mut self.lock())
    }

    fn emptied(&self, inner: &mut Inner) -> VecDeque<Entry> {
        self.length.store(0, Ordering::Release);
        std::mem::take(&mut inner.entries)
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.length.load(Ordering::Acquire) == 0
    }

    /// The right to write after `pass`, unless something but want of space has come between.
    pub(crate) fn renewed(&self, pass: Pass) -> Result<Pass, WriteError> {
        let inner = self.lock();
        if !inner.is_open || inner.pass.life != pass.life {
            return Err(WriteError::Stale);
        }
        Ok(inner.pass)
    }

    /// A new owner may write, and nobody else.
    pub(crate) fn open(&self) -> Pass {
        let (pass, stale) = {
            let mut inner = self.lock();
            inner.pass = Pass {
                life: inner.pass.life + 1,
                turn: 0,
            };
            inner.is_open = true;
            inner.full = None;
            (inner.pass, self.emptied(&mut inner))
        };
        refuse_all(stale, &WriteError::Stale);
        pass
    }

    /// Nobody may write until the journal is recovered. What waits comes back, to be refused.
    #[must_use]
    pub(crate) fn shut(&self) -> VecDeque<Entry> {
        let mut inner = self.lock();
        inner.is_open = false;
        self.emptied(&mut inner)
    }

    /// The disk is full: whoever goes on says so first. What waits comes back, to be refused.
    #[must_use]
    pub(crate) fn end_turn(&self, why: &Arc<CommitError>) -> VecDeque<Entry> {
        let mut inner = self.lock();
        inner.pass.turn += 1;
        inner.full = Some(Arc::clone(why));
        self.emptied(&mut inner)
    }
}

impl Inner {
    fn admits(&self, pass: Pass, entry: &Entry) -> Result<(), WriteError> {
        if !self.is_open || pass.life != self.pass.life {
            return Err(WriteError::Stale);
        }
        match &self.full {
            // A snapshot that is taken up writes no record, and makes room.
            Some(why) if pass.turn != self.pass.turn && !matches!(entry, Entry::Install(..)) => {
                Err(WriteError::Full(Arc::clone(why)))
            }
            _ => Ok(()),
        }
    }
}

/// In their order, and outside the lock: what they call may write again.
pub(crate) fn refuse_all(entries: VecDeque<Entry>, why: &WriteError) {
    for entry in entries {
        entry.refuse(why.clone());
    }
}
