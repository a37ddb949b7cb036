//! Feeding the catalogue: what a tree counts as it happens, and what it reads off its nodes at each sample.
//!
//! ```text
//!   a change of phase ─▶ Node::enter ──▶ NodeMeters ─▶ Place: the handles, fetched once for each node
//!   a decision ────────▶ Shared::tell ─▶ NodeMeters ─▶ Office: a supervisor's own handles
//!   a dead letter ─────▶ Mailbox ──────▶ NodeMeters
//!   a scrape ──────────▶ Observer::sample ─▶ gains since the last sample, and a Census of all nodes
//! ```
//!
//! Nodes of one type under one group share a [`Place`]. What happens to a node costs it an atomic or two; messages are
//! counted by their mailboxes alone, and a sample adds what they have gained.

use std::collections::HashMap;
use std::fmt;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, OnceLock};
use std::time::Duration;

use super::node::{Kind, Node, Phase};
use super::office::Office;
use super::shared::lock;
use crate::clock::Moment;
use crate::dead_letter::DeadReason;
use crate::metrics::families::{AGENT, MAILBOX, SUPERVISION};
use crate::metrics::{
    Catalogue, Census, Histogram, Instruments, KindMetrics, SupervisionMetrics, SupervisorMetrics, TELEMETRY,
    TypeMetrics,
};
use crate::policy::Intensity;
use crate::reason::ExitReason;
use crate::supervisor::machine::ChildState;

/// What every agent of this crate is; terminals and other programs have rooms of their own.
const NATIVE: &str = "native";

/// Set beside the moment of a node's end while its restart is under way.
const AWAITED: u64 = 1 << 63;

/// The handles that all nodes of one type under one group share.
#[derive(Debug)]
pub(super) struct Place {
    of_type: Arc<TypeMetrics>,
    /// The group whose child it is; the root is nobody's.
    group: Option<Arc<SupervisorMetrics>>,
    /// What kind of agent, where it is one.
    kind: Option<Arc<KindMetrics>>,
    /// What it does as a supervisor, where it is one.
    office: Option<Office>,
    spawn_seconds: Arc<Histogram>,
    restart_seconds: Arc<Histogram>,
    wait_seconds: Arc<Histogram>,
}

/// What one node is counted by: nothing before it is part of a tree.
#[derive(Default)]
pub(crate) struct NodeMeters {
    place: OnceLock<Arc<Place>>,
    /// When the present incarnation began to start; 0 once it runs.
    began: AtomicU64,
    /// When it fell: its last end, or the first of several in a row that were followed by no start; see [`AWAITED`].
    fell: AtomicU64,
    /// What was seen of its mailbox so far.
    enqueued: AtomicU64,
    handled_ok: AtomicU64,
}

impl fmt::Debug for NodeMeters {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("NodeMeters").finish_non_exhaustive()
    }
}

/// What happens to the node.
impl NodeMeters {
    /// Its phase changed to `to`.
    pub(super) fn entered(&self, to: Phase, reason: Option<&ExitReason>, at: Moment) {
        let Some(place) = self.place.get() else { return };
        if let Some(kind) = &place.kind {
            kind.transitions(word(to)).increment();
        }
        match to {
            Phase::Starting => self.starts(place, at),
            Phase::Idle => self.runs(place, at),
            Phase::Stopped => self.ends(place, reason, at),
            Phase::Failed => self.fell.store(0, Ordering::Relaxed),
            _ => {}
        }
    }

    fn starts(&self, place: &Place, at: Moment) {
        place.of_type.spawns.increment();
        self.began.store(at.as_nanos(), Ordering::Relaxed);
        if let Some(office) = &place.office {
            office.opens();
        }
    }

    fn runs(&self, place: &Place, at: Moment) {
        let began = self.began.swap(0, Ordering::Relaxed);
        if began != 0 {
            place.spawn_seconds.observe(at.since(Moment::from_nanos(began)));
        }
        let fell = self.fell.load(Ordering::Relaxed);
        if fell & AWAITED != 0 {
            self.fell.store(0, Ordering::Relaxed);
            let fell = Moment::from_nanos(fell & !AWAITED);
            place.restart_seconds.observe(at.since(fell));
        }
    }

    fn ends(&self, place: &Place, reason: Option<&ExitReason>, at: Moment) {
        self.began.store(0, Ordering::Relaxed);
        if self.fell.load(Ordering::Relaxed) & AWAITED == 0 {
            self.fell.store(at.as_nanos() & !AWAITED, Ordering::Relaxed);
        }
        if let Some(reason) = reason {
            place.of_type.stops(reason).increment();
        }
    }

    /// Its restart was decided.
    pub(super) fn awaited(&self) {
        self.fell.fetch_or(AWAITED, Ordering::Relaxed);
    }

