//! What a supervisor works with: its machine, its children in their seats, and who waits for an answer.
//!
//! Whatever comes becomes an input of the machine, and what the machine decides is performed before it is given
//! the next.

mod calls;
mod children;
mod effects;
mod seat;

use std::collections::VecDeque;
use std::sync::Arc;
use std::sync::atomic::Ordering;

use foldhash::HashMap;
use ractor::{ActorId, ActorProcessingErr, ActorRef, SupervisionEvent};

use self::seat::{Present, Seat};
use super::actor::{Charge, Order};
use super::machine::{CallId, ChildKey, Effect, Incarnation, Input, Machine, Request};
use super::slot::{Answer, Reply};
use crate::clock::{Moment, Seeded};
use crate::time::{Due, Key, start_keeper};
use crate::tree::Phase;

/// A supervisor at work.
pub(crate) struct Desk {
    machine: Machine,
    charge: Charge,
    path: Arc<str>,
    myself: ActorRef<Order>,
    seats: HashMap<ChildKey, Seat>,
    by_actor: HashMap<ActorId, ChildKey>,
    calls: HashMap<CallId, Reply<Answer>>,
    chance: Seeded,
    /// Who keeps the tree's time, where this is the root's desk.
    keeper: Option<ActorId>,
    inputs: VecDeque<Input>,
    effects: Vec<Effect>,
    /// When the input under way came.
    now: Moment,
    last_key: u64,
    last_call: u64,
}

impl Desk {
    pub(super) fn new(myself: ActorRef<Order>, charge: Charge) -> Result<Self, ActorProcessingErr> {
        let numbered = || (1..).map(ChildKey).zip(&*charge.children);
        let specs = numbered()
            .map(|(key, spec)| (key, spec.name.clone(), *spec.policy))
            .collect();
        let mut machine = Machine::new(charge.policy, specs)?;
        for (key, spec) in numbered() {
            // A child's lives are numbered through all lives of its supervisor.
            machine.continue_numbering(key, spec.child.node().incarnation.load(Ordering::Acquire));
        }
        for (_, spec) in numbered() {
            // One that its supervisor's last life has forgotten is part of the tree again.
            spec.child.join_tree(Some(&charge.node.path()), &charge.shared);
        }
        let seats = numbered()
            .map(|(key, spec)| (key, Seat::new(Arc::clone(&spec.child), true)))
            .collect();
        Ok(Self {
            machine,
            path: charge.node.path(),
            myself,
            seats,
            by_actor: HashMap::default(),
            calls: HashMap::default(),
            chance: charge.shared.seeded(),
            keeper: None,
            inputs: VecDeque::new(),
            now: Moment::now(),
            effects: Vec::new(),
            last_key: charge.children.len() as u64,
            last_call: 0,
            charge,
        })
    }

    pub(super) async fn obey(&mut self, order: Order) {
        match order {
            Order::Boot => self.boot().await,
            Order::Add { spec, reply } => self.add(spec, reply).await,
            Order::Terminate { name, reply } => self.request(Request::TerminateChild(name), reply).await,
            Order::Restart { name, reply } => self.request(Request::RestartChild(name), reply).await,
            Order::Delete { name, reply } => self.request(Request::DeleteChild(name), reply).await,
            Order::Retry { name, reply } => self.request(Request::RetryChild(name), reply).await,
            Order::KillChild { name, reply } => reply.send(self.kill_from_outside(name)),
            Order::List { reply } => reply.send(self.list()),
            Order::Count { reply } => reply.send(self.machine.counts()),
            Order::Alarm(alarm) => self.feed(Input::Alarm(alarm)).await,
            Order::ChildReady(actor) => self.child_ready(actor).await,
            Order::CheckGone(actor) => self.check_gone(actor).await,
            Order::Stuck { key, incarnation } => self.feed(Input::Stuck { key, incarnation }).await,
            Order::Stop => {
                self.charge
                    .node
                    .enter(Phase::Stopping, self.charge.incarnation, None, Moment::now());
                self.feed(Input::Stop).await;
            }
        }
    }

    async fn boot(&mut self) {
        if self.charge.parent.is_none() && !self.keep_time().await {
            return self.feed(Input::Stop).await;
        }
        self.feed(Input::Boot).await;
    }

    /// Has the tree's time kept from now on, as is the root's business; returns whether it is.
    async fn keep_time(&mut self) -> bool {
        let started = start_keeper(Arc::clone(&self.charge.shared), self.myself.get_cell()).await;
        self.keeper = started.ok();
        self.keeper.is_some()
    }

    /// What ractor tells of the children's actors.
    pub(super) async fn hear(&mut self, event: SupervisionEvent) {
        match event {
            SupervisionEvent::ActorStarted(actor) => self.actor_started(actor.get_id()).await,
            SupervisionEvent::ActorTerminated(actor, ..) | SupervisionEvent::ActorFailed(actor, _) => {
                if self.keeper == Some(actor.get_id()) {
                    // Where no other can be started, the root itself is ending, and needs none.
                    let _kept = self.keep_time().await;
                }
                self.check_gone(actor.get_id()).await;
            }
            SupervisionEvent::ProcessGroupChanged(_) => {}
        }
    }

    async fn feed(&mut self, input: Input) {
        self.inputs.push_back(input);
        while let Some(input) = self.inputs.pop_front() {
            self.now = Moment::now();
            self.machine.step(input, self.now, &mut self.chance, &mut self.effects);
            let mut effects = std::mem::take(&mut self.effects);
            for effect in effects.drain(..) {
                self.perform(effect).await;
            }
            self.effects = effects;
        }
    }

    fn present(&self, key: ChildKey, incarnation: Incarnation) -> Option<(&Seat, &Present)> {
        let seat = self.seats.get(&key)?;
        let present = seat
            .present
            .as_ref()
            .filter(|present| present.incarnation == incarnation)?;
        Some((seat, present))
    }

    fn later(&self, at: Moment, order: Order) -> Key {
        let myself = self.myself.clone();
        let call = move || {
            // A supervisor that is gone needs no reminder.
            let _sent = myself.cast(order);
        };
        self.charge.shared.timekeeper.arm(at, Due::Call(Box::new(call)))
    }
}

impl Drop for Desk {
    /// A supervisor that is killed says no farewell; those it took in at run time leave the tree all the same.
    fn drop(&mut self) {
        self.seats
            .values()
            .filter(|seat| !seat.is_static)
            .for_each(|seat| seat.child.leave_tree());
        if self.charge.parent.is_none() {
            self.charge.shared.root_is_gone();
        }
    }
}
