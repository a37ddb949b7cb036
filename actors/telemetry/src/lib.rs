//! Shows how the tree is: a lifecycle log, metrics for Prometheus, and health for whoever checks it.
//!
//! The room `telemetry` stands first in the tree, so that it sees everybody else start and stop.
//!
//! ```text
//!   supervisors ──events──▶ lifecycle ──▶ machine ──lines──▶ Output ──▶ stderr
//!                  │        every beat    level,              text or
//!                  │                      rate limit          JSON lines
//!                  ├──────▶ events ──all─▶ EventLog ──▶ files, bounded, across the ends of the runtime
//!                  ├──────▶ health ─────▶ machine ──report─▶ Health ──▶ /health/live, /health/ready
//!                  │                                           ▲
//!                  │        heartbeat ──────beats──────────────┘
//!   Instruments ───┴───────────────────────────────────────▶ Exposition ──▶ /metrics
//!   other libraries ──▶ facade `metrics` ──▶ recorder ◀── upkeep
//! ```
//!
//! [`Exposition`], [`EventLog`] and [`Health`] are handles: they are made before the tree starts, given to whoever opens a door, and
//! outlive the incarnations of the agents that feed them.
//!
//! ```
//! use triarch_supervision::metrics::families::TREE;
//! use triarch_supervision::metrics::{Catalogue, Instruments};
//! use triarch_supervision::prelude::*;
//! use triarch_telemetry::{Config, Exposition, Health, Output, metrics, room};
//!
//! # tokio::runtime::Builder::new_current_thread().enable_all().build()?.block_on(async {
//! let instruments = Instruments::new(Catalogue::new(&[&TREE[..], &metrics::SECTIONS].concat())?);
//! let exposition = Exposition::new(instruments.clone(), Health::new(&["telemetry"]), "0.1.0")?;
//! let telemetry = room(Config::default(), Output::stderr(), None, &exposition)?;
//! let tree = Root::new().instruments(instruments).supervisor(telemetry).start().await?;
//! let is_shown = exposition.page(&tree.observer(), |page| page.contains("triarch_supervision_depth 3")).await;
//! assert!(is_shown);
//! assert!(tree.stop().await.is_orderly());
//! # Ok::<(), Box<dyn std::error::Error>>(()) })?;
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```
#![forbid(unsafe_code)]

mod config;
mod error;
mod events;
mod executor;
mod exposition;
pub mod files;
mod foreign;
mod health;
mod heartbeat;
mod lifecycle;
mod loudness;
pub mod metrics;
mod objectives;
mod output;
mod page;
mod process;
mod room;
mod upkeep;
mod wall_clock;

pub use config::{Config, Format, Limits};
pub use error::Error;
pub use events::{EventLog, PastChange};
pub use exposition::{CONTENT_TYPE, Exposition};
pub use health::{BEAT_AGE_MAX, Cause, Health, Reason, Report, Sign, State};
pub use lifecycle::Level;
pub use loudness::Loudness;
pub use objectives::{ANSWER_MAX, MESSAGE_WAIT_MAX, RECOVERY_MAX};
pub use output::Output;
pub use room::room;
