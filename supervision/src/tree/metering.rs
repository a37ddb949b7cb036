//! Feeding the catalogue: what a tree counts as it happens, and what it reads off its nodes at each sample.
//!
//! ```text
//!   a change of phase ─▶ Node::enter ──▶ NodeMeters ─▶ Handles, fetched once for each node
//!   a decision ────────▶ Desk::tell ──▶ NodeMeters ─▶ Office: a supervisor's own handles
//!   a dead letter ─────▶ Mailbox ──────▶ NodeMeters
//!   a scrape ──────────▶ Observer::sample ─▶ gains since the last sample, and a Census of all nodes
//! ```
//!
//! Nodes of one type under one team share their [`Handles`]. What happens to a node costs it an atomic or two; messages are
//! counted by their mailboxes alone, and a sample adds what they have gained.

use std::fmt;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, OnceLock};
use std::time::Duration;

use foldhash::HashMap;

use super::figures::MailboxFigures;
use super::node::{Level, Node, Phase};
use super::office::{Office, RestartBudget};
use super::shared::Entry;
use crate::agent::AgentKind;
use crate::clock::Moment;
use crate::dead_letter::DeadReason;
use crate::error::StartError;
use crate::message::Priority;
use crate::metrics::{Census, Histogram, Instruments, KindMetrics, SupervisionMetrics, SupervisorMetrics, TypeMetrics};
use crate::name::{Name, team_of};
use crate::policy::Intensity;
use crate::reason::ExitReason;
use crate::supervisor::machine::{Counts, Decision};
use crate::sync::lock;
use crate::sys::about_to_read;

/// Set beside the moment of a node's end while its restart is under way.
const AWAITED: u64 = 1 << 63;

/// Longer than any restart that somebody could call quick: no edge of the histogram lies beyond it.
const BEYOND_ALL: Duration = Duration::from_millis(2_501);

/// The handles that all agents of one type under one supervisor share; a supervisor has its own.
#[derive(Debug)]
pub(super) struct Handles {
    of_type: Arc<TypeMetrics>,
    /// The supervisor whose child it is; the root is nobody's.
    parent: Option<Arc<Office>>,
    /// What kind of agent, where it is one.
    kind: Option<Arc<KindMetrics>>,
    /// What it does as a supervisor, where it is one.
    office: Option<Arc<Office>>,
    spawn_seconds: Arc<Histogram>,
    restart_seconds: Arc<Histogram>,
    wait_seconds: Arc<Histogram>,
}

/// What one node is counted by: nothing before it is part of a tree.
#[derive(Default)]
#[repr(C)]
pub(crate) struct NodeMeters {
    /// When the present incarnation began to start; 0 once it runs.
    began: AtomicU64,
    /// When it fell: its last end, or the first of several in a row that were followed by no start; see [`AWAITED`].
    fell: AtomicU64,
    handles: OnceLock<Arc<Handles>>,
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
        let Some(handles) = self.handles.get() else { return };
        if let Some(kind) = &handles.kind {
            kind.transitions(word(to)).increment();
        }
        match to {
            Phase::Starting => self.starts(handles, at),
            Phase::Idle => self.runs(handles, at),
            Phase::Stopped => self.ends(handles, reason, at),
            Phase::Failed => self.is_given_up(handles, at),
            _ => {}
        }
    }

    fn starts(&self, handles: &Handles, at: Moment) {
        handles.of_type.spawns.increment();
        self.began.store(at.as_nanos(), Ordering::Relaxed);
        if let Some(office) = &handles.office {
            office.opens();
        }
    }

    fn runs(&self, handles: &Handles, at: Moment) {
        let began = self.began.load(Ordering::Relaxed);
        if began != 0 {
            self.began.store(0, Ordering::Relaxed);
            handles.spawn_seconds.observe(at.since(Moment::from_nanos(began)));
        }
        let fell = self.fell.load(Ordering::Relaxed);
        if fell & AWAITED != 0 {
            self.fell.store(0, Ordering::Relaxed);
            let fell = Moment::from_nanos(fell & !AWAITED);
            handles.restart_seconds.observe(at.since(fell));
        }
    }

    /// It comes back no more. A restart that was under way took too long, however soon it was given up.
    fn is_given_up(&self, handles: &Handles, at: Moment) {
        let fell = self.fell.swap(0, Ordering::Relaxed);
        if fell & AWAITED != 0 {
            let fell = Moment::from_nanos(fell & !AWAITED);
            handles.restart_seconds.observe(at.since(fell).max(BEYOND_ALL));
        }
    }

    fn ends(&self, handles: &Handles, reason: Option<&ExitReason>, at: Moment) {
        self.began.store(0, Ordering::Relaxed);
        if self.fell.load(Ordering::Relaxed) & AWAITED == 0 {
            self.fell.store(at.as_nanos() & !AWAITED, Ordering::Relaxed);
        }
        if let Some(reason) = reason {
            handles.of_type.stops(reason).increment();
        }
    }

    /// Its supervisor decided to restart it.
    pub(crate) fn restarting(&self, child: &Name, reason: &ExitReason, at: Moment) {
        self.fell.fetch_or(AWAITED, Ordering::Relaxed);
        if let Some(parent) = self.handles.get().and_then(|handles| handles.parent.as_ref()) {
            parent.restarts(child, reason, at);
        }
    }

    /// Its restart was called off: when it is started after all, the time until then is nobody's restart.
    pub(super) fn is_awaited_no_more(&self) {
        if self.fell.load(Ordering::Relaxed) & AWAITED != 0 {
            self.fell.store(0, Ordering::Relaxed);
        }
    }

    /// So many messages of its mailbox died.
    pub(crate) fn messages_died(&self, reason: DeadReason, many: u64) {
        let Some(handles) = self.handles.get() else { return };
        match reason {
            DeadReason::Full | DeadReason::Closed | DeadReason::Expired => {
                handles.of_type.dropped(reason.label()).add(many);
            }
            DeadReason::Crashed | DeadReason::Poison => handles.of_type.handled_error().add(many),
            DeadReason::NoSuchAgent => {}
        }
    }
}

