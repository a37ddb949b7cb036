//! Follows events, and looks again at who is not well.

use std::time::Duration;

use triarch_supervision::prelude::*;
use triarch_supervision::tree::{Events, Phase};

use super::handle::Health;
use super::machine::{Input, Machine};
use super::message::Look;

/// How often it is seen to that what is reported is still so.
const LOOK_EVERY: Duration = Duration::from_secs(1);

/// Follows how everybody is.
#[derive(Debug)]
pub(crate) struct Watcher {
    health: Health,
    machine: Machine,
    events: Events,
    missed: u64,
}

impl Agent for Watcher {
    type Message = Look;
    type Spec = Health;

    async fn start(health: Health, ctx: &mut Context<Self>) -> Result<Self, Failure> {
        ctx.send_in_step(LOOK_EVERY, || Look);
        let mut watcher = Self {
            machine: Machine::new(health.rooms()),
            health,
            events: ctx.observer().events(),
            missed: 0,
        };
        watcher.survey(ctx);
        Ok(watcher)
    }

    async fn handle(&mut self, _: Look, ctx: &mut Context<Self>) -> Result<(), Failure> {
        let observer = ctx.observer();
        let unwell: Vec<String> = self.machine.unwell().cloned().collect();
        // Neither looks at more than one node: a supervisor is asked for by its handle, not for its children.
        let is_gone = |path: &String| {
            if path.contains('/') {
                observer.node(path).map_or(true, |node| node.state != Phase::Failed)
            } else {
                observer.supervisor(path).is_err()
            }
        };
        for path in unwell.into_iter().filter(is_gone) {
            self.machine.step(Input::Cleared(path));
        }
        self.publish(ctx);
        Ok(())
    }

    async fn attend(&mut self, ctx: &mut Context<Self>) -> Result<(), Failure> {
        let Some(event) = self.events.next().await else {
            return Ok(());
        };
        if self.events.missed() > self.missed {
            self.survey(ctx);
            return Ok(());
        }
        self.machine.step(Input::Seen(event));
        self.publish(ctx);
        Ok(())
    }
}

impl Watcher {
    /// Reports, and looks at everybody first where some are not well and not known.
    fn publish(&mut self, ctx: &Context<Self>) {
        if self.machine.is_to_survey() {
            self.survey(ctx);
        } else {
            self.health.publish(self.machine.report());
        }
    }

    fn survey(&mut self, ctx: &Context<Self>) {
        self.missed = self.events.missed();
        self.machine.step(Input::Surveyed(ctx.observer().snapshot()));
        self.health.publish(self.machine.report());
    }
}
