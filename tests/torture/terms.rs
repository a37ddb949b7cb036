//! Times that tasks, entries and envelopes have, where the clock of the wall jumps: while the runtime runs, while it is down,
//! and over a start of the machine.

use std::fs;
use std::process::Command;
use std::time::{Duration, Instant};

use serde_json::{Value, json};
use triarch::gateway::OperationError;

use crate::PATIENCE;
use crate::clock::{JUMPS, jump, up_by_the_clock};
use crate::running::Running;
use crate::small_disk::unshare;
use crate::yard::{Caller, Yard, until, wrapped};

/// What is waited for, and what must not be over while somebody looks on.
const SOON: Duration = Duration::from_secs(2);
const LATER: Duration = Duration::from_hours(1);
/// Times are told in whole milliseconds.
const GRAIN: Duration = Duration::from_millis(1);
/// So far a time may move.
const SLACK: u64 = 1_000;

/// Tells one start of the machine from another.
const BOOT: &str = "/proc/sys/kernel/random/boot_id";

const FLEET: &str = r#"
[work]
lease = "20s"

[[bus.durable]]
topics = "log.**"

[[team]]
name = "team"
"#;

/// Takes tasks and posts, and never says a word.
const SILENT: &str = "while read -r line; do :; done\n";

struct Terms {
    yard: Yard,
    command: Command,
}

fn millis(time: Duration) -> u64 {
    u64::try_from(time.as_millis()).unwrap()
}

impl Terms {
    fn new() -> Option<Self> {
        let yard = Yard::new();
        let silent = yard.agent("silent", SILENT, "capabilities = [\"wait\"]\ntasks = { at_once = 50 }");
        yard.house.write("triarch.toml", &[FLEET, &silent].concat());
        let command = up_by_the_clock(&yard)?;
        Some(Self { yard, command })
    }

    fn up(&self) -> Running {
        self.yard.up_by(&self.command)
    }

    fn caller(&self) -> Caller {
        self.yard.caller()
    }
}

fn submit(caller: &mut Caller, task: &Value) -> u64 {
    let submitted = caller.ask("task.submit", &json!({ "tasks": [task] })).unwrap();
    submitted[0]["task"].as_u64().unwrap()
}

fn show(caller: &mut Caller, task: u64) -> Value {
    caller.ask("task.show", &json!({ "task": task })).unwrap()
}

fn put(caller: &mut Caller, key: &str, ttl: Duration) {
    let entry = json!({ "namespace": "shared", "key": key, "value": 1, "ttl": format!("{}ms", ttl.as_millis()) });
    caller.ask("memory.put", &entry).unwrap();
}

fn entry(caller: &mut Caller, key: &str) -> Result<Value, OperationError> {
    caller.ask("memory.get", &json!({ "namespace": "shared", "key": key }))
}

/// What has a time of two seconds, and whether it is over.
type Over = Box<dyn FnMut(&mut Caller) -> bool>;

/// One of each; all begin now.
fn all_soon(caller: &mut Caller, round: usize) -> Vec<(&'static str, Over)> {
    let soon = millis(SOON);
    let kept = submit(
        caller,
        &json!({ "kind": "a", "needs": ["nobody"], "not_before_ms": soon }),
    );
    let missed = json!({ "kind": "b", "needs": ["nobody"], "deadline_ms": soon, "cancel_when_missed": true });
    let missed = submit(caller, &missed);
    let timed_out = submit(caller, &json!({ "kind": "c", "needs": ["wait"], "timeout_ms": soon }));
    let key = format!("soon-{round}");
    put(caller, &key, SOON);
    let topic = format!("log.soon-{round}");
    let publication = json!({ "topic": topic, "body": 1, "after": format!("{soon}ms") });
    caller.ask("bus.publish", &publication).unwrap();
    let state = |task: u64, is: &'static [&'static str]| -> Over {
        Box::new(move |caller| is.contains(&show(caller, task)["state"].as_str().unwrap()))
    };
    vec![
        ("what may not be begun before", state(kept, &["ready"])),
        ("a deadline", state(missed, &["expired"])),
        ("the time of an attempt", state(timed_out, &["failed", "dead"])),
        (
            "an entry's time to live",
            Box::new(move |caller| entry(caller, &key).is_err()),
        ),
        (
            "a delay",
            Box::new(move |caller| {
                let shown = caller.ask("bus.show", &json!({ "topic": topic }));
                shown.is_ok_and(|shown| shown["published"].as_u64() > Some(0))
            }),
        ),
    ]
}

