//! Runs programs as agents: lines of JSON in and out, receipts, limits, logs, and a stop that leaves nobody behind.
//!
//! An agent of kind `program` is a process. Posts to the agent are lines to the process; what it prints are answers,
//! posts to others, and its log.
//!
//! ```text
//!   post ──▶ mailbox ──▶ Program ──stdin──▶ ┌─────────┐
//!   receipt ◀── done, failed ◀──stdout───── │ process │ ── and all that it starts
//!   <state>/logs/<team>/<agent>.log ◀─────── └─────────┘
//! ```
//!
//! # A program that answers
//!
//! Each post is one line: `{"id":"…","from":"…","kind":"…","body":…}`, with `deadline_ms`, the time that is left, where
//! there is a deadline. What the program may say, one object in a line:
//!
//! | line | what it does |
//! |---|---|
//! | `{"type":"accepted","id":…}` | the post's receipt says *accepted* |
//! | `{"type":"reply","id":…,"body":…}` | *done*, with the body as its result |
//! | `{"type":"done","id":…,"body":…}` | the same; with `"ok":false` *failed*, for the reason in `"error"` |
//! | `{"type":"failed","id":…,"error":…}` | *failed*, for that reason |
//! | `{"type":"progress","id":…,"percent":40}` | whoever follows the post sees how far it is |
//! | `{"type":"send","to":"team/agent","kind":…,"body":…}` | a post to another agent |
//! | `{"type":"publish","id":"mine-1",…}`, and so `request`, `subscribe`, `unsubscribe`, `memory`, `submit` | a wish, which is handed to the [`Services`] there are; where it has an id, a line of the same type and id says `"ok":true` with `"result"`, or `"ok":false` with `"error"` |
//! | `{"type":"heartbeat"}` | it lives: see [`HeartbeatSettings`] |
//! | `{"type":"status","state":…}` | shown as the state of the agent |
//! | `{"type":"log","level":…,"text":…}` | a line of its log |
//!
//! Any other line is a line of its log, and so is all that it prints on its standard error. The same in Python:
//!
//! ```python
//! import json, sys
//!
//! for line in sys.stdin:
//!     post = json.loads(line)
//!     print(json.dumps({"type": "reply", "id": post["id"], "body": post["body"]}), flush=True)
//! ```
//!
//! ```
//! use std::sync::Arc;
//!
//! use serde_json::json;
//! use triarch_programs::{Config, metrics, room};
//! use triarch_supervision::metrics::{Catalogue, Instruments, TELEMETRY};
//! use triarch_supervision::prelude::*;
//! use triarch_teams::receipt::Stage;
//! use triarch_teams::{Kinds, PostOffice, TeamConfig};
//!
//! # tokio::runtime::Builder::new_current_thread().enable_all().build()?.block_on(async {
//! # let state_dir = tempfile::tempdir()?;
//! let catalogue = Catalogue::new(&[triarch_teams::metrics::TEAMS, metrics::PROGRAMS, TELEMETRY])?;
//! let instruments = Instruments::new(catalogue);
//! let office = Arc::new(PostOffice::new(1, &instruments)?);
//! let (room, programs) = room(Config::default(), state_dir.path(), office.clone(), &instruments)?;
//!
//! let team: TeamConfig = serde_json::from_value(json!({
//!     "name": "tools",
//!     "agent": [{ "name": "upper", "kind": "program", "mode": "exec", "command": ["tr", "a-z", "A-Z"] }],
//! }))?;
//! let kinds = Kinds::new().with(programs.clone());
//! let tools = triarch_teams::room(&team, &kinds, 10)?;
//! let tree = Root::new().supervisor(room).supervisor(tools).start().await?;
//!
//! let (post, stages) = office.registered("me", "shout", json!("hello"));
//! tree.observer().send_to("tools/upper", post).await?;
//! assert_eq!(stages.recv_async().await?.1, Stage::Delivered);
//! assert_eq!(stages.recv_async().await?.1, Stage::Done(json!("HELLO")));
//! assert_eq!(programs.records().of("tools/upper")[0].code, Some(0));
//! assert!(tree.stop().await.is_orderly());
//! # Ok::<(), Box<dyn std::error::Error>>(()) })?;
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```
//!
//! # What becomes of posts
//!
//! - *Delivered* means that all of the line is in the program's pipe. At most `unanswered_max` posts are delivered and unanswered;
//!   the others wait in the mailbox, where they outlive the program.
//! - A program that ends fails the posts it had, with the way it ended as the reason. A post whose line it got less than
//!   all of goes to the next life.
//! - An end with code 0 is an end by its own wish; another code, or a signal, is a failure. What follows is the supervisor's.
//! - A program that does not read holds its posts back, not the runtime: it is read while it is written to.
//!
//! # What becomes of processes
//!
//! Stopped, it and all that it started are asked to end, given the agent's `shutdown`, and killed; the record of its end
//! says how many there were and that none is left. What an earlier runtime of the same state folder left running is
//! killed when the room starts: [`Programs::leftovers`].
//!
//! Where the machine has no descriptors, processes or memory for another program, its start is tried again for a minute before the
//! agent fails. A program takes four descriptors; [`take_open_files`] gets as many as there may be.
//!
//! # Where to look
//!
//! | what | where |
//! |---|---|
//! | what it said | [`Logs`], by agent, time and life, also while it is being written |
//! | how it ended, with its last lines | [`Records::of`] |
//! | what it does now | [`Records::running`], [`Programs::processes`] |
//! | how it is | [`Records::vitals`] |
#![deny(unsafe_code)]

mod baseline;
mod command;
mod config;
mod error;
#[cfg(test)]
#[path = "../../../tests/fuzz/mod.rs"]
mod fuzz;
mod heartbeat;
mod kind;
mod logs;
pub mod metrics;
mod places;
mod program;
mod pulse;
mod reaper;
mod records;
mod rfc3339;
mod room;
mod services;
mod settings;
mod sys;
#[cfg(test)]
mod testing;
mod ways;

pub use config::Config;
pub use error::Error;
pub use heartbeat::HeartbeatSettings;
pub use kind::Programs;
pub use logs::{Following, LogError, LogLine, Logs, Query, Source};
pub use program::{Plan, Program};
pub use pulse::{Health, Vitals};
pub use records::{EndReason, ExitRecord, Forced, InHand, Records, Running, Usage};
pub use room::{described, room};
pub use services::{Fulfilling, SERVICES, Services, Wish};
pub use settings::{LimitSettings, Mode, ProgramSettings, SandboxKind, SandboxSettings, SecretSource};
pub use sys::{ProcessView, Survey, take_open_files};
pub use triarch_teams::Size;
