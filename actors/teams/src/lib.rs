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
//!
//! # Kinds
//!
//! [`natives`] has those that are built in:
//!
//! | kind | what it does |
//! |---|---|
//! | `echo` | answers each post with its body; fails now and then where it is told to |
//! | `timer` | sends a post each so often, or once a day |
//! | `load` | sends posts at an even rate, and hears what becomes of them |
//! | `http-check` | asks a web server each so often whether it is well, and tells of changes |
//! | `file-watch` | looks at files and folders each so often, and tells what came, changed and went |
//!
//! A kind of one's own is a type for its settings, one for the agent, and one that makes the latter of the former:
//!
//! ```
//! use triarch_supervision::prelude::*;
//! use triarch_teams::{Kind, Kinds, Post, Seat, SettingError, TeamConfig, members};
//!
//! #[derive(Clone, serde::Deserialize, schemars::JsonSchema)]
//! #[serde(deny_unknown_fields)]
//! struct Settings {
//!     /// How it begins each answer.
//!     greeting: String,
//! }
//!
//! struct Greeter(String);
//!
//! impl Agent for Greeter {
//!     type Message = Post;
//!     type Spec = String;
//!
//!     async fn start(greeting: String, _ctx: &mut Context<Self>) -> Result<Self, Failure> {
//!         Ok(Self(greeting))
//!     }
//!
//!     async fn handle(&mut self, post: Post, _ctx: &mut Context<Self>) -> Result<(), Failure> {
//!         post.receipt.done(format!("{}, {}", self.0, post.from).into());
//!         Ok(())
//!     }
//! }
//!
//! struct Greeters;
//!
//! impl Kind for Greeters {
//!     type Settings = Settings;
//!     type Agent = Greeter;
//!
//!     fn name(&self) -> &'static str { "greeter" }
//!     fn about(&self) -> &'static str { "Greets whoever writes to it." }
//!     fn spec(&self, seat: Seat<Settings>) -> Result<String, SettingError> { Ok(seat.settings.greeting) }
//! }
//!
//! let team = r#"{ "name": "inn", "agent": [{ "name": "host", "kind": "greeter", "greeting": "Welcome" }] }"#;
//! let team: TeamConfig = serde_json::from_str(team)?;
//! assert_eq!(members(&team, &Kinds::new().with(Greeters))?.len(), 1);
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```
#![forbid(unsafe_code)]

mod check;
mod config;
mod errand;
mod error;
mod kind;
mod member;
pub mod metrics;
mod natives;
mod places;
mod post;
pub mod receipt;
mod room;
mod size;
mod span;

pub use check::Collision;
pub use config::{
    AgentConfig, BackoffConfig, DispatchConfig, IntensityConfig, MailboxConfig, OnLimitConfig, OverflowConfig,
    REPLICAS_MAX, RestartConfig, Rules, TASKS_MAX, TaskRules, TeamConfig, TeamStrategy,
};
pub use errand::{EVENT, Errand, RECALL};
pub use error::{SettingError, TeamError};
pub use kind::{Kind, Kinds, Seat};
pub use member::Member;
pub use natives::natives;
pub use places::Places;
pub use post::{Brief, BriefInput, NoPostId, Post, PostId, PostOffice};
pub use receipt::Receipt;
pub use room::{Members, faults, member, members, names, room, staffed};
pub use size::{Size, as_size};
pub use span::{NoSpan, Span, as_span};

/// A description of a small team to watch, as `[[team]]` of a configuration in TOML.
pub const DEMO: &str = include_str!("../demo.toml");
