//! How the lives of programs ended.

use std::collections::{BTreeMap, VecDeque};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, SystemTime};

use serde::Serialize;

/// So many ends are kept of each agent.
pub const KEPT: usize = 20;

/// So many of its last lines are kept with each end.
pub const LINES_KEPT: usize = 50;

/// The end of one process of an agent.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct ExitRecord {
    /// Which life of the agent.
    pub incarnation: u64,
    /// The id that the process had.
    pub pid: i32,
    /// When it began.
    pub started: SystemTime,
    /// When it was seen to have ended.
    pub ended: SystemTime,
    /// Why it ended, in a word: `ended`, `code`, `signal`, `stopped` or `wall`.
    pub reason: &'static str,
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

/// What a process used, with the children it waited for.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Usage {
    /// Time of the processor in the program.
    pub user: Duration,
    /// Time of the processor in the kernel on its behalf.
    pub system: Duration,
    /// The most memory it had.
    pub memory_bytes_max: u64,
}

/// The last ends of each agent. Cheap to clone.
#[derive(Clone, Debug, Default)]
pub struct Records(Arc<Mutex<BTreeMap<Arc<str>, VecDeque<ExitRecord>>>>);

impl Records {
    /// Those of the agent at `path`, oldest first.
    pub fn of(&self, path: &str) -> Vec<ExitRecord> {
        let records = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        records.get(path).into_iter().flatten().cloned().collect()
    }

    pub(crate) fn add(&self, path: &Arc<str>, record: ExitRecord) {
        let mut records = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let of_agent = records.entry(Arc::clone(path)).or_default();
        if of_agent.len() == KEPT {
            of_agent.pop_front();
        }
        of_agent.push_back(record);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn record(incarnation: u64) -> ExitRecord {
        ExitRecord {
            incarnation,
            pid: 1,
            started: SystemTime::UNIX_EPOCH,
            ended: SystemTime::UNIX_EPOCH,
            reason: "code",
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
}
