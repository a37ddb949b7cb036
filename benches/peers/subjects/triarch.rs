//! Triarch itself, with everything on: bounded mailboxes, deadlines, supervision, dead letters, figures.

mod metrics;
mod overload;
mod queued;
mod storm;

use std::time::Instant;

use tokio::task::JoinHandle;
use triarch_benches::case::{self, Entry};
use triarch_benches::latency::{ANSWER_WITHIN, Latencies, answer_to};
use triarch_benches::load::{BATCH, CAPACITY, Load, Packet, Tally};
use triarch_benches::machine::{resident_bytes, resident_per_agent};
use triarch_benches::restart::{self, Outage, p50_p99_micros};
use triarch_benches::runtime::{FarSide, on_one_thread, on_two_workers};
use triarch_benches::{Countdown, Scale};
use triarch_supervision::prelude::*;

use super::{Tells, tells};

const NAME: &str = "triarch";

pub(crate) fn entries() -> Vec<Entry> {
    [
        tells::<Triarch>(),
        own_entries(),
        metrics::entries(),
        overload::entries(),
        queued::entries(),
        storm::entries(),
    ]
    .concat()
}

fn own_entries() -> Vec<Entry> {
    vec![
        Entry::here(NAME, &[case::SEND_MANY_32_EACH], |scale| {
            vec![send_many::<Receiver<2, true>>(Load::new(1, 1, scale))]
        }),
        Entry::here(NAME, &case::ASK_LOCAL, |scale| ask_local(scale.asks)),
        Entry::here(NAME, &case::ASK_WITHIN_LOCAL, |scale| ask_within_local(scale.asks)),
        Entry::here(NAME, &case::ASK_CROSS, |scale| ask_cross(scale.asks)),
        Entry::child(NAME, &case::FLEET, |scale| fleet(scale.fleet)),
        Entry::here(NAME, &case::RESTART_ERROR_10, |scale| {
            outages(10, restart::Failure::Error, scale)
        }),
        Entry::here(NAME, &case::RESTART_ERROR_1000, |scale| {
            outages(1_000, restart::Failure::Error, scale)
        }),
        Entry::here(NAME, &case::RESTART_ERROR_10000, |scale| {
            outages(10_000, restart::Failure::Error, scale)
        }),
        Entry::here(NAME, &case::RESTART_10, |scale| {
            outages(10, restart::Failure::Panic, scale)
        }),
        Entry::here(NAME, &case::RESTART_1000, |scale| {
            outages(1_000, restart::Failure::Panic, scale)
        }),
        Entry::here(NAME, &case::RESTART_10000, |scale| {
            outages(10_000, restart::Failure::Panic, scale)
        }),
        Entry::child(NAME, &case::MILLION, |scale| million(scale.million)),
    ]
}

struct Parcel<const WORDS: usize, const TIMED: bool = true>(Packet<WORDS>);

impl<const WORDS: usize, const TIMED: bool> Message for Parcel<WORDS, TIMED> {
    const TIMED: bool = TIMED;
}

struct Receiver<const WORDS: usize, const TIMED: bool>(Tally);

/// A tally is handed over once; a receiver that had to restart has failed the measurement.
type Handed = std::sync::Arc<std::sync::Mutex<Option<Tally>>>;

impl<const WORDS: usize, const TIMED: bool> Agent for Receiver<WORDS, TIMED> {
    type Message = Parcel<WORDS, TIMED>;
    type Spec = Handed;

    async fn start(tally: Handed, _: &mut Context<Self>) -> Result<Self, Failure> {
        Ok(Self(handed(&tally)))
    }

    async fn handle(&mut self, parcel: Self::Message, _: &mut Context<Self>) -> Result<(), Failure> {
        self.0.add(&parcel.0);
        Ok(())
    }
}

fn handed(tally: &Handed) -> Tally {
    let tally = tally.lock().expect("nobody panics with it").take();
    tally.expect("a receiver lives once")
}

/// A receiver that takes what came together at once.
struct Together(Tally);

impl Agent for Together {
    type Message = Parcel<2>;
    type Spec = Handed;

    async fn start(tally: Handed, _: &mut Context<Self>) -> Result<Self, Failure> {
        Ok(Self(handed(&tally)))
    }

    async fn handle(&mut self, parcel: Self::Message, ctx: &mut Context<Self>) -> Result<(), Failure> {
        let mut next = Some(parcel);
        while let Some(parcel) = next {
            self.0.add(&parcel.0);
            next = ctx.next_of_batch();
        }
        Ok(())
    }
}

