//! How the lives of programs ended.

use std::collections::{BTreeMap, VecDeque};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, SystemTime};

use serde::{Deserialize, Serialize};

use crate::logs::wall_clock;
use crate::settings::Mode;
use crate::sys::Exit;

/// So many ends are kept of each agent.
pub(crate) const KEPT: usize = 20;

/// So many of its last lines are kept with each end.
pub(crate) const LINES_KEPT: usize = 50;

/// The end of one process of an agent.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct ExitRecord {
    /// Which life of the agent.
    pub incarnation: u64,
    /// Whether it was all of that life, or one run in it.
    #[serde(default)]
    pub mode: Mode,
    /// The id that the process had.
    pub pid: i32,
    /// When it began.
    #[serde(with = "crate::rfc3339")]
    pub started: SystemTime,
    /// When it was seen to have ended.
    #[serde(with = "crate::rfc3339")]
    pub ended: SystemTime,
    /// Why it ended.
    pub reason: EndReason,
    /// With which code, where it ended by itself.
    pub code: Option<i32>,
    /// By which signal.
    pub signal: Option<i32>,
    /// What it used; unknown where nobody could say.
    pub usage: Option<Usage>,
    /// How many posts were with it.
    pub posts: usize,
    /// How many processes of it were found when it was stopped.
    pub processes: usize,
    /// How many of them are still there.
    pub survivors: usize,
    /// The last lines of its standard error and its log, oldest first.
    pub lines: Vec<String>,
}

/// Why a process ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum EndReason {
    /// By itself, with code 0.
    Ended,
    /// By itself, with another code.
    Code,
    /// By a signal that nobody here sent.
    Signal,
    /// It was asked to, or made to.
    Stopped,
    /// Its agent was killed.
    Killed,
    /// Its time was over.
    Wall,
    /// Nobody knows.
    Unknown,
}

impl EndReason {
    /// All there are.
    pub const ALL: [Self; 7] = [
        Self::Ended,
        Self::Code,
        Self::Signal,
        Self::Stopped,
        Self::Killed,
        Self::Wall,
        Self::Unknown,
    ];

    /// The closed word for it, as it stands in JSON and in metrics.
    pub const fn label(self) -> &'static str {
        match self {
            Self::Ended => "ended",
            Self::Code => "code",
            Self::Signal => "signal",
            Self::Stopped => "stopped",
            Self::Killed => "killed",
            Self::Wall => "wall",
            Self::Unknown => "unknown",
        }
    }
}

/// What a process used, with the children it waited for.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Usage {
    /// Time of the processor in the program.
    pub user: Duration,
    /// Time of the processor in the kernel on its behalf.
    pub system: Duration,
    /// The most memory it had.
    pub memory_bytes_max: u64,
}

impl Usage {
    /// As the kernel tells it at an end; nobody could say where it is gone without one.
    pub(crate) fn of(exit: Exit) -> Option<Self> {
        let is_known = exit.code.is_some() || exit.signal.is_some();
        is_known.then_some(Self {
            user: exit.cpu_user,
            system: exit.cpu_system,
            memory_bytes_max: exit.max_rss,
        })
    }
}

/// The process of an agent that runs now, as it is without asking the agent.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Running {
    /// Which life of the agent.
    pub incarnation: u64,
    /// The id of the process.
    pub pid: i32,
    /// When it began.
    #[serde(serialize_with = "crate::rfc3339::serialize")]
    pub since: SystemTime,
    /// What the program last said of itself.
    pub state: Option<String>,
    /// How many posts wait for their lines to be written.
    pub posts_waiting: usize,
    /// How many posts were delivered and not answered.
    pub posts_unanswered: usize,
}

/// Where an agent shows what its process does.
#[derive(Debug)]
pub(crate) struct Present(Mutex<Running>);

impl Present {
    pub(crate) fn show(&self, waiting: usize, unanswered: usize, state: Option<&str>) {
        let mut running = locked(&self.0);
        running.posts_waiting = waiting;
        running.posts_unanswered = unanswered;
        if running.state.as_deref() != state {
            running.state = state.map(str::to_owned);
        }
    }
}

/// What is known of the processes of each agent: the one that runs, and the last that ended. Cheap to clone.
#[derive(Clone, Debug, Default)]
pub struct Records(Arc<Mutex<BTreeMap<Arc<str>, OfAgent>>>);