/// What those who measure times tell; without effect before the node is part of a tree.
impl NodeMeters {
    /// A sampled message waited so long.
    #[inline]
    pub(crate) fn waited(&self, time: Duration) {
        if let Some(handles) = self.handles.get() {
            handles.wait_seconds.observe(time);
        }
    }

    /// The handler of a sampled message ran so long.
    #[inline]
    pub(crate) fn handled(&self, time: Duration) {
        if let Some(handles) = self.handles.get() {
            handles.of_type.message_handle_seconds.observe(time);
        }
    }

    /// A sender was held back so long.
    #[inline]
    pub(crate) fn held_back(&self, time: Duration) {
        if let Some(handles) = self.handles.get() {
            handles.of_type.backpressure_wait_seconds.add(time);
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

    /// It bears something else from `now` on.
    pub(crate) fn adjusts(&self, intensity: Intensity, now: Moment) {
        if let Some(office) = self.office() {
            office.adjusts(intensity, now);
        }
    }

    /// It has these children now, as it knows them itself: of those that wait for the restart of their group, no
    /// change of phase would tell.
    pub(crate) fn has(&self, children: Counts) {
        if let Some(office) = self.office() {
            office.has(children);
        }
    }

    /// It decided something that only itself knows of; all other decisions are counted as changes of a child's phase.
    pub(crate) fn decided(&self, decision: &Decision) {
        match decision {
            Decision::Quarantined { child, .. } => {
                if let Some(office) = self.office() {
                    office.forgives(child);
                }
            }
            Decision::Escalated(_) => {
                if let Some(office) = self.office() {
                    office.metrics.escalations.increment();
                }
            }
            _ => {}
        }
    }

    /// How many restarts it has seen and bears, where it is a supervisor that has begun.
    pub(super) fn budget(&self, now: Moment) -> Option<RestartBudget> {
        self.office()?.budget(now)
    }

    fn office(&self) -> Option<&Office> {
        self.handles.get()?.office.as_deref()
    }
}

/// Reading it.
impl NodeMeters {
    /// Has it brought from memory.
    pub(super) fn bring_near(&self) {
        about_to_read(&raw const self.handles);
    }

    /// Has what it leads to brought from memory, once it is near itself.
    pub(super) fn bring_handles_near(&self) {
        if let Some(handles) = self.handles.get() {
            about_to_read(Arc::as_ptr(handles));
        }
    }

    /// Adds what its mailbox has gained since it was last looked at. Several may look at once: each gain counts once.
    fn gain(&self, mailbox: &dyn MailboxFigures, admitted: u64, node: &Node) {
        let Some(handles) = self.handles.get() else { return };
        if let Some(gains) = mailbox.taken_in_by_priority() {
            for (priority, gain) in Priority::ALL.into_iter().zip(gains) {
                handles.of_type.enqueued(priority.label()).add(gain);
            }
        } else if let Some(more) = raise(&self.enqueued, admitted + node.beside()) {
            handles.of_type.enqueued(Priority::Normal.label()).add(more);
        }
        if let Some(more) = raise(&self.handled_ok, node.handled()) {
            handles.of_type.handled_ok().add(more);
        }
    }

    /// Counts the node in `census`, and adds what its mailbox has gained.
    pub(super) fn count(&self, entry: &Entry, census: &mut Census<'_>, now: Moment) {
        let Some(handles) = self.handles.get() else { return };
        let mailbox = entry.door.figures();
        let figures = mailbox.map(|mailbox| mailbox.glance(now));
        let phase = entry
            .node
            .phase_where(|| figures.as_ref().is_some_and(|figures| !figures.is_idle));
        if phase.is_alive() {
            census.actor(&handles.of_type);
        }
        if let Some(kind) = &handles.kind {
            census.agent(kind, word(phase));
        }
        if let (Some(mailbox), Some(figures)) = (mailbox, figures) {
            let depth = usize::try_from(figures.depth).unwrap_or(usize::MAX);
            census.mailbox(&handles.of_type, depth, figures.oldest_age);
            self.gain(mailbox, figures.admitted, &entry.node);
        }
        if let Some(office) = &handles.office {
            census.children(&office.metrics, &office.children());
            if let Some(used) = office.budget_used(now) {
                census.budget_used(&office.metrics, used);
            }
        }
    }

    /// Adds what the mailbox of one that left has gained.
    pub(super) fn settle(&self, entry: &Entry, now: Moment) {
        if let Some(mailbox) = entry.door.figures() {
            self.gain(mailbox, mailbox.glance(now).admitted, &entry.node);
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
        Phase::Specified => Phase::Starting.label(),
        phase => phase.label(),
    }
}

/// The instruments of one tree, and the handles of its nodes.
#[derive(Debug)]
pub(crate) struct Meters {
    instruments: Instruments,
    pub(super) metrics: SupervisionMetrics,
    known: Mutex<Known>,
}

/// What was made so far: as much as there are types, supervisors and pairs of them.
#[derive(Debug, Default)]
struct Known {
    types: HashMap<&'static str, Arc<TypeMetrics>>,
    teams: HashMap<Box<str>, Arc<SupervisorMetrics>>,
    branches: HashMap<Box<str>, Branch>,
}

/// One supervisor, and the handles of its agents.
#[derive(Debug)]
struct Branch {
    office: Arc<Office>,
    agents: HashMap<&'static str, Arc<Handles>>,
}

impl Meters {
    /// Feeds `instruments`, or else instruments of this crate's own sections.
    pub(crate) fn new(instruments: Option<Instruments>) -> Result<Self, StartError> {
        let instruments = instruments.map_or_else(own_instruments, Ok)?;
        let metrics = SupervisionMetrics::new(&instruments)?;
        // There from the first scrape on, whoever comes.
        metrics.of_kind(AgentKind::Native.label());
        Ok(Self {
            instruments,
            metrics,
            known: Mutex::default(),
        })
    }

    pub(crate) fn instruments(&self) -> &Instruments {
        &self.instruments
    }

    /// Gives a node that becomes part of the tree its handles; one that has them keeps them.
    pub(super) fn admit(&self, node: &Node) {
        node.meters().handles.get_or_init(|| {
            let mut known = lock(&self.known);
            match node.level() {
                Level::Root => self.of_supervisor(&mut known, node, None),
                Level::Supervisor => self.of_supervisor(&mut known, node, Some(ROOT)),
                Level::Agent => self.of_agent(&mut known, node),
            }
        });
    }

    /// A supervisor has left the tree: its name may never be given again, and nothing is kept by it.
    pub(super) fn dismiss(&self, node: &Node) {
        if node.level() != Level::Supervisor {
            return;
        }
        let (name, mut known) = (node.name.as_str(), lock(&self.known));
        let branch = known.branches.remove(name);
        let team = team_of(name);
        if !known.branches.keys().any(|other| team_of(other) == team) {
            known.teams.remove(team);
        }
        drop(known);
        drop(branch);
    }

    /// The handles of a supervisor, which are its own.
    fn of_supervisor(&self, known: &mut Known, node: &Node, parent: Option<&str>) -> Arc<Handles> {
        let office = Arc::clone(&self.branch(known, node.name.as_str()).office);
        let parent = parent.map(|parent| Arc::clone(&self.branch(known, parent).office));
        Arc::new(Handles {
            office: Some(office),
            ..self.begin(known, node.type_name, parent)
        })
    }

    /// The handles of an agent, which it shares with its like.
    fn of_agent(&self, known: &mut Known, node: &Node) -> Arc<Handles> {
        let parent = node.parent_path().unwrap_or(ROOT);
        let branch = known.branches.get(parent);
        if let Some(handles) = branch.and_then(|branch| branch.agents.get(node.type_name)) {
            return Arc::clone(handles);
        }
        let office = Arc::clone(&self.branch(known, parent).office);
        let handles = Arc::new(Handles {
            kind: node.kind().map(|kind| self.metrics.of_kind(kind.label())),
            ..self.begin(known, node.type_name, Some(office))
        });
        let agents = &mut self.branch(known, parent).agents;
        agents.insert(node.type_name, Arc::clone(&handles));
        handles
    }

    fn begin(&self, known: &mut Known, type_name: &'static str, parent: Option<Arc<Office>>) -> Handles {
        let of_type = known.types.entry(type_name);
        Handles {
            of_type: Arc::clone(of_type.or_insert_with(|| self.metrics.of_type(type_name))),
            parent,
            kind: None,
            office: None,
            spawn_seconds: Arc::clone(&self.metrics.actor_spawn_seconds),
            restart_seconds: Arc::clone(&self.metrics.restart_seconds),
            wait_seconds: Arc::clone(&self.metrics.mailbox_wait_seconds),
        }
    }

    fn branch<'a>(&self, known: &'a mut Known, supervisor: &str) -> &'a mut Branch {
        known.branches.entry(Box::from(supervisor)).or_insert_with(|| {
            let team = team_of(supervisor);
            let metrics = known.teams.entry(Box::from(team));
            let metrics = metrics.or_insert_with(|| self.metrics.of_supervisor(team));
            Branch {
                office: Arc::new(Office::new(Arc::clone(metrics))),
                agents: HashMap::default(),
            }
        })
    }
}

/// The path of the root.
pub(super) const ROOT: &str = "root";

fn own_instruments() -> Result<Instruments, StartError> {
    Ok(Instruments::with_tree(&[])?)
}

#[cfg(test)]
mod tests {
    use super::super::shared::{Door, Shared};
    use super::*;
    use crate::metrics::{Measure, Value, families};

