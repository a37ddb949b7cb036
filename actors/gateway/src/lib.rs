//! The doors of the runtime: a Unix socket for the command line, HTTP for Prometheus and health checks.
//!
//! ```text
//!   triarch … ──line──▶ socket ──▶ socket-7 ──Request──▶ Operations (the runtime)
//!            ◀──lines──            │   ▲─────progress, output or error─┘
//!                                  └─ one agent per connection, temporary
//!   Prometheus ──GET──▶ http ────▶ http-3 ──▶ Exposition, Health (telemetry)
//! ```
//!
//! A door is opened before the tree starts, by [`Doors::open`], so that what cannot be had is told as an error and not as
//! a tree that does not start; and a door that fails and is restarted loses nobody who waits before it. Each connection
//! is an agent of the room, so it is seen, bounded, and ended with the tree.
//!
//! # What the socket says
//! One line of JSON is a request, `{"operation":"agent.list","input":{…}}`. Lines `{"progress":…}` may follow, and lines
//! `{"part":…}` of a long output to one who asks for it in parts; the last is `{"output":…}` or
//! `{"error":{"code":4,"message":"…","remedy":"…"}}`. Requests of one connection are performed one after the other; who closes
//! the connection cancels the one in hand, who only closes its own direction still hears the answer. To one that asks nothing
//! when the runtime stops, that is said as the error of its next request.
//! [`Client`] is the other side.
//!
//! # What is refused
//! - On the socket: other users, whatever the file's mode; folders open to others; lines beyond 1 MiB; nesting beyond 64.
//! - On HTTP: a `Host` that is not exactly ours, with its port; any `Origin` but ours; targets in absolute form; heads beyond 16 KiB,
//!   or not complete within 5 s; connections without a request for 60 s.
//! - On both: more connections than allowed; the one that has kept its door waiting longest goes first. On the socket an eighth of
//!   the places is never given to operations that [stay](ProgressSink::stays), so that there is one for a question that
//!   waits for nobody, unless there is only one place in all.
//! - On the socket: who leaves an answer unread for a minute. What was asked for ends, and that is the last line there is to read.
//!
//! # How the runtime opens them
//!
//! ```no_run
//! use serde_json::json;
//! use triarch_gateway::{Code, Config, Doors, OperationError, Operations, ProgressSink, Request, Written, room};
//! use triarch_supervision::prelude::*;
//! # fn exposition() -> triarch_telemetry::Exposition { unreachable!() }
//!
//! struct Runtime;
//!
//! impl Operations for Runtime {
//!     async fn perform(&self, request: Request, progress: ProgressSink) -> Result<Written, OperationError> {
//!         match request.operation.as_str() {
//!             "count" => {
//!                 progress.tell(json!({"done": 1, "of": 2})).await;
//!                 Written::of(&2)
//!             }
//!             other => Err(OperationError::new(Code::Usage, format!("no operation is called {other}"), "see triarch help")),
//!         }
//!     }
//! }
//!
//! # async fn start() -> Result<(), Box<dyn std::error::Error>> {
//! let exposition = exposition();
//! let doors = Doors::open(Config::default(), "state".as_ref())?;
//! let gateway = room(doors, &exposition, Runtime)?;
//! let tree = Root::new().instruments(exposition.instruments().clone()).supervisor(gateway).start().await?;
//! # Ok(()) }
//! ```
#![forbid(unsafe_code)]

mod accepting;
mod claim;
mod client;
mod config;
mod doors;
mod ending;
mod error;
#[cfg(test)]
#[path = "../../../tests/fuzz/mod.rs"]
mod fuzz;
#[cfg(test)]
mod fuzzed_lines;
mod guests;
mod http;
mod knock;
pub mod metrics;
mod operation;
mod patience;
mod reserve;
mod room;
mod socket;
mod wire;

pub use claim::{is_held, socket_path};
pub use client::{Client, ClientError};
pub use config::Config;
pub use doors::{Bounds, Doors, Farewell};
pub use ending::await_end;
pub use error::Error;
pub use metrics::Door;
pub use operation::{Caller, Code, OperationError, Operations, ProgressSink, ProgressStream, Request, Told, Written};
pub use room::{CONNECTIONS, room};
pub use wire::{Answer, DEPTH_MAX, LINE_MAX};
