//! Our supervisor plays a scenario.

use std::collections::HashMap;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use triarch_supervision::prelude::*;
use triarch_supervision::reason::ExitReason;
use triarch_supervision::supervisor::{AdminError, CallError, Started, SupervisorHandle};

use crate::scenario::{Auto, End, Keep, Order, Outcome, Part, Scenario, Step};

/// Longer than a scenario takes, so that each restart counts.
const PERIOD: Duration = Duration::from_hours(1);

/// Who did what since the last look, and how often each was to start.
#[derive(Clone)]
struct Book {
    pages: Arc<Mutex<Pages>>,
    order: Order,
}

#[derive(Default)]
struct Pages {
    trace: Vec<String>,
    starts: HashMap<String, usize>,
    /// The start that its present life came of.
    lives: HashMap<String, usize>,
}

impl Book {
    fn write(&self, name: &str, mark: &str) {
        self.pages.lock().unwrap().trace.push(format!("{name}{mark}"));
    }

    fn trace(&self) -> String {
        let mut trace = std::mem::take(&mut self.pages.lock().unwrap().trace);
        if self.order == Order::Dynamic {
            // Its children stop all at once.
            trace.sort();
        }
        trace.join(" ")
    }

    fn begins(&self, part: &Part) -> Outcome {
        let pages = &mut *self.pages.lock().unwrap();
        let starts = pages.starts.entry(part.name.clone()).or_default();
        *starts += 1;
        let outcome = part.starts[(*starts).min(part.starts.len()) - 1];
        if outcome == Outcome::Ok {
            pages.lives.insert(part.name.clone(), *starts);
        }
        outcome
    }

    fn life(&self, name: &str) -> usize {
        self.pages.lock().unwrap().lives[name]
    }
}

struct Player {
    name: String,
    book: Book,
}

struct Ends(End);

impl Message for Ends {}

impl Agent for Player {
    type Message = Ends;
    type Spec = (Part, Book);

    async fn start((part, book): Self::Spec, _: &mut Context<Self>) -> Result<Self, Failure> {
        let outcome = book.begins(&part);
        let mark = match outcome {
            Outcome::Ok => "+",
            Outcome::Ignore => "?",
            Outcome::Fail => "!",
        };
        book.write(&part.name, mark);
        match outcome {
            Outcome::Ok => Ok(Self { name: part.name, book }),
            Outcome::Ignore => Err(Failure::ignore()),
            Outcome::Fail => Err(Failure::new("failed")),
        }
    }

    async fn handle(&mut self, Ends(end): Ends, ctx: &mut Context<Self>) -> Result<(), Failure> {
        if end == End::Normal {
            ctx.stop();
            return Ok(());
        }
        Err(Failure::new("told to"))
    }

    async fn stop(&mut self, reason: &ExitReason, _: &mut Context<Self>) {
        if *reason == ExitReason::Shutdown {
            self.book.write(&self.name, "-");
        }
    }
}

fn restart(keep: Keep) -> Restart {
    match keep {
        Keep::Permanent => Restart::Permanent,
        Keep::Transient => Restart::Transient,
        Keep::Temporary => Restart::Temporary,
    }
}

fn child(part: &Part, book: &Book) -> Child<Player> {
    let child = Child::of::<Player>(part.name.clone(), (part.clone(), book.clone())).restart(restart(part.keep));
    let child = if part.is_significant {
        child.significant()
    } else {
        child
    };
    if part.is_brutal {
        child.shutdown(Shutdown::BrutalKill)
    } else {
        child
    }
}

fn team(scenario: &Scenario, book: &Book) -> Supervisor {
    let listed = |strategy| {
        let parts = scenario.parts.iter().map(|part| child(part, book));
        Supervisor::named("team").strategy(strategy).children(parts)
    };
    let team = match scenario.order {
        Order::OneForOne => listed(Strategy::OneForOne),
        Order::OneForAll => listed(Strategy::OneForAll),
        Order::RestForOne => listed(Strategy::RestForOne),
        Order::Dynamic => Supervisor::dynamic("team"),
    };
    team.auto_shutdown(match scenario.auto {
        Auto::Never => AutoShutdown::Never,
        Auto::AnySignificant => AutoShutdown::AnySignificant,
        Auto::AllSignificant => AutoShutdown::AllSignificant,
    })
    .intensity(Intensity::new(scenario.restarts, PERIOD))
    .backoff(Backoff::none())
    .restart(restart(scenario.keep))
}

