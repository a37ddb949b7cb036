//! What the kernel shows of processes.

use std::collections::HashSet;
use std::fs;
use std::time::{Duration, Instant};

use rustix::process::{Pid, Signal, kill_process};

/// Longer than anything that is waited for takes.
pub(crate) const PATIENCE: Duration = Duration::from_mins(1);

/// How often somebody who waits looks: far shorter than what is measured, and long enough to leave the processor to it.
const LOOK_EVERY: Duration = Duration::from_micros(200);

/// Who looks for children of one process as they come.
#[derive(Debug)]
pub(crate) struct Watch {
    parent: u32,
    /// Those that need no further look.
    known: HashSet<u32>,
}

impl Watch {
    /// Of the children of `parent`, all of which are yet to be seen.
    pub(crate) fn children_of(parent: u32) -> Self {
        Self {
            parent,
            known: HashSet::new(),
        }
    }

    /// Children that were not seen before; where `program` is given, those that have become it.
    pub(crate) fn seen(&mut self, program: Option<&str>) -> Vec<u32> {
        let entries = fs::read_dir("/proc").expect("processes are read from /proc");
        let pids = entries.filter_map(|entry| entry.ok()?.file_name().to_str()?.parse().ok());
        let unseen: Vec<u32> = pids.filter(|pid| !self.known.contains(pid)).collect();
        unseen.into_iter().filter(|pid| self.is_meant(*pid, program)).collect()
    }

    fn is_meant(&mut self, pid: u32, program: Option<&str>) -> bool {
        // One that has gone by now is nobody's child.
        let Some((name, parent)) = name_and_parent(pid) else {
            return false;
        };
        let is_child = parent == self.parent;
        let is_ready = program.is_none_or(|program| program == name);
        if !is_child || is_ready {
            self.known.insert(pid);
        }
        is_child && is_ready
    }
}

/// `pid (name) state ppid …`, where the name may have anything in it.
fn name_and_parent(pid: u32) -> Option<(String, u32)> {
    let stat = fs::read_to_string(format!("/proc/{pid}/stat")).ok()?;
    let (head, tail) = stat.rsplit_once(") ")?;
    let name = head.split_once(" (")?.1.to_owned();
    let parent = tail.split(' ').nth(1)?.parse().ok()?;
    Some((name, parent))
}

/// The processor time that a process has used, with all its threads, those that have ended too.
pub(crate) fn processor_time(pid: u32) -> Duration {
    ticks(pid, 11)
}

/// The processor time that those of its children have used that have ended and were waited for.
pub(crate) fn processor_time_of_children(pid: u32) -> Duration {
    ticks(pid, 13)
}

/// Whether the kernel has nothing left of a process: it has ended, and its parent has seen that.
pub(crate) fn is_gone(pid: u32) -> bool {
    name_and_parent(pid).is_none()
}

/// Two counts of ticks side by side, in programs and in the kernel.
fn ticks(pid: u32, first: usize) -> Duration {
    let stat = fs::read_to_string(format!("/proc/{pid}/stat")).expect("the process runs");
    let tail = stat.rsplit_once(") ").expect("the kernel's format").1;
    let of_both = tail.split(' ').skip(first).take(2);
    let ticks: u64 = of_both.filter_map(|ticks| ticks.parse::<u64>().ok()).sum();
    Duration::from_secs_f64(ticks as f64 / rustix::param::clock_ticks_per_second() as f64)
}

/// Sends a signal to a process that runs.
pub(crate) fn signal(pid: u32, signal: Signal) {
    let pid = i32::try_from(pid).ok().and_then(Pid::from_raw).expect("a pid");
    kill_process(pid, signal).expect("the process runs");
}

/// Waits until `look` gives something; a subject that never comes to it has failed.
pub(crate) fn until<T>(what: &str, mut look: impl FnMut() -> Option<T>) -> T {
    let begun = Instant::now();
    loop {
        if let Some(found) = look() {
            return found;
        }
        assert!(begun.elapsed() < PATIENCE, "waited {PATIENCE:?} in vain for {what}");
        pause(LOOK_EVERY);
    }
}

/// Lets time go by.
#[expect(
    clippy::disallowed_methods,
    reason = "this thread measures processes, and works for nobody else"
)]
pub(crate) fn pause(time: Duration) {
    std::thread::sleep(time);
}
