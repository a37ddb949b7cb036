//! How it begins, and how it ends.

use std::fs::Permissions;
use std::os::unix::fs::{MetadataExt as _, PermissionsExt as _};
use std::os::unix::process::CommandExt as _;
use std::process::Output;

use serde_json::Value;

use crate::PATIENCE;
use crate::running::{House, Running};
use crate::{text, until};

/// A team of one that fails at each second post.
const FRAGILE: &str = r#"
[[team]]
name = "glass"
backoff = { first = "1ms", max = "1ms" }

  [[team.agent]]
  name = "vase"
  kind = "echo"
  fail_every = 2
"#;

#[test]
fn it_says_where_it_listens_and_what_it_runs() {
    let house = House::new();
    let output = house.run(&["up", "--for", "0s"]);
    assert_eq!(output.status.code(), Some(0), "{}", text(&output.stderr));
    let said = text(&output.stdout);
    assert!(said.starts_with("triarch 0.1.0 runs "), "{said}");
    assert!(
        said.contains(&format!("http://127.0.0.1:{}/metrics", house.port)),
        "{said}"
    );
    assert!(said.contains("described in the built-in demo"), "{said}");
}

#[test]
fn a_signal_stops_it_in_order() {
    for signal in ["TERM", "INT"] {
        let house = House::new();
        let mut triarch = house.up(&[]);
        triarch.signal(signal);
        assert_eq!(triarch.end(PATIENCE), Some(0), "{signal}");
    }
}

#[test]
fn down_returns_when_the_runtime_is_gone() {
    let house = House::new();
    let mut triarch = house.up(&[]);
    let pid = triarch.pid();
    assert_eq!(house.json(&["down"])["pid"], pid);
    assert!(!triarch.runs(), "its process has ended when it is said to have");
    assert_eq!(house.run(&["status"]).status.code(), Some(69));
    assert_eq!(triarch.end(PATIENCE), Some(0));
}

/// One that has been asked to stop and takes its time: it waits for the file `go`.
fn leaving(by: &dyn Fn(&House) -> Option<Running>, more: &[&str]) -> (House, Running, Option<Running>) {
    let house = House::new();
    let script = "trap 'echo > asked' TERM\necho $$ > ready\nwhile ! test -e go; do sleep 0.02; done\n";
    house.write("slow.sh", script);
    let slow = "[[team]]\nname = \"t\"\n[[team.agent]]\nname = \"slow\"\nkind = \"program\"\ncommand = [\"sh\", \"slow.sh\"]\nshutdown = \"10m\"\nsandbox = { kind = \"none\" }\n";
    house.write("triarch.toml", slow);
    let triarch = house.up(more);
    until("the program runs", || program(&house).is_some());
    let down = by(&house);
    until("it is asked to stop", || house.path().join("asked").exists());
    (house, triarch, down)
}

/// The process of the program that takes its time, once it has begun.
fn program(house: &House) -> Option<u32> {
    let written = std::fs::read_to_string(house.path().join("ready")).ok()?;
    written.strip_suffix('\n')?.parse().ok()
}

#[test]
fn down_returns_when_all_programs_are_gone_though_nobody_waited_for_them() {
    let (house, mut triarch, down) = leaving(&|house| Some(house.begin(&["down"])), &[]);
    triarch.signal("TERM");
    triarch.line_with("stops already", PATIENCE);
    assert_eq!(triarch.insist("TERM"), Some(130));
    assert!(triarch.rest_with("without waiting").is_some());
    assert_eq!(down.unwrap().end(PATIENCE), Some(0));
    // Of one that has ended, and was not waited for yet, the arguments are nothing.
    let arguments = std::fs::read(format!("/proc/{}/cmdline", program(&house).unwrap()));
    assert!(arguments.unwrap_or_default().is_empty(), "it is gone");
}

#[test]
fn a_first_signal_after_another_wish_to_stop_cuts_nobody_off() {
    let (house, mut triarch, down) = leaving(&|house| Some(house.begin(&["down"])), &[]);
    triarch.signal("TERM");
    triarch.line_with("stops already", PATIENCE);
    assert!(triarch.runs());
    house.write("go", "");
    assert_eq!(triarch.end(PATIENCE), Some(0));
    assert_eq!(down.unwrap().end(PATIENCE), Some(0));
}

#[test]
fn a_second_signal_is_impatience_whatever_the_first_wish_was() {
    let (_house, mut triarch, _) = leaving(&|_| None, &["--for", "1ms"]);
    triarch.signal("INT");
    triarch.line_with("stops already", PATIENCE);
    assert_eq!(triarch.insist("INT"), Some(130));
}

#[test]
fn two_signals_at_once_are_one_wish_and_cut_nobody_off() {
    let twice = |house: &House| {
        // As `timeout` does it: the process, and then its group.
        let pid = house.json(&["status"])["pid"].to_string();
        let both = format!("kill -s TERM {pid}; kill -s INT {pid}");
        assert!(
            std::process::Command::new("sh")
                .args(["-c", &both])
                .status()
                .unwrap()
                .success()
        );
        None
    };
    let (house, mut triarch, _) = leaving(&twice, &[]);
    house.write("go", "");
    assert_eq!(triarch.end(PATIENCE), Some(0));
}

