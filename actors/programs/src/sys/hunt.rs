//! The end of all of a program's processes, whatever they did to escape it.
//!
//! Who leaves a child and ends, again and again, is gone before he is looked at, and the child is not in the list. So a list with
//! nobody alive in it says little: of a control group the kernel knows whether anybody is in it; of all others it is looked
//! again, until nobody has ended since the look before.

use std::collections::HashSet;
use std::fmt;
use std::io;
use std::os::fd::OwnedFd;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use std::thread;
use std::time::{Duration, Instant};

use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::process::{Pid, PidfdFlags, Signal, kill_process, pidfd_open, pidfd_send_signal};
use serde::Serialize;
use tokio::runtime::Handle;
use triarch_supervision::sync::{Mutex, lock};

use super::apart::apart;
use super::birth;
use super::census::{self, Census, Entry, Groups, Identity};
use super::enclosure::Enclosure;
use super::household::Household;
use super::outstanding::Outstanding;
use super::shared;

/// How long a hunt goes on. What is alive then waits for a device, and dies when that answers.
const HUNT: Duration = Duration::from_secs(5);
/// How long killed processes are waited for before the next look.
const LOOK: Duration = Duration::from_millis(100);
/// How long a household is looked for that cannot be seen, before it is given up.
const FUNERAL: Duration = Duration::from_mins(1);
/// How often the newest children of this process are looked at before all others are again.
const CHASES: usize = 100;
/// After so many of these looks in a row that showed nobody new the others are.
const CHASES_IN_VAIN: usize = 10;
/// How long a group is given to empty itself in which nobody can be seen.
const EMPTYING: Duration = Duration::from_millis(1);
/// How often many that stop at once look together for those who are left, before each does so alone.
const SHARED_LOOKS: usize = 8;
/// After so many of these looks that showed somebody new after a kill: who forks faster than it is killed has to be frozen.
const SHARED_LOOKS_WITH_NEWCOMERS: usize = 2;
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

    /// Who was killed so far.
    pub(super) fn killed(&self) -> impl Iterator<Item = Identity> {
        self.killed.iter().copied()
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

/// Kills whoever is left of a household; returns how many withstood it.
pub(super) fn end(household: &Household, tally: &mut Tally) -> io::Result<usize> {
    let are_groups_empty = strike(household, tally);
    if household.is_surely_gone(are_groups_empty) {
        return Ok(0);
    }
    let seen = household.look().and_then(|census| Ok(household.parted(&census)?.1));
    let mut ended = seen.unwrap_or_default();
    if are_groups_empty {
        ended.extend(tally.killed());
    }
    if strike_with_others(household, &mut ended, tally).unwrap_or(false) {
        return Ok(0);
    }
    hunt_down(household, ended, tally)
}

/// Kills whoever is seen of it on the machine, until nobody is, nor that anybody has ended beside those. Many that stop at once
/// share the looks for that; who is left after a few of them is hunted alone. Returns whether nobody is.
fn strike_with_others(household: &Household, ended: &mut HashSet<Identity>, tally: &mut Tally) -> io::Result<bool> {
    // Whom no group holds may be missed by one look.
    let enough = if household.enclosure.tracks() { 1 } else { 2 };
    let (mut in_vain, mut with_newcomers) = (0, 0);
    for look in 0..SHARED_LOOKS {
        let census = shared::of_all()?;
        let (living, gone) = household.parted(&census)?;
        let is_news = !gone.is_subset(ended);
        ended.extend(gone);
        in_vain = if is_news || !living.is_empty() { 0 } else { in_vain + 1 };
        if in_vain == enough {
            return Ok(true);
        }
        let is_new = |entry: &&Entry| !tally.killed.contains(&entry.identity());
        with_newcomers += usize::from(look > 0 && living.iter().any(is_new));
        if with_newcomers == SHARED_LOOKS_WITH_NEWCOMERS {
            break;
        }
        let living: Vec<_> = living.into_iter().cloned().collect();
        kill(&living, tally);
    }
    Ok(false)
}

/// Kills whoever is in the control group, and waits until they have ended. Returns whether it is known that nobody is in it.
pub(super) fn strike(household: &Household, tally: &mut Tally) -> bool {
    let enclosure = &household.enclosure;
    let deadline = Instant::now() + HUNT;
    let mut ended = HashSet::new();
    while enclosure.tracks() {
        let captives = captives(enclosure);
        for entry in captives.iter().flat_map(|captives| &captives.living) {
            tally.kill(entry);
        }
        // Whoever was not in the list too.
        enclosure.kill();
        // Whether anybody is left that could not be looked at is for the hunt to see.
        let Ok(captives) = captives else { return false };
        let are_none = enclosure.is_populated().map(|is_any| !is_any);
        if are_none.unwrap_or_else(|| captives.are_surely_none(&ended)) {
            return true;
        }
        if Instant::now() >= deadline {
            return false;
        }
        if captives.living.is_empty() {
            thread::park_timeout(EMPTYING);
        }
        await_ends(&captives.living, LOOK);
        ended.extend(captives.ended);
    }
    true
}

/// Who was in the control group when it was listed, as they were a moment later.
#[derive(Debug, Default)]
struct Captives {
    living: Vec<Entry>,
    ended: HashSet<Identity>,
    /// Whether one of them was gone by then.
    is_any_gone: bool,
}

fn captives(enclosure: &Enclosure) -> io::Result<Captives> {
    let mut captives = Captives::default();
    for pid in enclosure.inmates()? {
        match Entry::of_pid(pid)? {
            Some(entry) if entry.is_alive() => captives.living.push(entry),
            Some(entry) => drop(captives.ended.insert(entry.identity())),
            None => captives.is_any_gone = true,
        }
    }
    Ok(captives)
}

impl Captives {
    /// Whether nobody can be in the group who is not in the list: all in it had ended before it was made.
    fn are_surely_none(&self, ended_before: &HashSet<Identity>) -> bool {
        self.living.is_empty() && !self.is_any_gone && self.ended.is_subset(ended_before)
    }
}

/// Who of those that are looked for was there at one moment: who lives, and who has ended.
pub(super) type Found = (Vec<Entry>, HashSet<Identity>);

/// Ends whoever of the household is alive, in its control group or not; `ended` are known to have ended.
pub(super) fn hunt_down(household: &Household, ended: HashSet<Identity>, tally: &mut Tally) -> io::Result<usize> {
    let known = |census: &Census| {
        let (living, ended) = household.parted(census)?;
        Ok((living.into_iter().cloned().collect(), ended))
    };
    hunt(Groups::OfOrphans, known, ended, tally)
}

/// Freezes whoever belongs to the household until nobody new appears, kills them, and looks again until nobody is left.
/// Returns how many are, where that could be seen.
pub(super) fn hunt(
    groups: Groups,
    known: impl Fn(&Census) -> io::Result<Found>,
    mut ended: HashSet<Identity>,
    tally: &mut Tally,
) -> io::Result<usize> {
    let deadline = Instant::now() + HUNT;
    let mut frozen = HashSet::new();
    let (mut freezes, mut was_empty) = (0, false);
    loop {
        let is_over = Instant::now() >= deadline;
        let (living, gone) = match look(groups).and_then(|census| known(&census)) {
            Ok(found) => found,
            Err(error) if is_over => return Err(error),
            Err(_) => {
                thread::park_timeout(LOOK);
                continue;
            }
        };
        tally.find(&living);
        if living.is_empty() {
            let before = ended.len();
            ended.extend(gone);
            let is_news = ended.len() > before;
            if was_empty && !is_news {
                return Ok(0);
            }
            if is_over {
                // Somebody was there until now.
                return Ok(usize::from(is_news));
            }
            // Where somebody has just ended, whoever he left is there now.
            was_empty = !(is_news && chase(groups, &known, &mut ended, deadline, tally));
            continue;
        }
        was_empty = false;
        if is_over {
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
        kill(&living, tally);
    }
}

/// A look at all, which many hunts at once share where it shows each of them enough.
fn look(groups: Groups) -> io::Result<Arc<Census>> {
    match groups {
        Groups::OfOrphans => shared::of_all(),
        Groups::OfAll => Census::take(groups).map(Arc::new),
    }
}

fn look_at_children(groups: Groups) -> io::Result<Arc<Census>> {
    match groups {
        Groups::OfOrphans => shared::of_own_children(),
        Groups::OfAll => Census::of(census::children(), groups).map(Arc::new),
    }
}

/// Kills these, and waits a moment for their ends.
fn kill(living: &[Entry], tally: &mut Tally) {
    for entry in living {
        if signal(entry, Signal::KILL) {
            tally.kill(entry);
        }
    }
    await_ends(living, LOOK);
}

/// Kills one who is gone whenever all have been looked at. Whoever is left by one that has ended is a child of this process at
/// once, so he is looked for there alone, which takes less time than he has. Returns whether anybody new was seen, alive or ended.
fn chase(
    groups: Groups,
    known: impl Fn(&Census) -> io::Result<Found>,
    ended: &mut HashSet<Identity>,
    deadline: Instant,
    tally: &mut Tally,
) -> bool {
    let (before, mut in_vain) = (ended.len(), 0);
    for _ in 0..CHASES {
        let Ok((living, gone)) = look_at_children(groups).and_then(|census| known(&census)) else {
            continue;
        };
        let so_far = ended.len();
        ended.extend(gone);
        if !living.is_empty() {
            kill(&living, tally);
            return true;
        }
        in_vain = if ended.len() > so_far { 0 } else { in_vain + 1 };
        if in_vain == CHASES_IN_VAIN || Instant::now() >= deadline {
            break;
        }
    }
    ended.len() > before
}

/// Stops whoever of the household runs, until nobody new appears: what is signalled then cannot fork meanwhile.
pub(super) fn freeze(household: &Household) -> io::Result<Vec<Entry>> {
    let mut frozen = HashSet::new();
    let mut living: Vec<Entry> = Vec::new();
    for _ in 0..FREEZES_MAX {
        let census = shared::of_all();
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
            Ok(handle) => funeral.hold_on(&handle),
            Err(_) => drop(funeral),
        }
    }

    /// If the runtime ends before its turn comes, it is dropped, and so held all the same.
    fn hold_on(self, handle: &Handle) {
        let here = Arc::new(Mutex::new(Some(self)));
        let there = Arc::clone(&here);
        let hold = move || drop(handle.spawn_blocking(move || drop(lock(&there).take())));
        // Where no thread can be had tokio panics and keeps the work for later, and whoever drops this may be panicking.
        if catch_unwind(AssertUnwindSafe(hold)).is_err() {
            drop(lock(&here).take());
        }
    }
}

/// A funeral that nobody sees to yet. Who drops it may be on a thread that must not wait, so it is held on another.
#[derive(Debug)]
pub(super) struct Unclaimed(Option<Funeral>);

impl From<Funeral> for Unclaimed {
    fn from(funeral: Funeral) -> Self {
        Self(Some(funeral))
    }
}

impl Unclaimed {
    /// Whom it is for.
    pub(super) fn of(&self) -> Option<(Arc<Household>, Arc<OwnedFd>)> {
        self.0.as_ref()?.of()
    }

    /// From now on whoever called this sees to it.
    pub(super) fn claim(&mut self) -> Option<Funeral> {
        self.0.take()
    }
}

impl Drop for Unclaimed {
    fn drop(&mut self) {
        if let Some(funeral) = self.0.take() {
            funeral.hold();
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
        while apart(|| end(&household, &mut Tally::default())).is_err() && Instant::now() < deadline {}
        let _ = pidfd_send_signal(&pidfd, Signal::KILL);
        if await_end(&pidfd, LOOK) {
            // Its end is nobody's news any more.
            let _ = birth::ended(&pidfd, false);
        }
        household.enclosure.remove();
        drop(outstanding);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_group_is_empty_only_where_all_that_are_listed_had_ended_before() {
        let of = |living: &[i32], ended: &[i32], is_any_gone| Captives {
            living: living.iter().map(|_| Entry::default()).collect(),
            ended: ended.iter().map(|pid| (*pid, 1)).collect(),
            is_any_gone,
        };
        let before = HashSet::from([(7, 1), (8, 1)]);
        assert!(of(&[], &[], false).are_surely_none(&before));
        assert!(of(&[], &[7], false).are_surely_none(&before));
        for captives in [of(&[9], &[], false), of(&[], &[], true), of(&[], &[7, 9], false)] {
            assert!(!captives.are_surely_none(&before), "{captives:?}");
        }
    }
}
