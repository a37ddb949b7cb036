//! Reading all nodes at once, for whoever is about to show the figures.

use std::collections::VecDeque;
use std::fmt;
use std::panic::resume_unwind;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, RwLock, RwLockReadGuard, RwLockWriteGuard};
use std::thread::{self, available_parallelism};

use super::node::Node;
use super::order::{Shown, in_order};
use super::shared::Entry;
use crate::clock::Moment;
use crate::dead_letter::{DeadLetters, DeadReason};
use crate::mailbox::SAMPLE_EVERY;
use crate::metrics::{Census, SupervisionMetrics};
use crate::sync::{lock, unpoisoned};

/// How many of those that left the tree are kept for the next sample.
const LEAVERS_KEPT: usize = 256;

/// Nodes are brought from memory twice so many before they are looked at, and what they lead to so many before: of many, hardly any is
/// in the caches, and to wait for each was most of a sample.
const AHEAD: usize = 8;

/// After so many nodes a sample lets others come and go.
const STRETCH: usize = 1024;

/// So many nodes are worth a thread of their own while they are counted, and no more than so many threads.
const WORTH_A_THREAD: usize = 32 * STRETCH;
const THREADS_MAX: usize = 4;

#[expect(clippy::cast_precision_loss, reason = "one in a few dozen is what a double holds")]
const SAMPLE_RATIO: f64 = 1.0 / SAMPLE_EVERY as f64;

/// Who is to be looked at, and what samples remember of each other.
#[derive(Default)]
pub(super) struct Sampler {
    roster: RwLock<Roster>,
    leavers: Mutex<Leavers>,
    /// Dead letters of each reason, as last seen. One sample is taken at a time.
    letters: Mutex<[u64; DeadReason::ALL.len()]>,
}

/// All that are part of the tree.
#[derive(Default)]
struct Roster {
    /// About in the order they came, which is how they lie in memory: by path, a sample of many would take several times
    /// as long.
    entries: Vec<Entry>,
    /// How often somebody came or went.
    changes: u64,
    /// As they are shown, from when somebody asks until somebody comes or goes: of ten thousand, to put them in order is most of a
    /// snapshot.
    shown: Option<Arc<[Shown]>>,
}

impl Roster {
    /// Somebody comes or goes. What was shown until now is to be dropped when the roster is free again: it may be the last to
    /// hold a node.
    fn change(&mut self) -> Option<Arc<[Shown]>> {
        self.changes += 1;
        self.shown.take()
    }

    fn nodes(&self) -> Vec<Arc<Node>> {
        self.entries.iter().map(|entry| Arc::clone(&entry.node)).collect()
    }
}

/// Nodes that left the tree since the last sample, whose mailboxes may still count.
#[derive(Default)]
struct Leavers {
    entries: VecDeque<Leaver>,
    /// Nobody is waited for any more.
    is_closed: bool,
}

struct Leaver {
    entry: Entry,
    was_seen: bool,
}

impl fmt::Debug for Sampler {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Sampler").finish_non_exhaustive()
    }
}

impl Sampler {
    /// So many will become part of the tree now.
    pub(super) fn make_room_for(&self, many: usize) {
        self.changing().entries.reserve(many);
    }

    /// Somebody becomes part of the tree, for the first time or again.
    pub(super) fn arrives(&self, entry: Entry) {
        let mut roster = self.changing();
        if entry.node.is_enrolled() {
            return;
        }
        let outdated = roster.change();
        entry.node.enroll(roster.entries.len());
        roster.entries.push(entry);
        drop(roster);
        drop(outdated);
    }

    /// Somebody left the tree. What its mailbox holds and its last handler does is counted with the next sample, or
    /// before it where many leave.
    pub(super) fn leaves(&self, node: &Node) {
        let Some(entry) = self.strike(node) else { return };
        let mut leavers = lock(&self.leavers);
        leavers.entries.push_back(Leaver { entry, was_seen: false });
        let kept = if leavers.is_closed { 0 } else { LEAVERS_KEPT };
        let is_over = leavers.entries.len() > kept;
        let oldest = if is_over { leavers.entries.pop_front() } else { None };
        drop(leavers);
        if let Some(oldest) = oldest {
            oldest.settle(Moment::now());
        }
    }

    /// All that are part of the tree.
    pub(super) fn all(&self) -> Vec<Arc<Node>> {
        self.roster().nodes()
    }

    /// All that are part of the tree, in the order they are shown.
    pub(super) fn in_order(&self) -> Arc<[Shown]> {
        let (nodes, changes) = {
            let roster = self.roster();
            if let Some(shown) = &roster.shown {
                return Arc::clone(shown);
            }
            (roster.nodes(), roster.changes)
        };
        let shown = in_order(&nodes);
        let mut roster = self.changing();
        if roster.changes == changes {
            roster.shown = Some(Arc::clone(&shown));
        }
        shown
    }

