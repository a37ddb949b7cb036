//! Typed bounded mailboxes, agents and OTP supervisors on ractor: the ground every Triarch agent stands on.
//!
//! An [`Agent`] is a type that handles messages one at a time. A [`Child`] is its specification: a name, what each
//! life starts from, and what happens when it ends. A [`Supervisor`] starts, stops and restarts its children by OTP's
//! rules. A [`Root`] holds the supervisors. There are three levels, always: root, supervisor, agent.
//!
//! Messages travel through a bounded mailbox that belongs to the child specification, not to one life of the agent.
//! So an [`Address`] stays valid through restarts, and what was queued stays queued.
//!
//! - [A first tree](#a-first-tree)
//! - [A restart](#a-restart)
//! - [Modules in reading order](#modules-in-reading-order)
//! - [The way of a message](#the-way-of-a-message)
//! - [When something fails](#when-something-fails)
//! - [When a mailbox is full](#when-a-mailbox-is-full)
//! - [What it costs](#what-it-costs)
//! - [What there is and what there is not](#what-there-is-and-what-there-is-not)
//! - [What it needs](#what-it-needs)
//!
//! # A first tree
//!
//! ```
//! use triarch_supervision::prelude::*;
//!
//! enum Count {
//!     Add(u64),
//!     Total(Reply<u64>),
//! }
//!
//! impl Message for Count {}
//!
//! struct Counter {
//!     total: u64,
//! }
//!
//! impl Agent for Counter {
//!     type Message = Count;
//!     type Spec = u64; // each life starts from a clone of it
//!
//!     async fn start(from: u64, _ctx: &mut Context<Self>) -> Result<Self, Failure> {
//!         Ok(Self { total: from })
//!     }
//!
//!     async fn handle(&mut self, message: Count, _ctx: &mut Context<Self>) -> Result<(), Failure> {
//!         match message {
//!             Count::Add(more) => self.total += more,
//!             Count::Total(reply) => reply.send(self.total),
//!         }
//!         Ok(())
//!     }
//! }
//!
//! #[tokio::main]
//! async fn main() -> Result<(), Box<dyn std::error::Error>> {
//!     let counter = Child::of::<Counter>("counter", 40);
//!     let address = counter.address(); // valid already: what is sent now waits for the start
//!     let tree = Root::new().supervisor(Supervisor::named("team").child(counter)).start().await?;
//!
//!     address.send(Count::Add(2)).await?; // held back while the mailbox is full
//!     assert_eq!(address.ask(Count::Total).await?, 42);
//!     assert_eq!(&*address.path(), "team/counter");
//!
//!     let end = tree.stop().await; // right to left, each child within its time
//!     assert!(end.is_orderly());
//!     Ok(())
//! }
//! ```
//!
//! # A restart
//!
//! The handler fails, the supervisor starts the next life, and the same address reaches it. Of the messages only the
//! one in hand is lost, and it is counted.
//!
//! ```
//! use triarch_supervision::dead_letter::DeadReason;
//! use triarch_supervision::prelude::*;
//!
//! enum Job {
//!     Life(Reply<u64>),
//!     Fail,
//! }
//!
//! impl Message for Job {}
//!
//! struct Worker;
//!
//! impl Agent for Worker {
//!     type Message = Job;
//!     type Spec = ();
//!
//!     async fn start((): (), _ctx: &mut Context<Self>) -> Result<Self, Failure> {
//!         Ok(Self)
//!     }
//!
//!     async fn handle(&mut self, job: Job, ctx: &mut Context<Self>) -> Result<(), Failure> {
//!         match job {
//!             Job::Life(reply) => reply.send(ctx.incarnation()),
//!             Job::Fail => return Err(Failure::new("told to")),
//!         }
//!         Ok(())
//!     }
//! }
//!
//! #[tokio::main]
//! async fn main() -> Result<(), Box<dyn std::error::Error>> {
//!     let worker = Child::of::<Worker>("worker", ());
//!     let address = worker.address();
//!     let tree = Root::new().supervisor(Supervisor::named("team").child(worker)).start().await?;
//!     assert_eq!(address.ask(Job::Life).await?, 1);
//!
//!     address.send(Job::Fail).await?;
//!     assert_eq!(address.ask(Job::Life).await?, 2); // the same address, the next life
//!
//!     let node = tree.observer().node("team/worker")?;
//!     assert_eq!((node.incarnation, node.restarts), (2, 1));
//!     assert!(matches!(node.last_exit, Some(ExitReason::Error(_))));
//!     assert_eq!(tree.observer().dead_letters().count(DeadReason::Crashed), 1);
//!     assert!(tree.stop().await.is_orderly());
//!     Ok(())
//! }
//! ```
//!
//! # Modules in reading order
//!
//! | module | what it holds |
//! |---|---|
//! | [`message`] | what a message type declares: overflow, lanes, redelivery |
//! | [`agent`] | the [`Agent`] trait, and the [`Context`](agent::Context) its callbacks get: timers, watches, the own address |
//! | [`address`] | sending and asking, and why either was refused |
//! | [`ask`] | the [`Reply`](ask::Reply), and why no answer came |
//! | [`child`] | child specifications of agents |
//! | [`policy`] | OTP's words: restart, shutdown, strategy, intensity, auto-shutdown; and backoff, quarantine |
//! | [`supervisor`] | how a supervisor is described, and the calls it takes at run time |
//! | [`tree`] | the root, and the [`Observer`](tree::Observer) that sees and reaches every node |
//! | [`reason`], [`error`], [`name`] | why something ended, why a tree does not start, what a name may be |
//! | [`dead_letter`] | messages that reached no handler: counted, the last ones kept and replayable |
//! | [`clock`] | moments and chance, as machines see them |
//! | [`panics`] | the panic hook |
//! | [`metrics`] | a catalogue of metric families and the instruments that fill it |
//! | `testing` (feature `testing`) | worlds with a paused clock and a seed, probes, faults |
//!
//! Behind them lie `supervisor::machine` (what a supervisor decides: a pure function, without actors, clock or chance),
//! `mailbox` (the hatch, the line, the bell) and `time` (the wheel and its keeper).
//!
//! # The way of a message
//!
//! ```text
//!  sender                       mailbox, of the child specification             agent, one incarnation
//!                    ┌─────────────────────────────────────────────────┐
//!  admit ───────────▶│ hatch  word: tail │ closed │ waiters │ idle     │◀── come to rest
//!    │               │                                                 │
//!    ├ admitted: put │        tray: ▯▯▯▯▯▯▯                            │──▶ take the tray ──▶ handle
//!    │      ────────▶│                                                 │◀── leave the emptied one
//!    │               │                                                 │
//!    ├ was idle: ring│ bell ───────────────────────────────────────────│──▶ wake the task
//!    │               │                                                 │
//!    └ full: wait ──▶│ line   first come, first served ◀── room ───────│◀── release
//!                    └─────────────────────────────────────────────────┘
//! ```
//!
//! 1. The sender *admits* itself at the hatch, under its lock: a word counts all messages ever admitted and is held
//!    against a limit. It learns whether the agent was idle.
//! 2. It *puts* the message on the tray, and lets go of the hatch.
//! 3. If the agent was idle it *rings* the bell, which wakes the task of the agent's ractor actor. ractor's own mailbox
//!    carries one message in the life of an agent and is not on this way.
//! 4. The agent *takes* the tray away, whole, leaves its emptied one, and handles one message after the other without
//!    meeting anybody. After 100 µs, or 8,192 messages, it gives way to other tasks.
//! 5. It *releases* the room of taken messages in portions: a quarter of the capacity, at most 256. Until then they
//!    count against the bound. Room goes to the line first.
//!
//! A message type with lanes ([`Message::PRIORITY`]), and a mailbox that drops its oldest, have a tray per lane,
//! from which the agent takes message by message, and releases room for each. The most urgent lane goes first; each other lane is
//! served first once in sixteen turns.
//!
//! Messages of one sender in one lane are handled in their order. Between senders the order is that of their admissions.
//!
//! # When something fails
//!
//! | what happens | who decides, and what follows | what sender or asker sees |
//! |---|---|---|
//! | `handle` returns an error | the child's [`OnError`](agent::OnError): `Fail` ends the incarnation (`stop` is called) and its supervisor decides; `Resume` keeps the state and goes on | a sender nothing; the asker [`NoAnswer::Crashed`](ask::NoAnswer::Crashed) |
//! | a callback panics | the incarnation ends, `stop` is not called; its supervisor decides | the same |
//! | the message in hand at either | [`Message::REDELIVERY`]: dead letter `crashed`, or handed out again before all others; after the last time dead letter `poison`, which can be replayed | the asker `Crashed` the first time; where the copy shares the reply, what a later life answers, or [`NoAnswer::Poison`](ask::NoAnswer::Poison) |
//! | messages that wait meanwhile | nobody: they stay, in their order, within the bound | senders are held back or refused as ever |
//! | `start` fails, panics or outlives its limit | in the tree's start: that fails, and what had started is stopped; in a restart: it counts as a restart and is tried again; in a call: the caller is told | messages wait |
//! | `start` declines ([`Failure::ignore`](reason::Failure::ignore)) | the child stays down, without a failure | messages wait |
//! | a handler outlives [`Child::handle_within`] | the child's [`OnStuck`](agent::OnStuck): told as an event, or killed besides | at the kill the asker `Crashed` |
//! | the agent ends itself ([`Context::stop`](agent::Context::stop)) | the child's [`Restart`](policy::Restart) | messages wait for a next life, if there is one |
//! | more restarts than the [`Intensity`](policy::Intensity) | the child's [`OnLimit`](policy::OnLimit): the supervisor gives up and fails in its parent's eyes, or the child is quarantined | messages wait |
//! | a supervisor fails | the root; static children keep their mailboxes, those added at run time leave the tree, unless it [remembers](Supervisor::remembers) | of the latter: `Closed` |
//! | the root gives up | nobody; [`Tree::wait`] returns, [`RootEnd::exit_code`](tree::RootEnd::exit_code) is 70 | `Closed` |
//! | the child leaves the tree | what is queued becomes dead letters `closed` | [`Refusal::Closed`](address::Refusal::Closed) with the message; the asker [`NoAnswer::Closed`](ask::NoAnswer::Closed) |
//! | a deadline passes ([`Address::send_before`]) | the message is not handled: dead letter `expired` | [`Refusal::Expired`](address::Refusal::Expired) if it still waited for room |
//! | an asker is dropped | its question is not handled if it is still queued: dead letter `expired` | - |
//! | a time limit passes ([`Address::ask_within`]) | the same | [`NoAnswer::Timeout`](ask::NoAnswer::Timeout) |
//! | a reply is dropped unused | nobody | [`NoAnswer::Unanswered`](ask::NoAnswer::Unanswered), once the handler has returned |
//! | agents would wait for each other for ever | the one that would close the circle does not wait | [`Refusal::Circle`](address::Refusal::Circle) with their paths |
//! | a child does not stop in its time | it is killed and named in [`RootEnd::late`](tree::RootEnd::late) if its supervisor was ending | - |
//!
//! A restart begins only when nothing is left of the incarnation before. A kill takes effect where a handler awaits; one
//! that blocks its thread cannot be killed, is told as `Unkillable`, and is not replaced while it lasts.
//!
//! # When a mailbox is full
//!
//! The policy is [`Message::OVERFLOW`], or [`Child::overflow`] where a child says otherwise.
//!
//! | policy | `send`, `send_many`, `blocking_send` | `try_send` | `ask` |
//! |---|---|---|---|
//! | `Wait` (default) | held back, first come, first served | `Full`, the message comes back | held back |
//! | `Reject` | `Full`, the message comes back | the same | `NotSent`, `Full` |
//! | `DropNewest` | `Ok`; the message is a dead letter `full` | the same | `NotAnswered`, `Full` |
//! | `DropOldest` | `Ok`; the oldest message of the least urgent lane is a dead letter `full` | the same | asked; `NotAnswered`, `Full` where it is pushed out later |
//!
//! `send_before` does as `send` does under `Wait`, no longer than its deadline, and as `try_send` does under the others.
//! A `send_many` is admitted as one, or in parts of the capacity where it is larger. Where there is not room for all,
//! `Reject` gives all of them back, `DropNewest` queues those that fit, and `DropOldest` keeps the last ones.
//!
//! # What it costs
//!
//! - **A send**: one lock, held for the admission and the move of the message to the tray, and no allocation of its own. A
//!   tray grows with its first burst and is kept; one that grew beyond 1,024 messages is given back when the agent
//!   rests.
//! - **The bell** rings when the word said *idle*: for the first message after a rest, not for those behind it.
//! - **The clock** is read for each message while 16 or fewer wait, beyond that for one in 128; for none of a type that
//!   is not [timed](Message::TIMED).
//! - **A sender** that finds the mailbox full stands in line. `send` gives way once in 128 messages where tokio's budget
//!   asks for it.
//! - **An agent** gives way to others on its thread after 100 µs, or 8,192 messages if they were quicker. It looks at the
//!   clock after two messages, four, eight and sixteen, and then more and more seldom: of those that take 50 µs and longer it handles
//!   four in a row, unless they wait for something. In a stream from another thread it lets messages gather for some microseconds.
//! - **`send_many`** is one admission, one push and at most one ring for all, and hands over the caller's own buffer,
//!   shrunk to its length. A handler that takes the rest of a batch by [`Context::next_of_batch`](crate::agent::Context::next_of_batch)
//!   is called once for it.
//! - **`ask`** allocates twice, for what asker and reply share and for its place in the queue, and more from within an
//!   agent, which looks for a circle. `ask_within` adds an entry in the tree's timing wheel.
//! - **`send_before`** allocates once, for its place in the queue.
//! - **Redelivery** costs its types a copy and an allocation per message; other types nothing.
//! - **Lanes** cost their types a release per message; other types nothing.
//! - **A plain message** of 16 bytes takes 24 in the queue.
//!
//! # What there is and what there is not
//!
//! There are: OTP's four strategies, its child specifications, intensity and auto-shutdown; backoff, quarantine, time
//! budgets; pausing and looking at state; dead letters with replay; events of all decisions; deadlock detection
//! between waiting agents.
//!
//! There are not:
//!
//! - **Distribution.** A tree lives in one process.
//! - **Persistence.** A mailbox ends with the process. Delivery is at most once, unless a type asks for redelivery.
//! - **Dynamic typing.** An address takes one message type; [`Observer::address`](tree::Observer::address) checks that
//!   the agent at a path takes it.
//! - **An unbounded mailbox.** A capacity is at least 1, and 1,024 where nothing is said.
//! - **Supervisors below supervisors.** A large team becomes several, by [`Supervisor::span`];
//!   one handle reaches them all.
//! - **Names for the whole process.** A path names a node within its tree.
//! - **A page of metrics.** Figures are read by [`Address::figures`] and [`Observer::snapshot`](tree::Observer::snapshot);
//!   the instruments of [`metrics`] are filled by whoever owns the tree.
//!
//! # What it needs
//!
//! - A tokio runtime with time enabled, of either flavour, at [`Root::start`], which else says that it is missing; the
//!   tree lives on it, also where the [`Tree`] is dropped. Sending works from
//!   any thread. Two waits need a runtime where they are made:
//!   [`Address::send_before`] that is held back, and [`Address::ask_within`] before the tree starts.
//! - Panics that unwind. With `panic = "abort"` a panic ends the process.
//! - Handlers that do not block their thread, as everywhere on tokio; [`Address::blocking_send`] is for other threads.
//! - ractor 0.16.5, exactly.
//!
//! Unsafe code is denied in this crate but for two hints to the processor. [`Root::start`] installs a [panic hook](panics) that keeps panics of agents
//! quiet.
#![deny(unsafe_code)]

