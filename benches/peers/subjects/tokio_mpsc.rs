//! A bare bounded tokio channel between tasks: no actor, the floor for those built on it.
//!
//! Its best: the receiver takes what is there with `recv_many`, a batch reserves its places at once.

use std::time::Instant;

use tokio::sync::{mpsc, oneshot};
use tokio::time::timeout;
use triarch_benches::case::{self, Entry};
use triarch_benches::latency::{ANSWER_WITHIN, Latencies, answer_to};
use triarch_benches::load::{BATCH, CAPACITY, Load, Packet, Tally};
use triarch_benches::overload::{Interval, Overload, PRODUCERS, Pace};
use triarch_benches::runtime::{FarSide, on_one_thread, on_two_workers};

use super::{Tells, tells};

const NAME: &str = "tokio_mpsc";

/// The most a receiver takes at once.
const TAKE: usize = 128;

pub(crate) fn entries() -> Vec<Entry> {
    let more = vec![
        Entry::here(NAME, &case::ASK_LOCAL, |scale| ask_local(scale.asks)),
        Entry::here(NAME, &case::ASK_WITHIN_LOCAL, |scale| ask_within_local(scale.asks)),
        Entry::here(NAME, &case::ASK_CROSS, |scale| ask_cross(scale.asks)),
        Entry::child(NAME, &[case::OVERLOAD_60S], |scale| overload(Interval::of(scale))),
    ];
    [tells::<TokioMpsc>(), more].concat()
}

struct TokioMpsc;

impl Tells for TokioMpsc {
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

    fn send_many(load: Load) -> f64 {
        send_many(load)
    }
}

fn receiver<const WORDS: usize>(mut tally: Tally) -> mpsc::Sender<Packet<WORDS>> {
    let (sender, mut receiver) = mpsc::channel(CAPACITY);
    tokio::spawn(async move {
        let mut taken = Vec::with_capacity(TAKE);
        while receiver.recv_many(&mut taken, TAKE).await > 0 {
            for packet in taken.drain(..) {
                tally.add(&packet);
            }
        }
    });
    sender
}

async fn produce<const WORDS: usize>(receiver: mpsc::Sender<Packet<WORDS>>, messages: u64) -> Instant {
    let start = Instant::now();
    for n in 0..messages {
        receiver.send(Packet::new(n)).await.expect("the receiver lives");
    }
    start
}

fn send_many(load: Load) -> f64 {
    on_two_workers(async move {
        let (tallies, finish) = load.tallies();
        let receiver = tallies.into_iter().map(receiver::<2>).next().expect("one receiver");
        let producer = tokio::spawn(async move {
            let start = Instant::now();
            let mut numbers = 0..load.per_producer;
            while !numbers.is_empty() {
                let batch = numbers.clone().take(BATCH).count();
                let places = receiver.reserve_many(batch).await.expect("the receiver lives");
                for (place, n) in places.zip(&mut numbers) {
                    place.send(Packet::new(n));
                }
            }
            start
        });
        finish.rate(super::starts(vec![producer]).await).await
    })
}

struct Question(u64, oneshot::Sender<u64>);

fn answerer() -> mpsc::Sender<Question> {
    let (sender, mut receiver) = mpsc::channel::<Question>(CAPACITY);
    tokio::spawn(async move {
        while let Some(Question(n, reply)) = receiver.recv().await {
            let _ = reply.send(answer_to(n));
        }
    });
    sender
}

async fn ask(answerer: mpsc::Sender<Question>, asks: u64) -> Vec<f64> {
    let mut latencies = Latencies::of(asks);
    for n in latencies.questions() {
        let asked = Instant::now();
        let (reply, answer) = oneshot::channel();
        answerer.send(Question(n, reply)).await.expect("the answerer lives");
        latencies.answered(n, asked, answer.await.expect("the answerer answers"));
    }
    latencies.p50_p99()
}

async fn ask_within(answerer: mpsc::Sender<Question>, asks: u64) -> Vec<f64> {
    let mut latencies = Latencies::of(asks);
    for n in latencies.questions() {
        let asked = Instant::now();
        let (reply, answer) = oneshot::channel();
        let asking = async {
            answerer.send(Question(n, reply)).await.expect("the answerer lives");
            answer.await.expect("the answerer answers")
        };
        let answer = timeout(ANSWER_WITHIN, asking)
            .await
            .expect("an answer takes no seconds");
        latencies.answered(n, asked, answer);
    }
    latencies.p50_p99()
}

fn ask_within_local(asks: u64) -> Vec<f64> {
    on_one_thread(async move {
        tokio::spawn(ask_within(answerer(), asks))
            .await
            .expect("the asker ends")
    })
}

fn ask_local(asks: u64) -> Vec<f64> {
    on_one_thread(async move { tokio::spawn(ask(answerer(), asks)).await.expect("the asker ends") })
}

fn ask_cross(asks: u64) -> Vec<f64> {
    let far = FarSide::start();
    let answerer = far.run(async { answerer() });
    on_one_thread(ask(answerer, asks))
}

fn overload(interval: Interval) -> Vec<f64> {
    on_two_workers(async move {
        let overload = Overload::begin();
        let (sender, mut receiver) = mpsc::channel(CAPACITY);
        let receiving = tokio::spawn(async move {
            let mut taken: Vec<Packet<2>> = Vec::with_capacity(TAKE);
            while receiver.recv_many(&mut taken, TAKE).await > 0 {
                taken.drain(..).for_each(|_| overload.handle());
            }
        });
        let producers: Vec<_> = (0..PRODUCERS)
            .map(|_| tokio::spawn(offer(sender.clone(), overload.pace())))
            .collect();
        drop(sender);
        let growth = overload.growth(interval).await;
        let mut offered = 0;
        for producer in producers {
            offered += producer.await.expect("a producer ends");
        }
        receiving.await.expect("the receiver handles all");
        overload.check(offered, 0);
        vec![growth]
    })
}

async fn offer(receiver: mpsc::Sender<Packet<2>>, mut pace: Pace) -> u64 {
    while pace.is_due().await {
        receiver
            .send(Packet::new(pace.offered()))
            .await
            .expect("the receiver lives");
    }
    pace.offered()
}
