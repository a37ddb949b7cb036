//! What the room counts.

use std::collections::BTreeMap;
use std::sync::Arc;

use triarch_supervision::metrics::{
    Buckets, Counter, Family, Fan, Fans, Gauge, Histogram, InstrumentError, Instruments, Label, Labelled, Section,
};

use crate::machine::{Counts, Event, Overview, Tasks};
use crate::task::{Priority, State};
use crate::time::TaskTime;
use crate::words::Kind;

/// Kinds of tasks; those beyond the bound are counted as `other`.
const KIND: Label = Label::open("task_kind", 8);

/// Tasks that are open.
pub const TASKS: Family = Family::gauge(
    "triarch_tasks",
    &[
        KIND,
        Label::closed("state", &["blocked", "ready", "claimed", "running"]),
    ],
    "Open tasks by kind and state.",
);

/// Tasks that came.
pub const SUBMITTED: Family = Family::counter(
    "triarch_tasks_submitted_total",
    &[
        KIND,
        Label::closed("priority", &["critical", "high", "normal", "low", "background"]),
    ],
    "Tasks accepted, those not counted that were known by their key.",
);

/// Tasks that ended.
pub const FINISHED: Family = Family::counter(
    "triarch_tasks_finished_total",
    &[
        KIND,
        Label::closed("result", &["done", "failed", "cancelled", "expired", "dead"]),
    ],
    "Tasks that ended, by how; one that is retried by hand ends again.",
);

/// Attempts after the first.
pub const RETRIES: Family = Family::counter(
    "triarch_task_retries_total",
    &[KIND],
    "Claims of a task that was tried before; not of one that was only given back since.",
);

/// Leases that lapsed.
pub const LAPSES: Family = Family::counter(
    "triarch_task_lapses_total",
    &[KIND],
    "Attempts that were lost: leases that ended without a word of the worker, and those whose worker left them or fell.",
);

/// How long tasks were ready.
pub const WAIT_SECONDS: Family = Family::histogram(
    "triarch_task_wait_seconds",
    Buckets::LONG,
    &[],
    "Time from when a task was ready, or was given back, until it was claimed.",
);

/// How long attempts took.
pub const RUN_SECONDS: Family = Family::histogram(
    "triarch_task_run_seconds",
    Buckets::LONG,
    &[KIND],
    "Time from the begin of an attempt, or from its claim where nobody had begun, until the task ended, whatever ended it.",
);

/// Deadlines that were missed.
pub const MISSED: Family = Family::counter(
    "triarch_task_deadlines_missed_total",
    &[KIND],
    "Tasks that were open when their deadline passed.",
);

/// The oldest task that is ready.
pub const OLDEST_READY: Family = Family::gauge(
    "triarch_task_oldest_ready_age_seconds",
    &[],
    "For how long the oldest ready task has been ready; 0 where none is.",
);

/// Results that came too late.
pub const LATE: Family = Family::counter(
    "triarch_task_late_results_total",
    &[],
    "What workers said of a task after their lease was over; it was refused, and kept.",
);

/// Live leases.
pub const LEASES: Family = Family::gauge("triarch_task_leases", &[], "Tasks in the hands of workers.");

/// Whether somebody drains tasks.
pub const DRAINING: Family = Family::gauge(
    "triarch_task_draining",
    &[],
    "1 while no tasks are taken, since somebody drains them.",
);

/// The room's part of a catalogue.
pub const WORK: Section = Section {
    title: "Tasks",
    families: &[
        TASKS,
        SUBMITTED,
        FINISHED,
        RETRIES,
        LAPSES,
        WAIT_SECONDS,
        RUN_SECONDS,
        MISSED,
        OLDEST_READY,
        LATE,
        LEASES,
        DRAINING,
    ],
};

/// What is counted of one kind.
#[derive(Clone, Debug)]
struct OfKind {
    open: Arc<Fan<Gauge>>,
    submitted: Arc<Fan<Counter>>,
    finished: Arc<Fan<Counter>>,
    retries: Arc<Counter>,
    lapses: Arc<Counter>,
    missed: Arc<Counter>,
    run: Arc<Histogram>,
}

/// The room's instruments.
#[derive(Clone)]
pub(crate) struct Metrics {
    open: Fans<Gauge, 1>,
    submitted: Fans<Counter, 1>,
    finished: Fans<Counter, 1>,
    retries: Labelled<Counter, 1>,
    lapses: Labelled<Counter, 1>,
    missed: Labelled<Counter, 1>,
    wait: Arc<Histogram>,
    run: Labelled<Histogram, 1>,
    oldest: Arc<Gauge>,
    late: Arc<Counter>,
    leases: Arc<Gauge>,
    draining: Arc<Gauge>,
    kinds: BTreeMap<String, OfKind>,
}

/// So many kinds have their instruments at hand, more than the label has room for.
const KINDS_AT_HAND: usize = 64;
/// What all further ones are counted as.
const REST: &str = "other";

impl std::fmt::Debug for Metrics {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Metrics").finish_non_exhaustive()
    }
}