async fn receivers<A: Agent<Spec = Handed>>(tallies: Vec<Tally>) -> (Tree, Vec<Address<A::Message>>) {
    let child = |(n, tally)| {
        let handed = Handed::new(std::sync::Mutex::new(Some(tally)));
        Child::of::<A>(format!("receiver-{n}"), handed).capacity(CAPACITY)
    };
    let children: Vec<_> = tallies.into_iter().enumerate().map(child).collect();
    let addresses = children.iter().map(Child::address).collect();
    (tree(Supervisor::named("team").children(children)).await, addresses)
}

async fn tree(supervisor: Supervisor) -> Tree {
    Root::new().supervisor(supervisor).start().await.expect("it starts")
}

struct Triarch;

impl Tells for Triarch {
    const NAME: &'static str = NAME;

    fn tell<const WORDS: usize>(load: Load) -> f64 {
        tell_timed::<WORDS, true>(load)
    }

    fn send_many(load: Load) -> f64 {
        send_many::<Together>(load)
    }
}

fn tell_timed<const WORDS: usize, const TIMED: bool>(load: Load) -> f64 {
    load_with::<Receiver<WORDS, TIMED>>(load, |receiver, messages| tokio::spawn(produce(receiver, messages)))
}

fn send_many<A: Agent<Spec = Handed, Message = Parcel<2>>>(load: Load) -> f64 {
    load_with::<A>(load, |receiver, messages| {
        tokio::spawn(produce_batches(receiver, messages))
    })
}

fn load_with<A: Agent<Spec = Handed>>(
    load: Load,
    produce: impl Fn(Address<A::Message>, u64) -> JoinHandle<Instant> + Send + 'static,
) -> f64 {
    on_two_workers(async move {
        let (tallies, finish) = load.tallies();
        let (tree, receivers) = receivers::<A>(tallies).await;
        let producers: Vec<_> = (0..load.producers)
            .map(|n| produce(receivers[n % load.receivers].clone(), load.per_producer))
            .collect();
        let rate = finish.rate(super::starts(producers).await).await;
        tree.stop().await;
        rate
    })
}

async fn produce<const WORDS: usize, const TIMED: bool>(
    receiver: Address<Parcel<WORDS, TIMED>>,
    messages: u64,
) -> Instant {
    let start = Instant::now();
    for n in 0..messages {
        receiver.send(Parcel(Packet::new(n))).await.expect("the receiver lives");
    }
    start
}

async fn produce_batches<const WORDS: usize>(receiver: Address<Parcel<WORDS>>, messages: u64) -> Instant {
    let start = Instant::now();
    let mut n = 0;
    while n < messages {
        let end = (n + BATCH as u64).min(messages);
        let batch = (n..end).map(|n| Parcel(Packet::new(n))).collect();
        receiver.send_many(batch).await.expect("the receiver lives");
        n = end;
    }
    start
}

struct Question(u64, Reply<u64>);

impl Message for Question {}

struct Answerer;

impl Agent for Answerer {
    type Message = Question;
    type Spec = ();

    async fn start((): (), _: &mut Context<Self>) -> Result<Self, Failure> {
        Ok(Self)
    }

    async fn handle(&mut self, question: Question, _: &mut Context<Self>) -> Result<(), Failure> {
        question.1.send(answer_to(question.0));
        Ok(())
    }
}

async fn answerer() -> (Tree, Address<Question>) {
    let child = Child::of::<Answerer>("answerer", ());
    let address = child.address();
    (tree(Supervisor::named("team").child(child)).await, address)
}

async fn ask<F>(asks: u64, ask: impl Fn(u64) -> F) -> Vec<f64>
where
    F: Future<Output = Result<u64, AskError>>,
{
    let mut latencies = Latencies::of(asks);
    for n in latencies.questions() {
        let asked = Instant::now();
        match ask(n).await {
            Ok(answer) => latencies.answered(n, asked, answer),
            Err(error) => panic!("question {n}: {error}"),
        }
    }
    latencies.p50_p99()
}

async fn ask_without_limit(answerer: Address<Question>, asks: u64) -> Vec<f64> {
    ask(asks, |n| answerer.ask(move |reply| Question(n, reply))).await
}

async fn ask_within(answerer: Address<Question>, asks: u64) -> Vec<f64> {
    ask(asks, |n| {
        answerer.ask_within(ANSWER_WITHIN, move |reply| Question(n, reply))
    })
    .await
}

fn ask_local(asks: u64) -> Vec<f64> {
    locally(move |address| ask_without_limit(address, asks))
}

fn ask_within_local(asks: u64) -> Vec<f64> {
    locally(move |address| ask_within(address, asks))
}

