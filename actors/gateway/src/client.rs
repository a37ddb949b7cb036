//! The other side of the socket: what a command asks the runtime with.
//!
//! It blocks, and starts nothing: a command that asks one thing has no use for a runtime of its own.

use std::io::{self, BufRead, BufReader, Read, Write};
use std::os::unix::net::UnixStream;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use serde::Serialize;
use serde::de::DeserializeOwned;
use serde_json::Value;

use crate::claim::holder_beside;
use crate::knock::connect;
use crate::operation::{Code, OperationError};
use crate::wire::Answer;

/// The longest line of an answer: the tree of a million agents is shorter.
const ANSWER_MAX: u64 = 1 << 30;

/// How long one may take to let somebody in.
const LET_IN: Duration = Duration::from_secs(10);

/// How long one that said nothing has to say anything to somebody else.
const ASKED_ANEW: Duration = Duration::from_secs(2);

/// How long after its last answer a connection is still asked: well before the runtime ends one that asks nothing.
const FRESH_FOR: Duration = Duration::from_secs(20);

/// So much the system hands over at once, about.
const READ_AT_ONCE: usize = 256 << 10;

/// A connection to a runtime on this machine. It is made anew before a question where nothing was asked for long.
#[derive(Debug)]
pub struct Client {
    path: PathBuf,
    stream: BufReader<UnixStream>,
    /// What was read last: lines of one answer are about as long as each other.
    line: Vec<u8>,
    /// How long nothing may come of it.
    patience: Option<Duration>,
    /// What was asked for last.
    asked: String,
    stage: Stage,
    /// How long it may be idle and still be asked.
    fresh_for: Duration,
}

/// What is known of the connection.
#[derive(Clone, Copy, Debug)]
enum Stage {
    /// Nothing is asked, since then.
    Idle(Instant),
    /// An answer is awaited.
    Asked,
    /// What comes next, if anything does, may be what is left of an answer.
    Lost,
}

impl Stage {
    fn is_to_be_asked(self, fresh_for: Duration) -> bool {
        match self {
            Self::Idle(since) => since.elapsed() < fresh_for,
            Self::Asked => true,
            Self::Lost => false,
        }
    }
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
    /// Whoever asks may not go there.
    #[error("{} is closed to this user: a runtime there is another user's; ask as that user, as by `sudo -u`", path.display())]
    Closed {
        /// Where it would listen.
        path: PathBuf,
        /// What the system said.
        #[source]
        source: io::Error,
    },
    /// Whether one listens there cannot be told.
    #[error("{} cannot be connected to: {source}; see that it has a short path, or set runtime.state_dir to another", path.display())]
    Unreachable {
        /// Where it would listen.
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
    /// It says nothing to this, and answers others.
    #[error("no answer in {} s to {operation}: the runtime answers others, and this waits for its disk or for a room that is away; it may be done all the same: see `triarch status`, and look before you ask again", within.as_secs())]
    Waiting {
        /// How long nothing came.
        within: Duration,
        /// What was asked for.
        operation: String,
    },
    /// It says nothing to anybody, and holds its place all the same.
    #[error("no answer in {} s, nor to another question: the runtime with pid {pid} still reads its journals, waits for its disk, or hangs; see its log, and end it only where that says nothing of a start", within.as_secs())]
    Silent {
        /// How long nothing came.
        within: Duration,
        /// Its process, as far as it is known.
        pid: String,
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
        let code = match error {
            ClientError::NotRunning { .. } => Code::NotRunning,
            ClientError::Lost { .. } | ClientError::Silent { .. } => Code::RuntimeFailed,
            ClientError::Closed { .. } => Code::Refused,
            ClientError::Unreadable { .. } | ClientError::Waiting { .. } | ClientError::Unreachable { .. } => {
                Code::Failed
            }
        };
        let text = error.to_string();
        let (message, remedy) = text.rsplit_once("; ").unwrap_or((&text, ""));
        Self::new(code, message, remedy)
    }
}

impl ClientError {
    /// What it means that nobody let us in.
    fn unconnected(path: &Path, source: io::Error) -> Self {
        let path = path.to_owned();
        match source.kind() {
            io::ErrorKind::NotFound | io::ErrorKind::NotADirectory | io::ErrorKind::ConnectionRefused => {
                Self::NotRunning { path, source }
            }
            io::ErrorKind::PermissionDenied => Self::Closed { path, source },
            io::ErrorKind::WouldBlock => Self::Silent {
                within: LET_IN,
                pid: holder_beside(&path),
            },
            _ => Self::Unreachable { path, source },
        }
    }
}

fn in_parts(operation: &str) -> OperationError {
    let message = format!("{operation} answers in parts");
    OperationError::new(Code::Usage, message, "read them one by one, with Client::answer")
}

#[derive(Serialize)]
struct Asking<'a, I> {
    operation: &'a str,
    input: &'a I,
}

