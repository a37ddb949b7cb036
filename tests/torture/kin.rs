//! Whoever belongs to a runtime's programs, found by looking at every process there is: by a mark in its arguments or its
//! environment, by its control group, by its session, by its parents, and by having been seen before.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::{Path, PathBuf};

/// A process as `/proc` shows it.
#[derive(Clone, Debug)]
pub(crate) struct Process {
    pub(crate) pid: i32,
    pub(crate) parent: i32,
    session: i32,
    state: char,
    began: u64,
    pub(crate) arguments: String,
    environment: String,
    groups: String,
}

/// What is known of the programs of one runtime.
#[derive(Debug)]
pub(crate) struct Kin {
    mark: String,
    tags: BTreeSet<String>,
    groups: BTreeSet<String>,
    seen: BTreeMap<i32, u64>,
    /// By their leaders, and when these began.
    sessions: BTreeMap<i32, u64>,
}

impl Process {
    pub(crate) fn of(pid: i32) -> Option<Self> {
        let read = |what: &str| fs::read(format!("/proc/{pid}/{what}")).unwrap_or_default();
        let text = |what: &str| String::from_utf8_lossy(&read(what)).replace('\0', " ");
        let stat = text("stat");
        let fields: Vec<_> = stat.rsplit_once(") ")?.1.split(' ').collect();
        Some(Self {
            pid,
            state: fields[0].chars().next()?,
            parent: fields[1].parse().ok()?,
            session: fields[3].parse().ok()?,
            began: fields[19].parse().ok()?,
            arguments: text("cmdline"),
            environment: text("environ"),
            groups: text("cgroup"),
        })
    }

    /// All there are.
    pub(crate) fn all() -> BTreeMap<i32, Self> {
        let pids = fs::read_dir("/proc").unwrap().filter_map(Result::ok);
        let pids = pids.filter_map(|entry| entry.file_name().to_str()?.parse().ok());
        pids.filter_map(|pid| Some((pid, Self::of(pid)?))).collect()
    }

    pub(crate) fn is_alive(&self) -> bool {
        !matches!(self.state, 'Z' | 'X')
    }

    pub(crate) fn is_stopped(&self) -> bool {
        self.state == 'T'
    }

    fn tag(&self) -> Option<&str> {
        let value = self
            .environment
            .split(' ')
            .find_map(|pair| pair.strip_prefix("TRIARCH_TAG="))?;
        Some(value.split_once(':')?.0)
    }

    /// The control groups of a runtime that it is in.
    fn runtime_groups(&self) -> impl Iterator<Item = &str> {
        self.groups
            .split(['/', '\n'])
            .filter(|part| part.starts_with("triarch-"))
    }
}

impl Kin {
    /// Those that carry `mark`, and all that can be told from them.
    pub(crate) fn marked(mark: &str) -> Self {
        Self {
            mark: mark.to_owned(),
            tags: BTreeSet::new(),
            groups: BTreeSet::new(),
            seen: BTreeMap::new(),
            sessions: BTreeMap::new(),
        }
    }

    /// Who of them is alive; all that is seen of them is remembered.
    pub(crate) fn living(&mut self) -> Vec<Process> {
        let all = Process::all();
        loop {
            let before = self.seen.len();
            for process in all.values() {
                if self.is_new(process, &all) {
                    self.remember(process);
                }
            }
            if self.seen.len() == before {
                break;
            }
        }
        let is_ours = |process: &&Process| self.seen.get(&process.pid) == Some(&process.began);
        all.values()
            .filter(is_ours)
            .filter(|process| process.is_alive())
            .cloned()
            .collect()
    }

    fn is_new(&self, process: &Process, all: &BTreeMap<i32, Process>) -> bool {
        let is_seen = |pid| {
            all.get(&pid)
                .is_some_and(|other| self.seen.get(&pid) == Some(&other.began))
        };
        let is_marked = process.arguments.contains(&self.mark) || process.environment.contains(&self.mark);
        !is_seen(process.pid)
            && (is_marked
                || process.tag().is_some_and(|tag| self.tags.contains(tag))
                || process.runtime_groups().any(|group| self.groups.contains(group))
                || self.has_session(process.session, all)
                || is_seen(process.parent))
    }

    fn remember(&mut self, process: &Process) {
        self.seen.insert(process.pid, process.began);
        // Only the runtime's programs have a tag; a session is theirs where one of them leads it.
        self.tags.extend(process.tag().map(str::to_owned));
        self.groups.extend(process.runtime_groups().map(str::to_owned));
        if process.session == process.pid {
            self.sessions.insert(process.session, process.began);
        }
    }

    /// A number is given again once nobody is in its session any more: to a leader that begins later.
    fn has_session(&self, session: i32, all: &BTreeMap<i32, Process>) -> bool {
        let is_leader = |began: &u64| all.get(&session).is_none_or(|leader| leader.began == *began);
        self.sessions.get(&session).is_some_and(is_leader)
    }

    /// The folders of their control groups that are still there.
    pub(crate) fn groups_left(&self) -> Vec<PathBuf> {
        let mounts = fs::read_to_string("/proc/self/mountinfo").unwrap();
        let mounts = mounts.lines().filter(|line| line.contains(" - cgroup"));
        let points = mounts.filter_map(|line| line.split(' ').nth(4));
        let mut found = Vec::new();
        points.for_each(|point| self.find_groups(Path::new(point), &mut found));
        found
    }

    fn find_groups(&self, folder: &Path, found: &mut Vec<PathBuf>) {
        for entry in fs::read_dir(folder).into_iter().flatten().flatten() {
            if !entry.file_type().is_ok_and(|kind| kind.is_dir()) {
                continue;
            }
            if entry
                .file_name()
                .to_str()
                .is_some_and(|name| self.groups.contains(name))
            {
                found.push(entry.path());
            } else {
                self.find_groups(&entry.path(), found);
            }
        }
    }
}
