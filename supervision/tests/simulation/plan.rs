//! Random trees.

use std::sync::Arc;
use std::time::Duration;

use futures_util::future::BoxFuture;
use triarch_supervision::clock::{Chance, Seeded};
use triarch_supervision::prelude::*;
use triarch_supervision::supervisor::{CallError, SupervisorHandle};
use triarch_supervision::testing::{Callback, Fault, Faults};
use triarch_supervision::tree::{NotFound, Observer};

use crate::ledger::{Ledger, Record, Slot};
use crate::worker::{Spec, Worker};

/// A child of one of the four message types.
pub(crate) enum AnyChild {
    Plain(Child<Worker<false, 0>>),
    Lanes(Child<Worker<true, 0>>),
    Again(Child<Worker<false, 2>>),
    Both(Child<Worker<true, 1>>),
}

impl AnyChild {
    fn join(self, team: Supervisor) -> Supervisor {
        match self {
            Self::Plain(child) => team.child(child),
            Self::Lanes(child) => team.child(child),
            Self::Again(child) => team.child(child),
            Self::Both(child) => team.child(child),
        }
    }

    pub(crate) fn start(self, at: SupervisorHandle) -> BoxFuture<'static, Result<(), CallError>> {
        match self {
            Self::Plain(child) => Box::pin(async move { at.start_child(child).await.map(drop) }),
            Self::Lanes(child) => Box::pin(async move { at.start_child(child).await.map(drop) }),
            Self::Again(child) => Box::pin(async move { at.start_child(child).await.map(drop) }),
            Self::Both(child) => Box::pin(async move { at.start_child(child).await.map(drop) }),
        }
    }
}

/// One supervisor of the tree, as it was described.
#[derive(Clone, Debug)]
pub(crate) struct Team {
    pub(crate) path: String,
    pub(crate) place: usize,
    pub(crate) strategy: Strategy,
    pub(crate) intensity: Intensity,
    pub(crate) auto_shutdown: AutoShutdown,
    pub(crate) in_order: bool,
    pub(crate) children: usize,
}

impl Team {
    /// The way to it alone, where it is the first part of a group.
    pub(crate) fn handle(&self, observer: &Observer) -> Result<SupervisorHandle, NotFound> {
        if self.path.contains('.') {
            observer.supervisor(&self.path)
        } else {
            observer.supervisor(&format!("{}.0", self.path))
        }
    }

    pub(crate) fn restarts_groups(&self) -> bool {
        matches!(self.strategy, Strategy::OneForAll | Strategy::RestForOne)
    }
}

/// A tree yet to be started.
pub(crate) struct Plan {
    pub(crate) root: Root,
    pub(crate) root_intensity: Intensity,
    pub(crate) teams: Vec<Team>,
}

pub(crate) struct Planner<'a> {
    pub(crate) ledger: &'a Ledger,
    pub(crate) chance: &'a mut Seeded,
    pub(crate) faults: &'a mut Vec<Faults>,
}

