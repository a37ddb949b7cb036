//! What the tree knows of one agent or supervisor without asking it.

use std::fmt;
use std::sync::atomic::{AtomicU8, AtomicU32, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, OnceLock, Weak};

use crate::agent::{Agent, AgentKind};
use crate::clock::Moment;
use crate::name::Name;
use crate::reason::{ExitReason, KillCause};
use crate::sync::lock;
use crate::sys::about_to_read;
use crate::tree::figures::MailboxFigures;
use crate::tree::metering::NodeMeters;

mod history;
mod phase;
mod shown;
mod waits;
mod watching;
mod work;

use history::{History, Kept};
pub use phase::{Change, Level, Phase};
use shown::Onlooker;
use waits::Wait;

pub(crate) use waits::Awaited;
pub(crate) use watching::Watcher;

/// How many changes of state are kept for each node.
pub const HISTORY_LENGTH: usize = 100;

pub(crate) const STOP: u8 = 1;
pub(crate) const PAUSE: u8 = 1 << 1;
pub(crate) const NOTICE: u8 = 1 << 2;
pub(crate) const OBSERVE: u8 = 1 << 3;
/// A kill is on its way; the agent gives ractor the chance to serve it.
pub(crate) const KILL: u8 = 1 << 4;

/// Its next start declines, so that it is down until somebody restarts it.
pub(crate) const DORMANT: u8 = 1 << 5;

/// What is written seldom. Most nodes of a large tree have been started, and nothing else.
#[derive(Default)]
struct Records {
    history: History,
    rare: Option<Box<Rare>>,
}

#[derive(Default)]
struct Rare {
    last_exit: Option<(u64, Arc<ExitReason>)>,
    /// The last incarnation that said that its `start` was done: a supervisor's.
    started: u64,
    watchers: Vec<Watcher>,
    has_departed: bool,
    view: Option<serde_json::Value>,
    /// Whoever waits for what it shows.
    onlookers: Vec<Onlooker>,
    /// When it is started again, while it waits for that.
    restart_at: Option<Moment>,
    /// When the handler began that was last seen to be stuck.
    stuck_since: Option<Moment>,
    waits_for: Vec<Wait>,
}

impl Records {
    fn exit_of(&self, incarnation: u64) -> Option<Arc<ExitReason>> {
        let (ended, reason) = self.rare.as_ref()?.last_exit.as_ref()?;
        (*ended == incarnation).then(|| Arc::clone(reason))
    }

    fn rare(&mut self) -> &mut Rare {
        self.rare.get_or_insert_default()
    }
}

/// What a node is, in one byte: there are as many as there are agents.
#[derive(Clone, Copy)]
enum What {
    Root,
    Supervisor,
    Agent(AgentKind),
}

/// One agent or supervisor, through all its incarnations.
///
/// What a sample reads of each comes first and lies together: of a hundred thousand nodes hardly any is in the caches, and each
/// further line of memory takes as long as all that is done with it.
#[repr(C)]
pub(crate) struct Node {
    meters: NodeMeters,
    handled: AtomicU64,
    beside: AtomicU64,
    phase: AtomicU8,
    control: AtomicU8,
    kill_cause: AtomicU8,
    what: What,
    enrolled: AtomicU32,
    in_hand: AtomicU32,
    restarts: AtomicU32,
    pub(crate) id: u64,
    pub(crate) name: Name,
    /// The type of the agent, short.
    pub(crate) type_name: &'static str,
    path: OnceLock<Arc<str>>,
    incarnation: AtomicU64,
    failed: AtomicU64,
    handling_since: AtomicU64,
    figures: OnceLock<Weak<dyn MailboxFigures>>,
    records: Mutex<Records>,
}

impl fmt::Debug for Node {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Node")
            .field("path", &self.path())
            .field("phase", &self.phase())
            .finish_non_exhaustive()
    }
}

impl Node {
    /// A supervisor's node, or that of an agent that is native.
    pub(crate) fn new(level: Level, name: Name, type_name: &'static str) -> Arc<Self> {
        let what = match level {
            Level::Root => What::Root,
            Level::Supervisor => What::Supervisor,
            Level::Agent => What::Agent(AgentKind::default()),
        };
        Self::make(what, name, type_name)
    }

