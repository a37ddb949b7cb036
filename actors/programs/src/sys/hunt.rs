//! The end of all of a program's processes, whatever they did to escape it.

use std::collections::HashSet;
use std::fmt;
use std::io;
use std::os::fd::OwnedFd;
use std::sync::Arc;
use std::thread;
use std::time::{Duration, Instant};

use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::process::{Pid, PidfdFlags, Signal, kill_process, pidfd_open, pidfd_send_signal};
use serde::Serialize;
use tokio::runtime::Handle;

use super::apart::apart;
use super::birth;
use super::census::{Census, Entry, Groups, Identity};
use super::household::Household;
use super::outstanding::Outstanding;

/// How long a hunt goes on. What is alive then waits for a device, and dies when that answers.
const HUNT: Duration = Duration::from_secs(5);
/// How long killed processes are waited for before the next look.
const LOOK: Duration = Duration::from_millis(100);
/// How long a household is looked for that cannot be seen, before it is given up.
const FUNERAL: Duration = Duration::from_mins(1);
/// After how many looks that still found newcomers all are killed, frozen or not.
const FREEZES_MAX: usize = 50;

/// What became of processes that were to end.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Survey {
    /// How many there were.
    pub found: usize,
    /// How many had to be killed.
    pub killed: usize,
    /// How many are still there.
    pub survivors: usize,
}

/// Who was found, and who was killed.
#[derive(Clone, Debug, Default)]
pub(super) struct Tally {
    found: HashSet<Identity>,
    killed: HashSet<Identity>,
}

impl fmt::Display for Survey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let processes = if self.found == 1 { "process" } else { "processes" };
        let survivors = if self.survivors == 1 { "survivor" } else { "survivors" };
        write!(f, "{} {processes}, {} {survivors}", self.found, self.survivors)
    }
}

impl Tally {
    pub(super) fn find<'e>(&mut self, entries: impl IntoIterator<Item = &'e Entry>) {
        self.found.extend(entries.into_iter().map(Entry::identity));
    }

    pub(super) fn has(&self, entry: &Entry) -> bool {
        self.found.contains(&entry.identity())
    }

    fn kill(&mut self, entry: &Entry) {
        self.found.insert(entry.identity());
        self.killed.insert(entry.identity());
    }

    pub(super) fn survey(&self, survivors: usize) -> Survey {
        Survey {
            found: self.found.len(),
            killed: self.killed.len(),
            survivors,
        }
    }
}

/// Kills whoever is in the control group, and waits until they have ended.
pub(super) fn strike(household: &Household, tally: &mut Tally) {
    let deadline = Instant::now() + HUNT;
    loop {
        let Ok(living) = captives(household) else {
            // Whether anybody is left is for the hunt to see.
            household.enclosure.kill();
            return;
        };
        if living.is_empty() || Instant::now() >= deadline {
            return;
        }
        for entry in &living {
            tally.kill(entry);
        }
        household.enclosure.kill();
        await_ends(&living, LOOK);
    }
}

/// Who in the control group is alive.
fn captives(household: &Household) -> io::Result<Vec<Entry>> {
    let mut living = Vec::new();
    for pid in household.enclosure.inmates()? {
        living.extend(Entry::of_pid(pid)?.filter(Entry::is_alive));
    }
    Ok(living)
}

/// Ends whoever of the household is alive, in its control group or not.
pub(super) fn hunt_down(household: &Household, tally: &mut Tally) -> io::Result<usize> {
    let living = |census: &Census| Ok(household.living(census)?.into_iter().cloned().collect());
    hunt(Groups::OfOrphans, living, tally)
}

/// Freezes whoever belongs to the household until nobody new appears, kills them, and looks again until nobody is left.
/// Returns how many are, where that could be seen.
pub(super) fn hunt(
    groups: Groups,
    known: impl Fn(&Census) -> io::Result<Vec<Entry>>,
    tally: &mut Tally,
) -> io::Result<usize> {
    let deadline = Instant::now() + HUNT;
    let mut frozen = HashSet::new();
    let mut freezes = 0;
    loop {
        let living = match Census::take(groups).and_then(|census| known(&census)) {
            Ok(living) => living,
            Err(error) if Instant::now() >= deadline => return Err(error),
            Err(_) => {
                thread::park_timeout(LOOK);
                continue;
            }
        };
        tally.find(&living);
        if living.is_empty() || Instant::now() >= deadline {
            return Ok(living.len());
        }
        let newcomers: Vec<_> = living.iter().filter(|entry| frozen.insert(entry.identity())).collect();
        if !newcomers.is_empty() && freezes < FREEZES_MAX {
            freezes += 1;
            for entry in newcomers {
                signal(entry, Signal::STOP);
            }
            continue;
        }
        for entry in &living {
            if signal(entry, Signal::KILL) {
                tally.kill(entry);
            }
        }
        await_ends(&living, LOOK);
    }
}

