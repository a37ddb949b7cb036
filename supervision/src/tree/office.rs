//! What one supervisor is counted by: its decisions, and how near it is to giving up.

use std::collections::VecDeque;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use crate::clock::Moment;
use crate::metrics::SupervisorMetrics;
use crate::name::Name;
use crate::policy::Intensity;
use crate::reason::ExitReason;
use crate::sync::lock;

/// A supervisor's handles, which the parts of a split group share, and its own restarts.
#[derive(Debug)]
pub(super) struct Office {
    pub(super) metrics: Arc<SupervisorMetrics>,
    record: Mutex<Record>,
}

/// The restarts that may still count, as the supervisor's own window has them: oldest first.
#[derive(Debug, Default)]
struct Record {
    period: Option<Duration>,
    allowed: u32,
    restarts: VecDeque<(Moment, Name)>,
}

impl Office {
    pub(super) fn new(metrics: Arc<SupervisorMetrics>) -> Self {
        Self {
            metrics,
            record: Mutex::default(),
        }
    }

    pub(super) fn bears(&self, intensity: Intensity) {
        let mut record = lock(&self.record);
        record.period = Some(intensity.period);
        record.allowed = intensity.restarts;
    }

    /// An incarnation of it starts, with a clean record.
    pub(super) fn opens(&self) {
        lock(&self.record).restarts.clear();
    }

    /// It restarts `child`; so many restarts now lie in its window.
    pub(super) fn restarts(&self, child: &Name, reason: &ExitReason, in_window: u32, at: Moment) {
        self.metrics.restarts(reason).increment();
        let mut record = lock(&self.record);
        record.restarts.push_back((at, child.clone()));
        let outdated = record.restarts.len().saturating_sub(in_window as usize);
        record.restarts.drain(..outdated);
    }

    /// It gave up on `child` alone, so what that child cost is forgotten.
    pub(super) fn forgives(&self, child: &Name) {
        lock(&self.record).restarts.retain(|(_, restarted)| restarted != child);
    }

    /// Which share of its restarts it has used, where it is known how many it bears.
    pub(super) fn budget_used(&self, now: Moment) -> Option<f64> {
        let record = lock(&self.record);
        let period = record.period?;
        let recent = record.restarts.iter().filter(|(at, _)| now.since(*at) <= period);
        let used = u32::try_from(recent.count()).unwrap_or(u32::MAX);
        Some(match record.allowed {
            // Where none is allowed, the next failure escalates always.
            0 => 1.0,
            allowed => f64::from(used) / f64::from(allowed),
        })
    }
}
