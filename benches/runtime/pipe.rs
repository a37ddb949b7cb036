//! The floors under every talk with a program: a line to another process and back through two pipes, bare ones and tokio's.

use std::io::{BufRead, BufReader, Read, Write};
use std::process::{Command, ExitCode, Stdio};
use std::time::Instant;

use tokio::io::{AsyncBufReadExt, AsyncWriteExt};
use tokio::net::unix::pipe;
use triarch_benches::Scale;
use triarch_benches::figure::percentiles;
use triarch_benches::runtime::on_two_workers;

use crate::cases::{self, Times};
use crate::talk::in_time;
use crate::tools;

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

/// The same to the example agent, through tokio's pipes, from one task.
pub(crate) fn round_trips_of_tokio(scale: &Scale) -> Vec<f64> {
    let times = cases::TRIPS.of(scale);
    percentiles(on_two_workers(in_time(trips_of_tokio(times))), [50, 99], 1e3)
}

async fn trips_of_tokio(times: Times) -> Vec<u64> {
    let mut agent = Command::new(&tools::get().echo)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .expect("the agent starts");
    let there = agent.stdin.take().expect("it is piped");
    let back = agent.stdout.take().expect("it is piped");
    let mut there = pipe::Sender::from_owned_fd(there.into()).expect("a pipe");
    let mut back = tokio::io::BufReader::new(pipe::Receiver::from_owned_fd(back.into()).expect("a pipe"));
    let mut line = Vec::new();
    back.read_until(b'\n', &mut line)
        .await
        .expect("it says that it is ready");
    let mut nanos = Vec::with_capacity(times.recorded);
    for trip in 0..times.all() {
        line.clear();
        let asked = Instant::now();
        there.write_all(LINE).await.expect("the agent reads");
        back.read_until(b'\n', &mut line).await.expect("the agent writes");
        let elapsed = asked.elapsed();
        assert!(
            line.ends_with(b"\"body\":12345}\n"),
            "the agent gives back what it gets"
        );
        if trip >= times.unrecorded {
            nanos.push(u64::try_from(elapsed.as_nanos()).unwrap_or(u64::MAX));
        }
    }
    drop(there);
    let ended = agent.wait().expect("the agent ends");
    assert!(ended.success(), "the agent ends with {ended}");
    nanos
}
