//! An agent around another, through which faults strike.

use std::fmt;

use super::faults::{Callback, Faults};
use crate::agent::{Agent, AgentKind, Context};
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

/// The place of the wrapper, lent to the agent in it for one callback. It comes back also from a callback that is dropped
/// where it waits.
struct Lent<'a, A: Agent> {
    from: &'a mut Context<Faulty<A>>,
    place: Context<A>,
}

impl<'a, A: Agent> Lent<'a, A> {
    fn of(from: &'a mut Context<Faulty<A>>) -> Self {
        let place = from.lend();
        Self { from, place }
    }
}

impl<A: Agent> Drop for Lent<'_, A> {
    fn drop(&mut self) {
        self.from.take_back(&mut self.place);
    }
}

impl<A: Agent> Agent for Faulty<A> {
    type Message = A::Message;
    type Spec = (A::Spec, Faults);

    const KIND: AgentKind = A::KIND;
    const HANDED: Option<fn(&A::Message)> = A::HANDED;
    const EMPTIES_ITS_MAILBOX: bool = A::EMPTIES_ITS_MAILBOX;

    async fn start((spec, faults): Self::Spec, ctx: &mut Context<Self>) -> Result<Self, Failure> {
        faults.strike(Callback::Start).await?;
        let agent = A::start(spec, &mut Lent::of(ctx).place).await?;
        Ok(Self {
            agent,
            end: End(faults),
        })
    }

    async fn handle(&mut self, message: A::Message, ctx: &mut Context<Self>) -> Result<(), Failure> {
        self.end.0.strike(Callback::Handle).await?;
        self.agent.handle(message, &mut Lent::of(ctx).place).await
    }

    async fn idle(&mut self, ctx: &mut Context<Self>) -> Result<(), Failure> {
        self.agent.idle(&mut Lent::of(ctx).place).await
    }

    async fn attend(&mut self, ctx: &mut Context<Self>) -> Result<(), Failure> {
        self.agent.attend(&mut Lent::of(ctx).place).await
    }

    async fn stop(&mut self, reason: &ExitReason, ctx: &mut Context<Self>) {
        // An error has no meaning here.
        let _struck = self.end.0.strike(Callback::Stop).await;
        self.agent.stop(reason, &mut Lent::of(ctx).place).await;
    }

    fn state(&self) -> Option<serde_json::Value> {
        self.agent.state()
    }
}
