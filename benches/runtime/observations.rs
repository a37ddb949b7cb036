//! What counting costs in memory while nobody scrapes.
//!
//! In a fresh process with the room `telemetry`, as the runtime has it: half of the observations are counts, half are times in a
//! histogram, from two threads. Only our own instruments are meant: what other libraries count goes another way, which keeps each
//! sample until somebody drains it.

use std::sync::Arc;
use std::time::Duration;

use triarch_benches::runtime::on_two_workers;
use triarch_benches::{Scale, machine};
use triarch_supervision::metrics::families::{AGENT, MAILBOX, SUPERVISION};
use triarch_supervision::metrics::{Buckets, Catalogue, Counter, Family, Histogram, Instruments, Section};
use triarch_supervision::prelude::*;
use triarch_telemetry::{Config, Exposition, Health, Output, metrics, room};

const COUNTED: Family = Family::counter("triarch_bench_counted_total", &[], "What was counted.");
const TIMED: Family = Family::histogram("triarch_bench_timed_seconds", Buckets::LAT, &[], "What was timed.");
const BENCH: Section = Section {
    title: "Bench",
    families: &[COUNTED, TIMED],
};

const OBSERVATIONS: u64 = 50_000_000;
const HANDS: u64 = 2;

/// How much resident memory grows, in bytes.
pub(crate) fn growth(scale: &Scale) -> Vec<f64> {
    let share = if scale.is_quick { 10 } else { 1 };
    let observations = OBSERVATIONS / share;
    vec![on_two_workers(async move {
        let sections: Vec<Section> = [SUPERVISION, MAILBOX, AGENT, BENCH]
            .into_iter()
            .chain(metrics::SECTIONS)
            .collect();
        let instruments = Instruments::new(Catalogue::new(&sections).expect("sections that fit together"));
        let exposition = Exposition::new(instruments.clone(), Health::new(&["telemetry"]), "0").expect("an exposition");
        let telemetry = room(Config::default(), Output::to(std::io::sink()), None, &exposition).expect("a room");
        let root = Root::new().instruments(instruments.clone()).supervisor(telemetry);
        let tree = root.start().await.expect("a tree");
        // One page before, so that what a page needs is not counted, and a tenth of the work.
        exposition.page(&tree.observer(), str::len).await;
        observe(&instruments, observations / 10).await;
        let before = machine::resident_bytes();
        observe(&instruments, observations).await;
        let grown = machine::resident_bytes().saturating_sub(before);
        let page = exposition.page(&tree.observer(), str::to_owned).await;
        let all = observations + observations / 10;
        for line in [
            format!("triarch_bench_counted_total {}\n", all / 2),
            format!("triarch_bench_timed_seconds_count {}\n", all / 2),
        ] {
            assert!(page.contains(&line), "the page does not say {line}");
        }
        tree.stop().await;
        grown as f64
    })]
}

async fn observe(instruments: &Instruments, observations: u64) {
    let counter: Arc<Counter> = instruments.single(&COUNTED).expect("a counter");
    let histogram: Arc<Histogram> = instruments.single(&TIMED).expect("a histogram");
    let of_each = observations / HANDS / 2;
    let work = |hand: u64| {
        let (counter, histogram) = (Arc::clone(&counter), Arc::clone(&histogram));
        move || {
            for number in 0..of_each {
                counter.increment();
                histogram.observe(Duration::from_nanos(1 << ((number + hand) % 32)));
            }
        }
    };
    let hands: Vec<_> = (0..HANDS).map(|hand| tokio::task::spawn_blocking(work(hand))).collect();
    for hand in hands {
        hand.await.expect("it observes to the end");
    }
}
