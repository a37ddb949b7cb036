//! The topics of this repository: agents in a tree that subscribe, at most once, with queues of 1,024, on 2 tokio workers.

use std::sync::Arc;
use std::time::Instant;

use triarch_benches::figure::percentiles;
use triarch_benches::machine::resident_bytes;
use triarch_benches::runtime::on_two_workers;
use triarch_bus::{Bus, Draft, Payload, Published, Publisher, Topic};

use crate::cases::{Begun, paced};
use crate::handlers::{Times, counting};
use crate::house;
use crate::progress::{Before, HEAP, Progress, WINDOW, payload};

const TOPIC: &str = "plant.pump";
const FROM: &str = "plant/pump";

/// Publishes on one topic.
enum Way {
    /// As an agent does that publishes often.
    Publisher(Publisher),
    /// As anybody does: who publishes, and on which topic, is looked at each time.
    Named(Bus, Topic),
}

impl Way {
    fn publisher(bus: &Bus) -> Self {
        let topic = Topic::new(TOPIC).expect("a topic");
        Self::Publisher(bus.publisher(FROM, &topic).expect("it may publish"))
    }

    fn named(bus: &Bus) -> Self {
        Self::Named(bus.clone(), Topic::new(TOPIC).expect("a topic"))
    }

    fn publish(&mut self, kind: &Arc<str>, bytes: &[u8]) -> Published {
        let draft = Draft::new(Arc::clone(kind), Payload::bytes(bytes));
        let published = match self {
            Self::Publisher(publisher) => publisher.publish(draft),
            Self::Named(bus, topic) => bus.publish(FROM, topic, draft),
        };
        published.expect("it is published")
    }
}

fn kind() -> Arc<str> {
    Arc::from("reading")
}

pub(crate) fn fan_out(width: usize, count: u64) -> Vec<f64> {
    fan_out_by(width, count, Way::publisher)
}

pub(crate) fn fan_out_named(width: usize, count: u64) -> Vec<f64> {
    fan_out_by(width, count, Way::named)
}

fn fan_out_by(width: usize, count: u64, way: fn(&Bus) -> Way) -> Vec<f64> {
    let progress = Progress::of(width);
    let handlers = (0..width).map(|number| counting(&progress, number)).collect();
    on_two_workers(async move {
        let house = house::open(TOPIC, handlers, 0).await;
        let (mut way, kind) = (way(&house.bus), kind());
        let begun = Begun::now();
        for number in 1..=count {
            let published = way.publish(&kind, &payload(number, 0));
            assert_eq!(published.matched, width);
            if number.is_multiple_of(HEAP) {
                progress.reaches((number + HEAP).saturating_sub(WINDOW)).await;
            }
        }
        progress.reaches(count).await;
        let rate = begun.deliveries(width, count);
        house.tree.stop().await;
        rate
    })
}

pub(crate) fn handler(count: u64, before: Before) -> Vec<f64> {
    let (times, progress) = (Times::of(count), Progress::of(1));
    let handlers = vec![times.noting(&progress, count / 10)];
    on_two_workers(async move {
        let house = house::open(TOPIC, handlers, 0).await;
        let (mut way, kind) = (Way::publisher(&house.bus), kind());
        for number in 1..=paced(count) {
            way.publish(&kind, &payload(number, times.now()));
            before.next(number, &progress).await;
        }
        progress.reaches(paced(count)).await;
        house.tree.stop().await;
        times.p50_p95()
    })
}

/// How long a publication takes whoever publishes while all eight subscribers are alive, and while one of them has stalled; and
/// what the stalled one keeps beside what the others do.
pub(crate) fn stalled(count: u64) -> Vec<f64> {
    let live = publications(8, 0, count);
    let stalled = publications(7, 1, count);
    vec![live[0], live[1], stalled[0], stalled[1], stalled[2]]
}

fn publications(live: usize, stalled: usize, count: u64) -> Vec<f64> {
    let progress = Progress::of(live);
    let handlers = (0..live).map(|number| counting(&progress, number)).collect();
    on_two_workers(async move {
        let house = house::open(TOPIC, handlers, stalled).await;
        let (mut way, kind) = (Way::publisher(&house.bus), kind());
        let room = usize::try_from(count).expect("fewer envelopes than addresses");
        let (mut nanos, mut before) = (Vec::with_capacity(room), 0);
        // Touched now, so that it is not taken for the subscribers'.
        nanos.resize(room, 0);
        nanos.clear();
        for number in 1..=count {
            if number == 2 * WINDOW {
                // What waits for the stalled one is there by now, and a while later it should be no more.
                before = resident_bytes();
            }
            let bytes = payload(number, 0);
            let begun = Instant::now();
            way.publish(&kind, &bytes);
            nanos.push(u64::try_from(begun.elapsed().as_nanos()).unwrap_or(u64::MAX));
            if number.is_multiple_of(HEAP) {
                progress.reaches(number).await;
            }
        }
        let growth = resident_bytes().saturating_sub(before);
        house.tree.stop().await;
        let mut figures = percentiles(nanos, [50, 99], 1.0);
        figures.push(growth as f64);
        figures
    })
}
