//! Runs programs as agents: lines of JSON in and out, receipts, limits, logs, and a stop that leaves nobody behind.
#![deny(unsafe_code)]

mod config;
mod error;
mod logs;
pub mod metrics;
mod program;
mod records;
mod room;
mod settings;
mod size;
mod sys;
#[cfg(test)]
mod testing;
