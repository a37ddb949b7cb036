//! Where the output goes: to nobody, to a disk that is full, to a program that reads JSON.

use std::fs::{self, File};
use std::io::{BufRead, BufReader, Read, Write};
use std::process::{Command, Stdio};

use serde_json::{Value, json};

use crate::running::{House, Running};
use crate::{PATIENCE, text, until};

/// What a verb ends with when whoever reads it has read so many lines; all that they read.
fn read_in_part(house: &House, arguments: &[&str], lines: usize) -> (Option<i32>, Vec<String>) {
    let mut command = house.command(arguments);
    let mut child = command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
    let read = BufReader::new(child.stdout.take().unwrap()).lines();
    let read = read.take(lines).map(Result::unwrap).collect();
    until("it ends", || child.try_wait().unwrap().is_some());
    let mut said = String::new();
    child.stderr.take().unwrap().read_to_string(&mut said).unwrap();
    assert_eq!(said, "", "that nobody reads is no news");
    (child.wait().unwrap().code(), read)
}

#[test]
fn a_verb_ends_when_nobody_reads_it_any_more() {
    let house = House::new();
    let _runtime = house.up(&[]);
    for arguments in [&["tree", "--watch"][..], &["tree", "--watch", "--json"]] {
        let (code, lines) = read_in_part(&house, arguments, 3);
        assert_eq!(code, Some(1), "{arguments:?}");
        assert!(!lines.concat().contains('\u{1b}'), "{lines:?}");
    }
}

#[test]
fn output_that_cannot_be_written_is_a_failure_and_is_told() {
    let house = House::new();
    let _runtime = house.up(&[]);
    for arguments in [
        &["status"][..],
        &["tree", "--json"],
        &["config", "show"],
        &["doctor"],
        &["completions", "bash"],
        &["--help"],
    ] {
        let full = File::options().write(true).open("/dev/full").unwrap();
        let output = house.command(arguments).stdout(full).output().unwrap();
        let said = text(&output.stderr);
        assert_eq!(output.status.code(), Some(1), "{arguments:?}: {said}");
        assert!(said.contains("No space left"), "{arguments:?}: {said}");
    }
}

#[test]
fn two_forms_at_once_are_refused() {
    let output = House::new().run(&["tree", "--format", "dot", "--json"]);
    assert_eq!(output.status.code(), Some(2), "{}", text(&output.stderr));
}

#[test]
fn verbs_without_a_runtime_answer_as_json_too() {
    let house = House::new();
    let begun = house.json(&["config", "init"]);
    assert_eq!(begun, json!({ "path": "./triarch.toml" }));
    assert_eq!(house.json(&["config", "check"]), json!([]));
    let exported = house.json(&["dashboard", "export", "watch"]);
    let paths = exported.as_array().unwrap();
    assert!(paths.contains(&json!("watch/dashboards/overview.json")), "{exported}");
    house.write("triarch.toml", "[runtime]\nspam = 1\n");
    let checked = house.run(&["config", "check", "--json"]);
    assert_eq!(checked.status.code(), Some(2));
    let faults: Value = serde_json::from_slice(&checked.stdout).unwrap();
    let fault = &faults[0];
    assert_eq!(
        (&fault["file"], &fault["line"], &fault["column"]),
        (&json!("triarch.toml"), &json!(2), &json!(1)),
        "{faults}"
    );
    assert!(fault["problem"].as_str().unwrap().contains("`spam`"), "{faults}");
    assert_eq!(fault["remedy"], "write `span`");
}

#[test]
fn the_demo_as_json_is_one_object_with_its_figures() {
    let demo = House::new().json(&["demo"]);
    assert_eq!(demo["agent"], "demo/worker-1");
    assert_eq!(
        (&demo["life_before"], &demo["life_after"]),
        (&json!(1), &json!(2)),
        "{demo}"
    );
    assert!(demo["recovered_ms"].as_u64().is_some(), "{demo}");
}

#[test]
fn a_demo_that_cannot_start_says_why() {
    let house = House::new();
    let output = house
        .command(&["demo"])
        .env("TRIARCH_RUNTIME__SPAN", "0")
        .output()
        .unwrap();
    let said = text(&output.stderr);
    assert_eq!(output.status.code(), Some(1), "{said}");
    assert!(said.contains("TRIARCH_RUNTIME__SPAN"), "{said}");
}