impl Client {
    /// Connects to the runtime whose socket is at `path`; see [`socket_path`](crate::socket_path).
    pub fn connect(path: &Path) -> Result<Self, ClientError> {
        let stream = connect(path, LET_IN).map_err(|source| ClientError::unconnected(path, source))?;
        Ok(Self {
            path: path.to_owned(),
            stream: BufReader::with_capacity(READ_AT_ONCE, stream),
            line: Vec::new(),
            patience: None,
            asked: String::new(),
            stage: Stage::Idle(Instant::now()),
            fresh_for: FRESH_FOR,
        })
    }

    /// From now on nothing may come for no longer than that; without a limit if `None`, as it begins.
    pub fn wait_at_most(&mut self, patience: Option<Duration>) -> Result<(), ClientError> {
        let stream = self.stream.get_ref();
        let set = stream
            .set_read_timeout(patience)
            .and_then(|()| stream.set_write_timeout(patience));
        set.map_err(|source| self.lost(source))?;
        self.patience = patience;
        Ok(())
    }

    /// Connects anew where nothing was asked for long, as the runtime ends such connections, or where an answer was not heard to
    /// its end. Between questions one connection is as good as another.
    fn freshen(&mut self) -> Result<(), ClientError> {
        if self.stage.is_to_be_asked(self.fresh_for) {
            return Ok(());
        }
        let stream = connect(&self.path, LET_IN).map_err(|source| ClientError::unconnected(&self.path, source))?;
        self.stream = BufReader::with_capacity(READ_AT_ONCE, stream);
        self.wait_at_most(self.patience)
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
        let mut is_in_parts = false;
        loop {
            match self.answer()? {
                Answer::Progress(progress) => told(progress),
                // What is left of the answer is no answer to the next question.
                Answer::Part(_) => is_in_parts = true,
                Answer::Output(_) if is_in_parts => return Err(in_parts(operation)),
                Answer::Output(output) => return Ok(output),
                Answer::Error(error) => return Err(error),
            }
        }
    }

    /// Asks, and waits for nothing.
    pub fn ask(&mut self, operation: &str, input: &impl Serialize) -> Result<(), ClientError> {
        self.freshen()?;
        self.stage = Stage::Asked;
        operation.clone_into(&mut self.asked);
        let written = serde_json::to_vec(&Asking { operation, input });
        let mut line = written.map_err(|error| self.lost(error.into()))?;
        line.push(b'\n');
        match self.stream.get_mut().write_all(&line) {
            // What it said before it left is still to be read.
            Err(error) if error.kind() == io::ErrorKind::BrokenPipe => Ok(()),
            written => written.map_err(|error| self.lost(error)),
        }
    }

    /// The next line of the answer; the last one is an output or an error.
    pub fn answer<O: DeserializeOwned>(&mut self) -> Result<Answer<O>, ClientError> {
        let read = self.read_answer();
        self.stage = match read {
            Ok(Answer::Progress(_) | Answer::Part(_)) => Stage::Asked,
            Ok(Answer::Output(_) | Answer::Error(_)) => Stage::Idle(Instant::now()),
            Err(_) => Stage::Lost,
        };
        read
    }

    fn read_answer<O: DeserializeOwned>(&mut self) -> Result<Answer<O>, ClientError> {
        self.line.clear();
        let mut bounded = (&mut self.stream).take(ANSWER_MAX);
        let read = bounded.read_until(b'\n', &mut self.line);
        read.map_err(|error| self.lost(error))?;
        if self.line.last() != Some(&b'\n') {
            return Err(self.lost(io::ErrorKind::UnexpectedEof.into()));
        }
        serde_json::from_slice(&self.line).map_err(|source| ClientError::Unreadable {
            path: self.path.clone(),
            source,
        })
    }

