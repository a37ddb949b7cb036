//! What a supervisor works with: its machine, its wards, and who waits for an answer.
//!
//! Whatever comes becomes an input of the machine, and what the machine decides is performed before it is given
//! the next.

mod calls;
mod children;
mod crowd;
#[cfg(not(shuttle))]
#[cfg(test)]
mod crowd_test;
mod effects;
#[cfg(not(shuttle))]
#[cfg(test)]
mod shells_test;
mod starts;
#[cfg(not(shuttle))]
#[cfg(test)]
mod tests;
mod ward;

use std::collections::VecDeque;
use std::sync::Arc;

use ractor::{ActorId, ActorProcessingErr, ActorRef, SupervisionEvent};

use self::crowd::{Start, workers};
use self::starts::HeldBack;
use self::ward::{Present, Ward};
use super::actor::{Charge, Order};
use super::machine::{CallId, ChildKey, Counts, Effect, Incarnation, Input, Machine, Numbered, Request};
use super::reception::{CallResult, Caller};
use crate::child::{ChildSpec, Spawned};
use crate::clock::{Moment, Seeded};
use crate::time::{Due, Key, start_keeper};
use crate::tree::Phase;

/// After a step that moved a crowd, room for so many effects is kept.
const KEPT_EFFECTS: usize = 1024;

/// A supervisor at work.
pub(crate) struct Desk {
    machine: Machine,
    charge: Charge,
    path: Arc<str>,
    myself: ActorRef<Order>,
    wards: Numbered<ChildKey, Ward>,
    /// By the number of their actor's id, which is of this process.
    by_actor: Numbered<u64, ChildKey>,
    /// Since when actors were seen to have ended while something of them was still there.
    lingering: Numbered<ChildKey, Moment>,
    /// The actor that outlived the incarnation whose end is the input under way, until it is known whether it bears the next.
    left_behind: Option<(ChildKey, Spawned)>,
    /// Starts that wait until nothing is left of the incarnation before.
    held_back: Numbered<ChildKey, HeldBack>,
    /// Whether starts are gathered, to begin together.
    gathers: bool,
    crowd: Vec<Start>,
    calls: Numbered<CallId, Caller<CallResult>>,
    /// Children that are to be remembered once they have started, by the call that added them.
    adding: Numbered<CallId, (ChildKey, ChildSpec)>,
    chance: Seeded,
    /// Who keeps the tree's time, where this is the root's desk.
    keeper: Option<ActorId>,
    inputs: VecDeque<Input>,
    effects: Vec<Effect>,
    /// When the input under way came, and the child that the latest end was of.
    now: Moment,
    latest: ChildKey,
    /// Whether it has told itself to go on with what its machine holds back.
    goes_on: bool,
    last_key: u64,
    last_call: u64,
    /// What was told last of the children there are.
    shown: Option<Counts>,
}

impl Desk {
    pub(super) fn new(myself: ActorRef<Order>, charge: Charge) -> Result<Self, ActorProcessingErr> {
        let children = charge.blueprint.children();
        let numbered = || (1..).map(ChildKey).zip(&*children);
        let specs = numbered()
            .map(|(key, spec)| (key, spec.name.clone(), *spec.policy))
            .collect();
        let mut machine = Machine::new(charge.blueprint.policy(), specs)?;
        let path = charge.node.path();
        let mut wards = Numbered::default();
        wards.reserve(children.len());
        for (key, spec) in numbered() {
            let last_life = spec.child.node().incarnation();
            if last_life > 0 {
                // A child's lives are numbered through all lives of its supervisor.
                machine.continue_numbering(key, last_life);
            }
            // One that its supervisor's last life has forgotten is part of the tree again.
            spec.child.join_tree(Some(&path), &charge.shared);
            wards.insert(key, Ward::new(Arc::clone(&spec.child), true));
        }
        Ok(Self {
            machine,
            path,
            myself,
            wards,
            by_actor: Numbered::default(),
            lingering: Numbered::default(),
            left_behind: None,
            held_back: Numbered::default(),
            gathers: false,
            crowd: Vec::new(),
            latest: ChildKey(0),
            calls: Numbered::default(),
            adding: Numbered::default(),
            chance: charge.shared.seeded(),
            keeper: None,
            inputs: VecDeque::new(),
            now: Moment::now(),
            goes_on: false,
            effects: Vec::new(),
            last_key: children.len() as u64,
            last_call: 0,
            shown: None,
            charge,
        })
    }

