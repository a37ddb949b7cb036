//! The binary as a child process that cannot outlive its test, in a state folder of its own.

use std::io::{self, BufRead, BufReader, Read, Write};
use std::net::{TcpListener, TcpStream};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Output, Stdio};
use std::sync::mpsc::{Receiver, RecvTimeoutError, sync_channel};
use std::thread;
use std::time::{Duration, Instant};

use serde_json::Value;
use tempfile::TempDir;

use crate::PATIENCE;

/// How long one that a test leaves running may take to stop in order.
const FAREWELL: Duration = Duration::from_secs(10);

/// How many lines may wait to be looked at.
const LINES: usize = 64;

/// How often a condition is looked at that nobody announces.
const LOOK_EVERY: Duration = Duration::from_millis(10);

/// Returns once `is_so`.
pub(crate) fn until(what: &str, mut is_so: impl FnMut() -> bool) {
    let deadline = Instant::now() + PATIENCE;
    while !is_so() {
        assert!(Instant::now() < deadline, "in vain: {what}");
        thread::park_timeout(LOOK_EVERY);
    }
}

/// A folder and a port of a test's own.
pub(crate) struct House {
    folder: TempDir,
    pub(crate) port: u16,
}

impl House {
    pub(crate) fn new() -> Self {
        Self {
            folder: TempDir::new().unwrap(),
            port: free_port(),
        }
    }

    pub(crate) fn path(&self) -> &Path {
        self.folder.path()
    }

    pub(crate) fn write(&self, name: &str, text: &str) -> PathBuf {
        let path = self.path().join(name);
        std::fs::write(&path, text).unwrap();
        path
    }

    /// The binary with those arguments, to be started here.
    pub(crate) fn command(&self, arguments: &[&str]) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_triarch"));
        command
            .args(arguments)
            .stdin(Stdio::null())
            .current_dir(self.path())
            .env_clear()
            .env("HOME", self.path())
            .env("PATH", std::env::var_os("PATH").unwrap())
            .env("TRIARCH_RUNTIME__STATE_DIR", self.path().join("state"))
            .env("TRIARCH_GATEWAY__LISTEN", format!("127.0.0.1:{}", self.port));
        command
    }

    /// Runs it to its end.
    pub(crate) fn run(&self, arguments: &[&str]) -> Output {
        self.command(arguments).output().unwrap()
    }

    /// Begins it, and waits for nothing.
    pub(crate) fn begin(&self, arguments: &[&str]) -> Running {
        Running::start(self.command(arguments))
    }

    /// Runs a command that has to succeed; returns the JSON it prints.
    pub(crate) fn json(&self, arguments: &[&str]) -> Value {
        let output = self.run(&[arguments, &["--json"]].concat());
        let said = String::from_utf8_lossy(&output.stderr);
        assert!(output.status.success(), "{arguments:?}: {said}");
        serde_json::from_slice(&output.stdout).unwrap()
    }

    /// What an agent answers to a post.
    pub(crate) fn ask(&self, agent: &str, body: &str) -> Value {
        self.json(&["agent", "ask", agent, body, "--within", "30s"])["result"].clone()
    }

    /// Starts the runtime, and waits until it says that it runs.
    pub(crate) fn up(&self, arguments: &[&str]) -> Running {
        Self::up_by(self.command(&[&["up"], arguments].concat()))
    }

    /// Starts the runtime by `command`, and waits until it says that it runs.
    pub(crate) fn up_by(command: Command) -> Running {
        let mut running = Running::start(command);
        running.said_with("triarch top", PATIENCE);
        running
    }

    /// What the runtime answers to a `GET`: head and body.
    pub(crate) fn get(&self, path: &str) -> (String, String) {
        self.get_as(&format!("127.0.0.1:{}", self.port), path)
    }

    /// The same, asked as `host`.
    pub(crate) fn get_as(&self, host: &str, path: &str) -> (String, String) {
        let request = format!("GET {path} HTTP/1.1\r\nHost: {host}\r\nConnection: close\r\n\r\n");
        exchange(self.port, &request)
    }
}

/// A port that is free now, and most likely still when somebody asks for it.
pub(crate) fn free_port() -> u16 {
    TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port()
}

/// What a port of this machine answers to a request, until it closes the connection: head and body.
pub(crate) fn exchange(port: u16, request: &str) -> (String, String) {
    let mut stream = TcpStream::connect(("127.0.0.1", port)).unwrap();
    stream.write_all(request.as_bytes()).unwrap();
    let mut text = String::new();
    stream.read_to_string(&mut text).unwrap();
    let (head, body) = text.split_once("\r\n\r\n").unwrap();
    (head.to_owned(), body.to_owned())
}

/// One that runs while the test looks on. It is killed when the test is through.
pub(crate) struct Running {
    child: Child,
    log: Option<Receiver<String>>,
    said: Receiver<String>,
    read: Vec<String>,
}

impl Running {
    fn start(mut command: Command) -> Self {
        command.stderr(Stdio::piped());
        Self::start_as_it_is(command)
    }

