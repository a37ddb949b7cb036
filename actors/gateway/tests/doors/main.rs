//! The doors as they are found from outside: bytes in, bytes out.
#![expect(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    reason = "a wrong outcome ends the test"
)]

mod exposition;
mod house;
mod http;
mod patience;
mod slowness;
mod socket;
mod strict;
