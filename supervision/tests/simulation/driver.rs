//! One seed: a tree, load, faults, calls and jumps of time, then its end.

use std::collections::{BTreeMap, BTreeSet};
use std::future::{Future, poll_fn};
use std::panic::AssertUnwindSafe;
use std::pin::pin;
use std::task::Poll;
use std::time::Duration;

use futures_util::future::BoxFuture;
use futures_util::stream::{FuturesUnordered, Stream};
use triarch_supervision::clock::{Moment, Seeded};
use triarch_supervision::prelude::*;
use triarch_supervision::supervisor::ChildStatus;
use triarch_supervision::supervisor::{AdminError, CallError, Decision, SupervisorHandle};
use triarch_supervision::testing::{Callback, Fault, Faults, World};
use triarch_supervision::tree::{Event, Fact};

use crate::checks;
use crate::history::History;
use crate::ledger::{Ledger, Waiting};
use crate::plan::{Plan, Planner, Team};
use crate::post::Sender;

/// As many things from outside may be under way at once.
const OPEN: usize = 40;

/// What came of one seed.
pub(crate) struct Told {
    pub(crate) hash: u64,
    pub(crate) messages: u64,
    pub(crate) restarts: u64,
    pub(crate) violations: Vec<String>,
}

pub(crate) struct Driver<'w> {
    pub(crate) world: &'w World,
    pub(crate) ledger: Ledger,
    pub(crate) chance: Seeded,
    pub(crate) faults: Vec<Faults>,
    pub(crate) teams: Vec<Team>,
    pub(crate) tree: Tree,
    pub(crate) under_way: FuturesUnordered<BoxFuture<'static, ()>>,
    pub(crate) paused: BTreeSet<String>,
    pub(crate) asked_starts: BTreeMap<String, u64>,
    pub(crate) added: usize,
}

/// Runs the world of `seed`; what panics in it is one more thing that is wrong.
pub(crate) fn tell(seed: u64) -> Told {
    let ledger = Ledger::default();
    let told = std::panic::catch_unwind(AssertUnwindSafe(|| tell_into(seed, &ledger)));
    told.unwrap_or_else(|panic| {
        let mut violations = ledger.take_violations();
        let text = panic.downcast_ref::<String>().cloned();
        violations.push(text.unwrap_or_else(|| "it panicked".to_owned()));
        Told {
            hash: 0,
            messages: 0,
            restarts: 0,
            violations,
        }
    })
}

fn tell_into(seed: u64, ledger: &Ledger) -> Told {
    let mut told = World::new(seed).run(async |world| {
        let restarts = story(world, ledger).await;
        let messages = ledger.book().slots.iter().map(|slot| slot.record.begun).sum();
        if std::env::var_os("TRIARCH_TRACE").is_some() {
            eprintln!("{}", world.trace());
        }
        Told {
            hash: world.trace().hash() ^ ledger.hash(),
            messages,
            restarts,
            violations: Vec::new(),
        }
    });
    told.violations = ledger.take_violations();
    told
}

async fn story(world: &World, ledger: &Ledger) -> u64 {
    let (mut chance, mut faults) = (world.chance(), Vec::new());
    let Plan {
        root,
        root_intensity,
        teams,
    } = Planner {
        ledger,
        chance: &mut chance,
        faults: &mut faults,
    }
    .tree();
    ledger.book().steady_since = Moment::now();
    let started = tokio::time::timeout(Duration::from_hours(1), world.start(root)).await;
    let Ok(started) = started else {
        ledger.violate("S7 the tree neither starts nor gives up".to_owned());
        return 0;
    };
    let asked_starts = match started {
        Err(StartError::NotStarted(_)) => BTreeMap::new(),
        Err(error) => panic!("the plan is no tree: {error}"),
        Ok(tree) => {
            let mut driver = Driver {
                world,
                ledger: ledger.clone(),
                chance,
                faults,
                teams: teams.clone(),
                tree,
                under_way: FuturesUnordered::new(),
                paused: BTreeSet::new(),
                asked_starts: BTreeMap::new(),
                added: 0,
            };
            driver.live().await;
            driver.end().await;
            driver.asked_starts
        }
    };
    let events = world.events();
    let mut book = ledger.book();
    let faults = History {
        teams: &teams,
        root_intensity,
        asked_starts: &asked_starts,
    }
    .check(&events, &book);
    book.violations.extend(faults);
    let is_restart = |event: &&Event| matches!(event.fact, Fact::Decision(Decision::Restarting { .. }));
    events.iter().filter(is_restart).count() as u64
}