    pub(super) fn obey(&mut self, order: Order) {
        match order {
            Order::Boot => self.boot(),
            Order::GoOn => {
                self.goes_on = false;
                self.feed_for_many(Input::GoOn);
            }
            Order::Add { spec, caller } => self.add(spec, caller),
            Order::Place { specs, caller } => self.place(&specs, caller),
            Order::StartPlaced { child, caller } => self.start_placed(child, caller),
            Order::Terminate { name, caller } => self.terminate(&name, caller),
            Order::Restart { name, caller } => self.request(Request::Restart(name), caller),
            Order::Delete { name, caller } => self.delete(&name, caller),
            Order::Retry { name, caller } => self.request(Request::Retry(name), caller),
            Order::Withdraw { children } => self.withdraw(&children),
            Order::KillChild { name, caller } => caller.answer(self.kill_from_outside(name)),
            Order::List { caller } => caller.answer(self.list()),
            Order::Count { caller } => caller.answer(self.machine.counts()),
            Order::Adjust { adjustment, caller } => {
                self.adjust(adjustment);
                caller.answer(());
            }
            Order::Arrange { order, caller } => {
                self.charge.blueprint.arrange(&order);
                caller.answer(());
            }
            Order::Alarm(alarm) => self.feed(Input::Alarm(alarm)),
            Order::ChildReady(actor) => self.child_ready(actor),
            Order::CheckGone(actor) => self.check_gone(actor),
            Order::StartWhenVacant { key, incarnation } => self.start_when_vacant(key, incarnation),
            Order::Stuck { key, incarnation } => self.feed(Input::Stuck { key, incarnation }),
            Order::Stop => {
                self.charge
                    .node
                    .enter(Phase::Stopping, self.charge.incarnation, None, Moment::now());
                self.feed(Input::Stop);
            }
        }
    }

    fn boot(&mut self) {
        if self.charge.parent.is_none() && !self.keep_time() {
            return self.feed(Input::Stop);
        }
        self.feed_for_many(Input::Boot);
    }

    /// What has many start: where there is more than one worker, they do not begin here, one after the other.
    fn feed_for_many(&mut self, input: Input) {
        self.gathers = workers() > 1;
        self.feed(input);
        self.gathers = false;
    }

    /// Has the tree's time kept from now on, as is the root's business; returns whether it is.
    fn keep_time(&mut self) -> bool {
        let started = start_keeper(Arc::clone(&self.charge.shared), self.myself.get_cell());
        self.keeper = started.ok();
        self.keeper.is_some()
    }

    /// What ractor tells of the children's actors.
    pub(super) fn hear(&mut self, event: SupervisionEvent) {
        match event {
            SupervisionEvent::ActorStarted(actor) => self.actor_started(actor.get_id()),
            SupervisionEvent::ActorTerminated(actor, ..) | SupervisionEvent::ActorFailed(actor, _) => {
                if self.keeper == Some(actor.get_id()) {
                    // Where no other can be started, the root itself is ending, and needs none.
                    let _kept = self.keep_time();
                }
                self.check_gone(actor.get_id());
            }
            SupervisionEvent::ProcessGroupChanged(_) => {}
        }
    }

    fn feed(&mut self, input: Input) {
        self.inputs.push_back(input);
        self.work_off();
    }

    fn work_off(&mut self) {
        while let Some(input) = self.inputs.pop_front() {
            self.now = Moment::now();
            if let Input::Exited { key, .. } = input {
                self.latest = key;
            }
            let was_ending = self.machine.is_ending();
            self.machine.step(input, self.now, &mut self.chance, &mut self.effects);
            if !was_ending && self.machine.is_ending() {
                self.begins_to_end();
            }
            self.show(self.machine.counts());
            let mut effects = std::mem::take(&mut self.effects);
            for effect in effects.drain(..) {
                self.perform(effect);
            }
            self.effects = effects;
        }
        if self.machine.holds_back() && !self.goes_on {
            // Its own queue cannot be gone while it runs.
            self.goes_on = self.myself.cast(Order::GoOn).is_ok();
        }
        self.effects.shrink_to(KEPT_EFFECTS);
    }

    /// One that gives up, or whose work is over, was asked by nobody who would have told so.
    fn begins_to_end(&self) {
        let Charge { node, incarnation, .. } = &self.charge;
        if node.phase() != Phase::Stopping {
            node.enter(Phase::Stopping, *incarnation, None, self.now);
        }
    }

    /// Tells what children there are now, where that has changed.
    fn show(&mut self, children: Counts) {
        if self.shown != Some(children) {
            self.shown = Some(children);
            self.charge.node.meters().has(children);
        }
    }

    fn present(&mut self, key: ChildKey, incarnation: Incarnation) -> Option<&mut Ward> {
        let is_present = |present: &Present| present.incarnation == incarnation;
        let ward = self.wards.get_mut(&key)?;
        ward.present.as_ref().is_some_and(is_present).then_some(ward)
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
    /// A supervisor that is killed says no farewell; those it took in at run time leave the tree all the same, and
    /// with the root all do.
    fn drop(&mut self) {
        let is_root = self.charge.parent.is_none();
        self.wards
            .values()
            .filter(|ward| is_root || !ward.is_static)
            .for_each(|ward| ward.child.leave_tree());
        if !self.machine.has_ended() {
            let now = Moment::now();
            let nodes = self.wards.values().map(|ward| ward.child.node());
            nodes.for_each(|node| node.waits_no_more(now));
            let down = self.wards.values().filter(|ward| ward.is_static).count();
            self.show(Counts {
                specified: down,
                down,
                ..Counts::default()
            });
        }
        if is_root {
            self.charge.shared.root_is_gone();
        }
    }
}
