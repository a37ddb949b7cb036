//! How many files may be open at a time: this process takes as many as it may have, its programs get what it was given.

use std::io;
use std::sync::OnceLock;

use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};

/// What this process was given, once it has taken more.
static GIVEN: OnceLock<Rlimit> = OnceLock::new();

/// Takes as many open files as this process may have; a program takes four of them. Programs that are started later get
/// what this process was given before, unless their limits say otherwise.
pub fn take_open_files() -> io::Result<()> {
    let given = getrlimit(Resource::Nofile);
    if given.current == given.maximum {
        return Ok(());
    }
    let taken = Rlimit {
        current: given.maximum,
        ..given
    };
    setrlimit(Resource::Nofile, taken)?;
    // Who takes them again has all of them already.
    let _first = GIVEN.set(given);
    Ok(())
}

/// What a program is to get instead of what this process has.
pub(super) fn given() -> Option<Rlimit> {
    GIVEN.get().copied()
}