    /// The node of an agent of type `A`.
    pub(crate) fn of_agent<A: Agent>(name: Name) -> Arc<Self> {
        Self::make(What::Agent(A::KIND), name, std::any::type_name::<A>())
    }

    fn make(what: What, name: Name, type_name: &'static str) -> Arc<Self> {
        static NEXT: AtomicU64 = AtomicU64::new(1);
        Arc::new(Self {
            id: NEXT.fetch_add(1, Ordering::Relaxed),
            what,
            name,
            type_name: short(type_name),
            path: OnceLock::new(),
            phase: AtomicU8::new(Phase::Specified as u8),
            control: AtomicU8::new(0),
            kill_cause: AtomicU8::new(0),
            incarnation: AtomicU64::new(0),
            restarts: AtomicU32::new(0),
            enrolled: AtomicU32::new(0),
            handled: AtomicU64::new(0),
            beside: AtomicU64::new(0),
            in_hand: AtomicU32::new(0),
            failed: AtomicU64::new(0),
            handling_since: AtomicU64::new(0),
            figures: OnceLock::new(),
            meters: NodeMeters::default(),
            records: Mutex::default(),
        })
    }

    pub(crate) fn level(&self) -> Level {
        match self.what {
            What::Root => Level::Root,
            What::Supervisor => Level::Supervisor,
            What::Agent(_) => Level::Agent,
        }
    }

    /// What kind of agent it is, where it is one.
    pub(crate) fn kind(&self) -> Option<AgentKind> {
        match self.what {
            What::Root | What::Supervisor => None,
            What::Agent(kind) => Some(kind),
        }
    }

