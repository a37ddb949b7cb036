//! What the executor knows of its own work.

use std::sync::Arc;

use tokio::runtime::Handle;
use triarch_supervision::metrics::{Elapsed, Gauge, InstrumentError, Instruments, Labelled};

use crate::metrics;

/// Reads the figures of the runtime that it is asked on.
#[derive(Debug)]
pub(crate) struct Executor {
    workers: Arc<Gauge>,
    tasks_alive: Arc<Gauge>,
    global_queue_depth: Arc<Gauge>,
    busy: Labelled<Elapsed, 1>,
}

impl Executor {
    pub(crate) fn new(instruments: &Instruments) -> Result<Self, InstrumentError> {
        Ok(Self {
            workers: instruments.single(&metrics::RUNTIME_WORKERS)?,
            tasks_alive: instruments.single(&metrics::RUNTIME_TASKS_ALIVE)?,
            global_queue_depth: instruments.single(&metrics::RUNTIME_GLOBAL_QUEUE_DEPTH)?,
            busy: instruments.labelled(&metrics::RUNTIME_WORKER_BUSY_SECONDS)?,
        })
    }

    pub(crate) fn refresh(&self) {
        let Ok(handle) = Handle::try_current() else { return };
        let figures = handle.metrics();
        let workers = figures.num_workers();
        self.workers.set_count(workers);
        self.tasks_alive.set_count(figures.num_alive_tasks());
        self.global_queue_depth.set_count(figures.global_queue_depth());
        // Two or more in the same series would each hide what the others did.
        for worker in 0..workers.min(WORKERS_TOLD_APART) {
            let busy = self.busy.with([&worker.to_string()]);
            busy.advance_to(figures.worker_total_busy_duration(worker));
        }
    }
}

/// As many as the label has values.
const WORKERS_TOLD_APART: usize = 32;
