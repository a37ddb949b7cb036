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
use triarch_benches::allocation::per_message;
use triarch_benches::options::Options;
use triarch_benches::{Countdown, Entry, Load, Scale, case};

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

/// A subject within this process whose messages are told: nobody waits for an answer.
trait Tells {
    /// As figures know it.
    const NAME: &'static str;

    /// Messages of so many words a second.
    fn tell<const WORDS: usize>(load: Load) -> f64;

    /// The same in batches of 32: one by one where the subject has no call for them.
    fn send_many(load: Load) -> f64 {
        Self::tell::<2>(load)
    }
}

/// What all of them are measured at.
fn tells<S: Tells>() -> Vec<Entry> {
    let here = |cases, run: fn(&Scale) -> Vec<f64>| Entry::here(S::NAME, cases, run);
    vec![
        here(&[case::TELL_1_1_16], |scale| vec![S::tell::<2>(Load::new(1, 1, scale))]),
        here(&[case::TELL_4_1_16], |scale| vec![S::tell::<2>(Load::new(4, 1, scale))]),
        here(&[case::TELL_8_8_16], |scale| vec![S::tell::<2>(Load::new(8, 8, scale))]),
        here(&[case::TELL_1_1_64], |scale| vec![S::tell::<8>(Load::new(1, 1, scale))]),
        here(&[case::TELL_4_1_64], |scale| vec![S::tell::<8>(Load::new(4, 1, scale))]),
        here(&[case::TELL_8_8_64], |scale| vec![S::tell::<8>(Load::new(8, 8, scale))]),
        here(&[case::SEND_MANY_32], |scale| {
            vec![S::send_many(Load::new(1, 1, scale))]
        }),
        Entry::counted(S::NAME, &[case::ALLOCS_PER_TELL], |scale| {
            let tell = |messages| {
                S::tell::<2>(Load::pair(messages));
            };
            vec![per_message(scale.messages / 4, tell)]
        }),
    ]
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

/// What the agents of a fleet count, each once, or its supervisor for them.
#[derive(Clone, Copy)]
struct Counts {
    started: &'static Countdown,
    handled: &'static Countdown,
    ended: &'static Countdown,
}

impl Counts {
    fn of(agents: usize) -> Self {
        Self {
            started: Countdown::of(agents),
            handled: Countdown::of(agents),
            ended: Countdown::of(agents),
        }
    }
}
