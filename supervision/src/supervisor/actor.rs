//! The ractor actor that performs what the machine decides.

use std::collections::{HashMap, VecDeque};
use std::fmt;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use ractor::concurrency::JoinHandle;
use ractor::{ActorCell, ActorId, ActorProcessingErr, ActorRef, SupervisionEvent};

use super::handle::{Added, ChildStatus, Reply, Slot};
use super::inspection::Inspection;
use super::machine::{
    AdminError, Alarm, CallId, ChildKey, ChildState, Counts, Decision, Effect, Incarnation, Input, Machine, NotStarted,
    Outcome, Request,
};
use crate::child::{ChildSpec, Startable};
use crate::clock::{Moment, Seeded};
use crate::name::Name;
use crate::policy::SupervisorPolicy;
use crate::reason::{ExitReason, Failure, KillCause};
use crate::time::{Due, Key};
use crate::tree::{KILL, Node, Phase, RootState, STOP, Shared, What};

/// How soon to look again whether a killed incarnation is gone.
const GONE_CHECK: Duration = Duration::from_millis(1);

/// What a supervisor begins with.
pub(crate) struct Charge {
    pub(crate) node: Arc<Node>,
    pub(crate) incarnation: Incarnation,
    pub(crate) policy: SupervisorPolicy,
    pub(crate) children: Arc<[ChildSpec]>,
    pub(crate) shared: Arc<Shared>,
    pub(crate) slot: Arc<Slot>,
    pub(crate) parent: Option<ActorRef<Order>>,
}

type Answer = Result<Outcome, AdminError>;

/// What a supervisor is told beside ractor's supervision events.
pub(crate) enum Order {
    Boot,
    Add {
        spec: Added,
        reply: Reply<Answer>,
    },
    Terminate {
        name: Name,
        reply: Reply<Answer>,
    },
    Restart {
        name: Name,
        reply: Reply<Answer>,
    },
    Delete {
        name: Name,
        reply: Reply<Answer>,
    },
    Retry {
        name: Name,
        reply: Reply<Answer>,
    },
    KillChild {
        name: Name,
        reply: Reply<Result<(), AdminError>>,
    },
    List {
        reply: Reply<Vec<ChildStatus>>,
    },
    Count {
        reply: Reply<Counts>,
    },
    Alarm(Alarm),
    /// A child supervisor has started all of its children.
    ChildReady(ActorId),
    /// Look whether a killed incarnation is gone.
    CheckGone(ActorId),
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

/// A child and its present incarnation.
struct Seat {
    child: Arc<dyn Startable>,
    present: Option<Present>,
    alarm: Option<Key>,
    is_static: bool,
}

struct Present {
    incarnation: Incarnation,
    cell: ActorCell,
    join: JoinHandle<()>,
    has_started: bool,
}

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
    inputs: VecDeque<Input>,
    effects: Vec<Effect>,
    last_key: u64,
    last_call: u64,
}

pub(crate) struct SupervisorActor;

impl ractor::Actor for SupervisorActor {
    type Msg = Order;
    type State = Box<Desk>;
    type Arguments = Charge;

    async fn pre_start(&self, myself: ActorRef<Order>, charge: Charge) -> Result<Box<Desk>, ActorProcessingErr> {
        charge.slot.fill(Some(myself.clone()));
        myself.cast(Order::Boot)?;
        Ok(Box::new(Desk::new(myself, charge)?))
    }

    async fn handle(
        &self,
        _myself: ActorRef<Order>,
        order: Order,
        desk: &mut Box<Desk>,
    ) -> Result<(), ActorProcessingErr> {
        desk.obey(order).await;
        Ok(())
    }

    async fn handle_supervisor_evt(
        &self,
        _myself: ActorRef<Order>,
        event: SupervisionEvent,
        desk: &mut Box<Desk>,
    ) -> Result<(), ActorProcessingErr> {
        match event {
            SupervisionEvent::ActorStarted(actor) => desk.actor_started(actor.get_id()).await,
            SupervisionEvent::ActorTerminated(actor, ..) | SupervisionEvent::ActorFailed(actor, _) => {
                desk.check_gone(actor.get_id()).await;
            }
            SupervisionEvent::ProcessGroupChanged(_) => {}
        }
        Ok(())
    }
}

