//! Redis over a Unix socket, in a process of its own that keeps nothing on disk: `GET` and `SET` of any of as many keys as
//! the maps have, one by one and 64 under way at once. What it costs is mostly the socket; no map does that.

use std::io::Write as _;
use std::os::unix::net::UnixStream;
use std::time::Instant;

use triarch_benches::case::Scale;
use triarch_benches::server;
use triarch_benches::wire::{Wire, command};

use crate::durable::folder;
use crate::shelf::{Random, key, number, value};

const KEYS: usize = 100_000;

/// So many are under way at once.
const ROW: usize = 64;

/// The server, and a connection to it.
struct Redis {
    to: UnixStream,
    from: Wire<UnixStream>,
    strings: Vec<Vec<u8>>,
    _server: server::Redis,
}

impl Redis {
    /// With a value under each key.
    fn full() -> Self {
        let server = server::Redis::start(folder());
        let to = server.connect();
        let mut redis = Self {
            from: Wire::new(to.try_clone().expect("a second handle")),
            to,
            strings: Vec::new(),
            _server: server,
        };
        (0..KEYS / ROW).for_each(|row| redis.put((row * ROW..(row + 1) * ROW).collect()));
        redis
    }

    fn get(&mut self, numbers: Vec<usize>) {
        let mut asked = Vec::new();
        for n in &numbers {
            command(&mut asked, &[b"GET", key(*n).as_bytes()]);
        }
        self.to.write_all(&asked).expect("it listens");
        for n in numbers {
            assert_eq!(number(self.answer()), n as u64);
        }
    }

    fn put(&mut self, numbers: Vec<usize>) {
        let mut asked = Vec::new();
        for n in &numbers {
            command(&mut asked, &[b"SET", key(*n).as_bytes(), &value(*n)]);
        }
        self.to.write_all(&asked).expect("it listens");
        for _ in numbers {
            assert_eq!(self.answer(), b"OK");
        }
    }

    /// The one string that the next answer is.
    fn answer(&mut self) -> &[u8] {
        assert_eq!(self.from.answer(&mut self.strings), Some(1), "no answer");
        &self.strings[0]
    }
}

/// The mean of a `GET` and of a `SET` one by one, and of each in rows.
pub(crate) fn measure(scale: &Scale) -> Vec<f64> {
    let (mut redis, mut random) = (Redis::full(), Random::new(5));
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
