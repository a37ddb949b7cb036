//! The binary as a child process that cannot outlive its test.

use std::io::{BufRead, BufReader, Read};
use std::process::{Child, Command, Output, Stdio};
use std::sync::mpsc::{Receiver, sync_channel};
use std::thread;
use std::time::{Duration, Instant};

/// How many lines may wait to be looked at.
const LINES: usize = 64;

fn triarch(arguments: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_triarch"));
    command.args(arguments).stdin(Stdio::null());
    command
}

/// Runs it to its end.
pub(crate) fn run(arguments: &[&str]) -> Output {
    triarch(arguments).output().unwrap()
}

/// One that runs while the test looks on. It is killed when the test is through.
pub(crate) struct Running {
    child: Child,
    log: Option<Receiver<String>>,
    read: Vec<String>,
    ended: Receiver<()>,
}

impl Running {
    pub(crate) fn start(arguments: &[&str]) -> Self {
        let mut command = triarch(arguments);
        let mut child = command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
        let (sender, log) = sync_channel(LINES);
        let lines = BufReader::new(child.stderr.take().unwrap()).lines();
        beside(move || {
            let _read = lines.map_while(Result::ok).try_for_each(|line| sender.send(line));
        });
        let (sender, ended) = sync_channel(1);
        let mut output = child.stdout.take().unwrap();
        beside(move || {
            // Standard output ends when the process does.
            let _read = output.read_to_end(&mut Vec::new());
            let _waiting = sender.send(());
        });
        Self {
            child,
            log: Some(log),
            read: Vec::new(),
            ended,
        }
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

    /// Closes the pipe its log goes to; whatever it still writes finds nobody.
    pub(crate) fn stop_reading(&mut self) {
        self.log = None;
    }

    pub(crate) fn signal(&self, name: &str) {
        let kill = format!("kill -s {name} {}", self.child.id());
        assert!(Command::new("sh").args(["-c", &kill]).status().unwrap().success());
    }

    /// Its exit code, once it has ended.
    pub(crate) fn end(&mut self, patience: Duration) -> Option<i32> {
        let ended = self.ended.recv_timeout(patience);
        assert!(ended.is_ok(), "it runs on: {:#?}", self.read);
        self.child.wait().unwrap().code()
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        // One that has ended already needs no kill.
        let _killed = self.child.kill();
        let _waited = self.child.wait();
    }
}

#[expect(
    clippy::disallowed_methods,
    reason = "reading a pipe blocks, and a deadline needs somebody else to wait"
)]
fn beside(work: impl FnOnce() + Send + 'static) {
    thread::spawn(work);
}
