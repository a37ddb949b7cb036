//! A thousand agents that fail at each message they are given and are given one at each start, and what that costs the others.

use std::time::{Duration, Instant};

use tokio::time::{MissedTickBehavior, interval, sleep};
use triarch_benches::Scale;
use triarch_benches::case::{self, Entry};
use triarch_benches::latency::Latencies;
use triarch_benches::machine::cpu_time;
use triarch_benches::runtime::on_two_workers;
use triarch_supervision::prelude::*;

use super::{Answerer, NAME, Question};

const CRASHING: usize = 1_000;
/// A wait that has grown to a second: each crashes about once in it.
const BACKOFF: Backoff = Backoff::exponential(Duration::from_millis(100), Duration::from_secs(1));
/// Until the waits have grown, and the crashes have spread over them.
const STEADY_AFTER: Duration = Duration::from_secs(8);
const ASK_EVERY: Duration = Duration::from_millis(1);

pub(super) fn entries() -> Vec<Entry> {
    vec![Entry::child(NAME, &case::STORM, |scale| storm(*scale))]
}

struct Begin;

impl Message for Begin {}

/// Fails as soon as it has started.
struct Crashing;

impl Agent for Crashing {
    type Message = Begin;
    type Spec = ();

    async fn start((): (), ctx: &mut Context<Self>) -> Result<Self, Failure> {
        ctx.send_after(Duration::ZERO, Begin);
        Ok(Self)
    }

    async fn handle(&mut self, Begin: Begin, _: &mut Context<Self>) -> Result<(), Failure> {
        Err(Failure::new("it always does"))
    }
}

/// What the storm takes of a core in percent, and the p99 of asks at a sibling team in it and without it.
fn storm(scale: Scale) -> Vec<f64> {
    let asks = if scale.is_quick { 200 } else { 10_000 };
    let calm = on_two_workers(beside(Supervisor::named("storm"), asks, Duration::ZERO));
    let children = (0..CRASHING).map(|number| Child::of::<Crashing>(format!("crashing-{number}"), ()));
    let crashing = Supervisor::named("storm")
        .intensity(Intensity::new(u32::MAX, Duration::from_secs(1)))
        .backoff(BACKOFF)
        .children(children);
    let steady = if scale.is_quick {
        Duration::from_millis(500)
    } else {
        STEADY_AFTER
    };
    let stormy = on_two_workers(beside(crashing, asks, steady));
    vec![(stormy.core - calm.core).max(0.0), stormy.p99, calm.p99]
}

struct Seen {
    core: f64,
    p99: f64,
}

/// Asks an agent of a team beside `other` once in a millisecond.
async fn beside(other: Supervisor, asks: u64, steady: Duration) -> Seen {
    let sibling = Child::of::<Answerer>("sibling", ());
    let address = sibling.address();
    let root = Root::new().supervisor(other);
    let tree = root
        .supervisor(Supervisor::named("team").child(sibling))
        .start()
        .await
        .expect("it starts");
    sleep(steady).await;
    let (begun, used) = (Instant::now(), cpu_time());
    let mut latencies = Latencies::of(asks);
    let mut beat = interval(ASK_EVERY);
    beat.set_missed_tick_behavior(MissedTickBehavior::Delay);
    for number in latencies.questions() {
        beat.tick().await;
        let asked = Instant::now();
        let answer = address.ask(|reply| Question(number, reply)).await;
        latencies.answered(number, asked, answer.expect("the sibling answers"));
    }
    let core = 100.0 * cpu_time().saturating_sub(used).as_secs_f64() / begun.elapsed().as_secs_f64();
    tree.stop().await;
    Seen {
        core,
        p99: latencies.p50_p99()[1],
    }
}