#[test]
fn from_the_wish_to_stop_on_nothing_new_is_taken_and_who_looks_is_answered() {
    let by_down = leaving(&|house| Some(house.begin(&["down"])), &[]);
    let by_time = leaving(&|_| None, &["--for", "1ms"]);
    for (house, mut triarch, _down) in [by_down, by_time] {
        for new in [
            &["agent", "ask", "slow", "1"][..],
            &["agent", "send", "slow", "1"],
            &["agent", "spawn", "t", "more", "--kind", "echo"],
            &["agent", "restart", "slow"],
            &["team", "start", "t"],
            &["reload"],
            &["task", "submit", "sum", "1"],
            &["bus", "publish", "a.b", "1"],
        ] {
            let refused = house.run(new);
            let said = text(&refused.stderr);
            assert_eq!(refused.status.code(), Some(1), "{new:?}: {said}");
            assert!(said.contains("the runtime is stopping"), "{new:?}: {said}");
        }
        for look in [&["status"][..], &["tree"], &["why", "slow"], &["task", "list"]] {
            house.json(look);
        }
        house.write("go", "");
        assert_eq!(triarch.end(PATIENCE), Some(0));
    }
}

/// What a command says that is run by somebody who is not let into the state folder; nothing where that cannot be tried.
#[expect(clippy::print_stderr, reason = "what was not tested is said")]
fn by_another(house: &House, arguments: &[&str]) -> Option<Output> {
    let state = house.path().join("state");
    let mut command = house.command(arguments);
    command.current_dir("/");
    let is_root = std::fs::metadata("/proc/self").unwrap().uid() == 0;
    let mode = |mode| std::fs::set_permissions(&state, Permissions::from_mode(mode)).unwrap();
    if is_root {
        command.uid(65_534);
    } else {
        // To its owner too a folder is closed that nobody may look into.
        mode(0o000);
    }
    let output = command.output();
    mode(0o700);
    match output {
        Err(error) if is_root && error.kind() == std::io::ErrorKind::PermissionDenied => {
            eprintln!("UNTESTED: nobody else may run the binary here");
            None
        }
        output => Some(output.unwrap()),
    }
}

#[test]
fn another_users_runtime_is_not_taken_for_none() {
    let house = House::new();
    let _triarch = house.up(&[]);
    let Some(refused) = by_another(&house, &["status"]) else {
        return;
    };
    let said = text(&refused.stderr);
    assert_eq!(refused.status.code(), Some(5), "{said}");
    assert!(said.contains("another user") && !said.contains("triarch up"), "{said}");
    let looked = by_another(&house, &["doctor", "--json"]).unwrap();
    let findings: Value = serde_json::from_slice(&looked.stdout).unwrap();
    let runtime = findings
        .as_array()
        .unwrap()
        .iter()
        .find(|finding| finding["subject"] == "runtime");
    assert_eq!(runtime.unwrap()["verdict"], "bad", "{findings}");
}

#[test]
fn a_second_one_on_the_same_folder_is_refused_and_names_the_first() {
    let house = House::new();
    let triarch = house.up(&[]);
    let refused = house.run(&["up"]);
    assert_eq!(refused.status.code(), Some(5));
    let said = text(&refused.stderr);
    assert!(said.contains(&format!("pid {}", triarch.pid())), "{said}");
    assert_eq!(house.json(&["status"])["pid"], triarch.pid(), "the first is left alone");
}

#[test]
fn after_a_kill_the_next_one_starts() {
    let house = House::new();
    let mut triarch = house.up(&[]);
    triarch.kill();
    let next = house.up(&[]);
    assert_eq!(house.json(&["status"])["pid"], next.pid());
}

#[test]
fn an_agent_that_fails_is_restarted_and_the_log_tells_it() {
    let house = House::new();
    let config = house.write("triarch.toml", FRAGILE);
    let mut triarch = house.up(&["--config", config.to_str().unwrap()]);
    assert_eq!(house.json(&["agent", "ask", "vase", "1"])["result"], 1);
    assert_eq!(house.run(&["agent", "ask", "vase", "2"]).status.code(), Some(1));
    triarch.line_with("glass/vase started, life 2", PATIENCE);
    assert_eq!(house.json(&["agent", "ask", "vase", "3"])["result"], 3);
    assert_eq!(house.json(&["agent", "show", "vase"])["restarts"], 1);
}

#[test]
fn nobody_reading_its_log_is_no_reason_to_fail() {
    let house = House::new();
    let mut triarch = house.up(&[]);
    triarch.stop_reading();
    house.json(&["agent", "kill", "worker-1"]);
    until("it is restarted", || {
        house.json(&["agent", "show", "worker-1"])["restarts"] != 0
    });
    triarch.signal("TERM");
    assert_eq!(triarch.end(PATIENCE), Some(0));
}
