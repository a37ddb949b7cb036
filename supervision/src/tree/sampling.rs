//! Reading all nodes at once, for whoever is about to show the figures.

use std::collections::VecDeque;
use std::ops::Deref;
use std::sync::Mutex;
use std::sync::atomic::Ordering;

use super::node::Node;
use super::shared::{Entry, Nodes, lock};
use crate::clock::Moment;
use crate::dead_letter::{DeadLetters, DeadReason};
use crate::mailbox::SAMPLE_EVERY;
use crate::metrics::{Census, SupervisionMetrics};

/// How many of those that left the tree are kept for the next sample.
const LEAVERS_KEPT: usize = 256;

#[expect(clippy::cast_precision_loss, reason = "one in a few dozen is what a double holds")]
const SAMPLE_RATIO: f64 = 1.0 / SAMPLE_EVERY as f64;

/// What samples remember of each other. One is taken at a time.
#[derive(Debug, Default)]
pub(super) struct Sampler {
    /// Dead letters of each reason, as last seen.
    letters: Mutex<[u64; DeadReason::ALL.len()]>,
    leavers: Mutex<Leavers>,
}

/// Nodes that left the tree since the last sample, whose mailboxes may still count.
#[derive(Debug, Default)]
struct Leavers {
    entries: VecDeque<Leaver>,
    /// Nobody is waited for any more.
    is_closed: bool,
}

struct Leaver {
    entry: Entry,
    was_seen: bool,
}

impl std::fmt::Debug for Leaver {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        self.entry.node.fmt(f)
    }
}

impl Sampler {
    /// Somebody left the tree. What its mailbox holds and its last handler does is counted with the next sample, or
    /// before it where many leave.
    pub(super) fn leaves(&self, entry: Entry) {
        let mut leavers = lock(&self.leavers);
        leavers.entries.push_back(Leaver { entry, was_seen: false });
        let kept = if leavers.is_closed { 0 } else { LEAVERS_KEPT };
        let is_over = leavers.entries.len() > kept;
        let oldest = if is_over { leavers.entries.pop_front() } else { None };
        drop(leavers);
        if let Some(oldest) = oldest {
            gain(&oldest.entry.node);
        }
    }

    /// The tree has ended.
    pub(super) fn close(&self) {
        let mut leavers = lock(&self.leavers);
        leavers.is_closed = true;
        let entries = std::mem::take(&mut leavers.entries);
        drop(leavers);
        entries.iter().for_each(|leaver| gain(&leaver.entry.node));
    }

    /// Adds gains and sets gauges.
    pub(super) fn sample<N>(&self, metrics: &SupervisionMetrics, nodes: impl Fn() -> N, letters: &DeadLetters)
    where
        N: Deref<Target = Nodes>,
    {
        let mut seen = lock(&self.letters);
        let mut census = metrics.census();
        let levels = count_all(&nodes(), &mut census);
        census.record();
        self.look_after_leavers();
        for (seen, reason) in seen.iter_mut().zip(DeadReason::ALL) {
            let count = letters.count(reason);
            metrics.dead_letters(reason.label()).add(count - *seen);
            *seen = count;
        }
        metrics.supervision_depth.set(f64::from(levels));
        metrics.message_timing_sample_ratio.set(SAMPLE_RATIO);
    }

    /// Each is looked at twice at least: it is on its way out when it comes here, and its mailbox closes thereafter.
    fn look_after_leavers(&self) {
        let mut gone = Vec::new();
        let mut leavers = lock(&self.leavers);
        for _ in 0..leavers.entries.len() {
            let Some(mut leaver) = leavers.entries.pop_front() else {
                break;
            };
            gain(&leaver.entry.node);
            if std::mem::replace(&mut leaver.was_seen, true) && !leaver.entry.node.phase().is_alive() {
                gone.push(leaver);
            } else {
                leavers.entries.push_back(leaver);
            }
        }
        // What a mailbox still holds may be anybody's code to drop: not under the lock.
        drop(leavers);
    }
}

/// Counts all nodes; tells how many levels they stand on.
fn count_all(nodes: &Nodes, census: &mut Census<'_>) -> u8 {
    let now = Moment::now();
    let mut levels = 0;
    for Entry { node, .. } in nodes.values() {
        node.meters().count(node, census, now);
        levels = levels.max(node.kind.level());
    }
    levels
}

/// Adds what the mailbox of one that left has gained.
fn gain(node: &Node) {
    let Some(figures) = node.figures() else { return };
    let handled = node.handled.load(Ordering::Relaxed);
    let failed = node.failed.load(Ordering::Relaxed);
    node.meters()
        .gain(figures.read().enqueued, handled.saturating_sub(failed));
}
