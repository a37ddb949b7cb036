//! Runs programs as agents: lines of JSON in and out, receipts, limits, logs, and a stop that leaves nobody behind.
#![deny(unsafe_code)]

mod config;
mod error;
mod metrics;
mod room;
mod sys;
