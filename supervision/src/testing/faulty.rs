//! An agent around another, through which faults strike.

use std::fmt;

use super::faults::{Callback, Faults};
use crate::agent::{Agent, Context};
use crate::child::Child;
use crate::reason::{ExitReason, Failure};

/// `A` with faults: each callback first meets what its [`Faults`] have planned, then is `A`'s own.
///
/// It takes `A`'s messages, so whoever has its address need not know.
pub struct Faulty<A> {
    agent: A,
    end: End,
}

/// Dropped after the agent it belongs to.
struct End(Faults);

impl Drop for End {
    fn drop(&mut self) {
        self.0.strike_drop();
    }
}

impl<A> fmt::Debug for Faulty<A> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Faulty").finish_non_exhaustive()
    }
}

impl<A: Agent> Faulty<A> {
    /// A child that runs `A` from `spec`, with `faults`.
    pub fn child(name: impl Into<String>, spec: A::Spec, faults: &Faults) -> Child<Self> {
        Child::of::<Self>(name, (spec, faults.clone()))
    }
}

/// What `$callback` does in the name of the wrapped agent.
macro_rules! in_its_name {
    ($ctx:ident, $lent:ident => $callback:expr) => {{
        let mut $lent = $ctx.lend::<A>();
        let returned = $callback.await;
        $ctx.resume_from($lent);
        returned
    }};
}

impl<A: Agent> Agent for Faulty<A> {
    type Message = A::Message;
    type Spec = (A::Spec, Faults);

    async fn start((spec, faults): Self::Spec, ctx: &mut Context<Self>) -> Result<Self, Failure> {
        faults.strike(Callback::Start).await?;
        let agent = in_its_name!(ctx, lent => A::start(spec, &mut lent))?;
        Ok(Self {
            agent,
            end: End(faults),
        })
    }

    async fn handle(&mut self, message: A::Message, ctx: &mut Context<Self>) -> Result<(), Failure> {
        self.end.0.strike(Callback::Handle).await?;
        in_its_name!(ctx, lent => self.agent.handle(message, &mut lent))
    }

    async fn idle(&mut self, ctx: &mut Context<Self>) -> Result<(), Failure> {
        in_its_name!(ctx, lent => self.agent.idle(&mut lent))
    }

    async fn stop(&mut self, reason: &ExitReason, ctx: &mut Context<Self>) {
        // An error has no meaning here.
        let _struck = self.end.0.strike(Callback::Stop).await;
        in_its_name!(ctx, lent => self.agent.stop(reason, &mut lent));
    }

    fn state(&self) -> Option<serde_json::Value> {
        self.agent.state()
    }
}