    fn lost(&self, source: io::Error) -> ClientError {
        let is_over = matches!(source.kind(), io::ErrorKind::WouldBlock | io::ErrorKind::TimedOut);
        match self.patience.filter(|_| is_over) {
            Some(within) if answers_others(&self.path, within) => ClientError::Waiting {
                within,
                operation: self.asked.clone(),
            },
            Some(within) => ClientError::Silent {
                within,
                pid: holder_beside(&self.path),
            },
            None => ClientError::Lost {
                path: self.path.clone(),
                source,
            },
        }
    }
}

/// Whether the runtime says anything to somebody who comes now. What it says does not matter, that it is full as little as
/// that it does not know what was asked.
fn answers_others(path: &Path, within: Duration) -> bool {
    let patience = within.min(ASKED_ANEW);
    let Ok(mut other) = connect(path, patience) else {
        return false;
    };
    let patience = Some(patience);
    let is_set = other.set_read_timeout(patience).is_ok() && other.set_write_timeout(patience).is_ok();
    // One that is full says so unasked, and hears nothing.
    let _unheard = other.write_all(b"{\"operation\":\"status\"}\n");
    is_set && other.read(&mut [0]).is_ok_and(|read| read > 0)
}

#[cfg(test)]
mod tests {
    use std::os::unix::net::UnixListener;

    use rustix::io::Errno;

    use super::*;

    #[test]
    fn one_that_says_nothing_is_named_when_patience_is_over_and_what_one_said_last_is_heard() {
        let folder = tempfile::tempdir().unwrap();
        let path = crate::socket_path(folder.path());
        let silent = UnixListener::bind(&path).unwrap();
        let pid = std::process::id();
        std::fs::write(folder.path().join("triarch.lock"), format!("{pid}\n")).unwrap();
        let mut client = Client::connect(&path).unwrap();
        client.wait_at_most(Some(Duration::from_millis(20))).unwrap();
        let error = client.request::<Value>("status", &(), |_| {}).unwrap_err();
        let told = format!("no answer in 0 s, nor to another question: the runtime with pid {pid} ");
        assert!(error.message.starts_with(&told), "{error}");
        assert!(
            !error.to_string().contains("kill"),
            "it may be reading its journals: {error}"
        );
        assert_eq!(error.code, Code::RuntimeFailed);
        // The one who asked, and the one who asked anew.
        drop((silent.accept().unwrap(), silent.accept().unwrap()));

        let mut client = Client::connect(&path).unwrap();
        let (mut leaving, _) = silent.accept().unwrap();
        let gone = OperationError::new(Code::NotRunning, "it has gone", "start it");
        leaving.write_all(&Answer::Error(gone.clone()).written()).unwrap();
        drop(leaving);
        assert_eq!(client.request::<Value>("status", &(), |_| {}).unwrap_err(), gone);
    }

    #[test]
    #[expect(clippy::disallowed_methods, reason = "the other side of a socket that blocks")]
    fn one_that_answers_others_does_not_hang_though_one_question_waits() {
        let folder = tempfile::tempdir().unwrap();
        let path = crate::socket_path(folder.path());
        let busy = UnixListener::bind(&path).unwrap();
        let mut client = Client::connect(&path).unwrap();
        client.wait_at_most(Some(Duration::from_secs(1))).unwrap();
        let answering = std::thread::spawn(move || {
            let kept = busy.accept().unwrap();
            let (mut other, _) = busy.accept().unwrap();
            let refused = OperationError::new(Code::Refused, "the runtime serves as many as it may", "try again");
            other.write_all(&Answer::Error(refused).written()).unwrap();
            kept
        });
        let error = client.request::<Value>("task.submit", &(), |_| {}).unwrap_err();
        assert_eq!(error.code, Code::Failed, "{error}");
        assert!(
            error.message.contains("task.submit") && !error.to_string().contains("hang"),
            "{error}"
        );
        assert!(error.remedy.contains("triarch status"), "{error}");
        drop(answering.join().unwrap());
    }

    /// Hears a question, and answers it with a number.
    fn answer(mut stream: &UnixStream, number: u32) {
        BufReader::new(stream).read_line(&mut String::new()).unwrap();
        let output = crate::Written::of(&number).unwrap();
        stream.write_all(&Answer::Output(output).written()).unwrap();
    }

