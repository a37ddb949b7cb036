//! Who subscribes to a topic, found among very many: the matcher alone, by topics in no order, so that no cache knows them; and a
//! publication through the bus on a topic whose route is not known yet.

use std::hint::black_box;
use std::time::Instant;

use triarch_benches::runtime::on_two_workers;
use triarch_bus::metrics::BUS;
use triarch_bus::{Bus, Config, Draft, Matcher, Pattern, Payload, Subscribe, Topic};
use triarch_supervision::metrics::Instruments;

/// Steps through all of 100,000, and of 10,000, before it comes back.
const STRIDE: usize = 61_803;

fn exact(number: usize) -> String {
    format!("plant_{}.line_{}.pump_{number}", number % 7, number % 101)
}

/// Wildcards at the end, in the middle, in front and of the rest.
fn pattern(number: usize) -> String {
    match number % 4 {
        0 => format!("plant.line_{}.pump_{number}.*", number % 101),
        1 => format!("plant.*.pump_{number}.pressure"),
        2 => format!("*.line_{}.pump_{number}.pressure", number % 101),
        _ => format!("plant.line_{}.pump_{number}.**", number % 101),
    }
}

fn under_pattern(number: usize) -> String {
    format!("plant.line_{}.pump_{number}.pressure", number % 101)
}

pub(crate) fn match_exact(subscriptions: usize, looks: usize) -> Vec<f64> {
    looked(subscriptions, looks, exact, exact)
}

pub(crate) fn match_patterns(subscriptions: usize, looks: usize) -> Vec<f64> {
    looked(subscriptions, looks, pattern, under_pattern)
}

/// Nanoseconds of a look.
fn looked(subscriptions: usize, looks: usize, pattern: fn(usize) -> String, topic: fn(usize) -> String) -> Vec<f64> {
    let mut matcher = Matcher::default();
    for (number, value) in (0..subscriptions).zip(0..) {
        let pattern = Pattern::new(pattern(number)).expect("a pattern");
        matcher.insert(&pattern, value, value);
    }
    let topics = topics(subscriptions, topic);
    let (begun, mut found) = (Instant::now(), 0);
    for topic in topics.iter().cycle().take(looks) {
        matcher.each(black_box(topic), |_| found += 1);
    }
    let nanos = begun.elapsed().as_nanos() as f64;
    assert_eq!(found, looks, "each topic is one subscription's");
    vec![nanos / looks as f64]
}

fn topics(count: usize, topic: fn(usize) -> String) -> Vec<Topic> {
    let shuffled = (0..count).map(|n| n * STRIDE % count);
    shuffled
        .map(|number| Topic::new(topic(number)).expect("a topic"))
        .collect()
}

/// Nanoseconds of a publication on a topic that nobody has published on since somebody came or went.
pub(crate) fn first_publication(subscriptions: usize) -> Vec<f64> {
    on_two_workers(async move {
        let instruments = Instruments::with_tree(&[BUS]).expect("sections that fit together");
        let bus = Bus::new(Config::default(), 1, &instruments).expect("a bus");
        let listen = |number| {
            let pattern = Pattern::new(exact(number)).expect("a pattern");
            bus.listen(Subscribe::new(pattern, "plant/guard"))
                .expect("there is room")
        };
        let listeners: Vec<_> = (0..subscriptions).map(listen).collect();
        let topics = topics(subscriptions, exact);
        let begun = Instant::now();
        for topic in &topics {
            let draft = Draft::new("reading", Payload::bytes([7; 16]));
            let published = bus.publish("plant/pump", topic, draft).expect("it is published");
            assert_eq!(published.matched, 1);
        }
        let nanos = begun.elapsed().as_nanos() as f64;
        drop(listeners);
        vec![nanos / subscriptions as f64]
    })
}
