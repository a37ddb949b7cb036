//! Producers that cast ten times what an actor can handle. Its mailbox has no bound, so this ends after seconds, or where
//! the process holds 2 GiB.

use ractor::{Actor, ActorProcessingErr, ActorRef};
use triarch_benches::Overload;
use triarch_benches::load::Packet;
use triarch_benches::overload::{Interval, PRODUCERS, Pace};
use triarch_benches::runtime::on_two_workers;

struct Overloaded;

impl Actor for Overloaded {
    type Msg = Packet<2>;
    type State = &'static Overload;
    type Arguments = &'static Overload;

    async fn pre_start(
        &self,
        _: ActorRef<Self::Msg>,
        overload: &'static Overload,
    ) -> Result<&'static Overload, ActorProcessingErr> {
        Ok(overload)
    }

    async fn handle(
        &self,
        _: ActorRef<Self::Msg>,
        _: Self::Msg,
        overload: &mut Self::State,
    ) -> Result<(), ActorProcessingErr> {
        overload.handle();
        Ok(())
    }
}

pub(super) fn overload(interval: Interval) -> Vec<f64> {
    on_two_workers(async move {
        let overload = Overload::begin();
        let actor = Actor::spawn(None, Overloaded, overload).await.expect("it starts").0;
        let producers: Vec<_> = (0..PRODUCERS)
            .map(|_| tokio::spawn(offer(actor.clone(), overload.pace())))
            .collect();
        let growth = overload.growth(interval).await;
        let mut offered = 0;
        for producer in producers {
            offered += producer.await.expect("a producer ends");
        }
        overload.check_pressure(offered);
        // What still waits goes untold with the actor.
        actor.stop_and_wait(None, None).await.expect("it stops");
        vec![growth]
    })
}

async fn offer(receiver: ActorRef<Packet<2>>, mut pace: Pace) -> u64 {
    while pace.is_due().await {
        receiver.cast(Packet::new(pace.offered())).expect("the receiver lives");
    }
    pace.offered()
}