impl Driver<'_> {
    async fn live(&mut self) {
        for _ in 0..10 + self.chance.below(40) {
            match self.chance.below(22) {
                0..=7 => self.send_something(),
                8..=10 => self.plan_a_fault(),
                11..=13 => self.call_somebody(),
                14 => self.pause_or_resume(),
                15..=17 => self.pass(800).await,
                18 => self.pass(8000).await,
                19 => self.jump().await,
                _ => self.look().await,
            }
            if !self.ledger.book().violations.is_empty() {
                return;
            }
        }
    }

    /// Goes on with what is under way until `until` is done.
    pub(crate) async fn meanwhile<T>(
        under_way: &mut FuturesUnordered<BoxFuture<'static, ()>>,
        until: impl Future<Output = T>,
    ) -> T {
        let mut until = pin!(until);
        poll_fn(|cx| {
            while let Poll::Ready(Some(())) = pin!(&mut *under_way).poll_next(cx) {}
            until.as_mut().poll(cx)
        })
        .await
    }

    fn below(&mut self, bound: usize) -> usize {
        usize::try_from(self.chance.below(bound as u64)).unwrap()
    }

    // ---- time ----

    async fn pass(&mut self, most: u64) {
        let time = Duration::from_millis(self.chance.below(most));
        Self::meanwhile(&mut self.under_way, self.world.advance(time)).await;
    }

    async fn jump(&mut self) {
        let time = Duration::from_millis(self.chance.below(5000));
        self.ledger.book().steady_since = Moment::from_nanos(u64::MAX);
        Self::meanwhile(&mut self.under_way, self.world.jump(time)).await;
        self.ledger.book().steady_since = Moment::now();
    }

    // ---- load, faults, calls ----

    fn send_something(&mut self) {
        if self.under_way.len() >= OPEN {
            return;
        }
        let (ledger, chance) = (self.ledger.clone(), Seeded::new(self.chance.next_u64()));
        let fuel = u8::try_from(self.chance.below(4)).unwrap();
        // Nobody else has this number, and no child has so high a one.
        let from = 1_000_000 + self.ledger.fresh();
        self.under_way.push(Box::pin(async move {
            let mut sender = Sender {
                ledger: &ledger,
                from,
                chance,
                fuel,
            };
            for _ in 0..3 {
                sender.act().await;
            }
        }));
    }

    fn plan_a_fault(&mut self) {
        if self.faults.is_empty() {
            return;
        }
        let child = self.below(self.faults.len());
        let soon = Fault::Delay(Duration::from_millis(self.chance.below(2500)));
        let place = [
            Callback::Start,
            Callback::Handle,
            Callback::Handle,
            Callback::Stop,
            Callback::Drop,
        ][self.below(5)];
        let fault = match place {
            Callback::Drop => Fault::Panic,
            _ => [Fault::Panic, Fault::Error, Fault::Hang, soon][self.below(4)],
        };
        let times = 1 + self.chance.below(3);
        self.faults[child].times(times, place, fault);
    }

    fn call_somebody(&mut self) {
        let number = self.below(self.teams.len());
        let team = self.teams[number].clone();
        let observer = self.tree.observer();
        let Ok(handle) = team.handle(&observer) else {
            return;
        };
        let waiting = Waiting::for_call(&self.ledger);
        if self.chance.below(4) == 0 {
            let rank = team.children + self.added;
            self.added += 1;
            let name = format!("x{}", self.added);
            let Self {
                ledger, chance, faults, ..
            } = self;
            let child = Planner { ledger, chance, faults }.child(&team, rank, &name);
            let line = ledger
                .book()
                .slots
                .last()
                .map(|slot| std::sync::Arc::clone(&slot.line))
                .unwrap();
            let ledger = ledger.clone();
            self.under_way.push(Box::pin(async move {
                let started = child.start(handle).await;
                drop(waiting);
                check_added(&ledger, started.as_ref().err(), line.is_closed());
            }));
            return;
        }
        let Some(slot) = self.some_child_of(&team) else { return };
        let path = self.ledger.book().slots[slot].path.clone();
        let name = path.rsplit('/').next().unwrap_or_default().to_owned();
        let what = self.below(6);
        if matches!(what, 1 | 3) {
            *self.asked_starts.entry(path).or_default() += 1;
        }
        self.ledger.book().slots[slot].record.terminated |= what == 0;
        self.under_way.push(Box::pin(async move {
            match what {
                0 => drop(handle.terminate_child(&name).await),
                1 => drop(handle.restart_child(&name).await),
                2 => drop(handle.delete_child(&name).await),
                3 => drop(handle.retry_child(&name).await),
                4 => drop(handle.kill_child(&name).await),
                _ => drop(handle.count_children().await),
            }
            drop(waiting);
        }));
    }

    fn some_child_of(&mut self, team: &Team) -> Option<usize> {
        let book = self.ledger.book();
        let own = book
            .slots
            .iter()
            .enumerate()
            .filter(|(_, slot)| slot.rank.0 == team.place);
        let own: Vec<_> = own.map(|(index, _)| index).collect();
        drop(book);
        (!own.is_empty()).then(|| own[self.below(own.len())])
    }

    fn pause_or_resume(&mut self) {
        let paths: Vec<_> = self.ledger.book().slots.iter().map(|slot| slot.path.clone()).collect();
        if paths.is_empty() {
            return;
        }
        let path = paths[self.below(paths.len())].clone();
        if self.paused.remove(&path) {
            let _gone = self.tree.observer().resume(&path);
        } else if self.tree.observer().pause(&path).is_ok() {
            self.paused.insert(path);
        }
    }

    // ---- looking ----

    pub(crate) async fn look(&mut self) {
        Self::meanwhile(&mut self.under_way, self.world.settle()).await;
        let observer = self.tree.observer();
        checks::at_rest(&mut self.ledger.book(), &observer);
        for team in self.teams.clone() {
            let Ok(handle) = team.handle(&observer) else {
                continue;
            };
            let children = self.list(&handle).await;
            Self::meanwhile(&mut self.under_way, self.world.settle()).await;
            if let Ok(children) = children {
                checks::children(&mut self.ledger.book(), &team.path, &children);
            }
        }
    }

    /// A supervisor lists its children at any time, whatever they do.
    pub(crate) async fn list(&mut self, handle: &SupervisorHandle) -> Result<Vec<ChildStatus>, CallError> {
        let listed = tokio::time::timeout(Duration::from_mins(10), handle.which_children());
        let listed = Self::meanwhile(&mut self.under_way, listed).await;
        listed.unwrap_or_else(|_| {
            self.ledger
                .violate(format!("S6 {} does not list its children", handle.path()));
            Ok(Vec::new())
        })
    }
}

/// A child that was not taken up leaves nothing open behind it.
fn check_added(ledger: &Ledger, error: Option<&CallError>, is_closed: bool) {
    // A supervisor that is ending closes it when it has ended; a child that was terminated is kept.
    let is_kept = matches!(
        error,
        Some(CallError::Refused(AdminError::Ending | AdminError::Interrupted { .. }))
    );
    if let (Some(error), false) = (error, is_closed || is_kept) {
        ledger.violate(format!("S11 a child that was refused ({error}) has an open address"));
    }
}