pub mod address;
pub mod agent;
pub mod ask;
pub mod child;
pub mod clock;
pub mod dead_letter;
pub mod error;
#[cfg(shuttle)]
#[doc(hidden)]
pub mod explore;
mod mailbox;
pub mod message;
pub mod metrics;
pub mod name;
pub mod panics;
pub mod policy;
pub mod reason;
pub mod supervisor;
/// What the crates of this workspace lock by; no part of the interface.
#[doc(hidden)]
pub mod sync;
mod sys;
#[cfg(feature = "testing")]
pub mod testing;
mod time;
pub mod tree;

pub use address::Address;
pub use agent::Agent;
pub use child::Child;
pub use message::Message;
pub use supervisor::Supervisor;
pub use tree::{Root, Tree};

/// What the author of an agent names daily, and nothing else.
///
/// The rule: a name stands here if describing an agent, putting it in a tree, sending to it or asking it takes that name,
/// or the error of one of these has it. What is read by those who watch a tree (events, decisions, states, figures,
/// dead letters) or called at run time to change it is found in its module.
pub mod prelude {
    pub use crate::address::{Address, AskError, Refusal, SendError};
    pub use crate::agent::{Agent, AgentKind, Context, Down, OnError, OnStuck, TimerId};
    pub use crate::ask::{NoAnswer, Reply};
    pub use crate::child::Child;
    pub use crate::clock::Moment;
    pub use crate::error::StartError;
    pub use crate::message::{Message, Nothing, Overflow, Priority, Redelivery};
    pub use crate::policy::{AutoShutdown, Backoff, Intensity, OnLimit, Restart, Shutdown, Strategy};
    pub use crate::reason::{ExitReason, Failure, OrFail};
    pub use crate::supervisor::Supervisor;
    pub use crate::tree::{Root, Tree};
}
