//! The decisions of a supervisor, free of I/O, clock and randomness: (state, input, now, chance) → (state, effects).
//!
//! Starting and stopping take time, so they are effects, and what came of them arrives as inputs. The machine
//! takes any input at any time; what is stale (an old incarnation, a key it does not know, an alarm that was
//! overtaken) changes nothing.
//!
//! ```text
//!  supervisor   New ── Boot ──▶ Booting ── all up: Ready ──▶ Running ──┐
//!                │                 │ a start failed            │ Stop, escalation, auto-shutdown
//!                └─── Stop ────────┴──────────▶ Ending ◀───────┘
//!                                                  │ nobody left
//!                                                  ▼ End
//!                                                Ended
//!
//!  child        Awaiting ──▶ Starting ──▶ Running ──▶ Stopping ──▶ Down
//!                  ▲            │            │ failed    │  │
//!                  │ group      ▼ failed     ▼           │  └─▶ Lost (the supervisor ended before it did)
//!                  └──────── Restarting ◀── (counted) ───┘
//!                                            └─ over the limit ─▶ Quarantined
//! ```
//!
//! Each input is taken in two strokes: first it changes the child it is about (`gone`, `admin`, …), then
//! the work under way (boot, group restart, end) proceeds as far as the children's states now allow. No step
//! looks at all children, save the ones that act on all of them.

mod admin;
mod boot;
mod children;
mod condition;
mod gone;
mod group;
mod io;
mod numbered;
mod restart;
mod shutdown;
#[cfg(test)]
mod tests;
mod view;
mod window;

use std::collections::BTreeMap;

pub(crate) use io::Overdue;
pub(crate) use io::{Adjustment, Alarm, CallId, ChildKey, Effect, Input, NotStarted, Outcome, Request};
pub use io::{AdminError, ChildState, Decision, Incarnation};
pub(crate) use numbered::Numbered;
pub(crate) use shutdown::KILL_GRACE;
pub use view::Counts;
pub(crate) use view::{ChildView, SpecificationError};

use children::{Children, Rank};
use group::Group;
pub(crate) use window::Window;

use crate::clock::{Chance, Moment};
use crate::policy::{AutoShutdown, ChildPolicy, Restart, StartOrder, StopOrder, Strategy, SupervisorPolicy};
use crate::reason::ExitReason;

/// A supervisor's mind: its children, what it is about to do with them, and who waits for an answer.
#[derive(Clone, Debug)]
pub(crate) struct Machine {
    policy: SupervisorPolicy,
    children: Children,
    progress: Progress,
    window: Window<ChildKey>,
    /// The group restart under way.
    group: Option<Group>,
    /// Failures during the boot that ask for a group restart once it is complete.
    deferred: Vec<(ChildKey, Incarnation, ExitReason)>,
    /// Who waits for a child to be up.
    starters: BTreeMap<ChildKey, Starter>,
    /// Who waits for a child to be gone.
    terminators: BTreeMap<ChildKey, Vec<CallId>>,
    overdue: Vec<Overdue>,
    last_alarm: u64,
    /// How many starts may begin before others have their turn, where they do not follow each other.
    portion: usize,
    whole_portion: usize,
    /// Whether there are more than that.
    holds_back: bool,
}

/// So many children start at once before the supervisor looks at what has come meanwhile: the first of a crowd are
/// up, and seen to be, before the last of them begin.
pub(crate) const PORTION: usize = 512;

/// How far the supervisor has come.
#[derive(Clone, Debug)]
enum Progress {
    New,
    /// Children from `next` to `last` have yet to be started.
    Booting {
        next: Rank,
        last: Rank,
    },
    Running,
    /// Children have yet to be stopped.
    Ending {
        reason: ExitReason,
        sweep: Sweep,
    },
    Ended,
}

/// How far children have been stopped, from right to left.
#[derive(Clone, Copy, Debug)]
struct Sweep {
    /// Up to here they have yet to go.
    upto: Rank,
    /// The leftmost that was asked with those it stops along with. One may have been on its way out before.
    asked: Rank,
}

impl Sweep {
    const BEGIN: Self = Self {
        upto: Rank::LAST,
        asked: Rank::LAST,
    };
}

/// The call that made a child start: it, not the supervisor, bears the failure of that start.
#[derive(Clone, Copy, Debug)]
struct Starter {
    call: CallId,
    kind: StarterKind,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum StarterKind {
    Added,
    Restarted,
    Retried,
}

impl Machine {
    /// A machine over its static children, in start order; nothing happens before [`Input::Boot`].
    pub(crate) fn new(
        policy: SupervisorPolicy,
        children: Vec<(ChildKey, crate::name::Name, ChildPolicy)>,
    ) -> Result<Self, SpecificationError> {
        let is_faulty = |(_, _, child): &&(_, _, ChildPolicy)| !is_significance_allowed(&policy, child);
        if let Some((_, name, _)) = children.iter().find(is_faulty) {
            return Err(SpecificationError::Significant { child: name.clone() });
        }
        let children = Children::of(children).map_err(|child| SpecificationError::Duplicate { child })?;
        Ok(Self {
            window: Window::new(policy.intensity),
            policy,
            children,
            progress: Progress::New,
            group: None,
            deferred: Vec::new(),
            starters: BTreeMap::new(),
            terminators: BTreeMap::new(),
            overdue: Vec::new(),
            last_alarm: 0,
            portion: PORTION,
            whole_portion: PORTION,
            holds_back: false,
        })
    }

