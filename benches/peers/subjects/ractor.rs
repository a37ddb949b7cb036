//! ractor 0.16.5, the reference: unbounded mailboxes, a supervisor written by hand.
//!
//! Its best: no `message_span_propogation`, producers that yield, a supervisor that respawns at once (it does not wait for
//! the failed incarnation's end, so the two may overlap; one that waits is slower). A batch is 32 casts.

mod overload;
mod queued;

use std::collections::HashMap;
use std::time::{Duration, Instant};

use ractor::rpc::CallResult;
use ractor::{Actor, ActorCell, ActorId, ActorProcessingErr, ActorRef, RpcReplyPort, SupervisionEvent};
use tokio::task::yield_now;
use triarch_benches::case::{self, Entry};
use triarch_benches::latency::{ANSWER_WITHIN, Latencies, answer_to};
use triarch_benches::load::{Load, Packet, Tally};
use triarch_benches::machine::{resident_bytes, resident_per_agent};
use triarch_benches::overload::Interval;
use triarch_benches::restart::{Failure, Outage, QuietPanics, p50_p99_micros};
use triarch_benches::runtime::{FarSide, on_one_thread, on_two_workers};
use triarch_benches::{Countdown, Scale};

use super::{Counts, Tells, YIELD_EVERY, tells};

const NAME: &str = "ractor";

pub(crate) fn entries() -> Vec<Entry> {
    let more = vec![
        Entry::here(NAME, &case::ASK_LOCAL, |scale| ask_local(scale.asks)),
        Entry::here(NAME, &case::ASK_WITHIN_LOCAL, |scale| ask_within_local(scale.asks)),
        Entry::here(NAME, &case::ASK_CROSS, |scale| ask_cross(scale.asks)),
        Entry::child(NAME, &case::FLEET, |scale| fleet(scale.fleet)),
        Entry::here(NAME, &case::RESTART_ERROR_10, |scale| {
            restart(10, Failure::Error, scale)
        }),
        Entry::here(NAME, &case::RESTART_ERROR_1000, |scale| {
            restart(1_000, Failure::Error, scale)
        }),
        Entry::here(NAME, &case::RESTART_ERROR_10000, |scale| {
            restart(10_000, Failure::Error, scale)
        }),
        Entry::here(NAME, &case::RESTART_10, |scale| restart(10, Failure::Panic, scale)),
        Entry::here(NAME, &case::RESTART_1000, |scale| restart(1_000, Failure::Panic, scale)),
        Entry::here(NAME, &case::RESTART_10000, |scale| {
            restart(10_000, Failure::Panic, scale)
        }),
        Entry::child(NAME, &case::MILLION, |scale| million(scale.million)),
        Entry::child(NAME, &[case::OVERLOAD_60S], |scale| {
            overload::overload(Interval::unbounded(scale))
        }),
        Entry::here(NAME, &[case::STOP_THOUSAND_QUEUED], |scale| queued::stops(scale, 1_000)),
        Entry::here(NAME, &[case::STOP_MILLION_QUEUED], |scale| {
            queued::stops(scale, 1_000_000)
        }),
    ];
    [tells::<Ractor>(), more].concat()
}

struct Receiver<const WORDS: usize>;

impl<const WORDS: usize> Actor for Receiver<WORDS> {
    type Msg = Packet<WORDS>;
    type State = Tally;
    type Arguments = Tally;

    async fn pre_start(&self, _: ActorRef<Self::Msg>, tally: Tally) -> Result<Tally, ActorProcessingErr> {
        Ok(tally)
    }

    async fn handle(
        &self,
        _: ActorRef<Self::Msg>,
        packet: Self::Msg,
        tally: &mut Tally,
    ) -> Result<(), ActorProcessingErr> {
        tally.add(&packet);
        Ok(())
    }
}

struct Ractor;

impl Tells for Ractor {
    const NAME: &'static str = NAME;

    fn tell<const WORDS: usize>(load: Load) -> f64 {
        on_two_workers(async move {
            let (tallies, finish) = load.tallies();
            let mut receivers = Vec::new();
            for tally in tallies {
                receivers.push(Actor::spawn(None, Receiver::<WORDS>, tally).await.expect("it starts").0);
            }
            let producers: Vec<_> = (0..load.producers)
                .map(|n| tokio::spawn(produce(receivers[n % load.receivers].clone(), load.per_producer)))
                .collect();
            finish.rate(super::starts(producers).await).await
        })
    }
}

