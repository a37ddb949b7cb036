//! The other side of the socket: what a command asks the runtime with.
//!
//! It blocks, and starts nothing: a command that asks one thing has no use for a runtime of its own.

use std::io::{self, BufRead, BufReader, Read, Write};
use std::os::unix::net::UnixStream;
use std::path::{Path, PathBuf};

use serde::Serialize;
use serde::de::DeserializeOwned;
use serde_json::Value;

use crate::operation::{Code, OperationError};
use crate::wire::Answer;

/// The longest line of an answer: the tree of a million agents is shorter.
const ANSWER_MAX: u64 = 1 << 30;

/// So much the system hands over at once, about.
const READ_AT_ONCE: usize = 256 << 10;

/// A connection to a runtime on this machine.
#[derive(Debug)]
pub struct Client {
    path: PathBuf,
    stream: BufReader<UnixStream>,
}

/// Why the runtime could not be asked.
#[derive(Debug, thiserror::Error)]
pub enum ClientError {
    /// Nobody listens there.
    #[error("no runtime listens at {}; start one with `triarch up`", path.display())]
    NotRunning {
        /// Where nobody listens.
        path: PathBuf,
        /// What the system said.
        #[source]
        source: io::Error,
    },
    /// It answered what is not understood here.
    #[error("the answer of the runtime at {} cannot be read: {source}; use the command line of its version", path.display())]
    Unreadable {
        /// Where it was asked.
        path: PathBuf,
        /// What is not understood.
        #[source]
        source: serde_json::Error,
    },
    /// The connection broke before the answer was complete.
    #[error("the runtime at {} broke off before it had answered; see its log", path.display())]
    Lost {
        /// Where it was asked.
        path: PathBuf,
        /// What the system said.
        #[source]
        source: io::Error,
    },
}

impl From<ClientError> for OperationError {
    fn from(error: ClientError) -> Self {
        let (code, remedy) = match error {
            ClientError::NotRunning { .. } => (Code::NotRunning, "start one with `triarch up`"),
            ClientError::Lost { .. } => (Code::RuntimeFailed, "see its log"),
            ClientError::Unreadable { .. } => (Code::Failed, "use the command line of its version"),
        };
        let text = error.to_string();
        let message = text.rsplit_once(';').map_or(&*text, |(message, _remedy)| message);
        Self::new(code, message, remedy)
    }
}

#[derive(Serialize)]
struct Asking<'a, I> {
    operation: &'a str,
    input: &'a I,
}

impl Client {
    /// Connects to the runtime whose socket is at `path`; see [`socket_path`](crate::socket_path).
    pub fn connect(path: &Path) -> Result<Self, ClientError> {
        let not_running = |source| ClientError::NotRunning {
            path: path.to_owned(),
            source,
        };
        let stream = UnixStream::connect(path).map_err(not_running)?;
        Ok(Self {
            path: path.to_owned(),
            stream: BufReader::with_capacity(READ_AT_ONCE, stream),
        })
    }

    /// Has `operation` performed: hands its progress to `told` as it comes, and returns what came of it.
    ///
    /// Who drops the client, or ends, cancels what it asked for.
    pub fn request<O: DeserializeOwned>(
        &mut self,
        operation: &str,
        input: &impl Serialize,
        mut told: impl FnMut(Value),
    ) -> Result<O, OperationError> {
        self.ask(operation, input)?;
        loop {
            match self.answer()? {
                Answer::Progress(progress) => told(progress),
                Answer::Output(output) => return Ok(output),
                Answer::Error(error) => return Err(error),
            }
        }
    }

    /// Asks, and waits for nothing.
    pub fn ask(&mut self, operation: &str, input: &impl Serialize) -> Result<(), ClientError> {
        let lost = |source| lost(&self.path, source);
        let mut line = serde_json::to_vec(&Asking { operation, input }).map_err(|error| lost(error.into()))?;
        line.push(b'\n');
        self.stream.get_mut().write_all(&line).map_err(lost)
    }

    /// The next line of the answer; the last one is an output or an error.
    pub fn answer<O: DeserializeOwned>(&mut self) -> Result<Answer<O>, ClientError> {
        let lost = |source| lost(&self.path, source);
        let mut line = Vec::new();
        let mut bounded = (&mut self.stream).take(ANSWER_MAX);
        bounded.read_until(b'\n', &mut line).map_err(lost)?;
        if line.last() != Some(&b'\n') {
            return Err(lost(io::ErrorKind::UnexpectedEof.into()));
        }
        serde_json::from_slice(&line).map_err(|source| ClientError::Unreadable {
            path: self.path.clone(),
            source,
        })
    }
}

fn lost(path: &Path, source: io::Error) -> ClientError {
    ClientError::Lost {
        path: path.to_owned(),
        source,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn where_no_runtime_listens_the_code_is_69() {
        let error = Client::connect(Path::new("/nonexistent/triarch.sock")).unwrap_err();
        let error = OperationError::from(error);
        assert_eq!(error.code, Code::NotRunning);
        assert_eq!(
            error.to_string(),
            "no runtime listens at /nonexistent/triarch.sock; start one with `triarch up`"
        );
    }
}
