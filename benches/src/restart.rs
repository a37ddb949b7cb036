//! Restarts: from the failure inside a handler to the moment the replacement has handled a message.

use std::panic;
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};
use std::time::{Duration, Instant};

use tokio::sync::mpsc;
use tokio::time::timeout;

use crate::figure::percentiles;

/// Longer than any restart takes.
const PATIENCE: Duration = Duration::from_secs(20);

/// How an agent fails.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Failure {
    /// Its handler returns an error.
    Error,
    /// Its handler panics.
    Panic,
}

/// The outages of one agent. Leaked, so that every incarnation holds a plain reference.
#[derive(Debug)]
pub struct Outage {
    origin: Instant,
    began: AtomicU64,
    over: mpsc::UnboundedSender<u64>,
}

/// Where the ends of outages arrive.
pub type Ends = mpsc::UnboundedReceiver<u64>;

impl Outage {
    /// A clock for outages and the end of it that tells.
    pub fn new() -> (&'static Self, Ends) {
        let (over, ends) = mpsc::unbounded_channel();
        (
            Box::leak(Box::new(Self {
                origin: Instant::now(),
                began: AtomicU64::new(0),
                over,
            })),
            ends,
        )
    }

    /// Called by the handler, right before it fails.
    pub fn begin(&self) {
        self.began.store(self.now(), Relaxed);
    }

    /// Called by the replacement's handler.
    pub fn end(&self) {
        let _ = self.over.send(self.now() - self.began.load(Relaxed));
    }

    fn now(&self) -> u64 {
        u64::try_from(self.origin.elapsed().as_nanos()).unwrap_or(u64::MAX)
    }
}

/// Lets `fail` make the agent fail `restarts` times, after a tenth as many unrecorded: p50 and p99 in microseconds.
///
/// # Panics
/// When an outage does not end.
pub async fn p50_p99_micros(restarts: usize, ends: &mut Ends, mut fail: impl FnMut()) -> Vec<f64> {
    let unrecorded = restarts / 10;
    let mut nanos = Vec::with_capacity(restarts);
    for n in 0..unrecorded + restarts {
        fail();
        let outage = timeout(PATIENCE, ends.recv()).await.expect("no replacement came");
        if n >= unrecorded {
            nanos.push(outage.expect("the agent's clock is leaked"));
        }
    }
    percentiles(nanos, [50, 99], 1_000.0)
}

/// While it lives, panics print nothing and capture no backtrace.
#[must_use = "panics are quiet only while this lives"]
pub struct QuietPanics(Option<Hook>);

type Hook = Box<dyn Fn(&panic::PanicHookInfo<'_>) + Sync + Send + 'static>;

impl QuietPanics {
    /// From now on.
    pub fn install() -> Self {
        let loud = panic::take_hook();
        panic::set_hook(Box::new(|_| {}));
        Self(Some(loud))
    }
}

impl Drop for QuietPanics {
    fn drop(&mut self) {
        if let Some(loud) = self.0.take()
            && !std::thread::panicking()
        {
            panic::set_hook(loud);
        }
    }
}