    /// Before [`Input::Boot`]: the child has had lives up to `last`, so its next is numbered after it.
    pub(crate) fn continue_numbering(&mut self, key: ChildKey, last: Incarnation) {
        self.children
            .change(key, |child| (child.incarnation, child.before) = (last, last));
    }

    /// Takes one input and appends to `effects` what is to be done, in the order it is to be done.
    pub(crate) fn step(&mut self, input: Input, now: Moment, chance: &mut dyn Chance, effects: &mut Vec<Effect>) {
        Step {
            machine: self,
            now,
            chance,
            effects,
        }
        .take(input);
    }

    /// Whether there is more to do once others have had their turn: then [`Input::GoOn`] is to follow.
    pub(crate) fn holds_back(&self) -> bool {
        self.holds_back
    }

    /// Restarts that are under way keep the wait they were given.
    fn adjust(&mut self, adjustment: Adjustment, now: Moment) {
        adjustment.change(&mut self.policy);
        self.window.adjust(adjustment.intensity, now);
    }

    pub(crate) fn is_dynamic(&self) -> bool {
        self.policy.strategy == Strategy::SimpleOneForOne
    }

    fn restarts_groups(&self) -> bool {
        matches!(self.policy.strategy, Strategy::OneForAll | Strategy::RestForOne)
    }

    fn starts_in_order(&self) -> bool {
        self.policy.start_order == StartOrder::InOrder
    }

    fn stops_in_order(&self) -> bool {
        self.policy.stop_order == StopOrder::InOrder
    }

    /// Before [`Input::Boot`]: so many start at once.
    #[cfg(test)]
    pub(super) fn in_portions_of(&mut self, portion: usize) {
        (self.portion, self.whole_portion) = (portion, portion);
    }

    /// Whether the walk under way may begin another start now.
    fn may_start_another(&self) -> bool {
        if self.starts_in_order() {
            self.children.tally().in_turn == 0
        } else {
            self.portion > 0
        }
    }

    fn has_started_one(&mut self) {
        if !self.starts_in_order() {
            self.portion -= 1;
        }
    }

    fn is_booting(&self) -> bool {
        matches!(self.progress, Progress::New | Progress::Booting { .. })
    }

    /// Whether it has begun to end, or has ended.
    pub(crate) fn is_ending(&self) -> bool {
        matches!(self.progress, Progress::Ending { .. } | Progress::Ended)
    }
}

fn is_significance_allowed(policy: &SupervisorPolicy, child: &ChildPolicy) -> bool {
    !child.significant || (child.restart != Restart::Permanent && policy.auto_shutdown != AutoShutdown::Never)
}

/// One step: the machine together with what the step may use.
struct Step<'a> {
    machine: &'a mut Machine,
    now: Moment,
    chance: &'a mut dyn Chance,
    effects: &'a mut Vec<Effect>,
}

impl Step<'_> {
    fn take(mut self, input: Input) {
        match input {
            Input::Call { call, .. } if self.machine.is_ending() => self.answer(call, Err(AdminError::Ending)),
            _ if self.machine.has_ended() => {}
            Input::Boot => self.boot(),
            Input::GoOn => self.machine.portion = self.machine.whole_portion,
            Input::Started { key, incarnation } => self.started(key, incarnation),
            Input::NotStarted { key, incarnation, why } => self.not_started(key, incarnation, why),
            Input::Exited {
                key,
                incarnation,
                reason,
            } => self.exited(key, incarnation, reason),
            Input::Alarm(alarm) => self.alarm(alarm),
            Input::Call { call, request } => self.call(call, request),
            Input::Stuck { key, incarnation } => self.stuck(key, incarnation),
            Input::Kill { key, incarnation } => self.kill_from_outside(key, incarnation),
            Input::Lingers { key, incarnation } => self.lingers(key, incarnation),
            Input::Withdraw { key } => self.withdraw(key),
            Input::Adjust(adjustment) => self.machine.adjust(adjustment, self.now),
            Input::Stop => self.end(ExitReason::Shutdown),
        }
        self.proceed();
    }

    /// Carries the work under way as far as the children's states allow.
    fn proceed(&mut self) {
        self.machine.holds_back = false;
        self.proceed_with_boot();
        self.proceed_with_group();
        self.proceed_with_end();
    }

    fn tell(&mut self, decision: Decision) {
        self.effects.push(Effect::Tell(decision));
    }

    fn answer(&mut self, call: CallId, result: Result<Outcome, AdminError>) {
        self.effects.push(Effect::Answer { call, result });
    }

    /// Asks to be reminded of a child at `at`; gives the alarm's serial.
    fn arm(&mut self, key: ChildKey, at: Moment) -> u64 {
        self.machine.last_alarm += 1;
        let serial = self.machine.last_alarm;
        let alarm = Alarm { serial, key };
        self.effects.push(Effect::Arm { alarm, at });
        serial
    }
}
