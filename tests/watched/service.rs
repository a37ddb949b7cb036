//! A watcher as a process of its own, which cannot outlive its test.

use std::fs::{self, File};
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};

use crate::running::{House, free_port};

/// One that runs, and where it listens.
pub(crate) struct Service {
    child: Child,
    log: PathBuf,
    pub(crate) port: u16,
}

impl Service {
    /// Starts `program` in `house`, listening on a free port. It writes its log there.
    pub(crate) fn start(house: &House, program: &str, arguments: &[String]) -> Self {
        let port = free_port();
        let log = house.path().join(format!("{program}.log"));
        let child = Command::new(program)
            .args(arguments)
            .arg(format!("--web.listen-address=127.0.0.1:{port}"))
            .current_dir(house.path())
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(File::create(&log).unwrap())
            .spawn()
            .unwrap_or_else(|error| panic!("{program}: {error}; bash tests/run.sh watched installs it"));
        Self { child, log, port }
    }

    /// Whether it takes connections by now. One that has ended never will.
    pub(crate) fn is_up(&mut self) -> bool {
        if let Some(status) = self.child.try_wait().unwrap() {
            let log = fs::read_to_string(&self.log).unwrap_or_default();
            panic!("it ended, {status}:\n{log}");
        }
        std::net::TcpStream::connect(("127.0.0.1", self.port)).is_ok()
    }
}

impl Drop for Service {
    fn drop(&mut self) {
        // One that has ended already needs no kill.
        let _killed = self.child.kill();
        let _waited = self.child.wait();
    }
}
