//! What subscribers do with an envelope, whoever brings it.

use std::sync::{Arc, Mutex};
use std::time::Instant;

use triarch_benches::figure::percentiles;

use crate::progress::{Progress, Woken, read};

/// Handles the payload of one envelope.
pub(crate) type Handler = Arc<dyn Fn(&[u8]) + Send + Sync>;

/// One that looks whether it is the next, and says that it is handled.
pub(crate) fn counting(progress: &Arc<Progress>, subscriber: usize) -> Handler {
    let progress = Arc::clone(progress);
    Arc::new(move |payload| progress.handled(subscriber, read(payload).0))
}

/// The same for a publisher on a thread.
pub(crate) fn waking(progress: &Arc<Progress>, subscriber: usize, woken: Woken) -> Handler {
    let progress = Arc::clone(progress);
    Arc::new(move |payload| {
        let (number, _) = read(payload);
        progress.handled(subscriber, number);
        woken.handled(number);
    })
}

/// How long envelopes were under way.
#[derive(Clone)]
pub(crate) struct Times {
    begun: Instant,
    nanos: Arc<Mutex<Vec<u64>>>,
}

impl Times {
    pub(crate) fn of(count: u64) -> Self {
        let room = usize::try_from(count).expect("fewer envelopes than addresses");
        Self {
            begun: Instant::now(),
            nanos: Arc::new(Mutex::new(Vec::with_capacity(room))),
        }
    }

    /// What an envelope that is published now carries.
    pub(crate) fn now(&self) -> u64 {
        u64::try_from(self.begun.elapsed().as_nanos()).unwrap_or(u64::MAX)
    }

    /// A handler that notes when it was called; the first few are for warming up.
    pub(crate) fn noting(&self, progress: &Arc<Progress>, unrecorded: u64) -> Handler {
        let (times, progress) = (self.clone(), Arc::clone(progress));
        Arc::new(move |payload| {
            let now = times.now();
            let (number, at) = read(payload);
            if number > unrecorded {
                times
                    .nanos
                    .lock()
                    .expect("nobody has failed")
                    .push(now.saturating_sub(at));
            }
            progress.handled(0, number);
        })
    }

    /// In microseconds.
    pub(crate) fn p50_p95(&self) -> Vec<f64> {
        let nanos = std::mem::take(&mut *self.nanos.lock().expect("nobody has failed"));
        percentiles(nanos, [50, 95], 1e3)
    }
}