    fn records(&self) -> MutexGuard<'_, Records> {
        lock(&self.records)
    }

    /// Its place in the tree; before it has one, its name.
    pub(crate) fn path(&self) -> Arc<str> {
        self.path
            .get()
            .map_or_else(|| Arc::from(self.name.as_str()), Arc::clone)
    }

    /// [`Node::path`], only to look at.
    pub(crate) fn path_str(&self) -> &str {
        self.path.get().map_or(self.name.as_str(), |path| path)
    }

    pub(crate) fn has_path(&self) -> bool {
        self.path.get().is_some()
    }

    /// The path without its last segment, where it has more than one.
    pub(crate) fn parent_path(&self) -> Option<&str> {
        self.path.get()?.rsplit_once('/').map(|(parent, _)| parent)
    }

    pub(crate) fn set_path(&self, path: Arc<str>) -> bool {
        self.path.set(path).is_ok()
    }

    pub(crate) fn set_figures(&self, figures: Weak<dyn MailboxFigures>) {
        // A node has one mailbox for life, so a second call has nothing to add.
        let _first = self.figures.set(figures);
    }

    pub(crate) fn figures(&self) -> Option<Arc<dyn MailboxFigures>> {
        self.figures.get()?.upgrade()
    }

    /// What it is counted by.
    pub(crate) fn meters(&self) -> &NodeMeters {
        &self.meters
    }

    // ---- phase and history ----

    pub(crate) fn phase(&self) -> Phase {
        self.phase_where(|| self.figures().is_some_and(|figures| !figures.is_idle()))
    }

    /// The same for who has its mailbox at hand.
    pub(crate) fn phase_where(&self, is_busy: impl FnOnce() -> bool) -> Phase {
        match Phase::from_u8(self.phase.load(Ordering::Acquire)) {
            Phase::Idle if self.has_flag(PAUSE) => Phase::Paused,
            Phase::Idle if is_busy() => Phase::Busy,
            phase => phase,
        }
    }

    /// Has what a sample reads of it brought from memory, and waits for nothing.
    pub(super) fn bring_near(&self) {
        self.meters.bring_near();
        about_to_read(&raw const self.phase);
    }

    /// Whether an incarnation exists, whatever it does.
    fn is_alive(&self) -> bool {
        Phase::from_u8(self.phase.load(Ordering::Acquire)).is_alive()
    }

    /// Whether this very incarnation exists.
    pub(crate) fn is_there(&self, incarnation: u64) -> bool {
        self.incarnation.load(Ordering::Acquire) == incarnation && self.is_alive()
    }

    pub(crate) fn enter(&self, to: Phase, incarnation: u64, reason: Option<ExitReason>, at: Moment) {
        let reason = reason.map(Arc::new);
        self.note(&mut self.records(), to, incarnation, reason, at);
    }

    fn note(&self, records: &mut Records, to: Phase, incarnation: u64, reason: Option<Arc<ExitReason>>, at: Moment) {
        if to == Phase::Stopping && records.exit_of(incarnation).is_some() {
            // It ended by itself before it could be asked to.
            return;
        }
        let before = self.phase.load(Ordering::Relaxed);
        if to == Phase::Idle && before == Phase::Stopping as u8 {
            // It was asked to stop while it started.
            return;
        }
        if incarnation < self.incarnation() {
            // What was left of an earlier life says nothing of the present one.
            return records.history.push(Kept {
                at,
                incarnation,
                reason,
                to,
            });
        }
        self.phase.store(to as u8, Ordering::Release);
        if before != to as u8 {
            self.meters.entered(to, reason.as_deref(), at);
        }
        if let Some(reason) = &reason {
            records.rare().last_exit = Some((incarnation, Arc::clone(reason)));
        }
        records.history.push(Kept {
            at,
            incarnation,
            reason,
            to,
        });
    }

    /// An incarnation begins to start.
    pub(crate) fn begin(&self, incarnation: u64, at: Moment) {
        self.incarnation.store(incarnation, Ordering::Release);
        self.enter(Phase::Starting, incarnation, None, at);
    }

    pub(crate) fn mark_started(&self, incarnation: u64) {
        self.records().rare().started = incarnation;
    }

    pub(crate) fn has_started(&self, incarnation: u64) -> bool {
        let records = self.records();
        records.rare.as_ref().is_some_and(|rare| rare.started == incarnation)
    }

    pub(crate) fn history(&self) -> Vec<Change> {
        self.records().history.shown()
    }

    pub(crate) fn last_exit(&self) -> Option<ExitReason> {
        let records = self.records();
        let (_, reason) = records.rare.as_ref()?.last_exit.as_ref()?;
        Some(ExitReason::clone(reason))
    }

    /// Why an incarnation ended, if it has.
    pub(crate) fn exit_of(&self, incarnation: u64) -> Option<ExitReason> {
        self.records()
            .exit_of(incarnation)
            .map(|reason| ExitReason::clone(&reason))
    }

    /// An incarnation is gone: notes it and tells those who watch.
    pub(crate) fn ended(&self, incarnation: u64, reason: ExitReason, at: Moment) {
        let reason = Arc::new(reason);
        let mut records = self.records();
        self.note(&mut records, Phase::Stopped, incarnation, Some(Arc::clone(&reason)), at);
        if incarnation < self.incarnation() {
            return;
        }
        let watchers = std::mem::take(&mut records.rare().watchers);
        // It shows nothing any more: whoever waits goes on with what is known.
        let onlookers = std::mem::take(&mut records.rare().onlookers);
        drop(records);
        drop(onlookers);
        watching::tell(&reason, watchers);
    }

    /// It waits for its next start, which is at `until`.
    pub(crate) fn back_off(&self, until: Moment, now: Moment) {
        let mut records = self.records();
        self.note(&mut records, Phase::Backoff, self.incarnation(), None, now);
        records.rare().restart_at = Some(until);
    }

    /// The handler that began then was seen to be stuck.
    pub(crate) fn is_stuck_since(&self, since: Moment) {
        self.records().rare().stuck_since = Some(since);
    }

    /// When the handler began that is at work and was seen to be stuck.
    pub(crate) fn stuck_since(&self) -> Option<Moment> {
        let seen = self.records().rare.as_ref()?.stuck_since?;
        (self.handling_since() == Some(seen)).then_some(seen)
    }

    /// Where it waited for its next start, or for somebody to start it: it does not any more.
    pub(crate) fn waits_no_more(&self, at: Moment) {
        self.meters.is_awaited_no_more();
        let phase = Phase::from_u8(self.phase.load(Ordering::Acquire));
        if matches!(phase, Phase::Backoff | Phase::Failed) {
            self.enter(Phase::Stopped, self.incarnation(), None, at);
        }
    }

    /// When it is started again, where it waits for that.
    pub(crate) fn restart_at(&self) -> Option<Moment> {
        let records = self.records();
        let is_waiting = Phase::from_u8(self.phase.load(Ordering::Acquire)) == Phase::Backoff;
        records.rare.as_ref()?.restart_at.filter(|_| is_waiting)
    }

    // ---- control ----

    /// Sets a flag; returns whether it was new.
    pub(crate) fn raise(&self, flag: u8) -> bool {
        self.control.fetch_or(flag, Ordering::SeqCst) & flag == 0
    }

    pub(crate) fn lower(&self, flag: u8) -> bool {
        self.control.fetch_and(!flag, Ordering::SeqCst) & flag != 0
    }

    pub(crate) fn has_flag(&self, flag: u8) -> bool {
        self.control.load(Ordering::Relaxed) & flag != 0
    }

    pub(crate) fn flags(&self) -> u8 {
        self.control.load(Ordering::Acquire)
    }

    pub(crate) fn set_kill_cause(&self, cause: Option<KillCause>) {
        let index = cause.and_then(|cause| KILL_CAUSES.iter().position(|known| *known == cause));
        let code = index.and_then(|index| u8::try_from(index + 1).ok()).unwrap_or(0);
        self.kill_cause.store(code, Ordering::SeqCst);
    }

    pub(crate) fn kill_cause(&self) -> KillCause {
        let code = usize::from(self.kill_cause.load(Ordering::SeqCst));
        code.checked_sub(1)
            .and_then(|index| KILL_CAUSES.get(index))
            .copied()
            .unwrap_or(KillCause::Outside)
    }
}