impl Metrics {
    pub(crate) fn new(instruments: &Instruments) -> Result<Self, InstrumentError> {
        Ok(Self {
            open: instruments.fans(&TASKS)?,
            submitted: instruments.fans(&SUBMITTED)?,
            finished: instruments.fans(&FINISHED)?,
            retries: instruments.labelled(&RETRIES)?,
            lapses: instruments.labelled(&LAPSES)?,
            missed: instruments.labelled(&MISSED)?,
            wait: instruments.single(&WAIT_SECONDS)?,
            run: instruments.labelled(&RUN_SECONDS)?,
            oldest: instruments.single(&OLDEST_READY)?,
            late: instruments.single(&LATE)?,
            leases: instruments.single(&LEASES)?,
            draining: instruments.single(&DRAINING)?,
            kinds: BTreeMap::new(),
        })
    }

    fn of(&mut self, kind: &Kind) -> &OfKind {
        let name = if self.kinds.len() < KINDS_AT_HAND || self.kinds.contains_key(kind.as_str()) {
            kind.as_str()
        } else {
            REST
        };
        if !self.kinds.contains_key(name) {
            let of_kind = self.made(name);
            self.kinds.insert(name.to_owned(), of_kind);
        }
        &self.kinds[name]
    }

    fn made(&self, kind: &str) -> OfKind {
        let label = [kind];
        OfKind {
            open: Arc::new(self.open.with(label)),
            submitted: Arc::new(self.submitted.with(label)),
            finished: Arc::new(self.finished.with(label)),
            retries: self.retries.with(label),
            lapses: self.lapses.with(label),
            missed: self.missed.with(label),
            run: self.run.with(label),
        }
    }

    /// Counts what has happened.
    pub(crate) fn count(&mut self, event: &Event) {
        match event {
            Event::Submitted { kind, priority, .. } => {
                let priority: Priority = *priority;
                self.of(kind).submitted.at(priority.label()).increment();
            }
            Event::Claimed {
                kind, waited, is_again, ..
            } => {
                self.wait.observe(*waited);
                if *is_again {
                    self.of(kind).retries.increment();
                }
            }
            Event::Lapsed { kind, .. } => self.of(kind).lapses.increment(),
            Event::Missed { kind, .. } => self.of(kind).missed.increment(),
            Event::Ended { kind, state, took, .. } => {
                let (state, took): (State, _) = (*state, *took);
                let of_kind = self.of(kind);
                of_kind.finished.at(state.label()).increment();
                if let Some(took) = took {
                    of_kind.run.observe(took);
                }
            }
            Event::Late { .. } => self.late.increment(),
            Event::Draining { on } => self.shows_drain(*on),
            _ => {}
        }
    }

    fn shows_drain(&self, is_draining: bool) {
        self.draining.set(if is_draining { 1.0 } else { 0.0 });
    }

    /// Sets the gauges.
    pub(crate) fn gauge(&mut self, tasks: &Gauged) {
        let Gauged { overview, census } = tasks;
        self.oldest.set(overview.oldest_ready.unwrap_or_default().as_secs_f64());
        self.leases.set_count(overview.leases);
        self.shows_drain(overview.is_draining);
        let words = [State::Blocked, State::Ready, State::Claimed, State::Running];
        // Kinds that share `other` add up there, and those that are gone stand at 0.
        let gauges = self
            .kinds
            .values()
            .flat_map(|of_kind| words.map(|word| Arc::clone(of_kind.open.at(word.label()))));
        let mut sums: BTreeMap<*const Gauge, (Arc<Gauge>, usize)> =
            gauges.map(|gauge| (Arc::as_ptr(&gauge), (gauge, 0))).collect();
        for (kind, counts) in census {
            let of_kind = self.of(kind);
            for (word, count) in words.iter().zip(counts) {
                let gauge = of_kind.open.at(word.label());
                sums.entry(Arc::as_ptr(gauge))
                    .or_insert_with(|| (Arc::clone(gauge), 0))
                    .1 += count;
            }
        }
        for (gauge, sum) in sums.into_values() {
            gauge.set_count(sum);
        }
    }
}

/// What gauges show of tasks, as these were at one moment.
#[derive(Debug)]
pub(crate) struct Gauged {
    overview: Overview,
    census: Vec<(Kind, Counts)>,
}

impl Gauged {
    pub(crate) fn of(tasks: &Tasks) -> Self {
        let census = tasks.census().map(|(kind, counts)| (kind.clone(), *counts));
        Self {
            overview: tasks.overview(TaskTime::default()),
            census: census.collect(),
        }
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;
    use crate::words::TaskId;

    #[test]
    fn what_happens_is_counted_by_kind() {
        let instruments = Instruments::with_tree(&[WORK]).unwrap();
        let mut metrics = Metrics::new(&instruments).unwrap();
        let kind = Kind::new("build").unwrap();
        let task = TaskId::new(1);
        let took = Some(Duration::from_secs(1));
        for event in [
            Event::Submitted {
                task,
                kind: kind.clone(),
                priority: Priority::High,
            },
            Event::Claimed {
                task,
                kind: kind.clone(),
                waited: Duration::ZERO,
                is_again: true,
            },
            Event::Ended {
                task,
                kind: kind.clone(),
                state: State::Done,
                took,
            },
        ] {
            metrics.count(&event);
        }
        let of_kind = metrics.of(&kind);
        assert_eq!(of_kind.submitted.at("high").get(), 1);
        assert_eq!(of_kind.finished.at("done").get(), 1);
        assert_eq!((of_kind.retries.get(), of_kind.run.spread().count()), (1, 1));
    }
}
