//! Bare channels within the process, without an agent, a topic, or an account of anything: tokio's broadcast, and a flume for each
//! subscriber. An envelope is one buffer that all share.

use std::future::Future;
use std::sync::Arc;

use tokio::sync::broadcast;
use triarch_benches::runtime::on_two_workers;

use crate::cases::{Begun, paced};
use crate::handlers::{Handler, Times, counting};
use crate::progress::{Before, HEAP, Progress, WINDOW, payload};

const CAPACITY: usize = 1_024;

type Shared = Arc<[u8]>;

/// Sends to all subscribers.
pub(crate) trait Fan: Send + 'static {
    /// With a task for each of these.
    fn open(handlers: Vec<Handler>) -> Self;

    fn publish(&self, shared: Shared) -> impl Future<Output = ()> + Send;
}

pub(crate) struct Broadcast(broadcast::Sender<Shared>);

impl Fan for Broadcast {
    fn open(handlers: Vec<Handler>) -> Self {
        let (sender, _) = broadcast::channel::<Shared>(CAPACITY);
        for handler in handlers {
            let mut receiver = sender.subscribe();
            tokio::spawn(async move {
                // Who lags loses, and is found out by the number that is not the next.
                while let Ok(shared) = receiver.recv().await {
                    handler(&shared);
                }
            });
        }
        Self(sender)
    }

    async fn publish(&self, shared: Shared) {
        self.0.send(shared).expect("somebody subscribes");
    }
}

pub(crate) struct Flumes(Vec<flume::Sender<Shared>>);

impl Fan for Flumes {
    fn open(handlers: Vec<Handler>) -> Self {
        let flume = |handler: Handler| {
            let (sender, receiver) = flume::bounded::<Shared>(CAPACITY);
            tokio::spawn(async move {
                while let Ok(shared) = receiver.recv_async().await {
                    handler(&shared);
                }
            });
            sender
        };
        Self(handlers.into_iter().map(flume).collect())
    }

    async fn publish(&self, shared: Shared) {
        for sender in &self.0 {
            sender.send_async(Arc::clone(&shared)).await.expect("it receives");
        }
    }
}

pub(crate) fn fan_out<F: Fan + Sync>(width: usize, count: u64) -> Vec<f64> {
    let progress = Progress::of(width);
    let handlers = (0..width).map(|number| counting(&progress, number)).collect();
    on_two_workers(async move {
        let fan = F::open(handlers);
        let begun = Begun::now();
        for number in 1..=count {
            fan.publish(Arc::from(payload(number, 0).as_slice())).await;
            if number.is_multiple_of(HEAP) {
                progress.reaches((number + HEAP).saturating_sub(WINDOW)).await;
            }
        }
        progress.reaches(count).await;
        begun.deliveries(width, count)
    })
}

pub(crate) fn handler<F: Fan + Sync>(count: u64, before: Before) -> Vec<f64> {
    let (times, progress) = (Times::of(count), Progress::of(1));
    let handlers = vec![times.noting(&progress, count / 10)];
    on_two_workers(async move {
        let fan = F::open(handlers);
        for number in 1..=paced(count) {
            fan.publish(Arc::from(payload(number, times.now()).as_slice())).await;
            before.next(number, &progress).await;
        }
        progress.reaches(paced(count)).await;
        times.p50_p95()
    })
}
