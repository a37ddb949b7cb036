//! What runs, as operations reach it.

use std::collections::HashSet;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, OnceLock};
use std::time::Duration;

use serde::Serialize;
use serde_json::Value;
use tokio::sync::watch;
use triarch_bus::Bus;
use triarch_gateway::{Bounds, OperationError, ProgressSink, Written};
use triarch_programs::Programs;
use triarch_supervision::agent::AgentKind;
use triarch_supervision::clock::Moment;
use triarch_supervision::supervisor::SupervisorHandle;
use triarch_supervision::sync::lock;
use triarch_supervision::tree::{NodeView, Observer};
use triarch_teams::{AgentConfig, Kinds, PostOffice, TeamConfig};
use triarch_telemetry::{EventLog, Exposition, Loudness};
use triarch_work::dispatcher::{InHand, Roster, Taking};
use triarch_work::{Events, InHands, TaskAddress, Withheld};

use crate::changes::ChangeQueue;
use crate::complaint::complain_in_time;
use crate::config::{Config, Source};
use crate::deviations::{Coming, Deed, Deviations, Ledger};
use crate::full_disks::FullDisks;
use crate::operations::{Code, Trouble};
use crate::reload::{Act, Running};
use crate::services::RoomServices;

/// What runs: the tree, and what it was made from. Cheap to clone.
#[derive(Clone)]
pub(crate) struct Fleet {
    observer: Observer,
    changes: ChangeQueue,
    ground: Arc<Ground>,
    progress: Option<ProgressSink>,
}

/// What there is before the tree runs, and what outlives its rooms.
pub(crate) struct Ground {
    pub(crate) kinds: Kinds,
    pub(crate) exposition: Exposition,
    pub(crate) office: Arc<PostOffice>,
    pub(crate) programs: Programs,
    /// What rooms do for programs.
    pub(crate) services: Arc<RoomServices>,
    pub(crate) state_dir: PathBuf,
    /// What happened to everybody, before this runtime too.
    pub(crate) events: EventLog,
    /// Where the description comes from.
    pub(crate) source: Source,
    pub(crate) begun: Moment,
    pub(crate) loudness: Loudness,
    tree: OnceLock<Ways>,
    has_started: AtomicBool,
    running: Mutex<Running>,
    /// What was done by hand, for the next runtime.
    ledger: Ledger,
    pub(crate) full_disks: FullDisks,
    /// Whether a reload that nobody waits for has yet to begin.
    is_to_reload: Arc<AtomicBool>,
    /// Whether somebody wants the process to stop.
    is_to_stop: watch::Sender<bool>,
}

/// That somebody wants a reload.
pub(crate) struct PendingReload(Arc<AtomicBool>);

impl Drop for PendingReload {
    fn drop(&mut self) {
        self.0.store(false, Ordering::Release);
    }
}

/// What there is once the tree has begun to start, so far as that whoever asks is heard.
pub(crate) struct Ways {
    pub(crate) observer: Observer,
    /// Where HTTP is served.
    pub(crate) listens: Option<SocketAddr>,
    pub(crate) bounds: Bounds,
    pub(crate) changes: ChangeQueue,
    pub(crate) tasks: Tasks,
}

/// The ways to tasks.
#[derive(Clone)]
pub(crate) struct Tasks {
    pub(crate) address: TaskAddress,
    /// Where it is heard what happens to them.
    pub(crate) events: Events,
    /// Where it is said which agents take tasks.
    pub(crate) roster: Roster,
    pub(crate) in_hands: InHands,
    /// By which nobody is given one any more.
    pub(crate) withheld: Withheld,
}

/// What a ground is made of.
pub(crate) struct Making {
    pub(crate) kinds: Kinds,
    pub(crate) exposition: Exposition,
    pub(crate) office: Arc<PostOffice>,
    pub(crate) programs: Programs,
    pub(crate) services: Arc<RoomServices>,
    pub(crate) state_dir: PathBuf,
    pub(crate) source: Source,
    pub(crate) config: Config,
}

