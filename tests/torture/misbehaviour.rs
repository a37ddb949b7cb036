//! Programs that do what no program should. Each has a neighbour that must not notice.

use std::fs;
use std::process::Command;

use serde_json::{Value, json};
use triarch::gateway::Code;

use crate::programs::ECHO;
use crate::running::Running;
use crate::yard::{Yard, until};

/// An agent called `wild`, whose script is given, and one beside it that replies.
struct Pair {
    yard: Yard,
    runtime: Running,
}

impl Pair {
    fn of(script: &str, more: &str) -> Self {
        let yard = Yard::new();
        yard.describe(&[yard.agent("wild", script, more), yard.agent("calm", ECHO, "")].concat());
        let runtime = yard.up();
        Self { yard, runtime }
    }

    fn show(&self, agent: &str) -> Value {
        self.yard.ask("agent.show", &json!({ "agent": agent })).unwrap()
    }

    fn process(&self, agent: &str) -> String {
        self.show(agent)["pid"].to_string()
    }

    /// Stops it all; the neighbour is still in its first life, and nobody is left.
    fn end(self) {
        assert_eq!(self.yard.reply("calm"), "pong");
        assert_eq!(self.show("calm")["incarnation"], 1);
        self.yard.down(self.runtime);
    }
}

fn signal(name: &str, pid: &str) {
    assert!(Command::new("kill").args(["-s", name, pid]).status().unwrap().success());
}

/// Resident memory in KiB.
fn resident(pid: u32) -> u64 {
    let status = fs::read_to_string(format!("/proc/{pid}/status")).unwrap();
    let line = status.lines().find(|line| line.starts_with("VmRSS:")).unwrap();
    line.split_whitespace().nth(1).unwrap().parse().unwrap()
}

#[test]
fn one_that_forks_up_to_its_limit_is_held_to_it() {
    // It stops by itself at 300, should nothing hold it. A shell gives up at the fork that is refused; the one around it stays for
    // as long as it takes to count whom that left.
    let bomb = "(n=0; while [ $n -lt 300 ]; do sleep 600 & n=$((n+1)); done) 2>/dev/null\nexec sleep 1\n";
    let pair = Pair::of(bomb, "limits = { processes = 40 }\nshutdown = \"1s\"");
    until("it has forked", || pair.yard.living().len() >= 30);
    // The next life does the same.
    until("it was refused", || pair.show("wild")["incarnation"].as_u64() > Some(2));
    assert!(pair.yard.living().len() <= 45, "{}", pair.yard.living().len());
    pair.end();
}

#[test]
fn a_huge_line_is_skipped_and_what_follows_is_heard() {
    let huge = "head -c 3000000 /dev/zero | tr '\\0' x; echo\n";
    let pair = Pair::of(&[huge, ECHO].concat(), "");
    assert_eq!(pair.yard.reply("wild"), "pong");
    assert!(
        pair.yard
            .metric("triarch_program_line_faults_total{fault=\"too_long\"}")
            >= 1.0
    );
    pair.end();
}

#[test]
fn garbage_on_both_streams_breaks_nothing() {
    let garbage = "head -c 2000000 /dev/urandom; echo; head -c 2000000 /dev/urandom >&2\n";
    let pair = Pair::of(&[garbage, ECHO].concat(), "");
    assert_eq!(pair.yard.reply("wild"), "pong");
    assert_eq!(pair.show("wild")["incarnation"], 1);
    pair.end();
}

#[test]
fn one_that_closes_its_output_is_no_failure_and_ends_like_any_other() {
    let pair = Pair::of("exec >&- 2>&-\nwhile read -r line; do :; done\n", "");
    let unanswered = json!({ "agent": "wild", "wait": "done", "within": "300ms" });
    let error = pair.yard.ask("agent.send", &unanswered).unwrap_err();
    assert_eq!(error.code, Code::NoReceipt, "{error}");
    assert_eq!(pair.show("wild")["incarnation"], 1);
    pair.end();
}

#[test]
fn one_that_closes_its_input_fails_and_is_started_again() {
    let pair = Pair::of("exec <&-\nexec sleep 600\n", "");
    let _posted = pair.yard.ask("agent.send", &json!({ "agent": "wild" }));
    until("it has failed", || pair.show("wild")["restarts"].as_u64() > Some(0));
    pair.end();
}

#[test]
fn one_that_is_stopped_by_a_signal_can_be_killed_and_leaves_nobody() {
    let pair = Pair::of(&["sleep 600 &\n", ECHO].concat(), "shutdown = \"400ms\"");
    assert_eq!(pair.yard.reply("wild"), "pong");
    signal("STOP", &pair.process("wild"));
    until("it is stopped", || {
        pair.yard.living().iter().any(crate::kin::Process::is_stopped)
    });
    pair.yard.ask("agent.kill", &json!({ "agent": "wild" })).unwrap();
    until("its next life replies", || pair.yard.try_reply("wild").is_some());
    assert_eq!(pair.show("wild")["incarnation"], 2);
    signal("STOP", &pair.process("wild"));
    pair.yard.ask("agent.stop", &json!({ "agent": "wild" })).unwrap();
    until("only the neighbour is left", || pair.yard.living().len() == 1);
    pair.yard.ask("agent.restart", &json!({ "agent": "wild" })).unwrap();
    assert_eq!(pair.yard.reply("wild"), "pong");
    // The last time it is stopped while the whole runtime is.
    signal("STOP", &pair.process("wild"));
    pair.end();
}

#[test]
fn one_that_writes_for_ever_is_held_back_and_the_runtime_does_not_grow() {
    let flood = "yes '' & yes 'a line of its errors' >&2 & yes '{\"type\":\"log\",\"text\":\"x\"}'\n";
    let pair = Pair::of(flood, "shutdown = \"1s\"");
    let before = resident(pair.runtime.pid());
    let mut most = 0;
    until("three million lines were read", || {
        most = most.max(resident(pair.runtime.pid()));
        assert!(most < before + 128 * 1024, "it grew from {before} KiB to {most} KiB");
        pair.yard.metric("triarch_program_lines_total{direction=\"stdout\"}") > 3e6
    });
    eprintln!("resident memory {before} KiB before, at most {most} KiB while flooded");
    assert_eq!(pair.yard.reply("calm"), "pong");
    pair.end();
}

#[test]
fn one_that_never_reads_fills_its_mailbox_and_holds_back_its_senders_alone() {
    let pair = Pair::of("exec sleep 600\n", "mailbox = { capacity = 16 }\nshutdown = \"1s\"");
    let mut caller = pair.yard.caller();
    let body = "x".repeat(10_000);
    let post = json!({ "agent": "wild", "body": body, "within": "300ms" });
    let mut queued = 0;
    let refused = loop {
        match caller.ask("agent.send", &post) {
            Ok(_) => queued += 1,
            Err(refused) => break refused,
        }
        assert!(queued < 1000, "nothing holds the sender back");
    };
    assert_eq!(refused.code, Code::Failed, "{refused}");
    // One that came to nothing for want of time may leave room behind.
    let fill = json!({ "agent": "wild", "body": body, "within": "10ms" });
    until("its mailbox is full", || {
        caller.ask("agent.send", &fill).is_err() && pair.show("wild")["mailbox"]["depth"] == 16
    });
    for _ in 0..50 {
        assert_eq!(pair.yard.reply("calm"), "pong");
    }
    pair.end();
}