#[test]
fn who_asks_for_nothing_is_shown_what_there_is_as_bad_usage() {
    let house = House::new();
    for arguments in [&[][..], &["team"], &["agent"], &["config"]] {
        let output = house.run(arguments);
        assert_eq!(output.status.code(), Some(2), "{arguments:?}");
        assert!(text(&output.stderr).contains("Usage: triarch"), "{arguments:?}");
        assert!(output.stdout.is_empty(), "{arguments:?}");
    }
}

#[test]
fn an_answer_without_a_body_leaves_standard_output_empty() {
    let house = House::new();
    let _runtime = house.up(&[]);
    // It echoes what it gets.
    let output = house.run(&["agent", "ask", "worker-1"]);
    let said = text(&output.stderr);
    assert_eq!(output.status.code(), Some(0), "{said}");
    assert_eq!(
        (text(&output.stdout).as_str(), said.contains("demo/worker-1: done")),
        ("", true),
        "{said}"
    );
}

#[test]
fn complaints_are_json_where_the_log_is() {
    let house = House::new();
    let described = |more: &str| format!("[runtime]\nlog.format = \"json\"\n{more}[[team]]\nname = \"a\"\n");
    house.write("triarch.toml", &described(""));
    let log = house.path().join("log");
    let mut command = Command::new("sh");
    let script = format!("exec \"$@\" 2>{}", log.display());
    let up = house.command(&["up"]);
    command
        .args(["-c", &script, "sh"])
        .arg(up.get_program())
        .args(up.get_args());
    command.current_dir(house.path()).env_clear().stdin(Stdio::null());
    command.envs(up.get_envs().filter_map(|(key, value)| Some((key, value?))));
    let runtime = House::up_by(command);
    house.write("triarch.toml", &described("spam = 1\n"));
    runtime.signal("HUP");
    let logged = || fs::read_to_string(&log).unwrap();
    until("the reload is told", || logged().contains("nothing was reloaded"));
    for line in logged().lines() {
        let read: Result<Value, _> = serde_json::from_str(line);
        assert!(read.is_ok_and(|read| read["time"].is_string()), "{line}");
    }
}

#[test]
fn a_log_that_nobody_reads_keeps_no_runtime_from_its_changes_nor_from_its_end() {
    let house = House::new();
    let team = "[[team]]\nname = \"t\"\n[[team.agent]]\nname = \"e\"\nkind = \"echo\"\nreplicas = 2\n";
    house.write("triarch.toml", team);
    // As much as a pipe holds.
    let (_unread, mut log) = std::io::pipe().unwrap();
    log.write_all(&vec![b'x'; 1 << 16]).unwrap();
    let mut command = house.command(&["up"]);
    command.stderr(log);
    let mut runtime = Running::start_as_it_is(command);
    runtime.said_with("triarch top", PATIENCE);
    house.write("triarch.toml", "[[team]]\nname = 7\n");
    runtime.signal("HUP");
    assert_eq!(house.json(&["team", "scale", "t", "e", "3"])["name"], "t");
    runtime.signal("HUP");
    assert_eq!(house.json(&["team", "scale", "t", "e", "4"])["name"], "t");
    runtime.signal("TERM");
    assert_eq!(runtime.end(PATIENCE), Some(0));
}

#[test]
fn what_went_wrong_is_json_too_where_somebody_asked_for_that() {
    let house = House::new();
    let failed = |arguments: &[&str], code: i32| {
        let output = house.run(&[arguments, &["--json"]].concat());
        assert_eq!(output.status.code(), Some(code), "{arguments:?}");
        assert!(output.stdout.is_empty(), "{}", text(&output.stdout));
        let told: Value = serde_json::from_slice(&output.stderr).unwrap();
        assert_eq!(told["error"]["code"], code, "{told}");
        assert!(told["error"]["remedy"].is_string(), "{told}");
        told["error"]["message"].as_str().unwrap().to_owned()
    };
    assert!(failed(&["status"], 69).contains("no runtime listens"));
    let _runtime = house.up(&[]);
    assert!(failed(&["why", "nobody"], 4).contains("nobody"));
    assert!(failed(&["--config", "misspelt.toml", "reload"], 2).contains("misspelt.toml"));
}