    /// The same with a log that may go elsewhere.
    pub(crate) fn start_as_it_is(mut command: Command) -> Self {
        let mut child = with_room(|| command.stdout(Stdio::piped()).spawn());
        Self {
            log: child.stderr.take().map(lines),
            said: lines(child.stdout.take().unwrap()),
            child,
            read: Vec::new(),
        }
    }

    /// The next line it says, as opposed to logs, that has `words` in it.
    pub(crate) fn said_with(&mut self, words: &str, patience: Duration) -> String {
        let deadline = Instant::now() + patience;
        loop {
            let line = self
                .said
                .recv_timeout(deadline.saturating_duration_since(Instant::now()));
            let Ok(line) = line else {
                let log = self.log.as_ref().map(|log| log.try_iter().collect::<Vec<_>>());
                panic!("it does not say {words:?}: {log:#?}")
            };
            if line.contains(words) {
                return line;
            }
        }
    }

    /// The next line that it has said already.
    pub(crate) fn said_already(&self) -> Option<String> {
        self.said.try_recv().ok()
    }

    /// All it says until it ends.
    pub(crate) fn said(&mut self) -> String {
        let lines: Vec<_> = self.said.iter().collect();
        lines.join("\n")
    }

    pub(crate) fn pid(&self) -> u32 {
        self.child.id()
    }

    /// The next line of its log that has `words` in it.
    pub(crate) fn line_with(&mut self, words: &str, patience: Duration) -> String {
        let deadline = Instant::now() + patience;
        let log = self.log.as_ref().unwrap();
        loop {
            let line = log.recv_timeout(deadline.saturating_duration_since(Instant::now()));
            let line = line.unwrap_or_else(|_| panic!("no line has {words:?} in it: {:#?}", self.read));
            self.read.push(line.clone());
            if line.contains(words) {
                return line;
            }
        }
    }

    /// A line of its log with `words` in it, of those that were read so far.
    pub(crate) fn read_with(&self, words: &str) -> Option<&String> {
        self.read.iter().find(|line| line.contains(words))
    }

    /// A line of its log with `words` in it, of those that were not read yet; to be asked once it has ended.
    pub(crate) fn rest_with(&self, words: &str) -> Option<String> {
        self.log.as_ref()?.iter().find(|line| line.contains(words))
    }

    /// Closes the pipe its log goes to; whatever it still writes finds nobody.
    pub(crate) fn stop_reading(&mut self) {
        self.log = None;
    }

    pub(crate) fn signal(&self, name: &str) {
        let kill = format!("kill -s {name} {}", self.child.id());
        assert!(with_room(|| Command::new("sh").args(["-c", &kill]).status()).success());
    }

    /// Signals it until it has ended, since two signals at once are one wish; its exit code.
    pub(crate) fn insist(&mut self, name: &str) -> Option<i32> {
        until("it has ended", || {
            self.signal(name);
            !self.runs()
        });
        self.end(PATIENCE)
    }

    /// Kills it, and waits until it is gone.
    pub(crate) fn kill(&mut self) {
        self.signal("KILL");
        self.end(PATIENCE);
    }

    pub(crate) fn runs(&mut self) -> bool {
        matches!(self.child.try_wait(), Ok(None))
    }

    /// Its exit code, once it has ended.
    pub(crate) fn end(&mut self, patience: Duration) -> Option<i32> {
        let deadline = Instant::now() + patience;
        loop {
            // Standard output ends when the process does.
            match self
                .said
                .recv_timeout(deadline.saturating_duration_since(Instant::now()))
            {
                Ok(_) => {}
                Err(RecvTimeoutError::Disconnected) => return self.child.wait().unwrap().code(),
                Err(RecvTimeoutError::Timeout) => panic!("it runs on: {:#?}", self.read),
            }
        }
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        self.stop_reading();
        // In order, so that what it made outside of its folder goes with it, control groups above all.
        let deadline = Instant::now() + FAREWELL;
        if self.runs() {
            let _asked = Command::new("kill").arg(self.child.id().to_string()).output();
        }
        while self.runs() && Instant::now() < deadline {
            thread::park_timeout(Duration::from_millis(1));
        }
        // One that has ended already needs no kill.
        let _killed = self.child.kill();
        let _waited = self.child.wait();
    }
}

/// Starts a process, once the machine has room for it: other tests take all that it has.
fn with_room<T>(mut start: impl FnMut() -> io::Result<T>) -> T {
    let deadline = Instant::now() + PATIENCE;
    loop {
        match start() {
            Err(error) if error.kind() == io::ErrorKind::WouldBlock && Instant::now() < deadline => {
                thread::park_timeout(LOOK_EVERY);
            }
            started => return started.unwrap(),
        }
    }
}

/// The lines of a pipe, as they come.
fn lines(pipe: impl Read + Send + 'static) -> Receiver<String> {
    let (sender, receiver) = sync_channel(LINES);
    let lines = BufReader::new(pipe).lines();
    beside(move || {
        let _read = lines.map_while(Result::ok).try_for_each(|line| sender.send(line));
    });
    receiver
}

#[expect(
    clippy::disallowed_methods,
    reason = "reading a pipe blocks, and a deadline needs somebody else to wait"
)]
pub(crate) fn beside(work: impl FnOnce() + Send + 'static) {
    thread::spawn(work);
}
