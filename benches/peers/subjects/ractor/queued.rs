//! Stopping an actor with a full queue: from the call until its supervisor is told.
//!
//! All on one thread, and nobody gives way between the first message and the stop, so the actor finds all of them there
//! and the stop before them. It drops its queue before its supervisor is told, so that is within the figure.

use std::time::{Duration, Instant};

use ractor::{Actor, ActorProcessingErr, ActorRef};
use triarch_benches::Scale;
use triarch_benches::latency::p50_micros;
use triarch_benches::load::Packet;
use triarch_benches::machine::displace_caches;
use triarch_benches::runtime::on_one_thread;

struct Laden;

impl Actor for Laden {
    type Msg = Packet<2>;
    type State = ();
    type Arguments = ();

    async fn pre_start(&self, _: ActorRef<Self::Msg>, (): ()) -> Result<(), ActorProcessingErr> {
        Ok(())
    }

    async fn handle(&self, _: ActorRef<Self::Msg>, _: Self::Msg, (): &mut ()) -> Result<(), ActorProcessingErr> {
        Err("a message was handled before the stop".into())
    }
}

pub(super) fn stops(scale: &Scale, queued: u64) -> Vec<f64> {
    let stops = scale.stops;
    on_one_thread(async move {
        let mut times = Vec::with_capacity(stops);
        for _ in 0..stops {
            times.push(stop(queued).await);
        }
        p50_micros(&times)
    })
}

async fn stop(queued: u64) -> Duration {
    let counts = super::Counts::of(1);
    let commander = super::commander(counts).await;
    let actor = Actor::spawn_linked(None, Laden, (), commander.clone())
        .await
        .expect("it starts")
        .0;
    for n in 0..queued {
        actor.cast(Packet::new(n)).expect("it lives");
    }
    displace_caches();
    let stopping = Instant::now();
    actor.stop(None);
    counts.ended.zero().await;
    let elapsed = stopping.elapsed();
    commander.stop(None);
    elapsed
}
