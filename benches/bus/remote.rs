//! Peers over a socket: NATS and Redis, each a server of its own on this machine. The publisher is a thread that writes heaps; each
//! subscriber of Redis has a connection and a thread, since a connection can subscribe once; those of NATS share one connection
//! and one thread, as its clients do within a program, and each gets a copy of its own from the server.

use std::io::Write;
use std::os::unix::net::UnixStream;
use std::thread;

use triarch_benches::server::{Nats, Redis};
use triarch_benches::wire::{Frame, Wire, command, greet, publication};

use crate::cases::{Begun, PACE, folder, paced};
use crate::handlers::{Handler, Times, waking};
use crate::progress::{Progress, Woken, payload};

/// So many are written at once.
const HEAP: u64 = 256;
/// And so many are under way.
const WINDOW: u64 = 4_096;

const CHANNEL: &str = "plant.pump";

/// A server with subscribers, and a connection to publish by.
trait Remote {
    fn open(handlers: Vec<Handler>) -> Self;

    /// A publication, to be written.
    fn publication(into: &mut Vec<u8>, payload: &[u8]);

    fn write(&mut self, bytes: &[u8]);
}

pub(crate) struct OverNats {
    publisher: std::net::TcpStream,
    _server: Nats,
}

impl Remote for OverNats {
    fn open(handlers: Vec<Handler>) -> Self {
        let server = Nats::start(folder());
        let mut stream = server.connect();
        let mut wire = Wire::new(stream.try_clone().expect("a socket"));
        let subscriptions: Vec<_> = (1..).take(handlers.len()).map(|number| (CHANNEL, number)).collect();
        greet(&mut wire, &mut stream, &subscriptions);
        thread::spawn(move || hear_nats(wire, &handlers));
        let mut publisher = server.connect();
        greet(
            &mut Wire::new(publisher.try_clone().expect("a socket")),
            &mut publisher,
            &[],
        );
        Self {
            publisher,
            _server: server,
        }
    }

    fn publication(into: &mut Vec<u8>, payload: &[u8]) {
        publication(into, CHANNEL, "", payload);
    }

    fn write(&mut self, bytes: &[u8]) {
        self.publisher.write_all(bytes).expect("it listens");
    }
}

fn hear_nats(mut wire: Wire<std::net::TcpStream>, handlers: &[Handler]) {
    let mut frame = Frame::default();
    while wire.frame(&mut frame).is_some() {
        handlers[frame.subscription - 1](&frame.payload);
    }
}

pub(crate) struct OverRedis {
    publisher: UnixStream,
    _server: Redis,
}

impl Remote for OverRedis {
    fn open(handlers: Vec<Handler>) -> Self {
        let server = Redis::start(folder());
        for handler in handlers {
            let mut stream = server.connect();
            let mut wire = Wire::new(stream.try_clone().expect("a socket"));
            let mut subscribe = Vec::new();
            command(&mut subscribe, &[b"SUBSCRIBE", CHANNEL.as_bytes()]);
            stream.write_all(&subscribe).expect("it listens");
            assert_eq!(wire.answer(&mut Vec::new()), Some(3));
            thread::spawn(move || hear_redis(wire, &handler));
        }
        let publisher = server.connect();
        let wire = Wire::new(publisher.try_clone().expect("a socket"));
        thread::spawn(move || drain(wire));
        Self {
            publisher,
            _server: server,
        }
    }

    fn publication(into: &mut Vec<u8>, payload: &[u8]) {
        command(into, &[b"PUBLISH", CHANNEL.as_bytes(), payload]);
    }

    fn write(&mut self, bytes: &[u8]) {
        self.publisher.write_all(bytes).expect("it listens");
    }
}

/// Word, channel, payload.
fn hear_redis(mut wire: Wire<UnixStream>, handler: &Handler) {
    let mut strings = Vec::new();
    while wire.answer(&mut strings) == Some(3) {
        handler(&strings[2]);
    }
}

/// What is said of each publication: how many got it.
fn drain(mut wire: Wire<UnixStream>) {
    let mut strings = Vec::new();
    while wire.answer(&mut strings).is_some() {}
}

pub(crate) fn fan_out_nats(width: usize, count: u64) -> Vec<f64> {
    fan_out::<OverNats>(width, count)
}

pub(crate) fn fan_out_redis(width: usize, count: u64) -> Vec<f64> {
    fan_out::<OverRedis>(width, count)
}

pub(crate) fn handler_nats(count: u64) -> Vec<f64> {
    handler::<OverNats>(count)
}

pub(crate) fn handler_redis(count: u64) -> Vec<f64> {
    handler::<OverRedis>(count)
}

fn fan_out<R: Remote>(width: usize, count: u64) -> Vec<f64> {
    let (progress, woken) = (Progress::of(width), Woken::here(HEAP));
    let handlers = (0..width).map(|number| waking(&progress, number, woken.clone()));
    let mut remote = R::open(handlers.collect());
    let mut bytes = Vec::new();
    let begun = Begun::now();
    // Whole heaps, since whoever handles the last of one wakes the publisher.
    let count = count.next_multiple_of(HEAP);
    for number in 1..=count {
        R::publication(&mut bytes, &payload(number, 0));
        if number.is_multiple_of(HEAP) {
            remote.write(&bytes);
            bytes.clear();
            progress.reaches_parked((number + HEAP).saturating_sub(WINDOW));
        }
    }
    progress.reaches_parked(count);
    begun.deliveries(width, count)
}

fn handler<R: Remote>(count: u64) -> Vec<f64> {
    let (times, progress) = (Times::of(count), Progress::of(1));
    let mut remote = R::open(vec![times.noting(&progress, count / 10)]);
    let mut bytes = Vec::new();
    for number in 1..=paced(count) {
        bytes.clear();
        R::publication(&mut bytes, &payload(number, times.now()));
        remote.write(&bytes);
        thread::park_timeout(PACE);
    }
    progress.reaches_parked(paced(count));
    times.p50_p95()
}
