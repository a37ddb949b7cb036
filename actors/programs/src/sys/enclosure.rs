//! The control groups of one program: nobody leaves them by forking, by a session, or by clearing an environment.

use std::collections::BTreeSet;
use std::fs;
use std::io;
use std::os::fd::OwnedFd;
use std::path::{Path, PathBuf};

use rustix::fs::{Mode, OFlags};
use rustix::process::{Pid, Signal};

use super::cgroups::{self, Cgroups, write};
use super::launch::{Enforcement, Limits};
use super::reading::if_there;
use super::tag::Tag;

/// The groups of one program.
#[derive(Debug, Default)]
pub(super) struct Enclosure {
    unified: Option<PathBuf>,
    pids: Option<PathBuf>,
    memory: Option<PathBuf>,
    freezer: Option<PathBuf>,
}

/// The ways into the groups, for the process that is to be in them.
#[derive(Debug, Default)]
pub(super) struct Doors {
    /// The group to be born in.
    pub(super) born_in: Option<OwnedFd>,
    /// Where to write oneself in.
    pub(super) joined: Vec<OwnedFd>,
}

impl Enclosure {
    /// Makes the groups of `tag`, or as many of them as can be had.
    ///
    /// Where the kernel ends a whole group at once, those of the first version are made for what they limit alone: each of them costs
    /// a life as much as its unified group.
    pub(super) fn make(cgroups: &Cgroups, tag: &Tag, limits: &Limits) -> Self {
        let within = |base: &Option<PathBuf>| {
            let owner = base.as_ref()?.join(tag.owner().group());
            let group = owner.join(tag.group());
            // The last agent that goes takes the owner's group along, perhaps between the two.
            let is_made = |_| cgroups::make(&owner).and_then(|()| cgroups::make(&group)).is_ok();
            (0..MAKINGS_MAX).any(is_made).then_some(group)
        };
        let unified = within(&cgroups.unified);
        let is_enough = unified.as_ref().is_some_and(|group| group.join(KILL).exists());
        let where_needed = |is_limited: bool, base| if is_limited || !is_enough { within(base) } else { None };
        Self {
            pids: where_needed(limits.processes.is_some(), &cgroups.pids),
            memory: where_needed(limits.memory.is_some(), &cgroups.memory),
            freezer: if cgroups.unified.is_none() {
                within(&cgroups.freezer)
            } else {
                None
            },
            unified,
        }
    }

    pub(super) fn tracks(&self) -> bool {
        self.groups().next().is_some()
    }

    /// Whether nobody who is in the groups can leave them, though he may write these folders: to leave is to write oneself
    /// into another group.
    pub(super) fn is_sealed_from(&self, written: &[PathBuf]) -> bool {
        self.tracks() && !written.iter().any(|folder| cgroups::reaches_groups(folder))
    }

    fn groups(&self) -> impl Iterator<Item = &PathBuf> {
        [&self.unified, &self.freezer, &self.pids, &self.memory]
            .into_iter()
            .flatten()
    }

    /// Holds the program to its limits; returns those that the groups could not take.
    pub(super) fn hold(&self, limits: &Limits, enforcement: &mut Enforcement) -> Limits {
        let mut left = *limits;
        if let Some(bytes) = limits.memory
            && self.hold_memory(bytes)
        {
            enforcement.holds("memory");
            left.memory = None;
        }
        if let Some(count) = limits.processes
            && self.hold_processes(count)
        {
            enforcement.holds("processes");
            left.processes = None;
        }
        left
    }

    fn hold_memory(&self, bytes: u64) -> bool {
        let bytes = bytes.to_string();
        let unified = self.with_limits().is_some_and(|group| {
            let held = write(&group.join("memory.max"), &bytes).is_ok();
            if held {
                // Best effort: without swap accounting there is none to hold, and the group is held all the same.
                let _ = write(&group.join("memory.swap.max"), "0");
                let _ = write(&group.join("memory.oom.group"), "1");
            }
            held
        });
        unified
            || self
                .memory
                .as_ref()
                .is_some_and(|group| write(&group.join("memory.limit_in_bytes"), &bytes).is_ok())
    }

    /// Whether the kernel has killed anybody in the groups for want of the memory that they may have.
    pub(super) fn was_short_of_memory(&self) -> bool {
        let unified = self.unified.iter().map(|group| group.join("memory.events"));
        let first = self.memory.iter().map(|group| group.join("memory.oom_control"));
        let mut counts = unified.chain(first).filter_map(|file| fs::read_to_string(file).ok());
        counts.any(|counts| has_killed(&counts))
    }