    fn is_awaited(&self) -> bool {
        self.fell.load(Ordering::Relaxed) & AWAITED != 0
    }

    /// A message of its mailbox died; `was_queued` unless the mailbox was full and dropped it at once.
    pub(crate) fn message_died(&self, reason: DeadReason, was_queued: bool) {
        let Some(place) = self.place.get() else { return };
        if !was_queued {
            place.of_type.enqueued(NORMAL).increment();
        }
        match reason {
            DeadReason::Full | DeadReason::Closed | DeadReason::Expired => {
                place.of_type.dropped(reason.label()).increment();
            }
            DeadReason::Crashed | DeadReason::Poison => place.of_type.handled_error().increment(),
            DeadReason::NoSuchAgent => {}
        }
    }
}

/// The priority of messages without one.
const NORMAL: &str = "normal";

/// What those who measure times tell; without effect before the node is part of a tree.
#[cfg_attr(
    not(test),
    expect(
        dead_code,
        reason = "the mailbox's reader, its senders and the supervisors call them as they are reworked"
    )
)]
impl NodeMeters {
    /// A sampled message waited so long.
    #[inline]
    pub(crate) fn waited(&self, time: Duration) {
        if let Some(place) = self.place.get() {
            place.wait_seconds.observe(time);
        }
    }

    /// The handler of a sampled message ran so long.
    #[inline]
    pub(crate) fn handled(&self, time: Duration) {
        if let Some(place) = self.place.get() {
            place.of_type.message_handle_seconds.observe(time);
        }
    }

    /// A sender was held back so long.
    #[inline]
    pub(crate) fn held_back(&self, time: Duration) {
        if let Some(place) = self.place.get() {
            place.of_type.backpressure_wait_seconds.add(time);
        }
    }
}

/// What it does as a supervisor.
impl NodeMeters {
    /// How many restarts it bears, so that the share it has used can be told. Said once it is part of the tree.
    pub(crate) fn bears(&self, intensity: Intensity) {
        if let Some(office) = self.office() {
            office.bears(intensity);
        }
    }

    pub(super) fn office(&self) -> Option<&Office> {
        self.place.get()?.office.as_ref()
    }
}

/// Reading it.
impl NodeMeters {
    /// Adds what its mailbox has gained since it was last looked at. Several may look at once: each gain counts once.
    pub(super) fn gain(&self, enqueued: u64, handled_ok: u64) {
        let Some(place) = self.place.get() else { return };
        if let Some(more) = raise(&self.enqueued, enqueued) {
            place.of_type.enqueued(NORMAL).add(more);
        }
        if let Some(more) = raise(&self.handled_ok, handled_ok) {
            place.of_type.handled_ok().add(more);
        }
    }

    /// Counts the node in `census`.
    pub(super) fn count(&self, node: &Node, census: &mut Census<'_>, now: Moment) {
        let Some(place) = self.place.get() else { return };
        let phase = node.phase();
        if phase.is_alive() {
            census.actor(&place.of_type);
        }
        if let Some(group) = &place.group {
            census.child(group, child_state(phase, self.is_awaited()));
        }
        if let Some(kind) = &place.kind {
            census.agent(kind, word(phase));
        }
        if let Some(figures) = node.figures() {
            let figures = figures.read();
            let depth = usize::try_from(figures.depth).unwrap_or(usize::MAX);
            census.mailbox(&place.of_type, depth, figures.oldest_age.unwrap_or_default());
            self.gain(figures.enqueued, figures.handled.saturating_sub(figures.failed));
        }
        if let Some(office) = &place.office
            && let Some(used) = office.budget_used(now)
        {
            census.budget_used(&office.metrics, used);
        }
    }
}

/// Raises `seen` to `total`; tells by how much, where it was lower.
fn raise(seen: &AtomicU64, total: u64) -> Option<u64> {
    // Most have gained nothing, and then their cache line stays clean.
    if seen.load(Ordering::Relaxed) >= total {
        return None;
    }
    let before = seen.fetch_max(total, Ordering::Relaxed);
    (total > before).then(|| total - before)
}

fn word(phase: Phase) -> &'static str {
    match phase {
        Phase::Specified | Phase::Starting => "starting",
        Phase::Idle => "idle",
        Phase::Busy => "busy",
        Phase::Paused => "paused",
        Phase::Stopping => "stopping",
        Phase::Stopped => "stopped",
        Phase::Backoff => "backoff",
        Phase::Failed => "failed",
    }
}

