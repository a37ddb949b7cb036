//! What all parts of one tree share.

use std::borrow::Borrow;
use std::fmt;
use std::hash::{Hash, Hasher};
use std::sync::{Arc, Mutex, RwLock};
use std::time::Duration;

use foldhash::HashSet;
use serde::Serialize;
use tokio::sync::{broadcast, watch};

use crate::clock::{Moment, Seeded};
use crate::dead_letter::{DeadLetters, DeadReason, Letter};
use crate::reason::{ExitReason, Failure, KillCause};
use crate::supervisor::machine::{Decision, Incarnation, Overdue};
use crate::sync::{lock, unpoisoned};
use crate::time::Timekeeper;
use crate::tree::figures::MailboxFigures;
use crate::tree::metering::{Meters, ROOT};
use crate::tree::node::Node;
use crate::tree::order::Shown;
use crate::tree::sampling::Sampler;

/// How many events a slow subscriber may fall behind before it misses some.
pub const EVENTS_KEPT: usize = 4096;

/// Something a supervisor decided, or the tree saw.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[non_exhaustive]
pub struct Event {
    /// When.
    pub at: Moment,
    /// The supervisor it concerns.
    pub supervisor: Arc<str>,
    /// What.
    #[serde(flatten)]
    pub fact: Fact,
}

impl Event {
    /// An event as a tree tells it, for tests of those who listen.
    pub fn new(at: Moment, supervisor: impl Into<Arc<str>>, fact: Fact) -> Self {
        let supervisor = supervisor.into();
        Self { at, supervisor, fact }
    }

    /// The path of whom it is about: an agent or supervisor that somebody decided about or that was observed, or the
    /// supervisor itself where it decided about itself.
    pub fn subject(&self) -> Arc<str> {
        match &self.fact {
            Fact::Observation(Observation::Stuck { agent, .. } | Observation::Resumed { agent, .. }) => {
                Arc::clone(agent)
            }
            Fact::Decision(decision) => match (decision.child(), &*self.supervisor) {
                (None, _) => Arc::clone(&self.supervisor),
                (Some(child), ROOT) => Arc::from(child.as_str()),
                (Some(child), supervisor) => Arc::from(format!("{supervisor}/{child}")),
            },
        }
    }
}

/// What an event tells.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[serde(untagged)]
#[non_exhaustive]
pub enum Fact {
    /// A supervisor's decision with its reason.
    Decision(Decision),
    /// An observation about one of its agents.
    Observation(Observation),
}

/// What the tree saw of an agent.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[serde(rename_all = "snake_case", tag = "observation")]
#[non_exhaustive]
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
    nodes: RwLock<Nodes>,
    pub(crate) dead_letters: Arc<DeadLetters>,
    pub(crate) timekeeper: Timekeeper,
    pub(crate) meters: Meters,
    sampler: Sampler,
    events: broadcast::Sender<Event>,
    seed: Mutex<Seeded>,
    root: watch::Sender<RootState>,
    overdue: Mutex<Vec<Laggard>>,
    /// All that ever stood in the tree, for as long as anybody holds it.
    #[cfg(feature = "testing")]
    roll: Mutex<Vec<std::sync::Weak<Node>>>,
}

/// A child that did not stop in time.
struct Laggard {
    supervisor: Arc<str>,
    /// Where it may still be there.
    node: Option<Arc<Node>>,
    late: Overdue,
}

impl Laggard {
    /// Whether that incarnation still exists.
    fn is_there(&self) -> bool {
        let node = self.node.as_ref().filter(|_| !self.late.ended);
        node.is_some_and(|node| node.is_there(self.late.incarnation))
    }

    fn shown(&self) -> (Arc<str>, Overdue) {
        let late = Overdue {
            ended: !self.is_there(),
            ..self.late.clone()
        };
        (Arc::clone(&self.supervisor), late)
    }
}

/// How far the root has come.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) enum RootState {
    #[default]
    Starting,
    Running,
    Ended(ExitReason),
}

/// All nodes, each found by its path.
type Nodes = HashSet<Entry>;

/// A node with what gives its typed address back.
#[derive(Clone)]
pub(crate) struct Entry {
    pub(crate) node: Arc<Node>,
    pub(crate) door: Arc<dyn Door>,
}

impl Entry {
    pub(super) fn bring_near(&self) {
        self.node.bring_near();
        self.door.bring_near();
    }
}

// A path leads to one node, so that it tells them apart; kept beside it once more, it would take its room from every agent.
impl Borrow<str> for Entry {
    fn borrow(&self) -> &str {
        self.node.path_str()
    }
}

impl PartialEq for Entry {
    fn eq(&self, other: &Self) -> bool {
        self.node.path_str() == other.node.path_str()
    }
}

impl Eq for Entry {}

impl Hash for Entry {
    fn hash<H: Hasher>(&self, state: &mut H) {
        self.node.path_str().hash(state);
    }
}

