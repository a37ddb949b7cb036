//! The tree's own timer: one wheel for all deadlines, so that a deadline costs tens of nanoseconds.

mod keeper;
mod timekeeper;
mod wheel;

pub(crate) use keeper::start_keeper;
pub(crate) use timekeeper::{Due, Key, Timekeeper};
