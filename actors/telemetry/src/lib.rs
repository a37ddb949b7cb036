//! Writes one line for each turn in the life of an agent, louder where it keeps failing and fewer where there are many.
//!
//! The room `telemetry` stands first in the tree, so that it sees everybody else start and stop.
//!
//! ```text
//!   supervisors ──events──▶ lifecycle ──▶ machine ──lines──▶ Output ──▶ stderr
//!                           every beat    level,              text or
//!                                         rate limit          JSON lines
//! ```
//!
//! ```
//! use triarch_supervision::metrics::families::TREE;
//! use triarch_supervision::metrics::{Catalogue, Instruments, TELEMETRY};
//! use triarch_supervision::prelude::*;
//! use triarch_telemetry::{Config, Output, metrics, room};
//!
//! # tokio::runtime::Builder::new_current_thread().enable_all().build()?.block_on(async {
//! let instruments = Instruments::new(Catalogue::new(&[&TREE[..], &[metrics::LIFECYCLE, TELEMETRY]].concat())?);
//! let telemetry = room(Config::default(), Output::stderr(), &instruments)?;
//! let tree = Root::new().instruments(instruments).supervisor(telemetry).start().await?;
//! assert!(tree.stop().await.is_orderly());
//! # Ok::<(), Box<dyn std::error::Error>>(()) })?;
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```
#![forbid(unsafe_code)]

mod config;
mod error;
mod lifecycle;
pub mod metrics;
mod output;
mod room;

pub use config::{Config, Format, Limits};
pub use error::Error;
pub use output::Output;
pub use room::room;
