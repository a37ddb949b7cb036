//! The testing kit: a world with a paused clock and a seed, agents that record, agents that fail on demand.
//!
//! A [`World`] runs a test on one thread and its own clock, which only moves when nobody has anything left to
//! do. The same seed gives the same run, down to each event and its moment. A [`Probe`] receives what the agents
//! under test send. [`Faults`] make an agent wrapped in [`Faulty`] fail where and when a test wants it.
//!
//! ```
//! use std::time::Duration;
//! use triarch_supervision::prelude::*;
//! use triarch_supervision::testing::{Fault, Faults, Faulty, Callback, Probe, World};
//!
//! #[derive(Debug, PartialEq)]
//! struct Line(String);
//! impl Message for Line {}
//!
//! /// Passes on what it is sent, in capitals.
//! struct Shouter(Address<Line>);
//!
//! impl Agent for Shouter {
//!     type Message = Line;
//!     type Spec = Address<Line>;
//!
//!     async fn start(to: Address<Line>, _ctx: &mut Context<Self>) -> Result<Self, Failure> {
//!         Ok(Self(to))
//!     }
//!
//!     async fn handle(&mut self, line: Line, _ctx: &mut Context<Self>) -> Result<(), Failure> {
//!         self.0.send(Line(line.0.to_uppercase())).await?;
//!         Ok(())
//!     }
//! }
//!
//! World::new(7).run(async |world| {
//!     let (ear, mut probe) = Probe::<Line>::child("ear");
//!     let faults = Faults::new();
//!     let shouter = Faulty::<Shouter>::child("shouter", probe.address(), &faults);
//!     let address = shouter.address();
//!     let second = Duration::from_secs(1);
//!     let team = Supervisor::named("team")
//!         .backoff(Backoff::exponential(second, 10 * second))
//!         .child(ear)
//!         .child(shouter);
//!     let tree = world.start(Root::new().supervisor(team)).await?;
//!
//!     faults.next(Callback::Handle, Fault::Panic);
//!     address.send(Line("lost".into())).await?;
//!     address.send(Line("kept".into())).await?;
//!     probe.expect_none_within(second / 2).await; // it waits before its second life
//!     assert_eq!(probe.expect_next().await, Line("KEPT".into()));
//!     assert_eq!(faults.struck(), 1);
//!
//!     assert!(tree.stop().await.is_orderly());
//!     Ok::<(), Box<dyn std::error::Error>>(())
//! }).unwrap();
//! ```
//!
//! When the story is told, nobody may be left alive: a world whose trees still have an agent or a reader of a
//! mailbox then fails with their names. A failing world prints its seed and how to run it again.

mod faults;
mod faulty;
mod probe;
mod trace;
mod world;

pub use faults::{Callback, Fault, Faults};
pub use faulty::Faulty;
pub use probe::{Probe, Recorder};
pub use trace::Trace;
pub use world::{SEED_VARIABLE, World};
