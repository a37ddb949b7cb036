//! The agents of these tests: a puppet that does what it is told and writes down what happens to it.

use std::collections::HashMap;
use std::fmt;
use std::future::pending;
use std::sync::{Arc, Mutex, MutexGuard};
use std::time::Duration;

use futures_util::future::BoxFuture;
use triarch_supervision::prelude::*;

use crate::patience::quiet;

/// What puppets have written down, in the order it happened.
#[derive(Clone, Default)]
pub(crate) struct Log(Arc<Mutex<Pages>>);

#[derive(Default)]
struct Pages {
    lines: Vec<String>,
    alive: HashMap<String, usize>,
    most_alive: usize,
}

impl Log {
    fn pages(&self) -> MutexGuard<'_, Pages> {
        self.0.lock().unwrap()
    }

    pub(crate) fn write(&self, line: impl Into<String>) {
        self.pages().lines.push(line.into());
    }

    pub(crate) fn lines(&self) -> Vec<String> {
        self.pages().lines.clone()
    }

    /// Lines of this beginning, without it.
    pub(crate) fn after(&self, beginning: &str) -> Vec<String> {
        self.lines()
            .iter()
            .filter_map(|line| line.strip_prefix(beginning).map(str::to_owned))
            .collect()
    }

    pub(crate) fn count(&self, beginning: &str) -> usize {
        self.pages()
            .lines
            .iter()
            .filter(|line| line.starts_with(beginning))
            .count()
    }

    pub(crate) fn has(&self, line: &str) -> bool {
        self.pages().lines.iter().any(|other| other == line)
    }

    pub(crate) fn clear(&self) {
        self.pages().lines.clear();
    }

    /// The most incarnations of one agent that were ever there at the same time.
    pub(crate) fn most_alive(&self) -> usize {
        self.pages().most_alive
    }

    /// How many incarnations are there now.
    pub(crate) fn alive(&self) -> usize {
        self.pages().alive.values().sum()
    }
}

/// Counts an incarnation for as long as it exists, be it only as a `start` that runs.
struct Presence(Log, String);

impl Presence {
    fn begin(log: &Log, path: &str) -> Self {
        let mut pages = log.pages();
        let alive = pages.alive.entry(path.to_owned()).or_default();
        *alive += 1;
        let alive = *alive;
        pages.most_alive = pages.most_alive.max(alive);
        Self(log.clone(), path.to_owned())
    }
}

impl Drop for Presence {
    fn drop(&mut self) {
        if let Some(alive) = self.0.pages().alive.get_mut(&self.1) {
            *alive -= 1;
        }
    }
}

/// What a `start` does.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Start {
    Well,
    Fails,
    Panics,
    Ignores,
    Hangs,
    Takes(Duration),
    /// Starts, and fails before its first message.
    ThenCrashes,
}

/// What a `stop` does.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Stop {
    Well,
    Panics,
    Hangs,
    Takes(Duration),
}

/// What a puppet starts from.
#[derive(Clone)]
pub(crate) struct Script {
    pub(crate) log: Log,
    start: Arc<dyn Fn(u64) -> Start + Send + Sync>,
    pub(crate) stop: Stop,
    pub(crate) drop_panics: bool,
}

impl Script {
    pub(crate) fn new(log: &Log) -> Self {
        Self {
            log: log.clone(),
            start: Arc::new(|_| Start::Well),
            stop: Stop::Well,
            drop_panics: false,
        }
    }

    /// Each `start` does the same.
    pub(crate) fn start(self, start: Start) -> Self {
        self.starts(move |_| start)
    }

    /// What `start` does in which life.
    pub(crate) fn starts(mut self, start: impl Fn(u64) -> Start + Send + Sync + 'static) -> Self {
        self.start = Arc::new(start);
        self
    }

    pub(crate) fn stop(mut self, stop: Stop) -> Self {
        self.stop = stop;
        self
    }

    pub(crate) fn drop_panics(mut self) -> Self {
        self.drop_panics = true;
        self
    }
}

type Act =
    Box<dyn for<'a> FnOnce(&'a mut Puppet, &'a mut Context<Puppet>) -> BoxFuture<'a, Result<(), Failure>> + Send>;

/// What a puppet can be told.
pub(crate) enum Say {
    /// Writes `note n`.
    Note(u32),
    /// Answers with the same number.
    Echo(u32, Reply<u32>),
    /// Answers with the number of its life.
    Life(Reply<u64>),
    /// Keeps the reply and does not answer.
    Keep(Reply<u32>),
    /// Drops the reply.
    Ignore(Reply<u32>),
    /// Panics with the question in hand.
    PanicAt(Reply<u32>),
    Panic,
    Fail,
    Stop,
    /// Never returns.
    Hang,
    Do(Act),
}

impl Message for Say {}

impl fmt::Debug for Say {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Note(number) => write!(f, "Note({number})"),
            _ => f.write_str("Say"),
        }
    }
}

impl Say {
    pub(crate) fn act<F>(act: F) -> Self
    where
        F: for<'a> FnOnce(&'a mut Puppet, &'a mut Context<Puppet>) -> BoxFuture<'a, Result<(), Failure>>
            + Send
            + 'static,
    {
        Self::Do(Box::new(act))
    }
}

