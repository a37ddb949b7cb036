//! The tree's own timer: one wheel for all deadlines, so that a deadline costs tens of nanoseconds.

mod timekeeper;
mod wheel;

pub(crate) use timekeeper::{Due, Key, Timekeeper};