    const SECOND: Duration = Duration::from_secs(1);

    /// The way to nobody.
    struct Wall;

    impl Door for Wall {
        fn ring(&self) {}

        fn as_any(self: Arc<Self>) -> Arc<dyn std::any::Any + Send + Sync> {
            self
        }
    }

    fn shared() -> Arc<Shared> {
        Shared::new(1, Meters::new(None).unwrap())
    }

    #[test]
    fn agents_are_counted_as_what_their_type_says_they_are() {
        struct Pane;

        impl crate::Agent for Pane {
            type Message = crate::message::Nothing;
            type Spec = ();

            const KIND: AgentKind = AgentKind::Program;

            async fn start((): (), _ctx: &mut crate::agent::Context<Self>) -> Result<Self, crate::reason::Failure> {
                Ok(Self)
            }

            async fn handle(
                &mut self,
                message: Self::Message,
                _ctx: &mut crate::agent::Context<Self>,
            ) -> Result<(), crate::reason::Failure> {
                match message {}
            }
        }

        let shared = shared();
        let pane = Node::of_agent::<Pane>(Name::unchecked("pane"));
        pane.set_path(Arc::from("team/pane"));
        shared.enlist(&pane, Arc::new(Wall));
        join(&shared, Level::Agent, "team/echo", "Echo");
        shared.sample();
        let readings = shared.meters.instruments().read();
        let agents = readings
            .iter()
            .find(|reading| reading.family.name == "triarch_agents")
            .unwrap();
        let starting = agents.samples.iter().filter(|sample| sample.value == Value::Level(1.0));
        let mut kinds: Vec<_> = starting
            .map(|sample| sample.labels().next().unwrap().1.to_owned())
            .collect();
        kinds.sort();
        assert_eq!(kinds, ["native", "program"]);
    }

