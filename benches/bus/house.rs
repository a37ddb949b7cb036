//! A tree with the room of topics, and agents that subscribe.

use std::sync::Arc;

use triarch_bus::metrics::BUS;
use triarch_bus::{Arrivals, Bus, Config, Pattern, Subscribe, Terms, room};
use triarch_supervision::metrics::Instruments;
use triarch_supervision::prelude::*;
use triarch_supervision::tree::Tree;

use crate::handlers::Handler;

pub(crate) struct House {
    pub(crate) tree: Tree,
    pub(crate) bus: Bus,
}

pub(crate) struct Came(Arrivals);

impl Message for Came {}

impl From<Arrivals> for Came {
    fn from(arrivals: Arrivals) -> Self {
        Self(arrivals)
    }
}

/// Handles all that comes.
struct Reader(Handler);

impl Agent for Reader {
    type Message = Came;
    type Spec = Handler;

    async fn start(handler: Handler, _ctx: &mut Context<Self>) -> Result<Self, Failure> {
        Ok(Self(handler))
    }

    async fn handle(&mut self, Came(arrivals): Came, _ctx: &mut Context<Self>) -> Result<(), Failure> {
        for delivery in arrivals {
            (self.0)(delivery.envelope.payload.as_bytes());
        }
        Ok(())
    }
}

/// Never comes back from its first envelope.
struct Stalled;

impl Agent for Stalled {
    type Message = Came;
    type Spec = ();

    async fn start((): (), _ctx: &mut Context<Self>) -> Result<Self, Failure> {
        Ok(Self)
    }

    async fn handle(&mut self, Came(arrivals): Came, _ctx: &mut Context<Self>) -> Result<(), Failure> {
        std::future::pending::<()>().await;
        drop(arrivals);
        Ok(())
    }
}

/// A house of agents that all subscribe to `topic`, and of `stalled` that do so and never come back.
pub(crate) async fn open(topic: &str, handlers: Vec<Handler>, stalled: usize) -> House {
    let instruments = Instruments::with_tree(&[BUS]).expect("sections that fit together");
    let bus = Bus::new(Config::default(), 1, &instruments).expect("a bus");
    let mut team = Supervisor::named("team");
    let what = |name: &str| {
        let pattern = Pattern::new(topic).expect("a pattern");
        Subscribe::new(pattern, Arc::from(format!("team/{name}"))).terms(Terms::default())
    };
    for (number, handler) in handlers.into_iter().enumerate() {
        let name = format!("reader_{number}");
        let child = Child::of::<Reader>(name.clone(), handler);
        bus.subscribe(what(&name), &child.address()).expect("it may subscribe");
        team = team.child(child);
    }
    for number in 0..stalled {
        let name = format!("stalled_{number}");
        let child = Child::of::<Stalled>(name.clone(), ()).shutdown(Shutdown::BrutalKill);
        bus.subscribe(what(&name), &child.address()).expect("it may subscribe");
        team = team.child(child);
    }
    let tree = Root::new()
        .instruments(instruments)
        .supervisor(room(&bus))
        .supervisor(team);
    House {
        tree: tree.start().await.expect("a tree"),
        bus,
    }
}
