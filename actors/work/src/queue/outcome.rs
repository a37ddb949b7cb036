//! What is told once it is on disk, and what happens where it is not.

use std::collections::VecDeque;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};

use tokio::sync::Notify;
use triarch_journal::{Seq, WriteError};
use triarch_supervision::sync::lock;

use super::award::Award;
use super::message::Answer;
use crate::error::Refusal;

type Call = Box<dyn FnOnce(Result<(), WriteError>) + Send>;

/// An answer that waits for the disk.
pub(super) struct Outcome(Call);

impl Outcome {
    fn of<T: Send + 'static>(answer: Answer<T>, done: T) -> Self {
        Self(Box::new(move |written| {
            answer.send(written.map(|()| done).map_err(Into::into));
        }))
    }

    /// What came of something, whichever it is.
    pub(super) fn with<T: Send + 'static>(answer: Answer<T>, came: Result<T, Refusal>) -> Self {
        match came {
            Ok(done) => Self::of(answer, done),
            Err(refusal) => Self::refused(answer, refusal),
        }
    }

    /// Claims. What is not written is not given back: nobody knows of those leases.
    pub(super) fn awarded(answer: Answer<Award>, award: Award) -> Self {
        Self(Box::new(move |written| match written {
            Ok(()) => answer.send(Ok(award)),
            Err(why) => {
                drop(award.take());
                answer.send(Err(why.into()));
            }
        }))
    }

    /// A refusal, which may rest on what was decided before it.
    pub(super) fn refused<T: Send + 'static>(answer: Answer<T>, refusal: Refusal) -> Self {
        Self(Box::new(move |written| {
            answer.send(Err(written.map_or_else(Into::into, |()| refusal.into())));
        }))
    }

    /// What is to be known once all before it is on disk.
    pub(super) fn known(tell: impl FnOnce() + Send + 'static) -> Self {
        Self(Box::new(move |written| {
            if written.is_ok() {
                tell();
            }
        }))
    }

    /// All that it may tell of is on disk.
    pub(super) fn succeed(self) {
        (self.0)(Ok(()));
    }

    /// What is to be called with what became of the write, and the other end of it, for where that is known at once.
    pub(super) fn when_written(
        outcomes: Vec<Self>,
        tell: impl FnOnce(Seq) + Send + 'static,
        broken: &Arc<Broken>,
        crossing: &Crossing,
    ) -> (Outcomes, impl FnOnce(Result<Seq, WriteError>) + Send + 'static) {
        let here = Outcomes(Arc::new(Mutex::new(outcomes)));
        let there = Outcomes(Arc::clone(&here.0));
        let (broken, crossing) = (Arc::clone(broken), crossing.clone());
        let then = move |written: Result<Seq, WriteError>| match written {
            Ok(upto) => {
                tell(upto);
                there.settle(&Ok(()));
                crossing.end();
            }
            Err(why) => {
                // Before the queue begins anew: whoever waits on is told by it then.
                drop(tell);
                broken.ring(&why);
                there.settle(&Err(why));
            }
        };
        (here, then)
    }
}

/// Answers that wait for one write.
pub(super) struct Outcomes(Arc<Mutex<Vec<Outcome>>>);

impl Outcomes {
    pub(super) fn fail(&self, why: WriteError) {
        self.settle(&Err(why));
    }

    fn settle(&self, written: &Result<(), WriteError>) {
        let outcomes = std::mem::take(&mut *lock(&self.0));
        for Outcome(call) in outcomes {
            call(written.clone());
        }
    }
}

/// What was handed to the journal and is not on disk. It does not end where something was not written: then it is another
/// one's turn, of tasks that are built anew.
#[derive(Clone, Debug, Default)]
pub(super) struct Crossing(Arc<AtomicUsize>);

impl Crossing {
    pub(super) fn begin(&self) {
        self.0.fetch_add(1, Ordering::AcqRel);
    }

    fn end(&self) {
        self.0.fetch_sub(1, Ordering::AcqRel);
    }

    /// How much there is of it.
    pub(super) fn count(&self) -> usize {
        self.0.load(Ordering::Acquire)
    }

    /// What can be taken back is what is not on disk.
    pub(super) fn forget_landed<T>(&self, undos: &mut VecDeque<T>) {
        let landed = undos.len().saturating_sub(self.count());
        drop(undos.drain(..landed));
    }

    /// Whether all that was decided is on disk.
    pub(super) fn is_over(&self) -> bool {
        self.count() == 0
    }
}

/// Raised where something was not written.
#[derive(Debug, Default)]
pub(super) struct Broken {
    why: Mutex<Option<String>>,
    bell: Notify,
}

impl Broken {
    pub(super) fn ring(&self, why: &WriteError) {
        let source = std::error::Error::source(why);
        let told = source.map_or_else(|| why.to_string(), |source| format!("{why}: {source}"));
        lock(&self.why).get_or_insert(told);
        self.bell.notify_one();
    }

    /// Why, if it was raised since this was last asked.
    pub(super) fn take(&self) -> Option<String> {
        lock(&self.why).take()
    }

    /// Returns when it is raised.
    pub(super) async fn rings(&self) {
        self.bell.notified().await;
    }
}
