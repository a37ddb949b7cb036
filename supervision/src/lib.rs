//! Typed bounded mailboxes, agents and OTP supervisors on ractor: the ground every Triarch agent stands on.
#![forbid(unsafe_code)]

pub mod address;
pub mod agent;
pub mod ask;
pub mod child;
pub mod clock;
pub mod dead_letter;
pub mod error;
mod mailbox;
pub mod message;
pub mod metrics;
pub mod name;
pub mod panics;
pub mod policy;
pub mod reason;
pub mod supervisor;
mod sync;
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

/// What most users of the crate name.
pub mod prelude {
    pub use crate::address::{Address, AskError, Refusal, SendError};
    pub use crate::agent::{Agent, Context, Down, OnError, OnStuck, TimerId};
    pub use crate::ask::{NoAnswer, Reply};
    pub use crate::child::Child;
    pub use crate::clock::Moment;
    pub use crate::dead_letter::DeadReason;
    pub use crate::error::{BuildError, StartError};
    pub use crate::message::{Message, Overflow, Priority};
    pub use crate::policy::{AutoShutdown, Backoff, Intensity, OnLimit, Restart, Shutdown, Strategy};
    pub use crate::reason::{ExitReason, Failure};
    pub use crate::supervisor::machine::{ChildState, Decision, Outcome};
    pub use crate::supervisor::{CallError, Supervisor, SupervisorHandle};
    pub use crate::tree::{Event, Observer, Phase, Root, RootEnd, Tree, What};
}
