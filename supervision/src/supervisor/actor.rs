//! The ractor actor around a supervisor's desk, and what it can be told.

use std::fmt;
use std::sync::Arc;

use ractor::{ActorId, ActorProcessingErr, ActorRef, SupervisionEvent};

use super::blueprint::Blueprint;
use super::desk::Desk;
use super::handle::{Added, ChildStatus};
use super::machine::{Adjustment, AdminError, Alarm, ChildKey, Counts, Incarnation};
use super::reception::{CallResult, Caller, Reception};
use crate::name::Name;
use crate::tree::{Node, Shared};

/// What a supervisor begins with.
pub(crate) struct Charge {
    pub(crate) node: Arc<Node>,
    pub(crate) incarnation: Incarnation,
    pub(crate) blueprint: Arc<Blueprint>,
    pub(crate) shared: Arc<Shared>,
    pub(crate) reception: Arc<Reception>,
    pub(crate) parent: Option<ActorRef<Order>>,
}

/// What a supervisor is told beside ractor's supervision events.
pub(crate) enum Order {
    Boot,
    /// Do the next portion of what was held back, once others have had their turn.
    GoOn,
    Add {
        spec: Added,
        caller: Caller<CallResult>,
    },
    /// Add these side by side, and start none of them yet.
    Place {
        specs: Vec<Added>,
        caller: Caller<CallResult>,
    },
    /// Start one of those, named with the number of its node.
    StartPlaced {
        child: (Name, u64),
        caller: Caller<CallResult>,
    },
    Terminate {
        name: Name,
        caller: Caller<CallResult>,
    },
    Restart {
        name: Name,
        caller: Caller<CallResult>,
    },
    Delete {
        name: Name,
        caller: Caller<CallResult>,
    },
    Retry {
        name: Name,
        caller: Caller<CallResult>,
    },
    /// Whoever added these has gone before all was up: they are named with the numbers of their nodes.
    Withdraw {
        children: Vec<(Name, u64)>,
    },
    KillChild {
        name: Name,
        caller: Caller<Result<(), AdminError>>,
    },
    List {
        caller: Caller<Vec<ChildStatus>>,
    },
    Count {
        caller: Caller<Counts>,
    },
    /// Bear other limits from now on.
    Adjust {
        adjustment: Adjustment,
        caller: Caller<()>,
    },
    /// Start the children in this order from the next life on.
    Arrange {
        order: Arc<[Name]>,
        caller: Caller<()>,
    },
    Alarm(Alarm),
    /// A child supervisor has started all of its children.
    ChildReady(ActorId),
    /// Look whether a killed incarnation is gone.
    CheckGone(ActorId),
    /// Look whether a start that is held back may begin.
    StartWhenVacant {
        key: ChildKey,
        incarnation: Incarnation,
    },
    Stuck {
        key: ChildKey,
        incarnation: Incarnation,
    },
    Stop,
}

impl fmt::Debug for Order {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Order")
    }
}

pub(crate) struct SupervisorActor;

impl ractor::Actor for SupervisorActor {
    type Msg = Order;
    type State = Box<Desk>;
    type Arguments = Charge;

    async fn pre_start(&self, myself: ActorRef<Order>, charge: Charge) -> Result<Box<Desk>, ActorProcessingErr> {
        charge.reception.fill(Some(myself.clone()));
        myself.cast(Order::Boot)?;
        Ok(Box::new(Desk::new(myself, charge)?))
    }

    async fn handle(
        &self,
        _myself: ActorRef<Order>,
        order: Order,
        desk: &mut Box<Desk>,
    ) -> Result<(), ActorProcessingErr> {
        if matches!(order, Order::GoOn) {
            tokio::task::yield_now().await;
        }
        desk.obey(order);
        desk.bear_crowd().await
    }

    fn handle_supervisor_evt(
        &self,
        _myself: ActorRef<Order>,
        event: SupervisionEvent,
        desk: &mut Box<Desk>,
    ) -> impl Future<Output = Result<(), ActorProcessingErr>> + Send {
        desk.hear(event);
        std::future::ready(Ok(()))
    }
}
