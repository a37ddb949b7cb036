//! What has happened, once it is on disk: counted, and told to whoever hears it.

use std::sync::{Arc, Mutex, MutexGuard};

use tokio::sync::broadcast;
use triarch_journal::Seq;
use triarch_supervision::sync::lock;

use super::machine::Event;
use crate::metrics::{Gauged, Metrics};

/// Shared by all lives of a queue and by its writes on their way.
#[derive(Clone, Debug)]
pub(crate) struct Teller(Arc<Mutex<Inner>>);

#[derive(Debug)]
struct Inner {
    metrics: Metrics,
    hearers: broadcast::Sender<Event>,
    /// The last record of which was told what happened by it; none before the first life of the queue.
    told: Option<Seq>,
}

impl Teller {
    pub(crate) fn new(metrics: Metrics, hearers: broadcast::Sender<Event>) -> Self {
        Self(Arc::new(Mutex::new(Inner {
            metrics,
            hearers,
            told: None,
        })))
    }

    /// This has happened, and all up to that record is on disk.
    pub(crate) fn tell(&self, upto: Seq, events: Vec<Event>) {
        let mut inner = self.lock();
        inner.told = inner.told.max(Some(upto));
        for event in events {
            inner.metrics.count(&event);
            if inner.hearers.receiver_count() > 0 {
                drop(inner.hearers.send(event));
            }
        }
    }

    /// The last record of which nothing is left to tell; none where nobody was there who could have heard it.
    pub(crate) fn told(&self) -> Option<Seq> {
        self.lock().told
    }

    /// Sets the gauges.
    pub(crate) fn gauge(&self, gauged: &Gauged) {
        self.lock().metrics.gauge(gauged);
    }

    /// What a holder that panicked left is whole: each change is one assignment.
    fn lock(&self) -> MutexGuard<'_, Inner> {
        lock(&self.0)
    }
}
