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

    /// What each incarnation starts from: a clone of what [`Child::of`](crate::Child::of) was given. What cannot be
    /// cloned, such as a socket, is for one life: in an `Arc<Mutex<Option<_>>>` from which `start` takes it, for a child
    /// that is [temporary](crate::policy::Restart::Temporary), as [`Agent::attend`] shows.
    type Spec: Clone + Send + Sync + 'static;

    /// What kind of agent it is counted and shown as.
    const KIND: AgentKind = AgentKind::Native;

    /// What a message is told right before [`handle`](Agent::handle) gets it, or takes it by [`Context::next_of_batch`]: what its type says, unless its agent tells it by itself.
    const HANDED: Option<fn(&Self::Message)> = <Self::Message as Message>::HANDED;

    /// Whether, asked to stop, it handles what lies in its mailbox before it does: for one to which others hand what they do
    /// not wait for. Else it stops before the next message, however many lie there. Its shutdown time holds for all of it.
    const EMPTIES_ITS_MAILBOX: bool = false;

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
    /// be lost where it is dropped at an `await`. A timer set in it counts once it has returned. One that returns
    /// without having waited keeps its thread busy: end the agent where nothing more will come.
    ///
    /// ```
    /// # use std::sync::{Arc, Mutex, PoisonError};
    /// # use tokio::io::{AsyncBufReadExt, AsyncWriteExt, BufReader, DuplexStream, Lines, ReadHalf, WriteHalf, duplex, split};
    /// # use triarch_supervision::prelude::*;
    /// struct Line(String);
    ///
    /// impl Message for Line {}
    ///
    /// /// Answers each line in capitals.
    /// struct Connection {
    ///     lines: Lines<BufReader<ReadHalf<DuplexStream>>>,
    ///     out: WriteHalf<DuplexStream>,
    /// }
    ///
    /// impl Agent for Connection {
    ///     type Message = Line;
    ///     type Spec = Arc<Mutex<Option<DuplexStream>>>; // a stream is for one life
    ///
    ///     async fn start(stream: Self::Spec, _ctx: &mut Context<Self>) -> Result<Self, Failure> {
    ///         let stream = stream.lock().unwrap_or_else(PoisonError::into_inner).take();
    ///         let (read, out) = split(stream.ok_or_else(Failure::ignore)?);
    ///         Ok(Self { lines: BufReader::new(read).lines(), out })
    ///     }
    ///
    ///     async fn attend(&mut self, ctx: &mut Context<Self>) -> Result<(), Failure> {
    ///         // `next_line` keeps what it has read where it is dropped; a `write_all` would not, so that is for `handle`.
    ///         match self.lines.next_line().await? {
    ///             Some(line) => ctx.address().try_send(Line(line))?,
    ///             None => ctx.stop(),
    ///         }
    ///         Ok(())
    ///     }
    ///
    ///     async fn handle(&mut self, Line(text): Line, _ctx: &mut Context<Self>) -> Result<(), Failure> {
    ///         Ok(self.out.write_all((text.to_uppercase() + "\n").as_bytes()).await?)
    ///     }
    /// }
    ///
    /// # tokio::runtime::Builder::new_current_thread().enable_all().build()?.block_on(async {
    /// let (near, far) = duplex(64);
    /// let spec = Arc::new(Mutex::new(Some(far)));
    /// let connection = Child::of::<Connection>("connection", spec).restart(Restart::Temporary);
    /// # let address = connection.address();
    /// let tree = Root::new().supervisor(Supervisor::named("door").child(connection)).start().await?;
    /// let mut near = BufReader::new(near);
    /// near.write_all(b"hello\n").await?;
    /// let mut answer = String::new();
    /// near.read_line(&mut answer).await?;
    /// assert_eq!(answer, "HELLO\n");
    /// # drop(near);
    /// # while !address.is_closed() { tokio::task::yield_now().await; }
    /// # tree.stop().await;
    /// # Ok::<(), Box<dyn std::error::Error>>(()) })?;
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
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

/// What an agent is to those who count and show it: the word `kind` of metrics and screens.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, serde::Serialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum AgentKind {
    /// It works in this process.
    #[default]
    Native,
    /// It is a process of its own.
    Program,
}

impl AgentKind {
    /// The word used in metrics and screens.
    pub const fn label(self) -> &'static str {
        match self {
            Self::Native => "native",
            Self::Program => "program",
        }
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
