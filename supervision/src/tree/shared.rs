//! What all parts of one tree share.

use std::collections::{BTreeMap, HashMap};
use std::fmt;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, RwLock};
use std::time::Duration;

use serde::Serialize;
use tokio::sync::{broadcast, watch};

use crate::clock::{Moment, Seeded};
use crate::dead_letter::{DeadLetter, DeadLetters, DeadReason};
use crate::reason::{ExitReason, Failure};
use crate::supervisor::machine::{Decision, Incarnation, Overdue};
use crate::time::Timekeeper;
use crate::tree::node::Node;

/// How many events a slow subscriber may fall behind before it misses some.
pub const EVENTS_KEPT: usize = 4096;

/// Something a supervisor decided, or the tree saw.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Event {
    /// When.
    pub at: Moment,
    /// The supervisor it concerns.
    pub supervisor: Arc<str>,
    /// What.
    #[serde(flatten)]
    pub what: What,
}

/// What an event tells.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[serde(untagged)]
pub enum What {
    /// A supervisor's decision with its reason.
    Decision(Decision),
    /// An observation about one of its agents.
    Observation(Observation),
}

/// What the tree saw of an agent.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[serde(rename_all = "snake_case", tag = "observation")]
pub enum Observation {
    /// A handler outlived its declared time budget and has not ended.
    Stuck {
        /// The agent's path.
        agent: Arc<str>,
        /// Which life of it.
        incarnation: Incarnation,
        /// How long its handler has been running.
        running_for: Duration,
        /// What it was allowed.
        budget: Duration,
    },
    /// A handler failed and the agent went on with its state, as its specification says.
    Resumed {
        /// The agent's path.
        agent: Arc<str>,
        /// Which life of it.
        incarnation: Incarnation,
        /// What the handler returned.
        failure: Failure,
    },
}

/// What all parts of one tree share: index, dead letters, time, events.
pub(crate) struct Shared {
    nodes: RwLock<HashMap<Arc<str>, Entry>>,
    pub(crate) dead_letters: Arc<DeadLetters>,
    pub(crate) timekeeper: Timekeeper,
    events: broadcast::Sender<Event>,
    seed: Mutex<Seeded>,
    root: watch::Sender<RootState>,
    overdue: Mutex<Vec<(Arc<str>, Overdue)>>,
    /// All that ever stood in the tree, for as long as anybody holds it.
    #[cfg(feature = "testing")]
    roll: Mutex<Vec<std::sync::Weak<Node>>>,
}

/// How far the root has come.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) enum RootState {
    #[default]
    Starting,
    Running,
    Ended(ExitReason),
}

/// A node with what gives its typed address back.
#[derive(Clone)]
pub(crate) struct Entry {
    pub(crate) node: Arc<Node>,
    pub(crate) door: Arc<dyn Door>,
}

/// The ways into a node that need no type.
pub(crate) trait Door: std::any::Any + Send + Sync {
    /// Looks at its flags again.
    fn ring(&self);
    /// As `Any`, to find the typed mailbox again.
    fn as_any(self: Arc<Self>) -> Arc<dyn std::any::Any + Send + Sync>;
}

impl fmt::Debug for Shared {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Shared")
            .field("dead_letters", &self.dead_letters.total())
            .finish_non_exhaustive()
    }
}

impl Shared {
    pub(crate) fn new(seed: u64) -> Arc<Self> {
        Arc::new(Self {
            nodes: RwLock::new(HashMap::new()),
            dead_letters: Arc::default(),
            timekeeper: Timekeeper::new(Moment::now()),
            events: broadcast::Sender::new(EVENTS_KEPT),
            seed: Mutex::new(Seeded::new(seed)),
            root: watch::Sender::default(),
            overdue: Mutex::default(),
            #[cfg(feature = "testing")]
            roll: Mutex::default(),
        })
    }

    pub(crate) fn set_root(&self, state: RootState) {
        self.root.send_replace(state);
    }

    pub(crate) fn root(&self) -> watch::Receiver<RootState> {
        self.root.subscribe()
    }

    pub(crate) fn report_overdue(&self, supervisor: &Arc<str>, overdue: Vec<Overdue>) {
        lock(&self.overdue).extend(overdue.into_iter().map(|late| (Arc::clone(supervisor), late)));
    }

    pub(crate) fn overdue(&self) -> Vec<(Arc<str>, Overdue)> {
        lock(&self.overdue).clone()
    }

    /// A generator of chance for one supervisor.
    pub(crate) fn seeded(&self) -> Seeded {
        let mut seed = self.seed.lock().unwrap_or_else(PoisonError::into_inner);
        Seeded::new(seed.next_u64())
    }

    pub(crate) fn tell(&self, supervisor: &Arc<str>, what: What) {
        // Nobody listening is no failure.
        let _heard = self.events.send(Event {
            at: Moment::now(),
            supervisor: Arc::clone(supervisor),
            what,
        });
    }

    /// Tells what was seen of an agent, in the name of its supervisor.
    pub(crate) fn observe(&self, agent: &Node, what: Observation) {
        let path = agent.path();
        let supervisor = path.rsplit_once('/').map_or(&*path, |(supervisor, _)| supervisor);
        self.tell(&Arc::from(supervisor), What::Observation(what));
    }

    pub(crate) fn subscribe(&self) -> broadcast::Receiver<Event> {
        self.events.subscribe()
    }

    /// All that ever stood in the tree and is still held by somebody.
    #[cfg(feature = "testing")]
    pub(crate) fn roll(&self) -> Vec<Arc<Node>> {
        lock(&self.roll).iter().filter_map(std::sync::Weak::upgrade).collect()
    }

    pub(crate) fn enlist(&self, node: &Arc<Node>, door: Arc<dyn Door>) {
        #[cfg(feature = "testing")]
        lock(&self.roll).push(Arc::downgrade(node));
        let entry = Entry {
            node: Arc::clone(node),
            door,
        };
        self.nodes
            .write()
            .unwrap_or_else(PoisonError::into_inner)
            .insert(node.path(), entry);
    }

    /// Takes `node` off the list, and nobody who has come to its path since.
    pub(crate) fn strike(&self, node: &Node) {
        let mut nodes = self.nodes.write().unwrap_or_else(PoisonError::into_inner);
        let path = node.path();
        if nodes.get(&path).is_some_and(|entry| entry.node.id == node.id) {
            nodes.remove(&path);
        }
    }

    pub(crate) fn find(&self, path: &str) -> Option<Entry> {
        self.nodes
            .read()
            .unwrap_or_else(PoisonError::into_inner)
            .get(path)
            .cloned()
    }

    /// All nodes, by path.
    pub(crate) fn all(&self) -> BTreeMap<Arc<str>, Arc<Node>> {
        let nodes = self.nodes.read().unwrap_or_else(PoisonError::into_inner);
        nodes
            .iter()
            .map(|(path, entry)| (Arc::clone(path), Arc::clone(&entry.node)))
            .collect()
    }

    /// Counts a message to nobody.
    pub(crate) fn no_such_agent(&self, path: &str, message_type: &'static str) {
        self.dead_letters.keep(DeadLetter {
            number: 0,
            to: Arc::from(path),
            message_type,
            reason: DeadReason::NoSuchAgent,
            cause: None,
            at: Moment::now(),
            replay: None,
        });
    }
}

/// Locks, whatever became of another holder.
pub(crate) fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
