//! Publications that are on disk before they are acknowledged, of so many publishers, each of which waits for each of its own.

use std::io::{Read, Write};
use std::sync::Arc;
use std::time::Instant;

use tokio::task::JoinSet;
use triarch_benches::runtime::on_two_workers;
use triarch_benches::server::{Nats, Redis};
use triarch_benches::wire::{Frame, Wire, command, greet, publication};
use triarch_bus::metrics::BUS;
use triarch_bus::{Bus, Config, Draft, DurableConfig, Payload, Topic, room_on};
use triarch_journal::RealDisk;
use triarch_journal::metrics::JOURNALS;
use triarch_supervision::metrics::Instruments;
use triarch_supervision::prelude::*;

use crate::cases::{folder, published};
use crate::progress::payload;

const TOPIC: &str = "plant.pump";

pub(crate) fn ours(publishers: usize, each: u64) -> Vec<f64> {
    let folder = folder();
    let disk = Arc::new(RealDisk::at(folder.path()).expect("a folder"));
    let rate = on_two_workers(async move {
        let durable = DurableConfig {
            topics: "plant.**".to_owned(),
            ..DurableConfig::default()
        };
        let config = Config {
            durable: vec![durable],
            ..Config::default()
        };
        let instruments = Instruments::with_tree(&[BUS, JOURNALS]).expect("sections that fit together");
        let bus = Bus::new(config, 1, &instruments).expect("a bus");
        let room = room_on(&bus, disk, triarch_journal::Config::default(), &instruments).expect("a room");
        let tree = Root::new().instruments(instruments).supervisor(room);
        let tree = tree.start().await.expect("a tree");
        publish(&bus, 1, 1).await;
        let begun = Instant::now();
        publish(&bus, publishers, each).await;
        let rate = published(publishers, each, begun);
        let stored: u64 = bus.logs().iter().map(|log| log.next - log.first).sum();
        assert_eq!(stored, publishers as u64 * each + 1);
        tree.stop().await;
        rate
    });
    drop(folder);
    rate
}

async fn publish(bus: &Bus, publishers: usize, each: u64) {
    let mut publishing = JoinSet::new();
    for _ in 0..publishers {
        let bus = bus.clone();
        publishing.spawn(async move {
            let topic = Topic::new(TOPIC).expect("a topic");
            for number in 0..each {
                let draft = Draft::new("reading", Payload::bytes(payload(number, 0)));
                let stored = bus.publish_durably("plant/pump", &topic, draft).await;
                stored.expect("it is on disk");
            }
        });
    }
    let _all = publishing.join_all().await;
}

/// One connection on which so many publications are under way, as a client has it that many publishers share: each answer is
/// followed by the next.
fn under_way<R: Read>(
    publishers: usize,
    each: u64,
    stream: &mut impl Write,
    wire: &mut Wire<R>,
    publication: impl Fn(&mut Vec<u8>, &[u8]),
    mut acknowledged: impl FnMut(&mut Wire<R>),
) -> Vec<f64> {
    let count = publishers as u64 * each;
    let begun = Instant::now();
    let (mut sent, mut answered, mut bytes) = (0, 0, Vec::new());
    while answered < count {
        while sent < count && sent - answered < publishers as u64 {
            publication(&mut bytes, &payload(sent, 0));
            sent += 1;
        }
        if !bytes.is_empty() {
            stream.write_all(&bytes).expect("it listens");
            bytes.clear();
        }
        // All that was answered together is followed by as many together.
        loop {
            acknowledged(wire);
            answered += 1;
            if wire.is_empty() || answered == sent {
                break;
            }
        }
    }
    published(publishers, each, begun)
}

pub(crate) fn redis(publishers: usize, each: u64) -> Vec<f64> {
    let server = Redis::start_on_disk(folder());
    let mut stream = server.connect();
    let mut wire = Wire::new(stream.try_clone().expect("a socket"));
    let add = |bytes: &mut Vec<u8>, payload: &[u8]| command(bytes, &[b"XADD", TOPIC.as_bytes(), b"*", b"d", payload]);
    let mut strings = Vec::new();
    under_way(publishers, each, &mut stream, &mut wire, add, |wire| {
        assert_eq!(wire.answer(&mut strings), Some(1), "an id");
    })
}

pub(crate) fn jetstream(publishers: usize, each: u64) -> Vec<f64> {
    let server = Nats::start_on_disk(folder());
    let mut stream = server.connect();
    let mut wire = Wire::new(stream.try_clone().expect("a socket"));
    greet(&mut wire, &mut stream, &[("answers", 1)]);
    let create = br#"{"name":"plant","subjects":["plant.*"],"storage":"file"}"#;
    let mut bytes = Vec::new();
    publication(&mut bytes, "$JS.API.STREAM.CREATE.plant", "answers", create);
    stream.write_all(&bytes).expect("it listens");
    let mut frame = Frame::default();
    acknowledged(&mut wire, &mut frame);
    let publish = |bytes: &mut Vec<u8>, payload: &[u8]| publication(bytes, TOPIC, "answers", payload);
    under_way(publishers, each, &mut stream, &mut wire, publish, |wire| {
        acknowledged(wire, &mut frame);
    })
}

fn acknowledged<R: Read>(wire: &mut Wire<R>, frame: &mut Frame) {
    wire.frame(frame).expect("it speaks");
    let text = String::from_utf8_lossy(&frame.payload);
    assert!(!text.contains("\"error\""), "the server says {text}");
}