impl Desk {
    fn new(myself: ActorRef<Order>, charge: Charge) -> Result<Self, ActorProcessingErr> {
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
            by_actor: HashMap::new(),
            calls: HashMap::new(),
            chance: charge.shared.seeded(),
            inputs: VecDeque::new(),
            effects: Vec::new(),
            last_key: charge.children.len() as u64,
            last_call: 0,
            charge,
        })
    }

    async fn obey(&mut self, order: Order) {
        match order {
            Order::Boot => self.feed(Input::Boot).await,
            Order::Add { spec, reply } => self.add(spec, reply).await,
            Order::Terminate { name, reply } => self.request(Request::TerminateChild(name), reply).await,
            Order::Restart { name, reply } => self.request(Request::RestartChild(name), reply).await,
            Order::Delete { name, reply } => self.request(Request::DeleteChild(name), reply).await,
            Order::Retry { name, reply } => self.request(Request::RetryChild(name), reply).await,
            Order::KillChild { name, reply } => answer(reply, self.kill_from_outside(name)),
            Order::List { reply } => answer(reply, self.list()),
            Order::Count { reply } => answer(reply, self.machine.counts()),
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

    // ---- what comes from the children ----

    async fn actor_started(&mut self, actor: ActorId) {
        let Some(key) = self.by_actor.get(&actor).copied() else {
            return;
        };
        let Some(seat) = self.seats.get(&key) else { return };
        if let (true, Some(present)) = (seat.child.starts_with_its_actor(), &seat.present) {
            let incarnation = present.incarnation;
            self.child_started(key, incarnation).await;
        }
    }

    async fn child_ready(&mut self, actor: ActorId) {
        let Some(key) = self.by_actor.get(&actor).copied() else {
            return;
        };
        let present = self.seats.get(&key).and_then(|seat| seat.present.as_ref());
        if let Some(incarnation) = present.map(|present| present.incarnation) {
            self.child_started(key, incarnation).await;
        }
    }

    async fn child_started(&mut self, key: ChildKey, incarnation: Incarnation) {
        let Some(seat) = self.seats.get_mut(&key) else { return };
        let Some(present) = seat
            .present
            .as_mut()
            .filter(|present| present.incarnation == incarnation)
        else {
            return;
        };
        if std::mem::replace(&mut present.has_started, true) {
            return;
        }
        if let Some((budget, on_stuck)) = seat.child.budget() {
            let inspection = Inspection {
                shared: Arc::clone(&self.charge.shared),
                node: Arc::clone(seat.child.node()),
                supervisor: self.myself.clone(),
                key,
                incarnation,
                budget,
                on_stuck,
                suspect: None,
                reported: None,
            };
            inspection.schedule();
        }
        let child = self.machine.child(seat.child.node().name.as_str());
        // One that was asked to stop meanwhile keeps the alarm of its shutdown.
        let was_awaited = child.is_some_and(|child| child.state == ChildState::Starting);
        if let Some(alarm) = seat.alarm.take_if(|_| was_awaited) {
            self.charge.shared.timekeeper.disarm(alarm);
        }
        self.feed(Input::Started { key, incarnation }).await;
    }

    /// Tells the machine of an incarnation's end once it is wholly gone.
    ///
    /// ractor reports a kill before it drops what the actor held. What the agent held, its node has by then
    /// recorded as gone, except where the kill met it between two of its futures: then the task's own end is
    /// waited for.
    async fn check_gone(&mut self, actor: ActorId) {
        let Some(key) = self.by_actor.get(&actor).copied() else {
            return;
        };
        let Some(seat) = self.seats.get_mut(&key) else { return };
        let Some(present) = &seat.present else { return };
        let incarnation = present.incarnation;
        let node = Arc::clone(seat.child.node());
        let recorded = node.exit_of(incarnation);
        let is_gone = recorded.is_some() || (present.join.is_finished() && seat.child.is_vacant());
        if !is_gone {
            self.later(Moment::now() + GONE_CHECK, Order::CheckGone(actor));
            return;
        }
        let reason = recorded.unwrap_or_else(|| {
            let killed = ExitReason::Killed(node.kill_cause());
            node.ended(incarnation, killed.clone(), Moment::now());
            killed
        });
        let has_started = present.has_started || node.has_started(incarnation);
        if has_started && !present.has_started {
            // A supervisor's word that it is ready may come after its end.
            self.child_started(key, incarnation).await;
        }
        if let Some(seat) = self.seats.get_mut(&key) {
            seat.present = None;
        }
        self.by_actor.remove(&actor);
        self.feed(ended(key, incarnation, reason, has_started)).await;
    }

    fn later(&self, at: Moment, order: Order) -> Key {
        let myself = self.myself.clone();
        let call = move || {
            // A supervisor that is gone needs no reminder.
            let _sent = myself.cast(order);
        };
        self.charge.shared.timekeeper.arm(at, Due::Call(Box::new(call)))
    }

    // ---- what people ask for ----

    async fn add(&mut self, spec: ChildSpec, reply: Reply<Answer>) {
        self.last_key += 1;
        let key = ChildKey(self.last_key);
        self.seats.insert(key, Seat::new(Arc::clone(&spec.child), false));
        let name = spec.name.clone();
        self.request(
            Request::StartChild {
                key,
                name: spec.name,
                policy: *spec.policy,
            },
            reply,
        )
        .await;
        if self.machine.child(name.as_str()).is_none_or(|child| child.key != key) {
            self.forget(key);
        }
    }

    async fn request(&mut self, request: Request, reply: Reply<Answer>) {
        self.last_call += 1;
        let call = CallId(self.last_call);
        self.calls.insert(call, reply);
        self.feed(Input::Call { call, request }).await;
    }

    fn kill_from_outside(&self, name: Name) -> Result<(), AdminError> {
        let Some(child) = self.machine.child(name.as_str()) else {
            return Err(AdminError::NotFound { child: name });
        };
        let present = self
            .seats
            .get(&child.key)
            .and_then(|seat| Some((seat, seat.present.as_ref()?)));
        let Some((seat, present)) = present else {
            return Err(AdminError::Restarting { child: name });
        };
        kill(seat, present, KillCause::Outside);
        Ok(())
    }

    fn list(&self) -> Vec<ChildStatus> {
        let status = |child: super::machine::ChildView<'_>| ChildStatus {
            name: child.name.clone(),
            state: child.state,
            incarnation: child.incarnation,
            restarts: child.restarts,
            policy: *child.policy,
        };
        self.machine.children().map(status).collect()
    }

    // ---- what the machine decides ----

    async fn feed(&mut self, input: Input) {
        self.inputs.push_back(input);
        while let Some(input) = self.inputs.pop_front() {
            self.machine
                .step(input, Moment::now(), &mut self.chance, &mut self.effects);
            let mut effects = std::mem::take(&mut self.effects);
            for effect in effects.drain(..) {
                self.perform(effect).await;
            }
            self.effects = effects;
        }
    }

    async fn perform(&mut self, effect: Effect) {
        match effect {
            Effect::Start { key, incarnation } => self.start(key, incarnation).await,
            Effect::Stop { key, incarnation } => {
                if let Some((seat, _)) = self.present(key, incarnation) {
                    seat.child
                        .node()
                        .enter(Phase::Stopping, incarnation, None, Moment::now());
                    seat.child.ask_to_stop();
                }
            }
            Effect::Kill {
                key,
                incarnation,
                cause,
            } => {
                if let Some((seat, present)) = self.present(key, incarnation) {
                    kill(seat, present, cause);
                }
            }
            Effect::Arm { alarm, at } => self.arm(alarm, at),
            Effect::Answer { call, result } => {
                if let Some(reply) = self.calls.remove(&call) {
                    answer(reply, result);
                }
            }
            Effect::Forget { key } => self.forget(key),
            Effect::Tell(decision) => self.tell(decision),
            Effect::Ready => self.ready(),
            Effect::End { reason, overdue } => self.end(reason, overdue),
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

    async fn start(&mut self, key: ChildKey, incarnation: Incarnation) {
        let Some(seat) = self.seats.get_mut(&key) else { return };
        let node = Arc::clone(seat.child.node());
        seat.child.join_tree(Some(&self.path), &self.charge.shared);
        node.lower(STOP | KILL);
        node.set_kill_cause(None);
        node.begin(incarnation, Moment::now());
        if incarnation > 1 {
            node.restarts.fetch_add(1, Ordering::Relaxed);
        }
        let spawned = seat.child.spawn(self.myself.get_cell(), incarnation).await;
        match spawned {
            Ok(spawned) => {
                self.by_actor.insert(spawned.cell.get_id(), key);
                seat.present = Some(Present {
                    incarnation,
                    cell: spawned.cell,
                    join: spawned.join,
                    has_started: false,
                });
            }
            Err(refused) => {
                let reason = ExitReason::Error(Failure::from(refused));
                node.ended(incarnation, reason.clone(), Moment::now());
                self.inputs.push_back(ended(key, incarnation, reason, false));
            }
        }
    }

    fn arm(&mut self, alarm: Alarm, at: Moment) {
        if at <= Moment::now() {
            // Its own queue cannot be gone while it runs.
            let _sent = self.myself.cast(Order::Alarm(alarm));
            return;
        }
        let key = self.later(at, Order::Alarm(alarm));
        let before = self.seats.get_mut(&alarm.key).and_then(|seat| seat.alarm.replace(key));
        if let Some(before) = before {
            self.charge.shared.timekeeper.disarm(before);
        }
    }

    fn forget(&mut self, key: ChildKey) {
        // Its alarm stays: it may be the one that a group waits for, and else is stale when it comes.
        if let Some(seat) = self.seats.remove(&key) {
            seat.child.leave_tree();
        }
    }

    fn tell(&mut self, decision: Decision) {
        let phase = match &decision {
            Decision::Restarting { child, delay, .. } if !delay.is_zero() => Some((child, Phase::Backoff)),
            Decision::Quarantined { child, .. } => Some((child, Phase::Failed)),
            _ => None,
        };
        if let Some((name, phase)) = phase
            && let Some(seat) = self
                .machine
                .child(name.as_str())
                .and_then(|child| self.seats.get(&child.key))
        {
            let node = seat.child.node();
            node.enter(phase, node.incarnation.load(Ordering::Acquire), None, Moment::now());
        }
        self.charge.shared.tell(&self.path, What::Decision(decision));
    }

    fn ready(&mut self) {
        let Charge {
            node,
            incarnation,
            parent,
            ..
        } = &self.charge;
        node.mark_started(*incarnation);
        node.enter(Phase::Idle, *incarnation, None, Moment::now());
        match parent {
            Some(parent) => {
                // A parent that is gone has killed its children; it needs no word.
                let _sent = parent.cast(Order::ChildReady(self.myself.get_id()));
            }
            None => self.charge.shared.set_root(RootState::Running),
        }
    }

    fn end(&mut self, reason: ExitReason, overdue: Vec<super::machine::Overdue>) {
        let Charge {
            node,
            incarnation,
            shared,
            slot,
            ..
        } = &self.charge;
        slot.fill(None);
        for seat in self.seats.values().filter(|seat| !seat.is_static) {
            seat.child.leave_tree();
        }
        shared.report_overdue(&self.path, overdue);
        node.ended(*incarnation, reason.clone(), Moment::now());
        if self.charge.parent.is_none() {
            self.seats.values().for_each(|seat| seat.child.leave_tree());
            shared.timekeeper.end();
            shared.set_root(RootState::Ended(reason));
        }
        self.myself.stop(None);
    }
}

impl Drop for Desk {
    /// A supervisor that is killed says no farewell; those it took in at run time leave the tree all the same.
    fn drop(&mut self) {
        self.seats
            .values()
            .filter(|seat| !seat.is_static)
            .for_each(|seat| seat.child.leave_tree());
    }
}

impl Seat {
    fn new(child: Arc<dyn Startable>, is_static: bool) -> Self {
        Self {
            child,
            present: None,
            alarm: None,
            is_static,
        }
    }
}

fn kill(seat: &Seat, present: &Present, cause: KillCause) {
    let node = seat.child.node();
    node.set_kill_cause(Some(cause));
    node.raise(KILL);
    present.cell.kill();
    seat.child.ring();
}

fn ended(key: ChildKey, incarnation: Incarnation, reason: ExitReason, has_started: bool) -> Input {
    if has_started {
        return Input::Exited {
            key,
            incarnation,
            reason,
        };
    }
    let why = match reason {
        ExitReason::Error(failure) if failure.is_ignore() => NotStarted::Ignored,
        reason => NotStarted::Failed(reason),
    };
    Input::NotStarted { key, incarnation, why }
}

fn answer<T>(reply: Reply<T>, value: T) {
    // A caller that gave up needs no answer.
    let _unread = reply.send(value);
}
