//! Asking a supervisor for changes of its children.

use std::sync::{Arc, Mutex, PoisonError};

use ractor::ActorRef;
use serde::Serialize;
use tokio::sync::{OwnedSemaphorePermit, Semaphore, oneshot};

use super::actor::Order;
use super::machine::{AdminError, ChildState, Counts, Incarnation, Outcome};
use crate::address::Address;
use crate::agent::Agent;
use crate::child::{Child, ChildSpec};
use crate::error::BuildError;
use crate::name::{Name, NameError};
use crate::policy::ChildPolicy;

/// How many calls may wait for one supervisor.
const CALLS: usize = 1024;

/// Where the present incarnation of a supervisor is reached.
#[derive(Debug)]
pub(crate) struct Slot {
    present: Mutex<Option<ActorRef<Order>>>,
    calls: Arc<Semaphore>,
}

impl Default for Slot {
    fn default() -> Self {
        Self {
            present: Mutex::new(None),
            calls: Arc::new(Semaphore::new(CALLS)),
        }
    }
}

impl Slot {
    pub(crate) fn fill(&self, actor: Option<ActorRef<Order>>) {
        *self.present.lock().unwrap_or_else(PoisonError::into_inner) = actor;
    }

    /// The actor of the present incarnation.
    #[cfg(test)]
    pub(crate) fn cell(&self) -> Option<ractor::ActorCell> {
        let present = self.present.lock().unwrap_or_else(PoisonError::into_inner);
        present.as_ref().map(ActorRef::get_cell)
    }

    /// Orders something of the present incarnation; returns whether there is one.
    pub(crate) fn order(&self, order: Order) -> bool {
        let present = self.present.lock().unwrap_or_else(PoisonError::into_inner).clone();
        present.is_some_and(|actor| actor.cast(order).is_ok())
    }
}

/// Why a supervisor did not do what it was asked for.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum CallError {
    /// The child cannot be built as described.
    #[error(transparent)]
    Build(#[from] BuildError),
    /// The supervisor refused.
    #[error(transparent)]
    Refused(#[from] AdminError),
    /// It is down at the moment, or has left the tree.
    #[error("supervisor {supervisor} is down; ask again when its parent has restarted it")]
    Down {
        /// Its path.
        supervisor: Arc<str>,
    },
}

impl From<NameError> for CallError {
    fn from(error: NameError) -> Self {
        Self::Build(BuildError::Name(error))
    }
}

/// One child as its supervisor shows it.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct ChildStatus {
    /// Its name.
    pub name: Name,
    /// Where it stands.
    pub state: ChildState,
    /// The incarnation that exists, if one does.
    pub incarnation: Option<Incarnation>,
    /// How often it was started again.
    pub restarts: u32,
    /// What its specification says of its life.
    pub policy: ChildPolicy,
}

/// The way to one supervisor, through all its restarts.
#[derive(Clone, Debug)]
pub struct SupervisorHandle {
    path: Arc<str>,
    slot: Arc<Slot>,
}

impl SupervisorHandle {
    pub(crate) fn new(path: Arc<str>, slot: Arc<Slot>) -> Self {
        Self { path, slot }
    }

    /// Its place in the tree.
    pub fn path(&self) -> Arc<str> {
        Arc::clone(&self.path)
    }

    /// Adds a child at the right end and starts it; returns when it has started. A child whose start fails is
    /// not kept; one that declines is listed without an incarnation.
    pub async fn start_child<A: Agent>(&self, child: Child<A>) -> Result<Address<A::Message>, CallError> {
        let address = child.address();
        let spec = child.build(None)?;
        self.call(|reply| Order::Add { spec, reply }).await??;
        Ok(address)
    }

    /// Stops a child; its specification is kept, unless it is temporary or dynamic.
    pub async fn terminate_child(&self, name: &str) -> Result<(), CallError> {
        let name = Name::new(name)?;
        self.call(|reply| Order::Terminate { name, reply }).await??;
        Ok(())
    }

    /// Starts a child that is down.
    pub async fn restart_child(&self, name: &str) -> Result<Outcome, CallError> {
        let name = Name::new(name)?;
        Ok(self.call(|reply| Order::Restart { name, reply }).await??)
    }

    /// Forgets the specification of a child that is down, and closes its mailbox.
    pub async fn delete_child(&self, name: &str) -> Result<(), CallError> {
        let name = Name::new(name)?;
        self.call(|reply| Order::Delete { name, reply }).await??;
        Ok(())
    }

    /// Starts a child that is in quarantine, with a clean record.
    pub async fn retry_child(&self, name: &str) -> Result<Outcome, CallError> {
        let name = Name::new(name)?;
        Ok(self.call(|reply| Order::Retry { name, reply }).await??)
    }

    /// Kills a child as if from outside: it fails, and what follows is the supervisor's decision.
    pub async fn kill_child(&self, name: &str) -> Result<(), CallError> {
        let name = Name::new(name)?;
        self.call(|reply| Order::KillChild { name, reply }).await??;
        Ok(())
    }

    /// Its children in start order.
    pub async fn which_children(&self) -> Result<Vec<ChildStatus>, CallError> {
        self.call(|reply| Order::List { reply }).await
    }

    /// How many children it has, by state.
    pub async fn count_children(&self) -> Result<Counts, CallError> {
        self.call(|reply| Order::Count { reply }).await
    }

    /// What the specification of one child says.
    pub async fn child_policy(&self, name: &str) -> Result<ChildPolicy, CallError> {
        let children = self.which_children().await?;
        let found = children.into_iter().find(|child| child.name.as_str() == name);
        found.map(|child| child.policy).ok_or_else(|| {
            AdminError::NotFound {
                child: Name::unchecked(name),
            }
            .into()
        })
    }

    async fn call<T>(&self, order: impl FnOnce(Reply<T>) -> Order) -> Result<T, CallError> {
        let down = || CallError::Down {
            supervisor: self.path(),
        };
        let place = Arc::clone(&self.slot.calls).acquire_owned().await.map_err(|_| down())?;
        let (back, answer) = oneshot::channel();
        if !self.slot.order(order(Reply { back, _place: place })) {
            return Err(down());
        }
        answer.await.map_err(|_| down())
    }
}

/// What came of a call that changes the children.
pub(super) type Answer = Result<Outcome, AdminError>;

/// The way back to the caller.
pub(crate) struct Reply<T> {
    back: oneshot::Sender<T>,
    /// The call's place among those that may wait: a caller that goes away leaves its order behind.
    _place: OwnedSemaphorePermit,
}

impl<T> Reply<T> {
    pub(super) fn send(self, value: T) {
        // A caller that gave up needs no answer.
        let _unread = self.back.send(value);
    }
}

/// A checked child on its way to the supervisor.
pub(super) type Added = ChildSpec;
