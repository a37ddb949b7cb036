//! Redis over a Unix socket, in a process of its own that keeps nothing on disk: `GET` and `SET` of any of as many keys as
//! the maps have, one by one and 64 under way at once. What it costs is mostly the socket; no map does that.

use std::io::{BufReader, Read, Write as _};
use std::os::unix::net::UnixStream;
use std::process::{Child, Command, Stdio};
use std::time::Instant;

use tempfile::TempDir;
use triarch_benches::Scale;

use crate::durable::folder;
use crate::shelf::{Random, VALUE_BYTES, key, number, value};

const KEYS: usize = 100_000;

/// So many are under way at once.
const ROW: usize = 64;

/// The server, and a connection to it.
struct Redis {
    server: Child,
    to: UnixStream,
    from: BufReader<UnixStream>,
    _folder: TempDir,
}

/// Whether there is one on this machine.
pub(crate) fn is_there() -> bool {
    let asked = Command::new("redis-server")
        .arg("--version")
        .stdout(Stdio::null())
        .status();
    asked.is_ok_and(|status| status.success())
}

impl Redis {
    fn start() -> Self {
        let folder = folder();
        let at = folder.path().join("redis.sock");
        let server = Command::new("redis-server")
            .args(["--port", "0", "--save", "", "--appendonly", "no", "--unixsocket"])
            .arg(&at)
            .current_dir(folder.path())
            .stdout(Stdio::null())
            .spawn()
            .expect("it starts");
        let begun = Instant::now();
        let to = loop {
            match UnixStream::connect(&at) {
                Ok(stream) => break stream,
                Err(fault) => assert!(begun.elapsed().as_secs() < 30, "redis does not listen: {fault}"),
            }
            std::thread::yield_now();
        };
        let from = BufReader::new(to.try_clone().expect("a second handle"));
        let mut redis = Self {
            server,
            to,
            from,
            _folder: folder,
        };
        (0..KEYS / ROW).for_each(|row| redis.put((row * ROW..(row + 1) * ROW).collect()));
        redis
    }

    fn get(&mut self, numbers: Vec<usize>) {
        let asked = numbers
            .iter()
            .map(|n| format!("*2\r\n$3\r\nGET\r\n$14\r\n{}\r\n", key(*n)));
        self.to
            .write_all(asked.collect::<String>().as_bytes())
            .expect("it listens");
        let head = format!("${VALUE_BYTES}\r\n");
        let mut answer = vec![0; head.len() + VALUE_BYTES + 2];
        for n in numbers {
            self.from.read_exact(&mut answer).expect("an answer");
            assert_eq!(number(&answer[head.len()..]), n as u64);
        }
    }

    fn put(&mut self, numbers: Vec<usize>) {
        let mut asked = Vec::new();
        for n in &numbers {
            let head = format!("*3\r\n$3\r\nSET\r\n$14\r\n{}\r\n${VALUE_BYTES}\r\n", key(*n));
            asked.extend([head.as_bytes(), &value(*n), b"\r\n"].concat());
        }
        self.to.write_all(&asked).expect("it listens");
        let mut answer = [0; 5];
        for _ in numbers {
            self.from.read_exact(&mut answer).expect("an answer");
            assert_eq!(&answer, b"+OK\r\n");
        }
    }
}

impl Drop for Redis {
    fn drop(&mut self) {
        let _gone = self.server.kill();
        let _waited = self.server.wait();
    }
}

/// The mean of a `GET` and of a `SET` one by one, and of each in rows.
pub(crate) fn measure(scale: &Scale) -> Vec<f64> {
    let (mut redis, mut random) = (Redis::start(), Random::new(5));
    let rows = if scale.is_quick { 100 } else { 4_000 };
    let mut mean = |count: usize, call: fn(&mut Redis, Vec<usize>)| {
        let begun = Instant::now();
        for _ in 0..rows {
            call(&mut redis, (0..count).map(|_| random.below(KEYS / ROW * ROW)).collect());
        }
        begun.elapsed().as_nanos() as f64 / (rows * count) as f64
    };
    vec![
        mean(1, Redis::get),
        mean(1, Redis::put),
        mean(ROW, Redis::get),
        mean(ROW, Redis::put),
    ]
}
