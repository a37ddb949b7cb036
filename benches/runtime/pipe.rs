//! The floor under every talk with a program: a line to another process and back through two bare pipes.

use std::io::{BufRead, BufReader, Read, Write};
use std::process::{Command, ExitCode, Stdio};
use std::time::Instant;

use triarch_benches::Scale;
use triarch_benches::figure::percentiles;

use crate::cases;

/// Makes this program the other end.
const OTHER_END: &str = "--other-end-of-a-pipe";

/// Whether this process is the other end.
pub(crate) fn is_wanted() -> bool {
    std::env::args().nth(1).as_deref() == Some(OTHER_END)
}

/// Is the other end: gives back what it reads.
pub(crate) fn answer() -> ExitCode {
    let (mut input, mut output) = (std::io::stdin().lock(), std::io::stdout().lock());
    let mut bytes = [0; 4_096];
    loop {
        match input.read(&mut bytes) {
            Ok(0) => return ExitCode::SUCCESS,
            Ok(count) => {
                let told = output.write_all(&bytes[..count]).and_then(|()| output.flush());
                told.expect("the near end reads");
            }
            Err(wrong) => panic!("a pipe that cannot be read: {wrong}"),
        }
    }
}

/// As long as the line of a post with an id and a short body.
const LINE: &[u8] =
    b"{\"id\":\"00000000000000010000000000000001\",\"from\":\"bench\",\"kind\":\"echo\",\"body\":12345}\n";

/// p50 and p99 in microseconds.
pub(crate) fn round_trips(scale: &Scale) -> Vec<f64> {
    let program = std::env::current_exe().expect("this program has a path");
    let mut other = Command::new(program)
        .arg(OTHER_END)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .expect("the other end starts");
    let mut there = other.stdin.take().expect("it is piped");
    let mut back = BufReader::new(other.stdout.take().expect("it is piped"));
    let trips = cases::TRIPS.of(scale);
    let mut nanos = Vec::with_capacity(trips.recorded);
    let mut line = Vec::new();
    for trip in 0..trips.all() {
        line.clear();
        let asked = Instant::now();
        there.write_all(LINE).expect("the other end reads");
        back.read_until(b'\n', &mut line).expect("the other end writes");
        let elapsed = asked.elapsed();
        assert!(line == LINE, "the other end gives back what it gets");
        if trip >= trips.unrecorded {
            nanos.push(u64::try_from(elapsed.as_nanos()).unwrap_or(u64::MAX));
        }
    }
    drop(there);
    let ended = other.wait().expect("the other end ends");
    assert!(ended.success(), "the other end ends with {ended}");
    percentiles(nanos, [50, 99], 1e3)
}