    fn hold_processes(&self, count: u64) -> bool {
        let count = count.to_string();
        let hold = |group: &Path| write(&group.join("pids.max"), &count).is_ok();
        self.with_limits().is_some_and(hold) || self.pids.as_deref().is_some_and(hold)
    }

    /// The unified group, once what limits there are were handed down to it.
    fn with_limits(&self) -> Option<&Path> {
        let group = self.unified.as_deref()?;
        if let Some(owner) = group.parent()
            && !group.join("pids.max").exists()
        {
            cgroups::offers_limits(owner);
        }
        Some(group)
    }

    /// The doors for a child that can be born into a group, or else for one that joins all of them.
    pub(super) fn doors(&self, can_be_born_in: bool) -> io::Result<Doors> {
        let mut doors = Doors::default();
        if let Some(group) = &self.unified {
            if can_be_born_in {
                let flags = OFlags::PATH | OFlags::DIRECTORY | OFlags::CLOEXEC;
                doors.born_in = Some(rustix::fs::open(group, flags, Mode::empty())?);
            } else {
                doors.joined.push(door(&group.join("cgroup.procs"))?);
            }
        }
        for group in [&self.freezer, &self.pids, &self.memory].into_iter().flatten() {
            // A thread that writes itself into `tasks` is moved without the wait that `cgroup.procs` costs.
            doors.joined.push(door(&group.join("tasks"))?);
        }
        Ok(doors)
    }

    /// Who is in any of the groups now. One that cannot be read may have anybody in it.
    pub(super) fn inmates(&self) -> io::Result<BTreeSet<i32>> {
        self.listed_by(&|list| fs::read_to_string(list))
    }

    fn listed_by(&self, read: Lists<'_>) -> io::Result<BTreeSet<i32>> {
        let mut inmates = BTreeSet::new();
        for group in self.groups() {
            collect(read, group, &mut inmates)?;
        }
        Ok(inmates)
    }

    /// Whether anybody in the groups is alive, where the kernel keeps count: at one moment, whoever is born or ends meanwhile.
    pub(super) fn is_populated(&self) -> Option<bool> {
        match fs::read_to_string(self.unified.as_ref()?.join("cgroup.events")) {
            Ok(events) => Some(events.lines().any(|line| line == "populated 1")),
            Err(error) => (error.kind() == io::ErrorKind::NotFound).then_some(false),
        }
    }

    /// Kills whoever is in the groups, without a race where the kernel can do it; else freezes them first, and lets nobody be born
    /// in them any more.
    pub(super) fn kill(&self) {
        if let Some(group) = &self.unified
            && write(&group.join(KILL), "1").is_ok()
        {
            return;
        }
        for group in [&self.unified, &self.pids].into_iter().flatten() {
            // Where nobody counts them the freezer has to do.
            let _ = write(&group.join("pids.max"), "0");
        }
        self.freeze(true);
        for pid in self.inmates().unwrap_or_default() {
            if let Some(pid) = Pid::from_raw(pid) {
                // Who has ended meanwhile needs no signal.
                let _ = rustix::process::kill_process(pid, Signal::KILL);
            }
        }
        self.freeze(false);
    }

    fn freeze(&self, is_frozen: bool) {
        if let Some(group) = &self.unified {
            let _ = write(&group.join("cgroup.freeze"), if is_frozen { "1" } else { "0" });
        }
        if let Some(group) = &self.freezer {
            let _ = write(
                &group.join("freezer.state"),
                if is_frozen { "FROZEN" } else { "THAWED" },
            );
        }
    }

    /// Whether a line of somebody's `/proc/…/cgroup` names one of the groups.
    pub(super) fn is_named_in(&self, groups: &str, tag: &Tag) -> bool {
        let name = format!("/{}/{}", tag.owner().group(), tag.group());
        self.tracks()
            && groups.lines().any(|line| {
                let line = line.trim_end_matches(" (deleted)");
                line.find(&name)
                    .is_some_and(|at| matches!(line.as_bytes().get(at + name.len()), None | Some(b'/')))
            })
    }

