//! The agent: hands posts to its program, one way or the other.

use serde_json::Value;
use triarch_supervision::prelude::*;
use triarch_teams::Post;

use super::exec::Runs;
use super::plan::Plan;
use super::talk::Talk;
use crate::settings::Mode;

/// An agent that is a program.
#[derive(Debug)]
pub struct Program(Work);

#[derive(Debug)]
enum Work {
    Talk(Box<Talk>),
    Runs(Runs),
}

impl Agent for Program {
    type Message = Post;
    type Spec = Plan;

    async fn start(Plan(plan): Plan, ctx: &mut Context<Self>) -> Result<Self, Failure> {
        let incarnation = ctx.incarnation();
        Ok(Self(match plan.mode {
            Mode::Lines => Work::Talk(Box::new(Talk::begin(plan, incarnation).await?)),
            Mode::Exec => Work::Runs(Runs::new(plan, incarnation)),
        }))
    }

    async fn handle(&mut self, post: Post, ctx: &mut Context<Self>) -> Result<(), Failure> {
        match &mut self.0 {
            Work::Talk(talk) => talk.take(post, ctx).await,
            Work::Runs(runs) => Box::pin(runs.take(post, ctx)).await,
        }
        Ok(())
    }

    async fn attend(&mut self, ctx: &mut Context<Self>) -> Result<(), Failure> {
        match &mut self.0 {
            Work::Talk(talk) => talk.turn(ctx).await,
            Work::Runs(_) => std::future::pending().await,
        }
    }

    async fn stop(&mut self, reason: &ExitReason, _ctx: &mut Context<Self>) {
        if let Work::Talk(talk) = &mut self.0 {
            talk.finish(reason).await;
        }
    }

    fn state(&self) -> Option<Value> {
        Some(match &self.0 {
            Work::Talk(talk) => talk.state(),
            Work::Runs(runs) => runs.state(),
        })
    }
}
