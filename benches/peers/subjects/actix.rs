//! actix 0.13: single-threaded contexts on arbiters, two of them where tokio's subjects have two workers.
//!
//! Its best: `do_send` (which ignores the mailbox's bound) and producers that yield; a receiver and its producers on one
//! arbiter, since handing over between arbiters costs it more than the second core gives. A batch is 32 `do_send`s.
//! Its `Supervisor` restarts what called `ctx.stop()`, in place and keeping state; a panic ends the agent for good, so there
//! is no restart after a panic. It stops a supervised agent when the last address is dropped.

use std::time::Instant;

use actix::{Actor, ActorContext as _, Addr, Arbiter, Context, Handler, Message, Supervised, Supervisor, System};
use tokio::sync::{mpsc, oneshot};
use tokio::task::yield_now;
use triarch_benches::Scale;
use triarch_benches::case::{self, Entry};
use triarch_benches::latency::{Latencies, answer_to};
use triarch_benches::load::{Load, Packet, Tally};
use triarch_benches::machine::{resident_bytes, resident_per_agent};
use triarch_benches::restart::{Outage, p50_p99_micros};
use triarch_benches::runtime::WORKERS;

use super::{Counts, Tells, YIELD_EVERY, tells};

const NAME: &str = "actix";

pub(crate) fn entries() -> Vec<Entry> {
    let more = vec![
        Entry::here(NAME, &case::ASK_LOCAL, |scale| ask_local(scale.asks)),
        Entry::here(NAME, &case::ASK_CROSS, |scale| ask_cross(scale.asks)),
        Entry::child(NAME, &case::FLEET, |scale| fleet(scale.fleet)),
        Entry::here(NAME, &case::RESTART_ERROR_10, |scale| restart(10, scale)),
        Entry::here(NAME, &case::RESTART_ERROR_1000, |scale| restart(1_000, scale)),
        Entry::here(NAME, &case::RESTART_ERROR_10000, |scale| restart(10_000, scale)),
        Entry::child(NAME, &case::MILLION, |scale| million(scale.million)),
    ];
    [tells::<Actix>(), more].concat()
}

/// Arbiters that are stopped and joined at the end of a case.
struct Arbiters(Vec<Arbiter>);

impl Arbiters {
    fn start(count: usize) -> Self {
        Self((0..count).map(|_| Arbiter::new()).collect())
    }

    fn stop(self) {
        for arbiter in self.0 {
            arbiter.stop();
            arbiter.join().expect("an arbiter ends without a panic");
        }
    }
}

struct Receiver(Tally);

impl Actor for Receiver {
    type Context = Context<Self>;
}

struct Parcel<const WORDS: usize>(Packet<WORDS>);

impl<const WORDS: usize> Message for Parcel<WORDS> {
    type Result = ();
}

impl<const WORDS: usize> Handler<Parcel<WORDS>> for Receiver {
    type Result = ();

    fn handle(&mut self, parcel: Parcel<WORDS>, _: &mut Context<Self>) {
        self.0.add(&parcel.0);
    }
}

struct Actix;

impl Tells for Actix {
    const NAME: &'static str = NAME;

    fn tell<const WORDS: usize>(load: Load) -> f64 {
        System::new().block_on(async move {
            let arbiters = Arbiters::start(WORKERS);
            let arbiter_of = |n: usize| &arbiters.0[n % load.receivers % WORKERS];
            let (tallies, finish) = load.tallies();
            let receivers: Vec<_> = (0..)
                .zip(tallies)
                .map(|(n, tally)| Receiver::start_in_arbiter(&arbiter_of(n).handle(), move |_| Receiver(tally)))
                .collect();
            let (started, mut starts) = mpsc::unbounded_channel();
            for n in 0..load.producers {
                let (receiver, started) = (receivers[n % load.receivers].clone(), started.clone());
                arbiter_of(n).spawn(async move {
                    let _ = started.send(produce::<WORDS>(receiver, load.per_producer).await);
                });
            }
            drop(started);
            let mut all = Vec::with_capacity(load.producers);
            while let Some(start) = starts.recv().await {
                all.push(start);
            }
            let rate = finish.rate(all).await;
            arbiters.stop();
            rate
        })
    }
}

async fn produce<const WORDS: usize>(receiver: Addr<Receiver>, messages: u64) -> Instant {
    let start = Instant::now();
    for n in 0..messages {
        receiver.do_send(Parcel(Packet::<WORDS>::new(n)));
        if n % YIELD_EVERY == YIELD_EVERY - 1 {
            yield_now().await;
        }
    }
    start
}

struct Question(u64);

impl Message for Question {
    type Result = u64;
}

struct Answerer;

impl Actor for Answerer {
    type Context = Context<Self>;
}

impl Handler<Question> for Answerer {
    type Result = u64;

