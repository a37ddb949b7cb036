//! What one supervisor is counted by: its children, its decisions, and how near it is to giving up.

use std::sync::{Arc, Mutex};
use std::time::Duration;

use serde::Serialize;

use crate::clock::Moment;
use crate::metrics::SupervisorMetrics;
use crate::name::Name;
use crate::policy::Intensity;
use crate::reason::ExitReason;
use crate::supervisor::machine::{Counts, Window};
use crate::sync::lock;

/// A supervisor's handles, which the parts of a split team share, and its own children and restarts.
#[derive(Debug)]
pub(super) struct Office {
    pub(super) metrics: Arc<SupervisorMetrics>,
    record: Mutex<Record>,
}

/// The restarts of a supervisor's children within the period that ends now.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[non_exhaustive]
pub struct RestartBudget {
    /// How many there were.
    pub used: u32,
    /// How many it bears.
    pub allowed: u32,
    /// The length of the period.
    pub period: Duration,
}

impl RestartBudget {
    /// As a supervisor has it, for tests of whoever reads it.
    pub fn new(used: u32, allowed: u32, period: Duration) -> Self {
        Self { used, allowed, period }
    }
}

#[derive(Debug, Default)]
struct Record {
    children: Counts,
    /// What its machine's window holds, where it is known how many restarts it bears.
    window: Option<Window<Name>>,
}

impl Office {
    pub(super) fn new(metrics: Arc<SupervisorMetrics>) -> Self {
        Self {
            metrics,
            record: Mutex::default(),
        }
    }

    pub(super) fn bears(&self, intensity: Intensity) {
        lock(&self.record).window = Some(Window::new(intensity));
    }

    /// It bears something else from `now` on.
    pub(super) fn adjusts(&self, intensity: Intensity, now: Moment) {
        if let Some(window) = &mut lock(&self.record).window {
            window.adjust(intensity, now);
        }
    }

    /// An incarnation of it starts, with a clean record.
    pub(super) fn opens(&self) {
        if let Some(window) = &mut lock(&self.record).window {
            window.clear();
        }
    }

    /// It has these children now.
    pub(super) fn has(&self, children: Counts) {
        lock(&self.record).children = children;
    }

    pub(super) fn children(&self) -> Counts {
        lock(&self.record).children
    }

    /// It restarts `child`.
    pub(super) fn restarts(&self, child: &Name, reason: &ExitReason, at: Moment) {
        self.metrics.restarts(reason).increment();
        if let Some(window) = &mut lock(&self.record).window {
            // Its machine has decided already, by a window that holds the same.
            let _admitted = window.admit(child.clone(), at);
        }
    }

    /// It gave up on `child` alone, so what that child cost is forgotten.
    pub(super) fn forgives(&self, child: &Name) {
        if let Some(window) = &mut lock(&self.record).window {
            window.forgive(child);
        }
    }

    /// How many restarts it has seen, where it is known how many it bears.
    pub(super) fn budget(&self, now: Moment) -> Option<RestartBudget> {
        let record = lock(&self.record);
        let window = record.window.as_ref()?;
        let (used, allowed) = window.used(now);
        let period = window.period();
        Some(RestartBudget::new(used, allowed, period))
    }

    /// Which share of its restarts it has used, where it is known how many it bears.
    pub(super) fn budget_used(&self, now: Moment) -> Option<f64> {
        let RestartBudget { used, allowed, .. } = self.budget(now)?;
        // Where none is allowed, the next failure escalates always.
        Some(if allowed == 0 {
            1.0
        } else {
            f64::from(used) / f64::from(allowed)
        })
    }
}
