//! All processes of one program, from its first to the last that anybody of them started.

use std::collections::{BTreeSet, HashMap, HashSet};
use std::io;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, LazyLock, Mutex, Weak};
use std::time::Instant;

use rustix::process::{Pid, WaitId, WaitIdOptions};

use triarch_supervision::sync::lock;

use super::apart::apart;
use super::census::{self, Census, Entry, Groups, Identity, ProcessView, Roots};
use super::enclosure::Enclosure;
use super::seen::Seen;
use super::shared;
use super::tag::Tag;

/// Who belongs to one program, and how they are known.
#[derive(Debug)]
pub(super) struct Household {
    tag: Tag,
    /// The program itself, which somebody else waits for.
    pub(super) leader: i32,
    pub(super) enclosure: Enclosure,
    /// Whether nobody can have left the control groups.
    is_sealed: bool,
    /// Who was seen to belong to it.
    seen: Mutex<Seen>,
    /// How often one that had ended was to be laid to rest, by whoever came upon him.
    burials: AtomicU64,
}

/// The households there are, by their leaders: so that an orphan finds its own.
static HOUSEHOLDS: LazyLock<Mutex<HashMap<i32, Weak<Household>>>> = LazyLock::new(Mutex::default);

impl Household {
    /// The household of a program that has just begun.
    pub(super) fn new(tag: Tag, leader: i32, enclosure: Enclosure, is_sealed: bool) -> Arc<Self> {
        let entry = Entry::of_pid(leader).or_else(|_| apart(|| Entry::of_pid(leader)));
        let entry = entry.ok().flatten();
        let household = Arc::new(Self {
            tag,
            leader,
            enclosure,
            is_sealed,
            seen: Mutex::new(Seen::of(&entry)),
            burials: AtomicU64::new(0),
        });
        let mut all = lock(&*HOUSEHOLDS);
        all.retain(|_, household| household.strong_count() > 0);
        all.insert(leader, Arc::downgrade(&household));
        household
    }

    /// Who belongs to it now; they are known again by that later.
    pub(super) fn members<'c>(&self, census: &'c Census) -> io::Result<Vec<&'c Entry>> {
        let tag = self.tag.to_string();
        let inmates = self.enclosure.inmates()?;
        let mut seen = lock(&self.seen);
        let members = census.kin(&Roots {
            is_tag: &|other| other == tag,
            is_group: &|groups| self.enclosure.is_named_in(groups, &self.tag),
            inmates: &inmates,
            seen: &seen,
        });
        census.prune(&mut seen);
        seen.extend(members.iter().copied());
        Ok(members)
    }

    /// A look at whoever is in its control group or was seen before, and at nobody else: it costs the same however many
    /// others there are.
    pub(super) fn look(&self) -> io::Result<Census> {
        let mut pids = self.enclosure.inmates()?;
        pids.extend(lock(&self.seen).pids());
        Census::of(pids, Groups::OfOrphans)
    }

    /// Whether it is known without a look at all others that nobody of it is alive, since nobody is in its control groups.
    pub(super) fn is_surely_gone(&self, are_groups_empty: bool) -> bool {
        let is_nobody_left = || Ok::<_, io::Error>(self.living(&self.look()?)?.is_empty());
        self.is_sealed && are_groups_empty && is_nobody_left().unwrap_or(false)
    }

    /// Who of it is alive. Those who came back to us and have ended are laid to rest.
    pub(super) fn living<'c>(&self, census: &'c Census) -> io::Result<Vec<&'c Entry>> {
        Ok(self.parted(census)?.0)
    }

    /// The same, and who has ended.
    pub(super) fn parted<'c>(&self, census: &'c Census) -> io::Result<(Vec<&'c Entry>, HashSet<Identity>)> {
        let (living, ended): (Vec<_>, Vec<_>) = self.members(census)?.into_iter().partition(|entry| entry.is_alive());
        self.bury(&ended);
        let mut ended: HashSet<_> = ended.into_iter().map(Entry::identity).collect();
        // Whom others laid to rest meanwhile is in no list, and has ended all the same: nobody has the number 0.
        ended.insert((0, self.burials.load(Ordering::SeqCst)));
        Ok((living, ended))
    }

    /// Reaps those of `ended` that are our children; the leader is left to whoever waits for it.
    fn bury(&self, ended: &[&Entry]) -> usize {
        let own = census::own_pid();
        let orphans = ended
            .iter()
            .filter(|entry| entry.parent == own && entry.pid != self.leader);
        let buried = orphans.filter(|entry| {
            // First, so that nobody misses one and does not know of it.
            self.burials.fetch_add(1, Ordering::SeqCst);
            reap(entry.pid)
        });
        let buried: Vec<_> = buried.collect();
        let mut seen = lock(&self.seen);
        for entry in &buried {
            seen.bury(entry.identity());
        }
        buried.len()
    }

    #[cfg(test)]
    pub(super) fn seen_count(&self) -> usize {
        lock(&self.seen).count()
    }

    fn is_to_be_looked_through(&self, now: Instant) -> bool {
        lock(&self.seen).is_due(now)
    }
}

fn reap(pid: i32) -> bool {
    let options = WaitIdOptions::EXITED | WaitIdOptions::NOHANG;
    Pid::from_raw(pid)
        .is_some_and(|pid| rustix::process::waitid(WaitId::Pid(pid), options).is_ok_and(|status| status.is_some()))
}

fn all() -> Vec<Arc<Household>> {
    lock(&*HOUSEHOLDS).values().filter_map(Weak::upgrade).collect()
}

/// The processes of the program that has `leader` as its own, as they are now.
pub(crate) async fn household(leader: i32) -> Vec<ProcessView> {
    let Some(household) = lock(&*HOUSEHOLDS).get(&leader).and_then(Weak::upgrade) else {
        return Vec::new();
    };
    let Ok(census) = shared::fresh().await else {
        return Vec::new();
    };
    let members = household.members(&census).unwrap_or_default();
    members.into_iter().map(Entry::shown).collect()
}

/// Lays to rest the ended orphans of programs that still run; returns how many. To be called now and then: until it is,
/// each of them keeps its number. And it forgets those of which nothing is left.
pub(crate) fn bury_orphans() -> usize {
    let households = all();
    let buried = bury_orphans_of(&households);
    forget_gone_of(&households);
    buried
}

/// One look at all serves everybody that needs one.
fn forget_gone_of(households: &[Arc<Household>]) {
    let now = Instant::now();
    let is_due = |household: &&Arc<Household>| household.is_to_be_looked_through(now);
    let due: Vec<_> = households.iter().filter(is_due).collect();
    if due.is_empty() {
        return;
    }
    // Where nobody can be looked at now, it is done another time.
    let Ok(census) = Census::take(Groups::OfOrphans) else {
        return;
    };
    for household in due {
        census.prune(&mut lock(&household.seen));
    }
}

fn bury_orphans_of(households: &[Arc<Household>]) -> usize {
    let leaders: BTreeSet<_> = households.iter().map(|household| household.leader).collect();
    let orphans = census::children().into_iter().filter(|pid| !leaders.contains(pid));
    // Who cannot be looked at now is laid to rest another time.
    let census = Census::of(orphans, Groups::OfOrphans).unwrap_or_default();
    if census.entries.is_empty() {
        return 0;
    }
    let buried = households.iter().map(|household| {
        // Those alive are only seen, to be known when they have ended.
        let members = household.members(&census).unwrap_or_default().into_iter();
        household.bury(&members.filter(|entry| !entry.is_alive()).collect::<Vec<_>>())
    });
    buried.sum()
}
