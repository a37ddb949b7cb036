//! The process: does what its arguments ask for, and tells by its exit code what came of it.
#![forbid(unsafe_code)]

use std::process::ExitCode;

fn main() -> ExitCode {
    triarch::Runtime::new().main()
}
