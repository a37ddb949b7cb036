//! Looking at a tree without asking its agents, and reaching into it by path.

use std::sync::Arc;
use std::time::Duration;

use serde::Serialize;
use tokio::sync::broadcast;

use super::figures::Figures;
use super::metering::ROOT;
use super::node::{Change, Level, Node, OBSERVE, PAUSE, Phase};
use super::office::RestartBudget;
use super::order::parent_of;
use super::shared::{Event, Shared};
use crate::address::{Address, Refusal, SendError};
use crate::agent::AgentKind;
use crate::clock::Moment;
use crate::dead_letter::DeadLetters;
use crate::mailbox::Mailbox;
use crate::message::Message;
use crate::metrics::Instruments;
use crate::reason::ExitReason;
use crate::supervisor::{CallError, FIRST_PART, Reception, Started, Supervisor, SupervisorHandle};

/// One node as the tree shows it.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[non_exhaustive]
pub struct NodeView {
    /// A number given once in a process.
    pub id: u64,
    /// Its place in the tree: `root`, `team`, `team/agent`.
    pub path: Arc<str>,
    /// What it is.
    #[serde(flatten)]
    pub level: Level,
    /// What kind of agent it is, where it is one.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub agent_kind: Option<AgentKind>,
    /// The agent's type.
    pub type_name: &'static str,
    /// Where it stands in its life.
    pub state: Phase,
    /// Its present life, or its last.
    pub incarnation: u64,
    /// How often its supervisor decided to restart it since it had ended: not for a sibling, and not by hand.
    pub restarts: u64,
    /// When it is started again, while it waits for that.
    #[serde(skip)]
    pub restart_at: Option<Moment>,
    /// When the handler that is at work began, where it was seen to be longer at it than its budget allows.
    #[serde(skip)]
    pub stuck_since: Option<Moment>,
    /// Why its last incarnation ended.
    pub last_exit: Option<ExitReason>,
    /// The figures of its mailbox, where it has one.
    pub mailbox: Option<Figures>,
    /// How many children it has.
    pub children_count: usize,
}

impl NodeView {
    /// A node that was specified and nothing more, for tests of whoever reads views.
    pub fn new(path: impl Into<Arc<str>>, level: Level) -> Self {
        Self {
            id: 0,
            path: path.into(),
            level,
            agent_kind: None,
            type_name: "",
            state: Phase::Specified,
            incarnation: 0,
            restarts: 0,
            restart_at: None,
            stuck_since: None,
            last_exit: None,
            mailbox: None,
            children_count: 0,
        }
    }
}

/// Nothing stands at a path, or something else than was asked for.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum NotFound {
    /// Nothing stands there.
    #[error("nothing in the tree is called {path}; its snapshot lists what there is")]
    NoSuchPath {
        /// The path in question.
        path: String,
    },
    /// What stands there is no agent.
    #[error("{path} is a {found}, which handles no messages; name one of its agents")]
    NoAgent {
        /// The path in question.
        path: String,
        /// What stands there.
        found: &'static str,
    },
    /// What stands there is no supervisor.
    #[error("{path} is an agent, {found}, which has no children; name the supervisor above it")]
    NoSupervisor {
        /// The path in question.
        path: String,
        /// What stands there.
        found: &'static str,
    },
    /// What stands there takes other messages.
    #[error("{path} does not take messages of type {wanted}; it is an agent of type {found}")]
    OtherType {
        /// The path in question.
        path: String,
        /// The message type asked for.
        wanted: &'static str,
        /// The type that stands there.
        found: &'static str,
    },
}

/// Sees a tree, and reaches into it by path. Cheap to clone.
///
/// An agent of a team that was [split](crate::Supervisor::span) has the path of its part, such as `team.2/agent`, and is found by
/// `team/agent` too.
#[derive(Clone, Debug)]
pub struct Observer {
    shared: Arc<Shared>,
}

impl Observer {
    pub(crate) fn new(shared: Arc<Shared>) -> Self {
        Self { shared }
    }

    /// All nodes: the root, then each supervisor with its agents behind it, numbers counted as numbers. Read from what supervision
    /// keeps, never by asking agents.
    pub fn snapshot(&self) -> Vec<NodeView> {
        let shown = self.shared.in_order();
        shown.iter().map(|shown| view(&shown.node, shown.children)).collect()
    }

    /// What stands at `path`.
    pub fn node(&self, path: &str) -> Result<NodeView, NotFound> {
        let node = self.entry(path)?.node;
        let children = match node.level() {
            Level::Agent => 0,
            _ => self
                .shared
                .all()
                .iter()
                .filter(|other| parent_of(other) == path)
                .count(),
        };
        Ok(view(&node, children))
    }

