//! Queues of servers, over a socket, as queues of tasks: Redis lists, and a stream of `JetStream` with the retention of a work queue.
//!
//! Of Redis a task is taken by `BLMOVE` into a list of what is under way, and done when `LREM` takes it from there: by `BLPOP` alone a
//! worker that dies would lose it. `appendfsync always` answers after a sync, as we do. There is neither a lease nor a fence.
//! Of `JetStream` a task is a message that one pulls and acknowledges, and asks whether that was taken (`+ACK` with an answer).

use std::io::Write;
use std::net::TcpStream;
use std::os::unix::net::UnixStream;
use std::thread;
use std::time::Instant;

use triarch_benches::server::{Nats, Redis};
use triarch_benches::wire::{Frame, Wire, command, greet, publication};

use crate::cases::{RECORD, folder, rate};
use crate::tasks::cycle::Cycles;

const QUEUE: &str = "plant.tasks";
const CONSUMER: &str = "$JS.API.CONSUMER.MSG.NEXT.plant.crew";

/// A party of a queue: who submits, claims and completes so many at once.
trait Party {
    fn live(&mut self, batch: usize);
}

/// Threads that each have a connection of their own.
fn together<P: Party + Send>(cycles: Cycles, connect: impl Fn(usize) -> P) -> Vec<f64> {
    let parties: Vec<P> = (0..cycles.parties).map(connect).collect();
    let begun = Instant::now();
    thread::scope(|scope| {
        for mut party in parties {
            scope.spawn(move || (0..cycles.times).for_each(|_| party.live(cycles.batch)));
        }
    });
    rate(cycles.tasks(), begun)
}

struct OfRedis {
    stream: UnixStream,
    wire: Wire<UnixStream>,
    /// What this party has in hand.
    under_way: String,
    /// A body of its own, since `LREM` goes by the body.
    body: Vec<u8>,
    strings: Vec<Vec<u8>>,
}

impl OfRedis {
    fn connect(server: &Redis, party: usize) -> Self {
        let stream = server.connect();
        let wire = Wire::new(stream.try_clone().expect("a socket"));
        Self {
            stream,
            wire,
            under_way: format!("under_way.{party}"),
            body: RECORD.to_vec(),
            strings: Vec::new(),
        }
    }

    /// Says so many commands at once, and waits for the answer to each.
    fn say(&mut self, batch: usize, words: &[&[u8]]) {
        let mut bytes = Vec::new();
        (0..batch).for_each(|_| command(&mut bytes, words));
        self.stream.write_all(&bytes).expect("it listens");
        for _ in 0..batch {
            assert_eq!(self.wire.answer(&mut self.strings), Some(1));
            assert!(!self.strings[0].is_empty(), "no task where one must be");
        }
    }
}

impl Party for OfRedis {
    fn live(&mut self, batch: usize) {
        let (body, under_way) = (self.body.clone(), self.under_way.clone());
        self.say(batch, &[b"LPUSH", QUEUE.as_bytes(), &body]);
        self.say(
            batch,
            &[
                b"BLMOVE",
                QUEUE.as_bytes(),
                under_way.as_bytes(),
                b"RIGHT",
                b"LEFT",
                b"0",
            ],
        );
        self.say(batch, &[b"LREM", under_way.as_bytes(), b"1", &body]);
        assert_eq!(self.strings[0], b"1", "it was not under way");
    }
}

pub(crate) fn redis(cycles: Cycles) -> Vec<f64> {
    let server = Redis::start_on_disk(folder());
    together(cycles, |party| OfRedis::connect(&server, party))
}

struct OfJetStream {
    stream: TcpStream,
    wire: Wire<TcpStream>,
    /// Where what is for this party comes.
    inbox: String,
    frame: Frame,
}

impl OfJetStream {
    fn connect(server: &Nats, party: usize) -> Self {
        let mut stream = server.connect();
        let mut wire = Wire::new(stream.try_clone().expect("a socket"));
        let inbox = format!("inbox.{party}");
        greet(&mut wire, &mut stream, &[(&inbox, 1)]);
        Self {
            stream,
            wire,
            inbox,
            frame: Frame::default(),
        }
    }

    /// Publishes to each of these and waits for as many answers; gives where each of them is to be answered.
    fn say(&mut self, to: &[String], payload: &[u8], answers: usize) -> Vec<String> {
        let mut bytes = Vec::new();
        for to in to {
            publication(&mut bytes, to, &self.inbox, payload);
        }
        self.stream.write_all(&bytes).expect("it listens");
        (0..answers).map(|_| self.hear()).collect()
    }

    fn hear(&mut self) -> String {
        self.wire.frame(&mut self.frame).expect("it speaks");
        let text = String::from_utf8_lossy(&self.frame.payload);
        assert!(!text.contains("\"error\""), "the server says {text}");
        self.frame.reply.clone()
    }
}

impl Party for OfJetStream {
    fn live(&mut self, batch: usize) {
        self.say(&vec![QUEUE.to_owned(); batch], &RECORD, batch);
        let pull = format!("{{\"batch\":{batch}}}");
        let claimed = self.say(&[CONSUMER.to_owned()], pull.as_bytes(), batch);
        assert!(
            claimed.iter().all(|to| to.starts_with("$JS.ACK")),
            "no task where one must be"
        );
        self.say(&claimed, b"+ACK", batch);
    }
}

pub(crate) fn jetstream(cycles: Cycles) -> Vec<f64> {
    let server = Nats::start_on_disk(folder());
    let mut first = OfJetStream::connect(&server, usize::MAX);
    let stream = br#"{"name":"plant","subjects":["plant.*"],"storage":"file","retention":"workqueue"}"#;
    first.say(&["$JS.API.STREAM.CREATE.plant".to_owned()], stream, 1);
    let consumer =
        br#"{"stream_name":"plant","config":{"durable_name":"crew","ack_policy":"explicit","max_ack_pending":-1}}"#;
    first.say(&["$JS.API.CONSUMER.DURABLE.CREATE.plant.crew".to_owned()], consumer, 1);
    together(cycles, |party| OfJetStream::connect(&server, party))
}