/// Does what it is told, and writes down what happens to it.
pub(crate) struct Puppet {
    pub(crate) name: String,
    pub(crate) script: Script,
    pub(crate) kept: Vec<Reply<u32>>,
    pub(crate) timer: Option<TimerId>,
    life: u64,
    crashes: bool,
    _presence: Presence,
}

impl Puppet {
    pub(crate) fn write(&self, what: impl fmt::Display) {
        self.script.log.write(format!("{} {what}", self.name));
    }
}

impl Agent for Puppet {
    type Message = Say;
    type Spec = Script;

    async fn start(script: Script, ctx: &mut Context<Self>) -> Result<Self, Failure> {
        let (path, life) = (ctx.path(), ctx.incarnation());
        let name = path.rsplit('/').next().unwrap().to_owned();
        let presence = Presence::begin(&script.log, &path);
        script.log.write(format!("{name} starts {life}"));
        let start = (script.start)(life);
        match start {
            Start::Well | Start::ThenCrashes => {}
            Start::Fails => return Err(Failure::new("no luck today")),
            Start::Panics => panic!("start of {name} went wrong"),
            Start::Ignores => return Err(Failure::ignore()),
            Start::Hangs => pending().await,
            Start::Takes(time) => tokio::time::sleep(time).await,
        }
        let crashes = matches!(start, Start::ThenCrashes);
        Ok(Self {
            name,
            script,
            kept: Vec::new(),
            timer: None,
            life,
            crashes,
            _presence: presence,
        })
    }

    async fn handle(&mut self, say: Say, ctx: &mut Context<Self>) -> Result<(), Failure> {
        match say {
            Say::Note(number) => self.write(format_args!("note {number}")),
            Say::Echo(number, reply) => reply.send(number),
            Say::Life(reply) => reply.send(self.life),
            Say::Keep(reply) => self.kept.push(reply),
            Say::Ignore(reply) => drop(reply),
            Say::PanicAt(_reply) => panic!("not that question"),
            Say::Panic => panic!("told to panic"),
            Say::Fail => return Err(Failure::new("told to fail")),
            Say::Stop => ctx.stop(),
            Say::Hang => {
                self.write("hangs");
                pending::<()>().await;
            }
            Say::Do(act) => return act(self, ctx).await,
        }
        Ok(())
    }

    async fn idle(&mut self, _ctx: &mut Context<Self>) -> Result<(), Failure> {
        if self.crashes {
            Err(Failure::new("crashes always"))
        } else {
            Ok(())
        }
    }

    async fn stop(&mut self, reason: &ExitReason, _ctx: &mut Context<Self>) {
        self.write(format_args!("stops: {reason}"));
        match self.script.stop {
            Stop::Well => {}
            Stop::Panics => panic!("stop went wrong"),
            Stop::Hangs => pending().await,
            Stop::Takes(time) => tokio::time::sleep(time).await,
        }
        self.write("stopped");
    }

    fn state(&self) -> Option<serde_json::Value> {
        Some(serde_json::json!({ "life": self.life }))
    }
}

impl Drop for Puppet {
    fn drop(&mut self) {
        self.write(format_args!("drops {}", self.life));
        assert!(!self.script.drop_panics, "the drop panics too");
    }
}

/// A puppet as a child.
pub(crate) fn puppet(name: &str, log: &Log) -> Child<Puppet> {
    Child::of::<Puppet>(name, Script::new(log))
}

/// A puppet with a script of its own.
pub(crate) fn scripted(name: &str, script: Script) -> Child<Puppet> {
    Child::of::<Puppet>(name, script)
}

/// A team that bears much.
pub(crate) fn team() -> Supervisor {
    Supervisor::named("team").intensity(Intensity::new(1000, Duration::from_secs(1)))
}

/// A tree of one team that runs.
pub(crate) async fn grow(team: Supervisor) -> Tree {
    Root::new().seed(1).supervisor(team).start().await.unwrap()
}

/// A tree of one team of one agent, and the way to that agent.
pub(crate) async fn one<A: Agent>(child: Child<A>) -> (Tree, Address<A::Message>) {
    one_in(team(), child).await
}

/// The same of a team of its own kind.
pub(crate) async fn one_in<A: Agent>(team: Supervisor, child: Child<A>) -> (Tree, Address<A::Message>) {
    let address = child.address();
    (grow(team.child(child)).await, address)
}

/// Has the agent `a` handle nothing more.
pub(crate) async fn pause(tree: &Tree) {
    tree.observer().pause("team/a").unwrap();
    quiet().await;
}

/// Kills the agent `a` as if from outside.
pub(crate) async fn kill_agent(tree: &Tree) {
    kill(tree, "team", "a").await;
}

/// Kills the team's supervisor as if from outside.
pub(crate) async fn kill_team(tree: &Tree) {
    kill(tree, "root", "team").await;
}

async fn kill(tree: &Tree, supervisor: &str, child: &str) {
    let supervisor = tree.observer().supervisor(supervisor).unwrap();
    supervisor.kill_child(child).await.unwrap();
}