    fn ask(client: &mut Client) -> Result<u32, OperationError> {
        client.request("status", &(), |_| {})
    }

    #[test]
    #[expect(clippy::disallowed_methods, reason = "the other side of a socket that blocks")]
    fn one_that_asked_nothing_for_long_connects_anew_instead_of_hearing_that_it_was_ended() {
        let folder = tempfile::tempdir().unwrap();
        let path = crate::socket_path(folder.path());
        let runtime = UnixListener::bind(&path).unwrap();
        let mut client = Client::connect(&path).unwrap();
        client.wait_at_most(Some(Duration::from_secs(5))).unwrap();
        let (ends, has_ended) = std::sync::mpsc::channel();
        let answering = std::thread::spawn(move || {
            let (mut first, _) = runtime.accept().unwrap();
            answer(&first, 1);
            answer(&first, 2);
            let ended = OperationError::new(
                Code::Refused,
                "this connection has asked nothing for too long",
                "ask again",
            );
            first.write_all(&Answer::Error(ended).written()).unwrap();
            drop(first);
            ends.send(()).unwrap();
            answer(&runtime.accept().unwrap().0, 3);
        });
        assert_eq!((ask(&mut client), ask(&mut client)), (Ok(1), Ok(2)));
        has_ended.recv().unwrap();
        client.fresh_for = Duration::ZERO;
        assert_eq!(ask(&mut client), Ok(3));
        let patience = client.stream.get_ref().read_timeout().unwrap();
        assert_eq!(patience, Some(Duration::from_secs(5)), "it is as patient as before");
        answering.join().unwrap();
    }

    #[test]
    #[expect(clippy::disallowed_methods, reason = "the other side of a socket that blocks")]
    fn what_was_not_heard_in_time_is_no_answer_to_the_next_question() {
        let folder = tempfile::tempdir().unwrap();
        let path = crate::socket_path(folder.path());
        let runtime = UnixListener::bind(&path).unwrap();
        let mut client = Client::connect(&path).unwrap();
        client.wait_at_most(Some(Duration::from_millis(20))).unwrap();
        assert!(ask(&mut client).is_err());
        let (first, _asked_anew) = (runtime.accept().unwrap().0, runtime.accept().unwrap());
        answer(&first, 1);
        client.wait_at_most(None).unwrap();
        let answering = std::thread::spawn(move || answer(&runtime.accept().unwrap().0, 2));
        assert_eq!(ask(&mut client), Ok(2));
        answering.join().unwrap();
    }

    #[test]
    fn one_that_lets_nobody_else_in_is_asked_anew_for_no_longer_than_one_has_patience() {
        let folder = tempfile::tempdir().unwrap();
        let path = crate::socket_path(folder.path());
        let stuck = UnixListener::bind(&path).unwrap();
        rustix::net::listen(&stuck, 0).unwrap();
        let mut client = Client::connect(&path).unwrap();
        client.wait_at_most(Some(Duration::from_millis(20))).unwrap();
        let error = client.request::<Value>("status", &(), |_| {}).unwrap_err();
        assert_eq!(error.code, Code::RuntimeFailed, "{error}");
    }

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

    #[test]
    fn only_where_nobody_can_listen_it_is_said_that_nobody_does() {
        let code = |errno: Errno| {
            let error = ClientError::unconnected(Path::new("/s/triarch.sock"), errno.into());
            OperationError::from(error).code
        };
        for errno in [Errno::NOENT, Errno::NOTDIR, Errno::CONNREFUSED] {
            assert_eq!(code(errno), Code::NotRunning, "{errno}");
        }
        assert_eq!((code(Errno::ACCESS), code(Errno::PERM)), (Code::Refused, Code::Refused));
        for errno in [Errno::LOOP, Errno::NFILE, Errno::IO] {
            assert_eq!(code(errno), Code::Failed, "{errno}");
        }
        assert_eq!(code(Errno::AGAIN), Code::RuntimeFailed, "it lets nobody in");
        let long = PathBuf::from("/").join("x".repeat(200));
        let error = OperationError::from(Client::connect(&long).unwrap_err());
        assert_eq!(error.code, Code::Failed, "{error}");
    }
}
