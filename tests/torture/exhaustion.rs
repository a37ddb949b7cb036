//! A runtime that has no descriptor left.

use std::fs;
use std::io::{Read, Write};
use std::net::TcpStream;
use std::process::Command;
use std::time::{Duration, Instant};

use serde_json::json;

use crate::PATIENCE;
use crate::programs::{ECHO, STUBBORN};
use crate::yard::{Yard, until, wrapped};

/// More than there are descriptors for.
const GUESTS: usize = 32;

/// Whoever waited at a door is let in so soon once there are descriptors again.
const SOON: Duration = Duration::from_secs(1);

/// What of a core a runtime may take that can let nobody in: little more than one with nothing to do.
const AT_REST: f64 = 0.05;

/// The lowest number that none of its descriptors has; some may have been inherited that have far higher ones.
fn lowest_free(pid: u32) -> u64 {
    let is_open = |number: &u64| fs::symlink_metadata(format!("/proc/{pid}/fd/{number}")).is_ok();
    (0..1 << 20).find(|number| !is_open(number)).unwrap()
}

fn limit(pid: u32, most: u64) {
    let (pid, most) = (pid.to_string(), format!("--nofile={most}:"));
    assert!(
        Command::new("prlimit")
            .args(["--pid", &pid, &most])
            .status()
            .unwrap()
            .success()
    );
}

/// The processor time that it has used.
fn used(pid: u32) -> Duration {
    let stat = fs::read_to_string(format!("/proc/{pid}/stat")).unwrap();
    let fields: Vec<_> = stat.rsplit_once(") ").unwrap().1.split(' ').collect();
    let ticks: u64 = [fields[11], fields[12]]
        .iter()
        .map(|ticks| ticks.parse::<u64>().unwrap())
        .sum();
    // A tick is a hundredth of a second on every machine there is.
    Duration::from_millis(ticks * 10)
}

fn scraper(port: u16) -> TcpStream {
    let mut stream = TcpStream::connect(("127.0.0.1", port)).unwrap();
    stream.set_read_timeout(Some(PATIENCE)).unwrap();
    write!(
        stream,
        "GET /metrics HTTP/1.1\r\nHost: 127.0.0.1:{port}\r\nConnection: close\r\n\r\n"
    )
    .unwrap();
    stream
}

#[test]
fn without_descriptors_it_goes_on_and_with_them_all_is_as_before() {
    let yard = Yard::new();
    let team = "[[team]]\nname = \"team\"\n";
    let agents = [yard.agent("stays", ECHO, ""), yard.agent("goes", ECHO, "replicas = 3")].concat();
    yard.house.write("triarch.toml", &[team, &agents].concat());
    let runtime = yard.up();
    let pid = runtime.pid();
    assert_eq!(yard.reply("stays"), "pong");
    let killed = yard.ask("agent.show", &json!({ "agent": "goes-1" })).unwrap()["pid"].to_string();
    assert_eq!(yard.reply("goes-1"), "pong");

    limit(pid, lowest_free(pid) + 2);
    let mut guests: Vec<_> = (0..GUESTS)
        .map(|_| scraper_that_says_nothing(yard.house.port))
        .collect();
    assert!(
        Command::new("kill")
            .args(["-KILL", &killed])
            .status()
            .unwrap()
            .success()
    );
    until("it cannot be started", || {
        shown(&yard, "goes-1")["shown"]["state"] == "not begun"
    });
    let waiting = scraper(yard.house.port);
    let (begun, before) = (Instant::now(), used(pid));
    until("a while has passed", || begun.elapsed() > Duration::from_secs(2));
    let share = (used(pid).saturating_sub(before)).as_secs_f64() / begun.elapsed().as_secs_f64();
    assert!(share < 0.5, "it uses {share} of a core");
    for _ in 0..5 {
        // The first of them gives up after a while, which a command does not.
        assert_eq!(yard.ask("status", &json!({})).unwrap()["pid"], pid);
        assert_eq!(yard.house.json(&["status"])["pid"], pid);
        assert_eq!(yard.reply("stays"), "pong");
    }

    limit(pid, 1024);
    let lifted = Instant::now();
    guests.clear();
    let mut page = String::new();
    let mut waiting = waiting;
    waiting.read_to_string(&mut page).unwrap();
    assert!(page.starts_with("HTTP/1.1 200 "), "{page}");
    let scraped = lifted.elapsed();
    until("the program is back", || yard.try_reply("goes-1").is_some());
    eprintln!(
        "{share:.2} of a core while exhausted; /metrics {scraped:.0?} after, the program {:.0?}",
        lifted.elapsed()
    );
    for agent in ["goes-1", "goes-2", "goes-3", "stays"] {
        assert_eq!(yard.reply(agent), "pong");
    }
    assert_eq!(shown(&yard, "stays")["incarnation"], 1);
    // The one is for the kill; that there was no room is no failure until a minute has passed.
    let restarts = shown(&yard, "goes-1")["restarts"].as_u64().unwrap();
    assert!((1..=2).contains(&restarts), "no restart makes room: {restarts}");
    yard.down(runtime);
}

