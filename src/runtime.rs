//! The runtime as an own binary begins it: the kinds it adds, and its command line.

use std::fmt;
use std::process::ExitCode;

use triarch_teams::{Kind, Kinds};

use crate::cli;
use crate::share::Shares;

/// A runtime with kinds of agents of one's own.
///
/// ```no_run
/// use std::process::ExitCode;
///
/// fn main() -> ExitCode {
///     triarch::Runtime::new().main() // with `.kind(…)` for each of one's own
/// }
/// ```
#[derive(Default)]
pub struct Runtime {
    kinds: Kinds,
    shares: Shares,
}

impl fmt::Debug for Runtime {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Runtime")
            .field("kinds", &self.kinds)
            .finish_non_exhaustive()
    }
}

impl Runtime {
    /// A runtime with the kinds that come with it.
    pub fn new() -> Self {
        Self::default()
    }

    /// Adds a kind that teams may be described with.
    #[must_use]
    pub fn kind(mut self, kind: impl Kind) -> Self {
        self.kinds = self.kinds.with(kind);
        self
    }

    /// Bus, memory and tasks of the runtime, for kinds that are added to keep.
    pub fn shares(&self) -> Shares {
        self.shares.clone()
    }

    /// Does what the process's arguments ask for; returns its exit code.
    pub fn main(self) -> ExitCode {
        cli::obey(std::env::args_os(), self.kinds, self.shares)
    }
}
