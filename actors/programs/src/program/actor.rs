//! The agent: hands posts to its program, one way or the other.

use std::sync::Arc;

use serde_json::Value;
use triarch_supervision::agent::AgentKind;
use triarch_supervision::prelude::*;
use triarch_teams::Post;
use triarch_teams::receipt::Failures;

use super::exec::Runs;
use super::plan::Plan;
use super::talk::Talk;
use super::unborn::Unborn;
use crate::settings::Mode;

/// An agent that is a program.
#[derive(Debug)]
pub struct Program {
    work: Work,
    failures: Failures,
}

#[derive(Debug)]
enum Work {
    Talk(Box<Talk>),
    Runs(Runs),
    Unborn(Box<Unborn>),
}

impl Agent for Program {
    type Message = Post;
    type Spec = Plan;

    const KIND: AgentKind = AgentKind::Program;
    /// A post is delivered once its program has it, which this agent says.
    const HANDED: Option<fn(&Post)> = None;

    async fn start(Plan(plan): Plan, ctx: &mut Context<Self>) -> Result<Self, Failure> {
        let incarnation = ctx.incarnation();
        let failures = plan.failures.clone();
        plan.links.records.count_failures_at(&plan.path, &failures);
        if plan.mode == Mode::Exec {
            let work = Work::Runs(Runs::new(plan, incarnation));
            return Ok(Self { work, failures });
        }
        let work = match Talk::begin(Arc::clone(&plan), incarnation).await {
            Ok(talk) => Work::Talk(Box::new(talk)),
            Err(error) => Work::Unborn(Box::new(Unborn::of(plan, incarnation, error))),
        };
        Ok(Self { work, failures })
    }

    async fn handle(&mut self, mut post: Post, ctx: &mut Context<Self>) -> Result<(), Failure> {
        post.receipt.count_failure_at(&self.failures);
        match &mut self.work {
            Work::Talk(talk) => talk.take(post, ctx).await,
            Work::Runs(runs) => Box::pin(runs.take(post, ctx)).await,
            Work::Unborn(unborn) => {
                if let Some(talk) = Box::pin(unborn.begin_for(post, ctx)).await? {
                    self.work = Work::Talk(Box::new(talk));
                }
            }
        }
        Ok(())
    }

    async fn attend(&mut self, ctx: &mut Context<Self>) -> Result<(), Failure> {
        match &mut self.work {
            Work::Talk(talk) => talk.turn(ctx).await,
            Work::Runs(_) => std::future::pending().await,
            Work::Unborn(unborn) => {
                let talk = Box::pin(unborn.begin()).await?;
                self.work = Work::Talk(Box::new(talk));
                Ok(())
            }
        }
    }

    async fn stop(&mut self, reason: &ExitReason, ctx: &mut Context<Self>) {
        if let Work::Talk(talk) = &mut self.work {
            talk.finish(reason, &ctx.observer()).await;
        }
    }

    fn state(&self) -> Option<Value> {
        match &self.work {
            Work::Talk(talk) => Some(talk.state()),
            Work::Runs(runs) => Some(runs.state()),
            Work::Unborn(unborn) => Some(unborn.state()),
        }
    }
}