    fn handle(&mut self, question: Question, _: &mut Context<Self>) -> u64 {
        answer_to(question.0)
    }
}

async fn ask(answerer: Addr<Answerer>, asks: u64) -> Vec<f64> {
    let mut latencies = Latencies::of(asks);
    for n in latencies.questions() {
        let asked = Instant::now();
        let answer = answerer.send(Question(n)).await.expect("the answerer answers");
        latencies.answered(n, asked, answer);
    }
    latencies.p50_p99()
}

fn ask_local(asks: u64) -> Vec<f64> {
    System::new().block_on(async move {
        let asker = tokio::task::spawn_local(ask(Answerer.start(), asks));
        asker.await.expect("the asker ends")
    })
}

fn ask_cross(asks: u64) -> Vec<f64> {
    System::new().block_on(async move {
        let arbiters = Arbiters::start(1);
        let answerer = Answerer::start_in_arbiter(&arbiters.0[0].handle(), |_| Answerer);
        let figures = ask(answerer, asks).await;
        arbiters.stop();
        figures
    })
}

/// An agent of a fleet: counts its start, each message and its stop.
struct Idle(Counts);

impl Actor for Idle {
    type Context = Context<Self>;

    fn started(&mut self, _: &mut Context<Self>) {
        self.0.started.hit();
    }

    fn stopped(&mut self, _: &mut Context<Self>) {
        self.0.ended.hit();
    }
}

impl Supervised for Idle {}

struct Hello;

impl Message for Hello {
    type Result = ();
}

impl Handler<Hello> for Idle {
    type Result = ();

    fn handle(&mut self, _: Hello, _: &mut Context<Self>) {
        self.0.handled.hit();
    }
}

/// Starts an equal share of the agents on each arbiter; the addresses are what keeps them alive.
async fn idle_agents(arbiters: &Arbiters, agents: usize, counts: Counts) -> Vec<Addr<Idle>> {
    let mut shares = Vec::new();
    for arbiter in &arbiters.0 {
        let share = agents / arbiters.0.len();
        let (spawned, addresses) = oneshot::channel();
        arbiter.spawn_fn(move || {
            let started: Vec<_> = (0..share).map(|_| Supervisor::start(move |_| Idle(counts))).collect();
            let _ = spawned.send(started);
        });
        shares.push(addresses);
    }
    let mut addresses = Vec::with_capacity(agents);
    for share in shares {
        addresses.append(&mut share.await.expect("the arbiter spawns its share"));
    }
    addresses
}

fn fleet(agents: usize) -> Vec<f64> {
    System::new().block_on(async move {
        let (counts, arbiters) = (Counts::of(agents), Arbiters::start(WORKERS));
        let before = resident_bytes();
        let spawning = Instant::now();
        let addresses = idle_agents(&arbiters, agents, counts).await;
        counts.started.zero().await;
        let spawned = spawning.elapsed().as_secs_f64();
        tokio::time::sleep(super::SETTLE).await;
        let resident = resident_per_agent(before, agents);
        let stopping = Instant::now();
        drop(addresses);
        counts.ended.zero().await;
        let stopped = stopping.elapsed().as_secs_f64();
        arbiters.stop();
        vec![spawned, resident, stopped]
    })
}

fn million(agents: usize) -> Vec<f64> {
    System::new().block_on(async move {
        let (counts, arbiters) = (Counts::of(agents), Arbiters::start(WORKERS));
        let before = resident_bytes();
        let spawning = Instant::now();
        let addresses = idle_agents(&arbiters, agents, counts).await;
        for address in &addresses {
            address.do_send(Hello);
        }
        counts.handled.zero().await;
        let figures = vec![spawning.elapsed().as_secs_f64(), resident_per_agent(before, agents)];
        drop(addresses);
        counts.ended.zero().await;
        arbiters.stop();
        figures
    })
}

enum Order {
    Fail,
    Work,
}

impl Message for Order {
    type Result = ();
}

struct Worker(&'static Outage);

impl Actor for Worker {
    type Context = Context<Self>;
}

impl Supervised for Worker {}

impl Handler<Order> for Worker {
    type Result = ();

    fn handle(&mut self, order: Order, context: &mut Context<Self>) {
        match order {
            Order::Work => self.0.end(),
            Order::Fail => {
                self.0.begin();
                context.stop();
            }
        }
    }
}

fn restart(siblings: usize, scale: &Scale) -> Vec<f64> {
    let restarts = scale.restarts;
    System::new().block_on(async move {
        let (outage, mut ends) = Outage::new();
        let _siblings: Vec<_> = (0..siblings).map(|_| Supervisor::start(|_| Worker(outage))).collect();
        let victim = Supervisor::start(|_| Worker(outage));
        p50_p99_micros(restarts, &mut ends, || {
            victim.do_send(Order::Fail);
            victim.do_send(Order::Work);
        })
        .await
    })
}
