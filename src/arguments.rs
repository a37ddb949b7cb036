//! What the process is asked for.

use std::ffi::OsString;
use std::time::Duration;

pub(crate) const HELP: &str = "\
Runs a small tree of agents: prints the tree, then what happens to the agents.

Usage: triarch [--for SECONDS]

  --for SECONDS  stop after that time
  --help         print this
  --version      print the version

Ctrl-C and SIGTERM stop all agents in order; the second one waits for nobody.
The tree goes to standard output, all else to standard error.

Exit codes: 0 stopped, 2 bad usage, 70 the root gave up, 130 stopped out of order
";

/// What to do.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Command {
    Help,
    Version,
    /// Run the tree, no longer than `limit` where there is one.
    Run {
        limit: Option<Duration>,
    },
}

/// Arguments that cannot be followed.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
pub(crate) enum UsageError {
    #[error("unknown argument {0:?}; see triarch --help")]
    Unknown(String),
    #[error("--for needs a number of seconds, as in --for 10")]
    NoSeconds,
    #[error("--for needs a number of seconds, not {0:?}")]
    NotSeconds(String),
}

impl Command {
    pub(crate) fn read(arguments: impl IntoIterator<Item = OsString>) -> Result<Self, UsageError> {
        let mut arguments = arguments
            .into_iter()
            .map(|argument| argument.to_string_lossy().into_owned());
        let mut limit = None;
        while let Some(argument) = arguments.next() {
            match argument.as_str() {
                "--help" | "-h" => return Ok(Self::Help),
                "--version" | "-V" => return Ok(Self::Version),
                "--for" => limit = Some(seconds(arguments.next().ok_or(UsageError::NoSeconds)?)?),
                _ => return Err(UsageError::Unknown(argument)),
            }
        }
        Ok(Self::Run { limit })
    }
}

fn seconds(text: String) -> Result<Duration, UsageError> {
    let seconds = text.parse().ok();
    let duration = seconds.and_then(|seconds| Duration::try_from_secs_f64(seconds).ok());
    duration.ok_or(UsageError::NotSeconds(text))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(line: &str) -> Result<Command, UsageError> {
        Command::read(line.split_whitespace().map(OsString::from))
    }

    #[test]
    fn each_argument_means_what_the_help_says() {
        let table = [
            ("", Command::Run { limit: None }),
            ("--help", Command::Help),
            ("--version", Command::Version),
            ("--for 3 --help", Command::Help),
            (
                "--for 3",
                Command::Run {
                    limit: Some(Duration::from_secs(3)),
                },
            ),
            (
                "--for 0.5",
                Command::Run {
                    limit: Some(Duration::from_millis(500)),
                },
            ),
        ];
        for (line, command) in table {
            assert_eq!(read(line), Ok(command), "{line}");
        }
    }

    #[test]
    fn what_cannot_be_followed_is_refused() {
        assert_eq!(read("--fro 3"), Err(UsageError::Unknown("--fro".to_owned())));
        assert_eq!(read("--for"), Err(UsageError::NoSeconds));
        for text in ["--help", "-1", "NaN", "1e99", "long"] {
            assert_eq!(
                read(&format!("--for {text}")),
                Err(UsageError::NotSeconds(text.to_owned()))
            );
        }
    }
}
