//! Runs programs as agents: lines of JSON in and out, receipts, limits, logs, and a stop that leaves nobody behind.
#![deny(unsafe_code)]

mod config;
mod error;
mod metrics;
mod room;
#[cfg_attr(
    not(test),
    expect(
        dead_code,
        unused_imports,
        reason = "the agents that are built on processes come next"
    )
)]
mod sys;