/// The ways into a node that need no type.
pub(crate) trait Door: std::any::Any + Send + Sync {
    /// Looks at its flags again.
    fn ring(&self);
    /// As `Any`, to find the typed mailbox again.
    fn as_any(self: Arc<Self>) -> Arc<dyn std::any::Any + Send + Sync>;
    /// The figures of its mailbox, where it has one.
    fn figures(&self) -> Option<&dyn MailboxFigures> {
        None
    }
    /// Has what a sample reads of it brought from memory, and waits for nothing.
    fn bring_near(&self) {}
}

impl fmt::Debug for Shared {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Shared")
            .field("dead_letters", &self.dead_letters.total())
            .finish_non_exhaustive()
    }
}

impl Shared {
    pub(crate) fn new(seed: u64, meters: Meters) -> Arc<Self> {
        Arc::new(Self {
            nodes: RwLock::new(Nodes::default()),
            dead_letters: Arc::default(),
            timekeeper: Timekeeper::new(Moment::now()),
            meters,
            sampler: Sampler::default(),
            events: broadcast::Sender::new(EVENTS_KEPT),
            seed: Mutex::new(Seeded::new(seed)),
            root: watch::Sender::default(),
            overdue: Mutex::default(),
            #[cfg(feature = "testing")]
            roll: Mutex::default(),
        })
    }

    pub(crate) fn set_root(&self, state: RootState) {
        if matches!(state, RootState::Ended(_)) {
            self.sampler.close();
        }
        self.root.send_replace(state);
    }

    /// Nothing is left of the root. Where it did not end by its own decision it was killed, and the tree with it.
    pub(crate) fn root_is_gone(&self) {
        if !matches!(*self.root.borrow(), RootState::Ended(_)) {
            self.timekeeper.end();
            self.set_root(RootState::Ended(ExitReason::Killed(KillCause::Outside)));
        }
    }

    pub(crate) fn root(&self) -> watch::Receiver<RootState> {
        self.root.subscribe()
    }

    /// A supervisor ends and tells who did not stop in time; what it told when it ended before is forgotten, save
    /// those that are still there.
    pub(crate) fn report_overdue(
        &self,
        supervisor: &Arc<str>,
        overdue: impl IntoIterator<Item = (Option<Arc<Node>>, Overdue)>,
    ) {
        let mut all = lock(&self.overdue);
        let is_over = |known: &mut Laggard| known.supervisor == *supervisor && !known.is_there();
        let forgotten: Vec<_> = all.extract_if(.., is_over).collect();
        all.extend(overdue.into_iter().map(|(node, late)| Laggard {
            supervisor: Arc::clone(supervisor),
            node,
            late,
        }));
        drop(all);
        // Not under the lock: it may be the last to hold a node.
        drop(forgotten);
    }

    pub(crate) fn overdue(&self) -> Vec<(Arc<str>, Overdue)> {
        lock(&self.overdue).iter().map(Laggard::shown).collect()
    }

    /// A generator of chance for one supervisor.
    pub(crate) fn seeded(&self) -> Seeded {
        let mut seed = lock(&self.seed);
        Seeded::new(seed.next_u64())
    }

    pub(crate) fn tell(&self, at: Moment, supervisor: &Arc<str>, fact: Fact) {
        // Nobody listening is no failure.
        let _heard = self.events.send(Event {
            at,
            supervisor: Arc::clone(supervisor),
            fact,
        });
    }

    /// Tells what was seen of an agent, in the name of its supervisor.
    pub(crate) fn observe(&self, agent: &Node, what: Observation) {
        let path = agent.path();
        let supervisor = path.rsplit_once('/').map_or(&*path, |(supervisor, _)| supervisor);
        self.tell(Moment::now(), &Arc::from(supervisor), Fact::Observation(what));
    }

    pub(crate) fn subscribe(&self) -> broadcast::Receiver<Event> {
        self.events.subscribe()
    }

    /// All that ever stood in the tree and is still held by somebody.
    #[cfg(feature = "testing")]
    pub(crate) fn roll(&self) -> Vec<Arc<Node>> {
        lock(&self.roll).iter().filter_map(std::sync::Weak::upgrade).collect()
    }

    /// So many will be enlisted now.
    pub(crate) fn make_room_for(&self, many: usize) {
        self.sampler.make_room_for(many);
        let mut nodes = unpoisoned(self.nodes.write());
        nodes.reserve(many);
    }

    pub(crate) fn enlist(&self, node: &Arc<Node>, door: Arc<dyn Door>) {
        #[cfg(feature = "testing")]
        lock(&self.roll).push(Arc::downgrade(node));
        self.meters.admit(node);
        let entry = Entry {
            node: Arc::clone(node),
            door,
        };
        self.sampler.arrives(entry.clone());
        let before = unpoisoned(self.nodes.write()).replace(entry);
        if let Some(before) = before.filter(|before| before.node.id != node.id) {
            self.sampler.leaves(&before.node);
        }
    }

    /// Takes `node` off the list, and nobody who has come to its path since.
    pub(crate) fn strike(&self, node: &Node) {
        let mut nodes = unpoisoned(self.nodes.write());
        let path = node.path_str();
        let is_it = nodes.get(path).is_some_and(|entry| entry.node.id == node.id);
        let struck = if is_it { nodes.take(path) } else { None };
        drop(nodes);
        if struck.is_some() {
            self.meters.dismiss(node);
        }
        // Not under the lock: it may be the last to hold the node.
        drop(struck);
        self.sampler.leaves(node);
    }

