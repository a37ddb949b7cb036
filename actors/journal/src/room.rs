//! What a room that keeps a journal takes in: a scribe among its agents, before those who own the journal.

use std::sync::Arc;

use tokio::sync::Mutex;
use triarch_supervision::metrics::Instruments;
use triarch_supervision::prelude::*;

use crate::config::Config;
use crate::error::Error;
use crate::metrics::Metrics;
use crate::scribe::{JournalAddress, Queue, Scribe, Settings};
use crate::sys::Disk;

/// The scribe of a journal, to be a child of its room's supervisor under that name, and where the journal is recovered.
/// `journal` is the word for it in metrics, one of `bus`, `memory` and `work`.
pub fn scribe(
    name: &str,
    journal: &str,
    disk: Arc<dyn Disk>,
    config: Config,
    instruments: &Instruments,
) -> Result<(Child<Scribe>, JournalAddress), Error> {
    config.check()?;
    let queue = Arc::new(Queue::new(config.queued_bytes_max));
    let settings = Settings {
        disk,
        config,
        metrics: Metrics::new(instruments, journal)?,
        queue: Arc::clone(&queue),
        seat: Arc::new(Mutex::new(())),
    };
    // Verifying takes as long as there is to verify.
    let child = Child::of::<Scribe>(name, settings).start_without_limit();
    let scribe = child.address();
    Ok((child, JournalAddress { scribe, queue, config }))
}
