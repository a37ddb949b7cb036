//! Runs a fleet of agents as one supervised tree of three levels, and shows all of it.
#![forbid(unsafe_code)]

mod catalogue;
mod changes;
mod cli;
#[cfg(test)]
mod committed;
mod complaint;
pub mod config;
pub mod dashboards;
mod deviations;
mod draft;
mod fleet;
mod full_disks;
#[cfg(test)]
#[path = "../tests/fuzz/mod.rs"]
mod fuzz;
mod harmless;
mod notify;
mod operations;
mod reload;
mod rooms;
mod runtime;
mod services;
mod share;
#[cfg(test)]
mod starting_test;
mod stopping;
mod traffic;
mod up;
mod wall_clock;

pub use catalogue::{catalogue, sections};
pub use runtime::Runtime;
pub use share::{Events, Share, ShareError, Shares};
pub use triarch_bus as bus;
pub use triarch_gateway as gateway;
pub use triarch_memory as memory;
pub use triarch_programs as programs;
pub use triarch_supervision::*;
pub use triarch_teams as teams;
pub use triarch_telemetry as telemetry;
pub use triarch_work as work;

/// The code in the README, compiled and run with the tests of the documentation.
#[cfg(doctest)]
#[doc = include_str!("../README.md")]
struct Readme;