    /// The state of what stands at `path`, and nothing more of it.
    pub fn state(&self, path: &str) -> Result<Phase, NotFound> {
        Ok(self.entry(path)?.node.phase())
    }

    /// The last changes of state of what stands at `path`, oldest first.
    pub fn history(&self, path: &str) -> Result<Vec<Change>, NotFound> {
        Ok(self.entry(path)?.node.history())
    }

    /// The address of the agent at `path`.
    pub fn address<M: Message>(&self, path: &str) -> Result<Address<M>, NotFound> {
        let entry = self.agent(path)?;
        let found = entry.node.type_name;
        let mailbox = entry.door.as_any().downcast::<Mailbox<M>>();
        let wanted = std::any::type_name::<M>();
        let other = |_| NotFound::OtherType {
            path: path.to_owned(),
            wanted,
            found,
        };
        mailbox.map(Address::new).map_err(other)
    }

    /// Sends to whoever stands at `path`; where nobody does, the message comes back and is counted as a dead
    /// letter. One who takes other messages refuses it, which is [`Refusal::OtherType`].
    pub async fn send_to<M: Message>(&self, path: &str, message: M) -> Result<(), SendError<M>> {
        match self.receiver(path) {
            Ok(address) => address.send(message).await,
            Err(why) => Err(unsent(path, message, why)),
        }
    }

    /// As [`Observer::send_to`], but a full mailbox gives the message back at once, as [`Address::try_send`] does.
    pub fn try_send_to<M: Message>(&self, path: &str, message: M) -> Result<(), SendError<M>> {
        match self.receiver(path) {
            Ok(address) => address.try_send(message),
            Err(why) => Err(unsent(path, message, why)),
        }
    }

    /// The address at `path`, or why a message for it is not sent; that nobody stands there is counted.
    fn receiver<M: Message>(&self, path: &str) -> Result<Address<M>, Refusal> {
        self.address(path).map_err(|error| match error {
            NotFound::NoSuchPath { .. } => {
                self.shared.no_such_agent(path, std::any::type_name::<M>());
                Refusal::NoSuchAgent
            }
            _ => Refusal::OtherType,
        })
    }

    /// The way to the supervisor at `path`; to all parts of a team that was split, at the team's name.
    pub fn supervisor(&self, path: &str) -> Result<SupervisorHandle, NotFound> {
        if let Some(first) = path.strip_suffix(FIRST_PART) {
            return self.supervisor(first).map(SupervisorHandle::alone);
        }
        let entry = self.entry(path)?;
        let found = entry.node.type_name;
        let reception = entry.door.as_any().downcast::<Reception>();
        let other = |_| NotFound::NoSupervisor {
            path: path.to_owned(),
            found,
        };
        reception
            .map(|reception| SupervisorHandle::new(entry.node.path(), reception, Arc::clone(&self.shared)))
            .map_err(other)
    }

    /// Adds a supervisor with its children at the right end of the root, and starts it; where it does not start it is
    /// not kept. It is taken away again by
    /// [`terminate_child`](SupervisorHandle::terminate_child) and [`delete_child`](SupervisorHandle::delete_child) of the
    /// handle at `root`.
    pub async fn start_supervisor(&self, supervisor: Supervisor) -> Result<Started, CallError> {
        let root = self.supervisor(ROOT).map_err(|_| CallError::Down {
            supervisor: Arc::from(ROOT),
        })?;
        root.start_supervisor(supervisor).await
    }

    /// What supervisors decide from now on.
    pub fn events(&self) -> Events {
        Events {
            receiver: self.shared.subscribe(),
            missed: 0,
        }
    }

    /// What the tree counts: events as they happen, messages and levels as of the last [`Observer::sample`].
    pub fn instruments(&self) -> &Instruments {
        self.shared.meters.instruments()
    }

    /// Brings what is counted by samples up to date: messages, gauges, dead letters. For whoever is about to read
    /// [`Observer::instruments`]; it looks at each node once and asks no agent.
    pub fn sample(&self) {
        self.shared.sample();
    }

    /// Messages that reached no handler.
    pub fn dead_letters(&self) -> Arc<DeadLetters> {
        Arc::clone(&self.shared.dead_letters)
    }

    /// Lets the agent at `path` handle nothing until it is resumed; its mailbox keeps what comes, through
    /// restarts too.
    pub fn pause(&self, path: &str) -> Result<(), NotFound> {
        let entry = self.agent(path)?;
        entry.node.raise(PAUSE);
        entry.door.ring();
        Ok(())
    }