#[derive(Debug, Default)]
struct OfAgent {
    running: Option<(u64, Arc<Present>)>,
    ended: VecDeque<ExitRecord>,
}

impl Records {
    /// The last ends of the agent at `path`, oldest first.
    pub fn of(&self, path: &str) -> Vec<ExitRecord> {
        let records = locked(&self.0);
        records
            .get(path)
            .map_or_else(Vec::new, |of_agent| of_agent.ended.iter().cloned().collect())
    }

    /// What runs for the agent at `path` now.
    pub fn running(&self, path: &str) -> Option<Running> {
        let records = locked(&self.0);
        let (_, present) = records.get(path)?.running.as_ref()?;
        let running = locked(&present.0);
        Some(running.clone())
    }

    pub(crate) fn begin(&self, path: &Arc<str>, incarnation: u64, pid: i32) -> Arc<Present> {
        let present = Arc::new(Present(Mutex::new(Running {
            incarnation,
            pid,
            since: wall_clock(),
            state: None,
            posts_waiting: 0,
            posts_unanswered: 0,
        })));
        let shown = Arc::clone(&present);
        locked(&self.0).entry(Arc::clone(path)).or_default().running = Some((incarnation, shown));
        present
    }

    /// Nothing runs any more in that life of the agent.
    pub(crate) fn end(&self, path: &str, incarnation: u64) {
        if let Some(of_agent) = locked(&self.0).get_mut(path) {
            of_agent.running.take_if(|(running, _)| *running == incarnation);
        }
    }

    pub(crate) fn add(&self, path: &Arc<str>, record: ExitRecord) {
        let mut records = locked(&self.0);
        let ended = &mut records.entry(Arc::clone(path)).or_default().ended;
        if ended.len() == KEPT {
            ended.pop_front();
        }
        ended.push_back(record);
    }
}

/// What a holder that panicked left is whole: each change is one assignment.
fn locked<T>(lock: &Mutex<T>) -> MutexGuard<'_, T> {
    lock.lock().unwrap_or_else(PoisonError::into_inner)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn record(incarnation: u64) -> ExitRecord {
        ExitRecord {
            incarnation,
            mode: Mode::Lines,
            pid: 1,
            started: SystemTime::UNIX_EPOCH,
            ended: SystemTime::UNIX_EPOCH,
            reason: EndReason::Code,
            code: Some(3),
            signal: None,
            usage: None,
            posts: 0,
            processes: 1,
            survivors: 0,
            lines: Vec::new(),
        }
    }

    #[test]
    fn each_reason_is_written_as_its_label_says() {
        for reason in EndReason::ALL {
            assert_eq!(serde_json::to_value(reason).unwrap(), reason.label());
            let read: EndReason = serde_json::from_value(reason.label().into()).unwrap();
            assert_eq!(read, reason);
        }
        assert!(serde_json::from_value::<EndReason>("launch_failed".into()).is_err());
    }

    #[test]
    fn the_last_ends_of_each_agent_are_kept() {
        let records = Records::default();
        for incarnation in 0..50 {
            records.add(&Arc::from("team/a"), record(incarnation));
        }
        records.add(&Arc::from("team/b"), record(7));
        let kept: Vec<_> = records.of("team/a").iter().map(|record| record.incarnation).collect();
        assert_eq!(kept, (30..50).collect::<Vec<_>>());
        assert_eq!(records.of("team/b"), [record(7)]);
        assert!(records.of("team/c").is_empty());
    }

    #[test]
    fn what_runs_is_shown_until_that_life_ends() {
        let (records, path) = (Records::default(), Arc::from("team/a"));
        let first = records.begin(&path, 1, 100);
        let second = records.begin(&path, 2, 200);
        first.show(9, 9, None);
        second.show(1, 2, Some("thinking"));
        records.end(&path, 1);
        let running = records.running("team/a").unwrap();
        assert_eq!((running.incarnation, running.pid), (2, 200));
        assert_eq!((running.posts_waiting, running.posts_unanswered), (1, 2));
        assert_eq!(running.state.as_deref(), Some("thinking"));
        records.end(&path, 2);
        assert_eq!(records.running("team/a"), None);
    }
}
