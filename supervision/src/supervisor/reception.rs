//! Where supervisors are reached, whichever life they are in.

use std::collections::HashSet;
use std::sync::{Arc, Mutex, OnceLock};

use ractor::ActorRef;
use tokio::sync::{OwnedSemaphorePermit, Semaphore, oneshot};

use super::actor::Order;
use super::handle::CallError;
use super::machine::{AdminError, Outcome};
use crate::name::Name;
use crate::sync::lock;

/// How many calls may wait for one supervisor.
const CALLS: usize = 1024;

/// How many calls may be under way beside those, of the kind that only looks, or takes away what others wait for.
const RESERVE: usize = 16;

/// Where the present incarnation of a supervisor is reached.
#[derive(Debug)]
pub(crate) struct Reception {
    present: Mutex<Option<ActorRef<Order>>>,
    calls: Arc<Semaphore>,
    reserve: Arc<Semaphore>,
    split: OnceLock<Split>,
}

impl Default for Reception {
    fn default() -> Self {
        Self {
            present: Mutex::new(None),
            calls: Arc::new(Semaphore::new(CALLS)),
            reserve: Arc::new(Semaphore::new(RESERVE)),
            split: OnceLock::new(),
        }
    }
}

impl Reception {
    pub(crate) fn fill(&self, actor: Option<ActorRef<Order>>) {
        *lock(&self.present) = actor;
    }

    /// The actor of the present incarnation.
    #[cfg(all(test, not(shuttle)))]
    pub(crate) fn cell(&self) -> Option<ractor::ActorCell> {
        lock(&self.present).as_ref().map(ActorRef::get_cell)
    }

    /// Orders something of the present incarnation; returns whether there is one.
    pub(crate) fn order(&self, order: Order) -> bool {
        let present = lock(&self.present).clone();
        present.is_some_and(|actor| actor.cast(order).is_ok())
    }

    /// This is the first part of a team that was split; it is told of the others once.
    pub(super) fn lead(&self, others: Box<[Part]>, stops_at_once: bool) {
        let _first = self.split.set(Split {
            others,
            stops_at_once,
            coming: Arc::default(),
        });
    }

    pub(crate) fn split(&self) -> Option<&Split> {
        self.split.get()
    }
}

/// What the first part of a team that was split knows of it.
#[derive(Debug)]
pub(crate) struct Split {
    others: Box<[Part]>,
    stops_at_once: bool,
    /// Names of children that are being added to some part.
    coming: Arc<Mutex<HashSet<Name>>>,
}

impl Split {
    pub(crate) fn others(&self) -> &[Part] {
        &self.others
    }

    /// Whether the parts stop at once, and not from right to left.
    pub(super) fn stops_at_once(&self) -> bool {
        self.stops_at_once
    }

    /// Keeps a name from being given twice at the same time; `None` where it is.
    pub(super) fn reserve(&self, name: &Name) -> Option<Reserved> {
        let is_free = lock(&self.coming).insert(name.clone());
        is_free.then(|| Reserved {
            name: name.clone(),
            coming: Arc::clone(&self.coming),
        })
    }
}

/// A name that is being given.
#[derive(Debug)]
pub(super) struct Reserved {
    name: Name,
    coming: Arc<Mutex<HashSet<Name>>>,
}

impl Drop for Reserved {
    fn drop(&mut self) {
        lock(&self.coming).remove(&self.name);
    }
}

/// One supervisor as a handle reaches it.
#[derive(Clone, Debug)]
pub(crate) struct Part {
    pub(super) path: Arc<str>,
    pub(super) reception: Arc<Reception>,
}

impl Part {
    pub(crate) fn path(&self) -> &str {
        &self.path
    }

    pub(super) fn down(&self) -> CallError {
        CallError::Down {
            supervisor: Arc::clone(&self.path),
        }
    }

    pub(super) async fn call<T>(&self, order: impl FnOnce(Caller<T>) -> Order) -> Result<T, CallError> {
        self.call_for(None, order).await
    }

    /// A call that others, which may wait for long, are not to keep away.
    pub(super) async fn call_first<T>(&self, order: impl FnOnce(Caller<T>) -> Order) -> Result<T, CallError> {
        let (calls, reserve) = (&self.reception.calls, &self.reception.reserve);
        let place = tokio::select! {
            biased;
            place = Arc::clone(calls).acquire_owned() => place,
            place = Arc::clone(reserve).acquire_owned() => place,
        };
        self.answered(place.map_err(|_| self.down())?, None, order).await
    }

    /// A call that keeps a name reserved until it is answered.
    pub(super) async fn call_for<T>(
        &self,
        name: Option<Reserved>,
        order: impl FnOnce(Caller<T>) -> Order,
    ) -> Result<T, CallError> {
        let calls = Arc::clone(&self.reception.calls);
        let place = calls.acquire_owned().await.map_err(|_| self.down())?;
        self.answered(place, name, order).await
    }

    async fn answered<T>(
        &self,
        place: OwnedSemaphorePermit,
        name: Option<Reserved>,
        order: impl FnOnce(Caller<T>) -> Order,
    ) -> Result<T, CallError> {
        let (back, answer) = oneshot::channel();
        let caller = Caller {
            back,
            _place: place,
            _name: name,
        };
        if !self.reception.order(order(caller)) {
            return Err(self.down());
        }
        answer.await.map_err(|_| self.down())
    }
}

/// What came of a call that changes the children.
pub(super) type CallResult = Result<Outcome, AdminError>;

/// Who waits for the answer to a call.
pub(crate) struct Caller<T> {
    back: oneshot::Sender<T>,
    /// The call's place among those that may wait: a caller that goes away leaves its order behind.
    _place: OwnedSemaphorePermit,
    _name: Option<Reserved>,
}

impl<T> Caller<T> {
    pub(super) fn answer(self, answer: T) {
        // One that gave up needs none.
        let _unread = self.back.send(answer);
    }
}