    /// Lets a paused agent go on.
    pub fn resume(&self, path: &str) -> Result<(), NotFound> {
        let entry = self.agent(path)?;
        entry.node.lower(PAUSE);
        entry.door.ring();
        Ok(())
    }

    /// Asks the agent at `path` to show its state, which it does between two messages; [`Observer::last_state`]
    /// reads it. Nobody waits for anybody.
    pub fn request_state(&self, path: &str) -> Result<(), NotFound> {
        let entry = self.agent(path)?;
        entry.node.raise(OBSERVE);
        entry.door.ring();
        Ok(())
    }

    /// What the agent at `path` shows of itself when asked. One that is busy for longer than `limit`, or down, is shown as it
    /// last was, if it ever was.
    pub async fn state_of(&self, path: &str, limit: Duration) -> Result<Option<serde_json::Value>, NotFound> {
        let entry = self.agent(path)?;
        if let Some(shown) = entry.node.look_on() {
            entry.node.raise(OBSERVE);
            entry.door.ring();
            // In time or not: what it showed last is what there is.
            let _in_time = tokio::time::timeout(limit, shown).await;
        }
        Ok(entry.node.view())
    }

    /// How many restarts the supervisor at `path` has seen within its period, and how many it bears; `None` before its first
    /// start.
    pub fn restart_budget(&self, path: &str) -> Result<Option<RestartBudget>, NotFound> {
        Ok(self.entry(path)?.node.meters().budget(Moment::now()))
    }

    /// What the agent at `path` last showed of itself; `None` where it has shown nothing yet.
    pub fn last_state(&self, path: &str) -> Result<Option<serde_json::Value>, NotFound> {
        Ok(self.agent(path)?.node.view())
    }

    fn agent(&self, path: &str) -> Result<super::shared::Entry, NotFound> {
        let entry = self.entry(path)?;
        match entry.node.level() {
            Level::Agent => Ok(entry),
            _ => Err(NotFound::NoAgent {
                path: path.to_owned(),
                found: entry.node.type_name,
            }),
        }
    }

    fn entry(&self, path: &str) -> Result<super::shared::Entry, NotFound> {
        let found = self.shared.find(path).or_else(|| self.in_part(path));
        found.ok_or_else(|| NotFound::NoSuchPath { path: path.to_owned() })
    }

    /// An agent of a team that was split, named as if it were not.
    fn in_part(&self, path: &str) -> Option<super::shared::Entry> {
        let (team, agent) = path.split_once('/')?;
        let first = self.shared.find(team)?.door.as_any().downcast::<Reception>().ok()?;
        let mut others = first.split()?.others().iter();
        others.find_map(|part| self.shared.find_child(part.path(), agent))
    }
}

fn unsent<M>(path: &str, message: M, why: Refusal) -> SendError<M> {
    SendError {
        message,
        to: Arc::from(path),
        why,
    }
}

fn view(node: &Node, children_count: usize) -> NodeView {
    let mailbox = node.figures();
    let is_busy = || mailbox.as_ref().is_some_and(|mailbox| !mailbox.is_idle());
    NodeView {
        id: node.id,
        path: node.path(),
        level: node.level(),
        agent_kind: node.kind(),
        type_name: node.type_name,
        state: node.phase_where(is_busy),
        incarnation: node.incarnation(),
        restarts: u64::from(node.restarts()),
        restart_at: node.restart_at(),
        stuck_since: node.stuck_since(),
        last_exit: node.last_exit(),
        mailbox: mailbox.as_ref().map(|mailbox| mailbox.read()),
        children_count,
    }
}

/// A subscription to what supervisors decide.
#[derive(Debug)]
pub struct Events {
    receiver: broadcast::Receiver<Event>,
    missed: u64,
}

impl Events {
    /// The next event; `None` when the tree is gone. Events that were missed because this subscriber was slow
    /// are passed over and counted.
    pub async fn next(&mut self) -> Option<Event> {
        loop {
            match self.receiver.recv().await {
                Ok(event) => return Some(event),
                Err(broadcast::error::RecvError::Lagged(missed)) => self.missed += missed,
                Err(broadcast::error::RecvError::Closed) => return None,
            }
        }
    }

    /// The next event, if one is there already.
    pub fn try_next(&mut self) -> Option<Event> {
        loop {
            match self.receiver.try_recv() {
                Ok(event) => return Some(event),
                Err(broadcast::error::TryRecvError::Lagged(missed)) => self.missed += missed,
                Err(_) => return None,
            }
        }
    }

    /// How many events were missed before the one that was given last: a subscriber may fall
    /// [`EVENTS_KEPT`](super::EVENTS_KEPT) behind.
    pub fn missed(&self) -> u64 {
        self.missed
    }
}
