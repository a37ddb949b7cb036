//! Stopping an agent with a full queue, through its supervisor: from the call until its answer.
//!
//! The agent is paused meanwhile, so that all its messages are still queued when it is asked to stop. What becomes of
//! them is its restart policy's affair. A permanent child keeps its specification and its mailbox, and the messages wait
//! there for its next life: no dead letter is made, neither before the answer nor after it (until the tree stops, which
//! is not measured). A temporary child leaves the tree with its stop: its supervisor makes a dead letter of each message,
//! and answers thereafter, so all of them are within the figure.

use std::time::{Duration, Instant};

use triarch_benches::Scale;
use triarch_benches::case::{self, Entry};
use triarch_benches::latency::p50_micros;
use triarch_benches::load::Packet;
use triarch_benches::machine::displace_caches;
use triarch_benches::runtime::on_one_thread;
use triarch_supervision::dead_letter::DeadReason;
use triarch_supervision::policy::Restart;
use triarch_supervision::prelude::*;

use super::{NAME, Parcel, tree};

/// For the agent to come to its pause.
const PAUSED: Duration = Duration::from_millis(2);

pub(super) fn entries() -> Vec<Entry> {
    vec![
        Entry::here(NAME, &[case::STOP_THOUSAND_QUEUED], |scale| {
            stops(scale, 1_000, Restart::Permanent)
        }),
        Entry::here(NAME, &[case::STOP_MILLION_QUEUED], |scale| {
            stops(scale, 1_000_000, Restart::Permanent)
        }),
        Entry::here(NAME, &[case::LEAVE_THOUSAND_QUEUED], |scale| {
            stops(scale, 1_000, Restart::Temporary)
        }),
        Entry::here(NAME, &[case::LEAVE_MILLION_QUEUED], |scale| {
            stops(scale, 1_000_000, Restart::Temporary)
        }),
    ]
}

struct Laden;

impl Agent for Laden {
    type Message = Parcel<2>;
    type Spec = ();

    async fn start((): (), _: &mut Context<Self>) -> Result<Self, Failure> {
        Ok(Self)
    }

    async fn handle(&mut self, _: Parcel<2>, _: &mut Context<Self>) -> Result<(), Failure> {
        panic!("a paused agent handled a message")
    }
}

fn stops(scale: &Scale, queued: usize, restart: Restart) -> Vec<f64> {
    let stops = scale.stops;
    on_one_thread(async move {
        let mut times = Vec::with_capacity(stops);
        for _ in 0..stops {
            times.push(stop(queued, restart).await);
        }
        p50_micros(&times)
    })
}

async fn stop(queued: usize, restart: Restart) -> Duration {
    let child = Child::of::<Laden>("laden", ()).restart(restart).capacity(queued);
    let address = child.address();
    let tree = tree(Supervisor::named("team").child(child)).await;
    let observer = tree.observer();
    observer.pause("team/laden").expect("it stands there");
    for n in 0..queued as u64 {
        address.try_send(Parcel(Packet::new(n))).expect("there is room");
    }
    displace_caches();
    tokio::time::sleep(PAUSED).await;
    assert_eq!(address.figures().depth, queued as u64, "not all messages wait");
    let supervisor = observer.supervisor("team").expect("it stands there");
    let stopping = Instant::now();
    supervisor.terminate_child("laden").await.expect("it stops");
    let elapsed = stopping.elapsed();
    let buried = observer.dead_letters().count(DeadReason::Closed);
    let expected = if restart == Restart::Temporary {
        queued as u64
    } else {
        0
    };
    assert_eq!(buried, expected, "messages that died with the stop");
    let end = tree.stop().await;
    assert!(end.is_orderly(), "{end:?}");
    elapsed
}
