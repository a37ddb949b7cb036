//! The process: does what its arguments ask for, and tells by its exit code what came of it.
#![forbid(unsafe_code)]

mod arguments;
mod demo;
mod process;
mod table;
mod tree;

use std::process::ExitCode;

fn main() -> ExitCode {
    process::obey(std::env::args_os().skip(1))
}
