//! Runs programs as agents: lines of JSON in and out, receipts, limits, logs, and a stop that leaves nobody behind.
#![deny(unsafe_code)]

mod command;
mod config;
mod error;
mod kind;
mod logs;
pub mod metrics;
mod program;
mod reaper;
mod records;
mod room;
mod settings;
mod size;
#[cfg_attr(
    not(test),
    expect(
        dead_code,
        unused_imports,
        reason = "processes can be signalled by whoever asks; no operation does yet"
    )
)]
mod sys;
#[cfg(test)]
mod testing;

pub use config::Config;
pub use error::Error;
pub use kind::{ProcessView, Programs};
pub use logs::{Following, LogError, LogLine, Logs, Query, Source};
pub use program::{Plan, Program};
pub use reaper::Leftovers;
pub use records::{ExitRecord, Records, Running, Usage};
pub use room::room;
pub use settings::{LimitSettings, Mode, ProgramSettings, SandboxKind, SandboxSettings, SecretSource};
pub use size::Size;
