//! What runs, as operations reach it.

use std::net::SocketAddr;
use std::path::PathBuf;
use std::sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError};

use serde_json::Value;
use tokio::sync::watch;
use triarch_gateway::ProgressSink;
use triarch_programs::Programs;
use triarch_supervision::clock::Moment;
use triarch_supervision::supervisor::SupervisorHandle;
use triarch_supervision::tree::{Level, NodeView, Observer};
use triarch_teams::{AgentConfig, Kinds, PostOffice, TeamConfig, names};
use triarch_telemetry::{EventLog, Exposition};

use crate::config::{Config, Source};
use crate::operations::Trouble;

/// What runs: the tree, and what it was made from. Cheap to clone.
#[derive(Clone)]
pub(crate) struct Fleet {
    observer: Observer,
    ground: Arc<Ground>,
    progress: Option<ProgressSink>,
}

/// What there is before the tree runs, and what outlives its rooms.
pub(crate) struct Ground {
    pub(crate) kinds: Kinds,
    pub(crate) exposition: Exposition,
    pub(crate) office: Arc<PostOffice>,
    pub(crate) programs: Programs,
    pub(crate) state_dir: PathBuf,
    /// What happened to everybody, before this runtime too.
    pub(crate) events: EventLog,
    /// Where the description comes from.
    pub(crate) source: Source,
    pub(crate) begun: Moment,
    running: OnceLock<(Observer, Option<SocketAddr>)>,
    config: Mutex<Config>,
    /// Whether somebody wants the process to stop.
    is_to_stop: watch::Sender<bool>,
}

/// What a ground is made of.
pub(crate) struct Making {
    pub(crate) kinds: Kinds,
    pub(crate) exposition: Exposition,
    pub(crate) office: Arc<PostOffice>,
    pub(crate) programs: Programs,
    pub(crate) state_dir: PathBuf,
    pub(crate) source: Source,
    pub(crate) config: Config,
}

impl Ground {
    pub(crate) fn new(making: Making) -> Arc<Self> {
        let bounds = making.config.telemetry.events.into();
        Arc::new(Self {
            events: EventLog::new(&making.state_dir.join("events"), bounds),
            kinds: making.kinds,
            exposition: making.exposition,
            office: making.office,
            programs: making.programs,
            state_dir: making.state_dir,
            source: making.source,
            begun: Moment::now(),
            running: OnceLock::new(),
            config: Mutex::new(making.config),
            is_to_stop: watch::Sender::default(),
        })
    }

    /// The tree has started, and HTTP is served there.
    pub(crate) fn runs(&self, observer: Observer, listens: Option<SocketAddr>) {
        let _first = self.running.set((observer, listens));
    }

    /// The fleet, once its tree has started.
    pub(crate) fn fleet(self: &Arc<Self>) -> Option<Fleet> {
        Some(Fleet {
            observer: self.running.get()?.0.clone(),
            ground: Arc::clone(self),
            progress: None,
        })
    }

    /// Where metrics are read, for people.
    pub(crate) fn metrics_at(&self) -> String {
        match self.running.get() {
            Some((_, Some(address))) => format!("http://{address}/metrics"),
            _ => "not served".to_owned(),
        }
    }

    /// Waits until somebody wants the process to stop.
    pub(crate) async fn until_stop(&self) {
        let mut is_to_stop = self.is_to_stop.subscribe();
        // The sender is a field of this very value, so it cannot be gone.
        let _wished = is_to_stop.wait_for(|is_to_stop| *is_to_stop).await;
    }

    /// How the fleet is described now.
    pub(crate) fn config(&self) -> Config {
        self.described().clone()
    }

    /// The fleet is described otherwise from now on.
    pub(crate) fn take_up(&self, config: Config) {
        *self.described() = config;
    }

    fn described(&self) -> MutexGuard<'_, Config> {
        self.config.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Fleet {
    /// As whoever asks sees it, who is told how far an operation is.
    pub(crate) fn telling(mut self, progress: ProgressSink) -> Self {
        self.progress = Some(progress);
        self
    }

    /// Tells how far an operation is, where somebody listens; waits while they are slow.
    pub(crate) async fn tell(&self, progress: Value) {
        if let Some(sink) = &self.progress {
            sink.tell(progress).await;
        }
    }

    pub(crate) fn programs(&self) -> &Programs {
        &self.ground.programs
    }

    pub(crate) fn observer(&self) -> &Observer {
        &self.observer
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

    /// Lets the process stop in order.
    pub(crate) fn stop(&self) {
        self.ground.is_to_stop.send_replace(true);
    }

    /// The description of each team, in start order.
    pub(crate) fn teams(&self) -> Vec<TeamConfig> {
        self.ground.config().teams
    }

    pub(crate) fn has_team(&self, team: &str) -> bool {
        self.ground
            .described()
            .teams
            .iter()
            .any(|described| described.name == team)
    }

    /// Changes the description of a team.
    pub(crate) fn describe(&self, team: &str, change: impl FnOnce(&mut TeamConfig)) {
        let mut config = self.ground.described();
        if let Some(described) = config.teams.iter_mut().find(|described| described.name == team) {
            change(described);
        }
    }

    /// The description that the agent `name` was made from.
    pub(crate) fn description_of(&self, team: &str, name: &str) -> Option<AgentConfig> {
        let config = self.ground.described();
        let agents = &config.teams.iter().find(|described| described.name == team)?.agents;
        agents
            .iter()
            .find(|agent| names(agent).iter().any(|one| one == name))
            .cloned()
    }

    /// The way to a team, all its parts.
    pub(crate) fn team(&self, team: &str) -> Result<SupervisorHandle, Trouble> {
        let found = self.observer.supervisor(team);
        found.map_err(|_| Trouble::no_such_team(team))
    }

    /// What a node is: its level, or of an agent its kind.
    pub(crate) fn kind_of(node: &NodeView) -> String {
        match node.level {
            Level::Agent => node.agent_kind.unwrap_or_default().label(),
            other => other.label(),
        }
        .to_owned()
    }

    /// The process of the program that an agent runs.
    pub(crate) fn pid_of(&self, path: &str) -> Option<u32> {
        let running = self.programs().records().running(path)?;
        u32::try_from(running.pid).ok()
    }
}
