//! Typed bounded mailboxes, agents and OTP supervisors on ractor: the ground every Triarch agent stands on.
#![forbid(unsafe_code)]

pub mod clock;
pub mod metrics;
pub mod name;
pub mod policy;
pub mod reason;
pub mod supervisor;
