//! A checked supervisor, as a child of the root.

use std::any::Any;
use std::sync::{Arc, OnceLock};
use std::time::Duration;

use ractor::{ActorCell, ActorRef, SpawnErr};

use super::actor::{Charge, Order, SupervisorActor};
use super::blueprint::Blueprint;
use super::reception::{Part, Reception};
use crate::agent::OnStuck;
use crate::child::{ChildSpec, Spawned, Startable, spawn_linked};
use crate::name::Name;
use crate::policy::ChildPolicy;
use crate::tree::{Door, Level, Node, Shared};

/// A supervisor that can be started again and again; its static children keep their mailboxes meanwhile.
pub(crate) struct SupervisorSpec {
    pub(crate) node: Arc<Node>,
    pub(crate) own: ChildPolicy,
    pub(crate) reception: Arc<Reception>,
    blueprint: Arc<Blueprint>,
    shared: OnceLock<Arc<Shared>>,
}

impl SupervisorSpec {
    pub(crate) fn new(name: Name, own: ChildPolicy, blueprint: Arc<Blueprint>) -> Self {
        Self {
            node: Node::new(Level::Supervisor, name, "Supervisor"),
            own,
            reception: Arc::new(Reception::default()),
            blueprint,
            shared: OnceLock::new(),
        }
    }

    /// As a handle reaches it.
    pub(crate) fn part(&self) -> Part {
        Part {
            path: self.path(),
            reception: Arc::clone(&self.reception),
        }
    }

    /// As a child of the root.
    pub(crate) fn into_child(self) -> ChildSpec {
        ChildSpec {
            name: self.node.name.clone(),
            policy: Arc::new(self.own),
            child: Arc::new(self),
        }
    }

    fn path(&self) -> Arc<str> {
        Arc::from(self.node.name.as_str())
    }
}

impl Startable for SupervisorSpec {
    fn node(&self) -> &Arc<Node> {
        &self.node
    }

    fn join_tree(&self, _parent: Option<&str>, shared: &Arc<Shared>) {
        let path = self.path();
        if self.node.set_path(Arc::clone(&path)) {
            let _first = self.shared.set(Arc::clone(shared));
            shared.enlist(&self.node, Arc::clone(&self.reception) as Arc<dyn Door>);
            self.node.meters().bears(self.blueprint.policy().intensity);
            let children = self.blueprint.children();
            shared.make_room_for(children.len());
            for child in &*children {
                child.child.join_tree(Some(&path), shared);
            }
        }
    }

    fn leave_tree(&self) {
        for child in &*self.blueprint.children() {
            child.child.leave_tree();
        }
        if let Some(shared) = self.shared.get() {
            shared.strike(&self.node);
        }
    }

    fn spawn(self: Arc<Self>, parent: ActorCell, incarnation: u64) -> Result<Spawned, SpawnErr> {
        let Some(shared) = self.shared.get() else {
            return Err(SpawnErr::StartupFailed("it is part of no tree".into()));
        };
        let charge = Charge {
            node: Arc::clone(&self.node),
            incarnation,
            blueprint: Arc::clone(&self.blueprint),
            shared: Arc::clone(shared),
            reception: Arc::clone(&self.reception),
            parent: Some(ActorRef::<Order>::from(parent.clone())),
        };
        spawn_linked(SupervisorActor, charge, parent)
    }

    fn ask_to_stop(&self) {
        self.reception.order(Order::Stop);
    }

    fn ring(&self) {}

    fn starts_with_its_actor(&self) -> bool {
        false
    }

    /// ractor kills the children of a supervisor that was killed, and waits for none of them.
    fn is_vacant(&self) -> bool {
        self.blueprint.children().iter().all(|child| child.child.is_vacant())
    }

    /// What has outlived its last life holds up its own next life alone.
    fn may_start(&self) -> bool {
        true
    }

    fn budget(&self) -> Option<(Duration, OnStuck)> {
        None
    }
}

impl Door for Reception {
    fn ring(&self) {}

    fn as_any(self: Arc<Self>) -> Arc<dyn Any + Send + Sync> {
        self
    }
}
