//! What the runtime says that it did.

use crate::house::Running;
use crate::work::Done;

/// Its metrics.
pub(crate) struct Page(String);

/// What is counted, as it is shown.
pub(crate) const COUNTS: [&str; 16] = [
    "asks",
    "asks of programs",
    "tasks submitted",
    "publications on disk",
    "entries put",
    "agents come and gone",
    "connections",
    "scrapes",
    "commands",
    "messages handled",
    "tasks done",
    "events delivered",
    "entries expired",
    "restarts",
    "programs started",
    "lines of logs",
];

impl Page {
    pub(crate) fn of(running: &Running) -> Self {
        Self(running.get("/metrics"))
    }

    /// The sum of a family, of those series alone that have `label`.
    fn sum(&self, family: &str, label: &str) -> f64 {
        let lines = self.0.lines().filter_map(|line| line.strip_prefix(family));
        let series = lines.filter(|rest| rest.starts_with([' ', '{']) && rest.contains(label));
        series
            .filter_map(|rest| rest.rsplit(' ').next()?.parse::<f64>().ok())
            .sum()
    }

    fn own(&self) -> [f64; 7] {
        [
            self.sum("triarch_messages_handled_total", ""),
            self.sum("triarch_tasks_finished_total", "result=\"done\""),
            self.sum("triarch_bus_delivered_total", ""),
            self.sum("triarch_memory_removed_total", "cause=\"expired\""),
            self.sum("triarch_supervisor_restarts_total", ""),
            self.sum("triarch_program_starts_total", ""),
            self.sum("triarch_program_log_lines_total", ""),
        ]
    }

    /// In the order of [`COUNTS`].
    pub(crate) fn counts(&self, done: &Done) -> Vec<f64> {
        let from_outside = [
            done.asks,
            done.programs,
            done.tasks,
            done.publications,
            done.entries,
            done.guests,
            done.connections,
            done.scrapes,
            done.commands,
        ];
        let from_outside = from_outside.map(|count| count as f64);
        from_outside.into_iter().chain(self.own()).collect()
    }

    /// A soak of a fleet that does nothing would find nothing.
    pub(crate) fn is_of_a_fleet_that_works(&self, done: &Done) {
        let own = self.own();
        assert!(own.iter().all(|count| *count > 0.0), "not all of it happens: {own:?}");
        let tasks = own[1];
        assert!(
            tasks * 2.0 > done.tasks as f64,
            "{tasks} of {} tasks are done",
            done.tasks
        );
    }
}