const KILL_CAUSES: [KillCause; 4] = [
    KillCause::Brutal,
    KillCause::Overdue,
    KillCause::Stuck,
    KillCause::Outside,
];

/// The last segment of a type's path, without its parameters.
fn short(type_name: &'static str) -> &'static str {
    let plain = type_name.split('<').next().unwrap_or(type_name);
    plain.rsplit(':').next().unwrap_or(plain)
}

#[cfg(all(test, not(shuttle)))]
mod tests {
    use super::*;

    fn node(name: &str) -> Arc<Node> {
        Node::new(Level::Agent, Name::unchecked(name), "some::Type<x::Y>")
    }

    #[test]
    fn history_keeps_the_last_hundred_changes() {
        let node = node("a");
        for incarnation in 0..=HISTORY_LENGTH as u64 {
            node.enter(Phase::Idle, incarnation, None, Moment::default());
        }
        let history = node.history();
        assert_eq!((history.len(), history[0].incarnation), (HISTORY_LENGTH, 1));
    }

    #[test]
    fn what_is_left_of_an_earlier_life_says_nothing_of_the_present_one() {
        let node = node("a");
        let now = Moment::default();
        node.begin(1, now);
        node.begin(2, now);
        node.enter(Phase::Idle, 2, None, now);
        node.ended(1, ExitReason::Normal, now);
        assert_eq!((node.phase(), node.last_exit()), (Phase::Idle, None));
        node.ended(2, ExitReason::Shutdown, now);
        node.ended(1, ExitReason::Normal, now);
        assert_eq!(node.last_exit(), Some(ExitReason::Shutdown));
        assert_eq!(node.history().len(), 6, "what happened is told all the same");
    }

    #[test]
    fn the_cause_of_a_kill_is_read_back_as_itself() {
        let node = node("a");
        assert_eq!(node.kill_cause(), KillCause::Outside);
        for cause in KILL_CAUSES {
            node.set_kill_cause(Some(cause));
            assert_eq!(node.kill_cause(), cause);
        }
    }

    #[test]
    fn that_an_agent_has_a_kind_costs_nothing() {
        assert_eq!(size_of::<What>(), 1);
    }

    #[test]
    fn a_type_is_called_by_its_last_word() {
        assert_eq!(node("a").type_name, "Type");
    }

    #[test]
    fn each_phase_is_read_back_as_itself() {
        for phase in Phase::ALL {
            assert_eq!(Phase::from_u8(phase as u8), phase);
        }
    }
}