#[test]
fn while_it_runs_no_time_of_tasks_entries_and_envelopes_moves_when_the_clock_of_the_wall_jumps() {
    let Some(terms) = Terms::new() else { return };
    let runtime = terms.up();
    let mut caller = terms.caller();
    // The lease of whoever says nothing is renewed for it again and again; were it over, the task would be another's.
    let held = submit(&mut caller, &json!({ "kind": "d", "needs": ["wait"] }));
    until("somebody has it", || show(&mut caller, held)["attempts"] == 1);
    for (round, to) in JUMPS.into_iter().enumerate() {
        let begun = Instant::now();
        let mut all = all_soon(&mut caller, round);
        jump(&terms.yard, to);
        while !all.is_empty() {
            assert!(begun.elapsed() < PATIENCE, "{to}: in vain {:?}", names(&all));
            let looked_at = begun.elapsed();
            all.retain_mut(|(what, is_over)| {
                let is_over = is_over(&mut caller);
                // What was over when it was looked at may have begun a moment later than the clock here.
                let is_early = begun.elapsed() + GRAIN < SOON;
                assert!(
                    !(is_over && is_early),
                    "{to}: {what} of {SOON:?} is over after {looked_at:?}"
                );
                !is_over
            });
        }
        eprintln!("{to}: all that takes {SOON:?} is over after {:.2?}", begun.elapsed());
        let task = show(&mut caller, held);
        assert_eq!((&task["attempts"], &task["past"]), (&json!(1), &json!([])), "{task}");
    }
    terms.yard.down(runtime);
}

fn names(all: &[(&'static str, Over)]) -> Vec<&'static str> {
    all.iter().map(|(what, _)| *what).collect()
}

/// How much of an hour is left: to a task's beginning, to its deadline, and to the end of an entry.
fn left(caller: &mut Caller, task: u64) -> [u64; 3] {
    let task = show(caller, task);
    let entry = entry(caller, "later").unwrap();
    let left = [&task["begins_in_ms"], &task["deadline_in_ms"], &entry["expires_in_ms"]];
    left.map(|left| left.as_u64().unwrap_or_else(|| panic!("{task} {entry}")))
}

fn begin_later(caller: &mut Caller) -> u64 {
    put(caller, "later", LATER);
    let (from, to) = (millis(LATER), millis(LATER * 2));
    submit(
        caller,
        &json!({ "kind": "a", "needs": ["nobody"], "not_before_ms": from, "deadline_ms": to }),
    )
}

#[test]
fn while_it_is_down_no_time_moves_but_by_what_has_passed_when_the_clock_of_the_wall_jumps() {
    let Some(terms) = Terms::new() else { return };
    let mut runtime = terms.up();
    let task = begin_later(&mut terms.caller());
    for (round, to) in JUMPS.into_iter().enumerate() {
        let begun = Instant::now();
        let before = left(&mut terms.caller(), task);
        // One is killed, and the next stops in order.
        runtime.signal(if round % 2 == 0 { "KILL" } else { "TERM" });
        runtime.end(PATIENCE);
        jump(&terms.yard, to);
        runtime = terms.up();
        let after = left(&mut terms.caller(), task);
        let passed = millis(begun.elapsed());
        for (before, after) in before.into_iter().zip(after) {
            let expected = before.saturating_sub(passed + SLACK)..=before + SLACK;
            assert!(
                expected.contains(&after),
                "{to}: {after} ms are left of {before} after {passed}"
            );
        }
    }
    terms.yard.down(runtime);
}

#[test]
fn over_a_start_of_the_machine_the_clock_of_the_wall_counts_and_never_backwards() {
    let (Some(terms), Some(unshare)) = (Terms::new(), unshare()) else {
        return;
    };
    let boot = |number: u32| {
        let id = format!("00000000-0000-4000-8000-{number:012}\n");
        let path = terms.yard.house.write("boot", &id).display().to_string();
        let script = format!("mount --bind {path} {BOOT} && exec \"$@\"");
        let before = [unshare, &["sh", "-c", &script, "sh"]].concat();
        terms.yard.up_by(&wrapped(&before, &terms.command))
    };
    let mut runtime = boot(0);
    let task = begin_later(&mut terms.caller());
    // Twenty minutes on, an hour back, and on again from there: what was back does not count.
    for (number, to, on) in [(1, "+20m", 20), (2, "-40m", 0), (3, "-20m", 20)] {
        let begun = Instant::now();
        let before = left(&mut terms.caller(), task);
        runtime.signal("TERM");
        runtime.end(PATIENCE);
        jump(&terms.yard, to);
        fs::remove_file(terms.yard.path().join("boot")).unwrap();
        runtime = boot(number);
        let after = left(&mut terms.caller(), task);
        let (passed, on) = (millis(begun.elapsed()), on * 60_000);
        for (before, after) in before.into_iter().zip(after) {
            let expected = before.saturating_sub(on + passed + SLACK)..=(before + SLACK).saturating_sub(on);
            assert!(
                expected.contains(&after),
                "{to}: {after} ms are left of {before}, and not in {expected:?}"
            );
        }
    }
    terms.yard.down(runtime);
}
