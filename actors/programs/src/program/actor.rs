//! The agent: hands posts to its program, one way or the other.

use std::sync::Arc;

use serde_json::Value;
use triarch_supervision::prelude::*;
use triarch_teams::Post;

use super::exec::Runs;
use super::machine::Machine;
use super::plan::{Parts, Plan};
use super::talk::Talk;
use crate::settings::Mode;

/// An agent that is a program.
#[derive(Debug)]
pub struct Program(Work);

#[derive(Debug)]
enum Work {
    Talk(Box<Talk>),
    Runs(Runs),
    Unborn(Unborn),
}

/// A life whose program did not begin. It fails as soon as it lives, so that one program that is not there keeps no
/// team from starting.
#[derive(Debug)]
struct Unborn {
    plan: Arc<Parts>,
    failure: Failure,
}

impl Unborn {
    /// Whoever lives next gets the post.
    fn take(&self, post: Post) {
        let mut machine = Machine::new(self.plan.bounds(), self.plan.take_carried());
        machine.take(post, Moment::now());
        let (carried, _none) = machine.end();
        self.plan.carry(carried);
    }
}

impl Agent for Program {
    type Message = Post;
    type Spec = Plan;

    const KIND: AgentKind = AgentKind::Program;

    async fn start(Plan(plan): Plan, ctx: &mut Context<Self>) -> Result<Self, Failure> {
        let incarnation = ctx.incarnation();
        if plan.mode == Mode::Exec {
            return Ok(Self(Work::Runs(Runs::new(plan, incarnation))));
        }
        Ok(Self(match Talk::begin(Arc::clone(&plan), incarnation).await {
            Ok(talk) => Work::Talk(Box::new(talk)),
            Err(error) => Work::Unborn(Unborn {
                plan,
                failure: error.into(),
            }),
        }))
    }

    async fn handle(&mut self, post: Post, ctx: &mut Context<Self>) -> Result<(), Failure> {
        match &mut self.0 {
            Work::Talk(talk) => talk.take(post, ctx).await,
            Work::Runs(runs) => Box::pin(runs.take(post, ctx)).await,
            Work::Unborn(unborn) => unborn.take(post),
        }
        Ok(())
    }

    async fn attend(&mut self, ctx: &mut Context<Self>) -> Result<(), Failure> {
        match &mut self.0 {
            Work::Talk(talk) => talk.turn(ctx).await,
            Work::Runs(_) => std::future::pending().await,
            Work::Unborn(unborn) => Err(unborn.failure.clone()),
        }
    }

    async fn stop(&mut self, reason: &ExitReason, _ctx: &mut Context<Self>) {
        if let Work::Talk(talk) = &mut self.0 {
            talk.finish(reason).await;
        }
    }

    fn state(&self) -> Option<Value> {
        match &self.0 {
            Work::Talk(talk) => Some(talk.state()),
            Work::Runs(runs) => Some(runs.state()),
            Work::Unborn(_) => None,
        }
    }
}
