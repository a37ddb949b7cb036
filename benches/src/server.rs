//! Peers that are servers: a process of their own, for one measurement, with a folder of its own.

use std::fs::File;
use std::net::{Ipv4Addr, TcpListener, TcpStream};
use std::os::unix::net::UnixStream;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::thread;
use std::time::{Duration, Instant};

use tempfile::TempDir;

/// As long as a server may take until it listens.
const PATIENCE: Duration = Duration::from_secs(20);
const LOOK_EACH: Duration = Duration::from_millis(10);

/// A server that runs; killed when dropped.
#[derive(Debug)]
pub struct Server {
    process: Child,
    folder: TempDir,
}

/// The version a program tells of itself; nothing where it is not there.
pub fn version(program: &str) -> Option<String> {
    let output = Command::new(program).arg("--version").output().ok()?;
    Some(String::from_utf8(output.stdout).ok()?.lines().next()?.trim().to_owned())
}

impl Server {
    /// Starts a program in `folder` and waits until `listens`.
    ///
    /// # Panics
    /// When it does not start, or does not listen within seconds.
    pub fn start(program: &str, arguments: &[String], folder: TempDir, listens: impl Fn() -> bool) -> Self {
        let log = File::create(folder.path().join("log")).expect("a log");
        let process = Command::new(program)
            .args(arguments)
            .current_dir(folder.path())
            .stdin(Stdio::null())
            .stdout(log.try_clone().expect("a log"))
            .stderr(log)
            .spawn()
            .expect("the server starts");
        let (mut server, begun) = (Self { process, folder }, Instant::now());
        while !listens() {
            let has_ended = server.process.try_wait().expect("a child can be asked").is_some();
            let is_lost = has_ended || begun.elapsed() > PATIENCE;
            assert!(!is_lost, "{program} does not listen: {}", server.log());
            thread::park_timeout(LOOK_EACH);
        }
        server
    }

    fn log(&self) -> String {
        std::fs::read_to_string(self.folder.path().join("log")).unwrap_or_default()
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        // It has nothing that anybody wants to keep.
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

/// Redis on a Unix socket.
#[derive(Debug)]
pub struct Redis {
    _server: Server,
    socket: PathBuf,
}

impl Redis {
    /// Without a file.
    pub fn start(folder: TempDir) -> Self {
        Self::with(folder, &["--appendonly", "no"])
    }

    /// With a file to which each answer is synced before it is given.
    pub fn start_on_disk(folder: TempDir) -> Self {
        let never_rewritten = ["--auto-aof-rewrite-percentage", "0"];
        let synced = ["--appendonly", "yes", "--appendfsync", "always"];
        Self::with(folder, &[synced.as_slice(), &never_rewritten].concat())
    }

    fn with(folder: TempDir, more: &[&str]) -> Self {
        let socket = folder.path().join("socket");
        let path = text(&socket);
        let plain = ["--port", "0", "--save", "", "--unixsocket", &path];
        let arguments: Vec<String> = plain.iter().chain(more).map(|each| (*each).to_owned()).collect();
        let listens = || UnixStream::connect(&socket).is_ok();
        Self {
            _server: Server::start("redis-server", &arguments, folder, listens),
            socket,
        }
    }

    /// A connection.
    ///
    /// # Panics
    /// When there is none to be had.
    pub fn connect(&self) -> UnixStream {
        UnixStream::connect(&self.socket).expect("it listens")
    }
}

/// NATS on a port of this machine that was free.
#[derive(Debug)]
pub struct Nats {
    _server: Server,
    port: u16,
}

impl Nats {
    /// Without a file.
    pub fn start(folder: TempDir) -> Self {
        Self::with(folder, "")
    }

    /// With `JetStream`, which keeps streams in files. See [`jetstream_syncs`] for what an acknowledgement of it means.
    pub fn start_on_disk(folder: TempDir) -> Self {
        let store = folder.path().join("store");
        let sync = if jetstream_syncs() { "sync_interval: always" } else { "" };
        let more = format!("jetstream {{ store_dir: {:?}\n {sync} }}\n", text(&store));
        Self::with(folder, &more)
    }

    fn with(folder: TempDir, more: &str) -> Self {
        let free = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).and_then(|socket| socket.local_addr());
        let port = free.expect("a free port").port();
        let config = folder.path().join("config");
        let settings = format!("listen: \"127.0.0.1:{port}\"\n{more}");
        std::fs::write(&config, settings).expect("it is written");
        let arguments = ["-c".to_owned(), text(&config)];
        let listens = || TcpStream::connect((Ipv4Addr::LOCALHOST, port)).is_ok();
        Self {
            _server: Server::start("nats-server", &arguments, folder, listens),
            port,
        }
    }

    /// A connection.
    ///
    /// # Panics
    /// When there is none to be had.
    pub fn connect(&self) -> TcpStream {
        let stream = TcpStream::connect((Ipv4Addr::LOCALHOST, self.port)).expect("it listens");
        stream.set_nodelay(true).expect("a socket can be set");
        stream
    }
}

/// Whether this version of NATS can sync before it acknowledges; one before 2.10 syncs every two minutes, whatever it is told.
pub fn jetstream_syncs() -> bool {
    let minor = version("nats-server").and_then(|version| {
        let number = version.split('v').next_back()?.to_owned();
        let mut parts = number.split('.');
        let (major, minor): (u32, u32) = (parts.next()?.parse().ok()?, parts.next()?.parse().ok()?);
        Some((major, minor))
    });
    minor.is_some_and(|version| version >= (2, 10))
}

/// A line for a server: which it is, or that it is missing.
pub fn told(server: &str) -> String {
    match version(server) {
        Some(version) => format!("{server}: {version}"),
        None => format!("{server} IS NOT ON THE PATH: its cases are skipped; install it and run again"),
    }
}

/// A line for each server: which it is, or that it is missing; and what an answer of `JetStream` means.
pub fn servers() -> String {
    let promise = if jetstream_syncs() {
        "synced before the answer"
    } else {
        "written before the answer AND SYNCED UP TO TWO MINUTES LATER: it promises less"
    };
    let [nats, redis] = ["nats-server", "redis-server"].map(told);
    format!("{nats}\n{redis}\n_socket: another process; files of JetStream are {promise}")
}

fn text(path: &Path) -> String {
    path.to_str().expect("a path in UTF-8").to_owned()
}
