//! The subjects, one file each; the table (case, subject) → function is the sum of theirs.

mod actix;
mod erlang;
mod flume;
mod kameo;
mod ractor;
mod tokio_mpsc;
mod triarch;

use std::time::{Duration, Instant};

use tokio::task::JoinHandle;
use triarch_benches::Entry;
use triarch_benches::options::Options;

/// Messages an unbounded subject's producer sends before it yields: without, a producer fills memory and starves the
/// consumer behind it on its worker. 32, 64 and 256 were tried, and did not differ beyond the noise.
const YIELD_EVERY: u64 = 64;

/// How long an idle fleet is left alone before its memory is read.
const SETTLE: Duration = Duration::from_millis(300);

/// The table.
pub(crate) fn entries() -> Vec<Entry> {
    [
        triarch::entries(),
        ractor::entries(),
        kameo::entries(),
        actix::entries(),
        tokio_mpsc::entries(),
        flume::entries(),
        erlang::entries(),
    ]
    .concat()
}

/// A line for each chosen subject that this machine lacks.
pub(crate) fn absent(options: &Options) -> Option<&'static str> {
    let is_missed = options.has_subject(erlang::NAME) && !erlang::is_installed();
    is_missed.then_some("erlang: not installed, skipped")
}

/// Removes what the subjects left in temporary folders.
pub(crate) fn tidy_up() {
    erlang::tidy_up();
}

/// When each producer sent its first message; waits until all have sent their last.
async fn starts(producers: Vec<JoinHandle<Instant>>) -> Vec<Instant> {
    let mut starts = Vec::with_capacity(producers.len());
    for producer in producers {
        starts.push(producer.await.expect("a producer sends all its messages"));
    }
    starts
}
