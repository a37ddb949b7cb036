//! The room as it is used: over a disk that forgets, fills up and fails.
#![expect(clippy::unwrap_used, clippy::expect_used, reason = "a test fails where it stands")]

mod agents;
mod behind;
mod claimants;
mod evenness;
mod house;
mod power;
mod refusals;
mod stealing;
mod story;
mod strategies;