impl Ground {
    pub(crate) fn new(making: Making) -> Arc<Self> {
        let bounds = making.config.telemetry.events.into();
        Arc::new(Self {
            ledger: Ledger::new(&making.state_dir),
            events: EventLog::new(&making.state_dir.join("events"), bounds),
            kinds: making.kinds,
            exposition: making.exposition,
            office: making.office,
            programs: making.programs,
            services: making.services,
            state_dir: making.state_dir,
            source: making.source,
            begun: Moment::now(),
            loudness: Loudness::from(making.config.telemetry.room(making.config.runtime.log)),
            tree: OnceLock::new(),
            has_started: AtomicBool::new(false),
            running: Mutex::new(Running::of(making.config)),
            full_disks: FullDisks::default(),
            is_to_reload: Arc::default(),
            is_to_stop: watch::Sender::default(),
        })
    }

    /// Whoever asks can be heard: the rooms are there, and agents of teams begin to start.
    pub(crate) fn can_be_asked(&self, ways: Ways) {
        // Whoever says so again is another life of the one who said it first.
        let _first = self.tree.set(ways);
        // The wish to stop may have come before there was whom to tell.
        if self.is_stopping() {
            self.withhold_tasks();
        }
    }

    /// The tree has started.
    pub(crate) fn runs(&self, ways: Ways) {
        self.can_be_asked(ways);
        self.has_started.store(true, Ordering::Release);
    }

    /// Whether some have yet to start.
    pub(crate) fn is_starting(&self) -> bool {
        !self.has_started.load(Ordering::Acquire)
    }

    /// The fleet, once it can be asked.
    pub(crate) fn fleet(self: &Arc<Self>) -> Option<Fleet> {
        Some(Fleet {
            observer: self.tree.get()?.observer.clone(),
            changes: self.tree.get()?.changes.clone(),
            ground: Arc::clone(self),
            progress: None,
        })
    }

    /// Where metrics are read, for people.
    pub(crate) fn metrics_at(&self) -> String {
        match self.tree.get().map(|tree| tree.listens) {
            Some(Some(address)) => format!("http://{address}/metrics"),
            _ => "not served".to_owned(),
        }
    }

    /// From now on nothing new is taken.
    pub(crate) fn begin_stop(&self) {
        self.is_to_stop.send_replace(true);
        self.withhold_tasks();
    }

    fn withhold_tasks(&self) {
        if let Some(tree) = self.tree.get() {
            tree.tasks.withheld.begin();
        }
    }

    /// Whether somebody wants the process to stop.
    pub(crate) fn is_stopping(&self) -> bool {
        *self.is_to_stop.borrow()
    }

    /// Waits until somebody wants the process to stop.
    pub(crate) async fn until_stop(&self) {
        let mut is_to_stop = self.is_to_stop.subscribe();
        // The sender is a field of this very value, so it cannot be gone.
        let _wished = is_to_stop.wait_for(|is_to_stop| *is_to_stop).await;
    }

    /// The wish to reload, unless one waits already. It is over when it is dropped: before the description is read.
    pub(crate) fn wish_to_reload(&self) -> Option<PendingReload> {
        let waits = self.is_to_reload.swap(true, Ordering::AcqRel);
        (!waits).then(|| PendingReload(Arc::clone(&self.is_to_reload)))
    }

    /// What runs, as far as it is described.
    pub(crate) fn running(&self) -> Running {
        self.known().clone()
    }

