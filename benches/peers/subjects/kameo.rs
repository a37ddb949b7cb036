//! kameo 0.22 without its `tracing`, once with bounded mailboxes and once with unbounded ones.
//!
//! Its best: `send` awaited directly (`.await` on the request boxes a future), `try_send` and producers that yield where
//! the mailbox is unbounded. A batch is 32 tells. Its supervisor restarts at the same address with the same mailbox, so the
//! message for the replacement is already queued behind the one that makes the agent fail.

use std::time::{Duration, Instant};

use kameo::Actor;
use kameo::actor::{ActorRef, Spawn, WeakActorRef};
use kameo::error::{ActorStopReason, Infallible};
use kameo::mailbox::{self, MailboxReceiver, MailboxSender};
use kameo::message::{Context, Message};
use tokio::task::yield_now;
use triarch_benches::Scale;
use triarch_benches::case::{self, Entry};
use triarch_benches::latency::{Latencies, answer_to};
use triarch_benches::load::{CAPACITY, Load, Packet, Tally};
use triarch_benches::machine::{resident_bytes, resident_per_agent};
use triarch_benches::restart::{Failure, Outage, QuietPanics, p50_p99_micros};
use triarch_benches::runtime::{FarSide, on_one_thread, on_two_workers};

use super::{Counts, Tells, YIELD_EVERY, tells};

pub(crate) fn entries() -> Vec<Entry> {
    [
        tells::<Kameo<true>>(),
        entries_of::<true>(),
        tells::<Kameo<false>>(),
        entries_of::<false>(),
    ]
    .concat()
}

fn entries_of<const BOUNDED: bool>() -> Vec<Entry> {
    let name = Kameo::<BOUNDED>::NAME;
    vec![
        Entry::here(name, &case::ASK_LOCAL, |scale| ask_local::<BOUNDED>(scale.asks)),
        Entry::here(name, &case::ASK_CROSS, |scale| ask_cross::<BOUNDED>(scale.asks)),
        Entry::child(name, &case::FLEET, |scale| fleet::<BOUNDED>(scale.fleet)),
        Entry::here(name, &case::RESTART_ERROR_10, |scale| {
            restart::<BOUNDED>(10, Failure::Error, scale)
        }),
        Entry::here(name, &case::RESTART_ERROR_1000, |scale| {
            restart::<BOUNDED>(1_000, Failure::Error, scale)
        }),
        Entry::here(name, &case::RESTART_ERROR_10000, |scale| {
            restart::<BOUNDED>(10_000, Failure::Error, scale)
        }),
        Entry::here(name, &case::RESTART_10, |scale| {
            restart::<BOUNDED>(10, Failure::Panic, scale)
        }),
        Entry::here(name, &case::RESTART_1000, |scale| {
            restart::<BOUNDED>(1_000, Failure::Panic, scale)
        }),
        Entry::here(name, &case::RESTART_10000, |scale| {
            restart::<BOUNDED>(10_000, Failure::Panic, scale)
        }),
        Entry::child(name, &case::MILLION, |scale| million::<BOUNDED>(scale.million)),
    ]
}

fn mailbox<A: Actor>(is_bounded: bool) -> (MailboxSender<A>, MailboxReceiver<A>) {
    if is_bounded {
        mailbox::bounded(CAPACITY)
    } else {
        mailbox::unbounded()
    }
}

struct Receiver(Tally);

impl Actor for Receiver {
    type Args = Tally;
    type Error = Infallible;

    async fn on_start(tally: Tally, _: ActorRef<Self>) -> Result<Self, Infallible> {
        Ok(Self(tally))
    }
}

impl<const WORDS: usize> Message<Packet<WORDS>> for Receiver {
    type Reply = ();

    async fn handle(&mut self, packet: Packet<WORDS>, _: &mut Context<Self, ()>) {
        self.0.add(&packet);
    }
}

struct Kameo<const BOUNDED: bool>;

impl<const BOUNDED: bool> Tells for Kameo<BOUNDED> {
    const NAME: &'static str = if BOUNDED { "kameo_bounded" } else { "kameo_unbounded" };

    fn tell<const WORDS: usize>(load: Load) -> f64 {
        on_two_workers(async move {
            let (tallies, finish) = load.tallies();
            let mut receivers = Vec::new();
            for tally in tallies {
                let receiver = Receiver::spawn_with_mailbox(tally, mailbox(BOUNDED));
                receiver.wait_for_startup().await;
                receivers.push(receiver);
            }
            let producers: Vec<_> = (0..load.producers)
                .map(|n| {
                    tokio::spawn(produce::<BOUNDED, WORDS>(
                        receivers[n % load.receivers].clone(),
                        load.per_producer,
                    ))
                })
                .collect();
            finish.rate(super::starts(producers).await).await
        })
    }
}

async fn produce<const BOUNDED: bool, const WORDS: usize>(receiver: ActorRef<Receiver>, messages: u64) -> Instant {
    let start = Instant::now();
    for n in 0..messages {
        let packet = receiver.tell(Packet::<WORDS>::new(n));
        if BOUNDED {
            packet.send().await.expect("the receiver lives");
            continue;
        }
        packet.try_send().expect("the receiver lives");
        if n % YIELD_EVERY == YIELD_EVERY - 1 {
            yield_now().await;
        }
    }
    start
}

struct Question(u64);

struct Answerer;

impl Actor for Answerer {
    type Args = ();
    type Error = Infallible;

    async fn on_start((): (), _: ActorRef<Self>) -> Result<Self, Infallible> {
        Ok(Self)
    }
}

impl Message<Question> for Answerer {
    type Reply = u64;

