//! What an agent is: a type with messages, a specification it starts from, and callbacks.

mod context;
pub(crate) mod current;
mod life;
pub(crate) mod shell;
mod timers;

use std::future::Future;

pub use context::{Context, Down};
pub(crate) use life::Handling;
pub use timers::TimerId;

use crate::message::Message;
use crate::reason::{ExitReason, Failure};

/// A leaf of the tree: it takes messages and does work.
///
/// Each incarnation is a value of its own: `start` makes it from the specification, `handle` is given one
/// message at a time, `stop` ends it. A panic or an error in any of them is a failure of this agent alone; its
/// supervisor decides what follows.
///
/// ```
/// use triarch_supervision::prelude::*;
///
/// enum Count {
///     Add(u64),
///     Total(Reply<u64>),
/// }
///
/// impl Message for Count {}
///
/// struct Counter {
///     total: u64,
/// }
///
/// impl Agent for Counter {
///     type Message = Count;
///     type Spec = u64;
///
///     async fn start(from: u64, _ctx: &mut Context<Self>) -> Result<Self, Failure> {
///         Ok(Self { total: from })
///     }
///
///     async fn handle(&mut self, message: Count, _ctx: &mut Context<Self>) -> Result<(), Failure> {
///         match message {
///             Count::Add(more) => self.total += more,
///             Count::Total(reply) => reply.send(self.total),
///         }
///         Ok(())
///     }
/// }
/// ```
pub trait Agent: Sized + Send + 'static {
    /// What it is sent.
    type Message: Message;

    /// What each incarnation starts from.
    type Spec: Clone + Send + Sync + 'static;

    /// Begins an incarnation. [`Failure::ignore`] declines without failing.
    fn start(spec: Self::Spec, ctx: &mut Context<Self>) -> impl Future<Output = Result<Self, Failure>> + Send;

    /// Handles one message. No other runs until it returns.
    fn handle(
        &mut self,
        message: Self::Message,
        ctx: &mut Context<Self>,
    ) -> impl Future<Output = Result<(), Failure>> + Send;

    /// Called when nothing waits any more, before coming to rest.
    fn idle(&mut self, _ctx: &mut Context<Self>) -> impl Future<Output = Result<(), Failure>> + Send {
        async { Ok(()) }
    }

    /// What it does beside its messages: reads from a socket, waits for a process.
    ///
    /// It is polled while the agent rests or is paused, and once after each turn of messages. It is dropped when a
    /// message, a timer or its supervisor calls, and begun anew afterwards, also when it has returned: so nothing may
    /// be lost where it is dropped at an `await`. A timer set in it counts once it has returned.
    fn attend(&mut self, _ctx: &mut Context<Self>) -> impl Future<Output = Result<(), Failure>> + Send {
        std::future::pending()
    }

    /// Ends an incarnation that was asked to stop, wished to, or failed by an error. Not called after a panic
    /// or a kill, when there is nothing sound left to call it on.
    fn stop(&mut self, _reason: &ExitReason, _ctx: &mut Context<Self>) -> impl Future<Output = ()> + Send {
        async {}
    }

    /// What it shows of itself when somebody observes it.
    fn state(&self) -> Option<serde_json::Value> {
        None
    }
}

/// What follows when a handler returns an error. A panic always ends the incarnation.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, serde::Serialize)]
#[serde(rename_all = "snake_case")]
pub enum OnError {
    /// The incarnation ends, and its supervisor decides.
    #[default]
    Fail,
    /// The agent keeps its state and goes on with the next message; the failure is counted and told.
    Resume,
}

/// What follows when a handler outlives its time budget, beyond being reported.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, serde::Serialize)]
#[serde(rename_all = "snake_case")]
pub enum OnStuck {
    /// Nothing more.
    #[default]
    Report,
    /// The incarnation is killed, and its supervisor decides.
    Restart,
}