    /// That is about to be done. What people do by hand to whoever comes by it is kept from now on.
    pub(crate) fn begin(&self, act: &Act) -> Coming<'_> {
        self.ledger.begin(act)
    }

    /// What was done counts from now on.
    pub(crate) fn note(&self, act: &Act) {
        act.apply(&mut self.known());
    }

    /// Tells who takes tasks, by the descriptions of those who are there now.
    pub(crate) fn call_the_roll(&self) {
        if let Some(tree) = self.tree.get() {
            tree.tasks.roster.set(self.known().taking());
        }
    }

    /// Has all be as the runtime before this one left it, before the tree is built. Returns what is to be said of it.
    pub(crate) fn restore(&self) -> Vec<String> {
        if self.is_demo() {
            return self.ledger.left_alone().into_iter().collect();
        }
        self.ledger.restore(&mut self.known(), &self.kinds)
    }

    /// Whether nobody described what runs. Then what the state folder keeps of another fleet is not touched: most likely
    /// somebody is in the wrong folder.
    pub(crate) fn is_demo(&self) -> bool {
        self.source == Source::Demo
    }

    /// How the fleet differs from its description because somebody said so.
    pub(crate) fn deviations(&self) -> Deviations {
        self.ledger.now()
    }

    /// Since when somebody has paused the agent at that path, where that was in this runtime.
    pub(crate) fn paused_since(&self, path: &str) -> Option<Moment> {
        self.ledger.paused_since(path)
    }

    /// Writes what the next runtime is to know of this one. That it cannot be written undoes nothing.
    pub(crate) fn keep(&self) {
        if self.is_demo() {
            return;
        }
        if let Err(error) = self.ledger.write(|| self.running()) {
            self.complain(&format!(
                "the next start will not know what was done by hand: {}: {error}",
                self.ledger.path().display()
            ));
        }
    }

    /// Says what is not as it should be where the log goes, and as that is written.
    pub(crate) fn complain(&self, text: &str) {
        complain_in_time(self.known().settings.runtime.log.format, text);
    }

    /// How long all teams together may take to stop.
    pub(crate) fn stop_within(&self) -> Duration {
        self.known().settings.runtime.stop_within.0
    }

    /// Has the rooms follow their settings, as far as they do while they run.
    pub(crate) fn tune(&self, settings: &Config) -> Result<(), Trouble> {
        let log = settings.telemetry.room(settings.runtime.log);
        self.loudness
            .change(log)
            .map_err(|error| Trouble::new(Code::Usage, error.to_string(), "mend the description"))?;
        if let Some(tree) = self.tree.get() {
            tree.bounds.change(&settings.gateway);
        }
        Ok(())
    }

    fn known(&self) -> MutexGuard<'_, Running> {
        lock(&self.running)
    }
}

impl Fleet {
    /// As whoever asks sees it, who is told how far an operation is.
    pub(crate) fn telling(mut self, progress: ProgressSink) -> Self {
        self.progress = Some(progress);
        self
    }

    /// The operation takes as long as somebody else does.
    pub(crate) fn waits(&self) {
        if let Some(sink) = &self.progress {
            sink.waits();
        }
    }

    /// The operation takes as long as somebody else does, and keeps its place that long; refused where there is none for that.
    pub(crate) fn stays(&self) -> Result<(), OperationError> {
        self.progress.as_ref().map_or(Ok(()), ProgressSink::stays)
    }

    /// The operation is carried through, though whoever asked has gone.
    pub(crate) fn goes_on(&self) {
        if let Some(sink) = &self.progress {
            sink.goes_on();
        }
    }

    /// As nobody sees it.
    pub(crate) fn silent(mut self) -> Self {
        self.progress = None;
        self
    }

    /// Has a change of the fleet made when no other is under way, and waits for what comes of it.
    pub(crate) async fn change<T, F>(
        &self,
        name: &'static str,
        perform: impl FnOnce(Self) -> F + Send + 'static,
    ) -> Result<T, Trouble>
    where
        T: Send + 'static,
        F: Future<Output = Result<T, Trouble>> + Send + 'static,
    {
        // The wish to stop may have come while others went first.
        let unless_it_stops = async move |fleet: Self| {
            if fleet.ground.is_stopping() {
                return Err(Trouble::stops());
            }
            perform(fleet).await
        };
        self.changes.change(name, self, unless_it_stops).await
    }

    /// Has a change of the fleet made for nobody who waits.
    pub(crate) fn change_unasked<F>(
        &self,
        name: &'static str,
        perform: impl FnOnce() -> F + Send + 'static,
    ) -> Result<(), Trouble>
    where
        F: Future<Output = ()> + Send + 'static,
    {
        let ground = Arc::clone(&self.ground);
        let unless_it_stops = async move || {
            if !ground.is_stopping() {
                perform().await;
            }
        };
        self.changes.change_unasked(name, unless_it_stops)
    }

    /// Tells how far an operation is, where somebody listens; waits while they are slow.
    pub(crate) async fn tell(&self, progress: Value) {
        if let Some(sink) = &self.progress {
            sink.tell(progress).await;
        }
    }

    /// Hands over a piece of the output, where somebody listens; waits while they are slow. Says whether it did.
    pub(crate) async fn tell_part(&self, part: &impl Serialize) -> Result<bool, OperationError> {
        let Some(sink) = &self.progress else { return Ok(false) };
        sink.part(Written::of(part)?).await;
        Ok(true)
    }

