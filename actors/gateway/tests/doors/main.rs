//! The doors as they are found from outside: bytes in, bytes out.
#![expect(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::float_cmp,
    reason = "a wrong outcome ends the test, and whole numbers are compared as what they are read as"
)]

mod exposition;
mod house;
mod http;
mod patience;
mod slowness;
mod socket;
mod strict;
