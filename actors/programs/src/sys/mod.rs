//! Processes: how they begin, who belongs to them, and how all of them end.
//!
//! ```text
//!   Launch ──▶ spawner ──▶ birth ──▶ Process ──┬─▶ ended: its exit, told by a pidfd
//!              threads     child's             ├─▶ household: Census and Enclosure
//!              that stay   first steps         └─▶ stop: ask, wait, hunt until nobody is left
//! ```
//!
//! Who belongs to a program is found in five ways, since programs leave sessions, clear environments and fork twice:
//! by its control group, its tag, its session, its descendants, and whoever was seen to belong to it before.

mod apart;
mod birth;
mod calls;
mod census;
mod cgroups;
mod crew;
mod descriptors;
mod enclosure;
mod folders;
mod household;
mod hunt;
mod launch;
mod leftovers;
mod looks;
mod outstanding;
mod process;
mod reading;
mod seen;
mod shared;
mod spawner;
mod tag;
mod ties;

#[cfg(test)]
mod tests;

pub use census::ProcessView;
pub use descriptors::take_open_files;
pub(crate) use folders::SYSTEM;
pub(crate) use household::{bury_orphans, household};
pub use hunt::Survey;
pub(crate) use launch::{Launch, LaunchError, Limits, Sandbox, may_run};
pub(crate) use leftovers::reap_leftovers;
pub(crate) use outstanding::await_ends;
pub(crate) use process::{Exit, Process};
pub(crate) use tag::{Owner, Tag};
