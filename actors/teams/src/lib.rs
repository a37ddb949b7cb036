//! Teams of the user's agents: what a team is made of, the posts its agents take, and receipts of what became of them.
//!
//! Agents of a team are of different makes, a Rust actor beside a program in Python, and anybody may write to any of
//! them. So they all take one type of message, the [`Post`]: a kind, a body in JSON, and the way back for
//! [receipts](receipt).
//!
//! ```text
//!   TeamConfig ──▶ Kinds ──▶ Member ──┬─▶ Supervisor       when the tree is built
//!   name, rules    by the name        │
//!   agents         of its kind        └─▶ SupervisorHandle  while it runs
//! ```
#![forbid(unsafe_code)]

mod check;
mod config;
mod error;
mod kind;
mod member;
pub mod metrics;
mod post;
pub mod receipt;
mod room;
mod span;

pub use check::Collision;
pub use config::{
    AgentConfig, BackoffConfig, IntensityConfig, MailboxConfig, OnLimitConfig, OverflowConfig, REPLICAS_MAX, RestartConfig, Rules,
    TeamConfig, TeamStrategy,
};
pub use error::{SettingError, TeamError};
pub use kind::{Kind, Kinds, Seat};
pub use member::Member;
pub use post::{NoPostId, Post, PostId, PostOffice};
pub use receipt::Receipt;
pub use room::{Members, member, members, names, room};
pub use span::Span;
