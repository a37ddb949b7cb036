//! What can go wrong in this room.

use std::io;
use std::path::PathBuf;
use std::time::Duration;

use triarch_supervision::metrics::InstrumentError;
use triarch_teams::Span;

use crate::command::SecretError;
use crate::pulse::time;
use crate::sys::LaunchError;

/// Why the room cannot be built.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The state folder cannot be had.
    #[error("the state folder {} cannot be had: {source}; see that it can be made and written, or set runtime.state_dir to another", path.display())]
    StateFolder {
        /// The folder.
        path: PathBuf,
        /// Why not.
        #[source]
        source: io::Error,
    },
    /// Logs without room for anything.
    #[error("logs have no room; give log_file_bytes and log_files more than 0")]
    NoRoomForLogs,
    /// The instruments do not know the room's metrics.
    #[error("the room's metrics cannot be had; put its section into the catalogue")]
    Instrument(#[from] InstrumentError),
}

/// Why a program's agent failed.
#[derive(Debug, thiserror::Error)]
pub(crate) enum ProgramError {
    /// A secret that it needs cannot be had.
    #[error("the program cannot begin: {0}")]
    Secret(SecretError),
    /// It was not started.
    #[error("the program cannot begin: {0}")]
    Launch(LaunchError),
    /// It was not started, perhaps since its sandbox keeps it from what it needs.
    #[error("the program cannot begin: {0}; {SANDBOX}")]
    Kept(LaunchError),
    /// It ended by itself, and says that it failed.
    #[error("the program ended with code {code}{}", Rest(last, clue))]
    Code {
        code: i32,
        last: Vec<String>,
        clue: Option<String>,
    },
    /// It was ended by a signal that is not ours.
    #[error("the program was ended by signal {signal}{}", Rest(last, clue))]
    Signal {
        signal: i32,
        last: Vec<String>,
        clue: Option<String>,
    },
    /// Nobody knows how it ended.
    #[error("the program is gone, and nobody could say how it ended{}", Rest(last, &None))]
    Gone { last: Vec<String> },
    /// Its time was over.
    #[error("the program ran for {wall}, as long as its limits allow")]
    Wall { wall: Span },
    /// It declares a heartbeat, and says nothing.
    #[error("no sign of life for {}{}", time(*limit), Rest(last, &None))]
    Silent { limit: Duration, last: Vec<String> },
    /// It reads no more, and goes on.
    #[error("the program closed its standard input and goes on; nothing can be delivered to it")]
    Deaf,
}

impl ProgramError {
    /// Whether the program is not to blame: the machine had no room for it.
    pub(crate) fn is_for_want(&self) -> bool {
        matches!(self, Self::Launch(error) | Self::Kept(error) if error.is_for_want())
    }
}

/// What a sandbox may have to do with a failure.
pub(crate) const SANDBOX: &str =
    "the sandbox may be why: what is outside the system's folders must be named under sandbox.read";

/// The last few lines of a program, and what may be why it failed that it cannot know; where there are any.
struct Rest<'a>(&'a [String], &'a Option<String>);

/// So many of them are told with a failure; its record has more.
const TOLD: usize = 3;

impl std::fmt::Display for Rest<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let told = &self.0[self.0.len().saturating_sub(TOLD)..];
        if !told.is_empty() {
            write!(f, "; it last said: {}", told.join(" | "))?;
        }
        match self.1 {
            Some(clue) => write!(f, "; {clue}"),
            None => Ok(()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_silence_is_told_with_its_limit() {
        let silent = |last: &[&str]| ProgramError::Silent {
            limit: Duration::from_secs(10),
            last: last.iter().map(ToString::to_string).collect(),
        };
        assert_eq!(silent(&[]).to_string(), "no sign of life for 10 s");
        assert_eq!(
            silent(&["waits"]).to_string(),
            "no sign of life for 10 s; it last said: waits"
        );
    }

    #[test]
    fn the_end_of_a_program_tells_its_last_words() {
        let last = ["a", "b", "c", "d"].map(str::to_owned).into();
        assert_eq!(
            ProgramError::Code {
                code: 3,
                last,
                clue: None
            }
            .to_string(),
            "the program ended with code 3; it last said: b | c | d"
        );
        assert_eq!(
            ProgramError::Signal {
                signal: 9,
                last: vec!["a".to_owned()],
                clue: Some("it was too much".to_owned()),
            }
            .to_string(),
            "the program was ended by signal 9; it last said: a; it was too much"
        );
    }
}
