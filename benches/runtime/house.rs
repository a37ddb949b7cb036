//! The release binary in a folder of its own, with nothing of the user's around it.

use std::fs::{self, File};
use std::io::{BufRead, BufReader, Read, Write};
use std::net::TcpStream;
use std::path::PathBuf;
use std::process::{Child, ChildStdout, Command, Stdio};
use std::time::{Duration, Instant};

use rustix::process::Signal;
use tempfile::TempDir;

use crate::processes;
use crate::tools;

/// How long one may take to stop, with all it runs.
const STOPPING: Duration = Duration::from_secs(30);
const LOOK_EVERY: Duration = Duration::from_millis(1);

/// A folder with a description in it.
pub(crate) struct House {
    folder: TempDir,
}

/// A runtime that runs; it is stopped when dropped.
pub(crate) struct Running {
    process: Process,
    house: House,
    /// Where HTTP is served, as `127.0.0.1:port`.
    address: String,
    /// From its start to the line that says that it runs.
    pub(crate) took: Duration,
    // A pipe without a reader would end whoever writes to it.
    _said: BufReader<ChildStdout>,
}

impl House {
    pub(crate) fn described(description: &str) -> Self {
        let folder = TempDir::new().expect("a folder can be made");
        fs::write(folder.path().join("triarch.toml"), description).expect("a description can be written");
        Self { folder }
    }

    /// The folder of what outlives the runtime.
    fn state(&self) -> PathBuf {
        self.folder.path().join("state")
    }

    /// The binary, about to be run in the house.
    pub(crate) fn command(&self, arguments: &[&str]) -> Command {
        let mut command = Command::new(&tools::get().triarch);
        command
            .args(arguments)
            .stdin(Stdio::null())
            .stderr(Stdio::null())
            .current_dir(self.folder.path())
            .env_clear()
            .env("HOME", self.folder.path())
            .env("PATH", std::env::var_os("PATH").unwrap_or_default())
            .env("TRIARCH_RUNTIME__STATE_DIR", self.state())
            .env("TRIARCH_GATEWAY__LISTEN", "127.0.0.1:0");
        command
    }

    /// Starts the runtime; when it began, and how it goes on.
    pub(crate) fn start(&self) -> (Instant, Process) {
        self.start_with(Stdio::null())
    }

    fn start_with(&self, log: Stdio) -> (Instant, Process) {
        let mut command = self.command(&["up"]);
        command.stdout(Stdio::piped()).stderr(log);
        let begun = Instant::now();
        (begun, Process::spawn(&mut command))
    }

    /// Starts the runtime, and waits until it says that it runs.
    pub(crate) fn up(self) -> Running {
        self.up_with(Stdio::null())
    }

    /// The same with a log, which is [`Running::log`].
    pub(crate) fn up_with_log(self) -> Running {
        let log = File::create(self.log()).expect("a log can be begun");
        self.up_with(log.into())
    }

    fn log(&self) -> PathBuf {
        self.folder.path().join("log")
    }

    fn up_with(self, log: Stdio) -> Running {
        let (begun, mut process) = self.start_with(log);
        let mut said = BufReader::new(process.0.stdout.take().expect("its output is piped"));
        let mut line = String::new();
        let mut next = || {
            line.clear();
            let read = said.read_line(&mut line).expect("its output can be read");
            assert!(read > 0, "the runtime ended before it ran");
            line.clone()
        };
        assert!(next().starts_with("triarch "), "it says first what it runs");
        let took = begun.elapsed();
        let metrics = next();
        let address = metrics.split("http://").nth(1).and_then(|rest| rest.split('/').next());
        Running {
            address: address.expect("it says where metrics are read").to_owned(),
            process,
            house: self,
            took,
            _said: said,
        }
    }
}

impl Running {
    pub(crate) fn pid(&self) -> u32 {
        self.process.pid()
    }

    /// The folder of what outlives it.
    pub(crate) fn state(&self) -> PathBuf {
        self.house.state()
    }

    /// What it has said of its agents so far, where it has a log.
    pub(crate) fn log(&self) -> String {
        fs::read_to_string(self.house.log()).expect("there is a log")
    }

    /// A command that asks it.
    pub(crate) fn command(&self, arguments: &[&str]) -> Command {
        self.house.command(arguments)
    }

    /// What it answers to a `GET`: head and body.
    pub(crate) fn get(&self, path: &str) -> String {
        let mut stream = TcpStream::connect(&self.address).expect("it listens");
        stream
            .set_read_timeout(Some(processes::PATIENCE))
            .expect("a stream can be bounded");
        let address = &self.address;
        let head = format!("GET {path} HTTP/1.1\r\nHost: {address}\r\nConnection: close\r\n\r\n");
        stream.write_all(head.as_bytes()).expect("it hears");
        let mut text = String::new();
        stream.read_to_string(&mut text).expect("it answers");
        assert!(text.starts_with("HTTP/1.1 200 "), "{text}");
        text
    }
}

/// A process that does not outlive whoever started it.
pub(crate) struct Process(Child);

impl Process {
    pub(crate) fn spawn(command: &mut Command) -> Self {
        let program = command.get_program().display().to_string();
        Self(
            command
                .spawn()
                .unwrap_or_else(|wrong| panic!("{program} cannot be started: {wrong}")),
        )
    }

    pub(crate) fn pid(&self) -> u32 {
        self.0.id()
    }
}

impl Drop for Process {
    /// In order, since what it started has to go as well; a measurement that failed leaves nothing behind either.
    fn drop(&mut self) {
        if let Ok(None) = self.0.try_wait() {
            processes::signal(self.pid(), Signal::TERM);
        }
        let begun = Instant::now();
        while matches!(self.0.try_wait(), Ok(None)) {
            if begun.elapsed() > STOPPING {
                let _gone = self.0.kill();
                let _waited = self.0.wait();
                assert!(std::thread::panicking(), "it did not stop within {STOPPING:?}");
                return;
            }
            processes::pause(LOOK_EVERY);
        }
    }
}