fn locally<F>(asker: impl FnOnce(Address<Question>) -> F + Send + 'static) -> Vec<f64>
where
    F: Future<Output = Vec<f64>> + Send + 'static,
{
    on_one_thread(async move {
        let (tree, address) = answerer().await;
        let latencies = tokio::spawn(asker(address)).await.expect("the asker ends");
        tree.stop().await;
        latencies
    })
}

fn ask_cross(asks: u64) -> Vec<f64> {
    let far = FarSide::start();
    let (tree, address) = far.run(answerer());
    let latencies = on_one_thread(ask_without_limit(address, asks));
    far.run(async move { tree.stop().await });
    latencies
}

#[derive(Clone, Copy)]
struct Counts {
    started: &'static Countdown,
    handled: &'static Countdown,
}

impl Counts {
    fn of(agents: usize) -> Self {
        Self {
            started: Countdown::of(agents),
            handled: Countdown::of(agents),
        }
    }
}

struct Hello;

impl Message for Hello {}

struct Idle(&'static Countdown);

impl Agent for Idle {
    type Message = Hello;
    type Spec = Counts;

    async fn start(counts: Counts, _: &mut Context<Self>) -> Result<Self, Failure> {
        counts.started.hit();
        Ok(Self(counts.handled))
    }

    async fn handle(&mut self, _: Hello, _: &mut Context<Self>) -> Result<(), Failure> {
        self.0.hit();
        Ok(())
    }
}

fn idlers(agents: usize, counts: Counts) -> Vec<Child<Idle>> {
    (0..agents)
        .map(|n| Child::of::<Idle>(format!("idle-{n}"), counts))
        .collect()
}

fn fleet(agents: usize) -> Vec<f64> {
    on_two_workers(async move {
        let counts = Counts::of(agents);
        let before = resident_bytes();
        let spawning = Instant::now();
        let tree = tree(
            Supervisor::dynamic("fleet")
                .parallel_start()
                .children(idlers(agents, counts)),
        )
        .await;
        counts.started.zero().await;
        let spawned = spawning.elapsed().as_secs_f64();
        tokio::time::sleep(super::SETTLE).await;
        let resident = resident_per_agent(before, agents);
        let stopping = Instant::now();
        let end = tree.stop().await;
        assert!(end.is_orderly(), "{end:?}");
        vec![spawned, resident, stopping.elapsed().as_secs_f64()]
    })
}

fn million(agents: usize) -> Vec<f64> {
    on_two_workers(async move {
        let counts = Counts::of(agents);
        let before = resident_bytes();
        let spawning = Instant::now();
        let children = idlers(agents, counts);
        for child in &children {
            child.address().try_send(Hello).expect("there is room");
        }
        let _tree = tree(Supervisor::dynamic("fleet").parallel_start().children(children)).await;
        counts.handled.zero().await;
        vec![spawning.elapsed().as_secs_f64(), resident_per_agent(before, agents)]
    })
}

enum Order {
    Fail(restart::Failure),
    Work,
}

impl Message for Order {}

struct Worker(&'static Outage);

impl Agent for Worker {
    type Message = Order;
    type Spec = &'static Outage;

    async fn start(outage: &'static Outage, _: &mut Context<Self>) -> Result<Self, Failure> {
        Ok(Self(outage))
    }

    async fn handle(&mut self, order: Order, _: &mut Context<Self>) -> Result<(), Failure> {
        match order {
            Order::Work => {
                self.0.end();
                Ok(())
            }
            Order::Fail(restart::Failure::Error) => {
                self.0.begin();
                Err(Failure::new("ordered to fail"))
            }
            Order::Fail(restart::Failure::Panic) => {
                self.0.begin();
                panic!("ordered to panic")
            }
        }
    }
}

fn outages(siblings: usize, failure: restart::Failure, scale: &Scale) -> Vec<f64> {
    let restarts = scale.restarts;
    on_one_thread(async move {
        let (outage, mut ends) = Outage::new();
        let children: Vec<_> = (0..=siblings)
            .map(|n| Child::of::<Worker>(format!("worker-{n}"), outage))
            .collect();
        let victim = children[0].address();
        let allowed = Intensity::new(u32::MAX, std::time::Duration::from_secs(1));
        let tree = tree(
            Supervisor::named("team")
                .intensity(allowed)
                .parallel_start()
                .children(children),
        )
        .await;
        let figures = p50_p99_micros(restarts, &mut ends, || {
            victim.try_send(Order::Fail(failure)).expect("there is room");
            victim.try_send(Order::Work).expect("there is room");
        })
        .await;
        tree.stop().await;
        figures
    })
}
