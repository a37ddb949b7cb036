//! The process: does what its arguments ask for, and tells by its exit code what came of it.
#![forbid(unsafe_code)]

use std::process::ExitCode;

use mimalloc::MiMalloc;

/// What one thread makes another throws away: messages, envelopes, records. The system's allocator has both wait for each other.
#[global_allocator]
static ALLOCATOR: MiMalloc = MiMalloc;

fn main() -> ExitCode {
    triarch::Runtime::new().main()
}
