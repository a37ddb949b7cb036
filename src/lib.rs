//! Runs a fleet of agents as one supervised tree of three levels, and shows all of it.

pub use triarch_supervision::*;