async fn produce<const WORDS: usize>(receiver: ActorRef<Packet<WORDS>>, messages: u64) -> Instant {
    let start = Instant::now();
    for n in 0..messages {
        receiver.cast(Packet::new(n)).expect("the receiver lives");
        if n % YIELD_EVERY == YIELD_EVERY - 1 {
            yield_now().await;
        }
    }
    start
}

struct Question(u64, RpcReplyPort<u64>);

struct Answerer;

impl Actor for Answerer {
    type Msg = Question;
    type State = ();
    type Arguments = ();

    async fn pre_start(&self, _: ActorRef<Question>, (): ()) -> Result<(), ActorProcessingErr> {
        Ok(())
    }

    async fn handle(&self, _: ActorRef<Question>, question: Question, (): &mut ()) -> Result<(), ActorProcessingErr> {
        let _ = question.1.send(answer_to(question.0));
        Ok(())
    }
}

async fn answerer() -> ActorRef<Question> {
    Actor::spawn(None, Answerer, ()).await.expect("it starts").0
}

async fn ask(answerer: ActorRef<Question>, asks: u64, limit: Option<Duration>) -> Vec<f64> {
    let mut latencies = Latencies::of(asks);
    for n in latencies.questions() {
        let asked = Instant::now();
        match answerer.call(|reply| Question(n, reply), limit).await {
            Ok(CallResult::Success(answer)) => latencies.answered(n, asked, answer),
            _ => panic!("question {n} got no answer"),
        }
    }
    latencies.p50_p99()
}

fn ask_local(asks: u64) -> Vec<f64> {
    locally(asks, None)
}

fn ask_within_local(asks: u64) -> Vec<f64> {
    locally(asks, Some(ANSWER_WITHIN))
}

fn locally(asks: u64, limit: Option<Duration>) -> Vec<f64> {
    on_one_thread(async move {
        tokio::spawn(ask(answerer().await, asks, limit))
            .await
            .expect("the asker ends")
    })
}

fn ask_cross(asks: u64) -> Vec<f64> {
    let far = FarSide::start();
    let answerer = far.run(answerer());
    on_one_thread(ask(answerer, asks, None))
}

/// The supervisor of a fleet: only counts who started and who ended.
struct Commander;

impl Actor for Commander {
    type Msg = ();
    type State = Counts;
    type Arguments = Counts;

    async fn pre_start(&self, _: ActorRef<()>, counts: Counts) -> Result<Counts, ActorProcessingErr> {
        Ok(counts)
    }

    async fn handle_supervisor_evt(
        &self,
        _: ActorRef<()>,
        event: SupervisionEvent,
        counts: &mut Counts,
    ) -> Result<(), ActorProcessingErr> {
        match event {
            SupervisionEvent::ActorStarted(_) => counts.started.hit(),
            SupervisionEvent::ActorTerminated(..) => counts.ended.hit(),
            SupervisionEvent::ActorFailed(who, why) => panic!("{who:?} failed: {why}"),
            SupervisionEvent::ProcessGroupChanged(_) => {}
        }
        Ok(())
    }
}

/// An agent of a fleet: counts each message.
struct Idle;

impl Actor for Idle {
    type Msg = ();
    type State = &'static Countdown;
    type Arguments = Counts;

    async fn pre_start(&self, _: ActorRef<()>, counts: Counts) -> Result<&'static Countdown, ActorProcessingErr> {
        Ok(counts.handled)
    }

    async fn handle(&self, _: ActorRef<()>, (): (), handled: &mut Self::State) -> Result<(), ActorProcessingErr> {
        handled.hit();
        Ok(())
    }
}

async fn commander(counts: Counts) -> ActorCell {
    Actor::spawn(None, Commander, counts)
        .await
        .expect("it starts")
        .0
        .get_cell()
}

fn fleet(agents: usize) -> Vec<f64> {
    on_two_workers(async move {
        let counts = Counts::of(agents);
        let commander = commander(counts).await;
        let before = resident_bytes();
        let spawning = Instant::now();
        for _ in 0..agents {
            Actor::spawn_linked(None, Idle, counts, commander.clone())
                .await
                .expect("it starts");
        }
        counts.started.zero().await;
        let spawned = spawning.elapsed().as_secs_f64();
        // The agents' first polls may still be queued: what they hold is resident after it.
        tokio::time::sleep(super::SETTLE).await;
        let resident = resident_per_agent(before, agents);
        let stopping = Instant::now();
        commander.stop_children_and_wait(None, None).await;
        counts.ended.zero().await;
        vec![spawned, resident, stopping.elapsed().as_secs_f64()]
    })
}