/// What is written down of each step.
pub(crate) fn play(scenario: &Scenario) -> Vec<String> {
    let clock = tokio::runtime::Builder::new_current_thread()
        .enable_time()
        .start_paused(true)
        .build()
        .unwrap();
    clock.block_on(played(scenario))
}

async fn played(scenario: &Scenario) -> Vec<String> {
    let (pages, order) = (Arc::default(), scenario.order);
    let book = Book { pages, order };
    let root = Root::new()
        .intensity(Intensity::new(scenario.above, PERIOD))
        .backoff(Backoff::none());
    let Ok(tree) = root.supervisor(team(scenario, &book)).start().await else {
        return vec![format!("fails [{}] ended", book.trace())];
    };
    let play = Play {
        team: tree.observer().supervisor("team").unwrap(),
        tree,
        book,
    };
    play.through(&scenario.steps).await
}

struct Play {
    tree: Tree,
    team: SupervisorHandle,
    book: Book,
}

impl Play {
    async fn through(mut self, steps: &[Step]) -> Vec<String> {
        let mut told = vec![self.told("ok").await];
        for step in steps {
            if told.last().unwrap().ends_with("ended") {
                break;
            }
            let given = self.step(step).await;
            told.push(self.told(given).await);
        }
        let has_ended = told.last().unwrap().ends_with("ended");
        self.tree.stop().await;
        if !has_ended {
            told.push(format!("stopped [{}] ended", self.book.trace()));
        }
        told
    }

    async fn step(&mut self, step: &Step) -> &'static str {
        match step {
            Step::End(name, end) => self.end(name, *end).await,
            Step::Terminate(name) => given(self.team.terminate_child(name).await),
            Step::Restart(name) => started(self.team.restart_child(name).await),
            Step::Delete(name) => given(self.team.delete_child(name).await),
            Step::Add(part) => {
                let added = self.team.start_child(child(part, &self.book)).await;
                started(added.map(|(_, started)| started))
            }
        }
    }

    async fn end(&mut self, name: &str, end: End) -> &'static str {
        let children = self.team.which_children().await.unwrap();
        if !children
            .iter()
            .any(|child| child.name.as_str() == name && child.incarnation.is_some())
        {
            return "down";
        }
        if end == End::Kill {
            self.team.kill_child(name).await.unwrap();
        } else {
            let address: Address<Ends> = self.tree.observer().address(&format!("team/{name}")).unwrap();
            address.send(Ends(end)).await.ok().unwrap();
        }
        "ok"
    }

    /// Once nothing happens any more.
    async fn told(&self, given: &str) -> String {
        tokio::time::sleep(Duration::from_secs(1)).await;
        let trace = self.book.trace();
        let Ok(children) = self.team.which_children().await else {
            return format!("{given} [{trace}] ended");
        };
        let shown = children.iter().map(|child| match child.incarnation {
            Some(_) => format!("{}:{}", child.name, self.book.life(child.name.as_str())),
            None => format!("{}:-", child.name),
        });
        let mut shown: Vec<_> = shown.collect();
        if self.book.order == Order::Dynamic {
            shown.sort();
        }
        format!("{given} [{trace}] {}", shown.join(" "))
    }
}

fn given(outcome: Result<(), CallError>) -> &'static str {
    outcome.map_or_else(|error| refused(&error), |()| "ok")
}

fn started(outcome: Result<Started, CallError>) -> &'static str {
    match outcome {
        Ok(Started::Running(_)) => "ok",
        Ok(Started::Declined) => "ignored",
        Err(error) => refused(&error),
    }
}

/// In OTP's words.
fn refused(error: &CallError) -> &'static str {
    match error {
        CallError::Down { .. } => "gone",
        CallError::Refused(AdminError::AlreadyStarted { .. }) => "already_started",
        CallError::Refused(AdminError::AlreadyPresent { .. }) => "already_present",
        CallError::Refused(AdminError::NotFound { .. }) => "not_found",
        CallError::Refused(AdminError::Running { .. }) => "running",
        CallError::Refused(AdminError::Restarting { .. }) => "restarting",
        CallError::Refused(AdminError::NotStarted { .. }) => "fails",
        CallError::Refused(AdminError::Dynamic { .. }) => "simple_one_for_one",
        other => panic!("OTP has no word for it: {other}"),
    }
}