    pub(crate) fn programs(&self) -> &Programs {
        &self.ground.programs
    }

    pub(crate) fn observer(&self) -> &Observer {
        &self.observer
    }

    pub(crate) fn bus(&self) -> Result<&Bus, Trouble> {
        let bus = self.ground.services.rooms().map(|rooms| &rooms.bus);
        bus.ok_or_else(Trouble::still_starting)
    }

    pub(crate) fn tasks(&self) -> Result<&TaskAddress, Trouble> {
        Ok(&self.ways_to_tasks()?.address)
    }

    /// Where it is heard what happens to tasks.
    pub(crate) fn task_events(&self) -> Result<&Events, Trouble> {
        Ok(&self.ways_to_tasks()?.events)
    }

    fn ways_to_tasks(&self) -> Result<&Tasks, Trouble> {
        let tree = self.ground.tree.get();
        let tasks = tree.map(|tree| &tree.tasks);
        tasks.ok_or_else(Trouble::still_starting)
    }

    /// The store, in the name of the runtime.
    pub(crate) fn memory(&self) -> Result<&triarch_memory::Client, Trouble> {
        let rooms = self.ground.services.rooms();
        let memory = rooms.map(|rooms| &rooms.memory);
        memory.ok_or_else(Trouble::still_starting)
    }

    /// The tasks that the agent has in hand whose path names no part of a team.
    pub(crate) fn in_hand_of(&self, path: &str) -> Vec<InHand> {
        let tree = self.ground.tree.get();
        tree.map_or_else(Vec::new, |tree| tree.tasks.in_hands.of(path))
    }

    /// Whether the agent whose path names no part of a team is given tasks, where it takes any.
    pub(crate) fn taking(&self, path: &str) -> Option<Taking> {
        self.ground.tree.get()?.tasks.in_hands.taking(path)
    }

    /// How many tasks the agent is at whose path names no part of a team.
    pub(crate) fn at_work(&self, path: &str) -> usize {
        let tree = self.ground.tree.get();
        tree.map_or(0, |tree| tree.tasks.in_hands.count_at_work(path))
    }

    pub(crate) fn kinds(&self) -> &Kinds {
        &self.ground.kinds
    }

    pub(crate) fn office(&self) -> &PostOffice {
        &self.ground.office
    }

    pub(crate) fn ground(&self) -> &Ground {
        &self.ground
    }

    /// Somebody did something that the next runtime is to know of.
    pub(crate) async fn follow(&self, deed: Deed) {
        self.ground.ledger.follow(deed);
        self.keep().await;
    }

    /// Writes what the next runtime is to know, to the end though whoever asked be gone.
    pub(crate) async fn keep(&self) {
        let ground = Arc::clone(&self.ground);
        // It is so too where the runtime ends and nobody can wait for it.
        let _written = tokio::task::spawn_blocking(move || ground.keep()).await;
    }

    /// Lets the process stop in order.
    pub(crate) fn stop(&self) {
        self.ground.begin_stop();
    }

    /// The rules of each team, in start order.
    pub(crate) fn teams(&self) -> Vec<TeamConfig> {
        let known = self.ground.known();
        known.teams.iter().map(|team| team.rules.clone()).collect()
    }

    pub(crate) fn team_names(&self) -> HashSet<String> {
        let known = self.ground.known();
        known.teams.iter().map(|team| team.rules.name.clone()).collect()
    }

    pub(crate) fn has_team(&self, team: &str) -> bool {
        self.ground.known().team(team).is_some()
    }

    /// The description that the agent `name` was made from.
    pub(crate) fn description_of(&self, team: &str, name: &str) -> Option<Arc<AgentConfig>> {
        let known = self.ground.known();
        let agent = known.team(team)?.agent(name)?;
        Some(Arc::clone(&agent.described))
    }

    /// The way to a team, all its parts.
    pub(crate) fn team(&self, team: &str) -> Result<SupervisorHandle, Trouble> {
        let found = self.observer.supervisor(team);
        found.map_err(|_| Trouble::no_such_team(team))
    }

    /// What a node is: its level, or of an agent its kind.
    pub(crate) fn kind_of(node: &NodeView) -> &'static str {
        node.agent_kind.map_or(node.level.label(), AgentKind::label)
    }
}