/// It takes all descriptors away and gives them back: the share of a core meanwhile, and how long the socket and the page then took to answer.
fn exhausted(yard: &Yard, pid: u32) -> (f64, Duration, Duration) {
    limit(pid, lowest_free(pid) + 2);
    let _guests: Vec<_> = (0..GUESTS)
        .map(|_| scraper_that_says_nothing(yard.house.port))
        .collect();
    let mut waiting = scraper(yard.house.port);
    // The descriptor that is kept for the command line is spent too.
    assert_eq!(yard.ask("status", &json!({})).unwrap()["pid"], pid);
    let (begun, before) = (Instant::now(), used(pid));
    until("a while has passed", || begun.elapsed() > Duration::from_secs(2));
    let share = used(pid).saturating_sub(before).as_secs_f64() / begun.elapsed().as_secs_f64();
    limit(pid, 1024);
    let lifted = Instant::now();
    assert_eq!(yard.ask("status", &json!({})).unwrap()["pid"], pid);
    let asked = lifted.elapsed();
    let mut page = String::new();
    waiting.read_to_string(&mut page).unwrap();
    assert!(page.starts_with("HTTP/1.1 200 "), "{page}");
    (share, asked, lifted.elapsed())
}

#[test]
fn without_descriptors_no_door_spins_and_with_them_all_open_within_a_second() {
    let yard = Yard::new();
    let team = "[[team]]\nname = \"team\"\n[[team.agent]]\nname = \"one\"\nkind = \"echo\"\n";
    yard.house.write("triarch.toml", team);
    let runtime = yard.up();
    let seen: Vec<_> = (0..3).map(|_| exhausted(&yard, runtime.pid())).collect();
    eprintln!("of a core while exhausted, then socket and page: {seen:.2?}");
    // The least of three: the rest is what other tests do to the machine meanwhile.
    let share = seen.iter().map(|one| one.0).fold(1.0, f64::min);
    assert!(share < AT_REST, "{seen:?}");
    assert!(seen.iter().any(|one| one.1 < SOON && one.2 < SOON), "{seen:?}");
    yard.down(runtime);
}

/// How many run the script of an agent.
fn runs(yard: &Yard, agent: &str) -> usize {
    let script = format!("work/{agent}.sh");
    let living = yard.living().into_iter();
    living.filter(|process| process.arguments.contains(&script)).count()
}

#[test]
fn without_descriptors_who_is_stopped_or_killed_is_gone_and_nobody_runs_twice() {
    let yard = Yard::new();
    let script = [STUBBORN, ECHO, "sleep 600\n"].concat();
    let agents = ["stopped", "killed", "free"];
    let described = agents.map(|agent| {
        let sandbox = if agent == "free" { "none" } else { "standard" };
        let more = format!("shutdown = \"2s\"\nsandbox = {{ kind = \"{sandbox}\" }}");
        yard.agent(agent, &script, &more)
    });
    yard.describe(&described.concat());
    let runtime = yard.up();
    let pid = runtime.pid();
    for agent in agents {
        assert_eq!(yard.reply(agent), "pong");
    }

    limit(pid, lowest_free(pid) + 2);
    let mut guests: Vec<_> = (0..GUESTS)
        .map(|_| scraper_that_says_nothing(yard.house.port))
        .collect();
    yard.ask("agent.stop", &json!({ "agent": "stopped" })).unwrap();
    yard.ask("agent.kill", &json!({ "agent": "killed" })).unwrap();
    let (begun, stopped) = (
        Instant::now(),
        yard.ask("agent.stop", &json!({ "agent": "free" })).unwrap(),
    );
    eprintln!("{} after {:.0?}", stopped["last_exit"], begun.elapsed());
    until("all are gone", || yard.living().is_empty());

    limit(pid, 1024);
    guests.clear();
    for agent in ["stopped", "free"] {
        yard.ask("agent.restart", &json!({ "agent": agent })).unwrap();
    }
    for agent in agents {
        until("it is back", || yard.try_reply(agent).is_some());
        // Who is to become a helper is a second one for a moment.
        until("it runs once", || runs(&yard, agent) == 1);
    }
    yard.down(runtime);
}

/// Replies with how many files it may have open, and how far it may raise that.
const TELLS_LIMITS: &str = r#"
while read -r line; do
    id=${line#*'"id":"'}
    printf '{"type":"reply","id":"%s","body":"%s %s"}\n' "${id%%'"'*}" "$(ulimit -Sn)" "$(ulimit -Hn)"
done
"#;

#[test]
fn more_descriptors_are_taken_than_were_given_and_programs_get_what_was_given() {
    let yard = Yard::new();
    // Four each.
    let count = 80;
    let own = yard.agent("own", TELLS_LIMITS, "limits = { open_files = 99 }");
    let many = yard.agent("one", TELLS_LIMITS, &format!("replicas = {count}"));
    yard.house
        .write("triarch.toml", &["[[team]]\nname = \"team\"\n", &own, &many].concat());
    let limited = ["sh", "-c", "ulimit -Sn 256; ulimit -Hn 4096; exec \"$@\"", "sh"];
    let runtime = yard.up_by(&wrapped(&limited, &yard.house.command(&["up"])));
    let mut caller = yard.caller();
    for number in 1..=count {
        assert_eq!(caller.reply(&format!("one-{number}")), "256 4096");
    }
    assert_eq!(caller.reply("own"), "99 99");
    assert!(fs::read_dir(format!("/proc/{}/fd", runtime.pid())).unwrap().count() > 256);
    drop(caller);
    yard.down(runtime);
}

/// One that keeps its connection and does not ask.
fn scraper_that_says_nothing(port: u16) -> TcpStream {
    TcpStream::connect(("127.0.0.1", port)).unwrap()
}

fn shown(yard: &Yard, agent: &str) -> serde_json::Value {
    yard.ask("agent.show", &json!({ "agent": agent })).unwrap()
}
