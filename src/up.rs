//! The life of the process: one tree, until it ends or somebody wants it to.

use std::collections::BTreeSet;
use std::future::pending;
use std::io::{self, Write};
use std::sync::Arc;
use std::time::{Duration, Instant};

use tokio::signal::unix::{Signal, SignalKind, signal};
use triarch_bus::Bus;
use triarch_gateway::Doors;
use triarch_programs::Survey;
use triarch_supervision::name::team_of;
use triarch_supervision::prelude::*;
use triarch_supervision::tree::{Level, NodeView};

use crate::deviations::paths;
use crate::fleet::{self, Fleet, Ground};
use crate::notify::Notify;
use crate::operations::Code;
use crate::operations::memory::left_namespaces;
use crate::reload::reload;
use crate::rooms;
use crate::stopping::{conclude, stop};

/// How long the process waits for the ends of programs whose agents were killed.
const LAST_ENDS: Duration = Duration::from_secs(6);

const STOPS_ALREADY: &str = "stops already; at one more signal nobody is waited for";

/// What keeps the process from beginning.
#[derive(Debug, thiserror::Error)]
pub(crate) enum UpError {
    #[error(transparent)]
    Io(#[from] io::Error),
    #[error(transparent)]
    Doors(#[from] triarch_gateway::Error),
    #[error("the tree cannot be built: {0}")]
    Build(Failure),
    #[error(transparent)]
    Start(#[from] StartError),
}

impl UpError {
    pub(crate) fn exit_code(&self) -> u8 {
        match self {
            Self::Doors(triarch_gateway::Error::Held { .. }) => Code::Refused.number(),
            _ => Code::RuntimeFailed.number(),
        }
    }
}

/// How a runtime is started.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Start {
    /// Stops after that time.
    pub(crate) limit: Option<Duration>,
    /// What was done by hand before is forgotten.
    pub(crate) is_as_described: bool,
}

/// Runs the tree until it ends, somebody stops it, or its limit is over; returns the exit code.
pub(crate) fn run(ground: &Arc<Ground>, programs: Supervisor, start: Start) -> Result<u8, UpError> {
    if let Err(error) = triarch_programs::take_open_files() {
        ground.complain(&format!(
            "no more files than before may be open: {error}; `triarch doctor` says how many"
        ));
    }
    let runtime = tokio::runtime::Runtime::new()?;
    let (code, farewell) = runtime.block_on(async {
        let signals = Signals::listen()?;
        let doors = Doors::open(ground.running().settings.gateway, &ground.state_dir)?;
        let farewell = doors.farewell();
        let code = live(ground, programs, start, signals, doors).await;
        farewell.leave();
        Ok::<_, UpError>((code, farewell))
    })?;
    // An agent that outlived its kill holds a thread, for which nobody is to wait.
    runtime.shutdown_background();
    match ground.programs.await_ends(LAST_ENDS) {
        0 => {}
        count => ground.complain(&format!(
            "of {count} programs something may be left; the next triarch up on {} kills it",
            ground.state_dir.display()
        )),
    }
    // The folder is nobody else's for as long as programs may be there that this runtime has started.
    drop(farewell);
    code
}

/// Tells what an earlier runtime had left, where it left anything.
fn told_of(leftovers: Survey) -> Option<String> {
    let Survey { found, survivors, .. } = leftovers;
    let processes = if found == 1 { "process" } else { "processes" };
    let fate = match survivors {
        0 => "they were killed".to_owned(),
        _ => format!("{survivors} of them are still there: they wait for a device"),
    };
    (found > 0).then(|| format!("an earlier runtime of this folder had left {found} {processes} running; {fate}"))
}

/// Tells what its operator should know of the beginning.
fn warn(ground: &Arc<Ground>) {
    if let Some(told) = ground.programs.leftovers().and_then(told_of) {
        ground.complain(&told);
    }
    if let Some(told) = too_patient(ground) {
        ground.complain(&told);
    }
    for log in ground.fleet().iter().flat_map(left_logs) {
        ground.complain(&log);
    }
    for left in ground.fleet().iter().flat_map(|fleet| left_parts(ground, fleet)) {
        ground.complain(&left);
    }
    let key = ground.running().settings.memory.open_key(&ground.source.folder());
    if let Some(key) = key {
        ground.complain(&format!(
            "everybody may read {}, which seals the store; chmod 600 it",
            key.display()
        ));
    }
}

/// Agents that may take longer to stop than all teams together.
fn too_patient(ground: &Ground) -> Option<String> {
    let running = ground.running();
    let limit = running.settings.runtime.stop_within;
    let agents = running
        .teams
        .iter()
        .flat_map(|team| team.agents.iter().map(move |agent| (team, agent)));
    let patient: Vec<_> = agents
        .filter(|(_, agent)| agent.described.rules.shutdown > limit)
        .map(|(team, agent)| format!("{}/{}", team.rules.name, agent.name))
        .collect();
    let first = patient.first()?;
    let others = match patient.len() {
        1 => String::new(),
        count => format!(" and {} more", count - 1),
    };
    Some(format!(
        "{first}{others} may take longer to stop than all together when the runtime stops, {limit}; give them less, or \
         runtime.stop_within more, and the service manager more than that"
    ))
}

/// Logs that the description names no more: they stay in memory and on disk until somebody says otherwise.
fn left_logs(fleet: &Fleet) -> Vec<String> {
    let logs = fleet.bus().map(Bus::logs).unwrap_or_default().into_iter();
    let left = logs.filter(|log| !log.is_named).map(|log| {
        let (topics, kept) = (log.topics, log.next - log.first);
        format!(
            "the log {topics} is in no `bus.durable` any more, and what it has, {kept} in {} bytes, stays until that is forgotten; name \
             it again, or `triarch bus forget '{topics}'`",
            log.bytes
        )
    });
    left.collect()
}

/// Parts of the store that the description does not name; of another fleet's store nobody is to forget any.
fn left_parts(ground: &Ground, fleet: &Fleet) -> Vec<String> {
    let memory = fleet.memory().ok().filter(|_| !ground.is_demo());
    let left = memory.map(|memory| left_namespaces(memory, &ground.running()));
    let told = left.into_iter().flatten().map(|left| {
        let (name, entries, bytes) = (&left.namespace, left.entries, left.size_bytes);
        format!(
            "the namespace {name} is in no `memory.namespace`, and what it has, {entries} in {bytes} bytes, stays until that is \
             forgotten; name it, or `triarch memory forget {name}`"
        )
    });
    told.collect()
}

async fn live(
    ground: &Arc<Ground>,
    programs: Supervisor,
    start: Start,
    mut signals: Signals,
    doors: Doors,
) -> Result<u8, UpError> {
    let notify = Notify::from_environment();
    if !start.is_as_described {
        ground.restore().iter().for_each(|lost| ground.complain(lost));
    }
    if !ground.is_demo() {
        forget_the_gone(ground);
    }
    let (listens, bounds) = (doors.http(), doors.bounds());
    let (root, changes, tasks) = rooms::root(ground, programs, doors).map_err(UpError::Build)?;
    let mut is_unwanted = false;
    let unwanted = async {
        tokio::select! {
            () = signals.stop() => {}
            () = ground.until_stop() => {}
        }
        ground.begin_stop();
        is_unwanted = true;
    };
    let started = root.start_unless(unwanted).await;
    let tree = started.inspect_err(|_| {
        if let Some(words) = by_hand(ground) {
            ground.complain(&words);
        }
    })?;
    let complain = |text: &str| ground.complain(text);
    if is_unwanted {
        notify.stopping();
        return Ok(stop(&tree, ground.stop_within(), signals.impatience(complain), complain).await);
    }
    stop_teams(ground, &tree).await;
    ground.keep();
    ground.runs(fleet::Ways {
        observer: tree.observer(),
        listens,
        bounds,
        changes,
        tasks,
    });
    print(&welcome(ground, &tree));
    warn(ground);
    notify.ready();
    let early = tokio::select! {
        end = tree.wait() => Some(end),
        () = over(start.limit) => None,
        () = ground.until_stop() => None,
        () = signals.until_stop(ground) => None,
        () = beat(&notify) => None,
    };
    ground.begin_stop();
    notify.stopping();
    ground.exposition.health().drain();
    Ok(match early {
        Some(end) => conclude(&end, complain),
        None => stop(&tree, ground.stop_within(), signals.impatience(complain), complain).await,
    })
}

async fn over(limit: Option<Duration>) {
    match limit {
        Some(limit) => tokio::time::sleep(limit).await,
        None => pending().await,
    }
}

/// What programs left behind that nobody describes any more is of no use; that it cannot be taken away does no harm.
fn forget_the_gone(ground: &Ground) {
    let known: BTreeSet<_> = ground.running().teams.iter().flat_map(paths).collect();
    let forgotten = ground.programs.forget_ends_but_of(|path| known.contains(path));
    if let Err(error) = forgotten {
        ground.complain(&format!(
            "records of agents that are gone cannot be taken away: {error}"
        ));
    }
}

/// Teams that were stopped are down again. Their agents have not begun.
async fn stop_teams(ground: &Ground, tree: &Tree) {
    let Ok(root) = tree.observer().supervisor("root") else {
        return;
    };
    for team in ground.deviations().teams_stopped() {
        if let Err(error) = root.terminate_child(team).await {
            ground.complain(&format!("team {team} was stopped and is not so again: {error}"));
        }
    }
}

/// What is not as described, in words.
fn by_hand(ground: &Ground) -> Option<String> {
    let words = ground.deviations().words()?;
    Some(format!("by hand  {words}; `triarch up --as-described` forgets it"))
}

/// Where it listens, and what it runs.
fn welcome(ground: &Ground, tree: &Tree) -> String {
    let running = ground.running();
    let teams: BTreeSet<_> = running.teams.iter().map(|team| team.rules.name.as_str()).collect();
    let nodes = tree.observer().snapshot();
    let is_of_team = |node: &&NodeView| {
        let (supervisor, _) = node.path.split_once('/').unwrap_or_default();
        node.level == Level::Agent && teams.contains(team_of(supervisor))
    };
    let agents = nodes.iter().filter(is_of_team).count();
    let by_hand = by_hand(ground).map_or_else(String::new, |words| format!("  {words}\n"));
    format!(
        "triarch {} runs {agents} agents in {} teams, described in {}\n  metrics  {}\n  state    {}\n{by_hand}  see      triarch status, triarch tree, triarch top\n",
        env!("CARGO_PKG_VERSION"),
        teams.len(),
        ground.source.whole_name(),
        ground.metrics_at(),
        ground.state_dir.display(),
    )
}

/// Tells the service manager that the process is well, for as long as its executor is.
async fn beat(notify: &Notify) {
    let Some(period) = notify.beat() else {
        return pending().await;
    };
    let mut beats = tokio::time::interval(period);
    loop {
        beats.tick().await;
        notify.alive();
    }
}

/// Data goes to standard output. That nobody reads it is no reason to stop.
fn print(text: &str) {
    let _unread = io::stdout().lock().write_all(text.as_bytes());
}

/// Signals within this time of the first are the same wish to stop.
const ONE_WISH: Duration = Duration::from_millis(200);

/// The wishes of whoever started the process.
struct Signals {
    interrupt: Signal,
    terminate: Signal,
    hang_up: Signal,
    /// When the wish to stop has come by one of them.
    asked_at: Option<Instant>,
}

impl Signals {
    fn listen() -> io::Result<Self> {
        Ok(Self {
            interrupt: signal(SignalKind::interrupt())?,
            terminate: signal(SignalKind::terminate())?,
            hang_up: signal(SignalKind::hangup())?,
            asked_at: None,
        })
    }

    /// Waits for the wish to stop.
    async fn stop(&mut self) {
        self.next().await;
        self.asked_at = Some(Instant::now());
    }

    async fn next(&mut self) {
        tokio::select! {
            _ = self.interrupt.recv() => {}
            _ = self.terminate.recv() => {}
        }
    }

    /// Waits until somebody waits no longer. Where something else was the reason to stop, a first signal is a wish like it.
    async fn impatience(&mut self, complain: impl Fn(&str)) {
        if self.asked_at.is_none() {
            self.stop().await;
            complain(STOPS_ALREADY);
        }
        // Who signals a process and then its whole group, as `timeout` does, has one wish.
        while self.asked_at.is_some_and(|asked| asked.elapsed() < ONE_WISH) {
            self.next().await;
        }
    }

    /// Waits for the wish to stop, and has the description reloaded at each wish to.
    async fn until_stop(&mut self, ground: &Arc<Ground>) {
        loop {
            tokio::select! {
                _ = self.interrupt.recv() => break,
                _ = self.terminate.recv() => break,
                _ = self.hang_up.recv() => {}
            }
            if let Some(fleet) = ground.fleet() {
                reload_unasked(fleet);
            }
        }
        self.asked_at = Some(Instant::now());
    }
}

/// Reloads for nobody who waits: what comes of it is told where the log goes. While one such reload waits for its turn
/// it is the answer to further wishes too.
fn reload_unasked(fleet: Fleet) {
    let wish = fleet.ground().wish_to_reload();
    let Some(wish) = wish else { return };
    let asking = fleet.clone();
    let handed_in = asking.clone().change_unasked("reload", move || async move {
        drop(wish);
        let told = match Box::pin(reload(&fleet, false)).await {
            Ok(reloaded) => reloaded.in_a_line(),
            Err(trouble) => format!("nothing was reloaded: {}", trouble.told()),
        };
        fleet.ground().complain(&told);
    });
    if let Err(trouble) = handed_in {
        asking
            .ground()
            .complain(&format!("nothing was reloaded: {}", trouble.told()));
    }
}