impl Planner<'_> {
    pub(crate) fn below(&mut self, bound: usize) -> usize {
        usize::try_from(self.chance.below(bound as u64)).unwrap()
    }

    fn one_in(&mut self, many: u64) -> bool {
        self.chance.below(many) == 0
    }

    fn millis(&mut self, from: u64, to: u64) -> Duration {
        Duration::from_millis(from + self.chance.below(to - from))
    }

    fn pick<T: Copy>(&mut self, choices: &[T]) -> T {
        choices[self.below(choices.len())]
    }

    fn intensity(&mut self) -> Intensity {
        Intensity::new(u32::try_from(self.below(8)).unwrap(), self.millis(500, 10_000))
    }

    fn backoff(&mut self) -> Backoff {
        if self.one_in(2) {
            return Backoff::none();
        }
        let first = self.millis(1, 500);
        let jitter = self.chance.unit();
        Backoff {
            jitter,
            ..Backoff::exponential(first, first + self.millis(0, 3000))
        }
    }

    pub(crate) fn tree(&mut self) -> Plan {
        let root_intensity = self.intensity();
        let mut root = Root::new().intensity(root_intensity).backoff(self.backoff());
        let mut teams: Vec<Team> = Vec::new();
        for number in 0..=self.below(3) {
            let (supervisor, parts) = self.team(number, teams.len());
            root = root.supervisor(supervisor);
            teams.extend(parts);
        }
        Plan {
            root,
            root_intensity,
            teams,
        }
    }

    fn team(&mut self, number: usize, place: usize) -> (Supervisor, Vec<Team>) {
        let name = format!("team{number}");
        let strategy = self.pick(&[
            Strategy::OneForOne,
            Strategy::OneForOne,
            Strategy::OneForAll,
            Strategy::RestForOne,
            Strategy::SimpleOneForOne,
        ]);
        let auto_shutdown = self.pick(&[
            AutoShutdown::Never,
            AutoShutdown::Never,
            AutoShutdown::AnySignificant,
            AutoShutdown::AllSignificant,
        ]);
        let intensity = self.intensity();
        let mut supervisor = Supervisor::named(&name)
            .strategy(strategy)
            .auto_shutdown(auto_shutdown)
            .intensity(intensity)
            .backoff(self.backoff())
            .restart(self.restart());
        if self.one_in(4) {
            supervisor = supervisor.parallel_start();
        }
        let children = self.below(6);
        let span = if strategy == Strategy::OneForOne && self.one_in(3) {
            2
        } else {
            usize::MAX
        };
        if span == 2 {
            supervisor = supervisor.span(2);
        }
        let parts = children.div_ceil(span).max(1);
        let teams: Vec<_> = (0..parts)
            .map(|part| Team {
                path: if part == 0 {
                    name.clone()
                } else {
                    format!("{name}.{part}")
                },
                place: place + part,
                strategy,
                intensity,
                auto_shutdown,
                in_order: strategy != Strategy::SimpleOneForOne,
                children: if span == 2 { 2 } else { children },
            })
            .collect();
        for index in 0..children {
            let (team, rank) = if span == 2 {
                (&teams[index / 2], index % 2)
            } else {
                (&teams[0], index)
            };
            supervisor = self.child(team, rank, &format!("a{index}")).join(supervisor);
        }
        (supervisor, teams)
    }

    pub(crate) fn child(&mut self, team: &Team, rank: usize, name: &str) -> AnyChild {
        match self.below(4) {
            0 => AnyChild::Plain(self.child_of(team, rank, name)),
            1 => AnyChild::Lanes(self.child_of(team, rank, name)),
            2 => AnyChild::Again(self.child_of(team, rank, name)),
            _ => AnyChild::Both(self.child_of(team, rank, name)),
        }
    }

    fn child_of<const LANES: bool, const AGAIN: u32>(
        &mut self,
        team: &Team,
        rank: usize,
        name: &str,
    ) -> Child<Worker<LANES, AGAIN>> {
        let slot = self.ledger.book().slots.len();
        let faults = self.faults_at_start();
        let restart = self.restart();
        let capacity = 1 + self.below(24);
        let overflow = self.overflow();
        let resumes = self.one_in(4);
        let spec = Spec {
            ledger: self.ledger.clone(),
            slot,
            faults,
        };
        let child = Child::of::<Worker<LANES, AGAIN>>(name, spec)
            .restart(restart)
            .capacity(capacity)
            .overflow(overflow)
            .on_error(if resumes { OnError::Resume } else { OnError::Fail });
        let mut child = self.with_limits(child);
        if team.auto_shutdown != AutoShutdown::Never && restart != Restart::Permanent && self.one_in(3) {
            child = child.significant();
        }
        self.ledger.book().slots.push(Slot {
            path: format!("{}/{name}", team.path),
            rank: (team.place, rank),
            in_order: team.in_order,
            restart,
            capacity: capacity as u64,
            redeliveries: AGAIN,
            resumes,
            line: Arc::new(child.address()),
            record: Record {
                is_known: !name.starts_with('x'),
                ..Record::default()
            },
        });
        child
    }

    fn faults_at_start(&mut self) -> Faults {
        let faults = Faults::new();
        if self.one_in(12) {
            faults.at(
                1 + self.chance.below(3),
                Callback::Start,
                self.pick(&[Fault::Error, Fault::Panic, Fault::Hang]),
            );
        }
        self.faults.push(faults.clone());
        faults
    }

    fn restart(&mut self) -> Restart {
        self.pick(&[
            Restart::Permanent,
            Restart::Permanent,
            Restart::Transient,
            Restart::Temporary,
        ])
    }

    fn overflow(&mut self) -> Overflow {
        self.pick(&[
            Overflow::Wait,
            Overflow::Wait,
            Overflow::Reject,
            Overflow::DropNewest,
            Overflow::DropOldest,
        ])
    }

    /// How long it may take for what, and what becomes of it when it fails too often.
    fn with_limits<A: Agent>(&mut self, child: Child<A>) -> Child<A> {
        let mut child = child.start_within(self.millis(200, 3000));
        child = if self.one_in(5) {
            child.shutdown(Shutdown::BrutalKill)
        } else {
            child.shutdown(Shutdown::Within(self.millis(1, 3000)))
        };
        if self.one_in(4) {
            child = child.on_limit(OnLimit::Quarantine);
        }
        if self.one_in(4) {
            child = child.backoff(self.backoff());
        }
        if self.one_in(4) {
            child = child.handle_within(self.millis(50, 1500), self.pick(&[OnStuck::Report, OnStuck::Restart]));
        }
        child
    }
}