    /// Takes a node off the roster; the last one takes its place there.
    fn strike(&self, node: &Node) -> Option<Entry> {
        let mut roster = self.changing();
        let index = node.unenroll()?;
        let entries = &mut roster.entries;
        let entry = (index < entries.len()).then(|| entries.swap_remove(index))?;
        if let Some(moved) = entries.get(index) {
            moved.node.enroll(index);
        }
        let outdated = roster.change();
        drop(roster);
        drop(outdated);
        Some(entry)
    }

    fn roster(&self) -> RwLockReadGuard<'_, Roster> {
        unpoisoned(self.roster.read())
    }

    fn changing(&self) -> RwLockWriteGuard<'_, Roster> {
        unpoisoned(self.roster.write())
    }

    /// The tree has ended.
    pub(super) fn close(&self) {
        let mut leavers = lock(&self.leavers);
        leavers.is_closed = true;
        let entries = std::mem::take(&mut leavers.entries);
        drop(leavers);
        let now = Moment::now();
        for leaver in &entries {
            leaver.settle(now);
        }
    }

    /// Adds gains and sets gauges.
    pub(super) fn sample(&self, metrics: &SupervisionMetrics, letters: &DeadLetters) {
        let mut seen = lock(&self.letters);
        let now = Moment::now();
        let mut census = metrics.census();
        let levels = self.count_all(&mut census, now);
        census.record();
        self.settle_leavers(now);
        for (seen, reason) in seen.iter_mut().zip(DeadReason::ALL) {
            let count = letters.count(reason);
            metrics.dead_letters(reason.label()).add(count - *seen);
            *seen = count;
        }
        metrics.supervision_depth.set(f64::from(levels));
        metrics.message_timing_sample_ratio.set(SAMPLE_RATIO);
    }

    /// Counts all nodes; tells how many levels they stand on. Who takes another's place meanwhile may be passed over
    /// until the next sample, or be counted twice in this one; what its mailbox gained is not lost by that.
    fn count_all(&self, census: &mut Census<'_>, now: Moment) -> u8 {
        let next = AtomicUsize::new(0);
        let others = threads_for(self.roster().entries.len()) - 1;
        thread::scope(|scope| {
            let parts = (0..others).map(|_| {
                let (mut part, next) = (census.part(), &next);
                let count = move || (self.count_stretches(next, &mut part, now), part);
                thread::Builder::new().spawn_scoped(scope, count)
            });
            // Where the system has no thread to spare, fewer count.
            let parts: Vec<_> = parts.flatten().collect();
            let mut levels = self.count_stretches(&next, census, now);
            for part in parts {
                let (others, part) = part.join().unwrap_or_else(|panic| resume_unwind(panic));
                levels = levels.max(others);
                census.add(part);
            }
            levels
        })
    }

    /// Counts one stretch after the other that nobody else has taken, from `next` on.
    fn count_stretches(&self, next: &AtomicUsize, census: &mut Census<'_>, now: Moment) -> u8 {
        let mut levels = 0;
        loop {
            let begin = next.fetch_add(STRETCH, Ordering::Relaxed);
            let roster = self.roster();
            let rest = roster.entries.get(begin..).unwrap_or_default();
            if rest.is_empty() {
                return levels;
            }
            for (index, entry) in rest.iter().take(STRETCH).enumerate() {
                if let Some(later) = rest.get(index + 2 * AHEAD) {
                    later.bring_near();
                }
                if let Some(soon) = rest.get(index + AHEAD) {
                    soon.node.meters().bring_handles_near();
                }
                entry.node.meters().count(entry, census, now);
                levels = levels.max(entry.node.level().number());
            }
        }
    }

    /// Each is looked at twice at least: it comes here on its way out, and its mailbox closes thereafter.
    fn settle_leavers(&self, now: Moment) {
        let mut gone = Vec::new();
        let mut leavers = lock(&self.leavers);
        for mut leaver in std::mem::take(&mut leavers.entries) {
            leaver.settle(now);
            if std::mem::replace(&mut leaver.was_seen, true) && !leaver.entry.node.phase().is_alive() {
                gone.push(leaver);
            } else {
                leavers.entries.push_back(leaver);
            }
        }
        drop(leavers);
        // A mailbox may hold what is anybody's code to drop: not under the lock.
        drop(gone);
    }
}

impl Leaver {
    fn settle(&self, now: Moment) {
        self.entry.node.meters().settle(&self.entry, now);
    }
}

/// How many threads count so many nodes.
fn threads_for(nodes: usize) -> usize {
    if nodes < 2 * WORTH_A_THREAD {
        return 1;
    }
    let cores = available_parallelism().map_or(1, usize::from);
    (nodes / WORTH_A_THREAD).min(cores).min(THREADS_MAX)
}