/// Stops whoever of the household runs, until nobody new appears: what is signalled then cannot fork meanwhile.
pub(super) fn freeze(household: &Household) -> io::Result<Vec<Entry>> {
    let mut frozen = HashSet::new();
    let mut living: Vec<Entry> = Vec::new();
    for _ in 0..FREEZES_MAX {
        let census = Census::take(Groups::OfOrphans);
        living = match census.and_then(|census| Ok(household.living(&census)?.into_iter().cloned().collect())) {
            Ok(living) => living,
            Err(error) if living.is_empty() => return Err(error),
            // Those that are stopped already are to be told so that they go on.
            Err(_) => break,
        };
        let newcomers: Vec<_> = living.iter().filter(|entry| frozen.insert(entry.identity())).collect();
        if newcomers.is_empty() {
            break;
        }
        for entry in newcomers {
            signal(entry, Signal::STOP);
        }
    }
    Ok(living)
}

/// Signals this very process, not another that has its number by now; whether it was there to take it.
pub(super) fn signal(entry: &Entry, signal: Signal) -> bool {
    let Some(pid) = Pid::from_raw(entry.pid) else {
        return false;
    };
    let is_same = || Ok::<_, io::Error>(Entry::of_pid(entry.pid)?.is_some_and(|now| now.began == entry.began));
    // Where a descriptor is wanting, the number has been checked a moment ago, and the process must go.
    let signal_by_number = || is_same().unwrap_or(false) && kill_process(pid, signal).is_ok();
    let Ok(pidfd) = pidfd_open(pid, PidfdFlags::empty()) else {
        return signal_by_number();
    };
    if let Ok(is_same) = is_same() {
        return is_same && pidfd_send_signal(&pidfd, signal).is_ok();
    }
    // It may have been the last that there was.
    drop(pidfd);
    signal_by_number()
}

/// Waits until all have ended, or `patience` is over.
fn await_ends(entries: &[Entry], patience: Duration) {
    let deadline = Instant::now() + patience;
    for entry in entries {
        let pidfd = Pid::from_raw(entry.pid).and_then(|pid| pidfd_open(pid, PidfdFlags::empty()).ok());
        if let Some(pidfd) = pidfd
            && !await_end(&pidfd, deadline.saturating_duration_since(Instant::now()))
        {
            return;
        }
    }
}

/// Whether it ended within `patience`.
fn await_end(pidfd: &OwnedFd, patience: Duration) -> bool {
    let timeout = Timespec {
        tv_sec: i64::try_from(patience.as_secs()).unwrap_or(i64::MAX),
        tv_nsec: patience.subsec_nanos().into(),
    };
    let mut fds = [PollFd::new(pidfd, PollFlags::IN)];
    poll(&mut fds, Some(&timeout)).is_ok_and(|ready| ready > 0)
}

/// The end of a household that nobody stopped in order: whoever drops this buries it.
#[derive(Debug)]
pub(super) struct Funeral(Option<Due>);

#[derive(Debug)]
struct Due {
    household: Arc<Household>,
    pidfd: Arc<OwnedFd>,
    /// Let go when nothing more is done.
    outstanding: Outstanding,
}

impl Funeral {
    pub(super) fn new(household: Arc<Household>, pidfd: Arc<OwnedFd>, outstanding: Outstanding) -> Self {
        Self(Some(Due {
            household,
            pidfd,
            outstanding,
        }))
    }

    /// Whom it is for.
    pub(super) fn of(&self) -> Option<(Arc<Household>, Arc<OwnedFd>)> {
        self.0.as_ref().map(|due| (due.household.clone(), due.pidfd.clone()))
    }

    /// There is nobody left to bury.
    pub(super) fn cancel(&mut self) {
        self.0 = None;
    }

    /// Buries the household on a thread that may wait.
    pub(super) fn hold(mut self) {
        let Some(due) = self.0.take() else {
            return;
        };
        if due.household.enclosure.tracks() {
            due.household.enclosure.kill();
            // This needs no descriptor that is not there already; his own stay in the group.
            let _ = pidfd_send_signal(&due.pidfd, Signal::KILL);
        }
        let funeral = Self(Some(due));
        match Handle::try_current() {
            // If the runtime ends before the closure runs, it drops it, and so buries the household all the same.
            Ok(handle) => drop(handle.spawn_blocking(move || drop(funeral))),
            Err(_) => drop(funeral),
        }
    }
}

impl Drop for Funeral {
    fn drop(&mut self) {
        let Some(Due {
            household,
            pidfd,
            outstanding,
        }) = self.0.take()
        else {
            return;
        };
        let deadline = Instant::now() + FUNERAL;
        // Somebody who could not be looked for is not known to be gone.
        while apart(|| end(&household)).is_err() && Instant::now() < deadline {}
        let _ = pidfd_send_signal(&pidfd, Signal::KILL);
        if await_end(&pidfd, LOOK) {
            // Its end is nobody's news any more.
            let _ = birth::ended(&pidfd, false);
        }
        household.enclosure.remove();
        drop(outstanding);
    }
}

fn end(household: &Household) -> io::Result<()> {
    let mut tally = Tally::default();
    strike(household, &mut tally);
    if !household.is_surely_gone() {
        hunt_down(household, &mut tally)?;
    }
    Ok(())
}
