//! Runs a fleet of agents as one supervised tree of three levels, and shows all of it.
#![forbid(unsafe_code)]

pub use triarch_supervision::*;
