//! Producers that offer ten times what an agent can handle, under each overflow policy that sets a bound to memory.

use triarch_benches::case::{self, Entry};
use triarch_benches::load::{CAPACITY, Packet};
use triarch_benches::overload::{Interval, Overload, PRODUCERS, Pace};
use triarch_benches::runtime::on_two_workers;
use triarch_supervision::message::Overflow;
use triarch_supervision::prelude::*;

use super::{NAME, Parcel, tree};

pub(super) fn entries() -> Vec<Entry> {
    vec![
        Entry::child(NAME, &[case::OVERLOAD_60S], |scale| {
            overload(Overflow::Wait, Interval::of(scale))
        }),
        Entry::child(NAME, &[case::OVERLOAD_60S_REJECT], |scale| {
            overload(Overflow::Reject, Interval::of(scale))
        }),
        Entry::child(NAME, &[case::OVERLOAD_60S_DROP_OLDEST], |scale| {
            overload(Overflow::DropOldest, Interval::of(scale))
        }),
    ]
}

struct Overloaded(&'static Overload);

impl Agent for Overloaded {
    type Message = Parcel<2>;
    type Spec = &'static Overload;

    async fn start(overload: &'static Overload, _: &mut Context<Self>) -> Result<Self, Failure> {
        Ok(Self(overload))
    }

    async fn handle(&mut self, _: Parcel<2>, _: &mut Context<Self>) -> Result<(), Failure> {
        self.0.handle();
        Ok(())
    }
}

fn overload(overflow: Overflow, interval: Interval) -> Vec<f64> {
    on_two_workers(async move {
        let overload = Overload::begin();
        let child = Child::of::<Overloaded>("overloaded", overload)
            .capacity(CAPACITY)
            .overflow(overflow);
        let address = child.address();
        let tree = tree(Supervisor::named("team").child(child)).await;
        let producers: Vec<_> = (0..PRODUCERS)
            .map(|_| tokio::spawn(offer(address.clone(), overload.pace())))
            .collect();
        let growth = overload.growth(interval).await;
        let (mut offered, mut refused) = (0, 0);
        for producer in producers {
            let counts = producer.await.expect("a producer ends");
            offered += counts.0;
            refused += counts.1;
        }
        // Makes dead letters of what still waits.
        let end = tree.stop().await;
        assert!(end.is_orderly(), "{end:?}");
        overload.check(offered, refused + tree.observer().dead_letters().total());
        if overflow != Overflow::Wait {
            overload.check_pressure(offered);
        }
        vec![growth]
    })
}

/// How many messages were offered, and how many of them came back.
async fn offer(receiver: Address<Parcel<2>>, mut pace: Pace) -> (u64, u64) {
    let mut refused = 0;
    while pace.is_due().await {
        if let Err(error) = receiver.send(Parcel(Packet::new(pace.offered()))).await {
            assert_eq!(error.why, Refusal::Full, "{error}");
            refused += 1;
        }
    }
    (pace.offered(), refused)
}
