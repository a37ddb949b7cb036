//! Reading all nodes at once, for whoever is about to show the figures.

use std::collections::VecDeque;
use std::fmt;
use std::sync::{Arc, Mutex};

use super::node::Node;
use super::shared::Entry;
use crate::clock::Moment;
use crate::dead_letter::{DeadLetters, DeadReason};
use crate::mailbox::SAMPLE_EVERY;
use crate::metrics::{Census, SupervisionMetrics};
use crate::sync::lock;

/// How many of those that left the tree are kept for the next sample.
const LEAVERS_KEPT: usize = 256;

/// Nodes are brought from memory twice so many before they are looked at, and what they lead to so many before: of many, hardly any is
/// in the caches, and to wait for each was most of a sample.
const AHEAD: usize = 8;

/// After so many nodes a sample lets others come and go.
const STRETCH: usize = 1024;

#[expect(clippy::cast_precision_loss, reason = "one in a few dozen is what a double holds")]
const SAMPLE_RATIO: f64 = 1.0 / SAMPLE_EVERY as f64;

/// Who is to be looked at, and what samples remember of each other.
#[derive(Default)]
pub(super) struct Sampler {
    /// All nodes, about in the order they came, which is how they lie in memory: by path, a sample of many would take
    /// several times as long.
    roster: Mutex<Vec<Entry>>,
    leavers: Mutex<Leavers>,
    /// Dead letters of each reason, as last seen. One sample is taken at a time.
    letters: Mutex<[u64; DeadReason::ALL.len()]>,
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
        lock(&self.roster).reserve(many);
    }

    /// Somebody becomes part of the tree, for the first time or again.
    pub(super) fn arrives(&self, entry: Entry) {
        let mut roster = lock(&self.roster);
        if !entry.node.is_enrolled() {
            entry.node.enroll(roster.len());
            roster.push(entry);
        }
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
        lock(&self.roster).iter().map(|entry| Arc::clone(&entry.node)).collect()
    }

    /// Takes a node off the roster; the last one takes its place there.
    fn strike(&self, node: &Node) -> Option<Entry> {
        let mut roster = lock(&self.roster);
        let index = node.unenroll()?;
        let entry = (index < roster.len()).then(|| roster.swap_remove(index))?;
        if let Some(moved) = roster.get(index) {
            moved.node.enroll(index);
        }
        Some(entry)
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
    /// until the next sample; what its mailbox gained is not lost by that.
    fn count_all(&self, census: &mut Census<'_>, now: Moment) -> u8 {
        let mut levels = 0;
        let mut next = 0;
        loop {
            let roster = lock(&self.roster);
            let rest = roster.get(next..).unwrap_or_default();
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
            next += STRETCH;
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