fn child_state(phase: Phase, is_awaited: bool) -> ChildState {
    match phase {
        Phase::Specified | Phase::Starting => ChildState::Starting,
        Phase::Idle | Phase::Busy | Phase::Paused => ChildState::Running,
        Phase::Stopping => ChildState::Stopping,
        Phase::Backoff => ChildState::Restarting,
        Phase::Stopped if is_awaited => ChildState::Restarting,
        Phase::Stopped => ChildState::Down,
        Phase::Failed => ChildState::Quarantined,
    }
}

/// The instruments of one tree, and the places of its nodes.
#[derive(Debug)]
pub(crate) struct Meters {
    instruments: Instruments,
    pub(super) metrics: SupervisionMetrics,
    native: Arc<KindMetrics>,
    places: Mutex<Places>,
}

/// What was made so far: as much as there are types, groups and pairs of them.
#[derive(Debug, Default)]
struct Places {
    types: HashMap<&'static str, Arc<TypeMetrics>>,
    groups: HashMap<Box<str>, Group>,
}

/// One group of supervisors.
#[derive(Debug)]
struct Group {
    metrics: Arc<SupervisorMetrics>,
    agents: HashMap<&'static str, Arc<Place>>,
}

impl Meters {
    /// Feeds `instruments`, or else instruments of this crate's own sections.
    ///
    /// In words, why it cannot: their catalogue lacks one of these sections.
    pub(crate) fn new(instruments: Option<Instruments>) -> Result<Self, String> {
        let instruments = instruments.map_or_else(own_instruments, Ok)?;
        let metrics = SupervisionMetrics::new(&instruments).map_err(|error| error.to_string())?;
        Ok(Self {
            native: metrics.of_kind(NATIVE),
            instruments,
            metrics,
            places: Mutex::default(),
        })
    }

    pub(crate) fn instruments(&self) -> &Instruments {
        &self.instruments
    }

    /// Gives a node that becomes part of the tree its place; one that has it keeps it.
    pub(super) fn admit(&self, node: &Node) {
        node.meters().place.get_or_init(|| {
            let mut places = lock(&self.places);
            match node.kind {
                Kind::Root => self.chair(&mut places, node, None),
                Kind::Supervisor => self.chair(&mut places, node, Some(ROOT)),
                Kind::Agent => self.bench(&mut places, node),
            }
        });
    }

    /// The place of a supervisor, which is its own.
    fn chair(&self, places: &mut Places, node: &Node, parent: Option<&str>) -> Arc<Place> {
        let own = Arc::clone(&self.group(places, group_of(node.name.as_str())).metrics);
        let parent = parent.map(|parent| Arc::clone(&self.group(places, parent).metrics));
        Arc::new(Place {
            office: Some(Office::new(own)),
            ..self.place(places, node.type_name, parent)
        })
    }

    /// The place of an agent, which it shares with its like.
    fn bench(&self, places: &mut Places, node: &Node) -> Arc<Place> {
        let group = group_of(node.parent_path().unwrap_or(ROOT));
        let known = places.groups.get(group);
        if let Some(place) = known.and_then(|known| known.agents.get(node.type_name)) {
            return Arc::clone(place);
        }
        let metrics = Arc::clone(&self.group(places, group).metrics);
        let place = Arc::new(Place {
            kind: Some(Arc::clone(&self.native)),
            ..self.place(places, node.type_name, Some(metrics))
        });
        let agents = &mut self.group(places, group).agents;
        agents.insert(node.type_name, Arc::clone(&place));
        place
    }

    fn place(&self, places: &mut Places, type_name: &'static str, group: Option<Arc<SupervisorMetrics>>) -> Place {
        let of_type = places.types.entry(type_name);
        Place {
            of_type: Arc::clone(of_type.or_insert_with(|| self.metrics.of_type(type_name))),
            group,
            kind: None,
            office: None,
            spawn_seconds: Arc::clone(&self.metrics.actor_spawn_seconds),
            restart_seconds: Arc::clone(&self.metrics.restart_seconds),
            wait_seconds: Arc::clone(&self.metrics.mailbox_wait_seconds),
        }
    }

    fn group<'a>(&self, places: &'a mut Places, name: &str) -> &'a mut Group {
        places.groups.entry(Box::from(name)).or_insert_with(|| Group {
            metrics: self.metrics.of_supervisor(name),
            agents: HashMap::new(),
        })
    }
}

const ROOT: &str = "root";

/// The name of the group that a supervisor is a part of: `team` for `team.17`.
fn group_of(supervisor: &str) -> &str {
    supervisor.split('.').next().unwrap_or(supervisor)
}

fn own_instruments() -> Result<Instruments, String> {
    let catalogue = Catalogue::new(&[SUPERVISION, MAILBOX, AGENT, TELEMETRY]);
    catalogue.map(Instruments::new).map_err(|error| error.to_string())
}