    /// Removes the groups. The kernel lets go of them a moment after the last one in them was reaped.
    pub(super) fn remove(&self) {
        for group in self.groups() {
            remove(group);
            // Refused as long as there are groups of other agents in it.
            let _ = group.parent().map(fs::remove_dir);
        }
    }
}

/// Whether the text of `memory.events`, or of `memory.oom_control` in the first version, tells of a kill.
fn has_killed(counts: &str) -> bool {
    let kills = counts.lines().filter_map(|line| line.strip_prefix("oom_kill "));
    kills
        .filter_map(|count| count.trim().parse::<u64>().ok())
        .any(|count| count > 0)
}

fn door(path: &Path) -> io::Result<OwnedFd> {
    Ok(rustix::fs::open(path, OFlags::WRONLY | OFlags::CLOEXEC, Mode::empty())?)
}

/// How the lists of who is in a group are read.
type Lists<'a> = &'a dyn Fn(&Path) -> io::Result<String>;

fn collect(read: Lists<'_>, group: &Path, inmates: &mut BTreeSet<i32>) -> io::Result<()> {
    let listed = if_there(read(&group.join("cgroup.procs")))?.unwrap_or_default();
    inmates.extend(
        listed
            .lines()
            .filter_map(|line| line.parse::<i32>().ok())
            .filter(|pid| *pid > 0),
    );
    for entry in if_there(fs::read_dir(group))?.into_iter().flatten() {
        let entry = entry?;
        if entry.file_type().is_ok_and(|kind| kind.is_dir()) {
            collect(read, &entry.path(), inmates)?;
        }
    }
    Ok(())
}

/// The groups within a group, which a program may have made.
pub(super) fn folders(group: &Path) -> impl Iterator<Item = PathBuf> {
    let entries = fs::read_dir(group).into_iter().flatten().flatten();
    entries
        .filter(|entry| entry.file_type().is_ok_and(|kind| kind.is_dir()))
        .map(|entry| entry.path())
}

pub(super) fn remove(group: &Path) {
    for inner in folders(group) {
        remove(&inner);
    }
    for _ in 0..REMOVALS_MAX {
        match fs::remove_dir(group) {
            Err(error) if error.kind() == io::ErrorKind::ResourceBusy => std::thread::yield_now(),
            _ => return,
        }
    }
}

/// Where a group of the second version is ended, since Linux 5.14.
const KILL: &str = "cgroup.kill";
/// How often a group is tried to be made.
const MAKINGS_MAX: usize = 5;
/// How often a group is tried to be removed before it is left to the next start.
const REMOVALS_MAX: usize = 100;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_group_whose_list_cannot_be_read_is_not_empty() {
        let folder = tempfile::tempdir().unwrap();
        let group = folder.path().join("group");
        fs::create_dir_all(group.join("inner")).unwrap();
        fs::write(group.join("cgroup.procs"), "7\n0\n").unwrap();
        fs::write(group.join("inner/cgroup.procs"), "8\n").unwrap();
        let enclosure = Enclosure {
            pids: Some(group.clone()),
            ..Enclosure::default()
        };
        assert_eq!(enclosure.inmates().unwrap(), BTreeSet::from([7, 8]));
        let with = |number: i32| {
            enclosure.listed_by(&move |list: &Path| {
                let is_inner = list.parent().is_some_and(|group| group.ends_with("inner"));
                let failed = is_inner.then(|| io::Error::from_raw_os_error(number));
                failed.map_or_else(|| fs::read_to_string(list), Err)
            })
        };
        assert_eq!(with(libc::EMFILE).unwrap_err().raw_os_error(), Some(libc::EMFILE));
        assert_eq!(with(libc::ENODEV).unwrap(), BTreeSet::from([7]));
        fs::remove_dir_all(&group).unwrap();
        assert_eq!(enclosure.inmates().unwrap(), BTreeSet::new());
    }

    #[test]
    fn a_kill_for_want_of_memory_is_read_in_both_versions() {
        assert!(has_killed(
            "low 0\nhigh 0\nmax 12\noom 1\noom_kill 1\noom_group_kill 1\n"
        ));
        assert!(has_killed("oom_kill_disable 0\nunder_oom 0\noom_kill 2\n"));
        assert!(!has_killed("low 0\nmax 12\noom 1\noom_kill 0\n"));
        assert!(!has_killed("oom_kill_disable 1\nunder_oom 1\n"));
        assert!(!has_killed(""));
    }
}