    fn join(shared: &Shared, level: Level, path: &str, type_name: &'static str) -> Arc<Node> {
        let name = path.rsplit('/').next().unwrap();
        let node = Node::new(level, Name::unchecked(name), type_name);
        node.set_path(Arc::from(path));
        shared.enlist(&node, Arc::new(Wall));
        node
    }

    /// A tree without actors: so many agents of 50 types under 50 supervisors, each supervisor in ten parts.
    fn crowd(agents: usize) -> Arc<Shared> {
        const TYPES: usize = 50;
        let shared = shared();
        let types: Vec<&'static str> = (0..TYPES).map(|index| &*format!("Type{index}").leak()).collect();
        for part in 0..10 {
            for index in 0..TYPES {
                let path = if part == 0 {
                    format!("team-{index}")
                } else {
                    format!("team-{index}.{part}")
                };
                join(&shared, Level::Supervisor, &path, "Supervisor");
            }
        }
        for number in 0..agents {
            let (index, part) = (number % TYPES, number / TYPES % 9 + 1);
            let path = format!("team-{index}.{part}/agent-{number}");
            let node = join(&shared, Level::Agent, &path, types[(number / 7) % TYPES]);
            node.begin(1, Moment::now());
            node.enter(Phase::Idle, 1, None, Moment::now());
        }
        shared.sample();
        shared
    }