fn million(agents: usize) -> Vec<f64> {
    on_two_workers(async move {
        let counts = Counts::of(agents);
        let commander = commander(counts).await;
        let before = resident_bytes();
        let spawning = Instant::now();
        for _ in 0..agents {
            let agent = Actor::spawn_linked(None, Idle, counts, commander.clone())
                .await
                .expect("it starts")
                .0;
            agent.cast(()).expect("it lives");
        }
        counts.handled.zero().await;
        vec![spawning.elapsed().as_secs_f64(), resident_per_agent(before, agents)]
    })
}

/// The supervisor of the restart cases, one-for-one: it knows its children by id and respawns the one that failed.
struct Respawner;

struct Children {
    outage: &'static Outage,
    victim: ActorRef<Order>,
    siblings: HashMap<ActorId, ActorRef<Order>>,
}

#[derive(Clone, Copy)]
enum Order {
    Fail(Failure),
    Work,
}

impl Actor for Respawner {
    type Msg = Failure;
    type State = Children;
    type Arguments = (usize, &'static Outage);

    async fn pre_start(
        &self,
        myself: ActorRef<Failure>,
        (count, outage): Self::Arguments,
    ) -> Result<Children, ActorProcessingErr> {
        let mut siblings = HashMap::with_capacity(count);
        for _ in 0..count {
            let sibling = Actor::spawn_linked(None, Worker, outage, myself.get_cell()).await?.0;
            siblings.insert(sibling.get_id(), sibling);
        }
        let victim = Actor::spawn_linked(None, Worker, outage, myself.get_cell()).await?.0;
        Ok(Children {
            outage,
            victim,
            siblings,
        })
    }

    async fn handle(
        &self,
        _: ActorRef<Failure>,
        failure: Failure,
        children: &mut Children,
    ) -> Result<(), ActorProcessingErr> {
        Ok(children.victim.cast(Order::Fail(failure))?)
    }

    async fn handle_supervisor_evt(
        &self,
        myself: ActorRef<Failure>,
        event: SupervisionEvent,
        children: &mut Children,
    ) -> Result<(), ActorProcessingErr> {
        if let SupervisionEvent::ActorFailed(who, _) = event {
            let replacement = Actor::spawn_linked(None, Worker, children.outage, myself.get_cell())
                .await?
                .0;
            replacement.cast(Order::Work)?;
            if who.get_id() == children.victim.get_id() {
                children.victim = replacement;
            } else {
                children.siblings.remove(&who.get_id());
                children.siblings.insert(replacement.get_id(), replacement);
            }
        }
        Ok(())
    }
}

struct Worker;

impl Actor for Worker {
    type Msg = Order;
    type State = &'static Outage;
    type Arguments = &'static Outage;

    async fn pre_start(
        &self,
        _: ActorRef<Order>,
        outage: &'static Outage,
    ) -> Result<&'static Outage, ActorProcessingErr> {
        Ok(outage)
    }

    async fn handle(
        &self,
        _: ActorRef<Order>,
        order: Order,
        outage: &mut Self::State,
    ) -> Result<(), ActorProcessingErr> {
        match order {
            Order::Work => {
                outage.end();
                Ok(())
            }
            Order::Fail(Failure::Error) => {
                outage.begin();
                Err("ordered to fail".into())
            }
            Order::Fail(Failure::Panic) => {
                outage.begin();
                panic!("ordered to panic")
            }
        }
    }
}

fn restart(siblings: usize, failure: Failure, scale: &Scale) -> Vec<f64> {
    let restarts = scale.restarts;
    let _quiet = QuietPanics::install();
    on_one_thread(async move {
        let (outage, mut ends) = Outage::new();
        let supervisor = Actor::spawn(None, Respawner, (siblings, outage))
            .await
            .expect("it starts")
            .0;
        p50_p99_micros(restarts, &mut ends, || {
            supervisor.cast(failure).expect("the supervisor lives");
        })
        .await
    })
}