    async fn handle(&mut self, question: Question, _: &mut Context<Self, u64>) -> u64 {
        answer_to(question.0)
    }
}

async fn ask(answerer: ActorRef<Answerer>, asks: u64) -> Vec<f64> {
    answerer.wait_for_startup().await;
    let mut latencies = Latencies::of(asks);
    for n in latencies.questions() {
        let asked = Instant::now();
        let answer = answerer.ask(Question(n)).send().await.expect("the answerer answers");
        latencies.answered(n, asked, answer);
    }
    latencies.p50_p99()
}

fn ask_local<const BOUNDED: bool>(asks: u64) -> Vec<f64> {
    on_one_thread(async move {
        let answerer = Answerer::spawn_with_mailbox((), mailbox(BOUNDED));
        tokio::spawn(ask(answerer, asks)).await.expect("the asker ends")
    })
}

fn ask_cross<const BOUNDED: bool>(asks: u64) -> Vec<f64> {
    let far = FarSide::start();
    let answerer = far.run(async { Answerer::spawn_with_mailbox((), mailbox(BOUNDED)) });
    on_one_thread(ask(answerer, asks))
}

/// A supervisor, one-for-one by default, without limit: its children say how often they may restart.
struct Commander;

impl Actor for Commander {
    type Args = ();
    type Error = Infallible;

    async fn on_start((): (), _: ActorRef<Self>) -> Result<Self, Infallible> {
        Ok(Self)
    }
}

/// An agent of a fleet: counts its start, each message and its stop.
struct Idle(Counts);

impl Actor for Idle {
    type Args = Counts;
    type Error = Infallible;

    async fn on_start(counts: Counts, _: ActorRef<Self>) -> Result<Self, Infallible> {
        counts.started.hit();
        Ok(Self(counts))
    }

    async fn on_stop(&mut self, _: WeakActorRef<Self>, _: ActorStopReason) -> Result<(), Infallible> {
        self.0.ended.hit();
        Ok(())
    }
}

impl Message<()> for Idle {
    type Reply = ();

    async fn handle(&mut self, (): (), _: &mut Context<Self, ()>) {
        self.0.handled.hit();
    }
}

fn fleet<const BOUNDED: bool>(agents: usize) -> Vec<f64> {
    on_two_workers(async move {
        let (counts, commander) = (Counts::of(agents), Commander::spawn(()));
        let before = resident_bytes();
        let spawning = Instant::now();
        for _ in 0..agents {
            Idle::supervise(&commander, counts)
                .spawn_with_mailbox(mailbox(BOUNDED))
                .await;
        }
        counts.started.zero().await;
        let spawned = spawning.elapsed().as_secs_f64();
        tokio::time::sleep(super::SETTLE).await;
        let resident = resident_per_agent(before, agents);
        let stopping = Instant::now();
        commander.stop_gracefully().await.expect("the supervisor lives");
        counts.ended.zero().await;
        commander.wait_for_shutdown().await;
        vec![spawned, resident, stopping.elapsed().as_secs_f64()]
    })
}

fn million<const BOUNDED: bool>(agents: usize) -> Vec<f64> {
    on_two_workers(async move {
        let (counts, commander) = (Counts::of(agents), Commander::spawn(()));
        let before = resident_bytes();
        let spawning = Instant::now();
        for _ in 0..agents {
            let agent = Idle::supervise(&commander, counts)
                .spawn_with_mailbox(mailbox(BOUNDED))
                .await;
            agent.tell(()).try_send().expect("it lives and has room");
        }
        counts.handled.zero().await;
        vec![spawning.elapsed().as_secs_f64(), resident_per_agent(before, agents)]
    })
}

#[derive(Clone, Copy)]
enum Order {
    Fail(Failure),
    Work,
}

struct Worker(&'static Outage);

impl Actor for Worker {
    type Args = &'static Outage;
    type Error = Infallible;

    async fn on_start(outage: &'static Outage, _: ActorRef<Self>) -> Result<Self, Infallible> {
        Ok(Self(outage))
    }
}

impl Message<Order> for Worker {
    type Reply = Result<(), &'static str>;

    async fn handle(&mut self, order: Order, _: &mut Context<Self, Self::Reply>) -> Self::Reply {
        match order {
            Order::Work => {
                self.0.end();
                Ok(())
            }
            Order::Fail(Failure::Error) => {
                self.0.begin();
                Err("ordered to fail")
            }
            Order::Fail(Failure::Panic) => {
                self.0.begin();
                panic!("ordered to panic")
            }
        }
    }
}

async fn worker<const BOUNDED: bool>(commander: &ActorRef<Commander>, outage: &'static Outage) -> ActorRef<Worker> {
    let child = Worker::supervise(commander, outage).restart_limit(u32::MAX, Duration::from_secs(1));
    child.spawn_with_mailbox(mailbox(BOUNDED)).await
}

fn restart<const BOUNDED: bool>(siblings: usize, failure: Failure, scale: &Scale) -> Vec<f64> {
    let restarts = scale.restarts;
    let _quiet = QuietPanics::install();
    on_one_thread(async move {
        let (outage, mut ends) = Outage::new();
        let commander = Commander::spawn(());
        for _ in 0..siblings {
            worker::<BOUNDED>(&commander, outage).await;
        }
        let victim = worker::<BOUNDED>(&commander, outage).await;
        // What is queued before the first incarnation has started is lost when that one fails.
        victim.wait_for_startup().await;
        p50_p99_micros(restarts, &mut ends, || {
            victim.tell(Order::Fail(failure)).try_send().expect("it lives");
            victim.tell(Order::Work).try_send().expect("its mailbox outlives it");
        })
        .await
    })
}