    pub(crate) fn find(&self, path: &str) -> Option<Entry> {
        unpoisoned(self.nodes.read()).get(path).cloned()
    }

    /// What stands under the supervisor at that path, by that name.
    pub(crate) fn find_child(&self, supervisor: &str, child: &str) -> Option<Entry> {
        if supervisor == ROOT {
            return self.find(child);
        }
        self.find(&[supervisor, "/", child].concat())
    }

    /// All nodes, about in the order they came.
    pub(crate) fn all(&self) -> Vec<Arc<Node>> {
        self.sampler.all()
    }

    /// All nodes, in the order they are shown.
    pub(crate) fn in_order(&self) -> Arc<[Shown]> {
        self.sampler.in_order()
    }

    /// Looks at all nodes, adds what their mailboxes have gained and sets the gauges.
    pub(crate) fn sample(&self) {
        self.sampler.sample(&self.meters.metrics, &self.dead_letters);
    }

    /// Counts a message to nobody.
    pub(crate) fn no_such_agent(&self, path: &str, message_type: &'static str) {
        self.dead_letters.keep(Letter {
            to: Arc::from(path),
            message_type,
            reason: DeadReason::NoSuchAgent,
            cause: None,
            at: Moment::now(),
            replay: None,
        });
    }
}

#[cfg(not(shuttle))]
#[cfg(test)]
mod tests {
    use super::*;
    use crate::name::Name;
    use crate::tree::node::Level;

    const TEAM: &str = "team";

    fn shared() -> Arc<Shared> {
        Shared::new(1, Meters::new(None).unwrap())
    }

    struct Shut;

    impl Door for Shut {
        fn ring(&self) {}

        fn as_any(self: Arc<Self>) -> Arc<dyn std::any::Any + Send + Sync> {
            self
        }
    }

    #[test]
    fn whoever_comes_to_a_path_before_the_last_one_left_is_the_only_one_there() {
        let shared = shared();
        let nodes = [(); 2].map(|()| Node::new(Level::Agent, Name::unchecked(TEAM), "Type"));
        for node in &nodes {
            shared.enlist(node, Arc::new(Shut));
        }
        shared.strike(&nodes[0]);
        let all = shared.all();
        assert_eq!(all.len(), 1);
        assert!(Arc::ptr_eq(&all[0], &nodes[1]));
        shared.strike(&nodes[1]);
        assert!(shared.all().is_empty());
    }

    #[test]
    fn the_order_that_was_shown_is_kept_until_somebody_comes_or_goes_and_keeps_nobody_then() {
        let shared = shared();
        let enlist = |name: &str| {
            let node = Node::new(Level::Agent, Name::unchecked(name), "Type");
            shared.enlist(&node, Arc::new(Shut));
            node
        };
        let (ten, _two) = (enlist("a-10"), enlist("a-2"));
        let names = || {
            let shown = shared.in_order();
            shown
                .iter()
                .map(|shown| shown.node.name.to_string())
                .collect::<Vec<_>>()
        };
        assert_eq!(names(), ["a-2", "a-10"]);
        assert!(Arc::ptr_eq(&shared.in_order(), &shared.in_order()));
        let _one = enlist("a-1");
        assert_eq!(names(), ["a-1", "a-2", "a-10"]);
        shared.strike(&ten);
        shared.sampler.close();
        assert_eq!(Arc::strong_count(&ten), 1);
        assert_eq!(names(), ["a-1", "a-2"]);
    }

    fn late(name: &str, ended: bool) -> (Option<Arc<Node>>, Overdue) {
        let node = Node::new(Level::Agent, Name::unchecked(name), "Type");
        node.begin(1, Moment::default());
        let overdue = Overdue {
            child: node.name.clone(),
            incarnation: 1,
            waited: Duration::ZERO,
            ended,
        };
        (Some(node), overdue)
    }

    fn names(shared: &Shared) -> Vec<(String, bool)> {
        let overdue = shared.overdue();
        overdue
            .iter()
            .map(|(_, late)| (late.child.to_string(), late.ended))
            .collect()
    }

    #[test]
    fn who_was_overdue_is_forgotten_once_gone_when_its_supervisor_ends_again() {
        let (shared, team) = (shared(), Arc::from(TEAM));
        let (stuck, other) = (late("stuck", false), late("other", true));
        let node = stuck.0.clone().unwrap();
        shared.report_overdue(&Arc::from("others"), [other]);
        shared.report_overdue(&team, [stuck, late("killed", true)]);
        shared.report_overdue(&team, [late("again", true)]);
        let told = [("other", true), ("stuck", false), ("again", true)];
        assert_eq!(names(&shared), told.map(|(name, ended)| (name.to_owned(), ended)));
        node.ended(1, ExitReason::Normal, Moment::default());
        assert_eq!(names(&shared)[1], ("stuck".to_owned(), true));
        shared.report_overdue(&team, []);
        assert_eq!(names(&shared), [("other".to_owned(), true)]);
    }
}
