//! A bare bounded flume channel between tasks, awaited at both ends: no actor.
//!
//! Its best: a receiver that is woken drains the queue under one lock (two to four times as fast as a `recv_async` for each
//! message). A batch is 32 sends, for flume has no call for it.

use std::time::Instant;

use flume::{Receiver, Sender};
use tokio::sync::oneshot;
use triarch_benches::case::{self, Entry};
use triarch_benches::latency::{Latencies, answer_to};
use triarch_benches::load::{CAPACITY, Load, Packet, Tally};
use triarch_benches::runtime::{FarSide, on_one_thread, on_two_workers};

use super::{Tells, tells};

const NAME: &str = "flume";

pub(crate) fn entries() -> Vec<Entry> {
    let more = vec![
        Entry::here(NAME, &case::ASK_LOCAL, |scale| ask_local(scale.asks)),
        Entry::here(NAME, &case::ASK_CROSS, |scale| ask_cross(scale.asks)),
    ];
    [tells::<Flume>(), more].concat()
}

struct Flume;

impl Tells for Flume {
    const NAME: &'static str = NAME;

    fn tell<const WORDS: usize>(load: Load) -> f64 {
        on_two_workers(async move {
            let (tallies, finish) = load.tallies();
            let receivers: Vec<_> = tallies.into_iter().map(receiver::<WORDS>).collect();
            let producers: Vec<_> = (0..load.producers)
                .map(|n| tokio::spawn(produce(receivers[n % load.receivers].clone(), load.per_producer)))
                .collect();
            finish.rate(super::starts(producers).await).await
        })
    }
}

fn receiver<const WORDS: usize>(tally: Tally) -> Sender<Packet<WORDS>> {
    let (sender, receiver) = flume::bounded(CAPACITY);
    tokio::spawn(receive(receiver, tally));
    sender
}

async fn receive<const WORDS: usize>(receiver: Receiver<Packet<WORDS>>, mut tally: Tally) {
    while let Ok(first) = receiver.recv_async().await {
        tally.add(&first);
        for packet in receiver.drain() {
            tally.add(&packet);
        }
    }
}

async fn produce<const WORDS: usize>(receiver: Sender<Packet<WORDS>>, messages: u64) -> Instant {
    let start = Instant::now();
    for n in 0..messages {
        receiver.send_async(Packet::new(n)).await.expect("the receiver lives");
    }
    start
}

struct Question(u64, oneshot::Sender<u64>);

fn answerer() -> Sender<Question> {
    let (sender, receiver) = flume::bounded::<Question>(CAPACITY);
    tokio::spawn(async move {
        while let Ok(Question(n, reply)) = receiver.recv_async().await {
            let _ = reply.send(answer_to(n));
        }
    });
    sender
}

async fn ask(answerer: Sender<Question>, asks: u64) -> Vec<f64> {
    let mut latencies = Latencies::of(asks);
    for n in latencies.questions() {
        let asked = Instant::now();
        let (reply, answer) = oneshot::channel();
        answerer
            .send_async(Question(n, reply))
            .await
            .expect("the answerer lives");
        latencies.answered(n, asked, answer.await.expect("the answerer answers"));
    }
    latencies.p50_p99()
}

fn ask_local(asks: u64) -> Vec<f64> {
    on_one_thread(async move { tokio::spawn(ask(answerer(), asks)).await.expect("the asker ends") })
}

fn ask_cross(asks: u64) -> Vec<f64> {
    let far = FarSide::start();
    let answerer = far.run(async { answerer() });
    on_one_thread(ask(answerer, asks))
}
