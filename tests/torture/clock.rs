//! A clock of the wall that jumps. libfaketime tells the runtime another time from one moment to the next, and leaves the
//! monotonic clock alone, as a person or a time server does who sets the clock.

use std::fs;
use std::process::Command;
use std::time::{Duration, Instant};

use serde_json::{Value, json};
use triarch::gateway::Code;

use crate::running::Running;
use crate::yard::{Yard, until};

/// Each is a jump from the time before it: an hour on and back, ten years on and back.
pub(crate) const JUMPS: [&str; 5] = ["+1h", "+0", "-1h", "+10y", "-10y"];

/// The waits that must not move: of whoever asks, between two ticks, and before a restart.
const WAIT: Duration = Duration::from_secs(2);
const TICK: Duration = Duration::from_millis(100);
const BACKOFF: Duration = Duration::from_millis(500);

const TEAM: &str = r#"
[[team]]
name = "team"
backoff = { first = "500ms", factor = 1.0, max = "500ms", jitter = 0.0 }
intensity = { restarts = 1000, within = "1m" }

[[team.agent]]
name = "clock"
kind = "timer"
to = ["counter"]
every = "100ms"

[[team.agent]]
name = "counter"
kind = "echo"

"#;

/// `up`, by a clock that jumps where a file says so; `None`, with a word about it, where there is no libfaketime.
pub(crate) fn up_by_the_clock(yard: &Yard) -> Option<Command> {
    let folders = fs::read_dir("/usr/lib").unwrap().flatten();
    let libraries = folders.map(|folder| folder.path().join("faketime/libfaketime.so.1"));
    let Some(library) = libraries.into_iter().find(|path| path.exists()) else {
        eprintln!("UNTESTED: there is no libfaketime here, so no clock jumped; install faketime");
        return None;
    };
    jump(yard, "+0");
    let mut command = yard.house.command(&["up"]);
    command
        .env("LD_PRELOAD", library)
        .env("FAKETIME_TIMESTAMP_FILE", yard.path().join("clock"))
        .env("FAKETIME_NO_CACHE", "1")
        .env("FAKETIME_DONT_FAKE_MONOTONIC", "1");
    Some(command)
}

pub(crate) fn jump(yard: &Yard, to: &str) {
    // Nobody may read a file that is half written.
    let next = yard.house.write("clock.next", &format!("{to}\n"));
    fs::rename(next, yard.path().join("clock")).unwrap();
}

struct Clock {
    yard: Yard,
    runtime: Running,
}

impl Clock {
    fn new() -> Option<Self> {
        let yard = Yard::new();
        let agents = [
            yard.agent("silent", "while read -r line; do :; done\n", ""),
            yard.agent("frail", "exit 7\n", ""),
        ];
        yard.house.write("triarch.toml", &[TEAM, &agents.concat()].concat());
        let runtime = yard.up_by(&up_by_the_clock(&yard)?);
        Some(Self { yard, runtime })
    }

    fn show(&self, agent: &str, what: &str) -> u64 {
        let shown = self.yard.ask("agent.show", &json!({ "agent": agent })).unwrap();
        shown.pointer(what).and_then(Value::as_u64).unwrap()
    }

    fn ticks(&self) -> u64 {
        self.show("counter", "/mailbox/handled")
    }

    fn restarts(&self) -> u64 {
        self.show("frail", "/restarts")
    }

    /// The years that its log has been written in.
    fn years(&self) -> Vec<u32> {
        let log = self.yard.log();
        let mut years: Vec<u32> = log.lines().filter_map(|line| line.get(..4)?.parse().ok()).collect();
        years.dedup();
        years
    }
}

/// How many there may be of what comes each `every`, since `begun`: none early.
fn most(begun: Instant, every: Duration) -> u64 {
    u64::try_from(begun.elapsed().as_millis() / every.as_millis()).unwrap() + 2
}

#[test]
fn no_wait_moves_when_the_clock_of_the_wall_jumps_and_the_log_tells_the_time_of_the_wall() {
    let Some(clock) = Clock::new() else { return };
    let deadline = json!({ "agent": "silent", "wait": "done", "within": format!("{}ms", WAIT.as_millis()) });
    for jump in JUMPS {
        let (begun, ticks, restarts) = (Instant::now(), clock.ticks(), clock.restarts());
        self::jump(&clock.yard, jump);
        let late = clock.yard.ask("agent.send", &deadline).unwrap_err();
        let waited = begun.elapsed();
        assert_eq!(late.code, Code::NoReceipt, "{late}");
        assert!(waited >= WAIT, "{jump}: a deadline passed after {waited:?}");
        until("timer and backoff go on", || {
            clock.ticks() > ticks + 10 && clock.restarts() > restarts + 2
        });
        let (ticks, restarts) = (clock.ticks() - ticks, clock.restarts() - restarts);
        assert!(
            ticks <= most(begun, TICK),
            "{jump}: {ticks} ticks in {:?}",
            begun.elapsed()
        );
        assert!(
            restarts <= most(begun, BACKOFF),
            "{jump}: {restarts} restarts in {:?}",
            begun.elapsed()
        );
        eprintln!(
            "{jump}: a deadline of {WAIT:?} took {waited:.2?}; {ticks} ticks, {restarts} restarts in {:.2?}",
            begun.elapsed()
        );
    }
    let years = clock.years();
    assert!(
        years.windows(2).any(|pair| pair[0] + 10 == pair[1]) && years.windows(2).any(|pair| pair[0] == pair[1] + 20),
        "{years:?}"
    );
    clock.yard.down(clock.runtime);
}