    fn series(shared: &Shared) -> usize {
        let of_value = |value: &Value| match value {
            Value::Spread(snapshot) => snapshot.cumulative().count() + 2,
            _ => 1,
        };
        let readings = shared.meters.instruments().read();
        readings
            .iter()
            .flat_map(|reading| &reading.samples)
            .map(|sample| of_value(&sample.value))
            .sum()
    }

    fn figures(shared: &Shared, family: &str) -> Vec<Value> {
        let readings = shared.meters.instruments().read();
        let reading = readings
            .into_iter()
            .find(|reading| reading.family.name == family)
            .unwrap();
        reading.samples.into_iter().map(|sample| sample.value).collect()
    }

    #[test]
    fn a_hundred_thousand_agents_have_no_more_series_than_a_thousand() {
        let (few, many) = (crowd(1_000), crowd(100_000));
        assert_eq!(series(&few), series(&many));
        let most = many.meters.instruments().catalogue().series_max();
        assert!(series(&many) <= most && most <= 2_000, "{} of {most}", series(&many));
        let levels = figures(&many, "triarch_actors").into_iter().map(|value| match value {
            Value::Level(level) => level,
            value => panic!("{value:?} is no level"),
        });
        assert!((levels.sum::<f64>() - 100_000.0).abs() < 0.5);
    }

    #[test]
    fn sampled_times_are_told_by_the_node_once_it_is_part_of_a_tree() {
        let shared = shared();
        let stray = Node::new(Level::Agent, Name::unchecked("stray"), "Echo");
        let node = join(&shared, Level::Agent, "team/a", "Echo");
        for node in [&stray, &node] {
            node.meters().waited(SECOND);
            node.meters().handled(2 * SECOND);
            node.meters().held_back(3 * SECOND);
        }
        for (family, time) in [
            ("triarch_mailbox_wait_seconds", SECOND),
            ("triarch_message_handle_seconds", 2 * SECOND),
        ] {
            let found = figures(&shared, family);
            assert!(
                matches!(&found[..], [Value::Spread(one)] if (one.count(), one.sum()) == (1, time)),
                "{family}: {found:?}"
            );
        }
        let held_back = figures(&shared, "triarch_backpressure_wait_seconds_total");
        assert_eq!(held_back, [Value::Elapsed(3 * SECOND)]);
    }

    #[test]
    fn of_a_supervisor_that_has_left_nothing_is_kept_once_all_parts_of_its_team_have() {
        let shared = shared();
        let kept = || {
            let known = lock(&shared.meters.known);
            (known.branches.len(), known.teams.len())
        };
        join(&shared, Level::Supervisor, "team", "Supervisor");
        let before = kept();
        for number in 0..10 {
            let parts = ["", ".1"].map(|part| format!("job-{number}{part}"));
            for part in &parts {
                join(&shared, Level::Supervisor, part, "Supervisor");
                join(&shared, Level::Agent, &format!("{part}/a"), "Echo");
            }
            let [first, second] = parts.map(|part| shared.find(&part).unwrap().node);
            shared.strike(&first);
            assert_eq!(kept(), (before.0 + 1, before.1 + 1));
            shared.strike(&second);
            assert_eq!(kept(), before);
        }
    }

    #[test]
    fn what_is_given_up_lies_beyond_all_edges() {
        let Measure::Histogram(buckets) = families::SUPERVISOR_RESTART_SECONDS.measure else {
            panic!("it is a histogram");
        };
        assert!(buckets.edges().all(|edge| edge < BEYOND_ALL));
    }

    #[test]
    fn the_parts_of_a_team_bear_its_name() {
        assert_eq!(["team", "team.17", "root"].map(team_of), ["team", "team", "root"]);
    }
}
